"""What the application's other work feels: pgbench with the application's own statements on the same table, before, during and after.

Transactions come at a fixed rate whether the last one has answered or not, and latency counts from when each was due: a stall is felt by all
that queue behind it. The undisturbed figures are of the same run, just before the rotation. Per-transaction logs, no averages.
"""

import threading
import time
from datetime import datetime

from . import processes, report, tool
from .database import COPY

# Script -> weight, SQL. Ids come from a numbered list, so that every read costs one look-up more than the application's.
SCRIPTS = {
    "read": (6, 'SELECT n.* FROM "Note" n WHERE n.id = (SELECT id FROM bench.ids WHERE n = :n);'),
    "list": (
        2,
        'SELECT id, status, "createdAt", content FROM "Note" WHERE "orgId" = (SELECT org FROM bench.ids WHERE n = :n) ORDER BY "createdAt" DESC LIMIT 20;',
    ),
    "insert": (
        1,
        'INSERT INTO "Note" (id, "orgId", "clientId", "authorId", content, "updatedAt")'
        ' SELECT gen_random_uuid()::text, "orgId", "clientId", "authorId", content, now() FROM "Note" WHERE id = (SELECT id FROM bench.ids WHERE n = :n);',
    ),
    "status": (
        1,
        "UPDATE \"Note\" SET status = CASE status WHEN 'DRAFT' THEN 'PUBLISHED' ELSE 'DRAFT' END, \"updatedAt\" = now()"
        " WHERE id = (SELECT id FROM bench.ids WHERE n = :n);",
    ),
}
IDS = """CREATE SCHEMA bench;
CREATE TABLE bench.ids AS SELECT (row_number() OVER (ORDER BY id))::int AS n, id, "orgId" AS org FROM "Note";
ALTER TABLE bench.ids ADD PRIMARY KEY (n);
VACUUM (ANALYZE) bench.ids;"""
CLIENTS = 4
SEGMENT = 5


class Load(threading.Thread):
    """pgbench in segments until told to stop; afterwards every transaction as (when it was due, seconds it took, script)."""

    def __init__(self, place, rate, rows):
        super().__init__(daemon=True)
        self.place, self.rate, self.rows = place, rate, rows
        self.stopping, self.error = threading.Event(), None
        self.dir = place.dir / "load"
        self.dir.mkdir(exist_ok=True)
        for name, (_, sql) in SCRIPTS.items():
            (self.dir / f"{name}.sql").write_text(f"\\set n random(1, :rows)\n{sql}\n")

    def run(self):
        words = ["pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", 1, "-R", self.rate, "-T", SEGMENT, "-l", "-D", f"rows={self.rows}"]
        for name, (weight, _) in SCRIPTS.items():
            words += ["-f", f"{name}.sql@{weight}"]
        while not self.stopping.is_set():
            try:
                child = processes.start(words, self.place.server.env(COPY), cwd=self.dir)
                processes.finish(child)
            except processes.Failed as error:
                self.error = error
                return

    def transactions(self):
        """Ends the load after its segment and reads the logs, which it removes."""
        self.stopping.set()
        self.join()
        if self.error:
            raise self.error
        found, names = [], list(SCRIPTS)
        for log in self.dir.glob("pgbench_log.*"):
            for line in log.read_text().splitlines():
                words = line.split()
                took = int(words[2]) / 1e6
                found.append((int(words[4]) + int(words[5]) / 1e6 - took, took, names[int(words[3])]))
            log.unlink()
        return found


def measure(place, scope, asked, workers, extra):
    """A load, undisturbed for a while, then beside a rotation of all. Returns latencies by phase and script, in seconds, sorted."""
    server = place.server
    server.fresh_copy()
    server.run(IDS)
    rows = int(server.one("SELECT max(n) FROM bench.ids"))
    load = Load(place, asked.rate, rows)
    load.start()
    time.sleep(1 + asked.seconds)
    began = time.time()
    words = ["rotate", *tool.whose(scope), "--reason", "bench", "--settle", "0s", "--yes", *extra]
    processes.run([place.program, *tool.QUIET, *words], place.inside(COPY, workers))
    ended = time.time()
    job = tool.status(place)
    flipped = datetime.fromisoformat(job["createdAt"]).timestamp()
    moved = ended - job["census"]["seconds"]
    phases = {"before": (began - asked.seconds, began), "moving": (flipped, moved), "closing census": (moved, ended)}
    transactions = load.transactions()
    found = {"darkSeconds": sum(part["darkSeconds"] for part in job["organizations"]), "movedRows": sum(part["rowsVisited"] for part in job["organizations"])}
    for phase, (start, end) in phases.items():
        within = [(took, script) for due, took, script in transactions if start <= due < end]
        found[phase] = {
            name: sorted(took for took, script in within if name in (script, "all")) for name in ("all", *SCRIPTS)
        }
    return found


def table(runs):
    """`runs`: name of the way -> rounds. Latencies in milliseconds, medians of the rounds' own quantiles."""
    table = report.Table("way", "phase", "dark s", "transactions", "p50 ms", "p99 ms", "slowest ms", "read p99", "list p99", "insert p99", "status p99")
    for name, rounds in runs.items():
        for phase in ("before", "moving", "closing census"):

            def at(share, script="all"):
                found = [report.quantile(own[phase][script], share) for own in rounds]
                middle = report.median(found)
                return report.number(None if middle is None else middle * 1000, 1)

            table.add(
                name,
                phase,
                report.number(report.median([own["darkSeconds"] for own in rounds]), 1),
                report.number(report.median([len(own[phase]["all"]) for own in rounds])),
                at(0.5),
                at(0.99),
                at(1.0),
                *(at(0.99, script) for script in SCRIPTS),
            )
    return table
