"""Asking PostgreSQL: psql for statements, /proc for what its processes use.

The password travels in the environment alone. Identifiers here are the clinic's own and quoted where they stand; ids that go into a
statement come from the sandbox's own record and are checked to be UUIDs.
"""

import os
import re
import urllib.parse
from pathlib import Path

from . import processes

SEPARATOR = "\x1f"
# What the measurements copy, and the copy they spoil.
TEMPLATE, COPY = "clinic", "bench"


def uuid(text):
    """The text, when it is a UUID: fit to stand in a statement."""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise ValueError(f"{text!r} is no id of the sandbox")
    return text


class Server:
    """The sandbox's PostgreSQL, by its address and the process id of its postmaster."""

    def __init__(self, url, pid):
        self.url, self.pid = url, pid
        self.parts = urllib.parse.urlsplit(url)

    def address(self, database):
        """The connection string of one of its databases. Holds the password: for environments only."""
        return urllib.parse.urlunsplit(self.parts._replace(path="/" + database))

    def env(self, database):
        """An environment in which psql, pgbench and `pg` for Node find the database."""
        base = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **base,
            "PGHOST": self.parts.hostname,
            "PGPORT": str(self.parts.port),
            "PGUSER": self.parts.username,
            "PGPASSWORD": self.parts.password,
            "PGDATABASE": database,
            "PGAPPNAME": "scrybe-keys-bench",
        }

    def psql(self, database):
        """The words that begin a psql command, and its environment."""
        return ["psql", "-X", "-q", "-A", "-t", "-F", SEPARATOR, "-v", "ON_ERROR_STOP=1"], self.env(database)

    def run(self, sql, database=COPY):
        """Runs statements, each in a transaction of its own; returns the rows as lists of text."""
        command, env = self.psql(database)
        out = processes.run([*command, "-f", "-"], env, sql).out
        return [line.split(SEPARATOR) for line in out.splitlines() if line]

    def one(self, sql, database=COPY):
        """The first value of the first row, as text."""
        return self.run(sql, database)[0][0]

    def fresh_copy(self):
        """A new copy of what was seeded, on disk, all of it checkpointed: every contender begins from the same place."""
        self.drop_copy()
        # Copying files keeps the seeded blocks' layout and writes no WAL for them; servers before 15 know no other way.
        strategy = " STRATEGY FILE_COPY" if self.version() >= 150000 else ""
        self.run(f"CREATE DATABASE {COPY} TEMPLATE {TEMPLATE}{strategy}; CHECKPOINT", "postgres")

    def drop_copy(self):
        self.run(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)", "postgres")

    def version(self):
        """As the server counts: 150018 is 15.18."""
        return int(self.one("SELECT current_setting('server_version_num')", "postgres"))

    def cpu_seconds(self):
        """CPU that the postmaster and all its children, living or ended, have used; None where there is no /proc."""
        ticks, total = os.sysconf("SC_CLK_TCK"), 0
        own = _stat(self.pid)
        if own is None:
            return None
        total += sum(own[11:15])
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                stat = _stat(int(entry.name))
                if stat and stat[1] == self.pid:
                    total += stat[11] + stat[12]
        return total / ticks


def _stat(pid):
    """Numbers of /proc/PID/stat from the state on (index 1 is the parent, 11 to 14 the times of it and of its ended children)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    words = text[text.rindex(")") + 2 :].split()
    return [0, *(int(word) for word in words[1:15])]
