"""What no tracked file may hold: the address of a package index, this clone's place, a notebook's outputs.

The hosts are asked of the clients on this machine, so that no list of them stands here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 500_000
LINKS = re.compile(rb"https?://[^\s\"'<>)\]`]+")
SOURCES = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]


def index_hosts() -> set[bytes]:
    """The hosts that pip, uv and apt of this machine would ask."""
    from pip._internal.models.index import PyPI

    urls = [PyPI.url, f"https://{PyPI.file_storage_domain}"]
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, check=False).stdout
    told += b"".join(file.read_bytes() for file in SOURCES if file.is_file())
    urls += [link.decode(errors="replace") for link in LINKS.findall(told)]
    return {host.encode() for url in urls if (host := urlsplit(url).hostname) and "." in host}


def problems(path: str, content: bytes, forbidden: dict[bytes, str]) -> Iterator[str]:
    for word, name in forbidden.items():
        if word in content:
            line = content[: content.index(word)].count(b"\n") + 1
            yield f"{path}:{line}: holds {name} ({word.decode()})"
    if len(content) > MOST_BYTES:
        yield f"{path}: {len(content):,} bytes; at most {MOST_BYTES:,} belong in the repository"
    if path.endswith(".ipynb"):
        cells = json.loads(content)["cells"]
        if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
            yield f"{path}: has outputs; fix: .venv/bin/jupyter nbconvert --clear-output --inplace {path}"


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    forbidden = dict.fromkeys(index_hosts(), "the address of a package index")
    if len(ROOT.parts) > 2:  # noqa: PLR2004  "/x" alone may be a word of its own
        forbidden[f"{ROOT}/".encode()] = "the place of this clone"
    found = [
        problem
        for name in listed.decode(errors="surrogateescape").split("\0")
        if name and (ROOT / name).is_file()
        for problem in problems(name, (ROOT / name).read_bytes(), forbidden)
    ]
    print("\n".join(found) or "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
