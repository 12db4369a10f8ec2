"""The embedded store keeps the contract: with everything in memory, with nothing in memory, and through crashes."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from contract import *  # noqa: F403
from story import BOOT, START_UTC

from gateway.store.base import Settled, Store
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.store import open_store


@pytest.fixture
def fresh_store(tmp_path: Path, limits: dict[str, float]) -> Iterator[Callable[[], Store]]:
    opened: list[BlockingStore] = []
    numbers = count()

    def fresh() -> Store:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        opened.append(open_store(folder, BOOT, START_UTC, **limits))
        return opened[-1]

    yield fresh
    for store in opened:
        store.close()


@pytest.fixture
def crash(limits: dict[str, float]) -> Callable[[BlockingStore, float], tuple[Store, Settled]]:
    """The process dies; the same directory is opened again."""

    def crashed(store: BlockingStore, utc: float) -> tuple[Store, Settled]:
        folder = store.history.folder.parent
        store.close()
        opened = open_store(folder, BOOT, utc, **limits)
        opened.commit(utc)
        return opened, opened.recovered.settled

    return crashed
