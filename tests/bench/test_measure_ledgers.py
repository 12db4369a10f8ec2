"""The two ledgers side by side: every word of the reconciliation means what it says."""

import msgspec
import pytest

from bench.measure.book import ACCEPTED, DELIVERED, FAILED, NONE, UNANSWERED, Book
from bench.measure.ledgers import Reconciliation, rank_ms, read_books

BEGIN = 1000.0


def book(*rows):
    """Rows of (recipient, status, receipt after seconds or None, outcome)."""
    made = Book()
    for to, status, receipt, outcome in rows:
        row = made.add(to, 1, 1, 0, BEGIN + 1, BEGIN + 1)
        made.status[row] = status
        if status != UNANSWERED:
            made.answered[row] = BEGIN + 1.5
        if outcome != NONE:
            made.receipt[row] = BEGIN + 1 + receipt
            made.outcome[row] = outcome
    return made


def reconcile(books, ignore=(), receipts=True, begin=BEGIN, **arrivals):
    ledgers = Reconciliation(begin, ["all"], receipts=receipts, ignore=ignore)
    for name, found in arrivals.items():
        ledgers.take_arrivals(name, [(to, at, fate, part, parts) for to, at, fate, part, parts in found])
    return ledgers.findings(books)


def taken(to, after=2.0, fate=0, part=1, parts=1):
    return (to, BEGIN + after, fate, part, parts)


def test_lost_is_accepted_and_then_nothing():
    found = reconcile(
        [book((1, ACCEPTED, None, NONE), (2, ACCEPTED, None, NONE), (3, ACCEPTED, 2, FAILED), (4, ACCEPTED, 2, DELIVERED))],
        a=[taken(1), taken(4)],
    )
    ledger = found.ledger
    assert (ledger.accepted, ledger.carried, ledger.lost, ledger.ended_before, ledger.without_receipt) == (4, 2, 1, 1, 2)


def test_duplicated_unknown_and_strange():
    found = reconcile(
        [book((1, ACCEPTED, 2, DELIVERED), (2, UNANSWERED, None, NONE), (3, 0x58, None, NONE), (4, UNANSWERED, None, NONE))],
        a=[taken(1), taken(2), taken(3)],
        b=[taken(1, 3.0), taken(99)],
    )
    ledger = found.ledger
    assert (ledger.duplicated, ledger.unknown, ledger.strange) == (1, 1, 2)
    assert found.total.counts.unanswered == 2
    assert found.total.duplicated == 1


def test_a_refusal_of_a_carrier_is_no_second_delivery():
    found = reconcile([book((1, ACCEPTED, 2, DELIVERED))], a=[taken(1, 1.1, fate=1), taken(1, 1.2, fate=2)], b=[taken(1, 1.3)])
    assert found.ledger.duplicated == 0
    a, b = found.channels
    assert (a.taken, a.refused, a.swallowed, b.taken, b.share) == (0, 1, 1, 1, 1.0)


def test_the_first_arrival_counts_for_time_and_channel():
    found = reconcile([book((1, ACCEPTED, 2, DELIVERED))], late=[taken(1, 3.0)], early=[taken(1, 1.25)])
    assert found.total.carrier.max_ms == pytest.approx(250, rel=0.01)
    late, early = found.channels
    assert (late.within_10s, early.within_10s) == (None, 1.0)


def test_within_ten_seconds_is_a_share_of_all_accepted():
    rows = [(1, ACCEPTED, 9.99, DELIVERED), (2, ACCEPTED, 10.01, DELIVERED), (3, ACCEPTED, None, NONE), (4, 0x58, None, NONE)]
    total = reconcile([book(*rows)]).total
    assert total.sla_10s == pytest.approx(1 / 3)
    assert reconcile([book(*rows)], receipts=False).total.sla_10s is None


def test_parts_are_told_apart():
    made = Book()
    for part in (1, 2):
        row = made.add(7, part, 2, 0, BEGIN, BEGIN)
        made.status[row], made.answered[row] = ACCEPTED, BEGIN + 1
    found = reconcile([made], a=[taken(7, part=1, parts=2), taken(7, part=2, parts=2), taken(7, part=2, parts=2)])
    assert (found.ledger.carried, found.ledger.duplicated, found.ledger.lost) == (2, 1, 0)


def test_what_was_before_the_run_or_belongs_to_another_load_is_left_out():
    found = reconcile([book((1, ACCEPTED, 2, DELIVERED))], a=[taken(1), taken(50, -5.0), taken(60)], ignore=[range(55, 65)])
    assert found.ledger.strange == 0
    later = reconcile([book((1, ACCEPTED, 2, DELIVERED))], begin=BEGIN + 1.2)
    assert later.total.counts.sent == 0


def test_seconds_hold_what_ended_in_them():
    found = reconcile([book((1, ACCEPTED, 2, DELIVERED), (2, 0x58, None, NONE))], a=[taken(1, 2.0)])
    assert [(one.sent, one.accepted, one.refused, one.receipts) for one in found.seconds] == [
        (0, 0, 0, 0), (2, 1, 1, 0), (0, 0, 0, 0), (0, 0, 0, 1),
    ]  # fmt: skip
    assert found.seconds[2].channels == {"a": 1}
    assert found.seconds[1].accept_p50_ms == pytest.approx(500)
    assert "HIST" in found.accept_log


def test_a_receipt_that_came_to_another_source_process_finds_its_message(tmp_path):
    first, second = book((1, ACCEPTED, None, NONE)), book((2, ACCEPTED, None, NONE))
    paths = [tmp_path / "0.book", tmp_path / "1.book"]
    ids = [{"open": {b"x": 0}, "early": {}}, {"open": {b"y": 0}, "early": {b"x": (BEGIN + 4, DELIVERED), b"z": (1.0, 1)}}]
    for path, made, known in zip(paths, (first, second), ids, strict=True):
        made.write(path)
        path.with_suffix(".ids").write_bytes(msgspec.msgpack.encode(known))
    one, two = read_books(paths)
    assert (one.outcome[0], one.receipt[0], two.outcome[0]) == (DELIVERED, BEGIN + 4, NONE)


def test_ranks_are_of_values_that_were_there():
    assert rank_ms([], 0.5) is None
    assert rank_ms([0.001], 0.99) == 1.0
    hundred = [number / 1000 for number in range(1, 101)]
    assert [rank_ms(hundred, share) for share in (0.5, 0.99, 1.0)] == pytest.approx([50, 99, 100])
