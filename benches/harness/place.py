"""The sandbox under the measurements: `scrybe-keys sandbox` in a directory of its own below target/bench, razed at the end.

Its PostgreSQL runs as another user when we are root, as the product has it. Settings are changed by ALTER SYSTEM and a restart, and
printed, since every figure depends on them. Nothing here touches a sandbox that is not the bench's own.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import processes
from .database import TEMPLATE, Server, uuid

ROOT = Path(__file__).resolve().parents[2]
# As PERFORMANCE figures have always been taken; autovacuum stays on, as on a real server.
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
SHOWN = (
    "server_version shared_buffers max_wal_size wal_buffers checkpoint_timeout fsync synchronous_commit full_page_writes wal_compression"
    " autovacuum max_connections jit commit_delay commit_siblings"
).split()


class Place:
    """The bench's sandbox. A context manager: leaving it ends every child and removes everything."""

    def __init__(self, program, settings, name):
        self.program = Path(program).resolve()
        self.settings = {**SETTINGS, **settings}
        self.dir = ROOT / "target" / "bench" / f"{name}-{os.getpid()}"
        self.server = None
        self.organizations = []

    def __enter__(self):
        # SIGTERM and a closed terminal leave by the same door as Ctrl-C.
        for name in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, _interrupt)
        self.dir.mkdir(parents=True)
        self.dir.chmod(0o711)
        try:
            self._raise()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        processes.stop_all()
        # A session of its own: the terminal's Ctrl-C does not reach it.
        subprocess.run(
            [self.program, "--quiet", "sandbox", "down"],
            env=self._outside(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        shutil.rmtree(self.dir, ignore_errors=True)

    def _raise(self):
        self._sandbox("up")
        self._look()
        self.server.run("".join(f"ALTER SYSTEM SET {name} = '{value}';" for name, value in self.settings.items()), "postgres")
        self.restart()

    def restart(self):
        """Stops the server in good order and starts it again."""
        os.kill(self.server.pid, signal.SIGINT)
        while Path(f"/proc/{self.server.pid}").exists():
            time.sleep(0.05)
        self._sandbox("up")
        self._look()

    def _look(self):
        database = self._sandbox("status")["database"]
        variables = self._sandbox("env")["variables"]
        self.server = Server(variables["DATABASE_URL"], database["pid"])
        self.variables = {name: value for name, value in variables.items() if name != "PATH"}

    def _sandbox(self, *words):
        ended = processes.run([self.program, "--json", "sandbox", *words], self._outside())
        return ended.json()["data"]

    def _outside(self):
        families = ("AWS_", "PG", "SCRYBE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(families) and name not in ("DATABASE_URL", "DIRECT_URL")}
        return {**clean, "SCRYBE_SANDBOX_DIR": str(self.dir / "sandbox")}

    def seed(self, organizations, **rows):
        """Fills the sandbox anew with so many organizations and `notes=`, `messages=`, `calls=` rows. Returns their ids, the largest first."""
        counts = {"notes": 0, "messages": 0, "calls": 0, "forms": 0, "clients": 2 * organizations, **rows}
        flags = [word for name, value in counts.items() for word in (f"--{name}", str(value))]
        self._sandbox("seed", "--replace", "--orgs", str(organizations), *flags)
        self._look()
        self.server.run("VACUUM (ANALYZE)", TEMPLATE)
        return [uuid(o["id"]) for o in self._sandbox("status")["seeded"]["organizations"]]

    def inside(self, database, workers=None):
        """The environment of our own commands on one of the databases; with the policy's worker count where one is given."""
        config = self.dir / f"workers-{workers or 'default'}.yaml"
        if not config.exists():
            config.write_text("# Written by the bench.\n" + (f"policy:\n  workers: {workers}\n" if workers else ""))
            config.chmod(0o600)
        return {**self._outside(), **self.variables, "DATABASE_URL": self.server.address(database), "SCRYBE_KEYS_CONFIG": str(config)}

    def described(self):
        """What the figures depend on: the settings in force, and the machine."""
        names = ", ".join(f"'{name}'" for name in SHOWN)
        found = self.server.run(f"SELECT name, current_setting(name) FROM pg_settings WHERE name IN ({names})", "postgres")
        return {"cores": os.cpu_count(), "affinity": len(os.sched_getaffinity(0)), "kernel": os.uname().release, "server": dict(found)}


def _interrupt(*_):
    raise KeyboardInterrupt


def program_version(program):
    """What `--version` says, and the commit it was built from where that is known."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    git = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {"program": said, "commit": git.stdout.strip() or None}


def write_json(path, data):
    """Whole or not at all."""
    path = Path(path)
    next_one = path.with_suffix(path.suffix + ".next")
    next_one.write_text(json.dumps(data, indent=1) + "\n")
    next_one.replace(path)
