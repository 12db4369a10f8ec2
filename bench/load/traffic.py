"""The messages of one source process on their way to its connections: what is due is handed to a line with room, what finds
none waits with its intended time. Answers and receipts come back here and go into the book.

A batch is one tick of the clock or one read of a socket; whatever it brings about is written once per line, by `flush`.
"""

from collections import Counter, deque
from typing import NamedTuple, Protocol

from bench.load.mix import Mix
from bench.load.orders import UNIT_S, ClassOrder, ClassReport, Order
from bench.load.schedule import Schedule
from bench.load.texts import Texts, parts_of
from bench.measure.book import ACCEPTED, DELIVERED, FAILED, NONE, Book

AT_ONCE = 500
"""Most units handed out before answers are read again."""
WRITE_AFTER, WRITES = 8, 4
"""A batch of more requests than this is written in about so many parts: the target need not wait until all are made, which
would hold every window back by the time that takes."""
REMEMBERED = 200_000
"""Receipts whose repetition is noticed: at least half of this."""


class Unit(NamedTuple):
    """One submit: a message, or one part of a long one. `data` is its text for HTTP, its user data for SMPP."""

    intended: float
    to: int
    part: int
    parts: int
    data_coding: int
    data: bytes
    text: str


class Line(Protocol):
    """One connection."""

    waits: bool
    """Whether it stands in its group's ring."""
    dirty: bool

    @property
    def room(self) -> bool:
        """Whether one more request may go out."""
        ...

    def send(self, unit: Unit, row: int) -> None:
        """Put the request into the line's buffer; there must be room."""
        ...

    def flush(self) -> None:
        """Write the buffer."""
        ...


class Group:
    """One class: its lines with room, its waiting units, its sums of this second."""

    def __init__(self, index: int, order: ClassOrder) -> None:
        self.index = index
        self.order = order
        self.texts = Texts(order.texts)
        self.ring: deque[Line] = deque()
        self.waiting: deque[Unit] = deque()
        self.sums = ClassReport()
        self.accept: list[float] = []
        self.receipt: list[float] = []

    def line_with_room(self) -> Line | None:
        """The next one in turn."""
        ring = self.ring
        while ring:
            line = ring[0]
            if line.room:
                ring.rotate(-1)
                return line
            line.waits = False
            ring.popleft()
        return None

    def has_room(self) -> bool:
        """Whether `line_with_room` would find one."""
        ring = self.ring
        while ring:
            if ring[0].room:
                return True
            ring.popleft().waits = False
        return False

    def take_sums(self) -> ClassReport:
        """The second is over: its sums; a new one begins."""
        found, self.sums = self.sums, ClassReport()
        found.accept, found.receipt = _tally(self.accept), _tally(self.receipt)
        self.accept.clear()
        self.receipt.clear()
        return found


def _tally(latencies: list[float]) -> dict[int, int]:
    return Counter([int(latency / UNIT_S) for latency in latencies])


