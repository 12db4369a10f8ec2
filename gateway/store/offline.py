"""The store without a core: whoever holds the lock of the data directory may open it."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from config.schema import Store
from gateway.store.base import Ledger
from gateway.store.opening import open_parts
from gateway.store.recovery import recover
from gateway.store.vault import VaultError

LOCK = "core.lock"


def lock(data_dir: Path) -> IO[str]:
    """One owner per data directory, until the file is closed. Raises VaultError."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        held = (data_dir / LOCK).open("a", encoding="ascii")
    except OSError as error:
        raise VaultError(f"data_dir {data_dir}: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise VaultError(f"data_dir {data_dir}: another tensec runs on it; stop it or set another data_dir") from None
    return held


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """While no core can start."""
    with lock(data_dir):
        yield


def ledger(settings: Store, data_dir: Path) -> Ledger:
    """The sums a core would start with; nothing is changed. Raises VaultError."""
    with locked(data_dir):
        opened = open_parts(settings, data_dir, "")
        try:
            if opened.keeper is not None and opened.vault is not None:
                recover(opened.keeper, opened.vault, time.time())
            return opened.book.ledger()
        finally:
            opened.close()
