"""What only the inside of a service's container knows, and how a result leaves it: one file a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from ipymlops.runtime.problem import LaunchProblem

if TYPE_CHECKING:
    from ipymlops.runtime.outcome import Outcome
    from ipymlops.runtime.signals import Signals
    from ipymlops.runtime.state import State


class Place:
    """A launcher that runs where nothing is to be added."""

    def adapted(self, raw: Dict[str, Any], signals: Signals) -> Dict[str, Any]:  # noqa: ARG002 - for those that wait
        """The configuration with what only the container knows: rank, nodes, folders, deadline, variables."""
        return raw

    def secrets(self, raw: Dict[str, Any]) -> Dict[str, str]:
        """The values of the secrets, by variable."""
        raise LaunchProblem("nobody here has the secrets {}".format(", ".join(raw["secrets_from"])))

    def beat(self, state: State) -> None:
        """Called every minute while the script runs."""

    def explained(self, outcome: Outcome, tail: bytes) -> Outcome:  # noqa: ARG002 - for those that know more
        """How the script ended, by the end of its log, with what a failure means here."""
        return outcome

    def delivered(self, raw: Dict[str, Any], state: State, result: Dict[str, Any], signals: Signals) -> None:
        """Hand over the result that was just written, and see that everything leaves the machine."""


def place_called(name: str) -> Place:
    """Raises `LaunchProblem` for a place that this version does not know."""
    if name == "sagemaker":
        from ipymlops.runtime.places.sagemaker import SageMaker

        return SageMaker()
    raise LaunchProblem("this launcher knows no place called {!a}".format(name))
