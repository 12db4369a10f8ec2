"""Messages through a store as the core drives it, without an event loop: what `bench.micro.store` measures.

A batch is a generator that goes through four steps: admit, begin, settle(Sent), settle(receipt). It yields what it waits for: a
fetch (reader's thread) or the next write (writer's thread). `AT_ONCE` batches are under way together; while one write runs, the
steps of the others are decided and go with the next one, and what has ended is archived: what `gateway/core/storage.py` does on
trio. The memory store decides and is done.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias, TypeVar

from gateway.store import missing
from gateway.store.archive import ARCHIVE_MAX
from gateway.store.base import Admission, CarrierReceipt, Sent, Settled
from gateway.store.fetch import Found, Wanted, fetch
from gateway.store.history import rows_by_day
from gateway.store.opening import Opened
from gateway.store.worker import Worker
from protocol.receipt import MessageState as CarrierState
from routing.guards import Cell, Guard, Member, Unique, Window
from routing.records import Attempt, AttemptKey, Content, Message

AT_ONCE = 16
"""Batches under way: about four in each of their steps."""
FOLD_AFTER_S = 0.5
"""Shorter than the core's, so that folding is at work all the time and not only after the measurement."""
CHANNEL, BOOT = "channel-a", "boot"
TEXT = ("您的验证码是 482913，五分钟内有效，请勿告诉他人。" * 3)[:53].encode("utf-16-be")
MONTH_S, DAY_S, MINUTE_S = 30 * 86_400.0, 86_400.0, 60.0
SCATTER = 0x9E3779B97F4A7C15
"""Makes numbers in turn keys in no order, as hashes and random ids are."""
OPT_OUT = "opt-out"
NOT_OUT = Member(OPT_OUT, "")
CAPS = (Window("cap/minute/shop", 3, MINUTE_S), Window("cap/day/shop", 100, DAY_S), Window("cap/month/shop", 1_000, MONTH_S))
ResultT = TypeVar("ResultT")


class Batch(NamedTuple):
    """What is told to the store about some messages, made before anything is measured."""

    admissions: list[Admission]
    attempts: list[Attempt]
    sent: list[Sent]
    receipts: list[CarrierReceipt]


Life: TypeAlias = Generator[Callable[[], Wanted | None] | None, None, None]
"""Yields what it asks to have fetched, or None for the next write."""


class Traffic:
    """Batches with ids and recipients nobody had before; recipients repeat after `recipients`, in an order like chance."""

    def __init__(self, *, guarded: bool, recipients: int) -> None:
        self._guarded = guarded
        self._recipients = recipients
        self._made = 0

    def batches(self, count: int, size: int, utc: float) -> list[Batch]:
        """`count` messages in batches of `size`."""
        made = [self._one(utc) for _ in range(count)]
        groups = (made[at : at + size] for at in range(0, count, size))
        return [Batch(*map(list, zip(*group, strict=True))) for group in groups]

    def _one(self, utc: float) -> tuple[Admission, Attempt, Sent, CarrierReceipt]:
        self._made += 1
        number = (1 << 60) + self._made
        recipient = number_of(self._made * 1_000_003 % self._recipients)
        message = Message(
            number,
            account="shop",
            public_id=str(number),
            source="10690000123",
            destination=recipient,
            country="CN",
            operator="46000",
            content=Content(TEXT, data_coding=8),
            boot=BOOT,
            arrival_utc=utc,
            expires_utc=utc + DAY_S,
            price=30_000,
            currency="CNY",
        )
        key = AttemptKey(number, 1, 1)
        carrier_id = f"{number:x}"
        return (
            Admission(message, self._guards(number, recipient, utc) if self._guarded else ()),
            Attempt(key, parts=1, channel=CHANNEL, bind=1, user_reference=number & 0xFFFF),
            Sent(key, 1.0, carrier_id, carrier_id),
            CarrierReceipt(CHANNEL, (carrier_id,), CarrierState.DELIVERED, 2.0, utc, "DELIVRD", "000", "", recipient),
        )

    def _guards(self, number: int, recipient: str, utc: float) -> tuple[Guard, ...]:
        """What a policy with duplicates, three caps and opting out would ask for."""
        said = Unique(f"dedupe/shop/{number * SCATTER % (1 << 64):016x}", utc + DAY_S)
        return (Cell(recipient, (NOT_OUT, said, *CAPS)),)


def number_of(index: int) -> str:
    """A recipient; the odd numbers between them have opted out."""
    return f"86130{2 * index:08d}"


class Blocked:
    """The longest time the core's thread was held in one go, waits for the interpreter included, and by what."""

    def __init__(self) -> None:
        self.longest_s: dict[str, float] = {}

    def time(self, what: str, job: Callable[..., ResultT], *arguments: Any) -> ResultT:
        start = time.perf_counter()
        result = job(*arguments)
        taken = time.perf_counter() - start
        if taken > self.longest_s.get(what, 0.0):
            self.longest_s[what] = taken
        return result


