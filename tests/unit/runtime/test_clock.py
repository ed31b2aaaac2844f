"""The machine's clock may be set while a job runs: neither the cap nor the times of the log follow it."""

import time

import pytest

from ipymlops.runtime.state import boot_clock, steady_time


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
def test_a_clock_that_is_set_moves_no_time_of_a_job(monkeypatch, jump_s):
    now = steady_time()
    first, since_boot = now(), boot_clock()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    assert 0 <= now() - first < 3600
    assert 0 <= boot_clock() - since_boot < 3600
