"""What a step needs that is not in memory: to be fetched before the book decides. None when everything is there."""

from collections.abc import Iterable, Sequence

from gateway.store.base import (
    Abandoned,
    Admission,
    CarrierReceipt,
    Finish,
    MobileOriginated,
    NoticeDone,
    Outcome,
    Sent,
    Unclear,
)
from gateway.store.book import Book
from gateway.store.fetch import Wanted
from gateway.store.record import by_carrier, by_place


def for_admission(book: Book, batch: Sequence[Admission]) -> Wanted | None:
    """Guards that are not held, and what is owed to some."""
    guards = book.guards
    wanted = {key for one in batch if one.guards for key in guards.missing(one.guards)}
    wanted.update(key for guard, _ in guards.owed for key in guards.missing((guard,)))
    return Wanted(guards=list(wanted)) if wanted else None


def of_members(book: Book, member_keys: Sequence[str]) -> Wanted | None:
    """Members of sets, by their spelled keys."""
    wanted = [key for key in member_keys if key not in book.guards.held]
    return Wanted(guards=wanted) if wanted else None


def of_messages(book: Book, ids: Iterable[int]) -> Wanted | None:
    """Messages by id."""
    wanted = {one for one in ids if one not in book.records}
    return Wanted(ids=wanted) if wanted else None


def for_outcomes(book: Book, outcomes: Sequence[Outcome]) -> Wanted | None:
    """Messages the outcomes are about, or may be about."""
    wanted = Wanted(finds=[])
    known, records = book.indexes.by_carrier, book.records
    for outcome in outcomes:
        if isinstance(outcome, CarrierReceipt):
            for one in outcome.candidates:
                if (outcome.channel, one) in known:
                    break
            else:
                wanted.finds += [by_carrier(outcome.channel, one) for one in outcome.candidates]
                wanted.finds.append(by_place(outcome.channel, outcome.destination))
        elif isinstance(outcome, (NoticeDone, MobileOriginated)):
            continue
        elif isinstance(outcome, (Abandoned, Finish)):
            if outcome.message_id not in records:
                wanted.ids.add(outcome.message_id)
        elif (record := records.get(outcome.key.message_id)) is None:
            wanted.ids.add(outcome.key.message_id)
        elif isinstance(outcome, Unclear) or (isinstance(outcome, Sent) and not outcome.carrier_id):
            # Whether a receipt fits this attempt alone depends on every other at its place.
            channel = next((one.channel for one in record.attempts if one.key == outcome.key), "")
            wanted.finds.append(by_place(channel, record.message.destination))
    return wanted or None
