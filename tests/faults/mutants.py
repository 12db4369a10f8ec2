"""`tensec` with one thing wrong, to see that the tests of this folder notice: python mutants.py MUTANT serve --config FILE

Each mutant breaks one promise of the core by replacing a few functions from outside; the gateway itself knows nothing of this.
One breaks none: `slow-write` only stays long where a kill is to hit it.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

LATE_S = 0.03
"""How long a slow disk takes: between the deed and the record of it."""


def late_intent() -> None:
    """Octets leave for the carrier first, and only then the attempt is stored as sending."""
    import trio

    from gateway.core.lane import Lane
    from gateway.core.pipeline import Pipeline
    from gateway.store.base import Begun, Settled

    begin, send_some = Pipeline.begin, Lane._send_some
    owed: list[Any] = []

    async def say_yes(_self: Pipeline, attempts: Any) -> Begun:
        owed.extend(attempts)
        return Begun([True] * len(attempts), Settled())

    async def send_then_store(self: Lane) -> bool:
        more = await send_some(self)
        attempts, owed[:] = [one for one in owed if one.channel == self.name], [one for one in owed if one.channel != self.name]
        if attempts:
            await trio.sleep(LATE_S)
            await begin(self._owner, attempts)
        return more

    Pipeline.begin = say_yes  # type: ignore[method-assign]
    Lane._send_some = send_then_store  # type: ignore[method-assign]


def slow_write() -> None:
    """Right, but slow: a pause between the stored intent and the write."""
    import trio

    from gateway.core.pipeline import Pipeline
    from gateway.store.base import Begun

    begin = Pipeline.begin

    async def begin_and_wait(self: Pipeline, attempts: Any) -> Begun:
        begun = await begin(self, attempts)
        await trio.sleep(LATE_S)
        return begun

    Pipeline.begin = begin_and_wait  # type: ignore[method-assign]


def early_acknowledgement() -> None:
    """Receipts are acknowledged to the carrier first, and only then stored."""
    import trio

    from gateway.core.mailbox import Mailbox
    from gateway.core.pipeline import Pipeline
    from protocol.status import Status

    init = Pipeline.__init__

    class Hasty(Mailbox):  # type: ignore[type-arg]
        async def take(self) -> list[Any]:
            reports = await super().take()
            for report in reports:
                if report.source is not None and report.requests:
                    report.source.acknowledge(report.requests, Status.ROK)
                    report.requests = []
            await trio.sleep(LATE_S)
            return reports

    def with_hasty_reports(self: Pipeline, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        self.reports = Hasty()

    Pipeline.__init__ = with_hasty_reports  # type: ignore[method-assign]


def no_sync() -> None:
    """Nobody waits for the disk: neither the journal nor SQLite."""
    os.fdatasync = lambda _: None
    connect = sqlite3.connect

    class Careless(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            return super().execute(_careless(sql), *arguments)

        def executescript(self, sql: str) -> sqlite3.Cursor:
            return super().executescript(_careless(sql))

    def connect_carelessly(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **{**named, "factory": Careless})
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    sqlite3.connect = connect_carelessly


def _careless(sql: str) -> str:
    return re.sub(r"(?i)(synchronous\s*=\s*)\w+", r"\1OFF", sql)


MUTANTS: dict[str, Callable[[], None]] = {
    "late-intent": late_intent,
    "early-acknowledgement": early_acknowledgement,
    "no-sync": no_sync,
    "slow-write": slow_write,
}


def launcher(name: str) -> tuple[str, ...]:
    """What stands for `tensec` on a command line. Skips the test where classes are compiled: C does not ask for methods."""
    import pytest

    from gateway.compiled import is_compiled

    assert name in MUTANTS
    if is_compiled():
        pytest.skip("mutants replace methods: `make pure`")
    return (sys.executable, str(Path(__file__).resolve()), name)


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    from gateway.cli.main import main

    main()
