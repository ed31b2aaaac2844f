"""ARCHITECTURE.md is true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ipymlops"


@pytest.fixture
def architecture() -> str:
    return (ROOT / "ARCHITECTURE.md").read_text()


@pytest.fixture
def layers() -> list[set[str]]:
    """The layers that import-linter checks, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows = settings["contracts"][0]["layers"]
    return [set(re.findall(r"\w+", row)) for row in rows]


def parts() -> set[str]:
    """Every module and package right below ipymlops."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return folders | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def test_the_layers_of_the_map_are_those_that_are_checked(architecture, layers):
    drawn = re.search(r"Names on one line do not know each other\.\n\n((?:    .+\n)+)", architecture)[1]
    assert [set(re.findall(r"\w+", line)) for line in drawn.splitlines()] == layers


def test_every_part_has_its_layer(layers):
    assert parts() == set().union(*layers)


def test_every_file_and_folder_that_is_named_exists(architecture):
    rows = re.findall(r"^\| ((?:`[^`]+`[ ,and]*)+) \|", architecture, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert named
    for name in named:
        places = [PACKAGE / name, ROOT / name]
        assert any(path.is_dir() if name.endswith("/") else path.is_file() for path in places), f"{name} is not there"


def test_every_part_is_named(architecture):
    for part in parts():
        name = f"{part}/" if (PACKAGE / part).is_dir() else f"{part}.py"
        assert re.search(rf"^\|[^|]*`{re.escape(name)}`", architecture, re.MULTILINE), f"{name} is not in the table"


def test_every_folder_of_the_repository_is_named(architecture):
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for folder in {path.partition("/")[0] for path in tracked if "/" in path and not path.startswith(".")} - {
        "ipymlops"
    }:
        assert f"| `{folder}/` |" in architecture


def test_decisions_are_numbered_in_order(architecture):
    numbers = [int(number) for number in re.findall(r"^### (\d+)\.", architecture, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("file", sorted((PACKAGE / "runtime").rglob("*.py")), ids=lambda file: file.name)
def test_the_runtime_needs_only_the_standard_library_of_python_3_8(file):
    tree = ast.parse(file.read_bytes(), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module]
        for name in names:
            own = name == "ipymlops.runtime" or name.startswith("ipymlops.runtime.")
            assert own or name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


def test_no_module_is_longer_than_300_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert not long
