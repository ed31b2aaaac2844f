"""What runs beside the script, in the container or on this machine: standard library of Python 3.8, nothing else.

`pack.launcher_zip` makes one file of it, `python3 launcher.pyz CONFIG.json` runs it (`launch` has the order of acts).
Platforms of this machine read what it writes with `state`, `logfile`, `metrics` and `leftovers`. Its records are
`NamedTuple`s: a frozen dataclass would cost each start 8 ms for importing `inspect`.
"""
