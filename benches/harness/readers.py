"""What users feel: readers by the application's rule all through a rotation; failed opens, why, and for how long.

Warm readers keep a DEK for the cache time (shorter here than the application's five minutes, and said); cold ones know the active version at
once, as after a cache drop. A failure is `dark` when the cell was not moved yet, `stale` when it was and the reader's DEK is the old one.
"""

import json
import signal
import time
from datetime import datetime

from . import processes, report, tool
from .database import COPY

# A tenth of a second with a failure in it counts whole.
SLICE = 0.1
PROCESSES = 4


def measure(place, application, kind, scope, asked, extra):
    """One rotation beside readers. Returns per kind of reader: opens, failures by cause, and when after the flip they began and ended."""
    place.server.fresh_copy()
    task = {
        "kms": {"endpoint": place.variables["AWS_ENDPOINT_URL"], "region": place.variables["AWS_REGION"]},
        "table": kind.table,
        "column": kind.columns[0][0],
        "organization": scope.owner,
        "cacheSeconds": asked.cache,
        "readsPerSecond": asked.reads,
        "processes": PROCESSES,
    }
    child = processes.start(["node", "--no-warnings", application.script("readers")], application.env())
    child.stdin.write(json.dumps(task))
    child.stdin.close()
    child.stdin = None
    child.stdout.readline()
    time.sleep(2)
    words = ["rotate", "--org", scope.owner, "--reason", "bench", "--settle", f"{asked.cache:g}s", "--yes", *extra]
    ended = processes.run([place.program, *tool.QUIET, *words], place.inside(COPY)).json()["data"]
    part = ended["rotations"][0]
    flipped = datetime.fromisoformat(part["rotatedAt"]).timestamp()
    # The last stale cache has run out by then.
    time.sleep(max(0.0, flipped + asked.cache + 2 - time.time()))
    child.send_signal(signal.SIGTERM)
    said = json.loads(processes.finish(child)[0].splitlines()[-1])
    return {"darkSeconds": part["darkSeconds"], "darkCellSeconds": part["darkCellSeconds"], **{who: _judge(found, flipped) for who, found in said.items()}}


def _judge(found, flipped):
    after = [(at - flipped, cause) for at, cause in found["failures"]]
    times = sorted(at for at, _ in after)
    return {
        "opens": found["opens"],
        "dark": sum(cause == "dark" for _, cause in after),
        "stale": sum(cause == "stale" for _, cause in after),
        "broken": sum(cause == "broken" for _, cause in after),
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
        "failingSeconds": len({int(at // SLICE) for at in times}) * SLICE,
    }


def table(runs):
    """`runs`: name of the way -> rounds."""
    table = report.Table("way", "caches", "dark s", "opens", "failed, not moved yet", "failed, stale cache", "first after flip s", "last s", "seconds with a failure")
    for name, rounds in runs.items():
        for who in ("cold", "warm"):
            pick = lambda key: report.median([own[who][key] for own in rounds])  # noqa: E731
            table.add(
                name,
                who,
                report.number(report.median([own["darkSeconds"] for own in rounds]), 2),
                report.number(pick("opens")),
                report.number(pick("dark")),
                report.number(pick("stale")),
                report.number(pick("first"), 2),
                report.number(pick("last"), 2),
                report.number(pick("failingSeconds"), 1),
            )
    return table
