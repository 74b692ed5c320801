"""The gauges around one contender: clock, CPU of the server, WAL, heap-only updates.

Read before and after, never during. Counters of tables are flushed when a session ends, so every contender's sessions have ended
before the second reading.
"""

import time

from .database import COPY


class Meter:
    """Stands before a contender; `stop` gives what it used as a dict of plain numbers."""

    def __init__(self, server, table):
        self.server, self.table = server, table
        self.before = self._read()
        self.cpu = server.cpu_seconds()
        self.began = time.monotonic()

    def stop(self):
        seconds = time.monotonic() - self.began
        cpu = self.server.cpu_seconds()
        after = self._read()
        used = {name: after[name] - self.before[name] for name in after}
        used["serverCpuSeconds"] = None if cpu is None else cpu - self.cpu
        used["wallSeconds"] = seconds
        return used

    def _read(self):
        # pg_stat_wal (PostgreSQL 14) knows page images; the LSN knows bytes on every version.
        has_wal = self.server.version() >= 140000
        images = "(SELECT wal_fpi FROM pg_stat_wal)" if has_wal else "0"
        row = self.server.run(
            f"""SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, {images}, n_tup_upd, n_tup_hot_upd
                FROM pg_stat_user_tables WHERE relname = '{self.table}' AND schemaname = 'public'""",
            COPY,
        )[0]
        return dict(zip(("walBytes", "walPageImages", "updates", "hotUpdates"), map(int, row)))
