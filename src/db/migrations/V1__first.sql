-- The tool's own records. Runs with search_path set to scrybe_keys; the schema itself exists by then.

CREATE TABLE binding (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    environment  text NOT NULL CHECK (environment IN ('development', 'staging', 'production')),
    provider     text NOT NULL CHECK (provider IN ('aws', 'local', 'dev')),
    account      text,
    region       text,
    key_arn      text,
    sandbox      boolean NOT NULL DEFAULT false,
    bound_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    bound_by     text NOT NULL
);

-- What the application's DEK table does not hold, by its row id.
CREATE TABLE dek (
    dek_id          text PRIMARY KEY,
    organization_id text NOT NULL,
    key_version     integer NOT NULL,
    status          text NOT NULL CHECK (status IN ('ACTIVE', 'RETIRED', 'COMPROMISED', 'DESTROYED')),
    purpose         text NOT NULL DEFAULT 'PHI' CHECK (purpose IN ('PHI', 'AUDIT', 'BACKUP')),
    algorithm       text NOT NULL DEFAULT 'AES_256_GCM',
    key_arn         text,
    material_id     text,
    fingerprint     text,
    -- hex sha256 of the stored text that CMK and material were learned of. Another text in the row: nothing is known of it.
    wrapping_digest text,
    run_id          uuid,
    recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    status_since    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dek_organization ON dek (organization_id, key_version);

-- Wrappings that rewrap replaced, oldest first by number: what the row held before. Ciphertext alone: a bare dev: key, with or without
-- its prefix, is too short or no base64. Rows are added in the transaction that replaces the wrapping, and never changed. Whoever destroys
-- a DEK or erases what is under it must delete its rows here too: each of them still opens to it.
CREATE TABLE dek_wrapping (
    wrapping_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dek_id          text NOT NULL,
    organization_id text NOT NULL,
    key_version     integer NOT NULL,
    wrapped         text NOT NULL CHECK (wrapped ~ '^[A-Za-z0-9+/]{64,}={0,2}$'),
    -- What KMS said it was of, and what replaced it.
    key_arn         text,
    material_id     text,
    next_key_arn    text NOT NULL,
    next_material   text,
    reason          text NOT NULL,
    run_id          uuid NOT NULL,
    replaced_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dek_wrapping_dek ON dek_wrapping (dek_id, wrapping_id);
CREATE INDEX dek_wrapping_run ON dek_wrapping (run_id, organization_id);

-- A job: one rotate, re-encrypt or revert over one or more organizations.
CREATE TABLE job (
    job_id       uuid PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('rotate', 're-encrypt', 'revert')),
    -- running: someone works on it or died doing so (the advisory lock tells); the others are final.
    state        text NOT NULL CHECK (state IN ('running', 'done', 'cancelled', 'superseded', 'failed')),
    -- What makes two commands the same job: kind, organizations, models, options that change the result.
    scope        text NOT NULL,
    options      text NOT NULL,
    reason       text NOT NULL,
    run_id       uuid NOT NULL,
    actor        text NOT NULL,
    -- What the operator calls it, where it is to be done once: no second job has this name.
    once         text UNIQUE,
    cancel_asked boolean NOT NULL DEFAULT false,
    -- What another terminal asks of whoever works on it: go on, hold before the next organization, hold now.
    pause        text NOT NULL DEFAULT 'no' CHECK (pause IN ('no', 'between', 'now')),
    -- Speed set from another terminal, as JSON; read again every second.
    tuning       text NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    runner       text,
    touched_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    stop_reason  text,
    -- The closing census as JSON: counts by organization, column and version. No ids of rows.
    census       text
);
CREATE INDEX job_created ON job (created_at);
CREATE UNIQUE INDEX job_one_running_per_scope ON job (scope) WHERE state = 'running';

-- One organization's part of a job, in life order: pending, moving, moved, settled; or refused, superseded.
CREATE TABLE job_organization (
    job_id            uuid NOT NULL REFERENCES job ON DELETE CASCADE,
    organization_id   text NOT NULL,
    ordinal           integer NOT NULL,
    state             text NOT NULL CHECK (state IN ('pending', 'moving', 'moved', 'settled', 'refused', 'superseded')),
    target_dek        text,
    target_version    integer,
    previous_dek      text,
    previous_version  integer,
    -- True when this job made the target active (rotate, revert); false when it found it so.
    flipped           boolean NOT NULL DEFAULT false,
    flipped_at        timestamptz,
    moved_at          timestamptz,
    settled_at        timestamptz,
    -- Only of a walk that was not interrupted: what estimates rest on.
    walk_seconds      double precision,
    rows_estimated    bigint NOT NULL DEFAULT 0,
    -- Oldest transaction that was open when the walk's chunks were cut: row versions of older ones are the walk's to find.
    walk_basis        bigint,
    intent_id         uuid,
    problem_code      text,
    problem           text,
    PRIMARY KEY (job_id, organization_id)
);

-- A piece of one heap for one organization: keys (lower, upper], or blocks [from, to) of one file, open at NULL. Walked again from its
-- start after a crash: cells already moved are recognised by opening under the target. `late` chunks record what settling moved.
CREATE TABLE job_chunk (
    job_id            uuid NOT NULL,
    organization_id   text NOT NULL,
    chunk             integer NOT NULL,
    table_name        text NOT NULL,
    lower_key         text,
    upper_key         text,
    by_block          boolean NOT NULL DEFAULT false,
    from_block        bigint,
    to_block          bigint,
    file              bigint,
    late              boolean NOT NULL DEFAULT false,
    done              boolean NOT NULL DEFAULT false,
    -- Who walks it, until when. Every claim raises the fence; a batch commits only under the fence it was claimed with.
    fence             bigint NOT NULL DEFAULT 0,
    lease_process     uuid,
    lease_until       timestamptz,
    -- Rows stepped over because somebody sat on them: settling looks at everything again.
    rows_skipped      bigint NOT NULL DEFAULT 0,
    rows_visited      bigint NOT NULL DEFAULT 0,
    cells_moved       bigint NOT NULL DEFAULT 0,
    bytes_moved       bigint NOT NULL DEFAULT 0,
    dark_cell_seconds double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, organization_id, chunk),
    FOREIGN KEY (job_id, organization_id) REFERENCES job_organization ON DELETE CASCADE
);

