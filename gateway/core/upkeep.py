"""Beside the core's work: history and guards kept in order (in a thread, with connections of its own), debts paid."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from config.schema import Store as StoreSettings
from gateway import log
from gateway.core.storage import Storage
from gateway.store.embedded.sweep import overwrite_deleted, sweep_guards
from gateway.store.history import History
from gateway.store.vault import NotWrittenError, UnreachableError, VaultError

EVERY_S = 3600.0
DAY_S = 86_400.0
PAY_EVERY_S = 0.2
TROUBLE = (VaultError, NotWrittenError, UnreachableError, sqlite3.Error, OSError)
T = TypeVar("T")


async def keep_history(data_dir: Path, settings: StoreSettings) -> None:
    """Delete what is too old, index the days that are over; until cancelled."""
    while True:
        kept = await _tried(partial(_keep, data_dir, settings), "the history cannot be kept in order", may_stop=False)
        if kept is not None and any(kept):
            deleted, emptied = kept
            log.logger().info("history kept in order", days_deleted=deleted, texts_deleted=emptied)
        await trio.sleep(EVERY_S)


def _keep(data_dir: Path, settings: StoreSettings) -> tuple[int, int]:
    history = History(data_dir)
    today = datetime.now(UTC).date()
    try:
        deleted, emptied = history.retain(today, history_days=settings.history_days, text_days=settings.text_days)
        history.close_days(today)
    finally:
        history.close()
    return len(deleted), len(emptied)


async def sweep_store(data_dir: Path, settings: StoreSettings) -> None:
    """Take out what is over of guards and counts; until cancelled. A shutdown does not wait for it: it may stop anywhere."""
    while True:
        swept = await _tried(partial(_sweep, data_dir, settings), "guards that are over stay in the store for now")
        if swept is not None:
            log.logger().debug("guards that were over taken out", guards=swept)
        await trio.sleep(EVERY_S)


def _sweep(data_dir: Path, settings: StoreSettings) -> int:
    if settings.kind == "redis":
        from gateway.store.redis import sweep

        return sweep.sweep_guards(settings.redis.url.reveal(), settings.redis.prefix, time.time())
    return sweep_guards(data_dir, time.time())


async def overwrite_store(data_dir: Path, settings: StoreSettings) -> None:
    """Once a day, first an hour after the start, what was deleted from the store's file goes for good; until cancelled."""
    await trio.sleep(EVERY_S)
    while settings.kind == "embedded":
        pages = await _tried(partial(overwrite_deleted, data_dir), "what was deleted stays in free pages of the store for now")
        if pages is not None:
            log.logger().debug("free pages of the store overwritten", pages=pages)
        await trio.sleep(DAY_S)


async def _tried(work: Callable[[], T], trouble: str, *, may_stop: bool = True) -> T | None:
    """What it gives, done in a thread; None, and `trouble` in the log, when it failed: it is tried again later.

    `may_stop`: a shutdown does not wait for it.
    """
    try:
        return await trio.to_thread.run_sync(work, abandon_on_cancel=may_stop)
    except TROUBLE as error:
        log.logger().error(trouble, reason=str(error))
    return None


async def pay_debts(storage: Storage) -> None:
    """What messages give back that ended while their guards were not in memory, before a crash forgets it; until cancelled."""
    while True:
        await trio.sleep(PAY_EVERY_S)
        await storage.pay()
