"""How far more processes carry: one job worked on by 1, 2 and 4 processes of one worker each, on a server slowed down on purpose.

`commit_delay` with `commit_siblings = 0` makes every flush of the WAL wait: it stands for a disk or a synchronous replica that is far away.
Commits that wait together are flushed together, as on a real disk. CPU stays as it is, so this shows where waiting, not work, is the limit.
"""

import time

from . import processes, report, tool
from .database import COPY


class Slowed:
    """The server with its flushes delayed, while the context lasts."""

    def __init__(self, server, microseconds):
        self.server, self.microseconds = server, microseconds

    def __enter__(self):
        self._set(self.microseconds, 0)

    def __exit__(self, *_):
        self._set(0, 5)

    def _set(self, delay, siblings):
        self.server.run(
            f"ALTER SYSTEM SET commit_delay = {delay}; ALTER SYSTEM SET commit_siblings = {siblings}; SELECT pg_reload_conf()", "postgres"
        )
        time.sleep(0.3)


def measure(place, scope, total, workers, joiner=None):
    """One rotation by `total` processes of `workers` workers each. `joiner`: the words that join the newest job."""
    place.server.fresh_copy()
    env = place.inside(COPY, workers)
    words = ["rotate", *tool.whose(scope), "--reason", "bench", "--settle", "0s", "--yes"]
    first = processes.start([place.program, *tool.QUIET, *words], env)
    others = []
    if total > 1:
        _wait_for_flip(place, first)
        others = [processes.start([place.program, *tool.QUIET, *joiner], env) for _ in range(total - 1)]
    processes.finish(first)
    for other in others:
        # One that comes when all is done has nothing to join; that is no failure of the measurement.
        processes.finish(other, accept=(0, 5))
    job = tool.status(place, workers)
    return {"seconds": sum(part["darkSeconds"] for part in job["organizations"]), "darkCellSeconds": sum(part["darkCellSeconds"] for part in job["organizations"])}


def _wait_for_flip(place, first):
    while first.poll() is None:
        flipped = place.server.run("SELECT 1 FROM scrybe_keys.job_organization o JOIN scrybe_keys.job j USING (job_id) WHERE j.state = 'running' AND o.flipped_at IS NOT NULL")
        if flipped:
            return
        time.sleep(0.02)


def table(scope, runs):
    """`runs`: name of the way -> rounds; the first one is what the others are compared with."""
    table = report.Table("way", "rows/s", "times the first", "dark s", "dark cell-s")
    first = next(iter(runs.values()))
    for name, rounds in runs.items():
        table.add(
            name,
            report.number(report.median([scope.rows / own["seconds"] for own in rounds])),
            report.spread([base["seconds"] / own["seconds"] for own, base in zip(rounds, first)]),
            report.number(report.median([own["seconds"] for own in rounds]), 2),
            report.number(report.median([own["darkCellSeconds"] for own in rounds])),
        )
    return table
