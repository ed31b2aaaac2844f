"""Tab completion of `%mlops` lines and `%%mlops` cells, through IPython's matcher API."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipymlops.completion.offers import Offer
    from ipymlops.context import Context

IDENTIFIER = "ipymlops"
PRIORITY = 200.0
"""Before IPython's own matchers, which know nothing of our lines and are suppressed where we know something."""
LONGEST = 56
UNBROKEN = str.maketrans({" ": "\u00a0", "-": "\u2011"})


def completions(line: str, cursor: int, context: Context) -> list[Offer]:
    """What can stand at the cursor of a `%mlops` line: (text, description) pairs, the text replacing the word there."""
    from ipymlops.completion.cut import cut
    from ipymlops.completion.offers import offers

    at = cut(line[:cursor], 0)
    return offers(at, context) if at else []


def register(shell: Any, context_of: Callable[[], Context]) -> None:
    """Teach the shell; doing it again replaces what was there."""
    unregister(shell)
    shell.Completer.custom_matchers.append(_matcher(context_of))


def unregister(shell: Any) -> None:
    kept = [one for one in shell.Completer.custom_matchers if getattr(one, "matcher_identifier", "") != IDENTIFIER]
    shell.Completer.custom_matchers[:] = kept


def _matcher(context_of: Callable[[], Context]) -> Callable[[Any], Any]:
    from IPython.core.completer import context_matcher

    @context_matcher(identifier=IDENTIFIER, priority=PRIORITY)  # type: ignore[untyped-decorator]
    def matcher(asked: Any) -> Any:
        from ipymlops.completion.cut import cut

        text = "\n".join([*asked.full_text.split("\n")[: asked.cursor_line], asked.text_until_cursor])
        at = cut(text, asked.cursor_line)
        if at is None:
            return {"completions": []}
        return _result(at, context_of)

    return matcher  # type: ignore[no-any-return]


def _result(at: Any, context_of: Callable[[], Context]) -> Any:
    from IPython.core.completer import SimpleCompletion

    from ipymlops.completion.offers import offers
    from ipymlops.errors import IpymlopsError

    try:
        found = offers(at, context_of())
    except (IpymlopsError, OSError):  # a broken setting or store is told when the line runs
        found = []
    return {
        "completions": [SimpleCompletion(offer.text, type=_kind(offer)) for offer in found],
        "matched_fragment": at.raw,
        "suppress": bool(found),
        "ordered": True,
    }


def _kind(offer: Offer) -> str:
    """What stands beside the word: short and without a place to break at; Lab lays what it wraps over the next word."""
    words = offer.description or ("a flag of the script" if offer.text.startswith("-") else "ipymlops")
    one_line = words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"
    return one_line.translate(UNBROKEN)
