"""The store as the core uses it: every step awaits until it is on disk, and all that comes meanwhile goes with the next write.

    step ──> what it needs is fetched, if it is not in memory (reader thread)
         ──> the book decides, at once
         ──> waits for the write that carries it (writer thread); one write runs, the next one collects

Under load a write carries hundreds of steps; alone, a step is written at once. When the disk is full or the server away, what
can be refused is (`trouble` says why), and what cannot waits: receipts are not acknowledged, answers stay unsettled, nothing
is lost. With no vault (the memory store) a step is done when the book has decided.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
import outcome
import trio

from config.schema import MessageClass
from gateway import log
from gateway.clock import Clock
from gateway.core.archiving import Archiver
from gateway.core.keylearning import learn_keys
from gateway.core.mailbox import Signal
from gateway.store import missing
from gateway.store.base import (
    Abandoned,
    Admission,
    Answered,
    Begun,
    Change,
    Due,
    Final,
    Ledger,
    Marked,
    NotSent,
    Outcome,
    RequestRecord,
    Settled,
    nothing_to_remember,
)
from gateway.store.fetch import Found, Wanted, fetch
from gateway.store.guards import cell_key, member_key, places_of_mark
from gateway.store.keys import by_addresses, by_alias, decimal_id
from gateway.store.opening import Opened
from gateway.store.record import Record
from gateway.store.requests import read_key
from gateway.store.vault import LAST, SEPARATOR, NotWrittenError, UnreachableError, Write
from gateway.store.worker import Worker
from routing.guards import Guard
from routing.records import Attempt, AttemptKey, Message, Notice

LINGER_S = 0.002
"""Between writes while they follow each other closely, so that one serves many; a step that comes alone never waits for it."""
BUSY_S = 0.005
IDLE_S = 1.0
RETRY_S = 0.5
LAST_S = 10.0
_NOTICE = msgspec.json.Decoder(Notice)
ResultT = TypeVar("ResultT")


class NotStoredError(Exception):
    """The step could not be stored, and has been taken back."""


class _Batch:
    """Steps that wait for the same write."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.failed = False


