"""Child processes: run, metered, and never left behind.

Every child that is started here is known here, so that Ctrl-C ends exactly those. Secrets go in by the environment or by standard
input, never by an argument, which every user of the machine can read.
"""

import json
import resource
import subprocess
import threading
import time
from pathlib import Path

_running = set()


class Failed(Exception):
    """A child ended as it should not have; the end of what it said is the message."""


class Ended:
    """What a child left: output, seconds on the clock, CPU seconds (with its own children), peak memory in KiB or None."""

    def __init__(self, code, out, err, seconds, cpu, peak):
        self.code, self.out, self.err, self.seconds, self.cpu, self.peak = code, out, err, seconds, cpu, peak

    def json(self):
        """The one JSON object on its standard output."""
        return json.loads(self.out)


def start(command, env, **options):
    """Starts a child that `stop_all` would end. Text pipes unless told otherwise."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    child = subprocess.Popen([str(word) for word in command], env=env, **options)
    _running.add(child)
    return child


def finish(child, given=None, accept=(0,)):
    """Waits for a started child and returns (standard output, standard error); Failed when it ends otherwise than accepted."""
    try:
        out, err = child.communicate(given)
    finally:
        if child.poll() is not None:
            _running.discard(child)
    if child.returncode not in accept:
        words = " ".join(str(word) for word in child.args[:4])
        raise Failed(f"{words} ended with {child.returncode}: {(err or out or '').strip()[-2000:]}")
    return out, err


def run(command, env, given=None, accept=(0,)):
    """Runs a child to its end. CPU seconds are right as long as no other child ends meanwhile."""
    before, began = _children_cpu(), time.monotonic()
    child = start(command, env)
    peak = Peak(child.pid)
    out, err = finish(child, given, accept)
    seconds = time.monotonic() - began
    return Ended(child.returncode, out, err, seconds, _children_cpu() - before, peak.stop())


def stop_all():
    """Ends what still runs: politely, then not."""
    for child in list(_running):
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + 10
    for child in list(_running):
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        _running.discard(child)


class Peak:
    """Watches a process's peak resident memory (VmHWM) until it is gone. None where there is no /proc."""

    def __init__(self, pid):
        self.path, self.kib, self.done = Path(f"/proc/{pid}/status"), None, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        # The mark only grows: the last reading before the end is the peak but for the last moments.
        while not self.done.wait(0.03):
            try:
                for line in self.path.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.kib = int(line.split()[1])
            except (OSError, ValueError):
                return

    def stop(self):
        self.done.set()
        self.thread.join()
        return self.kib


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
