"""Metrics from the file and from the log."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

from ipymlops.runtime import metrics
from ipymlops.runtime.metrics import MetricsFile, Scanner


def scanned(patterns, *pieces):
    found = []
    scanner = Scanner(patterns, found.append)
    for piece in pieces:
        scanner.feed(piece)
    scanner.finish()
    return found, scanner.notes


LOSS = [("loss", r"loss=(\S+)")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("1e-3", 1e-3),
        ("-2.5E+10", -2.5e10),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("nan", "nan"),
        ("NaN", "nan"),
        ("-inf", "-inf"),
        ("Infinity", "inf"),
        ("1e999", "inf"),
        ("0.1,", 0.1),
        ("12%", 12.0),
        ("(3.5)", 3.5),
        ("'7'", 7.0),
    ],
)
def test_numbers_are_read_as_people_print_them(text, value):
    assert scanned(LOSS, f"loss={text} rest\n".encode())[0] == [{"loss": value}]


@pytest.mark.parametrize("text", ["none", "info", "nano", "abc", "--1", "e5"])
def test_what_is_no_number_is_no_metric(text):
    assert scanned(LOSS, f"loss={text}\n".encode()) == ([], [])


def test_colours_and_progress_bars_are_seen_through():
    pieces = (
        b"\x1b[1mlo\x1b[0mss=\x1b[32m0.5\x1b[0m\n",
        b"\r 10% loss=0.4\r 20% lo",
        b"ss=0.3\r",
        b"\x1b]0;title\x07loss=0.2",
    )
    assert scanned(LOSS, *pieces)[0] == [{"loss": value} for value in (0.5, 0.4, 0.3, 0.2)]


def test_several_patterns_on_one_line_are_one_record():
    patterns = [("step", r"step (\d+)"), ("loss", r"loss=(\S+)"), ("acc", r"(?:acc|accuracy)=\S+")]
    assert scanned([*patterns[:2], ("acc", r"acc=(\S+)")], b"step 3 loss=0.5\nacc=1\n")[0] == [
        {"step": 3.0, "loss": 0.5},
        {"acc": 1.0},
    ]


def test_a_pattern_without_a_group_is_its_whole_match():
    assert scanned([("n", r"\d+")], b"epoch 12\n")[0] == [{"n": 12.0}]


def test_bytes_that_are_no_text_are_no_obstacle():
    assert scanned(LOSS, b"\xff\xfe\0 loss=1 \xff\n")[0] == [{"loss": 1.0}]


def test_a_line_of_1_mb_in_small_pieces_is_searched():
    line = b"x" * ((1 << 20) - 10) + b" loss=0.5\n"
    pieces = [line[start : start + 4096] for start in range(0, len(line), 4096)]
    assert scanned(LOSS, *pieces)[0] == [{"loss": 0.5}]


def test_of_a_longer_line_the_first_mb_is_searched_and_nothing_more_is_kept():
    found = []
    scanner = Scanner(LOSS, found.append)
    scanner.feed(b"loss=1 ")
    for _ in range(40):
        scanner.feed(b"x" * 100_000)
    assert sum(map(len, scanner._partial)) == 1 << 20
    scanner.feed(b"\nloss=2\n")
    assert found == [{"loss": 1.0}, {"loss": 2.0}]


def test_a_pattern_that_never_ends_is_stopped_and_told(monkeypatch):
    monkeypatch.setattr(metrics, "LIMIT_S", 0.05)
    bad = ("bad", r"(a+)+b")
    lines = b"loss=1\n" + b"a" * 40 + b"\nloss=2\n" + (b"a" * 40 + b"\n") * 5 + b"loss=3\n"
    found, notes = scanned([bad, *LOSS], lines, lines)
    assert found == [{"loss": value} for value in (1.0, 2.0, 3.0)] * 2
    assert len(notes) == 1
    assert "--metric bad: the pattern '(a+)+b' took too long on 3 lines" in notes[0]


def test_a_slow_line_does_not_lose_the_matches_of_the_others(monkeypatch):
    monkeypatch.setattr(metrics, "LIMIT_S", 0.05)
    found, notes = scanned([("n", r"n=(\d)|(?:a+)+b")], b"n=1\n" + b"a" * 40 + b"\nn=2\n")
    assert (found, notes) == ([{"n": 1.0}, {"n": 2.0}], [])


def test_a_pattern_that_is_none_is_told_and_the_others_work():
    found, notes = scanned([("x", "("), *LOSS], b"loss=1\n")
    assert found == [{"loss": 1.0}]
    assert notes[0].startswith("--metric x: '(' is no pattern here")


def test_the_launcher_gives_up_a_pattern_and_not_the_log(job):
    script = "for i in range(5): print('a' * 40)\nprint('loss=0.5')"
    result = job.script(script, metric_patterns=[["bad", r"(a+)+b"], *LOSS])
    assert result["metrics"] == {"loss": 0.5}
    assert len(result["notes"]) == 1
    assert len(job.log.splitlines()) == 6


def test_the_last_value_of_each_name_is_in_the_result(job):
    script = (
        "import os\n"
        "with open(os.environ['IPYMLOPS_METRICS_FILE'], 'a') as file:\n"
        '    file.write(\'{"step": 1, "loss": 3, "acc": 0.5}\\nbroken\\n[1]\\n{"loss": NaN, "note": "x", "ok": true}\\n\')\n'
        "    file.write('{\"big\": 1' + '0' * 400 + ', \"inf\": \"-inf\"}')\n"
    )
    assert job.script(script)["metrics"] == {"loss": "nan", "acc": 0.5, "big": "inf", "inf": "-inf"}


def test_metrics_of_the_log_stand_in_the_file_too(job):
    script = "import os\nprint('loss=0.5')\nopen(os.environ['IPYMLOPS_METRICS_FILE'], 'a').write('{\"val\": 1}\\n')"
    job.script(script, metric_patterns=LOSS)
    rows = [json.loads(line) for line in Path(job.state.metrics_path).read_text().splitlines()]
    assert sorted(rows, key=str) == [{"loss": 0.5}, {"val": 1}]
    assert list(metrics.records(job.state.metrics_path)) == rows


def test_a_line_that_the_script_is_writing_is_not_broken(tmp_path):
    path = str(tmp_path / "metrics.jsonl")
    file = MetricsFile(path)
    with Path(path).open("ab", buffering=0) as script:
        script.write(b'{"a": 1, ')
        file.add({"loss": 0.5})
        file.flush()
        script.write(b'"b": 2}\n')
        file.flush()
        script.write(b'{"c": ')
    file.add({"loss": 0.4})
    file.flush(is_last=True)
    assert list(metrics.records(path)) == [{"a": 1, "b": 2}, {"loss": 0.5}, {"loss": 0.4}]


def test_records_are_read_past_anything_that_is_none():
    lines = [
        b'{"a": 1}',
        b"\xff\xfe",
        b"",
        b"[" * 100_000,
        b"x" * (3 << 20),
        b'{"a": "nan"}',
        b"1" * 5000,
        b'{"a": "text"}',
    ]
    found = list(metrics.records_of(io.BytesIO(b"\n".join(lines))))
    assert [record["a"] for record in found[::2]] == [1, "text"]
    assert math.isnan(found[1]["a"])
    assert len(found) == 3


def test_a_metrics_file_that_is_none_changes_no_outcome(job):
    result = job.script("import os\nos.mkdir(os.environ['IPYMLOPS_METRICS_FILE'])")
    assert (result["exit_code"], result["metrics"]) == (0, {})
    assert result["notes"][0].startswith("the metrics cannot be read")


def test_no_file_has_no_records(tmp_path):
    assert list(metrics.records(str(tmp_path / "none"))) == []
