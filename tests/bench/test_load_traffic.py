"""Latencies count from when a message was due; what finds no room waits in order; receipts find their message, once."""

import pytest

from bench.load.orders import ClassOrder, Login, Order
from bench.load.schedule import Schedule
from bench.load.texts import fill, parts_of, templates
from bench.load.traffic import Traffic
from bench.measure.book import ACCEPTED, DELIVERED, UNANSWERED


class FakeLine:
    """A connection with `slots` for requests; the test says when they are answered."""

    def __init__(self, traffic, group, slots):
        self.waits = self.dirty = False
        self.traffic, self.group = traffic, group
        self.slots = slots
        self.sent = []
        self.written = 0

    @property
    def room(self):
        return self.slots > 0

    def send(self, unit, row):
        assert self.room
        self.slots -= 1
        self.sent.append((unit, row))

    def flush(self):
        self.written += 1

    def answer(self, now, status=ACCEPTED, message_id=b""):
        unit, row = self.sent.pop(0)
        self.slots += 1
        self.traffic.answered(self.group, row, status, message_id, now)
        self.traffic.free(self.group, self, now)
        self.traffic.flush()
        return unit, row


def traffic(**changes):
    fields = {
        "kind": "smpp", "host": "", "port": 0, "index": 0, "processes": 1, "window": 1, "prefix": "86138", "digits": 8,
        "first": 5, "source": "1", "sources": (), "receipts": True, "reconnect": False, "bind": "trx", "closed": False,
        "classes": (ClassOrder("all", 1, ("hello {n}",), 1, Login()),),
    }  # fmt: skip
    return Traffic(Order(**(fields | changes)))


def lines(made, *slots):
    found = [FakeLine(made, made.groups[0], count) for count in slots]
    for line in found:
        made.free(made.groups[0], line, 0.0)
    return found


def test_a_stall_of_the_target_is_charged_to_every_message_that_was_due_in_it():
    made = traffic()
    (line,) = lines(made, 1)
    made.go(100.0, Schedule(10, duration_s=2))
    for step in range(21):
        made.tick(100.0 + step / 10)
    # One slot: the first message is out, nineteen wait through the silence.
    assert len(made.groups[0].waiting) == 19
    now = 102.0
    while line.sent:
        line.answer(now)
    latencies = [answered - intended for answered, intended in zip(made.book.answered, made.book.intended, strict=True)]
    assert latencies == pytest.approx([1.9 - number / 10 for number in range(20)])


def test_an_answer_at_once_takes_no_time():
    made = traffic()
    (line,) = lines(made, 1)
    made.go(100.0, Schedule(8, duration_s=2))
    for step in range(17):
        made.tick(100.0 + step / 8)
        if line.sent:
            line.answer(100.0 + step / 8)
    assert len(made.book) == 16
    assert max(made.book.answered[row] - made.book.intended[row] for row in range(16)) == pytest.approx(0, abs=1e-6)


def test_what_waits_goes_first_and_in_order():
    made = traffic()
    (line,) = lines(made, 1)
    made.go(0.0, Schedule(10))
    made.begin = 1e-9
    made.tick(0.55)
    seen = [line.answer(1.0)[0].to for _ in range(5)]
    assert seen == [8613800000005 + number for number in range(5)]


def test_lines_take_turns_and_a_full_one_is_passed_over():
    made = traffic()
    first, second, third = lines(made, 10, 1, 10)
    made.go(1.0, Schedule(100, messages=7))
    made.tick(2.0)
    assert [len(line.sent) for line in (first, second, third)] == [3, 1, 3]
    assert second.written == 1, "one write for all that a tick brought"


def test_the_closed_model_keeps_every_line_full_and_stops_at_the_number():
    made = traffic(closed=True)
    line, _ = lines(made, 3, 2)
    made.go(1.0, Schedule(1, messages=8))
    made.tick(1.0)
    assert made.in_flight == 5
    while made.in_flight:
        for one in (line, _):
            if one.sent:
                one.answer(2.0)
    assert len(made.book) == 8
    assert not made.groups[0].waiting


def test_the_closed_model_fills_again_all_the_room_that_one_read_gave():
    made = traffic(closed=True)
    (line,) = lines(made, 4)
    made.go(1.0, Schedule(1, messages=20))
    made.tick(1.0)
    while line.sent:
        for _, row in line.sent:
            line.slots += 1
            made.answered(made.groups[0], row, ACCEPTED, b"", 2.0)
        line.sent.clear()
        before = len(made.book)
        made.free(made.groups[0], line, 2.0)
        assert len(made.book) - before == min(4, 20 - before)
    assert len(made.book) == 20
    assert not made.groups[0].waiting


