"""The small verbs, over a real store."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

import ipymlops
from ipymlops.errors import JobDidNotSucceed, PlatformProblem, UnknownJob, UsageProblem
from ipymlops.job import EndReason, Job, JobState
from ipymlops.spec import Intent, JobId, JobSpec, Plan, PlatformRef
from ipymlops.testing.fake_platform import FakePlatform
from ipymlops.verbs import VERBS, load
from ipymlops.verbs.dispatch import dispatch
from ipymlops.verbs.handle import JobHandle
from ipymlops.verbs.help import guide


@pytest.fixture
def jobs(context):
    """Three jobs that have ended."""
    now = datetime.now(timezone.utc)

    def add(number, name, platform, state, age, **facts):
        job = Job(JobId(f"j{number:015d}"), name, platform, now - age, state=state, **facts)
        spec = JobSpec(facts.get("script"), facts.get("argv", ()), env=(("A", str(number)),))
        return context.store.add(job, Intent(spec, Plan(platform), None))[0]

    day = timedelta(days=1)
    return [
        add(1, "old", "docker", JobState.FAILED, 9 * day, script="a.py", argv=("--lr", "1"), metrics={"loss": 2.0}),
        add(2, "mid", "local", JobState.FAILED, day, script="a.py", argv=("--lr", "2"), metrics={"loss": 1.0}),
        add(3, "new", "local", JobState.SUCCEEDED, day, labels={"team": "vision"}),
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["new", "mid", "old"]),
        (["state:failed"], ["mid", "old"]),
        (["state:failed", "state:succeeded"], ["new", "mid", "old"]),
        (["platform:docker"], ["old"]),
        (["since:2d"], ["new", "mid"]),
        (["state:failed", "since:2d", "LR"], ["mid"]),
        (["vision"], ["new"]),
        (["lr:2"], []),
    ],
)
def test_words_narrow_the_list(words, names, context, jobs):
    assert [job.name for job in dispatch(["jobs", *words], None, context)] == names


def test_stopping_what_has_ended_does_nothing(context, jobs):
    assert dispatch(["stop", "1"], None, context) == jobs[0]
    assert dispatch(["stop", "1", "1", "2"], None, context).jobs == (jobs[0], jobs[1])


def test_waiting_for_failed_jobs_tells_the_first_and_the_others(context, jobs):
    with pytest.raises(Exception, match=r"job 2 \(mid\) did not succeed: failed; so did not job 1 \(old\)"):
        dispatch(["wait", "2", "3", "1"], None, context)
    assert [job.name for job in dispatch(["wait", "3"], None, context)] == ["new"]


def test_a_difference_names_arguments_environment_and_metrics(context, jobs):
    found = dict(dispatch(["diff", "1", "2"], None, context).sections)
    assert found["arguments"] == (" a.py", " --lr", "-1", "+2")
    assert found["environment"] == ("env: A=1 → A=2",)
    assert found["metrics"] == ("metric loss: 2 → 1",)
    assert dispatch(["diff", "2", "2"], None, context).sections == ()


def test_flags_that_changed_are_in_the_difference(context):
    now = datetime.now(timezone.utc)
    for number, argv in enumerate((("--lr", "1"), ("--steps", "2", "--", "@@")), start=1):
        job = Job(JobId(f"j{number:015d}"), f"run-{number}", "local", now, script="a.py", argv=argv)
        context.store.add(replace(job, state=JobState.FAILED), Intent(JobSpec("a.py", argv), Plan("local"), None))
    found = dict(dispatch(["diff", "1", "2"], None, context).sections)
    assert sorted(found["arguments"]) == sorted([" a.py", "---lr", "-1", "+--steps", "+2", "+--", "+@@"])


def test_showing_gives_everything_known(context, jobs):
    details = dispatch(["show", "mid"], None, context)
    assert details.job == jobs[1]
    assert details.intent.spec.argv == ("--lr", "2")


def test_settings_name_where_they_come_from(context, repo, again):
    (repo / "pyproject.toml").write_text('[tool.ipymlops]\nplatform = "docker"\n')
    rows = {row.key: row for row in dispatch(["config"], None, again()).rows}
    assert rows["platform"].value == "docker"
    assert rows["platform"].source == f"project: {repo / 'pyproject.toml'}"
    assert rows["home"].source == "environment: IPYMLOPS_HOME"


def test_set_up_writes_what_is_missing_and_takes_it_back(context, home, again):
    (wanted,) = dispatch(["setup", "local", "--plan"], None, again()).wanted
    assert (wanted.key, wanted.value) == ("platform", "local")
    assert not (home / "config.toml").exists()
    assert dispatch(["setup", "local"], None, again()).written[0][:2] == ("platform", "local")
    assert again().config.get("platform") == "local"
    assert dispatch(["setup", "local"], None, again()).written == ()
    dispatch(["setup", "local", "--undo"], None, again())
    assert again().config.get("platform") is None


def test_set_up_takes_back_only_what_stands_as_it_was_written(context, home, again):
    home.mkdir()
    (home / "config.toml").write_text('# mine\n[docker]\nimage = "mine"\n')
    dispatch(["setup", "local"], None, again())
    text = (home / "config.toml").read_text()
    (home / "config.toml").write_text(text.replace('"local"', '"docker"'))
    dispatch(["setup", "local", "--undo"], None, again())
    assert (home / "config.toml").read_text() == text.replace('"local"', '"docker"')


def test_the_doctor_looks_and_changes_nothing(context, home):
    before = sorted(home.rglob("*"))
    report = dispatch(["doctor", "local"], None, context)
    assert report.is_ok
    assert {"git.program", "code.repository", "store.records", "local.python"} <= {one.id for one in report.checks}
    assert sorted(home.rglob("*")) == before


def test_a_platform_that_is_not_used_need_not_be_ready(context):
    assert dispatch(["doctor"], None, replace(context, env={})).is_ok


@pytest.mark.parametrize("kind", [PlatformProblem, UsageProblem])
def test_a_platform_that_cannot_be_looked_at_does_not_hide_the_others(again, monkeypatch, kind):
    def refused(*_):
        raise kind("nobody there", fix="sign in")

    monkeypatch.setattr(FakePlatform, "checks", refused)
    monkeypatch.setenv("AWS_PROFILE", "nope")
    report = dispatch(["doctor"], None, again())
    assert report.is_ok
    assert {"fake.answer", "sagemaker.answer", "local.python"} <= {one.id for one in report.checks}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_one_line_of_help_and_examples_that_can_be_read(verb, context):
    import shlex

    from ipymlops.verbs.request import parse

    module = load(verb)
    assert "\n" not in module.HELP
    assert module.EXAMPLES
    for line in module.EXAMPLES:
        assert shlex.split(line)[0] == "ipymlops"
        assert parse(shlex.split(line)[1:]).verb == verb
    text = dispatch([verb, "--help"], None, context).text
    assert module.HELP in text or verb == "help"


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("secret", ["--secret NAME", "allow_secrets", "secret: --secret NAME"]),
        ("NOTSIGNEDIN", ["exit status 4"]),
        ("IPYMLOPS_OUTPUT_DIR", ["output: what the script writes"]),
        ("sagemaker.role", ["execution role"]),
        ("--gpu", ["--gpu NAME[:COUNT]"]),
        ("timeout", ["end reasons", "at its cap"]),
        ("out of memory", ["out_of_memory"]),
    ],
)
def test_help_finds_a_word_anywhere(word, found, context):
    text = dispatch(["help", word], None, context).text
    for one in found:
        assert one in text


def test_help_says_so_where_nothing_is_found(context):
    assert "did you mean --secret?" in dispatch(["help", "secert"], None, context).text
    assert all(": " in section for section in guide())


def test_the_version_stands_where_every_command_has_it(context):
    assert dispatch(["--version"], None, context).text == f"ipymlops {ipymlops.__version__}"


@pytest.mark.parametrize("words", [["config", "set", "platform", "local"], ["config", "platform"]])
def test_a_line_with_too_many_words_is_put_right_without_any_of_them(words, context):
    with pytest.raises(UsageProblem) as caught:
        dispatch(words, None, context)
    assert caught.value.fix == "ipymlops config"


def test_settings_of_platforms_that_are_not_here_are_told_only_where_they_are_set(context, repo, again):
    assert not [row.key for row in dispatch(["config"], None, context).rows if row.key.startswith("vertex.")]
    (repo / "pyproject.toml").write_text('[tool.ipymlops.vertex]\nregion = "europe-west4"\n')
    assert [row.value for row in dispatch(["config"], None, again()).rows if row.key == "vertex.region"] == [
        "europe-west4"
    ]


@pytest.mark.parametrize(
    ("facts", "how"),
    [
        ({"state": JobState.FAILED, "end_reason": EndReason.EXIT_CODE, "exit_code": 3}, "failed, exit code 3"),
        ({"state": JobState.STOPPED, "end_reason": EndReason.USER}, "stopped, as its user asked"),
        ({"state": JobState.STOPPED, "end_reason": EndReason.TIMEOUT}, "stopped, at its time limit"),
        ({"state": JobState.FAILED, "end_reason": EndReason.OUT_OF_MEMORY}, "failed, out of memory"),
    ],
)
def test_how_a_job_ended_is_told_in_words(facts, how, context):
    context.store.add(Job(JobId("j1"), "x", "local", datetime.now(timezone.utc), **facts), None)
    with pytest.raises(JobDidNotSucceed) as caught:
        dispatch(["wait", "1"], None, context)
    assert caught.value.what == f"job 1 (x) did not succeed: {how}"


def test_a_script_without_a_traceback_failed_for_the_last_line_of_its_log(context):
    error = {"what": "the script ended with exit code 2", "why": "the last line of its log is: no such option: --lrr"}
    facts = {"state": JobState.FAILED, "end_reason": EndReason.EXIT_CODE, "exit_code": 2, "error": error}
    context.store.add(Job(JobId("j1"), "x", "local", datetime.now(timezone.utc), **facts), None)
    with pytest.raises(JobDidNotSucceed) as caught:
        dispatch(["wait", "1"], None, context)
    assert caught.value.why == error["why"]


def test_a_handle_reads_the_newest_record(context, jobs):
    handle = JobHandle(jobs[0].id, context)
    assert (handle.name, handle.number, handle.is_final) == ("old", 1, True)
    assert repr(handle) == "<job 1 'old' on docker: failed>"
    context.store.update(jobs[0].id, lambda job: replace(job, labels={"a": "b"}))
    assert handle.labels == {"a": "b"}
    assert "labels" in dir(handle)
    assert handle == JobHandle(jobs[0].id, context)
    assert len({handle, JobHandle(jobs[0].id, context)}) == 1


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (["stop", "run"], "ipymlops stop 2"),
        (["logs", "run", "-f"], "ipymlops logs 2 -f"),
        (["artifacts", "rum-2", "*.json"], "ipymlops artifacts run-2 '*.json'"),
    ],
)
def test_a_word_that_means_no_one_job_is_put_right_in_the_line_as_typed(line, fix, context):
    now = datetime.now(timezone.utc)
    for number, state in ((1, JobState.FAILED), (2, JobState.UNKNOWN), (3, JobState.SUCCEEDED)):
        context.store.add(Job(JobId(f"j{number:015d}"), f"run-{number}", "fake", now, state=state), None)
    with pytest.raises(UnknownJob) as caught:
        dispatch(line, None, context)
    assert caught.value.fix == fix


def test_a_wrong_line_is_met_under_the_name_that_the_reference_has(context):
    with pytest.raises(UsageProblem) as caught:
        dispatch(["train", "--nodes", "0", "train.py"], None, context)
    assert type(caught.value) is UsageProblem
    assert caught.value.fix == "ipymlops train --nodes 1 train.py"


def test_a_job_whose_folder_was_deleted_can_be_shown_and_is_not_live_for_ever(context, home):
    ended = dispatch(["train", "--wait", "--", "true"], None, context)
    live = context.store.add(replace(ended.record, id=JobId("jdeleted"), name="lost", state=JobState.RUNNING), None)[0]
    context.store.update(live.id, lambda job: replace(job, ref=PlatformRef("jdeleted")))
    shutil.rmtree(home / "local" / ended.id)
    assert dispatch(["show", ended.id], None, context).job.state == JobState.SUCCEEDED
    lost = dispatch(["show", "lost"], None, context).job
    assert (lost.state, lost.is_gone, lost.detail) == (JobState.UNKNOWN, True, "its folder was deleted")
    assert dispatch(["jobs"], None, context).errors == ()
    assert dispatch(["stop", "lost"], None, context).state == JobState.STOPPED


def test_an_error_of_a_python_call_is_mended_where_it_was_called(context, monkeypatch):
    notebook = replace(context, notebook_variable=str)
    monkeypatch.delenv("TOKEN", raising=False)
    for where, show, ask in (
        (context, "ipymlops jobs", "read -rs TOKEN && export TOKEN"),
        (notebook, "%mlops jobs", "import os, getpass; os.environ['TOKEN'] = getpass.getpass('TOKEN: ')"),
    ):
        context.store.add(Job(JobId("j1"), "x", "local", datetime.now(timezone.utc)), None)
        with pytest.raises(UnknownJob) as caught:
            dispatch(["show", "nosuch"], None, where)
        assert caught.value.fix == show
        with pytest.raises(UsageProblem) as refused:
            dispatch(["train", "--secret", "TOKEN", "train.py"], None, where)
        assert refused.value.fix == ask


def test_a_handle_takes_the_options_of_its_verbs(context, screen):
    script = "echo a; echo b; echo 1 > $IPYMLOPS_OUTPUT_DIR/x"
    handle = dispatch(["train", "--wait", "--", "sh", "-c", script], None, context)
    assert f"{handle.state}" == handle.state == "succeeded"
    handle.logs(tail=1)
    assert screen.lines == [b"b"]
    assert [one.path for one in handle.artifacts("*", to=context.cwd / "back")] == ["x"]
    assert (context.cwd / "back" / "x").read_text() == "1\n"
    assert screen.notes == [f"{context.cwd}/back is not ignored by git: the next train sends what is in it, too"]
    with pytest.raises(UsageProblem, match="logs has no option 'tial'"):
        handle.logs(tial=1)


def test_a_failed_job_is_an_error_of_its_handle(context, jobs):
    with pytest.raises(Exception, match="did not succeed"):
        JobHandle(jobs[1].id, context).wait()


def test_an_existing_folder_is_refused_by_name(context, jobs, repo):
    with pytest.raises(UsageProblem, match="cannot be a folder"):
        dispatch(["artifacts", "1", "--to", "train.py/x"], None, context)
