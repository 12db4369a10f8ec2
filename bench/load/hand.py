"""Ctrl-C and SIGTERM. While a run measures they are counted and it ends in order; at any other time they end the program."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bench.load.outcome import FAILED, fail

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class Interrupt:
    """Once ends the sending, twice the waiting too. `at_once`: there is nothing to end in order, KeyboardInterrupt comes."""

    def __init__(self) -> None:
        self.count = 0
        self.at_once = True

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While this lasts, signals come here."""
        with _handled(self._hear):
            yield

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.at_once:
            raise KeyboardInterrupt


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def until_by_hand() -> Iterator[None]:
    """What was begun in here is cleaned up by its own `finally`; the program ends with one line."""
    with _handled(_raise):
        try:
            yield
        except KeyboardInterrupt:
            fail("ended by hand before anything was measured", FAILED)
