"""The measuring room: one module per concern, Python's standard library alone, psql and pgbench for the database.

`place` raises and razes the sandbox, `database` asks it, `meter` reads its gauges, `shapes` says what is seeded; `tool`, `yardstick` and
`application` are the contenders; `readers`, `load` and `joined` look at a live system, `variants` at other settings; `report` prints. The doors
are `benches/measure`, `benches/live` and `benches/vary`.
"""
