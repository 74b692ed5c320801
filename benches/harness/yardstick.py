"""The yardstick: what PostgreSQL alone does for the same rows, without a client, without a cipher.

Server-side UPDATEs of the same columns to values of the same size, by key range, a commit a batch. The new value differs from the old one
at both ends and nowhere else: PostgreSQL leaves out of the WAL what old and new row have in common at either end, so a value that
kept an end would be unfairly cheap, and one that is computed byte by byte (`reverse`) unfairly dear.
"""

from . import processes
from .database import COPY
from .meter import Meter

NOW = "SELECT extract(epoch FROM clock_timestamp())"
# Two bytes more than before; a sealed value of 400 to 40,000 bytes is of the same size.
NEW_TEXT = "'~' || {0} || '~'"
NEW_JSON = "to_jsonb('~' || ({0} #>> '{{}}') || '~')"


def _sets(kind):
    sets = []
    for column, form in kind.columns:
        old = f't."{column}"'
        # An empty value stays empty, as it does for every contender.
        new = f"CASE WHEN {old} = '' THEN '' ELSE {NEW_TEXT.format(old)} END" if form == "text" else NEW_JSON.format(old)
        sets.append(f'"{column}" = {new}')
    return ", ".join(sets)


def _walk(kind, scope, part, parts, vain):
    """A session's whole script: it walks every batch whose number leaves `part` when divided by `parts`."""
    sets = ", ".join(f'"{c}" = t."{c}"' for c, _ in kind.columns) if vain else _sets(kind)
    if scope.owner is None:
        # Key ranges of the whole table.
        cut = f'SELECT id, row_number() OVER (ORDER BY id) AS r FROM "{kind.table}" t WHERE {kind.sealed}'
        declare, gather = "bounds text[]; total int;", f"SELECT array_agg(id ORDER BY id) INTO bounds FROM ({cut}) x WHERE r % {kind.batch} = 1"
        total = "array_length(bounds, 1)"
        update = f"""UPDATE "{kind.table}" t SET {sets} WHERE t.id >= bounds[n] AND (n = total OR t.id < bounds[n + 1]) AND {kind.sealed}"""
    else:
        # One organization's keys lie scattered: a range of keys would read everybody's rows, so its keys are listed.
        cut = f"""SELECT array_agg(t.id ORDER BY t.id) INTO ids FROM "{kind.table}" t WHERE {kind.owned_by(f"'{scope.owner}'")} AND {kind.sealed}"""
        declare, gather = "ids text[]; total int;", cut
        total = f"(array_length(ids, 1) + {kind.batch - 1}) / {kind.batch}"
        piece = f"ids[(n - 1) * {kind.batch} + 1 : n * {kind.batch}]"
        update = f"""UPDATE "{kind.table}" t SET {sets} FROM unnest({piece}) AS u(id) WHERE t.id = u.id"""
    return f"""
CREATE PROCEDURE pg_temp.walk() LANGUAGE plpgsql AS $$
DECLARE n int; {declare}
BEGIN
    {gather};
    total := {total};
    FOR n IN 1 .. total LOOP
        CONTINUE WHEN n % {parts} <> {part};
        {update};
        COMMIT;
    END LOOP;
END $$;
{NOW};
CALL pg_temp.walk();
{NOW};
"""


def measure(server, kind, scope, sessions):
    """Runs it on a fresh copy and returns what it took."""
    server.fresh_copy()
    return walk(server, kind, scope, sessions)


def walk(server, kind, scope, sessions, vain=False):
    """Runs it on the copy as it is. `vain`: every sealed value is written as it was, so that it still opens; only the rows move."""
    command, env = server.psql(COPY)
    meter = Meter(server, kind.table)
    children = [processes.start([*command, "-f", "-"], env) for _ in range(sessions)]
    for part, child in enumerate(children):
        child.stdin.write(_walk(kind, scope, part, sessions, vain))
        child.stdin.close()
        child.stdin = None
    # From the first session's first statement to the last one's end: connecting is not part of the yardstick.
    times = [float(line) for child in children for line in processes.finish(child)[0].split()]
    used = meter.stop()
    if used["updates"] != scope.rows:
        raise processes.Failed(f"the yardstick wrote {used['updates']} rows of {kind.table}, not {scope.rows}")
    return {**used, "seconds": max(times) - min(times)}
