"""`python -m ipymlops`."""

from __future__ import annotations

from ipymlops.cli import entry

if __name__ == "__main__":
    entry()
