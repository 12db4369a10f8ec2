"""A durable store, without its waiting: the book decides, the vault keeps, and this is what goes between them.

    a step:   missing(...) -> fetch from the vault -> bring     only when something is not in memory
              the book decides, at once
              take() -> Write -> vault.write -> written()       one at a time; then whoever took the step may speak
    later:    folding   what changed some time ago and still lives becomes rows, and its pages can go
              evicting  what has its rows and nothing to do soon leaves memory
              archiving what has ended for good moves to the history (`archive`, `archived`)

Most messages end before they are folded: all they cost is a few hundred octets of journal and one row of history.
Whoever drives it (core: `gateway/core/storage.py`; tests and tools: `blocking.py`) answers for one write at a time, begins one
of `reads` before it fetches, and asks again when `bring` says that what was read has changed meanwhile.
"""

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Any

from config.schema import MessageClass
from gateway.store.archive import Archive
from gateway.store.book import Book
from gateway.store.changes import Changes
from gateway.store.ended import Ended
from gateway.store.fetch import Found, Wanted, due_time, notice_key, request_of
from gateway.store.folding import FOLD_MAX, fold_others
from gateway.store.pagebuffer import PageBuffer
from gateway.store.pages import cut
from gateway.store.reads import Reads
from gateway.store.record import Record
from gateway.store.requests import read_key
from gateway.store.rows import NOWHERE, Places, Rows, Taken, each, places_of
from gateway.store.shelf import given_up_utc
from gateway.store.spare import Spare
from gateway.store.states import FINAL
from gateway.store.traits import attention, needs_care, settled
from gateway.store.unfolded import Backlog, Unfolded
from gateway.store.vault import LAST, Vault, Write
from gateway.store.working_set import WorkingSet
from routing.records import Message, MessageState, Notice

FOLD_AFTER_S = 20.0
"""Messages usually end sooner; folding one costs more than its whole journal."""
UNFOLDED_MAX = 70_000
"""Messages in the journal alone: they stay in memory, and a start reads them again."""
STAY_S = 60.0
"""What has something to do so soon stays in memory."""
DUE_MAX = 2_000
CLEAN_MAX = 10_000
GUARDS_MAX = 200_000
NOTICES_MAX = 20_000
"""Notices in memory, of all accounts."""


