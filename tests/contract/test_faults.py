"""The contract tests are seen failing: `make bench` makes every named fault, here one of them."""

from __future__ import annotations

import pytest

from tests.bench.faults import FAULTS, RED, exit_code, unmakeable


def test_every_fault_can_still_be_made() -> None:
    assert list(unmakeable()) == []
    assert len(FAULTS) >= 10


@pytest.mark.parametrize("name", ["a failure stored as success"])
def test_a_fault_turns_its_contract_test_red(name: str) -> None:
    assert exit_code(FAULTS[name], [FAULTS[name].test]) == RED
