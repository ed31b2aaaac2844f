from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from ipymlops.completion import completions, register, unregister
from ipymlops.completion.cut import cut
from ipymlops.job import Job, JobId, JobState
from ipymlops.opening import NoScreen, open_context
from ipymlops.verbs import VERBS
from ipymlops.verbs.dispatch import dispatch

SCRIPT = """
import argparse
raise SystemExit("never imported")
parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", help="step size")
parser.add_argument("--optimizer", choices=["adam", "sgd"])
parser.parse_args()
"""


@pytest.fixture
def context(repo):
    (repo / "train.py").write_text(SCRIPT)
    (repo / "pkg").mkdir()
    (repo / "pkg" / "mod.py").write_text(SCRIPT)
    (repo / "two words.py").write_text("")
    (repo / "notes.txt").write_text("")
    opened = open_context(repo, os.environ, sys.executable, NoScreen())
    yield opened
    opened.store.close()


@pytest.fixture
def jobs(context):
    """Three jobs: train-1, train-2 (running) and other-3, an hour old."""
    begun = datetime.now(timezone.utc) - timedelta(hours=1)
    added = []
    for number, stem in enumerate(("train", "train", "other")):
        job, _ = context.store.add(Job(JobId(f"j{number:015d}"), "", "local", begun), stem=stem)
        added.append(job)
    context.store.update(added[1].id, lambda job: replace(job, state=JobState.RUNNING))
    return added


@pytest.fixture
def offered(context):
    """What is offered at the `|` of a line, text → description."""

    def at(line):
        before, _, after = line.partition("|")
        return dict(completions(before + after, len(before), context))

    return at


def test_every_verb_is_offered_with_what_it_does(offered):
    found = offered("%mlops |")
    assert list(found) == list(VERBS)
    assert all(found.values())
    assert list(offered("%mlops tr|")) == ["train"]
    assert list(offered("job = %mlops tr|")) == ["train"]
    assert list(offered("%%mlops tr|")) == ["train"]


def test_other_lines_are_left_alone(offered):
    for line in ("x = |", "%mlopsx |", "%mlops|", "%time %mlops |", "print('%mlops |", "%mlops nonsense |"):
        assert offered(line) == {}


def test_flags_of_the_verb_are_offered_until_they_are_given(offered):
    found = offered("%mlops train --gpu a100 --label a=b --|")
    assert {"--on", "--plan", "--label", "--max-runtime"} <= set(found)
    assert "--gpu" not in found
    assert found["--plan"]
    assert {"--grep", "--tail"} <= set(offered("%mlops logs 3 --|"))
    assert "--grep" not in offered("%mlops stop --|")


def test_platforms_follow_on(offered):
    found = offered("%mlops train --on |")
    assert {"local", "docker"} <= set(found)
    assert list(offered("%mlops train --on=lo|")) == ["--on=local"]
    assert "docker" in offered("%mlops doctor |")


def test_gpu_names_follow_gpu(offered):
    found = offered("%mlops train --gpu a100|")
    assert "a100-80gb" in found
    assert "GiB" in found["a100-80gb"]
    assert "l4,t4" in offered("%mlops train --gpu l4,t|")
    assert "h100" in offered("%mlops gpus h1|")
    assert "a100,l4" in offered("%mlops gpus a100,l|")


def test_machine_types_follow_machine(offered):
    assert offered("%mlops train --machine ml.p4d.|") == {"ml.p4d.24xlarge": "8 a100, 40 GiB each"}
    assert "ml.g6.xlarge" in offered("%mlops train --on sagemaker --machine ml.|")
    assert offered("%mlops train --on local --machine ml.|") == {}


def test_jobs_are_offered_by_number_with_name_state_and_age(offered, jobs):
    found = offered("%mlops show |")
    assert list(found) == ["last", "3", "2", "1"]
    assert found["2"] == "train-2 · running · 1 h ago"
    assert found["last"] == "other-3 · queued"
    assert list(offered("%mlops diff 1 |"))[1:] == ["3", "2", "1"]
    assert offered("%mlops diff 1 2 |") == {}
    assert "3" in offered("%mlops wait 1 2 |")


def test_jobs_are_offered_by_name_once_a_letter_is_typed(offered, jobs):
    assert list(offered("%mlops logs -f tr|")) == ["train-2", "train-1"]
    assert offered("%mlops logs -f tr|")["train-2"] == "job 2 · running · 1 h ago"


def test_last_is_offered_though_no_job_is_called_so(offered, jobs):
    assert offered("%mlops show la|") == {"last": "other-3 · queued"}


def test_help_takes_verbs_and_no_filters(offered, jobs):
    assert "train" in offered("%mlops help |")
    assert offered("%mlops help sta|") == {}


def test_the_files_of_the_job_follow_it(offered, context):
    script = "mkdir $IPYMLOPS_OUTPUT_DIR/a; echo 1 > $IPYMLOPS_OUTPUT_DIR/a/b.txt"
    dispatch(["train", "--wait", "--", "sh", "-c", script], None, context)
    assert offered("%mlops artifacts last |") == {"a/b.txt": "2 B"}
    assert offered("%mlops artifacts nobody |") == {}


def test_scripts_and_the_folders_on_the_way_are_offered(offered):
    found = offered("%mlops train --plan |")
    assert {"train.py", "pkg/", ".", "-m", "--"} <= set(found)
    assert "notes.txt" not in found
    assert list(offered("%mlops train pkg/|")) == ["pkg/mod.py"]


