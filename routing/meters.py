"""What a channel did in each of the last seconds, and how long its receipts usually take.

Everything is counted by the second in which a message was written. Time is an argument; memory is fixed; a message costs a
few additions.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from typing import NamedTuple

from routing.sla import WITHIN_S

RING_S = 64
OLD_FROM_S, OLD_TO_S = 10, 40
"""Ages at which messages are judged by the ten seconds."""
YOUNG_FROM_S = 1
SOON_TO_S, YOUNG_TO_S = 4, 10
"""A change is seen in the last few seconds first, and with more certainty in some more."""
EDGES_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
HALF_LIFE_S = 300.0
LATEST = 20.0
"""So many messages are enough to tell how it was when the last ones were written."""
EXPECTED_MIN = 10.0
"""Messages that should have arrived before their absence says anything; receipts before they tell how long they take."""


class _Second:
    """What was written in one second, and what became of it."""

    __slots__ = (
        *("accepted", "answer_s", "delivered", "drops", "failed", "number", "refused", "throttled", "within", "written"),
    )

    def __init__(self) -> None:
        self.clear(-1)

    def clear(self, number: int) -> None:
        self.number = number
        self.written = self.accepted = self.refused = self.throttled = 0
        self.delivered = self.within = self.failed = self.drops = 0
        self.answer_s = 0.0


class Latencies:
    """How long receipts usually take: a histogram that forgets."""

    def __init__(self) -> None:
        self._counts = [0.0] * (len(EDGES_S) + 1)
        self._total = 0.0
        self._weight = 1.0
        self._weigh_again = 0.0
        self._since: float | None = None

    def add(self, seconds: float, now: float) -> None:
        """One more receipt."""
        if now >= self._weigh_again:
            self._weigh(now)
        self._counts[bisect_right(EDGES_S, seconds)] += self._weight
        self._total += self._weight

    def _weigh(self, now: float) -> None:
        """Once a second: newer ones weigh more, instead of all older ones less."""
        if self._since is None or self._weight > 1e6:
            self._counts = [one / self._weight for one in self._counts]
            self._total /= self._weight
            self._since = now
        self._weight = 2.0 ** ((now - self._since) / HALF_LIFE_S)
        self._weigh_again = now + 1.0

    def share_by(self, age_s: float) -> float:
        """Which part of receipts has come by then; of a channel nobody knows, most by the tenth second."""
        if self._total < EXPECTED_MIN * self._weight:
            return 0.9 if age_s >= WITHIN_S else 0.0
        return min(1.0, sum(self._counts[: bisect_right(EDGES_S, age_s)]) / self._total)

    def median_s(self) -> float:
        """How long half of the receipts take at most (an edge of the histogram); 0: not known yet."""
        if self._total < EXPECTED_MIN * self._weight:
            return 0.0
        seen = 0.0
        for edge, count in zip(EDGES_S, self._counts, strict=False):
            seen += count
            if seen >= self._total / 2:
                return edge
        return EDGES_S[-1]


class Sums(NamedTuple):
    """What some meters say of the last forty seconds. `soon` and `young`: expected, of those a few seconds old; `latest`: of
    those written last, however long ago, where few are young.
    """

    accepted: int = 0
    refused: int = 0
    throttled: int = 0
    answer_s: float = 0.0
    drops: int = 0
    arrived: int = 0
    failed: int = 0
    written: int = 0
    old_written: int = 0
    old_within: int = 0
    soon_got: int = 0
    soon_expected: float = 0.0
    young_got: int = 0
    young_expected: float = 0.0
    latest_got: int = 0
    latest_expected: float = 0.0


def add(sums: Iterable[Sums]) -> Sums:
    """All together."""
    columns = list(zip(*sums, strict=True))
    return Sums(*map(sum, columns)) if columns else Sums()


class Meter:
    """One channel's answers, or the messages of one class to one network through it."""

    def __init__(self) -> None:
        self._ring = [_Second() for _ in range(RING_S)]
        self._latencies = Latencies()

    def _second(self, at: float) -> _Second:
        number = int(at)
        second = self._ring[number % RING_S]
        if second.number != number:
            second.clear(number)
        return second

    def written(self, count: int, now: float) -> None:
        """So many have gone to the carrier."""
        self._second(now).written += count

    def answered(self, now: float, accepted: int = 0, refused: int = 0, throttled: int = 0, answer_s: float = 0.0) -> None:
        """What the carrier said to some. `answer_s`: how long all of those it accepted had waited for that, together."""
        second = self._second(now)
        second.accepted += accepted
        second.refused += refused
        second.throttled += throttled
        second.answer_s += answer_s

    def dropped(self, now: float) -> None:
        """A link was lost."""
        self._second(now).drops += 1

    def not_written(self, count: int, written_at: float) -> None:
        """They were refused, so nobody waits for their receipts."""
        second = self._ring[int(written_at) % RING_S]
        if second.number == int(written_at):
            second.written = max(0, second.written - count)

    def excuse(self, now: float) -> None:
        """Of the last ten seconds' messages what has no receipt yet is not waited for: none can come while no link is up."""
        here = int(now)
        for second in self._ring:
            if 0 <= here - second.number <= OLD_FROM_S:
                second.written = min(second.written, second.delivered)

    def delivered(self, since_written: float, now: float) -> None:
        """A receipt said so, `since_written` seconds after the write."""
        self._latencies.add(since_written, now)
        number = int(now - since_written)
        second = self._ring[number % RING_S]
        if second.number == number:
            second.delivered += 1
            second.within += since_written <= WITHIN_S
        # Older ones are out of sight; they were late, and counted as such.

    def failed(self, now: float) -> None:
        """A receipt said that it will not arrive."""
        self._second(now).failed += 1

    def share_by(self, age_s: float) -> float:
        """Which part of receipts usually has come by then."""
        return self._latencies.share_by(age_s)

    def median_s(self) -> float:
        """How long a receipt takes as a rule; 0: not known yet."""
        return self._latencies.median_s()

    @property
    def seconds(self) -> "list[_Second]":
        """What is remembered, in no order."""
        return self._ring

    def sums(self, now: float, back_s: int = OLD_TO_S) -> Sums:
        """Of the last `back_s` seconds, forty at most."""
        accepted = refused = throttled = drops = arrived = failed = written = 0
        old_written = old_within = soon_got = young_got = 0
        answer_s = soon_expected = young_expected = 0.0
        here = int(now)
        for second in self._ring:
            age = here - second.number
            if not 0 <= age <= back_s:
                continue
            accepted += second.accepted
            refused += second.refused
            throttled += second.throttled
            answer_s += second.answer_s
            drops += second.drops
            arrived += second.delivered
            failed += second.failed
            written += second.written
            if age > OLD_FROM_S:
                old_written += second.written
                old_within += second.within
            elif age > YOUNG_FROM_S and second.written:
                expected = second.written * self._latencies.share_by(now - second.number - 1)
                young_got += second.delivered
                young_expected += expected
                if age <= SOON_TO_S:
                    soon_got += second.delivered
                    soon_expected += expected
        return Sums(
            *(accepted, refused, throttled, answer_s, drops, arrived, failed, written, old_written, old_within),
            *(soon_got, soon_expected, young_got, young_expected),
        )

    def of_age(self, age: int, now: float) -> tuple[int, float]:
        """Of the messages of one second: how many have arrived, and how many should have. After ten seconds it is too late."""
        number = int(now) - age
        second = self._ring[number % RING_S]
        if second.number != number or not second.written:
            return 0, 0.0
        if age > OLD_FROM_S:
            return second.within, float(second.written)
        return second.delivered, second.written * self._latencies.share_by(now - number - 1)


def with_latest(sums: Sums, meters: Collection[Meter], now: float, back_s: int = OLD_TO_S) -> Sums:
    """The `sums` of these meters with their latest messages: those with which traffic left, not the many good ones before."""
    got, expected = 0, 0.0
    if sums.young_expected < EXPECTED_MIN:
        for age in range(YOUNG_FROM_S + 1, back_s + 1):
            for meter in meters:
                more_got, more_expected = meter.of_age(age, now)
                got += more_got
                expected += more_expected
            if expected >= LATEST:
                break
    return sums._replace(latest_got=got, latest_expected=expected)
