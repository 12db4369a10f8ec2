"""What a step needs that is not in memory: to be fetched before the book decides. None when everything is there."""

from collections.abc import Iterable, Sequence

from gateway.store.base import (
    Abandoned,
    Admission,
    Announce,
    CarrierReceipt,
    Finish,
    Membership,
    NoticeDone,
    NoticeKept,
    NotSent,
    Outcome,
    Reach,
    Refused,
    Sent,
    Unclear,
)
from gateway.store.book import Book
from gateway.store.fetch import Wanted
from gateway.store.guards import cell_key, marks_cell
from gateway.store.keys import by_carrier, by_place
from gateway.store.packedguards import guards_of
from routing.guards import Cell, Guard
from routing.records import Attempt, AttemptKey


def for_admission(book: Book, batch: Sequence[Admission]) -> Wanted | None:
    """Guards that are not held, and what is owed to some."""
    guards = book.guards
    wanted = {key for one in batch if one.guards for key in guards.missing(one.guards)}
    wanted.update(guards.missing_for_debts())
    return Wanted(guards=list(wanted)) if wanted else None


def of_owed(book: Book) -> Wanted | None:
    """What is owed to some guards can be given back when these are here."""
    wanted = book.guards.missing_for_debts()
    return Wanted(guards=wanted) if wanted else None


def of_requests(book: Book, keys: Iterable[str]) -> Wanted | None:
    """Answers to requests, by key."""
    wanted = [key for key in keys if key not in book.requests.held]
    return Wanted(requests=wanted) if wanted else None


def of_attempts(book: Book, attempts: Sequence[Attempt]) -> Wanted | None:
    """Memberships that are asked again before a message leaves, and cells that are marked; they are here unless it has waited
    for long.
    """
    records, unsure_to = book.records, book.unsure_to
    asked: list[Guard] = []
    for attempt in attempts:
        record = records.get(attempt.key.message_id)
        if record is None or not record.guards:
            continue
        if record.message.id <= unsure_to or (not isinstance(record.guards, bytes) and marks_cell(record.guards[0])):
            asked += guards_of(record)
    wanted = book.guards.missing(asked, members_only=True) if asked else []
    return Wanted(guards=wanted) if wanted else None


def of_guards(book: Book, guards: Sequence[Guard]) -> Wanted | None:
    """Keys of guards that are not held."""
    wanted = book.guards.missing(guards)
    return Wanted(guards=wanted) if wanted else None


def of_keys(book: Book, keys: Sequence[str]) -> Wanted | None:
    """Cells and marks by their spelled keys."""
    wanted = [key for key in keys if key not in book.guards.held]
    return Wanted(guards=wanted) if wanted else None


def of_messages(book: Book, ids: Iterable[int]) -> Wanted | None:
    """Messages by id."""
    wanted = {one for one in ids if one not in book.records and one not in book.seals.held}
    return Wanted(ids=wanted) if wanted else None


def for_outcomes(book: Book, outcomes: Sequence[Outcome]) -> Wanted | None:
    """Messages the outcomes are about, or may be about."""
    wanted = Wanted(finds=[], guards=[])
    unknown: list[CarrierReceipt] = []
    records = book.records
    for outcome in outcomes:  # the commonest first: whether it is here is asked for every one
        if type(outcome) is CarrierReceipt:
            if not _is_known(book, outcome):
                unknown.append(outcome)
        elif type(outcome) is Sent:
            if not outcome.carrier_id or outcome.key.message_id not in records:
                _for_attempt(book, outcome.key, wanted, about_place=not outcome.carrier_id)
        elif isinstance(outcome, (NoticeDone, NoticeKept, Announce)):
            continue
        elif isinstance(outcome, Membership):
            cell = cell_key(outcome.key)
            if cell not in book.guards.held:
                wanted.guards.append(cell)
        elif isinstance(outcome, Reach):
            wanted.guards += book.guards.missing((Cell(outcome.key, (outcome.failures,)),))
        elif isinstance(outcome, (Refused, NotSent, Unclear)):
            _for_attempt(book, outcome.key, wanted, about_place=isinstance(outcome, Unclear))
        elif isinstance(outcome, (Abandoned, Finish)) and outcome.message_id not in records:
            wanted.ids.add(outcome.message_id)
    if unknown:
        _for_receipts(unknown, _named(book, outcomes), wanted)
    return wanted or None


def _is_known(book: Book, receipt: CarrierReceipt) -> bool:
    known, channel = book.indexes.by_carrier, receipt.channel
    for one in receipt.candidates:
        if (channel, one) in known:
            return True
    return book.seals.is_repeated(receipt)


def _named(book: Book, outcomes: Sequence[Outcome]) -> set[tuple[str, str]]:
    """Channels and ids that answers among the outcomes name, those to messages' latest attempts."""
    named = set()
    records = book.records
    for outcome in outcomes:
        if type(outcome) is Sent:
            record = records.get(outcome.key.message_id)
            if record is not None and record.message.tries == outcome.key.number:
                named.add((record.message.channel, outcome.carrier_id))
    return named


def _for_receipts(receipts: Sequence[CarrierReceipt], named: set[tuple[str, str]], wanted: Wanted) -> None:
    for receipt in receipts:
        if not any((receipt.channel, one) in named for one in receipt.candidates):
            wanted.finds += [by_carrier(receipt.channel, one) for one in receipt.candidates]
            wanted.finds.append(by_place(receipt.channel, receipt.destination))


def _for_attempt(book: Book, key: AttemptKey, wanted: Wanted, *, about_place: bool) -> None:
    """`about_place`: a receipt may be about it, or about any other at its place."""
    record = book.records.get(key.message_id)
    if record is None:
        wanted.ids.add(key.message_id)
    elif about_place:
        channel = next((one.channel for one in record.attempts if one.key == key), "")
        wanted.finds.append(by_place(channel, record.message.destination))
