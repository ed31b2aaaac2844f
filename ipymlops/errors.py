"""Every error a user can meet: what happened, why, and the line that mends it."""

from __future__ import annotations

from typing import ClassVar


class IpymlopsError(Exception):
    """The base of all our errors.

    Attributes: `what` happened, `why`, and the `fix` (either may be empty); `exit_code` is the command's exit status.
    A notebook shows these three lines instead of our internals, and the error still stops Run-All.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(what)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by fields: subclasses' constructors differ, and Ray pickles what a task raised."""
        return _rebuilt, (type(self), dict(self.__dict__))

    def lines(self) -> list[str]:
        """The message, one part a line."""
        why = [f"  why: {self.why}"] if self.why else []
        fix = [f"  fix: {self.fix}"] if self.fix else []
        return [self.what, *why, *fix]

    def to_json(self) -> dict[str, str]:
        return {"what": self.what, "why": self.why, "fix": self.fix}

    def _render_traceback_(self) -> list[str]:
        """IPython prints this in the cell in place of a traceback."""
        first, *rest = self.lines()
        return [f"{type(self).__name__}: {first}", *rest]


def _rebuilt(kind: type[IpymlopsError], fields: dict[str, object]) -> IpymlopsError:
    error = kind.__new__(kind)
    error.__dict__.update(fields)
    error.args = (error.what,)
    return error


class UsageProblem(IpymlopsError):
    """The request was wrong; nothing was started."""

    exit_code = 2


class SourceProblem(UsageProblem):
    """The code cannot be sent as it stands."""


class UnknownJob(UsageProblem):
    """No job answers to that word, or several do.

    Attributes: `word` as it was typed, and the one that was probably `meant`, "" where none is near.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", word: str = "", meant: str = "") -> None:
        self.word, self.meant = word, meant
        super().__init__(what, why=why, fix=fix)


class StoreProblem(IpymlopsError):
    """The record of jobs cannot be read or written."""


class PlatformProblem(IpymlopsError):
    """The platform refused, or could not be reached."""


class QuotaExceeded(PlatformProblem):
    """The account may not start this now; nothing was started, and it is tried again."""


class Unreachable(PlatformProblem):
    """No usable answer: the line was cut, it took too long, or the platform throttles.

    What was asked for may have happened all the same, so it is asked again and never taken for a refusal.
    """


class OutOfCapacity(PlatformProblem):
    """The platform has none of these machines free."""


class MissingExtra(PlatformProblem):
    """A platform's library is not installed."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra, self.module = extra, module
        super().__init__(
            f"{extra} needs a library that is not installed: {module}",
            fix=f"pip install 'ipymlops[{extra}]'",
        )


class NotSignedIn(PlatformProblem):
    """No credentials, or they have expired."""

    exit_code = 4


class JobDidNotSucceed(IpymlopsError):
    """A job that was awaited ended badly."""

    exit_code = 1


class FollowInterrupted(IpymlopsError):
    """A follow was interrupted; the job goes on."""

    exit_code = 130
