"""What a platform may be able to do beyond running a job: each ability is a small class, asked for by `isinstance`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ipymlops.hardware.machines import Machine
from ipymlops.job import Job
from ipymlops.platforms.base import PlatformContext
from ipymlops.spec import Plan, PlatformRef


@dataclass(frozen=True)
class Listing:
    """One page of the jobs of an account.

    Attributes:
        jobs: As the platform shows them now, `is_ours` False, `ref` set. The id of one that we submitted, from whatever
            machine, is the id it was submitted with; any other's is made from its native name and creation time.
        deleted: Those of `known` of which this page found that they are no longer there.
        cursor: Hand it back to go on; kept between sessions.
        is_end: Nothing more for now: asking again with the cursor brings only what changed since.
        total: How many there are in all, None where that is not told.
    """

    jobs: tuple[Job, ...]
    cursor: str
    is_end: bool
    deleted: tuple[PlatformRef, ...] = ()
    total: int | None = None


class Lists(ABC):
    """A platform that lists every job of the account, whoever started it."""

    @abstractmethod
    def listing(self, cursor: str, known: Iterable[PlatformRef] = ()) -> Listing:
        """The next page; one round trip.

        Args:
            cursor: "" to begin.
            known: The references of the jobs that are recorded and still there, the newest hour aside; read only where
                the platform tells that some are gone.
        """

    @classmethod
    @abstractmethod
    def is_configured(cls, context: PlatformContext) -> bool:
        """Whether anything says that its user has an account there; cheap: nothing is imported, nobody is asked."""

    @abstractmethod
    def plan_of(self, ref: PlatformRef) -> Plan:
        """What runs there, read back: machine, image, price and the plain request, for jobs that we did not plan."""


class Rents(ABC):
    """A platform that rents machines by type."""

    @abstractmethod
    def machines(self) -> Iterable[Machine]:
        """Every machine with an accelerator, cheapest first where prices are known; never waits for the network."""


@dataclass(frozen=True)
class Proposal:
    """One setting that `setup` would write.

    Attributes:
        key: The platform's own setting, without its name.
        why: One sentence: where the value was found.
        creates: What must be made for it first, by its name and kind; "" where it is there.
        removal: The command that removes it again, once it is made.
        is_optional: Offered only: jobs run without it, so it is written where the user names it.
    """

    key: str
    value: str
    why: str
    creates: str = ""
    removal: str = ""
    is_optional: bool = False


class SetsUp(ABC):
    """A platform that can find its own settings."""

    @abstractmethod
    def proposals(self) -> Iterator[Proposal]:
        """What is not set yet and could be, or is set and is not there; makes nothing, guesses nothing."""

    def create(self, proposal: Proposal) -> None:  # noqa: B027 - for those whose proposals create something
        """Make what `proposal.creates` says; harmless if it is there."""
