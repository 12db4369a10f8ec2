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
        ledgers.take_arrivals(name, found)
    return ledgers.findings(books)


def taken(to, after=2.0, fate=0, part=1, parts=1, reference=0):
    return (to, BEGIN + after, fate, part, parts, reference)


def pieces(to, parts, after=2.0, reference=7):
    """A message as its carrier reads it: one part after the other."""
    return [taken(to, after + part / 10, 0, part, parts, reference) for part in range(1, parts + 1)]


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


def cut(to, parts):
    """A book with a message that we cut ourselves."""
    made = Book()
    for part in range(1, parts + 1):
        row = made.add(to, part, parts, 0, BEGIN, BEGIN)
        made.status[row], made.answered[row] = ACCEPTED, BEGIN + 1
    return made


def told(found):
    ledger = found.ledger
    return {name: getattr(ledger, name) for name in ("carried", "lost", "duplicated", "parts_again", "strange")}


CLEAN = {"carried": 1, "lost": 0, "duplicated": 0, "parts_again": 0, "strange": 0}
ONE = ((1, ACCEPTED, None, NONE),)


def test_a_message_that_the_target_cut_is_one_message_and_is_there_with_its_last_part():
    found = reconcile([book(*ONE)], a=pieces(1, 3))
    assert told(found) == CLEAN
    assert found.total.carrier.max_ms == pytest.approx(1300, rel=0.01)
    apart = pieces(1, 3)
    assert told(reconcile([book(*ONE)], a=apart[:2], b=apart[2:])) == CLEAN, "its parts may go to several carriers"


def test_a_message_that_the_target_cut_is_lost_without_all_of_its_parts():
    assert told(reconcile([book(*ONE)], a=pieces(1, 3)[1:])) == CLEAN | {"carried": 0, "lost": 1}
    mixed = [pieces(1, 2, reference=1)[0], pieces(1, 2, reference=2)[1]]
    found = told(reconcile([book(*ONE)], a=mixed))
    assert (found["carried"], found["lost"]) == (0, 1), "no phone puts parts with different references together"


@pytest.mark.parametrize("again", [pieces(1, 3, 3.0, 8), pieces(1, 3, 3.0, 7), pieces(1, 2, 3.0, 8), [taken(1, 3.0)]])
def test_duplicated_is_a_whole_message_again_however_it_was_cut(again):
    assert told(reconcile([book(*ONE)], a=pieces(1, 3), b=again)) == CLEAN | {"duplicated": 1}


@pytest.mark.parametrize("again", [pieces(1, 3, 3.0, 8)[:2], pieces(1, 3, 3.0, 7)[1:]])
def test_parts_that_come_again_without_the_rest_are_no_second_message_but_told(again):
    assert told(reconcile([book(*ONE)], a=pieces(1, 3), b=again)) == CLEAN | {"parts_again": 2}


def test_parts_that_we_cut_stand_for_themselves():
    both = CLEAN | {"carried": 2}
    assert told(reconcile([cut(7, 2)], a=pieces(7, 2))) == both
    assert told(reconcile([cut(7, 2)], a=pieces(7, 2)[:1])) == both | {"carried": 1, "lost": 1}
    assert told(reconcile([cut(7, 2)], a=[*pieces(7, 2), *pieces(7, 2)[1:]])) == both | {"parts_again": 1}
    assert told(reconcile([cut(7, 2)], a=[*pieces(7, 2), *pieces(7, 2, 3.0, 9)])) == both | {"duplicated": 2}


def test_parts_that_we_cut_and_the_target_joined_are_there_with_the_whole():
    assert told(reconcile([cut(7, 2)], a=[taken(7)])) == CLEAN | {"carried": 2}
    assert told(reconcile([cut(7, 2)], a=pieces(7, 3))) == CLEAN | {"carried": 2}


def test_a_stranger_is_one_message_in_however_many_parts():
    assert told(reconcile([book(*ONE)], a=[taken(1), *pieces(99, 3), taken(98)])) == CLEAN | {"strange": 2}


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
