"""How well a channel delivers, from 0 to 100, and whether it is trusted with traffic.

A message that has no receipt yet is seen: of those written three seconds ago a channel that usually delivers 90 % within
three seconds should have delivered 90 %. Nobody waits for ten seconds to pass to learn that a carrier has turned slow.

    accept    accepted / answered, throttling apart
    speed     the least of: delivered within ten seconds / written (of those ten seconds old);
              delivered so far / what its own past makes us expect by now (of younger ones);
              the same of the latest ones, when few are young: how it was when traffic left it
    arrival   delivered / ended
    calm      not throttled / answered
    prompt    1 while answers come within a second on average, less the longer they take
    steady    1 without lost links, less with each

Few samples pull towards neutral. There is a score for the channel, for each class on it, and for each network (operator, else
country) a class goes to, as far as there are enough messages to tell.
"""

from collections.abc import Mapping
from typing import NamedTuple

from routing.meters import EXPECTED_MIN, OLD_TO_S, Meter, Sums, add, with_latest

PRIOR = 20.0
"""Samples that an unknown channel is given, all good."""
NEUTRAL = 90.0
OPEN_BELOW, CLOSE_ABOVE = 30.0, 70.0
SAMPLES_MIN = 30
RETRY_S = 60.0
"""A channel that is kept out and gets nothing to prove itself with is given another chance after so long."""
PROMPT_S = 1.0
SLUGGISH = 0.5
"""Slow answers alone do not make a channel worse than this."""
DROP = 0.1
SHAKY = 0.5
NETWORKS_MAX = 60
"""Of a class on a channel; what is beyond them is counted together."""
DIFFERS = 5.0
"""A network whose score is so close to its class's has none of its own."""


class Score(NamedTuple):
    """0 to 100, with its parts as shares and how many messages it is made of."""

    value: float
    accept: float
    speed: float
    arrival: float
    calm: float
    samples: int
    prompt: float = 1.0
    steady: float = 1.0


PERFECT = Score(NEUTRAL, 1.0, 1.0, 1.0, 1.0, 0)


def score_of(messages: Sums, answers: Sums) -> Score:
    """`messages`: what became of those that were written; `answers`: what the carrier said."""
    answered = answers.accepted + answers.refused
    accept = (answers.accepted + PRIOR) / (answered + PRIOR)
    calm = (answered + PRIOR) / (answered + answers.throttled + PRIOR)
    arrival = (messages.arrived + PRIOR) / (messages.arrived + messages.failed + PRIOR)
    speed = (messages.old_within + PRIOR) / (messages.old_written + PRIOR)
    for got, expected in (
        (messages.soon_got, messages.soon_expected),
        (messages.young_got, messages.young_expected),
        (messages.latest_got, messages.latest_expected),
    ):
        if expected >= EXPECTED_MIN:
            speed = min(speed, got / expected)
    mean_s = answers.answer_s / (answers.accepted + PRIOR)
    prompt = 1.0 if mean_s <= PROMPT_S else max(SLUGGISH, PROMPT_S / mean_s)
    steady = max(SHAKY, 1.0 - DROP * answers.drops)
    value = 100.0 * accept * speed * arrival * (0.5 + 0.5 * calm) * prompt * steady
    return Score(value, accept, speed, arrival, calm, max(answered, messages.old_written), prompt, steady)


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
    """A channel as a whole, by class, and by class and network. Messages are counted by both, answers for the channel."""

    def __init__(self) -> None:
        self.answers = Meter()
        self.breaker = Breaker()
        self.meters: dict[str, dict[str, Meter]] = {}
        """By class and network."""
        self.scores: dict[str, float] = {}
        self.by_network: dict[str, dict[str, float]] = {}
        """By class: networks whose score differs from their class's."""
        self.usual_s: dict[str, float] = {}
        """By class: how long a receipt takes as a rule, as far as that is known."""
        self.score = PERFECT

    def of(self, class_: str, network: str = "") -> Meter:
        """The meter of a class's messages to a network."""
        meters = self.meters.get(class_)
        if meters is None:
            meters = self.meters[class_] = {}
        meter = meters.get(network)
        if meter is None:
            if len(meters) >= NETWORKS_MAX:
                network = ""
            meter = meters.setdefault(network, Meter())
        return meter

    def share_by(self, class_: str, age_s: float) -> float:
        """Which part of a class's receipts has come by then: of its network that is best known."""
        meters = self.meters.get(class_)
        return max([one.share_by(age_s) for one in meters.values()]) if meters else 0.0

    def excuse(self, now: float) -> None:
        """All our links to it are down: receipts that are missing say nothing about the carrier."""
        for meter in self._all():
            meter.excuse(now)

    def look(self, now: float) -> str:
        """Once a second: scores anew. Gives what the breaker did."""
        answers = self.answers.sums(now)
        found = {
            class_: {network: with_latest(meter.sums(now), (meter,), now) for network, meter in meters.items()}
            for class_, meters in self.meters.items()
        }
        by_class = {
            class_: with_latest(add(sums.values()), self.meters[class_].values(), now) for class_, sums in found.items()
        }
        self.score = score_of(with_latest(add(by_class.values()), self._all(), now), answers)
        for class_, sums in by_class.items():
            value = self.scores[class_] = _blended(_own(sums, answers), self.score.value)
            own = {network: _blended(_own(one, answers), value) for network, one in found[class_].items()}
            self.by_network[class_] = {network: one for network, one in own.items() if abs(one - value) >= DIFFERS}
            medians = [(one.written, self.meters[class_][network].median_s()) for network, one in found[class_].items()]
            self.usual_s[class_] = max(medians)[1] if medians else 0.0
        return self.breaker.look(self._proof(now), now)

    def _all(self) -> list[Meter]:
        return [meter for meters in self.meters.values() for meter in meters.values()]

    def _proof(self, now: float) -> Score:
        """What the breaker goes by. Once it is open, what the channel did well before does not speak for it any more."""
        opened = self.breaker.open_since
        if opened is None:
            return self.score
        back_s = min(OLD_TO_S, int(now) - int(opened) - 1)
        meters = self._all()
        messages = with_latest(add(meter.sums(now, back_s) for meter in meters), meters, now, back_s)
        since = score_of(messages, self.answers.sums(now, back_s))
        return since._replace(value=min(since.value, self.score.value))

    def score_of(self, class_: str) -> float:
        """0 to 100."""
        return self.scores.get(class_, self.score.value)

    def differing(self, class_: str) -> Mapping[str, float]:
        """Networks on which the class does better or worse than on the whole."""
        return self.by_network.get(class_, {})


def _own(messages: Sums, answers: Sums) -> Score:
    """Of some messages: what was not refused counts as accepted; pace and links are the channel's."""
    mean_s = answers.answer_s / (answers.accepted + PRIOR)
    answer_s = mean_s * (messages.written + PRIOR)
    return score_of(messages, answers._replace(accepted=messages.written, refused=messages.refused, answer_s=answer_s))


def _blended(own: Score, value: float) -> float:
    """What few messages say counts little beside what all say."""
    share = own.samples / (own.samples + PRIOR)
    return share * own.value + (1 - share) * value
