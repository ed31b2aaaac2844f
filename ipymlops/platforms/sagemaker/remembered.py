"""What one platform object has read lately, so that it is not asked for again at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

MOST = 64


class Remembered:
    """A few answers by what was asked; the oldest are forgotten. Any thread may use it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._answers: OrderedDict[tuple[str, ...], tuple[float, Any]] = OrderedDict()

    def get(self, *asked: str, max_age_s: float = float("inf")) -> Any:
        """None where nothing is known, or only what is older."""
        with self._guard:
            at, answer = self._answers.get(asked, (0.0, None))
        return answer if time.monotonic() - at < max_age_s else None

    def put(self, *asked: str, answer: Any) -> None:
        with self._guard:
            self._answers[asked] = time.monotonic(), answer
            self._answers.move_to_end(asked)
            if len(self._answers) > MOST:
                self._answers.popitem(last=False)
