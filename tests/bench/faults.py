"""Named faults: each is one line of ours changed for the worse, and the contract test that must turn red for it.

`python -m tests.bench.faults [NAME...]` makes them one at a time in a copy of the package and runs that test there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
LIMIT_S = 400
GREEN, RED = 0, 1
"""pytest's own exit codes; any other says that the test could not be run, which is no answer."""

LOCAL = "tests/contract/test_platform_contract.py::TestLocal::"
STORE = "tests/contract/test_store_contract.py::TestSqliteStore::"


@dataclass(frozen=True)
class Fault:
    """In `file` of the package, the only `old` becomes `new`; `test` notices."""

    file: str
    old: str
    new: str
    test: str


UNIT = "tests/unit/platforms/sagemaker/"
COURIER = "tests/unit/control/test_courier.py::"
FAR = "platforms/sagemaker/"

FAULTS = {
    "a second launch on retry": Fault(
        "platforms/here.py",
        "        grace_s = stop_grace_s(self.settings_of(spec))\n",
        "        grace_s = stop_grace_s(self.settings_of(spec))\n        job_id = JobId(f'{job_id}-{time.time_ns()}')\n",
        LOCAL + "test_submitting_twice_starts_one_job",
    ),
    "a skipped line": Fault(
        "platforms/joblog.py",
        "return LogPage(tuple(lines),",
        "return LogPage(tuple(lines[1:]),",
        LOCAL + "test_reading_on_neither_repeats_nor_skips_a_line",
    ),
    "a repeated line": Fault(
        "platforms/joblog.py",
        "    following = part.offset\n",
        "    following = part.offset if is_ended else max(offset, part.offset - len('line 7.'))\n",
        LOCAL + "test_reading_on_neither_repeats_nor_skips_a_line",
    ),
    "a log that is tidied up": Fault(
        "runtime/pump.py",
        "        self._log.write(data)\n",
        '        self._log.write(data.replace(b"\\r", b"\\n"))\n',
        LOCAL + "test_the_log_is_raw",
    ),
    "a swallowed signal": Fault(
        "runtime/supervise.py",
        "        send([self._script.pid], signal.SIGTERM)\n",
        "        send([self._script.pid], signal.SIGURG)\n",
        LOCAL + "test_a_stop_is_passed_on_and_is_the_users",
    ),
    "a stop that kills at once": Fault(
        "runtime/supervise.py",
        "        send([self._script.pid], signal.SIGTERM)\n",
        "        send([self._script.pid], signal.SIGKILL)\n",
        LOCAL + "test_a_stop_is_passed_on_and_is_the_users",
    ),
    "a stop that reads as a success": Fault(
        "runtime/outcome.py",
        'return Outcome(exit_code, number, "user", None)',
        "return Outcome(0, None, None, None)",
        LOCAL + "test_a_stop_is_passed_on_and_is_the_users",
    ),
    "a failure stored as success": Fault(
        "runtime/outcome.py",
        "    if exit_code == 0:\n",
        "    if exit_code >= 0:\n",
        LOCAL + "test_a_failure_keeps_its_exit_code_and_its_cause",
    ),
    "a cap that reads as the script's own failure": Fault(
        "runtime/outcome.py",
        'return Outcome(exit_code, number, "timeout", ',
        'return Outcome(exit_code, number, "exit_code", ',
        LOCAL + "test_the_cap_ends_a_job",
    ),
    "a secret in the log": Fault(
        "runtime/pump.py",
        "self._write(self._mask.feed(data) if self._mask else data)",
        "self._write(data)",
        LOCAL + "test_a_secret_reaches_the_script_and_nobody_else",
    ),
    "a secret in the refusal": Fault(
        "platforms/secret_refs.py",
        'f"the reference of --secret {name} is none',
        'f"the reference {reference} of --secret {name} is none',
        LOCAL + "test_what_cannot_be_is_refused_before_anything_is_recorded",
    ),
    "a lost empty argument": Fault(
        "platforms/submission.py",
        '"argv": list(spec.argv)',
        '"argv": [word for word in spec.argv if word]',
        LOCAL + "test_the_script_sees_its_words_byte_for_byte",
    ),
    "another working folder": Fault(
        "platforms/submission.py",
        '"workdir": spec.workdir',
        '"workdir": ""',
        LOCAL + "test_the_script_sees_where_and_who_it_is",
    ),
    "a metric of the log that is not read": Fault(
        "platforms/submission.py",
        "[list(pair) for pair in spec.metrics]",
        "[]",
        LOCAL + "test_metrics_come_from_the_file_and_from_the_log",
    ),
    "a file from outside the output": Fault(
        "platforms/jobfiles.py",
        "return real if real.is_file() and any(real.is_relative_to(one) for one in folders) else None",
        "return real if real.is_file() else None",
        LOCAL + "test_what_it_writes_comes_back_path_by_path",
    ),
    "a restart of the machine that is not seen": Fault(
        "platforms/jobstate.py",
        "attempt.boot_id != boot_id()",
        "attempt.boot_id == boot_id()",
        LOCAL + "test_a_restart_of_the_machine_is_told",
    ),
    "a plan that starts something": Fault(
        "platforms/local/platform.py",
        "        self.refuse(spec)\n",
        "        self.refuse(spec)\n        (self.context.home / 'local').mkdir(parents=True)\n",
        LOCAL + "test_planning_starts_nothing",
    ),
    "an option that is ignored": Fault(
        "platforms/honoured.py",
        "        if field.default is not MISSING and",
        "        if field.name != 'spot' and field.default is not MISSING and",
        LOCAL + "test_an_option_it_cannot_honour_is_refused_by_name",
    ),
    "a live twin that is not found": Fault(
        "store/sqlite.py",
        '"is_final = 0 AND fingerprint = ?"',
        '"is_final = 1 AND fingerprint = ?"',
        STORE + "test_a_live_job_with_the_same_fingerprint_is_returned_instead",
    ),
    "an end that changes": Fault(
        "store/rules.py",
        "    if not before.is_final:\n",
        "    if before:\n",
        STORE + "test_a_final_state_never_changes_again",
    ),
    "two writers at once": Fault(
        "store/session.py",
        'self._transaction("BEGIN IMMEDIATE")',
        'self._transaction("BEGIN")',
        STORE + "test_updates_of_many_processes_are_all_kept",
    ),
    "a change that is not written": Fault(
        "store/sqlite.py",
        "                if after != before:\n",
        "                if after.state != before.state:\n",
        STORE + "test_updates_of_many_threads_are_all_kept",
    ),
    "a lost reply that nobody asks about": Fault(
        FAR + "submit.py",
        "        return _after(error, aws, request, job_id)\n",
        "        raise translated(error, WHAT) from error\n",
        UNIT + "test_submit.py::test_a_lost_reply_is_asked_about",
    ),
    "a deleted job that is paid again": Fault(
        FAR + "submit.py",
        "    if uploads.is_any_below(keys.root, but=(keys.claim, keys.config)):\n",
        "    if not uploads.is_any_below(keys.root, but=(keys.claim, keys.config)):\n",
        UNIT + "test_submit.py::test_a_job_that_was_deleted_after_it_ran_is_not_paid_again",
    ),
    "another tool's job taken for ours": Fault(
        FAR + "submit.py",
        'return bool(told.get("Environment", {}).get("IPYMLOPS_JOB_ID") == job_id)',
        "return bool(told)",
        UNIT + "test_submit.py::test_a_name_that_another_tool_has_is_a_clash_and_not_ours",
    ),
    "a refusal that ends what an earlier session has started": Fault(
        "control/courier.py",
        "    return job.state is not JobState.QUEUED or not isinstance(problem, IpymlopsError)\n",
        "    return False\n",
        COURIER + "test_a_refusal_of_another_session_does_not_end_what_an_earlier_one_has_started",
    ),
    "a stop that starts a job": Fault(
        "control/courier.py",
        "_found(context, job) if job.state is JobState.STOPPING else _submitted(context, job)",
        "_submitted(context, job)",
        COURIER + "test_a_stop_never_starts_what_a_killed_courier_has_only_claimed",
    ),
    "a claim that never holds": Fault(
        FAR + "uploads.py",
        'self._put(key, content, IfNoneMatch="*")',
        "self._put(key, content)",
        UNIT + "test_submit.py::test_a_job_that_was_deleted_after_it_ran_is_not_paid_again",
    ),
    "a name cut off at its end": Fault(
        FAR + "names.py",
        'return f"{slug}-{job_id}" if slug else job_id',
        'return f"{slug}-{job_id}"[:50]',
        UNIT + "test_submit.py::test_every_limit_is_met_by_what_travels_in_a_file",
    ),
    "a secret in the configuration": Fault(
        FAR + "secrets.py",
        "    return secret\n",
        "    return value\n",
        UNIT + "test_submit.py::test_a_secret_is_handed_over_by_name_and_an_equal_one_once",
    ),
    "code that is sent each time": Fault(
        FAR + "uploads.py",
        '        return bool(found["ContentLength"] == size)\n',
        '        return bool(found["ContentLength"] == -size)\n',
        UNIT + "test_submit.py::test_equal_code_is_sent_once",
    ),
    "eight GPUs that read as one": Fault(
        FAR + "planning.py",
        "        accelerator_count=machine.count,\n",
        "        accelerator_count=chosen.asked_count,\n",
        UNIT + "test_planning.py::test_without_settings_there_is_a_plan_and_no_submit",
    ),
    "data of another folder that begins alike": Fault(
        FAR + "data_checks.py",
        '    if data.uri.endswith("/") or keys == [key]:\n',
        '    if data.uri.endswith("/") or keys:\n',
        UNIT + "test_planning.py::test_data_is_looked_at",
    ),
    "an earlier attempt's result that counts": Fault(
        FAR + "results.py",
        "        if found and is_of_last_attempt(found.number, found.ended_at, outputs.told):\n",
        "        if found:\n",
        UNIT + "test_status.py::test_the_result_of_an_earlier_attempt_counts_for_nothing",
    ),
    "hosts in the order of their letters": Fault(
        "runtime/places/sagemaker.py",
        'hosts = sorted(told.get("hosts") or ["algo-1"], key=natural)',
        'hosts = sorted(told.get("hosts") or ["algo-1"])[::-1]',
        "tests/contract/test_sagemaker_contract.py::TestSageMaker::test_several_nodes_know_each_other",
    ),
    "a job of another account called gone": Fault(
        FAR + "reading.py",
        "    if reference.account and reference.account != account:\n",
        "    if not reference.account:\n",
        UNIT + "test_status.py::test_the_job_of_another_account_is_not_gone",
    ),
}


