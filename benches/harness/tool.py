"""Our own engine as a contender: `rotate` on a fresh copy, judged by what its job recorded, then the pass after it.

`seconds` is the time the job's organizations were dark, flip to last cell: what users feel. Planning, the calls to KMS and the closing
census are in `jobSeconds` and `wallSeconds`. Rows are counted in the table under test; the few of other tables are moved in the same time.
"""

import re
from datetime import datetime

from . import processes
from .database import COPY
from .meter import Meter

QUIET = ("--json", "--progress", "none")


def measure(place, kind, scope, workers, second_pass=False):
    """Rotates on a fresh copy and returns what it took; with `second_pass` also a re-encrypt right after, which has nothing to move."""
    place.server.fresh_copy()
    used = rotate(place, kind, scope, workers)
    if used["updates"] != scope.rows:
        raise processes.Failed(f"rotate wrote {used['updates']} rows of {kind.table}, not {scope.rows}")
    if second_pass:
        used["second"] = _second(place, scope, workers)
    return used


def rotate(place, kind, scope, workers, extra=()):
    """One rotation of a scope on the copy as it is."""
    env = place.inside(COPY, workers)
    words = [place.program, *QUIET, "rotate", *whose(scope), "--reason", "bench", "--settle", "0s", "--yes", *extra]
    meter = Meter(place.server, kind.table)
    ended = processes.run(words, env)
    used = meter.stop()
    job = status(place, workers)
    parts = job["organizations"]
    return {
        **used,
        "seconds": sum(part["darkSeconds"] for part in parts),
        "darkSecondsMost": max(part["darkSeconds"] for part in parts),
        "darkCellSeconds": sum(part["darkCellSeconds"] for part in parts),
        "organizations": len(parts),
        "jobSeconds": _job_seconds(job),
        "clientCpuSeconds": ended.cpu,
        "peakKib": ended.peak,
        "censusCells": job["census"]["cells"],
        "censusSeconds": job["census"]["seconds"],
    }


def _second(place, scope, workers):
    env = place.inside(COPY, workers)
    ended = processes.run([place.program, *QUIET, "re-encrypt", *whose(scope), "--settle", "0s", "--yes"], env)
    said = ended.json()["data"]
    moved = sum(part["cellsMoved"] + part["cellsMovedLate"] for part in said["rotations"])
    if moved:
        raise processes.Failed(f"the second pass moved {moved} cells: the first one was not clean")
    # With nothing to move no job is made: the whole process counts, start and plan included.
    return {"wallSeconds": ended.seconds, "jobSeconds": ended.seconds, "censusSeconds": said["census"]["seconds"], "clientCpuSeconds": ended.cpu}


def status(place, workers=None):
    """The newest job of the copy, as `jobs status --json` tells it."""
    return processes.run([place.program, *QUIET, "jobs", "status", "latest"], place.inside(COPY, workers)).json()["data"]


def whose(scope):
    """The words that name a scope."""
    return ["--all"] if scope.owner is None else ["--org", scope.owner]


def knows(place, verb, flag):
    """True when this build's verb has a flag: later builds have more, and the bench says what it had to leave out."""
    return flag in processes.run([place.program, verb, "--help"], place.inside(COPY)).out


def default_workers(place):
    """How many workers a job has when nobody says: `context` shows the policy. None when it does not."""
    said = processes.run([place.program, "--json", "context"], place.inside(COPY), accept=(0, 3)).out
    found = re.search(r"(\d+) workers", said)
    return int(found[1]) if found else None


def _job_seconds(job):
    return (datetime.fromisoformat(job["endedAt"]) - datetime.fromisoformat(job["createdAt"])).total_seconds()
