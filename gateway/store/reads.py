"""Fetches from the vault that are under way, and what left memory meanwhile: the copy that was read may be an old one."""

from collections.abc import Iterable


class Reads:
    """See the module. Ids of messages are numbers; guards and notices go by their keys."""

    def __init__(self) -> None:
        self._running = 0
        self._went: set[int | str] = set()

    def begin(self) -> None:
        """A fetch begins; `end` must follow."""
        self._running += 1

    def end(self) -> None:
        """It has been brought, or has failed."""
        self._running -= 1
        if not self._running:
            self._went.clear()

    def went(self, keys: Iterable[int | str]) -> None:
        """These left memory, or lost their rows."""
        if self._running:
            self._went.update(keys)

    def __contains__(self, key: int | str) -> bool:
        return key in self._went
