"""Every verb, option, setting, variable and error is documented."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ipymlops import errors
from ipymlops.config import SETTINGS
from ipymlops.verbs import VERBS
from ipymlops.verbs.request import parser_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reference() -> str:
    return (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_it_is_what_the_tables_in_the_code_say():
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"])
    assert done.returncode == 0, "run .venv/bin/python scripts/reference.py"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_there(reference, verb):
    section = reference.partition(f"\n### {verb}\n")[2].partition("\n#")[0]
    for action in parser_of(verb)._actions:
        for word in action.option_strings or [str(action.metavar)]:
            assert re.search(rf"`[^`]*{re.escape(word)}[^`]*`", section), f"{verb} {word}"


def test_every_setting_and_error_is_there(reference):
    for one in SETTINGS:
        variable = f"`{one.variable}`" if one.variable else ""
        assert f"| `{one.key}` | {variable} | {one.help}" in reference
        assert one.help
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.IpymlopsError):
            assert f"| `{name}` | {kind.__doc__.splitlines()[0]}" in reference


def test_every_variable_of_the_launcher_is_there(reference):
    launcher = (ROOT / "ipymlops" / "runtime" / "environment.py").read_text()
    promised = re.findall(r'^        "([A-Z_]+)": ', launcher, re.MULTILINE)
    assert len(promised) == 13
    for name in promised:
        assert f"| `IPYMLOPS_{name}` |" in reference
