from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from ipymlops.display.html import as_html
from ipymlops.display.text import as_text, view_text
from ipymlops.display.views import Reader, view_of
from ipymlops.job import Artifact, EndReason, JobState, LogLine
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.base import Check
from ipymlops.verbs import results
from ipymlops.verbs.results import (
    ArtifactList,
    Checkout,
    Difference,
    DoctorReport,
    HelpText,
    JobDetails,
    JobList,
    LogLines,
    PlanReport,
    SettingRow,
    SettingTable,
    SetupReport,
)


@pytest.fixture
def texts(now):
    """A result as text, and its HTML without its tags: both must tell the same."""

    def both(result):
        from html.parser import HTMLParser

        told: list[str] = []
        reader = HTMLParser()
        reader.handle_data = told.append
        reader.feed(as_html(result, now, door="ipymlops"))
        return as_text(result, now), "".join(told)

    return both


def test_every_result_has_a_view_of_its_own():
    kinds = [kind for kind in get_args(results.Result) if kind is not type(None)]
    assert [kind.__name__ for kind in kinds if view_of.dispatch(kind) is view_of.dispatch(object)] == []


def test_jobs_stand_in_aligned_columns(job, now):
    done = replace(job, number=12, name="日本", state=JobState.SUCCEEDED, ended_at=now)
    failed = replace(job, number=3, state=JobState.FAILED, end_reason=EndReason.EXIT_CODE, exit_code=2, started_at=None)
    lines = as_text(JobList((done, job, failed), (), now)).splitlines()
    assert lines[0].split() == ["#", "state", "name", "where", "submitted", "took", "cost", "last", "values"]
    assert lines[1].startswith("12  ✓ succeeded")
    assert " 7  ● running" in lines[2]
    assert "✗ failed (exit code 2)" in lines[3]
    assert lines[2].index("docker") == lines[1].index("docker") + 2  # each of the two characters takes two columns
    assert "4 min 12 s…" in lines[2]


def test_a_column_that_says_nothing_is_left_out(job, now):
    local = replace(job, platform="local", accelerator=None, usd_per_hour=None, metrics={}, started_at=None)
    head = as_text(JobList((local,), (), now)).splitlines()[0]
    assert head.split() == ["#", "state", "name", "where", "submitted"]


def test_details_stand_in_the_columns_of_the_card(job, intent, now):
    html = as_html(JobDetails(job, intent), now)
    assert html.count("<table") == 1
    assert html.index("Command") < html.index(">Id<")


def test_examples_of_the_help_are_typed_as_where_they_are_read(now):
    help_text = HelpText("train\n  ipymlops train a.py\n  say ipymlops twice")
    assert as_text(help_text, door="%mlops") == "train\n  %mlops train a.py\n  say ipymlops twice"
    assert as_text(help_text) == help_text.text


def test_a_platform_that_could_not_be_asked_is_named_below_the_list(job, now, texts):
    error = {"platform": "vertex", "what": "not reached", "why": "no network", "fix": "try again"}
    for text in texts(JobList((job,), (error,), now)):
        assert "vertex: not reached: no network (fix: try again)" in text


def test_an_empty_list_says_how_to_start(now, texts):
    for text in texts(JobList((), (), now)):
        assert "no jobs; start one with ipymlops train SCRIPT.py" in text
    for text in texts(JobList((), (), now, ("state:failed", "a b"))):
        assert "no job has state:failed &#x27;a b&#x27;" in text or "no job has state:failed 'a b'" in text
        assert "start one" not in text


def test_a_long_list_is_cut_and_says_so(job, now):
    jobs = tuple(replace(job, number=number) for number in range(1000, 0, -1))
    text = as_text(JobList(jobs, (), now))
    assert len(text.splitlines()) == 202
    assert "and 800 older jobs" in text


def test_details_have_id_tree_user_and_labels(job, intent, now, texts):
    for text in texts(JobDetails(job, intent, now - timedelta(seconds=42))):
        for part in (
            job.id,
            "f" * 40,
            "ada",
            "exp=one",
            "last output 42 s ago",
            "42 files",
            "https://console.example/7",
        ):
            assert part in text


def test_a_plan_says_that_nothing_was_sent_and_shows_the_request(intent, texts):
    for text in texts(PlanReport(replace(intent, to_send_bytes=1_200_000), ("a hint",))):
        for part in ("nothing was sent or started", "1.2 MB", "a hint", "at most $73.44", '"Image": "python:3.12"'):
            assert part in text


def test_code_that_is_there_already_is_not_sent_again(intent, texts):
    for text in texts(PlanReport(replace(intent, to_send_bytes=0))):
        assert "nothing: the platform has this code already" in text


