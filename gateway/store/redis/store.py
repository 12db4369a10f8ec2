"""The Redis store put together, for whoever may wait."""

from pathlib import Path
from typing import Any

from gateway.store.blocking import BlockingStore
from gateway.store.book import Book
from gateway.store.history import History
from gateway.store.keeper import Keeper
from gateway.store.redis.opening import open_redis


def open_store(
    url: str, prefix: str, data_dir: Path, boot: str, utc: float, *, settings: dict[str, Any] | None = None, **limits: Any
) -> BlockingStore:
    """Take over the store at `url`; `settings` are those of `open_redis`, `limits` those of `Keeper`. Raises VaultError."""
    vault = open_redis(url, prefix, data_dir, **settings or {})
    try:
        return BlockingStore(Keeper(Book(boot, alone=False), **limits), vault, History(data_dir), utc)
    except BaseException:
        vault.close()
        raise
