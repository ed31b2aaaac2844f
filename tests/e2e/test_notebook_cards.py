"""Cards in a real kernel: one per job, in place, small, and alive while nobody looks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels import PATIENCE_S, Kernel, Ran, running_kernel

SCRIPT = """
import argparse, os, time

parser = argparse.ArgumentParser()
parser.add_argument("--lines", type=int, default=3)
parser.add_argument("--until", help="a file to wait for")
parser.add_argument("--fail", action="store_true")
args = parser.parse_args()
for number in range(args.lines):
    print(f"line {number} loss={1 / (number + 1):.3f} " + "x" * 60, flush=True)
while args.until and not os.path.exists(args.until):
    time.sleep(0.05)
if args.fail:
    raise ValueError("bad <b>rate</b>")
"""


@pytest.fixture
def training(repo: Path) -> Path:
    """A repository whose train.py prints lines, waits for a file, or fails, as it is told; not committed."""
    (repo / "train.py").write_text(SCRIPT)
    return repo


@pytest.fixture
def kernel(training: Path) -> Iterator[Kernel]:
    with running_kernel(training) as running:
        assert running.run("%load_ext ipymlops").is_ok
        yield running


def html(ran: Ran) -> list[str]:
    return [data["text/html"] for data in ran.outputs]


def eventually(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it never happened"
        time.sleep(0.1)


def test_ten_thousand_lines_end_as_one_small_card(kernel):
    ran = kernel.run("%mlops train -f train.py --lines 10000")
    assert ran.is_ok, ran.error
    (card,) = ran.outputs
    for part in ("✓ succeeded", "train-1", "line 9999", "1 file changed: train.py", "at most 24 h"):
        assert part in card["text/html"]
        assert part in card["text/plain"]
    assert "line 9000 " not in card["text/html"]
    assert len(json.dumps([ran.outputs, ran.stream(), ran.stream("stderr")])) < 50_000
    assert kernel.run("%mlops logs last --tail 2").stream().splitlines()[1].startswith("line 9999")


def test_a_failure_stands_on_the_card_and_stops_the_notebook(kernel):
    ran = kernel.run("%mlops train -f train.py --fail")
    assert ran.reply["status"] == "error"
    assert ran.reply["ename"] == "JobDidNotSucceed"
    (card,) = html(ran)
    for part in ("✗ failed", "ValueError: bad &lt;b&gt;rate&lt;/b&gt;", "(exit code 1)", "in train.py, line 14"):
        assert part in card
    assert "<b>rate</b>" not in card
    shown = kernel.run("%mlops show last")
    assert "end of the traceback" in html(shown)[0]


def test_interrupting_a_follow_leaves_the_job_and_says_so(kernel, tmp_path):
    end = tmp_path / "end"
    followed = kernel.start(f"%mlops train -f train.py --until {end}")
    kernel.until(followed, "line 2 ")
    kernel.interrupt()
    ran = kernel.finish(followed)
    assert ran.reply["ename"] == "FollowInterrupted"
    assert kernel.run("import ipymlops; ipymlops.jobs()[0].state.value").outputs == [{"text/plain": "'running'"}]
    end.touch()
    ended = kernel.run("%mlops wait last")
    assert ended.is_ok, ended.error


def test_a_card_goes_on_living_after_its_cell(kernel, tmp_path):
    end = tmp_path / "end"
    sent = kernel.run(f"job = %mlops train train.py --until {end}")
    (card,) = sent.messages_of("display_data")
    display_id = card["content"]["transient"]["display_id"]
    end.touch()

    def is_told() -> bool:
        kernel.run("pass")
        told = [one["content"] for one in kernel.seen if one["msg_type"] == "update_display_data"]
        mine = [one["data"]["text/plain"] for one in told if one["transient"]["display_id"] == display_id]
        return any(text.startswith("✓ succeeded") for text in mine)

    eventually(is_told)


def test_a_job_is_shown_once_in_each_cell_that_shows_it(kernel):
    assert len(html(kernel.run("%mlops train -f train.py"))) == 1
    assert len(html(kernel.run("job = %mlops train -f train.py --lines 1\njob"))) == 1
    (again,) = html(kernel.run("job"))
    assert "✓ succeeded" in again
    assert "line 0" in again


def test_a_misspelt_flag_of_the_script_is_pointed_out_and_sent_all_the_same(kernel):
    (card,) = html(kernel.run("%mlops train train.py --line 3 --untl x"))
    assert "train.py has no --untl; did you mean --until?" in card
    assert card.count("did you mean") == 1  # argparse takes the abbreviation
    kernel.run("%mlops wait last")


def test_tab_completes_in_the_kernel(kernel):
    assert kernel.run("%mlops train -f train.py").is_ok
    reply = kernel.complete("%mlops show ")
    assert reply["matches"] == ["last", "1"]
    described = {one["text"]: one["type"] for one in reply["metadata"]["_jupyter_types_experimental"]}
    assert described["1"].startswith("train\u20111\u00a0·\u00a0succeeded\u00a0·\u00a0")
    assert kernel.complete("%mlops train train.py --unt")["matches"] == ["--until"]


def test_results_are_tables_with_a_text_twin(kernel):
    kernel.run("%mlops train -f --name '<i>x</i>' train.py")
    kernel.run("%mlops train -f --label '<script>=<b>' train.py")
    ran = kernel.run("%mlops jobs")
    assert "succeeded" in ran.outputs[0]["text/plain"]
    assert "<table" in ran.outputs[0]["text/html"]
    assert "<script>" not in str(html(ran)) + str(html(kernel.run("%mlops show last")))
