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
    return BlockingStore(Keeper(Book(boot, alone=False), **limits), EmbeddedVault(data_dir), History(data_dir), utc)