class Keeper:
    """See the module. `working_set_max` bounds the queued messages that are handed out."""

    def __init__(
        self,
        book: Book,
        *,
        working_set_max: int = 100_000,
        finals_max: int = 20_000,
        fold_after_s: float = FOLD_AFTER_S,
        stay_s: float = STAY_S,
        clean_max: int = CLEAN_MAX,
        guards_max: int = GUARDS_MAX,
        notices_max: int = NOTICES_MAX,
    ) -> None:
        self.book = book
        self.number = 0
        self.queue = WorkingSet(working_set_max)
        self._finals_max = finals_max
        self._fold_after_s = fold_after_s
        self._stay_s = stay_s
        self._clean_max = clean_max
        self._guards_max = guards_max
        self._notices_max = notices_max
        self._cut_at: deque[tuple[float, int]] = deque()
        self._fold_below = 0
        self._backlog = Backlog()
        self._rows: dict[int, Places] = {}
        self._gone: dict[int, Places] = {}
        self._gone_notices: dict[str, float] = {}
        self._passed_due: list[str] = []
        self._passed_requests: list[str] = []
        self._noticed: set[int] = set()
        self._retried: set[int] = set()
        self._clean: OrderedDict[int, None] = OrderedDict()
        self._spare = Spare()
        self._finals: deque[int] = deque()
        self.archive = Archive(book)
        self._due_end = ""
        self._disk_due: float | None = 0.0
        self._due_meanwhile = math.inf
        self._taken: Taken | None = None
        self._buffer = PageBuffer()
        self.reads = Reads()

    # -- what a step needs first

    def missing_due(self, utc: float) -> Wanted | None:
        """What has come due and is not in memory."""
        if self._disk_due is None or self._disk_due > utc:
            return None
        self._due_meanwhile = math.inf
        return Wanted(due_after=self._due_end, due_to=f"{utc:014.3f}{LAST}", due_limit=DUE_MAX)

    def next_due_utc(self) -> float | None:
        """When something comes due, here or in the vault."""
        times = [one for one in (self.book.next_due_utc(), self._disk_due) if one is not None]
        return min(times, default=None)

    def bring(self, found: Found, went: set[int | str]) -> bool:
        """Take what was fetched into memory; what is here already is newer. `went`: of `reads.begin`. False: fetch again."""
        stale = False
        for record in found.records:
            number = record.message.id
            if number in went:
                stale = True
            elif number not in self.book.records and number not in self.book.seals.held and not self._is_gone(number):
                self.load_row(record)
                self._clean[number] = None
                if record.message.state is MessageState.QUEUED:
                    self.queue.came_in(record.message)
        stale = stale or any(key in went for key in found.guards)
        brought = {key: times for key, times in found.guards.items() if key not in went}
        self._spare.add(brought)
        self.book.guards.bring(brought)
        self.book.guards.pay()
        if found.due_end is not None:
            self._due_end = found.due_end
        for notice in found.notices:
            key = notice_key(notice.box, notice.id)
            if notice.id not in self.book.shelf and key not in went and not self._is_told(notice.id, key):
                self.book.hold(notice)
                self._noticed.add(notice.id)
        for request in found.requests:
            if read_key(request.key) in went:
                stale = True
            else:
                self.book.requests.held.setdefault(request.key, request)
        self._passed_due += (*found.due_notices, *found.due_requests)
        self._passed_requests += (request_of(key) for key in found.due_requests)
        self.reads.end(went)
        return not stale

    def _is_told(self, notice_id: int, key: str) -> bool:
        """Whether its sender has it, although its row may still be there."""
        if notice_id in self.book.changes.told or key in self._gone_notices:
            return True
        return self._taken is not None and (notice_id in self._taken.changes.told or key in self._taken.gone_notices)

    def _is_gone(self, number: int) -> bool:
        return number in self._gone or (self._taken is not None and number in self._taken.gone)

    def note_due(self, found: Found) -> None:
        """How far the due ones have been looked at."""
        next_utc = min(math.inf if found.due_next is None else due_time(found.due_next), self._due_meanwhile)
        self._disk_due = None if next_utc == math.inf else next_utc

    # -- queued messages: handed out, or waiting for room

    def ready(self, messages: Iterable[Message]) -> list[Message]:
        """Those of newly queued messages that may be handed out; the others wait until `page_in`."""
        return self.queue.ready(messages, self.book.queued())

    def page_in(self, class_: MessageClass, limit: int, found: Found | None) -> list[Message]:
        """The oldest waiting messages of a class, handed out now. `found`: what `missing_queued` brought."""
        out = []
        for number in self.queue.page_in(class_, limit, found):
            record = self.book.records.get(number)
            if record is not None and record.message.state is MessageState.QUEUED:
                self._clean.pop(number, None)
                out.append(record.message)
        return out

    def room(self, class_: MessageClass) -> int:
        """How many more queued messages of a class may be handed out."""
        return self.queue.limit(class_) - (self.book.queued() - self.queue.waiting.total())

    def notice_is_stored(self, notice_id: int) -> bool:
        """Whether it would be there after a crash."""
        changes = self.book.changes
        return notice_id not in changes.notices and (self._taken is None or notice_id not in self._taken.changes.notices)

    # -- writing

    @property
    def writing(self) -> bool:
        """Whether a write was taken that is not on disk yet."""
        return self._taken is not None

    def take(self, utc: float, *, force: bool = False) -> Write | None:
        """The next write: everything that has changed, and what is to be folded. None when there is nothing, unless `force`."""
        changes = self.book.changes
        self._see_what_is_old(utc)
        if not force and not changes and not self.foldable:
            return None
        self.book.count_ends()
        number = self.number + 1
        book = self.book
        page = cut(changes, book.guards, book.rollups, book.documents, self._totals(), self._buffer)
        write = Write(number, page)
        taken = changes.take()
        self._note(taken, number)
        self._taken = Taken(taken)
        self._taken.ended = [
            one
            for one, record in taken.changed.items()
            if record.message.state in FINAL and (settled(record.message) or one in self.book.ended)
        ]
        self._cut_at.append((utc, number))
        rows = Rows()
        self._fold(rows, utc)
        rows.into(write)
        write.keep_from = self._backlog.trim(number)
        return write

    def _see_what_is_old(self, utc: float) -> None:
        """What has long been in the journal alone is folded, and of more than UNFOLDED_MAX messages the oldest."""
        while self._cut_at and self._cut_at[0][0] <= utc - self._fold_after_s:
            self._fold_below = max(self._fold_below, self._cut_at.popleft()[1] + 1)
        over = len(self._backlog.messages) - UNFOLDED_MAX
        if over > 0:
            self._fold_below = max(self._fold_below, self._backlog.messages.page_of(over) + 1)

    @property
    def foldable(self) -> bool:
        """Whether there is something to fold now, or to let go."""
        some = self._gone or self._gone_notices or self._backlog.any_before(self._fold_below)
        return bool(some) or self._backlog.must_trim(self.number + 1)

    def _totals(self) -> dict[str, int]:
        book = self.book
        totals = {str(state): count for state, count in enumerate(book.states) if count}
        return {"accepted": book.accepted, "dead": book.dead_letters, "newest": book.newest_id, **totals}

    def _note(self, taken: Changes, number: int) -> None:
        self._backlog.note(taken, number)
        for several in (taken.admitted, taken.rewritten, taken.changed):
            if self._clean:
                for message_id in several:
                    self._clean.pop(message_id, None)
            if self.queue:
                for message_id, record in several.items():
                    if record.message.state is not MessageState.QUEUED:
                        self.queue.left(message_id)
        for message_id in taken.ended:
            self._clean.pop(message_id, None)
            self.queue.left(message_id)
        for message_id in taken.void:
            self._backlog.messages.drop(message_id)
            self.queue.left(message_id)
        self._noticed.difference_update(taken.notices)  # the row of one that has changed is an old one
        self.note_retried(taken.notices.values())
        for notice_id, box in taken.told.items():
            self._noticed.discard(notice_id)
            if not self._backlog.notices.drop(notice_id) or notice_id in self._retried:
                self._retried.discard(notice_id)
                self._gone_notices[notice_key(box, notice_id)] = 0.0

    def note_retried(self, notices: Iterable[Notice]) -> None:
        """Those that changed after they were made may have rows, whether the journal has them or not."""
        self._retried.update([one.id for one in notices if one.deliveries])

    # -- folding

    def _fold(self, rows: Rows, utc: float) -> None:
        taken = self._taken
        assert taken is not None
        for message_id, places in self._gone.items():
            rows.remove("message", str(message_id))
            for place in each(places):
                rows.remove(*place)
        taken.gone, self._gone = self._gone, {}
        for key in self._gone_notices:
            rows.remove("notice", key)
        for key in self._passed_due:
            rows.remove("due", key)
        for key in self._passed_requests:
            rows.remove("request", key)
        self._passed_due, self._passed_requests = [], []
        taken.gone_notices, self._gone_notices = self._gone_notices, {}
        for dead in taken.changes.dead.values():
            rows.put("dead", notice_key(dead.box, dead.id), dead)
        for number in taken.changes.unparked:
            if not self._backlog.parked.drop(number):
                rows.remove("parked", str(number))
        self._fold_messages(rows, taken)
        fold_others(rows, taken, self.book, self._backlog, self._fold_below, utc)

    def _fold_messages(self, rows: Rows, taken: Taken) -> None:
        taken.messages = self._backlog.messages.take(self._fold_below, FOLD_MAX + len(taken.changes.admitted))
        ending = {}
        for number in taken.messages:
            record = self.book.records.get(number)
            if record is None or settled(record.message):
                ending[number] = taken.messages[number]  # the history takes it, not a row
                continue
            places = places_of(record, self.book.receipt_grace_s)
            before, now = each(self._rows.get(number, NOWHERE)), each(places)
            rows.put("message", str(number), record)
            for place in before:
                if place not in now:
                    rows.remove(*place)
            for place in now:
                if place not in before:
                    rows.add(*place)
            taken.rows[number] = places
        if ending:
            for number in ending:
                del taken.messages[number]
            self._backlog.ending.put_behind(ending)

    # -- after a write

    def written(self, utc: float) -> None:
        """The write that was taken is on disk."""
        taken, self._taken = self._taken, None
        assert taken is not None
        self.number += 1
        for number, places in taken.rows.items():
            self._rows[number] = places
            self._clean[number] = None
            for name, key in each(places):
                if name == "due":
                    self._seen_due(due_time(key))
        for number in taken.ended:
            self.book.ended.pop(number, None)
        self.archive.add(taken.ended)
        self.archive.add(taken.changes.ended)
        self.reads.went(taken.gone)
        self.reads.went(taken.gone_notices)
        self._spare.add(taken.guards)
        self._noticed.update(taken.notices)
        for notice in map(self.book.shelf.get, taken.notices):
            if notice is not None:
                self._seen_due(given_up_utc(notice))
        for key in taken.requests:
            request = self.book.requests.held.pop(key, None)
            if request is not None:
                self._seen_due(request.until_utc)
                self.reads.went((read_key(key),))
        if self.book.rollups.has_passed(utc):
            self.book.count_ends()
            self.book.rollups.forget_over(utc, lambda key: key in self.book.changes.rollups or key in self._backlog.rollups)
        self._evict(utc)

    def _seen_due(self, at: float) -> None:
        """The vault holds something that comes due then; a look at it that is under way may have missed it."""
        self._disk_due = at if self._disk_due is None else min(at, self._disk_due)
        self._due_meanwhile = min(at, self._due_meanwhile)

    def failed(self) -> None:
        """The write that was taken is not on disk and never will be: what it held belongs to the next one."""
        taken, self._taken = self._taken, None
        assert taken is not None
        if self._cut_at:
            self._cut_at.pop()
        for name in ("messages", "guards", "notices", "parked", "sums", "rollups", "documents", "requests"):
            getattr(self._backlog, name).put_back(getattr(taken, name))
        self._gone = {**taken.gone, **self._gone}
        self._gone_notices = {**taken.gone_notices, **self._gone_notices}
        self.book.changes.put_back(taken.changes)

    def void_taken(self) -> None:
        """Before `failed`, or for the write after: messages the taken write admitted are taken back."""
        assert self._taken is not None
        self.book.void(list(self._taken.changes.admitted))
        self.book.forget(list(self._taken.changes.requests))
        self._taken.changes.requests.clear()

    # -- leaving memory

    def _evict(self, utc: float) -> None:
        book = self.book
        # Those just folded may go when nothing is to be done with them soon; others only make room.
        over = len(self._clean) - self._clean_max
        for number in list(self._clean):
            record = book.records.get(number)
            if record is None or number in book.changes.changed or number in self._backlog.messages:
                del self._clean[number]
                continue
            if not self._may_leave(record, utc):
                del self._clean[number]
                continue
            if over <= 0:
                break
            over -= 1
            del self._clean[number]
            book.unload(number)
            self.reads.went((number,))
            self._rows.pop(number, None)
            self.queue.went_out(number)
        spare = self._spare.take(book.guards, self._backlog.guards, self._guards_max)
        book.guards.forget(spare)
        self.reads.went(spare)
        self._evict_notices()

    def _may_leave(self, record: Record, utc: float) -> bool:
        message = record.message
        if message.state is MessageState.QUEUED and message.id not in self.queue:
            return False
        return not needs_care(record) and attention(record, self.book.receipt_grace_s) > utc + self._stay_s

    def _evict_notices(self) -> None:
        over = len(self.book.shelf) - self._notices_max
        if over <= 0:
            return
        changes = self.book.changes
        for number in [one for one in self._noticed if one not in changes.told and one not in changes.notices][:over]:
            self._noticed.discard(number)
            notice = self.book.unhold(number)
            if notice is not None:
                self.reads.went((notice_key(notice.box, number),))

    # -- archiving

    def archived(self, several: Sequence[Ended]) -> None:
        """The history has them."""
        # Those that have changed since are archived once more, and are needed until then.
        numbers = [one.id for one in several]
        sealed = self.book.seals.held
        over = [one.id for one in several if not self._has_changed(one.id) and sealed.get(one.id, one) is one]
        messages, ending = self._backlog.messages, self._backlog.ending
        messages.drop_all(over)
        ending.drop_all(over)
        if self._clean or self._rows:  # most were over before they were folded
            for number in numbers:
                self._clean.pop(number, None)
                if number in self._rows:
                    self._gone[number] = self._rows.pop(number)
        for number in over:
            sealed.pop(number, None)
        finals = self._finals
        finals += [number for number in numbers if number in self.book.records]
        for number in [finals.popleft() for _ in range(len(finals) - self._finals_max)]:
            needed = self._has_changed(number) or number in messages or number in ending
            if not needed and number in self.book.records:
                self.book.unload(number)

    def _has_changed(self, number: int) -> bool:
        """Whether what was last said of a message is not on disk yet."""
        here, written = self.book.changes, None if self._taken is None else self._taken.changes
        if number in here.changed or number in here.ended:
            return True
        return written is not None and (number in written.changed or number in written.ended)

    # -- for recovery

    def restore(self, record: Record, row: Record | None, first_page: int) -> None:
        """A record as the journal tells it; `row` is what the map has."""
        number = record.message.id
        self.book.load(record)
        if row is not None:
            self._rows[number] = places_of(row, self.book.receipt_grace_s)
        self._backlog.messages.note(number, first_page)
        if settled(record.message):
            self.archive.add((number,))

    def restore_gone(self, row: Record) -> None:
        """A row of a message that the journal voided."""
        self._gone[row.message.id] = places_of(row, self.book.receipt_grace_s)

    def restored(self, numbers: dict[str, dict[Any, int]], told: Iterable[str], last: int) -> None:
        """First pages of what else the journal holds, by kind; keys of notices that were taken; the journal's last page."""
        self._gone_notices.update(dict.fromkeys(told, 0.0))
        for name, several in numbers.items():
            target: Unfolded[Any] = getattr(self._backlog, name)
            for key, number in sorted(several.items(), key=lambda one: one[1]):
                target.note(key, number)
        self.number = self._backlog.kept_from = last
        self._fold_below = last + 1

    def load_row(self, record: Record) -> None:
        """A record as the map has it."""
        self.book.load(record)
        self._rows[record.message.id] = places_of(record, self.book.receipt_grace_s)

    def count_waiting(self, vault: Vault) -> None:
        """Queued messages in the vault that are not in memory; call once everything else is restored."""
        here = Counter(
            self.book.records[number].message.class_
            for number, places in self._rows.items()
            if any(name == "queue" for name, _ in each(places))
        )
        self.queue.count(vault, here)
        first = vault.scan("due", "", LAST, 1)
        self._disk_due = due_time(first[0][0]) if first else None
