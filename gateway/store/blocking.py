"""A durable store for whoever may wait: tests, tools, benchmarks. Every step is on disk when it returns.

The core drives the same keeper without blocking (`gateway/core/storage.py`).
"""

from collections.abc import Callable, Iterable, Sequence

from config.schema import MessageClass
from gateway.store import missing
from gateway.store.base import (
    Admission,
    Answered,
    Begun,
    Change,
    Due,
    Ledger,
    Marked,
    Outcome,
    RequestRecord,
    Settled,
    nothing_to_remember,
)
from gateway.store.book import Book
from gateway.store.fetch import Found, Wanted, fetch
from gateway.store.guards import cell_key, places_of_mark
from gateway.store.history import History, rows_by_day
from gateway.store.keeper import Keeper
from gateway.store.keys import by_addresses, by_alias, decimal_id
from gateway.store.record import Record
from gateway.store.recovery import Recovered, recover
from gateway.store.vault import NotWrittenError, Vault
from routing.guards import Guard
from routing.records import Attempt, Message, Notice


class BlockingStore:
    """See the module; the methods are those of `base.Store`. `recovered` is what a start found."""

    def __init__(self, keeper: Keeper, vault: Vault, history: History, utc: float) -> None:
        self.keeper = keeper
        self.book: Book = keeper.book
        self.vault = vault
        self.history = history
        self.recovered: Recovered = recover(keeper, vault, utc)
        for keys in vault.keys("guard"):
            self.book.guards.stored.add(keys)
        self.book.guards.stored.learnt()

    def _bring(self, asks: Callable[[], Wanted | None]) -> Found | None:
        wanted = asks()
        if wanted is None:
            return None
        went = self.keeper.reads.begin()
        found = fetch(self.vault, wanted)
        self.keeper.bring(found, went)
        return found

    def commit(self, utc: float) -> None:
        """Write what has changed, and archive what has ended. Raises NotWrittenError; what was admitted is taken back then."""
        keeper = self.keeper
        is_stored = False
        while (write := keeper.take(utc)) is not None:
            try:
                self.vault.write(write)
            except NotWrittenError:
                keeper.void_taken()
                keeper.failed()
                if is_stored:
                    return  # what follows the step's own write only tidies up, and can wait
                raise
            is_stored = True
            keeper.written(utc)
            ended = keeper.archive.take()
            if ended:
                self.history.add(rows_by_day(ended))
                keeper.archived(ended)

    # -- steps

    def admit(self, batch: Sequence[Admission], utc: float, answered: Answered = nothing_to_remember) -> list[Guard | None]:
        self._bring(lambda: missing.for_admission(self.book, batch))
        self._bring(lambda: missing.of_messages(self.book, (one.message.id for one in batch)))
        refused = self.book.admit(batch, utc, answered)
        self.commit(utc)
        return refused

    def release(self, message_ids: Sequence[int], utc: float) -> list[Message]:
        self._bring(lambda: missing.of_messages(self.book, message_ids))
        released = self.book.release(message_ids, utc)
        self.commit(utc)
        return released

    def begin(self, attempts: Sequence[Attempt], now: float, utc: float) -> Begun:
        self._bring(lambda: missing.of_messages(self.book, (one.key.message_id for one in attempts)))
        self._bring(lambda: missing.of_attempts(self.book, attempts))
        begun = self.book.begin(attempts, now, utc)
        self.commit(utc)
        return begun

    def settle(self, outcomes: Sequence[Outcome], utc: float) -> Settled:
        self._bring(lambda: missing.for_outcomes(self.book, outcomes))
        # Two rounds: only what is here tells at which places others may wait.
        self._bring(lambda: missing.for_outcomes(self.book, outcomes))
        settled = self.book.settle(outcomes, utc)
        self.commit(utc)
        return settled

    def take_due(self, utc: float) -> Due:
        while (found := self._bring(lambda: self.keeper.missing_due(utc))) is not None:
            self.keeper.note_due(found)
            if found.due_end is None:
                break
        due = self.book.take_due(utc)
        self.commit(utc)
        return due

    def next_due_utc(self) -> float | None:
        return self.keeper.next_due_utc()

    def change(self, changes: Sequence[Change], utc: float) -> tuple[list[bool], Settled]:
        self._bring(lambda: missing.of_messages(self.book, (one.message_id for one in changes)))
        changed = self.book.change(changes, utc)
        self.commit(utc)
        return changed

    def page_in(self, class_: MessageClass, limit: int) -> list[Message]:
        found = self._bring(lambda: self.keeper.queue.missing(class_, limit))
        return self.keeper.page_in(class_, limit, found)

    # -- questions

    def _records(self, ids: Iterable[int]) -> dict[int, Record]:
        wanted = list(ids)
        self._bring(lambda: missing.of_messages(self.book, wanted))
        found = self.book.held(wanted)
        absent = [one for one in wanted if one not in found]
        return {**found, **(self.history.find(absent) if absent else {})}

    def find(self, message_ids: Sequence[int]) -> list[Message | None]:
        found = self._records(message_ids)
        return [found[one].message if one in found else None for one in message_ids]

    def attempts(self, message_id: int) -> list[Attempt]:
        found = self._records([message_id])
        return list(found[message_id].attempts) if message_id in found else []

    def resolve(self, account: str, public_id: str) -> list[int]:
        self._bring(lambda: Wanted(finds=[by_alias(account, public_id)]))
        known = self.book.resolve(account, public_id)
        number = decimal_id(public_id)
        if known or number is None:
            return known
        found = self._records([number]).values()
        return [one.message.id for one in found if (one.message.account, one.message.public_id) == (account, public_id)]

    def matching(self, account: str, service_type: str, source: str, destination: str) -> list[int]:
        self._bring(lambda: Wanted(finds=[by_addresses(account, source, destination)]))
        return self.book.matching(account, service_type, source, destination)

    def answers(self, keys: Sequence[str], utc: float) -> dict[str, RequestRecord]:
        self._bring(lambda: missing.of_requests(self.book, keys))
        return self.book.answers(keys, utc)

    def put_document(self, kind: str, name: str, value: bytes) -> None:
        self.book.put_document(kind, name, value)
        self.commit(0.0)

    def list_documents(self, kind: str) -> dict[str, bytes]:
        return self.book.list_documents(kind)

    def notices(self, box: str, limit: int) -> list[Notice]:
        self._bring(lambda: Wanted(notices=(box, limit)))
        return sorted(self.book.notices(box, 1 << 62), key=lambda one: (abs(one.id), -one.id))[:limit]

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        cells = [cell_key(key) for key in (*add, *remove)]
        self._bring(lambda: missing.of_keys(self.book, cells))
        size = self.book.members(set_name, add, remove)
        self.commit(0.0)
        return size

    def marks(self, keys: Sequence[str], utc: float) -> dict[str, Marked]:
        self._bring(lambda: missing.of_keys(self.book, [one for key in keys for one in places_of_mark(key)]))
        return self.book.marks(keys, utc)

    def fund(self, purse: str, amount: int) -> int:
        held = self.book.fund(purse, amount)
        self.commit(0.0)
        return held

    def queued(self) -> int:
        return self.book.queued()

    def scheduled(self) -> int:
        return self.book.scheduled()

    def ledger(self) -> Ledger:
        return self.book.ledger()

    def close(self) -> None:
        """Close every file."""
        self.vault.close()
        self.history.close()
