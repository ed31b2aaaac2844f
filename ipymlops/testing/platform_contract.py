"""What every platform must keep: subclass `PlatformContract` with a `platform` fixture.

The `platform` is made with `SECRET` in its environment and an empty home; where its jobs are dear, `PlatformBasics` is
a start. `python` is the interpreter to ask for, where the platform takes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.job import EndReason, JobState, new_job_id
from ipymlops.platforms.base import Platform
from ipymlops.spec import JobSpec, Plan, PlatformRef
from ipymlops.testing.job_runner import COMMIT, PROBE, JobRunner, eventually, packed
from ipymlops.testing.killed_submit import ACTS, Submit, kills, submit_and_die
from ipymlops.testing.platform_basics import RAN_ONCE, SECRET, WAITS, PlatformBasics

MOST_ACTS = 300
WHO = ("JOB_ID", "JOB_NAME", "PLATFORM", "COMMIT", "NODE_RANK", "NODES")
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


class PlatformContract(PlatformBasics):
    """All promises."""

    acts: ClassVar[frozenset[str]] = ACTS
    """Before which of its acts a submit is killed."""

    def unknown_ref(self, platform: Platform) -> PlatformRef:  # noqa: ARG002 - for platforms whose references say more
        """A reference in the platform's form, to a job that never was."""
        return PlatformRef(new_job_id())

    def data_at(self, platform: Platform, folder: Path) -> str:  # noqa: ARG002 - for platforms that are elsewhere
        """A URI under which the platform's jobs find what is in the folder."""
        return str(folder)

    def test_the_script_sees_where_and_who_it_is(self, runner: JobRunner) -> None:
        job_id, name = new_job_id(), 'a "$(touch /tmp/x)" <b>&\n../é'
        files = {"pkg/sub/train.py": PROBE, "pkg/sub/next to it": "", "lib.py": ""}
        ref = runner.submit(
            files, job_id=job_id, job_name=name, workdir="pkg/sub", env=(("PLAIN", "a b\n$x"),), labels=(("k", name),)
        )
        seen = runner.seen(ref)
        env = seen["env"]
        assert seen["cwd"].endswith("/pkg/sub")
        assert seen["files"] == ["next to it", "train.py"]
        assert env["PLAIN"] == "a b\n$x"
        assert [env[f"IPYMLOPS_{key}"] for key in WHO] == [job_id, name, runner.platform.name, COMMIT, "0", "1"]

    def test_metrics_come_from_the_file_and_from_the_log(self, runner: JobRunner) -> None:
        script = """
import json, os
with open(os.environ["IPYMLOPS_METRICS_FILE"], "a") as file:
    for step in range(3):
        file.write(json.dumps({"step": step, "val_loss": 1 - step / 4}) + "\\n")
print("acc=1.5e-1"); print("acc=2.5e-1")
"""
        ref = runner.submit(script, metrics=(("acc", r"acc=(\S+)"),))
        assert runner.ended(ref).metrics == {"val_loss": 0.5, "acc": 0.25}
        records = list(runner.platform.metrics(ref))
        assert [record["val_loss"] for record in records if "val_loss" in record] == [1.0, 0.75, 0.5]
        assert [record["acc"] for record in records if "acc" in record] == [0.15, 0.25]

    def test_a_failure_keeps_its_exit_code_and_its_cause(self, runner: JobRunner) -> None:
        left = runner.ended(runner.submit("import sys\nsys.exit(3)"))
        assert (left.state, left.end_reason, left.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 3)
        raised = runner.ended(runner.submit("def f():\n    raise ValueError('no <such> thing')\nf()\n"))
        assert (raised.state, raised.exit_code) == (JobState.FAILED, 1)
        assert raised.error is not None
        assert (raised.error["file"], raised.error["line"]) == ("train.py", 2)
        assert "no <such> thing" in raised.error["traceback"]

    def test_stopping_a_finished_job_does_nothing(self, runner: JobRunner) -> None:
        ref = runner.succeeded(runner.submit("print('done')"))
        before = runner.platform.status(ref)
        runner.platform.stop(ref)
        assert runner.platform.status(ref) == before

    def test_a_reference_outlives_the_process_that_made_it(self, runner: JobRunner, platform: Platform) -> None:
        submit = next(self._submits(runner))
        assert platform.find(submit.job_id, "killed", submit.spec, submit.plan) is None
        submit_and_die(submit)
        found = platform.find(submit.job_id, "killed", submit.spec, submit.plan)
        ref = platform.submit(submit.job_id, "killed", submit.spec, submit.code, submit.plan)
        assert found == ref
        assert runner.read(runner.succeeded(ref), "ran") == b"once\n"

    def test_the_cap_ends_a_job(self, runner: JobRunner) -> None:
        status = runner.ended(runner.submit(WAITS, max_runtime_s=2))
        assert (status.state, status.end_reason) == (JobState.STOPPED, EndReason.TIMEOUT)

    @given(words=st.lists(ANY_TEXT, min_size=40, max_size=120))
    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    def test_any_words_arrive_as_they_are(self, runner: JobRunner, words: list[str]) -> None:
        assert runner.seen(runner.submit(PROBE, *words))["argv"] == words

    def test_ten_thousand_words_arrive(self, runner: JobRunner) -> None:
        words = [f"--word={number}" for number in range(10_000)]
        assert runner.seen(runner.submit(PROBE, *words))["argv"] == words

    def test_a_module_and_a_command_run_too(self, runner: JobRunner) -> None:
        ref = runner.submit({"pkg/__init__.py": "", "pkg/mod.py": PROBE}, "a", script="-m pkg.mod")
        assert runner.seen(ref)["argv"] == ["a"]
        ref = runner.submit("", "/bin/sh", "-c", 'printf "%s." "$@"', "sh", "a b", "", script=None)
        assert runner.log(runner.succeeded(ref)) == b"a b..\n"

    def test_data_appears_where_it_is_promised(self, runner: JobRunner, tmp_path: Path) -> None:
        folder = tmp_path / "the data: 1"
        folder.mkdir()
        (folder / "x.csv").write_text("1,2")
        script = """
import os
for path in (os.environ["IPYMLOPS_DATA_DIR"] + "/digits", os.environ["IPYMLOPS_DATA_DIR"] + "/in/train", "in/train"):
    print(open(path + "/x.csv").read())
"""
        at = self.data_at(runner.platform, folder)
        ref = runner.submit(script, data=(("digits", at), ("in/train", at)))
        assert runner.log(runner.succeeded(ref)) == b"1,2\n" * 3

    def test_the_log_is_raw(self, runner: JobRunner) -> None:
        script = "import sys\nwrite = sys.stdout.buffer.write\nwrite(bytes(range(256)) + b'\\r10%\\r20%\\n')\n"
        script += "write(b'y' * 1_000_000 + b'\\nno end')"
        expected = bytes(range(256)) + b"\r10%\r20%\n" + b"y" * 1_000_000 + b"\nno end\n"
        assert runner.log(runner.succeeded(runner.submit(script))) == expected

    def test_the_log_and_the_files_are_there_while_it_runs(self, runner: JobRunner) -> None:
        script = RAN_ONCE + "print('half a', end='', flush=True)\nprint(' line\\nready', flush=True)\ntime.sleep(600)"
        ref = runner.submit(script)
        runner.until_logged(ref, b"ready")
        eventually(lambda: "ran" in {one.path for one in runner.platform.artifacts(ref)}, "its file is there")
        assert runner.read(ref, "ran") == b"once\n"
        assert not runner.platform.logs(ref).is_end
        assert runner.platform.status(ref).state is JobState.RUNNING
        runner.platform.stop(ref)
        runner.ended(ref)

    def test_a_signal_is_told(self, runner: JobRunner) -> None:
        status = runner.ended(runner.submit("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"))
        assert (status.state, status.end_reason, status.exit_code) == (JobState.FAILED, EndReason.EXIT_CODE, 139)
        assert "SIGSEGV" in status.detail

    def test_a_script_that_ignores_the_stop_is_ended(self, runner: JobRunner) -> None:
        platform = type(runner.platform)(self._with_settings(runner.platform, stop_grace_s="0.2"))
        hurried = replace(runner, platform=platform)
        ref = hurried.submit("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS)
        hurried.until_logged(ref, b"ready")
        platform.stop(ref)
        status = hurried.ended(ref)
        assert (status.state, status.end_reason) == (JobState.STOPPED, EndReason.USER)

    def test_a_submit_killed_at_any_step_starts_one_job(self, runner: JobRunner) -> None:
        submits = list(islice(self._submits(runner), MOST_ACTS))
        tried = submits[: kills(submits) + 1]
        assert len(tried) > 4
        refs = [runner.platform.submit(one.job_id, "killed", one.spec, one.code, one.plan) for one in tried]
        assert [runner.read(runner.succeeded(ref), "ran") for ref in refs] == [b"once\n"] * len(tried)

    @pytest.mark.parametrize(
        ("field", "flag"), [("spot", "--spot"), ("bake", "--bake"), ("keep_warm_s", "--keep-warm")]
    )
    def test_an_option_it_cannot_honour_is_refused_by_name(self, platform: Platform, field: str, flag: str) -> None:
        if field in platform.options:
            return
        with pytest.raises(UsageProblem) as refusal:
            platform.plan(JobSpec.from_json({"script": "train.py", field: 1}))
        assert flag in str(refusal.value)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"argv": ("a" * 131_072,)},
            {"argv": ("a\0b",)},
            {"script": None},
            {"secrets": (("TOKEN", "env:NO_SUCH_VARIABLE"),)},
            {"secrets": (("TOKEN", "hunter2-is-the-value"),)},
            {"data": (("x", "/no/such/path"),)},
            {"data": (("../x", "/"),)},
            {"settings": (("no_such_setting", "1"),)},
        ],
        ids="-".join,
    )
    def test_what_cannot_be_is_refused_before_anything_is_recorded(
        self, platform: Platform, python: str, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(UsageProblem) as refusal:
            platform.plan(replace(JobSpec("train.py", python=python), **wrong))
        assert "hunter2" not in str(refusal.value)
        assert not (platform.context.home / "local").exists()

    def test_planning_starts_nothing(self, platform: Platform, python: str) -> None:
        spec = JobSpec("train.py", ("--lr", "1"), python=python, max_runtime_s=60)
        plan = platform.plan(spec)
        platform.preflight(spec, plan)
        assert (plan.platform, plan.max_runtime_s, plan.nodes) == (platform.name, 60, 1)
        assert "--lr" in json.dumps(plan.request)
        assert not (platform.context.home / "local").exists()

    def test_a_job_that_it_no_longer_knows_is_gone(self, platform: Platform) -> None:
        ref = self.unknown_ref(platform)
        status = platform.status(ref)
        assert (status.state, status.is_gone) == (JobState.UNKNOWN, True)
        assert status.detail
        platform.stop(ref)
        assert platform.status(ref) == status
        for question in (platform.logs, lambda ref: list(platform.artifacts(ref))):
            with pytest.raises(PlatformProblem):
                question(ref)

    def test_what_is_no_reference_is_a_problem(self, platform: Platform) -> None:
        for ref in (PlatformRef("../x"), PlatformRef("")):
            for question in (platform.status, platform.logs, platform.stop):
                with pytest.raises(PlatformProblem):
                    question(ref)

    def test_a_repeat_needs_nothing_that_only_the_start_needed(self, runner: JobRunner) -> None:
        """It may come from another session: without the secrets, and without the interpreter on its PATH."""
        job_id, secrets = new_job_id(), (("TOKEN", f"env:{SECRET[0]}"),)
        ref = runner.succeeded(runner.submit(RAN_ONCE, job_id=job_id, secrets=secrets))
        env = {name: value for name, value in runner.platform.context.env.items() if name != SECRET[0]}
        elsewhere = type(runner.platform)(replace(runner.platform.context, env=env))
        spec = JobSpec("train.py", python="/no/such/python", secrets=secrets)
        code = packed(runner.folder, {"train.py": RAN_ONCE})
        assert elsewhere.submit(job_id, "contract", spec, code, Plan(elsewhere.name)) == ref
        assert runner.read(ref, "ran") == b"once\n"

    def test_a_cursor_of_nothing_is_a_problem(self, runner: JobRunner) -> None:
        ref = runner.succeeded(runner.submit(""))
        for cursor in ("x", "{}", "[0, 0, 0]", "[-1]", '["0"]'):
            with pytest.raises(PlatformProblem):
                runner.platform.logs(ref, cursor)

    def test_its_checks_have_names_that_scripts_may_test(self, platform: Platform) -> None:
        checks = list(platform.checks())
        assert len({check.id for check in checks}) == len(checks) > 0
        assert all(check.id.startswith(f"{platform.name}.") for check in checks)
        assert not [check for check in checks if check.status == "fail"]
        assert all(check.why and check.fix for check in checks if check.status == "warn")

    def _with_settings(self, platform: Platform, **more: str) -> Any:
        return replace(platform.context, settings={**platform.context.settings, **more})

    def _submits(self, runner: JobRunner) -> Iterator[Submit]:
        """The same submit, each time with an id of its own."""
        code, spec = packed(runner.folder, {"train.py": RAN_ONCE}), JobSpec("train.py", python=runner.python)
        plan = runner.platform.plan(spec)
        while True:
            yield Submit(runner.platform, new_job_id(), spec, code, plan, self.acts)
