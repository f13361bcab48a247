"""How far a slow command is: one line on stderr, at a terminal only, removed when the work ends."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO, TypeVar

DELAY_S = 1.0  # work that takes less shows nothing
INTERVAL_S = 0.1  # between two updates of the line
ItemT = TypeVar("ItemT")


class Progress:
    """A progress line, as a context manager whose value is the callback ``(done, total)``.

    >>> with Progress("evaluating design points") as update:
    ...     update(1, 2)

    The line appears after :data:`DELAY_S` even if the work never calls back: ``evaluating design points ...``, then
    ``evaluating design points: 1 of 2``. Nothing is written where stderr is not a terminal.

    Parameters
    ----------
    activity : what is being done, such as ``"evaluating design points"``.
    """

    def __init__(self, activity: str) -> None:
        self._text = f"{activity} ..."
        self._activity = activity
        self._stream: TextIO | None = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        self._shown_at_s: float | None = None
        self._shown = ""
        self._lock = threading.Lock()
        self._timer = threading.Timer(DELAY_S, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Progress:
        if self._stream is not None:
            self._timer.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` steps are complete."""
        self._text = f"{self._activity}: {done:,} of {total:,}"
        with self._lock:
            if self._shown_at_s is not None and time.monotonic() - self._shown_at_s >= INTERVAL_S:
                self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._stream is not None and self._shown:
                self._stream.write(f"\r{' ' * len(self._shown)}\r")
                self._stream.flush()
            self._stream = None

    def _appear(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        if self._stream is not None:
            self._stream.write("\r" + self._text.ljust(len(self._shown)))
            self._stream.flush()
            self._shown, self._shown_at_s = self._text, time.monotonic()


def track(items: Iterable[ItemT], activity: str) -> Iterator[ItemT]:
    """The items, with a :class:`Progress` line that counts them: ``drawing figures: 2 of 5``."""
    whole = list(items)
    with Progress(activity) as update:
        for done, item in enumerate(whole):
            update(done, len(whole))
            yield item
