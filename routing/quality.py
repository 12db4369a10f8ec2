"""How well a channel delivers, from 0 to 100, and whether it is trusted with traffic.

Everything is counted by the second in which a message was written, so a message that has no receipt yet is seen: of those
written three seconds ago a channel that usually delivers 90 % within three seconds should have delivered 90 %. Nobody waits
for ten seconds to pass to learn that a carrier has turned slow.

    accept    accepted / answered, throttling apart
    speed     the lesser of: delivered within ten seconds / written (of those ten seconds old), and
              delivered so far / what its own past makes us expect by now (of younger ones)
    arrival   delivered / ended
    calm      not throttled / answered

Few samples pull towards neutral. Time is an argument; memory is fixed; a message costs a few additions.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from routing.sla import WITHIN_S

RING_S = 64
OLD_FROM_S, OLD_TO_S = 10, 40
"""Ages at which messages are judged by the ten seconds."""
YOUNG_FROM_S = 1
YOUNG_TO_S = (4, 10)
EDGES_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
HALF_LIFE_S = 300.0
PRIOR = 20.0
"""Samples that an unknown channel is given, all good."""
EXPECTED_MIN = 10.0
"""Messages that should have arrived before their absence says anything."""
NEUTRAL = 90.0
OPEN_BELOW, CLOSE_ABOVE = 30.0, 70.0
SAMPLES_MIN = 30
RETRY_S = 60.0
"""A channel that is kept out and gets nothing to prove itself with is given another chance after so long."""


class Score(NamedTuple):
    """0 to 100, with its parts as shares and how many messages it is made of."""

    value: float
    accept: float
    speed: float
    arrival: float
    calm: float
    samples: int


PERFECT = Score(NEUTRAL, 1.0, 1.0, 1.0, 1.0, 0)


class _Second:
    """What was written in one second, and what became of it."""

    __slots__ = ("accepted", "delivered", "failed", "number", "refused", "throttled", "within", "written")

    def __init__(self) -> None:
        self.clear(-1)

    def clear(self, number: int) -> None:
        self.number = number
        self.written = self.accepted = self.refused = self.throttled = 0
        self.delivered = self.within = self.failed = 0


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


class Meter:
    """One channel, or one class on it."""

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

    def answered(self, now: float, accepted: int = 0, refused: int = 0, throttled: int = 0) -> None:
        """What the carrier said to some."""
        second = self._second(now)
        second.accepted += accepted
        second.refused += refused
        second.throttled += throttled

    def not_written(self, count: int, written_at: float) -> None:
        """They were refused, so nobody waits for their receipts."""
        second = self._ring[int(written_at) % RING_S]
        if second.number == int(written_at):
            second.written = max(0, second.written - count)

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

    def expected_by(self, number: int, written: int, now: float) -> float:
        """How many of those written in a second should have arrived by now."""
        return written * self._latencies.share_by(now - number - 1)

    def share_by(self, age_s: float) -> float:
        """Which part of receipts usually has come by then."""
        return self._latencies.share_by(age_s)

    @property
    def seconds(self) -> "list[_Second]":
        """What is remembered, in no order."""
        return self._ring


def score_of(meters: Iterable[Meter], now: float) -> Score:
    """Of the last forty seconds, all meters together."""
    accepted = refused = throttled = failed = arrived = 0
    old_written = old_within = 0
    young = {most: [0.0, 0.0] for most in YOUNG_TO_S}
    """Delivered and expected, of the last few seconds and of some more: a change is seen in the former first."""
    here = int(now)
    for meter in meters:
        for second in meter.seconds:
            age = here - second.number
            if not 0 <= age <= OLD_TO_S:
                continue
            accepted += second.accepted
            refused += second.refused
            throttled += second.throttled
            failed += second.failed
            arrived += second.delivered
            if age > OLD_FROM_S:
                old_written += second.written
                old_within += second.within
            elif age > YOUNG_FROM_S and second.written:
                expected = meter.expected_by(second.number, second.written, now)
                for most, sums in young.items():
                    if age <= most:
                        sums[0] += second.delivered
                        sums[1] += expected
    answered = accepted + refused
    accept = (accepted + PRIOR) / (answered + PRIOR)
    calm = (answered + PRIOR) / (answered + throttled + PRIOR)
    arrival = (arrived + PRIOR) / (arrived + failed + PRIOR)
    speed = (old_within + PRIOR) / (old_written + PRIOR)
    speed = min([1.0, speed, *(got / expected for got, expected in young.values() if expected >= EXPECTED_MIN)])
    value = 100.0 * accept * speed * arrival * (0.5 + 0.5 * calm)
    return Score(value, accept, speed, arrival, calm, max(answered, old_written))


class Breaker:
    """Whether a channel is trusted: closed (yes), or open: then only a small share of traffic tries it, and never codes."""

    def __init__(self) -> None:
        self.open_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether traffic is kept away."""
        return self.open_since is not None

    def look(self, score: Score, now: float) -> str:
        """Judge by the latest score. Gives "opened", "closed" or nothing."""
        if self.open_since is None:
            if score.value < OPEN_BELOW and score.samples >= SAMPLES_MIN:
                self.open_since = now
                return "opened"
        elif score.value > CLOSE_ABOVE and (score.samples >= SAMPLES_MIN or now - self.open_since > RETRY_S):
            self.open_since = None
            return "closed"
        return ""


class ChannelQuality:
    """A channel as a whole and by class. Messages are counted by class, answers for the channel."""

    def __init__(self) -> None:
        self.answers = Meter()
        self.breaker = Breaker()
        self.by_class: dict[str, Meter] = {}
        self.scores: dict[str, float] = {}
        self.score = PERFECT

    def of(self, class_: str) -> Meter:
        """The meter of a class."""
        meter = self.by_class.get(class_)
        if meter is None:
            meter = self.by_class[class_] = Meter()
        return meter

    def look(self, now: float) -> str:
        """Once a second: scores anew. Gives what the breaker did."""
        self.score = score_of((self.answers, *self.by_class.values()), now)
        for class_, meter in self.by_class.items():
            own = score_of((meter,), now)
            # What few messages of a class say counts little beside what all say.
            share = own.samples / (own.samples + PRIOR)
            self.scores[class_] = share * own.value + (1 - share) * self.score.value
        return self.breaker.look(self.score, now)

    def score_of(self, class_: str) -> float:
        """0 to 100."""
        return self.scores.get(class_, self.score.value)
