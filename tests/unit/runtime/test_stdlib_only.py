"""The runtime is read by Python 3.8 and needs nothing but its standard library."""

import ast
import sys
from pathlib import Path

import pytest

import ipymlops.runtime
from ipymlops.runtime.pack import HOST_ONLY

MODULES = sorted(Path(ipymlops.runtime.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_module_parses_as_python_3_8(module):
    ast.parse(module.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_module_imports_the_standard_library_and_its_own_package_only(module):
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names.add(node.module)
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not (name + ".").startswith("ipymlops.runtime.")} == set()


def test_modules_of_the_host_are_imported_by_none_of_the_zip():
    host = {"ipymlops.runtime." + name[:-3] for name in HOST_ONLY}
    for module in MODULES:
        if module.name not in HOST_ONLY:
            assert not [name for name in host if name in module.read_text()], module.name


def test_a_job_of_this_machine_loads_nothing_of_other_places(job):
    _, _, err = job.run(job.config({"train.py": "raise SystemExit(3)"}), env={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition(b"|")[2].strip().decode() for line in err.splitlines()}
    assert "ipymlops.runtime.outcome" in loaded
    assert [
        name for name in loaded if ".places" in name or name.split(".")[0] in {"urllib", "http", "socket", "ssl"}
    ] == []