def test_a_path_with_a_space_is_quoted(offered):
    assert list(offered("%mlops train tw|")) == ["'two words.py'"]
    assert list(offered("%mlops train 'tw|")) == ["'two words.py'"]
    assert list(offered('%mlops train "two w|')) == ['"two words.py"']


@pytest.mark.parametrize("script", ["train.py", "-m pkg.mod", "pkg/mod.py", ".", "--gpu a100 train.py --optimizer sgd"])
def test_the_scripts_own_flags_follow_it(offered, script):
    found = offered(f"%mlops train {script} --|")
    assert found == {"--learning-rate": "step size", "--optimizer": "", "--help": "show this help"}


def test_choices_of_the_scripts_flag_are_offered(offered):
    assert list(offered("%mlops train train.py --optimizer |")) == ["adam", "sgd"]


def test_files_follow_the_script(offered):
    assert list(offered("%mlops train train.py no|")) == ["notes.txt"]
    assert offered("%mlops train train.py .g|") == {".git/": "folder", ".gitignore": "file"}


def test_folders_follow_to(offered, jobs):
    assert list(offered("%mlops artifacts 1 --to |")) == ["pkg/"]


def test_settings_of_the_platform_follow_set(offered):
    assert list(offered("%mlops train --on docker --set im|")) == ["image="]


def test_filters_are_offered_for_jobs(offered):
    assert {"state:failed", "platform:local"} <= set(offered("%mlops jobs |"))
    assert list(offered("%mlops jobs state:q|")) == ["state:queued"]


def test_only_what_stands_before_the_cursor_counts(offered):
    assert list(offered("%mlops tr| train.py --lr 3")) == ["train"]


@pytest.mark.parametrize(
    ("text", "words", "word", "raw"),
    [
        ("%mlops train --gpu a1", ("train", "--gpu"), "a1", "a1"),
        ("%mlops train --gpu ", ("train", "--gpu"), "", ""),
        ("%mlops train 'a b' \"c d", ("train", "a b"), "c d", '"c d'),
        ("%mlops train a\\ b", ("train",), "a b", "a\\ b"),
        ("%mlops train a\\", ("train",), "a", "a\\"),
        ("x = 1\n%mlops train \\\n  --pl", ("train",), "--pl", "--pl"),
    ],
)
def test_a_line_is_cut_as_a_shell_would(text, words, word, raw):
    at = cut(text, text.count("\n"))
    assert at is not None
    assert (at.words, at.word, at.raw) == (words, word, raw)


def test_a_cell_takes_each_line_as_it_stands():
    at = cut("%%mlops train --plan train.py\n--a b\n\n--lear", 3)
    assert at is not None
    assert at.words == ("train", "--plan", "train.py", "--a b", "")
    assert (at.word, at.is_body) == ("--lear", True)


@pytest.fixture
def shell(context):
    made = InteractiveShell()
    made.Completer.use_jedi = False  # it takes seconds to start, and has no part in this
    register(made, lambda: context)
    yield made
    unregister(made)


@pytest.fixture
def pressed(shell):
    """The cell's text after each completion that Tab offers at its end."""

    def tab(text):
        with provisionalcompleter():
            return [text[: one.start] + one.text for one in shell.Completer.completions(text, len(text))]

    return tab


def test_tab_completes_in_a_cell(pressed):
    assert pressed("%mlops train --on lo") == ["%mlops train --on local"]
    assert pressed("x = 1\njob = %mlops train train.py --lear") == [
        "x = 1\njob = %mlops train train.py --learning-rate"
    ]
    assert pressed("%%mlops train train.py\n--lear") == ["%%mlops train train.py\n--learning-rate"]
    assert pressed("%mlops train 'two w") == ["%mlops train 'two words.py'"]


def test_tab_says_what_each_word_means(shell):
    with provisionalcompleter():
        found = {one.text: one.type for one in shell.Completer.completions("%mlops lo", 9)}
    assert found["logs"].startswith("print\u00a0a\u00a0job's\u00a0log")


def test_what_a_word_means_fits_a_line_of_labs_list(shell):
    with provisionalcompleter():
        meanings = [one.type for one in shell.Completer.completions("%mlops train --", 15)]
    assert len(meanings) > 10
    assert max(len(one) for one in meanings) <= 56
    assert not [one for one in meanings if " " in one or "-" in one]


def test_python_names_do_not_mix_in(shell, pressed):
    shell.user_ns["trained"] = 1
    assert pressed("%mlops tr") == ["%mlops train"]
    assert pressed("trai") == ["trained"]


def test_registering_again_does_not_offer_twice(shell, context, pressed):
    before = len(shell.Completer.custom_matchers)
    register(shell, lambda: context)
    assert len(shell.Completer.custom_matchers) == before
    assert pressed("%mlops tr") == ["%mlops train"]
    unregister(shell)
    assert "%mlops train" not in pressed("%mlops tr")


def test_a_broken_setting_is_no_reason_to_fail_while_typing(shell, pressed, capsys):
    from ipymlops.errors import UsageProblem

    def broken():
        raise UsageProblem("config.toml is no TOML")

    register(shell, broken)
    pressed("%mlops train --on lo")
    assert "Traceback" not in capsys.readouterr().err


def test_registering_imports_no_verb():
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from ipymlops.completion import register
register(InteractiveShell(), None)
print([name for name in sys.modules if name.startswith(("ipymlops.verbs", "ipymlops.scriptflags", "ipymlops.store"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