class Storage:
    """See the module."""

    def __init__(self, opened: Opened, clock: Clock) -> None:
        self.book = opened.book
        self.keeper = opened.keeper
        self.trouble = ""
        """Why nothing new can be stored; empty when all is well."""
        self.decided: Callable[[Sequence[Final]], None] = lambda _: None
        """Told what becomes final as it is decided, before it is stored."""
        self._vault = opened.vault
        self._history = opened.history
        self._clock = clock
        self._batch = _Batch()
        self._write: Write | None = None
        self._signal = Signal()
        self._written_at = -math.inf
        self._closing = False
        self._workers: dict[str, Worker] = {}
        self._log = log.logger()

    @property
    def durable(self) -> bool:
        """Whether a restart finds what was stored."""
        return self.keeper is not None

    # -- life

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write, archive and fold until cancelled, then write what is left."""
        if self.keeper is None:
            task_status.started()
            await trio.sleep_forever()
        self._workers = {name: Worker(f"tensec-{name}") for name in ("writer", "reader", "archiver")}
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_loop)
                nursery.start_soon(self._archiver().run)
                nursery.start_soon(learn_keys, self._vault, self.book.guards.stored, self._call)
                task_status.started()
        finally:
            with trio.move_on_after(LAST_S, shield=True):
                await self._last_write()
            for worker in self._workers.values():
                worker.stop()

    async def _last_write(self) -> None:
        """Everything that was decided is stored before we go."""
        for _ in range(2):
            await self._write_once()
            await self._archiver().rest()

    def _archiver(self) -> Archiver:
        assert self.keeper is not None and self._history is not None  # noqa: PT018
        return Archiver(self.keeper, self._history, self._call)

    async def _call(self, name: str, job: Callable[[], ResultT]) -> ResultT:
        """Run `job` on a worker's thread; the wait cannot be cancelled, for the job cannot."""
        token, task = trio.lowlevel.current_trio_token(), trio.lowlevel.current_task()

        def done(result: ResultT, error: BaseException | None) -> None:
            def wake() -> None:
                trio.lowlevel.reschedule(task, outcome.Value(result) if error is None else outcome.Error(error))

            token.run_sync_soon(wake)

        self._workers[name].do(job, done)
        return await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)  # type: ignore[no-any-return]

    async def _write_loop(self) -> None:
        while True:
            with trio.move_on_after(IDLE_S):
                await self._signal.wait()
            if self._clock.now() - self._written_at < BUSY_S:
                await trio.sleep(LINGER_S)
            await self._write_once()
            if self.trouble:
                await trio.sleep(RETRY_S)
                self._signal.set()

    async def _write_once(self) -> None:
        """Cut a write from what has changed, and see it stored."""
        assert self.keeper is not None
        batch, self._batch = self._batch, _Batch()
        if self._write is None:
            self._write = self.keeper.take(self._clock.utc(), force=bool(self.trouble))
        if (write := self._write) is not None:  # else one that may have happened, and must be made again as it is
            try:
                await self._store(write)
            except NotWrittenError as error:
                self._in_trouble(str(error))
                batch.failed = True
                self._write = None
                self.keeper.void_taken()
                self.keeper.failed()
            else:
                self._write = None
                self.keeper.written(self._clock.utc())
                self._in_trouble(getattr(self._vault, "away", ""))
        self._written_at = self._clock.now()
        batch.done.set()
        if self.keeper.foldable:
            self._signal.set()

    async def _store(self, write: Write) -> None:
        """Until it is known to be stored. Raises NotWrittenError when it is known not to be."""
        vault = self._vault
        assert vault is not None
        while True:
            try:
                return await self._call("writer", lambda: vault.write(write))
            except UnreachableError as error:
                self._in_trouble(str(error))
                await trio.sleep(RETRY_S)

    def _in_trouble(self, why: str) -> None:
        if why and not self.trouble:
            self._log.error("nothing can be stored: new messages are refused, sending stops", reason=why)
        if self.trouble and not why:
            self._log.warning("storing again")
        self.trouble = why

    async def _durable(self) -> bool:
        """Wait until what has been decided so far is stored. False: it was not, and goes with a later write; see `trouble`."""
        if self.keeper is None:
            self.book.changes.take()
            await trio.lowlevel.checkpoint()
            return True
        batch = self._batch
        self._signal.set()
        await batch.done.wait()
        return not batch.failed

    async def _surely(self) -> None:
        """Wait until it is stored, however long that takes."""
        while not await self._durable():
            pass

    async def _bring(self, asks: Callable[[], Wanted | None], *, leads_on: bool = True) -> Found | None:
        """Fetch what is missing until nothing is, or nobody has it. Gives what the first fetch found.

        It is asked again, for what was here may have left memory meanwhile; or, if it `leads_on`, what came may ask for more.
        """
        keeper = self.keeper
        first: Found | None = None
        tried: set[int | str] = set()
        while keeper is not None and (wanted := asks()) is not None:
            asked: set[int | str] = {*wanted.ids, *wanted.finds, *wanted.guards, *map(read_key, wanted.requests)}
            if first is not None and asked <= tried:
                break
            went = keeper.reads.begin()
            found = await self._fetch(wanted, went)
            if keeper.bring(found, went):
                tried |= asked
                first = first or found
                if not (leads_on or went):
                    break
        return first

    async def _fetch(self, wanted: Wanted, went: set[int | str]) -> Found:
        """What the vault has of it, however long the vault is away."""
        keeper, vault = self.keeper, self._vault
        assert keeper is not None
        assert vault is not None
        try:
            while True:
                try:
                    return await self._call("reader", lambda: fetch(vault, wanted))
                except UnreachableError:
                    await trio.sleep(RETRY_S)
        except BaseException:
            keeper.reads.end(went)
            raise

    # -- steps

    async def admit(self, batch: list[Admission], answered: Answered = nothing_to_remember) -> list[Guard | None]:
        """See Store.admit. The caller's `batch` is emptied, as by `settle`. Raises NotStoredError: none of it was."""
        if self.keeper is not None:
            await self._bring(lambda: missing.for_admission(self.book, batch), leads_on=False)
        refused = self.book.admit(batch, self._clock.utc(), answered)
        batch.clear()
        if not await self._durable():
            raise NotStoredError(self.trouble)
        return refused

    def ready(self, messages: Sequence[Message]) -> list[Message]:
        """Those of newly queued messages that are to be sent now; the others wait in the store until `page_in`."""
        return list(messages) if self.keeper is None else self.keeper.ready(messages)

    def waiting(self, class_: MessageClass) -> int:
        """Queued messages of a class that are not handed out."""
        return 0 if self.keeper is None else self.keeper.queue.waiting[class_]

    async def page_in(self, class_: MessageClass, limit: int) -> list[Message]:
        """The oldest of those that wait."""
        keeper = self.keeper
        if keeper is None:
            return []
        limit = min(limit, keeper.room(class_))
        if limit <= 0:
            return []
        found = await self._bring(lambda: keeper.queue.missing(class_, limit))
        return keeper.page_in(class_, limit, found)

    async def release(self, message_ids: Sequence[int]) -> list[Message]:
        """See Store.release."""
        keeper = self.keeper
        if keeper is not None:
            await self._bring(lambda: missing.of_messages(self.book, message_ids))
        released = self.book.release(message_ids, self._clock.utc())
        await self._surely()
        return released

    async def begin(self, attempts: Sequence[Attempt]) -> Begun:
        """See Store.begin. When it cannot be stored nothing may leave, and the messages are queued again."""
        if self.keeper is not None:
            await self._bring(lambda: missing.of_attempts(self.book, attempts))
        begun = self.book.begin(attempts, self._clock.now(), self._clock.utc())
        self.decided(begun.settled.finals)
        if await self._durable():
            return begun
        taken = [attempt.key for attempt, may_leave in zip(attempts, begun.may_leave, strict=True) if may_leave]
        settled = self.book.settle(self._take_back(taken), self._clock.utc())
        self.decided(settled.finals)
        begun.settled.requeue += settled.requeue
        begun.may_leave = [False] * len(attempts)
        return begun

    def _take_back(self, keys: Sequence[AttemptKey]) -> list[Outcome]:
        """Attempts that must not leave. Of a message whose other parts are out already, a campaign's is not sent again."""
        back: list[Outcome] = []
        for key in keys:
            record = self.book.records[key.message_id]
            out = any(one.key.number == key.number and one.key not in keys for one in record.attempts)
            back.append(NotSent(key, kept=out))
            if out and record.message.class_ != "marketing":
                back.append(Abandoned(key.message_id, key.number))
        return back

    async def settle(self, outcomes: list[Outcome]) -> Settled:
        """See Store.settle. The caller's list is emptied: to free outcomes while they are at hand costs less than later."""
        if self.keeper is not None:
            await self._bring(lambda: missing.for_outcomes(self.book, outcomes))
        settled = self.book.settle(outcomes, self._clock.utc())
        self.decided(settled.finals)
        outcomes.clear()
        await self._surely()
        return settled

    async def take_due(self) -> Due | None:
        """See Store.take_due; None when nothing has come due."""
        utc = self._clock.utc()
        keeper = self.keeper
        if keeper is not None:
            found = await self._bring(lambda: keeper.missing_due(utc))
            if found is not None:
                keeper.note_due(found)
        if not self.book.indexes.agenda.has_come(utc):
            return None
        due = self.book.take_due(utc)
        self.decided(due.settled.finals)
        await self._surely()
        return due

    async def change(self, changes: Sequence[Change]) -> tuple[list[bool], Settled]:
        """See Store.change."""
        if self.keeper is not None:
            await self._bring(lambda: missing.of_messages(self.book, (one.message_id for one in changes)))
        changed, settled = self.book.change(changes, self._clock.utc())
        self.decided(settled.finals)
        await self._surely()
        return changed, settled

    # -- questions

    async def settled(self) -> None:
        """Wait until what has been decided is stored, or is known not to be now: what is told should outlive a crash."""
        if self.keeper is not None and (self.book.changes or self.keeper.writing):
            await self._durable()

    async def find(self, message_ids: Iterable[int]) -> dict[int, Message]:
        """Messages by id, ended ones too."""
        return {number: record.message for number, record in (await self.records(message_ids)).items()}

    async def records(self, message_ids: Iterable[int]) -> dict[int, Record]:
        """The same with their attempts."""
        await self.settled()
        ids = list(message_ids)
        keeper, history = self.keeper, self._history
        if keeper is not None:
            await self._bring(lambda: missing.of_messages(self.book, ids))
        found = self.book.held(ids)
        absent = [one for one in ids if one not in found]
        if absent and history is not None:
            found.update(await self._call("reader", lambda: history.find(absent)))
        return found

    async def resolve(self, account: str, public_id: str) -> list[Message]:
        """The account's messages that go by `public_id`: a decimal id, or for those that have not ended long ago an alias."""
        if self.keeper is not None:
            await self._bring_once(Wanted(finds=[by_alias(account, public_id)]))
        known = self.book.resolve(account, public_id)
        number = decimal_id(public_id)
        if not known and number is not None:
            known = [number]
        found = (await self.find(known)).values()
        return [one for one in found if (one.account, one.public_id) == (account, public_id)]

    async def matching(self, account: str, service_type: str, source: str, destination: str) -> list[int]:
        """See Store.matching."""
        if self.keeper is not None:
            await self._bring_once(Wanted(finds=[by_addresses(account, source, destination)]))
        return self.book.matching(account, service_type, source, destination)

    async def answers(self, keys: Sequence[str]) -> dict[str, RequestRecord]:
        """See Store.answers."""
        if self.keeper is not None and keys:
            await self._bring(lambda: missing.of_requests(self.book, keys))
        return self.book.answers(keys, self._clock.utc())

    async def put_document(self, kind: str, name: str, value: bytes) -> None:
        """Keep a small document; an empty `value` takes it away."""
        self.book.put_document(kind, name, value)
        await self._surely()

    async def notices(self, box: str, limit: int) -> list[Notice]:
        """See Store.notices; only those a crash cannot take back."""
        if self.keeper is None:
            return self.book.notices(box, limit)
        await self._bring_once(Wanted(notices=(box, limit)))
        held = self.book.shelf.by_box.get(box, OrderedDict())
        stored = (one for one in held.values() if self.keeper.notice_is_stored(one.id))
        return sorted(stored, key=lambda one: (abs(one.id), -one.id))[:limit]

    async def dead_letters(self, limit: int, box: str = "") -> list[Notice]:
        """Notices nobody took in time, by account; with `box` those of one alone."""
        vault = self._vault
        if vault is None:
            return []
        start = f"{box}{SEPARATOR}" if box else ""
        rows = await self._call("reader", lambda: vault.scan("dead", start, start + LAST, limit))
        return [_NOTICE.decode(row) for _, row in rows]

    async def _bring_once(self, wanted: Wanted) -> None:
        await self._bring(lambda: wanted)

    async def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """See Store.members."""
        cells = [cell_key(key) for key in (*add, *remove)]
        await self._bring(lambda: missing.of_keys(self.book, cells))
        size = self.book.members(set_name, add, remove)
        await self._surely()
        return size

    async def list_members(self, set_name: str, after: str, limit: int) -> tuple[list[str], int]:
        """Members of a set in order, after `after`, and how many there are."""
        here = self.book.guards.members_here(set_name)
        found = {key for key, member in here.items() if member and key > after}
        vault = self._vault
        if vault is not None:
            start = member_key(set_name, "")
            rows = await self._call("reader", lambda: vault.scan("guard", start + after, start + LAST, limit + len(here)))
            stored = {key[len(start) :] for key, _ in rows}
            found |= {key for key in stored if key not in here}
        return sorted(found)[:limit], self.book.members(set_name)

    async def would_pass(self, guards: Sequence[Guard]) -> list[tuple[Guard, bool]]:
        """Each single guard, and whether it would let pass now; nothing is taken."""
        await self._bring(lambda: missing.of_guards(self.book, guards))
        return self.book.guards.would_pass(guards, self._clock.utc())

    async def marks(self, keys: Sequence[str]) -> dict[str, Marked]:
        """See Store.marks."""
        await self._bring(lambda: missing.of_keys(self.book, [one for key in keys for one in places_of_mark(key)]))
        return self.book.marks(keys, self._clock.utc())

    async def pay(self) -> None:
        """Bring cells that something is owed to: it is known to memory alone."""
        await self._bring(lambda: missing.of_owed(self.book))

    async def fund(self, purse: str, amount: int) -> int:
        """See Store.fund."""
        held = self.book.fund(purse, amount)
        await self._surely()
        return held

    def open_purse(self, purse: str, amount: int) -> None:
        """Make a purse with `amount` in it, unless there is one; stored with whatever is stored next."""
        if not self.book.has_purse(purse):
            self.book.fund(purse, amount)

    def queued(self) -> int:
        """How many messages are queued."""
        return self.book.queued()

    def scheduled(self) -> int:
        """How many messages wait for their time."""
        return self.book.scheduled()

    def ledger(self) -> Ledger:
        """The sums."""
        return self.book.ledger()
