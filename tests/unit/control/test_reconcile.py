import json
from datetime import timedelta

import pytest

from ipymlops.control.courier import carry
from ipymlops.control.dispatch import write_origin
from ipymlops.control.reconcile import reconcile
from ipymlops.testing.fake_platform import FakePlatform


@pytest.fixture
def elsewhere(context, recorded):
    """The job was recorded by another machine that has the same home."""
    write_origin(context, recorded.id)
    path = context.home / "couriers" / f"{recorded.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "other-machine"}))
    return recorded


def test_a_job_without_courier_and_reference_gets_a_courier(context, recorded, sent):
    assert reconcile(context) == (recorded.id,)
    assert sent == [recorded.id]


def test_a_job_that_the_platform_has_is_left_alone(context, accepted, sent):
    assert reconcile(context) == ()


def test_a_job_that_has_ended_is_left_alone(context, recorded, world, sent):
    world.misbehave(refuse=1)
    carry(context, recorded.id)
    assert reconcile(context) == ()


def test_another_machines_own_job_is_left_to_it_and_says_so(context, elsewhere, sent, clock):
    clock.time += timedelta(days=1)
    assert reconcile(context) == ()
    detail = "to be started on other-machine, where it was asked for; ipymlops stop 1 gives it up"
    assert context.store.get(elsewhere.id).detail == detail


def test_another_machines_far_job_is_left_to_it_for_ten_minutes(context, elsewhere, sent, clock, monkeypatch):
    monkeypatch.setattr(FakePlatform, "is_here", False)
    assert reconcile(context) == ()
    clock.time += timedelta(minutes=11)
    assert reconcile(context) == (elsewhere.id,)


def test_an_empty_list_costs_one_query(context, sent, monkeypatch):
    asked = []
    monkeypatch.setattr(context.store, "live", lambda: asked.append(1) or [])
    assert reconcile(context) == ()
    assert asked == [1]
