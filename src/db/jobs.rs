//! Jobs as they stand in the database: what was asked, how far it is, who works on it, what could not be moved.
//! Everything a run needs to go on after `kill -9` is here; a job is worked on while somebody holds its advisory lock.

use super::cells::Rows;
pub use super::parts::{Part, PartState};
use super::{DbError, Session};
use crate::core::ids::OrgId;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// What kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    Rotate,
    ReEncrypt,
    Revert,
}

impl JobKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            JobKind::Rotate => "rotate",
            JobKind::ReEncrypt => "re-encrypt",
            JobKind::Revert => "revert",
        }
    }

    fn parse(text: &str) -> JobKind {
        match text {
            "rotate" => JobKind::Rotate,
            "revert" => JobKind::Revert,
            _ => JobKind::ReEncrypt,
        }
    }
}

/// A job row.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Uuid,
    pub kind: JobKind,
    /// running, done, cancelled, superseded, failed.
    pub state: String,
    pub scope: String,
    pub options: String,
    pub reason: String,
    pub actor: String,
    pub cancel_asked: bool,
    /// no, between (before the next organization), now.
    pub pause: String,
    /// Speed set from another terminal, as JSON.
    pub tuning: String,
    pub created_at: Timestamp,
    pub touched_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub runner: Option<String>,
    pub stop_reason: Option<String>,
    pub census: Option<String>,
    /// Somebody holds the job's lock now.
    pub alive: bool,
}

/// Names a chunk.
#[derive(Clone, Debug)]
pub struct ChunkKey {
    pub job: Uuid,
    pub organization: OrgId,
    pub chunk: i32,
    /// What the chunk was claimed with.
    pub fence: i64,
}

/// A piece of the walk.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub key: ChunkKey,
    /// `LiveTable::relation`.
    pub table: String,
    pub rows: Rows,
}

/// Whose a chunk of named rows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Counted as moved late.
    Settling,
    /// This process's part of the walk.
    Walk(Uuid, Duration),
}

/// What a new job is.
pub struct NewJob<'a> {
    pub id: Uuid,
    pub kind: JobKind,
    pub scope: &'a str,
    pub options: &'a str,
    pub reason: &'a str,
    pub run_id: Uuid,
    pub actor: &'a str,
    /// The name under which it is done once.
    pub once: Option<&'a str>,
    pub organizations: &'a [(OrgId, i64)],
}

/// A cell that could not be moved.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub organization: String,
    pub table: String,
    pub column: String,
    pub row: String,
    pub reason: String,
    /// It opens, but the database refused its new value.
    pub refused: bool,
    pub found_at: Timestamp,
}

const LOCK_CLASS: &str = "scrybe_keys.job";

pub(super) fn time(row: &postgres::Row, at: usize) -> Option<Timestamp> {
    row.get::<_, Option<i64>>(at).and_then(|micros| Timestamp::from_microsecond(micros).ok())
}

const JOB: &str = "SELECT job_id, kind, state, scope, options, reason, actor, cancel_asked,
    (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM touched_at) * 1000000)::bigint,
    (extract(epoch FROM ended_at) * 1000000)::bigint, runner, stop_reason, census,
    EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = hashtext('scrybe_keys.job')::oid AND l.objid = hashtext(job_id::text)::oid), pause, tuning
    FROM scrybe_keys.job";

fn job(row: &postgres::Row) -> Job {
    Job {
        id: row.get(0),
        kind: JobKind::parse(row.get(1)),
        state: row.get(2),
        scope: row.get(3),
        options: row.get(4),
        reason: row.get(5),
        actor: row.get(6),
        cancel_asked: row.get(7),
        created_at: time(row, 8).unwrap_or_default(),
        touched_at: time(row, 9).unwrap_or_default(),
        ended_at: time(row, 10),
        runner: row.get(11),
        stop_reason: row.get(12),
        census: row.get(13),
        alive: row.get(14),
        pause: row.get(15),
        tuning: row.get(16),
    }
}