CREATE INDEX job_chunk_open ON job_chunk (job_id, organization_id, chunk) WHERE NOT done AND NOT late;

-- Processes that work or worked on a job. One is alive while it holds its advisory lock.
CREATE TABLE job_process (
    process_id   uuid PRIMARY KEY,
    job_id       uuid NOT NULL REFERENCES job ON DELETE CASCADE,
    host         text NOT NULL,
    pid          integer NOT NULL,
    workers      integer NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    -- Rows it visited and cells it moved, and rows per second over the last moments.
    rows_visited bigint NOT NULL DEFAULT 0,
    cells_moved  bigint NOT NULL DEFAULT 0,
    rate         double precision NOT NULL DEFAULT 0,
    -- What it is doing, and what slows it down.
    doing        text NOT NULL DEFAULT '',
    slowed_by    text
);
CREATE INDEX job_process_job ON job_process (job_id);

-- Transactions in which batches of an unfinished job wrote: row versions of theirs hold what the job put there.
CREATE TABLE job_write (
    job_id uuid NOT NULL REFERENCES job ON DELETE CASCADE,
    xid    xid NOT NULL
);
CREATE INDEX job_write_job ON job_write (job_id);

-- Cells that could not be moved, by name. Never contents.
CREATE TABLE quarantine (
    job_id          uuid NOT NULL REFERENCES job ON DELETE CASCADE,
    organization_id text NOT NULL,
    table_name      text NOT NULL,
    column_name     text NOT NULL,
    row_id          text NOT NULL,
    reason          text NOT NULL,
    -- True when it opens but the database refused its new value (a constraint, a trigger).
    refused         boolean NOT NULL DEFAULT false,
    found_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, table_name, column_name, row_id)
);

-- The audit chain. Appended only by audit_append, which takes the one-row head first: it cannot fork.
CREATE TABLE audit (
    seq           bigint PRIMARY KEY,
    at            timestamptz NOT NULL,
    event         text NOT NULL,
    phase         text NOT NULL CHECK (phase IN ('intent', 'outcome', 'note')),
    intent_id     uuid,
    run_id        uuid NOT NULL,
    -- The database user of the session, as the server knows it.
    db_user       text NOT NULL,
    -- Who the client says it is: OS user, host, AWS caller.
    actor         text NOT NULL,
    subject       text NOT NULL,
    -- Fixed text made by the client: hashed as it is.
    body          text NOT NULL,
    previous_hash text NOT NULL,
    hash          text NOT NULL UNIQUE
);
CREATE INDEX audit_intent ON audit (intent_id) WHERE intent_id IS NOT NULL;
CREATE TABLE audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL,
    hash     text NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, repeat('0', 64));

-- hash = hex sha256 over the fields below joined by newlines, `at` as whole microseconds since the epoch (UTC), an absent
-- intent as '-'. No field may hold a line break, so no two records have the same text.
CREATE FUNCTION audit_append(
    p_event text, p_phase text, p_intent uuid, p_run uuid, p_actor text, p_subject text, p_body text
) RETURNS TABLE (seq bigint, hash text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_seq bigint;
    v_previous text;
    v_at timestamptz;
    v_hash text;
BEGIN
    IF concat(p_event, session_user, p_actor, p_subject, p_body) ~ E'[\\n\\r]' THEN
        RAISE EXCEPTION 'an audit field holds a line break' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE scrybe_keys.audit_head h SET seq = h.seq + 1 RETURNING h.seq, h.hash INTO STRICT v_seq, v_previous;
    -- Read after the head is ours, so that times follow the sequence.
    v_at := clock_timestamp();
    v_hash := encode(sha256(convert_to(concat_ws(E'\n',
        'scrybe-keys audit v1', v_seq::text, round(extract(epoch FROM v_at) * 1000000)::bigint::text,
        p_event, p_phase, coalesce(p_intent::text, '-'), p_run::text, session_user::text, p_actor, p_subject,
        p_body, v_previous), 'UTF8')), 'hex');
    INSERT INTO scrybe_keys.audit (seq, at, event, phase, intent_id, run_id, db_user, actor, subject, body, previous_hash, hash)
    VALUES (v_seq, v_at, p_event, p_phase, p_intent, p_run, session_user, p_actor, p_subject, p_body, v_previous, v_hash);
    UPDATE scrybe_keys.audit_head h SET hash = v_hash;
    RETURN QUERY SELECT v_seq, v_hash;
END $$;
REVOKE ALL ON FUNCTION audit_append(text, text, uuid, uuid, text, text, text) FROM PUBLIC;
