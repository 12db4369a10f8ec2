"""Fetches from the vault that are under way, and what left memory meanwhile: the copy that was read may be an old one."""

from collections.abc import Iterable


class Reads:
    """See the module. Ids of messages are numbers; guards and notices go by their keys."""

    def __init__(self) -> None:
        self._running: list[set[int | str]] = []

    def begin(self) -> set[int | str]:
        """A fetch begins; `end` must follow. Gives what will have left memory meanwhile."""
        went: set[int | str] = set()
        self._running.append(went)
        return went

    def end(self, went: set[int | str]) -> None:
        """It has been brought, or has failed."""
        self._running = [one for one in self._running if one is not went]

    def went(self, keys: Iterable[int | str]) -> None:
        """These left memory, or lost their rows."""
        for one in self._running:
            one.update(keys)
