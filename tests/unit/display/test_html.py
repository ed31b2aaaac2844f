from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipymlops.display.card import Card
from ipymlops.display.html import as_html, view_html
from ipymlops.job import Artifact, EndReason, JobState
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.base import Check
from ipymlops.spec import JobSpec, LeftOut
from ipymlops.verbs.results import (
    ArtifactList,
    Difference,
    DoctorReport,
    HelpText,
    JobDetails,
    JobList,
    PlanReport,
    SettingRow,
    SettingTable,
    SetupReport,
)

TAGS = {"div", "b", "span", "table", "tbody", "thead", "tr", "td", "th", "pre", "details", "summary", "a"}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre></td></table>", "javascript:alert(1)"]
HOSTILE += [
    "' onmouseover='x",
    "&lt;b&gt;&#60;",
    "<!--",
    "]]>",
    "\x1b[31m\x00\u202e",
    'https://x/"><img src=y>\x1b\u202e',
    "\udcff",
    "<style>*{display:none}",
]

texts = st.one_of(st.sampled_from(HOSTILE), st.text(alphabet=st.characters(exclude_categories=[]), max_size=30))


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.odd, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.odd.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def assert_only_ours(html):
    html.encode()
    assert not set(html) & set("\x00\x07\x1b\x9b\u202e\u2066\u2028")
    seen = Reader(html)
    assert seen.odd == []
    assert {tag for tag, _ in seen.elements} <= TAGS
    for tag, attributes in seen.elements:
        assert set(attributes) <= ({"style", "href", "target", "rel"} if tag == "a" else {"style"})
        assert re.fullmatch(r"[-a-z0-9:;(),.%# ]*", attributes.get("style") or "")
        assert (attributes.get("href") or "https://").startswith(("https://", "http://"))
    return seen


def everything(job, intent, now, text):
    """Every kind of result with `text` wherever text comes from outside."""
    error = {"what": text, "why": text, "fix": text, "traceback": f"{text}\n{text}", "file": text, "line": 3}
    job = replace(
        job,
        name=text,
        platform=text,
        detail=text,
        script=text,
        argv=(text, text),
        machine_type=text,
        accelerator=text,
        commit=text or None,
        branch=text,
        user=text,
        labels={text: text},
        metrics={text: 1.0},
        url=text,
        error=error,
        state=JobState.FAILED,
        end_reason=EndReason.EXIT_CODE,
    )
    left_out = tuple(LeftOut(text, 1, text) for _ in range(5))
    code = replace(
        intent.code, commit=text, branch=text, root=text, changed=(text,) * 5, left_out=left_out, warnings=(text,)
    )
    plan = replace(
        intent.plan, platform=text, machine_type=text, accelerator=text, image=text, request={text: text}, notes=(text,)
    )
    intent = replace(intent, spec=JobSpec(text, (text,)), plan=plan, code=code)
    raw = text.encode(errors="surrogatepass")
    yield view_html(Card(job, now, intent, (text,), (raw, raw), now, text).view())
    checks = (Check(text, "fail", text, text, text),)
    for result in (
        JobList((job,), ({"platform": text, "what": text, "why": text, "fix": text},), now),
        JobDetails(job, intent),
        PlanReport(intent, (text,)),
        ArtifactList(job, (Artifact(text, 1),), Path("x")),
        Difference(text, text, ((text, (text, f"+{text}")),)),
        DoctorReport(checks, text),
        SetupReport(checks, text, (Proposal(text, text, text, text),), (), text, ((text, text),)),
        SetupReport(checks, text, written=((text, text, text),)),
        SettingTable((SettingRow(text, text, text, text),)),
        HelpText(text),
    ):
        yield as_html(result, now)


@settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
def test_no_text_from_outside_can_make_a_tag_or_an_attribute(job, intent, now, text):
    for html in everything(job, intent, now, text):
        assert_only_ours(html)


@pytest.mark.parametrize("text", HOSTILE[:8])
def test_hostile_text_is_shown_as_it_is(job, now, text):
    assert text in assert_only_ours(as_html(replace(job, name=text), now)).text


def test_a_console_address_is_a_link_only_when_it_leads_to_the_web(job, now):
    assert 'href="https://console.example/7"' in as_html(job, now)
    for address in ("javascript:alert(1)", "data:text/html,x", " https://x", "file:///etc/passwd"):
        assert "href" not in as_html(replace(job, url=address), now)


def test_state_is_told_by_icon_and_word_and_colour(job, now):
    assert '<b style="color:#2f81f7;margin-right:10px">● running</b>' in as_html(job, now)


def test_html_without_styles_still_reads_in_order(job, intent, now):
    text = Reader(view_html(Card(job, now, intent).view())).text
    assert text.index("running") < text.index("submitted") < text.index("Command") < text.index("at most")


def test_what_was_left_out_folds_out(job, intent, now):
    left_out = tuple(LeftOut(f"f{number}", number, "rule") for number in range(30))
    html = view_html(Card(job, now, replace(intent, code=replace(intent.code, left_out=left_out))).view())
    assert "<summary" in html
    assert "f29 29 B (rule)" in html
    assert "and 10 more" in html


def test_flags_are_not_broken_at_their_hyphens_and_read_as_they_were(job, now):
    html = as_html(replace(job, argv=("--weight-decay", "0.05", "a - b", "\n")), now)
    assert '<span style="white-space:nowrap">--weight-decay</span> 0.05' in html
    assert "train.py --weight-decay 0.05 'a - b' '\\n'" in assert_only_ours(html).text


def test_a_fix_belongs_to_the_check_above_it():
    html = as_html(DoctorReport((Check("engine", "fail", "no engine", "", "start it"),)))
    assert html.count("border-top") == 1


def test_a_card_stays_small(job, intent, now):
    tail = tuple(b"x" * 200 for _ in range(20))
    assert len(view_html(Card(job, now, intent, tail=tail).view())) < 15_000