def test_a_large_batch_is_written_in_parts_and_a_small_one_at_once():
    made = traffic(closed=True)
    (line,) = lines(made, 100)
    made.go(1.0, Schedule(None, messages=1000))
    made.tick(1.0)
    for batch, writes in ((100, 4), (100, 4), (12, 2), (8, 1), (1, 1)):
        before = line.written
        for _ in range(batch):
            _, row = line.sent.pop(0)
            line.slots += 1
            made.answered(made.groups[0], row, ACCEPTED, b"", 2.0)
        made.free(made.groups[0], line, 2.0)
        made.flush()
        assert line.written - before == writes


def test_parts_of_a_long_message_are_due_and_counted_apart_and_name_their_place():
    made = traffic(classes=(ClassOrder("all", 1, templates("long")[:1], 1, Login()),))
    (line,) = lines(made, 10)
    made.go(1.0, Schedule(100, messages=4))
    made.tick(2.0)
    parts = [(unit.part, unit.parts, unit.to) for unit, _ in line.sent]
    assert parts == [(1, 2, 8613800000005), (2, 2, 8613800000005), (1, 2, 8613800000006), (2, 2, 8613800000006)]
    assert line.sent[0][0].data[:3] == b"\x05\x00\x03"


def test_recipients_of_several_processes_never_meet():
    seen = set()
    for index in range(3):
        made = traffic(index=index, processes=3)
        (line,) = lines(made, 100)
        made.go(1.0, Schedule(100, messages=20))
        made.tick(2.0)
        mine = {unit.to for unit, _ in line.sent}
        assert len(mine) == 20
        assert not mine & seen
        seen |= mine


def test_receipts_find_their_message_before_or_after_its_answer_and_count_once():
    made = traffic()
    (line,) = lines(made, 5)
    made.go(1.0, Schedule(100, messages=3))
    made.tick(2.0)
    made.received(b"early", True, 2.1)
    line.answer(2.2, message_id=b"early")
    line.answer(2.2, message_id=b"late")
    made.received(b"late", False, 2.5)
    made.received(b"late", True, 2.6)
    made.received(b"strange", True, 2.7)
    book = made.book
    assert book.receipt[0] == 2.1
    assert book.outcome[0] == DELIVERED
    assert book.receipt[1] == 2.5
    made.received(b"strange", True, 2.8)
    assert made.receipts_repeated == 2
    assert made.early[b"strange"] == (2.7, DELIVERED), "the first one counts"
    assert list(made.early) == [b"strange"]
    assert made.open_receipts == 0


def test_it_stops_when_there_is_no_recipient_left():
    for closed in (False, True):
        made = traffic(digits=4, closed=closed)
        lines(made, 20_000)
        made.go(1.0, Schedule(None if closed else 1e6, duration_s=5))
        while made.tick(3.0):
            pass
        assert made.used_up
        assert len(set(made.book.to)) == len(made.book) == 10_000


def test_a_refusal_is_no_acceptance_and_what_nobody_answered_stays_unanswered():
    made = traffic()
    (line,) = lines(made, 5)
    made.go(1.0, Schedule(100, messages=2))
    made.tick(2.0)
    line.answer(2.1, status=0x58)
    sums = made.groups[0].take_sums()
    assert (sums.sent, sums.accepted, sums.refused) == (2, 0, 1)
    assert list(made.book.status) == [0x58, UNANSWERED]
    made.lost(1, "connection lost")
    assert made.in_flight == 0


def test_stopping_drops_what_waits_and_says_how_much():
    made = traffic()
    lines(made, 1)
    made.go(1.0, Schedule(100, messages=9))
    made.tick(2.0)
    made.stop()
    assert made.unsent == 8
    assert not made.tick(3.0)


def test_texts_are_filled_in_and_what_is_no_placeholder_stays():
    assert fill("a {n} {code} {to} {x}", 7, 86138) == "a 7 014856 86138 {x}"
    assert templates("short") == templates("short")
    with pytest.raises(ValueError, match="cannot read"):
        templates("@/nowhere/at/all")
    coding, parts = parts_of("ok")
    assert (coding, parts) == (0, (b"ok",))