class Driver:
    """See the module. One for each opened store; `run` may be called again and again."""

    def __init__(self, opened: Opened, *, at_once: int = AT_ONCE) -> None:
        self.opened = opened
        self.book = opened.book
        self.blocked = Blocked()
        self._at_once = at_once
        self._ahead_s = 0.0
        self._workers = {name: Worker(name) for name in ("writer", "reader", "archiver")} if opened.keeper else {}
        self._events: SimpleQueue[tuple[Callable[[Any], None], Any, BaseException | None]] = SimpleQueue()
        self._ready: deque[Life] = deque()
        self._waiting: list[Life] = []
        self._busy: set[str] = set()

    def utc(self) -> float:
        """The time, and what was skipped to have the last changes folded."""
        return time.time() + self._ahead_s

    def run(self, batches: Sequence[Batch]) -> float:
        """Bring all of them through, then fold and archive what is left. Gives the seconds until the last was settled."""
        start = time.perf_counter()
        if self.opened.keeper is None:
            for batch in batches:
                for _ in self._life(batch):
                    self.book.changes.take()
            return time.perf_counter() - start
        lives = iter([self._life(batch) for batch in batches])
        self._ready.extend(islice(lives, self._at_once))
        while self._turn(lives, archive_from=ARCHIVE_MAX):
            pass
        settled_s = time.perf_counter() - start
        for _ in range(2):  # rows of what ended are removed after it was archived
            self._ahead_s += FOLD_AFTER_S
            while self._turn(iter(()), archive_from=1):
                pass
        return settled_s

    def close(self) -> None:
        """End the threads and close the store."""
        for worker in self._workers.values():
            worker.stop()
        self.opened.close()

    # -- a batch

    def _life(self, batch: Batch) -> Life:
        book, timed, keeper = self.book, self.blocked.time, self.opened.keeper
        messages = [one.message for one in batch.admissions]
        yield lambda: timed("missing", missing.for_admission, book, batch.admissions)
        refused = timed("admit", book.admit, batch.admissions, self.utc())
        assert not any(refused), "a guard refuses"
        yield None
        if keeper is not None:
            keeper.ready(messages)
        begun = timed("begin", book.begin, batch.attempts, 1.0, self.utc())
        assert all(begun.may_leave)
        yield None
        settled = yield from self._settle(batch.sent)
        settled = yield from self._settle(batch.receipts)
        assert len(settled.finals) == len(messages)

    def _settle(self, outcomes: Sequence[Any]) -> Generator[Callable[[], Wanted | None] | None, None, Settled]:
        yield lambda: missing.for_outcomes(self.book, outcomes)
        settled = self.blocked.time("settle", self.book.settle, outcomes, self.utc())
        yield None
        return settled

    # -- what the core does between steps

    def _turn(self, lives: Iterator[Life], archive_from: int) -> bool:
        """Everything that can be done now, then wait for a worker. False when nothing is left to do."""
        ready = self._ready
        while ready:
            life = ready.popleft()
            try:
                self._wait(life, next(life))
            except StopIteration:
                ready.extend(islice(lives, 1))
        self._write()
        self._archive(archive_from)
        if not self._busy:
            return bool(ready)
        while True:
            done, result, error = self._events.get()
            if error is not None:
                raise error
            done(result)
            if self._events.empty():
                return True

    def _call(self, name: str, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._workers[name].do(job, lambda result, error: self._events.put((done, result, error)))

    def _wait(self, life: Life, asks: Callable[[], Wanted | None] | None) -> None:
        """Until the next write, or until what `asks` gives has been fetched."""
        keeper, vault = self.opened.keeper, self.opened.vault
        assert keeper is not None
        assert vault is not None
        if asks is None:
            self._waiting.append(life)
        elif (wanted := asks()) is None:
            self._ready.append(life)
        else:
            went = keeper.reads.begin()
            self._busy.add(f"read {id(life)}")

            def brought(found: Found) -> None:
                self._busy.remove(f"read {id(life)}")
                if self.blocked.time("bring", keeper.bring, found, went):
                    self._ready.append(life)
                else:
                    self._wait(life, asks)

            self._call("reader", lambda: fetch(vault, wanted), brought)

    def _write(self) -> None:
        keeper, vault = self.opened.keeper, self.opened.vault
        assert keeper is not None
        assert vault is not None
        if "write" in self._busy:
            return
        write = self.blocked.time("take", keeper.take, self.utc())
        waiting, self._waiting = self._waiting, []
        if write is None:
            self._ready.extend(waiting)
            return
        self._busy.add("write")

        def written(_: None) -> None:
            self._busy.remove("write")
            self.blocked.time("written", keeper.written, self.utc())
            self._ready.extend(waiting)

        self._call("writer", lambda: vault.write(write), written)

    def _archive(self, least: int) -> None:
        keeper, history = self.opened.keeper, self.opened.history
        assert keeper is not None
        assert history is not None
        if "archive" in self._busy or len(keeper.archive) < least:
            return
        ended = keeper.archive.take()
        if not ended:
            return
        by_day = self.blocked.time("rows_by_day", rows_by_day, ended)
        self._busy.add("archive")

        def archived(_: None) -> None:
            self._busy.remove("archive")
            self.blocked.time("archived", keeper.archived, ended)

        self._call("archiver", lambda: history.add(by_day), archived)
