from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from ipymlops.display.card import Card
from ipymlops.display.looks import COLOURS, LOOKS
from ipymlops.display.text import view_text
from ipymlops.job import EndReason, JobState
from ipymlops.spec import LeftOut


@pytest.fixture
def shown(job, intent, now):
    """The text of the card of the job with these changes."""

    def text(*, with_intent=True, tail=(), hints=(), last_output_at=None, door="ipymlops", is_ticking=True, **changes):
        one = replace(job, **changes)
        card = Card(one, now, intent if with_intent else None, hints, tail, last_output_at, door, is_ticking)
        return view_text(card.view())

    return text


def test_the_card_says_what_was_sent_and_what_was_not(shown):
    text = shown()
    assert "1125fd2 on main + 4 files changed: a.py, b.py, c.py and 1 more" in text
    assert "42 files, 1.3 MB" in text
    assert "2 paths, 3.2 GB: data/big.bin 3.2 GB (.gitignore:3); small 2.0 kB (.ipymlopsignore:1)" in text
    assert "! x.bin is a pointer, its content is not here" in text


@pytest.mark.parametrize(
    ("to_send_bytes", "said"),
    [
        (None, "42 files, 1.3 MB"),
        (1_300_000, "42 files, 1.3 MB"),
        (0, "nothing again: the platform has this code already (42 files, 1.3 MB)"),
    ],
)
def test_the_card_says_where_nothing_had_to_be_sent_again(job, intent, now, to_send_bytes, said):
    text = view_text(Card(job, now, replace(intent, to_send_bytes=to_send_bytes)).view())
    assert re.search(rf"Sent +{re.escape(said)}$", text, re.MULTILINE)


def test_the_card_says_what_changed_since_the_last_job(job, intent, now):
    def sent(*paths):
        code = replace(intent.code, last_job="train-6", since_last=paths)
        return view_text(Card(job, now, replace(intent, code=code)).view())

    assert "42 files, 1.3 MB; since train-6 4 files changed: a, b, c and 1 more" in sent("a", "b", "c", "d")
    assert "1.3 MB; since train-6 nothing changed" in sent()


def test_the_card_says_where_and_for_how_much_at_most(shown):
    text = shown()
    assert "docker · big-8 · 8 \u00d7 a100 (2 asked for) · image python:3.12" in text
    assert "$3.06 per hour (price of 2026-11-20) · at most $73.44 (24 h) · $0.21 so far" in text


def test_a_cap_in_money_bounds_the_most_it_can_cost(job, intent, now):
    capped = replace(intent, plan=replace(intent.plan, max_cost_usd=50.0))
    assert "at most $50.00" in view_text(Card(job, now, capped).view())


def test_what_rests_on_an_estimate_says_so_in_the_same_line(job, intent, now):
    plan = replace(intent.plan, is_estimate=True)
    for cap, most in ((None, "73.44"), (50.0, "50.00")):
        text = view_text(Card(job, now, replace(intent, plan=replace(plan, max_cost_usd=cap))).view())
        assert f"· at most about ${most} (24 h): the price is an estimate · $0.21 so far" in text


def test_without_a_price_the_time_limit_stands(job, intent, now):
    plan = replace(intent.plan, usd_per_hour=None, max_runtime_s=7200)
    text = view_text(Card(replace(job, usd_per_hour=None), now, replace(intent, plan=plan)).view())
    assert "Limit       at most 2 h" in text
    assert "$" not in text


def test_the_timeline_grows_in_place(shown, job):
    assert "submitted 2026-12-01 03:00:00 UTC → queued (4 min 15 s so far)" in shown(
        state=JobState.QUEUED, started_at=None
    )
    assert "→ started 03:00:03 (3 s) → running (4 min 12 s so far)" in shown()
    ended = job.started_at + timedelta(minutes=2)
    assert "→ started 03:00:03 (3 s) → succeeded 03:02:03 (2 min)" in shown(state=JobState.SUCCEEDED, ended_at=ended)


def test_a_rule_that_is_the_path_itself_is_not_told_twice(job, intent, now):
    code = replace(intent.code, left_out=(LeftOut("data/", 2_000, ".gitignore: data/"),))
    text = view_text(Card(job, now, replace(intent, code=code)).view())
    assert "Left out    data/ 2.0 kB (.gitignore)\n" in text


def test_the_machine_is_named_only_where_there_is_more_than_the_platform(shown):
    changes = {"accelerator": None, "accelerator_count": 0, "with_intent": False}
    assert "Where" not in shown(**changes)
    assert "Where       docker · m5" in shown(machine_type="m5", **changes)


def test_a_failure_names_cause_exit_code_place_and_next_step(shown):
    trace = "Traceback (most recent call last):\n  File 'train.py', line 12\nValueError: bad lr"
    error = {"what": "ValueError: bad lr", "why": "", "fix": "", "file": "train.py", "line": 12, "traceback": trace}
    text = shown(state=JobState.FAILED, end_reason=EndReason.EXIT_CODE, exit_code=1, error=error, door="%mlops")
    assert "✗ ValueError: bad lr (exit code 1)" in text
    assert "✗ in train.py, line 12" in text
    assert "✗ next: %mlops logs 7 --tail 50" in text
    assert "│ ValueError: bad lr" in text


def test_a_failure_is_said_once(shown):
    error = {"what": "the script ended with exit code 2", "why": "", "fix": ""}
    text = shown(
        state=JobState.FAILED, end_reason=EndReason.EXIT_CODE, exit_code=2, error=error, detail="exit code 2", tail=()
    )
    assert "✗ the script ended with exit code 2\n" in text
    assert text.count("exit code 2") == 1
    stopped = shown(state=JobState.STOPPED, end_reason=EndReason.USER, detail="SIGTERM", exit_code=143)
    assert "SIGTERM" not in stopped