def test_details_tell_what_the_script_was_given_and_no_value_of_a_secret(job, intent, texts):
    given = {"env": (("K", "1"),), "secrets": (("TOKEN", "env:TOKEN"),), "data": (("digits", "/data/digits"),)}
    for text in texts(JobDetails(job, replace(intent, spec=replace(intent.spec, **given)), None)):
        for part in ("K=1", "TOKEN=env:TOKEN", "digits=/data/digits", "Sent from", "/repo"):
            assert part in text


def test_a_folder_that_is_no_repository_is_called_so(job, intent, texts):
    code = replace(intent.code, commit=None, branch=None)
    for text in texts(JobDetails(job, replace(intent, code=code), None)):
        assert "no commit yet" in text
    for text in texts(JobDetails(job, replace(intent, code=replace(code, snapshot_commit="")), None)):
        assert "/repo, which is no git repository" in text


def test_what_set_up_wrote_reads_as_a_setting(texts):
    written = (("platform", "local", "/c.toml"), ("docker.image", "", "/c.toml"))
    for text in texts(SetupReport((), "local", written=written)):
        assert "platform = local, in /c.toml" in text
        assert "docker.image, taken out of /c.toml" in text


def test_what_set_up_would_do_stands_with_the_line_that_does_it(texts):
    wanted = (
        Proposal("cloud.region", "r-1", "it was found"),
        Proposal("cloud.bucket", "b-1", "none yet", "the bucket b-1"),
    )
    for text in texts(SetupReport((), "cloud", wanted, next="ipymlops setup cloud --yes")):
        assert "cloud.region = r-1: it was found" in text
        assert "the bucket b-1" in text
        assert "ipymlops setup cloud --yes" in text


def test_what_set_up_made_and_leaves_stands_with_the_line_that_removes_it(texts):
    for text in texts(SetupReport((), "cloud", stays=(("the bucket b-1", "rm b-1"),))):
        assert "the bucket b-1" in text
        assert "rm b-1" in text


def test_files_are_listed_with_their_size_and_how_to_fetch_them(job, texts):
    files = (Artifact("model/a.bin", 12_345_678), Artifact("b", 1))
    for text in texts(ArtifactList(job, files)):
        for part in ("2 files, 12.3 MB", "model/a.bin", "1 B", "ipymlops artifacts 7 --to DIR"):
            assert part in text
    assert "artifacts 7 '*.bin' --to DIR" in as_text(ArtifactList(job, files, glob="*.bin"))
    assert "written to /tmp/x" in as_text(ArtifactList(job, files, Path("/tmp/x")))
    assert "no files there" in as_text(ArtifactList(job, ()))
    lost = as_text(ArtifactList(job, (Artifact("here", 1), Artifact("gone", 2_000_000, has_arrived=False))))
    assert "2.0 MB, has not arrived" in lost
    assert "1 file lost with the machine" in lost


def test_a_difference_is_coloured_in_html(texts):
    difference = Difference("train-6", "train-7", (("code", ("@@ -1 +1 @@", "-old <b>", "+new")), ("argv", ())))
    for text in texts(difference):
        for part in ("train-6 → train-7", "-old <b>", "+new", "no difference"):
            assert part in text
    assert '<span style="color:#2e9e4f">+new</span>' in as_html(difference)


def test_a_failed_check_stands_with_its_fix(texts):
    checks = (
        Check("git", "ok", "git 2.39"),
        Check("engine", "fail", "no engine", "no socket", "apt-get install docker.io"),
    )
    for text in texts(DoctorReport(checks, "docker")):
        for part in (
            "not ready",
            "✓ ok",
            "✗ fail",
            "no engine: no socket",
            "apt-get install docker.io",
        ):
            assert part in text
    assert "✓ ready" in as_text(DoctorReport(checks[:1]))


def test_settings_say_where_each_came_from(texts):
    rows = (
        SettingRow("platform", None, "default", "where jobs go"),
        SettingRow("docker.image", "python:3", "pyproject.toml"),
    )
    for text in texts(SettingTable(rows)):
        for part in ("not set", "where jobs go", "python:3", "pyproject.toml"):
            assert part in text
        assert "default" not in text


def test_the_rest_reads_as_written(job, texts):
    for text in texts(HelpText("usage: x\n  y")):
        assert "usage: x\n  y" in text
    for text in texts(Checkout(job, Path("/tmp/code"), 3)):
        assert "train-7's code is in /tmp/code" in text
    for text in texts(LogLines(job, (LogLine(b"one"), LogLine(b"two", 1)))):
        assert "[0] one\n[1] two" in text


def test_nothing_shows_as_nothing():
    assert as_text(None) == ""
    assert as_html(None) == ""


def test_a_result_that_display_does_not_know_shows_as_its_text():
    assert as_text(3) == "3"


def test_what_mends_a_check_is_typed_where_it_is_read(now):
    report = DoctorReport((Check("x.y", "fail", "no", "because", "ipymlops setup x --yes"),))
    assert "%mlops setup x --yes" in view_text(view_of(report, Reader(now, "%mlops")))
