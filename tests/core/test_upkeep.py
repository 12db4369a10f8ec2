"""What is done beside the core's work is done, and when it fails it is tried again."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from config.schema import Store
from gateway.core import upkeep
from gateway.store.vault import VaultError


class Overwriting:
    """In place of what overwrites; the first time it cannot."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self._clock = trio.lowlevel.current_clock()

    def __call__(self, _data_dir: Path, *_: Any) -> int:
        self.at.append(self._clock.current_time())
        if len(self.at) == 1:
            raise VaultError("the disk is full")
        return 7


@pytest.mark.parametrize(("kind", "times"), [("embedded", 3), ("memory", 0)])
async def test_what_was_deleted_is_overwritten_every_day(
    kind: Any, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.01  # a thread that works is no reason to jump
    overwriting = Overwriting()
    monkeypatch.setattr(upkeep, "overwrite_deleted", overwriting)
    began = trio.current_time()
    with trio.move_on_after(upkeep.EVERY_S + 2.5 * upkeep.DAY_S):
        await upkeep.overwrite_store(tmp_path, Store(kind=kind))
    due = [began + upkeep.EVERY_S + at * upkeep.DAY_S for at in range(times)]
    assert [round(one) for one in overwriting.at] == [round(one) for one in due]