class Traffic:
    """All classes of one source process."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.book = Book()
        self.groups = [Group(at, one) for at, one in enumerate(order.classes)]
        self.mix = Mix({one.name: one.share for one in order.classes})
        self.in_flight = 0
        self.open_receipts = 0
        self.receipts_repeated = 0
        self.late_s = 0.0
        """The longest a due unit lay in this second because this process was busy."""
        self.unsent = 0
        self.used_up = False
        """The recipients' numbers did not suffice."""
        self.errors: Counter[str] = Counter()
        self.begin = 0.0
        self._schedule: Schedule | None = None
        self._issued = 0
        self._made = 0
        self._numbers = 10**order.digits
        self._lowest = int(order.prefix) * self._numbers
        self._split = order.kind == "smpp"
        self._rows: dict[bytes, int] = {}
        """Rows that wait for their receipt, by the id in the answer."""
        self.early: dict[bytes, tuple[float, int]] = {}
        """Receipts nobody waits for: too early, or of another source process's message."""
        self._done: set[bytes] = set()
        self._done_before: set[bytes] = set()
        self._dirty: list[Line] = []
        self._unwritten = self._answers = 0
        """Of this batch."""

    # -- what is due

    def go(self, begin: float, schedule: Schedule) -> None:
        """A new run; what is left of the one before is dropped."""
        self.stop()
        self.begin, self._schedule, self._issued = begin, schedule, 0

    def stop(self) -> None:
        """Nothing more is due, and what waits is dropped."""
        self._schedule = None
        for group in self.groups:
            self.unsent += len(group.waiting)
            group.waiting.clear()

    def tick(self, now: float) -> bool:
        """Hand out what is due. Gives whether more is due already."""
        schedule = self._schedule
        if schedule is None or now < self.begin:
            return False
        if self.order.closed:
            for group in self.groups:
                self._fill(group, now)
            self.flush()
            return False
        due = schedule.due(now - self.begin) - self._issued
        if due <= 0:
            return False
        self.late_s = max(self.late_s, now - self.begin - schedule.when(self._issued + 1))
        goal = self._issued + min(due, AT_ONCE)
        while self._issued < goal and not self.used_up:
            self._issue(self.groups[self.mix.next()], self.begin + schedule.when(self._issued + 1), now)
        self.flush()
        return due > AT_ONCE and not self.used_up

    def _issue(self, group: Group, intended: float, now: float) -> None:
        """One message of `group`: all its parts."""
        order = self.order
        number = order.index + order.processes * self._made
        if number >= self._numbers:
            self.used_up = True
            self._schedule = None
            return
        self._made += 1
        to = self._lowest + (order.first + number) % self._numbers
        text = group.texts.next(number, to)
        coding, parts = parts_of(text) if self._split else (0, (b"",))
        count = len(parts)
        self._issued += count
        group.sums.due += count
        for at, data in enumerate(parts, 1):
            unit = Unit(intended, to, at, count, coding, data, text)
            line = None if group.waiting else group.line_with_room()
            if line is None:
                group.waiting.append(unit)
            else:
                self._send(group, line, unit, now)

    def _send(self, group: Group, line: Line, unit: Unit, now: float) -> None:
        row = self.book.add(unit.to, unit.part, unit.parts, group.index, unit.intended, now)
        group.sums.sent += 1
        self.in_flight += 1
        line.send(unit, row)
        self.touch(line)
        self._unwritten += 1
        if self._unwritten >= WRITE_AFTER and self._unwritten * WRITES >= self._answers:
            self._write()

    # -- the closed model

    def _fill(self, group: Group, now: float) -> None:
        while self._open(now) and not group.waiting and group.has_room():
            self._issue(group, now, now)

    def _open(self, now: float) -> bool:
        """Whether the run still goes on."""
        schedule = self._schedule
        if schedule is None:
            return False
        duration, messages = schedule.duration_s, schedule.messages
        return (duration is None or now - self.begin < duration) and (messages is None or self._issued < messages)

    # -- lines

    def free(self, group: Group, line: Line, now: float) -> None:
        """`line` has room again, or for the first time: for what waits, and in the closed model for new messages."""
        if not line.waits and line.room:
            line.waits = True
            group.ring.append(line)
        while group.waiting and (ready := group.line_with_room()) is not None:
            self._send(group, ready, group.waiting.popleft(), now)
        if self.order.closed:
            self._fill(group, now)

    def touch(self, line: Line) -> None:
        """Something waits in its buffer."""
        if not line.dirty:
            line.dirty = True
            self._dirty.append(line)

    def flush(self) -> None:
        """The end of a batch."""
        self._answers = 0
        self._write()

    def _write(self) -> None:
        dirty = self._dirty
        for line in dirty:
            line.dirty = False
            line.flush()
        dirty.clear()
        self._unwritten = 0

    # -- what comes back

    def answered(self, group: Group, row: int, status: int, message_id: bytes, now: float) -> None:
        """The target answered; `status` is `ACCEPTED` or what it refused with."""
        book = self.book
        book.answered[row] = now
        book.status[row] = status
        self.in_flight -= 1
        self._answers += 1
        if status != ACCEPTED:
            group.sums.refused += 1
            return
        group.sums.accepted += 1
        group.accept.append(now - book.intended[row])
        if self.order.receipts and message_id:
            early = self.early.pop(message_id, None) if self.early else None
            self.open_receipts += 1
            if early is None:
                self._rows[message_id] = row
            else:
                self._receipt(row, message_id, *early)

    def lost(self, count: int, why: str) -> None:
        """So many requests will never be answered."""
        self.in_flight -= count
        self.errors[why] += 1

    def received(self, message_id: bytes, delivered: bool, now: float) -> None:
        """A final receipt."""
        row = self._rows.pop(message_id, None)
        outcome = DELIVERED if delivered else FAILED
        if row is not None:
            self._receipt(row, message_id, now, outcome)
        elif message_id in self._done or message_id in self._done_before or message_id in self.early:
            self.receipts_repeated += 1
        else:
            self.early[message_id] = (now, outcome)

    def _receipt(self, row: int, message_id: bytes, now: float, outcome: int) -> None:
        book = self.book
        assert book.outcome[row] == NONE
        book.receipt[row] = now
        book.outcome[row] = outcome
        self.open_receipts -= 1
        group = self.groups[book.class_[row]]
        group.sums.receipts += 1
        group.receipt.append(now - book.intended[row])
        self._done.add(message_id)
        if len(self._done) > REMEMBERED // 2:
            self._done_before, self._done = self._done, set()

    def open_ids(self) -> dict[bytes, int]:
        """Rows without their receipt, by id: another source process may have it."""
        return self._rows

    def ended_ids(self) -> set[bytes]:
        """Of the last messages that had their receipt: another source process may have its repetition."""
        return self._done | self._done_before
