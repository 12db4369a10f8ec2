"""The generator's own ledger held against the carriers': what arrived, what did not, what twice, and how long it took.

A message is known by its recipient's number, which no other message of the run has; `messages.py` puts its parts together,
whoever cut it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from bench.measure.book import ACCEPTED, DELIVERED, FAILED, NONE, UNANSWERED, Book
from bench.measure.histogram import Histogram, hdr_log
from bench.measure.messages import Carried, Messages, Piece
from bench.measure.result import ChannelResult, ClassResult, Counts, Percentiles, Reconciled, Second

TEN_SECONDS = 10.0
TAKEN, REFUSED = 0, 1


Arrival: TypeAlias = tuple[int, float, int, int, int, int]
"""One submit as a carrier read it: (recipient, received on the system's monotonic clock, fate, part, parts, reference)."""


class Findings(NamedTuple):
    """All that the ledgers tell."""

    total: ClassResult
    classes: list[ClassResult]
    seconds: list[Second]
    channels: list[ChannelResult]
    ledger: Reconciled
    last_answer_s: float
    """From the beginning to the last answer; 0 without one."""
    ended_s: float
    """From the beginning to the last answer or final receipt; 0 without any."""
    accept_log: str
    """Accept latencies second by second, as an HDR log."""


def read_books(paths: Sequence[Path]) -> list[Book]:
    """The books of all source processes; receipts that came to another process than the message's are put into their rows."""
    books = [Book.read(path) for path in paths]
    found = [msgspec.msgpack.decode(path.with_suffix(".ids").read_bytes(), type=_Ids) for path in paths]
    early = {message_id: told for ids in found for message_id, told in ids.early.items()}
    if early:
        for book, ids in zip(books, found, strict=True):
            for message_id in ids.open.keys() & early.keys():
                row = ids.open[message_id]
                book.receipt[row], book.outcome[row] = early.pop(message_id)
    return books


class _Ids(msgspec.Struct):
    open: dict[bytes, int]
    early: dict[bytes, tuple[float, int]]


class _Sums:
    """What becomes a ClassResult."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts = Counts()
        self.lost = self.duplicated = 0
        self.accept: list[float] = []
        self.carrier: list[float] = []
        self.receipt: list[float] = []

    def result(self, receipts: bool) -> ClassResult:
        counts = self.counts
        share = counts.within_10s / counts.accepted if receipts and counts.accepted else None
        accept, carrier, receipt = (_percentiles(one) for one in (self.accept, self.carrier, self.receipt))
        return ClassResult(self.name, counts, accept, carrier, receipt, share, self.lost, self.duplicated)


def _percentiles(latencies: Iterable[float]) -> Percentiles:
    found = Histogram()
    found.record_all(latencies)
    return found.percentiles()


class Reconciliation:
    """One pass over the carriers' arrivals, one over the books. What is older than `begin` does not belong to the run."""

    def __init__(self, begin: float, class_names: Sequence[str], *, receipts: bool, ignore: Sequence[range] = ()) -> None:
        self._begin = begin
        self._receipts = receipts
        self._ignore = ignore
        self._classes = [_Sums(name) for name in class_names]
        self._channels: list[ChannelResult] = []
        self._messages = Messages()
        self._latencies: list[tuple[list[float], list[float]]] = []
        self._within: list[int] = []
        self._seconds: dict[int, _SecondSums] = defaultdict(_SecondSums)
        self._last_answer = self._ended = begin

    def take_arrivals(self, name: str, arrivals: Iterable[Arrival]) -> None:
        """What one carrier wrote down."""
        channel = len(self._channels)
        result = ChannelResult(name)
        self._channels.append(result)
        self._latencies.append(([], []))
        self._within.append(0)
        add, begin = self._messages.add, self._begin
        for to, received, fate, part, parts, reference in arrivals:
            if received < begin:
                continue
            if fate != TAKEN:
                result.refused += fate == REFUSED
                result.swallowed += fate != REFUSED
                continue
            result.taken += 1
            self._seconds[int(received - begin)].channels[name] += 1
            add(to, Piece(channel, received, part, parts, reference))

    def take_book(self, book: Book, ledger: Reconciled) -> None:
        """One source process's rows."""
        begin, find = self._begin, self._messages.find
        rows = zip(
            book.to, book.part, book.parts, book.class_, book.intended, book.sent, book.answered, book.status, book.receipt,
            book.outcome, strict=True,
        )  # fmt: skip
        for to, part, parts, class_, intended, sent, answered, status, receipt, outcome in rows:
            if intended < begin:
                continue
            sums = self._classes[class_]
            counts = sums.counts
            counts.sent += 1
            self._seconds[int(sent - begin)].sent += 1
            taken = find(to, part, parts)
            sums.duplicated += taken is not None and taken.copies > 1
            if status == UNANSWERED:
                counts.unanswered += 1
                ledger.unknown += taken is not None
            elif status != ACCEPTED:
                counts.refused += 1
                ledger.strange += taken is not None
                self._seconds[int(answered - begin)].refused += 1
            else:
                counts.accepted += 1
                sums.accept.append(answered - intended)
                second = self._seconds[int(answered - begin)]
                second.accepted += 1
                second.accept.append(answered - intended)
                sums.lost += taken is None and outcome == NONE
                ledger.ended_before += taken is None and outcome != NONE
                ledger.without_receipt += self._receipts and outcome == NONE
                if taken is not None:
                    self._take_carried(sums, taken, intended)
            if outcome != NONE:
                self._take_receipt(sums, taken, receipt, outcome, intended)

    def _take_carried(self, sums: _Sums, taken: Carried, intended: float) -> None:
        latency = taken.received - intended
        sums.carrier.append(latency)
        self._latencies[taken.channel][0].append(latency)
        self._seconds[int(taken.received - self._begin)].carrier.append(latency)

    def _take_receipt(self, sums: _Sums, taken: Carried | None, receipt: float, outcome: int, intended: float) -> None:
        latency = receipt - intended
        second = self._seconds[int(receipt - self._begin)]
        second.receipts += 1
        if outcome == FAILED:
            sums.counts.failed += 1
            return
        assert outcome == DELIVERED
        sums.counts.delivered += 1
        sums.receipt.append(latency)
        second.receipt.append(latency)
        within = latency <= TEN_SECONDS
        sums.counts.within_10s += within
        if taken is not None:
            self._latencies[taken.channel][1].append(latency)
            self._within[taken.channel] += within

    def findings(self, books: Iterable[Book]) -> Findings:
        """Everything; the arrivals must have been taken before."""
        ledger = Reconciled(carriers=len(self._channels))
        for book in books:
            self.take_book(book, ledger)
            self._last_answer = max(self._last_answer, max(book.answered, default=0.0))
            self._ended = max(self._ended, self._last_answer, max(book.receipt, default=0.0))
        ledger.strange += sum(not any(to in one for one in self._ignore) for to in self._messages.strangers())
        ledger.parts_again = self._messages.parts_again
        total = _Sums("all")
        for one in self._classes:
            for name in one.counts.__struct_fields__:
                setattr(total.counts, name, getattr(total.counts, name) + getattr(one.counts, name))
            total.lost += one.lost
            total.duplicated += one.duplicated
            total.accept += one.accept
            total.carrier += one.carrier
            total.receipt += one.receipt
        ledger.accepted, ledger.lost, ledger.duplicated = total.counts.accepted, total.lost, total.duplicated
        ledger.carried = len(total.carrier)
        taken = sum(one.taken for one in self._channels) or 1
        for channel, (carrier, receipt), within in zip(self._channels, self._latencies, self._within, strict=True):
            channel.share = channel.taken / taken
            channel.carrier, channel.receipt = _percentiles(carrier), _percentiles(receipt)
            channel.within_10s = within / len(carrier) if carrier and self._receipts else None
        return Findings(
            total.result(self._receipts),
            [one.result(self._receipts) for one in self._classes],
            self._timeline(),
            self._channels,
            ledger,
            self._last_answer - self._begin,
            self._ended - self._begin,
            hdr_log((at, self._seconds[at].accept) for at in sorted(self._seconds)),
        )

    def _timeline(self) -> list[Second]:
        names = [channel.name for channel in self._channels]
        last = max(self._seconds, default=-1)
        return [self._seconds[at].second(at, names) for at in range(last + 1)]


class _SecondSums:
    """What becomes a Second."""

    def __init__(self) -> None:
        self.sent = self.accepted = self.refused = self.receipts = 0
        self.accept: list[float] = []
        self.carrier: list[float] = []
        self.receipt: list[float] = []
        self.channels: dict[str, int] = defaultdict(int)

    def second(self, at: int, names: Iterable[str]) -> Second:
        accept, carrier, receipt = (sorted(one) for one in (self.accept, self.carrier, self.receipt))
        return Second(
            float(at),
            sent=self.sent,
            accepted=self.accepted,
            refused=self.refused,
            receipts=self.receipts,
            accept_p50_ms=rank_ms(accept, 0.5),
            accept_p99_ms=rank_ms(accept, 0.99),
            accept_max_ms=rank_ms(accept, 1.0),
            carrier_p50_ms=rank_ms(carrier, 0.5),
            carrier_p99_ms=rank_ms(carrier, 0.99),
            receipt_p50_ms=rank_ms(receipt, 0.5),
            receipt_p99_ms=rank_ms(receipt, 0.99),
            channels={name: self.channels.get(name, 0) for name in names},
        )


def rank_ms(ordered: Sequence[float], share: float) -> float | None:
    """The value not exceeded by `share` of them, in milliseconds; None when there is none."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, int(len(ordered) * share + 0.999999) - 1))] * 1e3


def merge_live(seconds: list[Second], live: Mapping[int, Second]) -> None:
    """Put what only the live reports know (in flight, waiting, CPU, memory) into the seconds of the books."""
    while seconds and len(seconds) <= max(live, default=-1):
        seconds.append(Second(float(len(seconds))))
    for at, told in live.items():
        if at < len(seconds):
            one = seconds[at]
            one.due, one.in_flight, one.waiting = told.due, told.in_flight, told.waiting
            one.cpu, one.rss_bytes = told.cpu, told.rss_bytes
