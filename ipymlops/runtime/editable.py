"""Editable installs of the user's tree: where in the snapshot their imports should lead instead.

Three forms are understood: a path in a `.pth` file (hatchling, flit, poetry, older setuptools), setuptools' finder with
its `MAPPING`, and the redirector of `editables` with its `map_module`. All of them come after PYTHONPATH in a search.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ipymlops.runtime.environment import in_snapshot

if TYPE_CHECKING:  # only where there is such an install, as it takes time to load
    import ast

ASK = "import json, site; print(json.dumps(site.getsitepackages() + [site.getusersitepackages()]))"
ASK_TIMEOUT_S = 60
_IMPORT = re.compile(r"import\s+(\w+)")


class Redirection(NamedTuple):
    """What to put first on PYTHONPATH, and what could not be understood."""

    paths: Tuple[str, ...]
    notes: Tuple[str, ...]


def redirection(live_root: str, root: str, sites: Iterable[str], links: str) -> Redirection:
    """Find the editable installs that lead into `live_root`, and their folders below `root`.

    Args:
        sites: The site-packages folders of the script's interpreter.
        links: A folder to make where a package has another name than its folder; holds links to the snapshot.
    """
    paths: List[str] = []
    notes: List[str] = []
    for site in sites:
        for path, lines in _pth_files(site):
            for line in lines:
                if line.startswith(("import ", "import\t")):
                    mapped = _finder(site, line)
                    if mapped is None and _mentions(site, line, live_root):
                        notes.append("{} may lead imports to the live tree: {!a}".format(path, line[:80]))
                    paths += _of_mapping(mapped or {}, live_root, root, links)
                else:
                    paths += _of_path(os.path.join(site, line), live_root, root)
    return Redirection(tuple(dict.fromkeys(paths)), tuple(notes))


def site_folders(python: Optional[str], env: Mapping[bytes, bytes]) -> List[str]:
    """The site-packages folders of the script's interpreter; that is asked only if it is another than ours."""
    if python is None or python == sys.executable:
        return _own_site_folders()
    import json
    import subprocess

    words = [os.fsencode(python), b"-c", ASK.encode()]
    try:
        answer = subprocess.run(
            words, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_TIMEOUT_S, check=True
        )
        return [str(folder) for folder in json.loads(answer.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []  # a command that is no Python; what it is will show when it runs


def _own_site_folders() -> List[str]:
    """Ours, also where `-S` keeps Python from seeing that it is in a virtual environment."""
    import site

    venv = os.path.dirname(os.path.dirname(sys.executable))
    prefixes = [venv] if os.path.exists(os.path.join(venv, "pyvenv.cfg")) else []
    return [*site.getsitepackages([*prefixes, sys.prefix]), site.getusersitepackages()]


def _pth_files(site: str) -> Iterator[Tuple[str, List[str]]]:
    try:
        names = sorted(name for name in os.listdir(site) if name.endswith(".pth"))
    except OSError:
        return
    for name in names:
        path = os.path.join(site, name)
        lines = [line.strip() for line in _text(path).splitlines()]
        yield path, [line for line in lines if line and not line.startswith("#")]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _of_path(path: str, live_root: str, root: str) -> List[str]:
    moved = in_snapshot(path, live_root, root)
    return [moved] if moved != path and os.path.isdir(moved) else []


def _of_mapping(mapping: Mapping[str, str], live_root: str, root: str, links: str) -> List[str]:
    """The folders in which the mapped packages are found by their names."""
    paths = []
    for name, path in mapping.items():
        moved = in_snapshot(path, live_root, root)
        if moved == path:
            continue
        tail = os.sep + name.replace(".", os.sep)
        if moved.endswith(tail):
            paths.append(moved[: -len(tail)] or os.sep)
        elif "." not in name and _linked(moved, os.path.join(links, name)):
            paths.append(links)
    return [path for path in paths if os.path.isdir(path)]


def _linked(moved: str, link: str) -> bool:
    """Make `link` lead to a package's folder or, with the suffix, to a module's file."""
    for suffix in ("", ".py"):
        if os.path.exists(moved + suffix):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if os.path.lexists(link + suffix):
                os.unlink(link + suffix)
            os.symlink(moved + suffix, link + suffix)
            return True
    return False


def _finder(site: str, line: str) -> Optional[Dict[str, str]]:
    """Package names and their live paths, from the module that a `.pth` line imports; None for no form we know."""
    imported = _IMPORT.match(line)
    source = _text(os.path.join(site, imported.group(1) + ".py")) if imported else ""
    if "MAPPING" not in source and "map_module" not in source:
        return None
    import ast

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    mapping: Dict[str, str] = {}
    for node in tree.body:
        mapping.update(_mapping(node))
        mapping.update(_map_module(node))
    return mapping or None


def _mapping(node: ast.stmt) -> Dict[str, str]:
    """`MAPPING = {...}` of setuptools, with or without a type; `NAMESPACES` maps to lists of folders."""
    import ast

    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    value = getattr(node, "value", None)
    if not {"MAPPING", "NAMESPACES"} & set(names) or value is None:
        return {}
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return {}
    firsts = {name: path if isinstance(path, str) else (path or [""])[0] for name, path in dict(literal).items()}
    return {str(name): str(path) for name, path in firsts.items()}


def _map_module(node: ast.stmt) -> Dict[str, str]:
    """`F.map_module('pkg', '/live/src/pkg/__init__.py')` of `editables`."""
    import ast

    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "map_module":
        return {}
    try:
        name, path = (ast.literal_eval(word) for word in call.args)
    except ValueError:
        return {}
    folder, file = os.path.split(str(path))
    return {str(name): folder if file == "__init__.py" else os.path.splitext(str(path))[0]}


def _mentions(site: str, line: str, live_root: str) -> bool:
    imported = _IMPORT.match(line)
    return bool(imported) and live_root in _text(os.path.join(site, imported.group(1) + ".py"))  # type: ignore[union-attr]
