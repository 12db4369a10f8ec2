"""What lives longer than its pages becomes rows: everything but messages, which the keeper folds by its own rules."""

import msgspec

from gateway.store.book import Book
from gateway.store.fetch import due_notice_key, due_request_key, notice_key
from gateway.store.rollups import spell
from gateway.store.rows import Rows, Taken
from gateway.store.shelf import given_up_utc
from gateway.store.unfolded import Backlog

FOLD_MAX = 500
"""Records of a kind folded with one write: it bounds how long the core's thread is held."""


def fold_others(rows: Rows, taken: Taken, book: Book, backlog: Backlog, below: int, utc: float) -> None:
    """Rows of what first changed before page `below`; `taken` remembers what they were made of."""
    # As many as this write brings at least, or the journal would grow while load lasts.
    taken.guards = backlog.guards.take(below, 2 * FOLD_MAX + len(taken.changes.guards))
    for key in taken.guards:
        if entries := book.guards.live(key, utc):
            rows.put("guard", key, entries)
        else:
            rows.remove("guard", key)
    taken.notices = backlog.notices.take(below, FOLD_MAX)
    for number in taken.notices:
        notice = book.shelf.get(number)
        if notice is not None:
            key = notice_key(notice.box, number)
            rows.put("notice", key, notice)
            rows.add("due", due_notice_key(given_up_utc(notice), key))
    taken.parked = backlog.parked.take(below, FOLD_MAX)
    for number in taken.parked:
        receipt = book.parked.get(number)
        if receipt is not None:
            rows.put("parked", str(number), receipt)
    taken.sums = backlog.sums.take(below, FOLD_MAX)
    for name in taken.sums:
        rows.put("sum", name, book.guards.sums[name])
    taken.rollups = backlog.rollups.take(below, FOLD_MAX)
    for period in taken.rollups:
        if (counts := book.rollups.held.get(period)) is not None:
            rows.put("rollup", spell(period), counts)
    taken.documents = backlog.documents.take(below, FOLD_MAX)
    for name in taken.documents:
        if value := book.documents.get(name):
            rows.put("document", name, msgspec.Raw(value))
        else:
            rows.remove("document", name)
    taken.requests = backlog.requests.take(below, 2 * FOLD_MAX + len(taken.changes.requests))
    for name in taken.requests:
        if (request := book.requests.held.get(name)) is not None:
            rows.put("request", name, request)
            rows.add("due", due_request_key(request.until_utc, name))