def test_what_needs_attention_stands_above_what_was_sent_and_moves_no_timeline(shown):
    error = {"what": "ValueError: x", "traceback": "Traceback:\nValueError: x"}
    text = shown(state=JobState.FAILED, error=error, hints=("train.py has no --x",))
    order = ["✗ failed", "Timeline", "✗ ValueError: x", "train.py has no --x", "Command", "end of the traceback"]
    assert [text.index(one) for one in order] == sorted(text.index(one) for one in order)


def test_a_card_that_nobody_keeps_up_to_date_shows_no_ages(shown, now):
    text = shown(is_ticking=False, last_output_at=now)
    assert text.splitlines()[1].endswith("→ started 03:00:03 (3 s) → running")
    assert "so far" not in text
    assert "last output" not in text


def test_a_failure_without_any_detail_still_names_a_cause_and_a_next_step(shown):
    text = shown(state=JobState.FAILED, end_reason=EndReason.OUT_OF_MEMORY, exit_code=137)
    assert "out of memory (exit code 137, SIGKILL)" in text
    assert "larger machine" in text
    assert "the cause is unknown" in shown(state=JobState.FAILED)


def test_a_fix_that_came_with_the_error_is_the_next_step(shown):
    assert "next: do this" in shown(state=JobState.FAILED, error={"what": "no", "why": "so", "fix": "do this"})


def test_a_fix_from_the_launcher_is_told_as_it_is_typed_here(shown, job):
    error = {"what": "no", "why": "", "fix": f"ipymlops logs {job.id} --tail 50"}
    assert "next: %mlops logs 7 --tail 50" in shown(state=JobState.FAILED, error=error, door="%mlops")


def test_a_traceback_that_the_log_shows_is_not_shown_twice(shown):
    error = {"what": "ValueError: x", "traceback": "Traceback:\nValueError: x", "why": "ended at train.py, line 3"}
    error |= {"file": "train.py", "line": 3}
    assert "end of the traceback" in shown(state=JobState.FAILED, error=error)
    text = shown(state=JobState.FAILED, error=error, tail=(b"\x1b[31mValueError: x",))
    assert "end of the traceback" not in text
    assert text.count("line 3") == 1


def test_a_queued_job_says_why_it_waits(shown):
    error = {"what": "8 x a100 refused", "why": "the limit is 0", "fix": "raise the quota"}
    text = shown(state=JobState.QUEUED, started_at=None, error=error)
    assert "○ queued" in text
    assert "8 x a100 refused" in text
    assert "raise the quota" in text


def test_a_quiet_job_says_how_long_it_was_quiet(shown, now):
    assert "last output 42 s ago" in shown(last_output_at=now - timedelta(seconds=42))
    assert "last output" not in shown(last_output_at=now, state=JobState.STOPPED)


def test_hints_stand_on_the_card(shown):
    hint = "train.py has no --learning-rte; did you mean --learning-rate?"
    assert f"! {hint}" in shown(hints=(hint,))


def test_the_tail_is_readable_and_leads_to_the_whole_log(shown):
    text = shown(tail=(b"\x1b[31m 1%\r 2%\x1b[0m", b"\xff"))
    assert "all of it: ipymlops logs 7" in text
    assert "│  2%" in text
    assert "\x1b" not in text


def test_ten_thousand_arguments_are_counted_not_shown(shown):
    text = shown(argv=tuple(str(number) for number in range(10_000)))
    assert "(10,000 arguments in all)" in text
    assert len(text) < 4000


def test_arguments_are_quoted_as_a_shell_reads_them(shown):
    assert "train.py '' 'a b' '$x' '{y}'" in shown(argv=("", "a b", "$x", "{y}"))
    assert "-m pkg.mod --x" in shown(script="-m pkg.mod", argv=("--x",))


def test_a_job_that_somebody_else_started_has_a_card_too(shown):
    text = shown(with_intent=False)
    assert "1125fd2 on main, with uncommitted changes" in text
    assert "Sent" not in text


def test_every_state_has_its_own_icon_and_a_colour():
    assert set(LOOKS) == set(JobState)
    assert len({look.icon for look in LOOKS.values()}) == len(JobState)
    assert all(look.tone in COLOURS for look in LOOKS.values())


@pytest.mark.parametrize("colour", COLOURS.values())
@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_every_colour_is_legible_on_light_and_dark(colour, background):
    light, dark = sorted([_luminance(colour), _luminance(background)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3.0


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("end", [EndReason.USER, EndReason.EXIT_CODE, None], ids=["stopped", "failed", "succeeded"])
def test_a_machine_that_is_still_paid_for_is_named_with_its_price_and_the_way_to_end_it(shown, now, end):
    state = end.state if end else JobState.SUCCEEDED
    ended = {"state": state, "end_reason": end, "ended_at": now}
    text = shown(**ended, kept_until=now + timedelta(minutes=20))
    until = f"{now + timedelta(minutes=20):%H:%M:%S}"
    assert re.search(rf"Kept +its machine, for the next job, until {until} at \$3.06 an hour: ipymlops stop", text)
    assert "Kept" not in shown(**ended, kept_until=now - timedelta(seconds=1))
    assert "Kept" not in shown(**ended)


def test_the_end_of_a_job_that_was_followed_names_it_too(job, now):
    ended = replace(job, state=JobState.SUCCEEDED, ended_at=now, kept_until=now + timedelta(minutes=20), metrics={})
    assert "its machine, for the next job" in view_text(Card(ended, now).outcome())
