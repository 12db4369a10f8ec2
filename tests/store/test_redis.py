"""The Redis store keeps the contract: with everything in memory, with nothing in memory, and through crashes."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from contract import *  # noqa: F403
from story import BOOT, START_UTC

from bench.redis_server import RedisServer
from gateway.store.base import Settled, Store
from gateway.store.blocking import BlockingStore
from gateway.store.redis.store import open_store


@pytest.fixture
def reopen(
    redis_server: RedisServer, redis_prefix: str, limits: dict[str, float]
) -> Iterator[Callable[[Path, float], BlockingStore]]:
    """Open the store that belongs to a directory."""
    opened: list[BlockingStore] = []

    def reopened(folder: Path, utc: float) -> BlockingStore:
        opened.append(open_store(redis_server.url, f"{redis_prefix}-{folder.name}", folder, BOOT, utc, **limits))
        return opened[-1]

    yield reopened
    for store in opened:
        store.close()


@pytest.fixture
def fresh_store(tmp_path: Path, reopen: Callable[[Path, float], BlockingStore]) -> Callable[[], Store]:
    numbers = count()

    def fresh() -> Store:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return reopen(folder, START_UTC)

    return fresh


@pytest.fixture
def crash(reopen: Callable[[Path, float], BlockingStore]) -> Callable[[BlockingStore, float], tuple[Store, Settled]]:
    """The process dies; the same store is opened again."""

    def crashed(store: BlockingStore, utc: float) -> tuple[Store, Settled]:
        folder = store.history.folder.parent
        store.close()
        opened = reopen(folder, utc)
        opened.commit(utc)
        return opened, opened.recovered.settled

    return crashed
