"""Ended messages go to the history, some at a time, beside the writes of the store."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from gateway import log
from gateway.store.archive import ARCHIVE_MAX
from gateway.store.history import History, rows_by_day
from gateway.store.keeper import Keeper
from gateway.store.vault import NotWrittenError

ARCHIVE_S = 0.1
"""How long a few wait for more; many at once would hold up everybody else."""

Call: TypeAlias = Callable[[str, Callable[[], None]], Awaitable[None]]


class Archiver:
    """See the module. `call` runs a job on a thread of that name."""

    def __init__(self, keeper: Keeper, history: History, call: Call) -> None:
        self._keeper = keeper
        self._history = history
        self._call = call
        self._log = log.logger()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if len(self._keeper.archive) < ARCHIVE_MAX:
                await trio.sleep(ARCHIVE_S)
            if not await self._some():
                await trio.sleep(ARCHIVE_S)

    async def rest(self) -> None:
        """All there is, or as much as the history takes."""
        while self._keeper.archive and await self._some():
            pass

    async def _some(self) -> bool:
        """False: the history cannot take them now."""
        if not (ended := self._keeper.archive.take()):
            await trio.lowlevel.checkpoint()
            return True
        by_day = rows_by_day(ended)
        try:
            await self._call("archiver", lambda: self._history.add(by_day))
        except NotWrittenError as error:
            self._log.error("ended messages stay in the store for now", reason=str(error))
            self._keeper.archive.put_back(ended)
            return False
        self._keeper.archived(ended)
        return True
