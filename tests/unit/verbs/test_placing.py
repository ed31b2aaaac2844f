"""Where a job goes, and what it may cost."""

from dataclasses import replace

import pytest

from ipymlops.config import write_user
from ipymlops.errors import IpymlopsError, UsageProblem
from ipymlops.spec import JobSpec
from ipymlops.testing.fake_platform import FakePlatform
from ipymlops.verbs.placing import place_of
from ipymlops.verbs.request import parse
from ipymlops.verbs.train import run
from tests.servers.sagemaker_api import sagemaker_api

SPEC = JobSpec("train.py")


def plan(context, *words: str):
    return run(parse(["train", "--plan", *words]).options, context).intent.plan


def test_a_named_platform_is_taken(context):
    assert place_of("fake", SPEC, context).platform.name == "fake"


def test_without_a_gpu_it_is_this_machine(context):
    place = place_of(None, SPEC, context)
    assert (place.platform.name, place.why) == ("local", "")


def test_the_configured_platform_is_taken_and_told(context, home, again):
    write_user(home, {"platform": "fake"})
    place = place_of(None, SPEC, again())
    assert place.platform.name == "fake"
    assert "configured" in place.why


def test_this_machine_as_the_configured_platform_needs_no_word(context, home, again):
    write_user(home, {"platform": "local"})
    assert place_of(None, SPEC, again()).why == ""


def test_a_configured_platform_that_is_none_is_told_with_its_setting(context, again, monkeypatch):
    monkeypatch.setenv("IPYMLOPS_PLATFORM", "dokcer")
    with pytest.raises(UsageProblem, match="no platform is called 'dokcer'") as caught:
        place_of(None, SPEC, again())
    assert caught.value.why.startswith("the setting platform of IPYMLOPS_PLATFORM names dokcer; ")


def test_a_gpu_goes_to_the_only_platform_that_has_it(context):
    place = place_of(None, replace(SPEC, gpu="h200"), context)
    assert place.platform.name == "fake"
    assert "h200" in place.why


def test_a_platform_that_is_not_ready_is_not_chosen(context, monkeypatch):
    def refused(self, spec, plan):
        raise IpymlopsError("nobody is signed in", fix="sign in")

    monkeypatch.setattr(FakePlatform, "preflight", refused)
    with pytest.raises(IpymlopsError, match="nobody is signed in"):
        place_of(None, replace(SPEC, gpu="mi300x"), context)


def test_several_platforms_are_listed_with_their_prices(context, monkeypatch):
    class Dearer(FakePlatform):
        name = "dear"

        def plan(self, spec):
            return replace(super().plan(spec), platform="dear", usd_per_hour=7.0)

    kinds = {"dear": Dearer, "fake": FakePlatform}
    known = context.platforms
    monkeypatch.setattr(type(known), "__iter__", lambda _self: iter(["dear", "fake", "local"]))
    real = type(known).kind
    monkeypatch.setattr(type(known), "kind", lambda self, name: kinds.get(name) or real(self, name))
    with pytest.raises(UsageProblem) as raised:
        run(parse(["train", "--gpu", "h200", "train.py"]).options, context)
    assert raised.value.why == "there are dear (fake.large, $7.00 an hour), fake (fake.large, $3.60 an hour)"
    assert raised.value.edit.flag == "--on"
    assert raised.value.edit.value == "fake"


def test_never_another_gpu_and_never_a_silent_fallback(context):
    with pytest.raises(IpymlopsError, match="h200"):
        run(parse(["train", "--on", "local", "--gpu", "h200", "train.py"]).options, context)


@pytest.mark.parametrize(
    ("words", "cap_s"),
    [
        ([], 86_400),
        (["--max-cost", "3.60"], 3_600),
        (["--max-cost", "1000"], 86_400),
        (["--max-cost", "3.60", "--max-runtime", "30m"], 1_800),
    ],
)
def test_a_cost_becomes_a_cap_in_seconds(words, cap_s, context, monkeypatch):
    planned = FakePlatform.plan

    def with_runtime(self, spec):
        found = planned(self, spec)
        return replace(found, max_runtime_s=spec.max_runtime_s) if spec.max_runtime_s else found

    monkeypatch.setattr(FakePlatform, "plan", with_runtime)
    assert plan(context, "--on", "fake", *words, "train.py").max_runtime_s == cap_s


def test_a_cost_that_buys_nothing_is_refused_with_the_least(context):
    with pytest.raises(UsageProblem) as raised:
        plan(context, "--on", "fake", "--max-cost", "0.01", "train.py")
    assert raised.value.edit.value == "0.06"


def test_a_cost_needs_a_price(context, monkeypatch):
    planned = FakePlatform.plan
    monkeypatch.setattr(FakePlatform, "plan", lambda self, spec: replace(planned(self, spec), usd_per_hour=None))
    with pytest.raises(UsageProblem, match="needs a price"):
        plan(context, "--on", "fake", "--max-cost", "5", "train.py")


def test_the_usual_cap_is_a_setting(context, home, again):
    write_user(home, {"max_runtime": "90m"})
    assert plan(again(), "train.py").max_runtime_s == 5_400
    write_user(home, {"max_runtime": "soon"})
    with pytest.raises(UsageProblem, match="max_runtime"):
        plan(again(), "train.py")


@pytest.fixture
def signed_in(home, again, monkeypatch):
    """A context on an account of the tests' AWS, with every setting of SageMaker."""
    with sagemaker_api() as api:
        for name, value in api.env.items():
            monkeypatch.setenv(name, value)
        write_user(home, {f"sagemaker.{name}": value for name, value in api.settings.items()})
        yield again()


def test_a_machine_that_rents_more_than_was_asked_for_is_among_the_choices_as_it_is(signed_in):
    with pytest.raises(UsageProblem) as raised:
        run(parse(["train", "--gpu", "a100", "train.py"]).options, signed_in)
    there = "fake (fake.large, $3.60 an hour), sagemaker (ml.p4d.24xlarge with 8 a100, $25.25 an hour)"
    assert raised.value.why == f"there are {there}"
    assert raised.value.edit.value == "fake"


def test_the_one_platform_that_rents_the_gpu_gets_the_job_and_the_plan_names_single_gpus(signed_in, monkeypatch):
    monkeypatch.setattr(FakePlatform, "has_gpu", lambda _self, _gpu: False)
    found = plan(signed_in, "--gpu", "a100", "train.py")
    assert (found.platform, found.machine_type, found.asked_count) == ("sagemaker", "ml.p4d.24xlarge", 1)
    assert any("it rents alone: --gpu l40s (ml.g6e.xlarge" in note for note in found.notes)
    with pytest.raises(UsageProblem, match="no platform has k80"):
        plan(signed_in, "--gpu", "k80", "train.py")
