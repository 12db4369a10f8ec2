"""The embedded store put together, for whoever may wait."""

from pathlib import Path
from typing import Any

from gateway.store.blocking import BlockingStore
from gateway.store.book import Book
from gateway.store.embedded.vault import EmbeddedVault
from gateway.store.history import History
from gateway.store.keeper import Keeper


def open_store(data_dir: Path, boot: str, utc: float, **limits: Any) -> BlockingStore:
    """Open or make the store in `data_dir`; `limits` are those of `Keeper`. Raises VaultError."""
    vault = EmbeddedVault(data_dir)
    try:
        return BlockingStore(Keeper(Book(boot, alone=False), **limits), vault, History(data_dir), utc)
    except BaseException:
        vault.close()
        raise
