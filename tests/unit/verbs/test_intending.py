"""From a line to an intent: hints, and what a plan needs."""

from dataclasses import replace

import pytest

from ipymlops.errors import NotSignedIn
from ipymlops.testing.fake_platform import FakePlatform
from ipymlops.verbs.dispatch import dispatch
from ipymlops.verbs.intending import intended
from ipymlops.verbs.request import parse


@pytest.fixture
def made(context):
    """What a `train` line on the fake platform would start."""
    return lambda *words: intended(parse(["train", "--on", "fake", *words]).options, context)


@pytest.fixture
def signed_out(monkeypatch):
    def refused(*_):
        raise NotSignedIn("nobody is signed in", fix="sign in")

    monkeypatch.setattr(FakePlatform, "preflight", refused)


def test_a_plan_needs_no_sign_in(context, made, signed_out):
    assert made("--plan", "train.py").intent.plan.platform == "fake"
    with pytest.raises(NotSignedIn):
        made("train.py")
    assert context.store.live() == []


def test_what_is_shown_and_what_is_sent_name_the_same_image(made, monkeypatch):
    def pinned(_self, _spec, plan):
        return replace(plan, image="i@sha256:1")

    monkeypatch.setattr(FakePlatform, "pinned", pinned)
    assert {made(*words, "train.py").intent.plan.image for words in (("--plan",), ())} == {"i@sha256:1"}


def test_a_comment_on_a_line_is_pointed_out_and_goes_to_the_script(made):
    words = ("train.py", "--lr", "1", "#", "a", "note")
    asked = made(*words)
    assert asked.intent.spec.argv == words[1:]
    assert "the words from # on are the script's own: a line has no comments" in asked.hints
    assert made("train.py", "--colour", "#fff").hints == ()


def test_a_plan_of_an_engine_that_is_not_there_is_a_plan(context, monkeypatch, tmp_path):
    monkeypatch.setitem(context.env, "DOCKER_HOST", f"unix://{tmp_path / 'nobody.sock'}")
    report = dispatch(["train", "--plan", "--on", "docker", "train.py"], None, context)
    assert (report.intent.plan.platform, report.to_json()["request"] is not None) == ("docker", True)