def unmakeable() -> Iterator[str]:
    """The faults whose line is not in the package exactly once: they follow the code that they spoil."""
    for name, fault in FAULTS.items():
        path = ROOT / "ipymlops" / fault.file
        if path.read_text().count(fault.old) != 1:
            yield f"{name}: {path}"


def exit_code(fault: Fault | None, tests: Iterable[str]) -> int:
    """pytest's exit code for these tests, in a copy of the package with this fault, or with none."""
    with _copy() as folder:
        if fault is not None:
            path = folder / "ipymlops" / fault.file
            path.write_text(path.read_text().replace(fault.old, fault.new))
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--timeout={LIMIT_S}", *tests]
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(words, cwd=folder, env=env, stdout=subprocess.DEVNULL).returncode


def outcomes(names: Sequence[str]) -> dict[str, int]:
    """pytest's exit code for each fault; "" is the copy without one, in which every test must pass."""
    faults: dict[str, Fault | None] = {"": None} | {name: FAULTS[name] for name in names}
    tests = {name: {fault.test} if fault else {FAULTS[one].test for one in names} for name, fault in faults.items()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(faults, pool.map(exit_code, faults.values(), map(sorted, tests.values())), strict=True))


@contextmanager
def _copy() -> Iterator[Path]:
    """The package and its tests; pytest puts this folder before all others, so they find the copy."""
    with tempfile.TemporaryDirectory(prefix="bench-fault-") as name:
        folder, leave = Path(name), shutil.ignore_patterns("__pycache__")
        for part in ("ipymlops", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=leave)
        shutil.copy(ROOT / "pyproject.toml", folder)
        yield folder


def main(names: Sequence[str]) -> int:
    found = outcomes(names or list(FAULTS))
    says = {GREEN: "green", RED: "red"}
    for name, code in found.items():
        print(f"{says.get(code, f'broke ({code})'):12}{name or 'no fault'}")
    return int(found.pop("") != GREEN or any(code != RED for code in found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
