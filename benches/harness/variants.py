"""What a server or a table could be told that might help: each variant is what it changes and nothing else.

`system` needs ALTER SYSTEM and a restart; `copy` is run in the fresh copy before the clock starts. `{table}` and `{column}` are filled in;
a statement that names `{column}` is run for every sealed column. `worn` variants begin on a table that one pass has just rewritten.
"""

from dataclasses import dataclass

from . import yardstick


@dataclass(frozen=True)
class Variant:
    """Settings and statements; `worn`: one whole pass by the yardstick goes before."""

    system: tuple = ()
    copy: tuple = ()
    worn: bool = False


def _column(change):
    return (f'ALTER TABLE "{{table}}" ALTER COLUMN "{{column}}" {change}',)


def _filled(percent):
    return (f'ALTER TABLE "{{table}}" SET (fillfactor = {percent})', 'VACUUM (FULL, ANALYZE) "{table}"', "CHECKPOINT")


VARIANTS = {
    "plain": Variant(),
    "wal_compression pglz": Variant(copy=("ALTER DATABASE bench SET wal_compression = pglz",)),
    "wal_compression lz4": Variant(copy=("ALTER DATABASE bench SET wal_compression = lz4",)),
    "wal_compression zstd": Variant(copy=("ALTER DATABASE bench SET wal_compression = zstd",)),
    "storage external": Variant(copy=_column("SET STORAGE EXTERNAL")),
    "toast lz4": Variant(copy=_column("SET COMPRESSION lz4")),
    "rewritten, fillfactor 100": Variant(copy=_filled(100)),
    "rewritten, fillfactor 85": Variant(copy=_filled(85)),
    "rewritten, fillfactor 50": Variant(copy=_filled(50)),
    "autovacuum off": Variant(copy=('ALTER TABLE "{table}" SET (autovacuum_enabled = off)',)),
    "synchronous_commit off": Variant(copy=("ALTER DATABASE bench SET synchronous_commit = off",)),
    "wal_buffers 64MB": Variant(system=("wal_buffers = '64MB'",)),
    "shared_buffers 128MB": Variant(system=("shared_buffers = '128MB'",)),
    "shared_buffers 4GB": Variant(system=("shared_buffers = '4GB'",)),
    "max_wal_size 512MB": Variant(system=("max_wal_size = '512MB'",)),
    "full_page_writes off": Variant(system=("full_page_writes = off",)),
    "worn": Variant(worn=True),
    "worn, vacuumed": Variant(copy=('VACUUM "{table}"',), worn=True),
    "worn, checkpointed": Variant(copy=("CHECKPOINT",), worn=True),
    "worn, vacuumed, checkpointed": Variant(copy=('VACUUM "{table}"', "CHECKPOINT"), worn=True),
}


def prepare(place, kind, scope, variant):
    """Makes the fresh copy and whatever the variant asks for."""
    if variant.system:
        for setting in variant.system:
            place.server.run(f"ALTER SYSTEM SET {setting}", "postgres")
        place.restart()
    place.server.fresh_copy()
    if variant.worn:
        yardstick.walk(place.server, kind, scope, 2, vain=True)
    for statement in variant.copy:
        columns = [name for name, _ in kind.columns] if "{column}" in statement else [""]
        for column in columns:
            place.server.run(statement.format(table=kind.table, column=column))


def undo(place, variant):
    """Puts back what outlives the copy."""
    if variant.system:
        for setting in variant.system:
            name = setting.split()[0]
            standing = place.settings.get(name)
            place.server.run(f"ALTER SYSTEM SET {name} = '{standing}'" if standing else f"ALTER SYSTEM RESET {name}", "postgres")
        place.restart()