impl Session {
    /// The unfinished job of a scope, if there is one.
    pub fn running_job(&mut self, scope: &str) -> Result<Option<Job>, DbError> {
        let row = self.client.query_opt(&format!("{JOB} WHERE scope = $1 AND state = 'running'"), &[&scope])?;
        Ok(row.as_ref().map(job))
    }

    /// A job by id.
    pub fn job(&mut self, id: Uuid) -> Result<Option<Job>, DbError> {
        Ok(self.client.query_opt(&format!("{JOB} WHERE job_id = $1"), &[&id])?.as_ref().map(job))
    }

    /// The job that was begun under a name to be done once.
    pub fn job_once(&mut self, once: &str) -> Result<Option<Job>, DbError> {
        Ok(self.client.query_opt(&format!("{JOB} WHERE once = $1"), &[&once])?.as_ref().map(job))
    }

    /// Jobs, newest first; `limit` at most.
    pub fn jobs(&mut self, limit: i64) -> Result<Vec<Job>, DbError> {
        let rows = self.client.query(&format!("{JOB} ORDER BY created_at DESC LIMIT $1"), &[&limit])?;
        Ok(rows.iter().map(job).collect())
    }

    /// Unfinished jobs that have an organization in common with the given ones (none given: any).
    pub fn running_jobs_over(&mut self, organizations: &[OrgId]) -> Result<Vec<Job>, DbError> {
        let ids: Vec<&str> = organizations.iter().map(OrgId::as_str).collect();
        let sql = format!(
            "{JOB} WHERE state = 'running' AND EXISTS (SELECT FROM scrybe_keys.job_organization o
               WHERE o.job_id = job.job_id AND o.organization_id = ANY ($1) AND o.state IN ('pending', 'moving', 'moved'))
             ORDER BY created_at"
        );
        Ok(self.client.query(&sql, &[&ids])?.iter().map(job).collect())
    }

    /// Writes a job with its organizations, pending. A second running job of the same scope violates a unique index.
    pub fn create_job(&mut self, new: &NewJob<'_>) -> Result<(), DbError> {
        let mut transaction = self.client.transaction()?;
        transaction.execute(
            "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor, once)
             VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, $8)",
            &[&new.id, &new.kind.as_str(), &new.scope, &new.options, &new.reason, &new.run_id, &new.actor, &new.once],
        )?;
        let insert = transaction.prepare(
            "INSERT INTO scrybe_keys.job_organization (job_id, organization_id, ordinal, state, rows_estimated)
             VALUES ($1, $2, $3, 'pending', $4)",
        )?;
        for (ordinal, (organization, rows)) in new.organizations.iter().enumerate() {
            transaction.execute(&insert, &[&new.id, &organization.as_str(), &(ordinal as i32), rows])?;
        }
        Ok(transaction.commit()?)
    }

    /// Takes the job's lock for this session. It is gone when the session is, however that ends.
    pub fn lock_job(&mut self, id: Uuid, runner: &str) -> Result<bool, DbError> {
        let sql = "SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))";
        let got: bool = self.client.query_one(sql, &[&LOCK_CLASS, &id.to_string()])?.get(0);
        if got {
            self.client.execute(
                "UPDATE scrybe_keys.job SET runner = $2, touched_at = clock_timestamp(), stop_reason = NULL WHERE job_id = $1",
                &[&id, &runner],
            )?;
        }
        Ok(got)
    }

    /// Takes the job's lock again after the session that held it was lost. False when somebody else holds it, or has run or ended the job in
    /// between: what this process knows of the job is not true any more.
    pub fn lock_job_again(&mut self, id: Uuid, runner: &str) -> Result<bool, DbError> {
        let lock = "SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))";
        if !self.client.query_one(lock, &[&LOCK_CLASS, &id.to_string()])?.get::<_, bool>(0) {
            return Ok(false);
        }
        let still = self.still_running(id, runner)?;
        if !still {
            let unlock = "SELECT pg_advisory_unlock(hashtext($1), hashtext($2))";
            self.client.execute(unlock, &[&LOCK_CLASS, &id.to_string()])?;
        }
        Ok(still)
    }

    /// Says that `runner` runs the job. False when somebody else does, or it has ended.
    pub fn still_running(&mut self, id: Uuid, runner: &str) -> Result<bool, DbError> {
        let sql = "UPDATE scrybe_keys.job SET touched_at = clock_timestamp() WHERE job_id = $1 AND runner = $2 AND state = 'running'";
        Ok(self.client.execute(sql, &[&id, &runner])? == 1)
    }

    /// True when somebody asked to cancel the job.
    pub fn cancel_asked(&mut self, id: Uuid) -> Result<bool, DbError> {
        let sql = "SELECT cancel_asked FROM scrybe_keys.job WHERE job_id = $1";
        Ok(self.client.query_opt(sql, &[&id])?.is_some_and(|row| row.get(0)))
    }

    /// Ends a job, or (`state` running) notes why this run of it stopped.
    pub fn end_job(&mut self, id: Uuid, state: &str, stop_reason: Option<&str>) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job SET state = $2, stop_reason = $3, touched_at = clock_timestamp(),
                ended_at = CASE WHEN $2 = 'running' THEN NULL ELSE clock_timestamp() END WHERE job_id = $1",
            &[&id, &state, &stop_reason],
        )?;
        if state != "running" {
            self.client.execute("DELETE FROM scrybe_keys.job_write WHERE job_id = $1", &[&id])?;
        }
        Ok(())
    }

    /// Keeps what the job was asked for.
    pub fn keep_options(&mut self, id: Uuid, options: &str) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET options = $2 WHERE job_id = $1", &[&id, &options])?;
        Ok(())
    }

    /// Keeps the closing census with the job.
    pub fn keep_census(&mut self, id: Uuid, census: &str) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET census = $2 WHERE job_id = $1", &[&id, &census])?;
        Ok(())
    }

    /// Asks whoever works on a job to hold (`between` organizations or `now`) or, with `no`, to go on.
    pub fn ask_pause(&mut self, id: Uuid, pause: &str) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET pause = $2 WHERE job_id = $1", &[&id, &pause])?;
        Ok(())
    }

    /// Changes the speed of whoever works on a job.
    pub fn ask_tuning(&mut self, id: Uuid, tuning: &str) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET tuning = $2 WHERE job_id = $1", &[&id, &tuning])?;
        Ok(())
    }

    /// Asks whoever works on a job to stop after its batch and leave it.
    pub fn ask_cancel(&mut self, id: Uuid) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET cancel_asked = true WHERE job_id = $1", &[&id])?;
        Ok(())
    }

    /// Adds a chunk of rows that only this process knows. `late` when settling moves it; else it is leased, and who takes
    /// it over walks the whole table.
    pub fn add_own_chunk(
        &mut self,
        id: Uuid,
        organization: &OrgId,
        table: &str,
        rows: Rows,
        owner: Owner,
    ) -> Result<Chunk, DbError> {
        let (process, lease) = match owner {
            Owner::Settling => (None, 0.0),
            Owner::Walk(process, lease) => (Some(process), lease.as_secs_f64()),
        };
        let row = self.client.query_one(
            "INSERT INTO scrybe_keys.job_chunk (job_id, organization_id, chunk, table_name, late, lease_process, lease_until)
             SELECT $1, $2, coalesce(max(chunk), 0) + 1, $3, $4::uuid IS NULL, $4, CASE WHEN $4::uuid IS NOT NULL THEN clock_timestamp() + make_interval(secs => $5) END FROM scrybe_keys.job_chunk WHERE job_id = $1 AND organization_id = $2
             RETURNING chunk",
            &[&id, &organization.as_str(), &table, &process, &lease],
        )?;
        Ok(Chunk {
            key: ChunkKey { job: id, organization: organization.clone(), chunk: row.get(0), fence: 0 },
            table: table.to_owned(),
            rows,
        })
    }

    /// Cells a job could not move.
    pub fn quarantined(&mut self, id: Uuid, limit: i64) -> Result<Vec<Quarantined>, DbError> {
        let rows = self.client.query(
            "SELECT organization_id, table_name, column_name, row_id, reason, (extract(epoch FROM found_at) * 1000000)::bigint, refused
             FROM scrybe_keys.quarantine WHERE job_id = $1 ORDER BY organization_id, table_name, row_id, column_name LIMIT $2",
            &[&id, &limit],
        )?;
        Ok(rows
            .iter()
            .map(|row| Quarantined {
                organization: row.get(0),
                table: row.get(1),
                column: row.get(2),
                row: row.get(3),
                reason: row.get(4),
                found_at: time(row, 5).unwrap_or_default(),
                refused: row.get(6),
            })
            .collect())
    }

    /// Makes a job's list of cells that do not open say what a complete census of an organization found in `tables`: `[table, column, row, reason]`.
    /// Rows that the database refused stay listed.
    pub fn reconcile_quarantine(
        &mut self,
        id: Uuid,
        organization: &OrgId,
        tables: &[&str],
        found: &[[&str; 4]],
    ) -> Result<(), DbError> {
        let column = |n: usize| found.iter().map(|cell| cell[n]).collect::<Vec<&str>>();
        let (names, columns, rows, reasons) = (column(0), column(1), column(2), column(3));
        let mut t = self.client.transaction()?;
        t.execute(
            "DELETE FROM scrybe_keys.quarantine q WHERE q.job_id = $1 AND q.organization_id = $2 AND NOT q.refused AND q.table_name = ANY ($3)
               AND NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[], $6::text[]) AS f(t, c, r)
                               WHERE f.t = q.table_name AND f.c = q.column_name AND f.r = q.row_id)",
            &[&id, &organization.as_str(), &tables, &names, &columns, &rows],
        )?;
        t.execute(
            "INSERT INTO scrybe_keys.quarantine (job_id, organization_id, table_name, column_name, row_id, reason)
             SELECT $1, $2, f.t, f.c, f.r, f.why FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS f(t, c, r, why)
             ON CONFLICT (job_id, table_name, column_name, row_id) DO NOTHING",
            &[&id, &organization.as_str(), &names, &columns, &rows, &reasons],
        )?;
        Ok(t.commit()?)
    }

    /// Of the rows `tried` of a table, leaves only these cells on a job's list: `rows` and `columns` belong together.
    pub fn keep_quarantined(
        &mut self,
        id: Uuid,
        organization: &str,
        table: &str,
        tried: &[String],
        rows: &[String],
        columns: &[String],
    ) -> Result<u64, DbError> {
        let sql = "DELETE FROM scrybe_keys.quarantine q WHERE job_id = $1 AND organization_id = $2 AND table_name = $3 AND row_id = ANY ($4)
                     AND NOT EXISTS (SELECT FROM unnest($5::text[], $6::text[]) AS k(r, c) WHERE k.r = q.row_id AND k.c = q.column_name)";
        Ok(self.client.execute(sql, &[&id, &organization, &table, &tried, &rows, &columns])?)
    }

    /// The database's clock.
    pub fn database_now(&mut self) -> Result<Timestamp, DbError> {
        let row = self.client.query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[])?;
        Ok(time(&row, 0).unwrap_or_default())
    }

    /// Keeps how long an organization's walk took, when it ran through.
    pub fn keep_walk_seconds(&mut self, id: Uuid, organization: &OrgId, seconds: f64) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET walk_seconds = $3 WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &seconds],
        )?;
        Ok(())
    }

    /// Cells per second of the newest walks that ran through, `None` when there was none worth measuring.
    pub fn measured_rate(&mut self) -> Result<Option<f64>, DbError> {
        let row = self.client.query_opt(
            "SELECT (sum(cells) / nullif(sum(seconds), 0))::float8 FROM (
               SELECT (SELECT sum(c.cells_moved)::float8 FROM scrybe_keys.job_chunk c
                       WHERE c.job_id = o.job_id AND c.organization_id = o.organization_id AND NOT c.late) AS cells,
                      o.walk_seconds AS seconds
               FROM scrybe_keys.job_organization o WHERE o.walk_seconds IS NOT NULL ORDER BY o.moved_at DESC LIMIT 20) r
             HAVING sum(cells) >= 1000",
            &[],
        )?;
        Ok(row.and_then(|row| row.get(0)))
    }
}
