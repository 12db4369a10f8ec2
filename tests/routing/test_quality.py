"""Scores tell early that a carrier turned slow, forgive it when it is well, and say little about few messages."""

import heapq
import random
from collections.abc import Callable

import pytest

from routing.meters import Latencies
from routing.quality import CLOSE_ABOVE, OPEN_BELOW, Breaker, ChannelQuality, Score

HEALTHY: Callable[[random.Random], float | None] = lambda chance: chance.lognormvariate(-0.5, 0.5)  # noqa: E731
SLOW: Callable[[random.Random], float | None] = lambda _: 40.0  # noqa: E731
NEVER: Callable[[random.Random], float | None] = lambda _: None  # noqa: E731


class Carrier:
    """Takes `rate` messages a second; receipts come as `latency` says when they are written. `seen`: what happened when."""

    def __init__(self, rate: float = 100.0) -> None:
        self.quality = ChannelQuality()
        self.now = 1_000.0
        self.rate = rate
        self._owed = 0.0
        self._chance = random.Random(7)
        self._receipts: list[tuple[float, float]] = []

    def run(self, seconds: float, latency: Callable[[random.Random], float | None]) -> list[tuple[float, str]]:
        """Let time pass; gives what the breaker did, with seconds since the begin of this run."""
        seen = []
        began = self.now
        meter = self.quality.of("notification")
        while self.now < began + seconds:
            self._owed += self.rate / 10
            count = int(self._owed + 1e-6)
            self._owed -= count
            meter.written(count, self.now)
            self.quality.answers.answered(self.now, accepted=count)
            for _ in range(count):
                after = latency(self._chance)
                if after is not None:
                    heapq.heappush(self._receipts, (self.now + after, after))
            self.now += 0.1
            while self._receipts and self._receipts[0][0] <= self.now:
                _, after = heapq.heappop(self._receipts)
                meter.delivered(after, self.now)
            if int(self.now * 10) % 10 == 0 and (what := self.quality.look(self.now)):
                seen.append((self.now - began, what))
        return seen

    @property
    def score(self) -> Score:
        self.quality.look(self.now)
        return self.quality.score


def test_a_channel_that_delivers_well_scores_high() -> None:
    carrier = Carrier()
    assert carrier.run(60, HEALTHY) == []
    assert carrier.score.value > 90
    assert carrier.score.speed > 0.95


@pytest.mark.parametrize("rate", [50.0, 700.0])
def test_a_carrier_that_turns_slow_is_seen_long_before_ten_seconds_have_passed(rate: float) -> None:
    carrier = Carrier(rate)
    carrier.run(30, HEALTHY)
    (when, what), *_ = carrier.run(8, SLOW)
    assert what == "opened"
    assert when < 6


def test_it_is_trusted_again_within_a_minute_after_it_is_well() -> None:
    carrier = Carrier()
    carrier.run(30, HEALTHY)
    carrier.run(60, SLOW)
    carrier.rate = 10  # what tries it now and then
    seen = carrier.run(70, HEALTHY)
    assert [what for _, what in seen] == ["closed"]
    assert seen[0][0] < 60


@pytest.mark.parametrize("tries_per_s", [0.0, 1.0, 3.0])
def test_what_it_did_well_before_does_not_close_the_breaker_while_it_is_slow(tries_per_s: float) -> None:
    carrier = Carrier()
    carrier.run(30, HEALTHY)
    carrier.run(5, SLOW)
    carrier.rate = tries_per_s
    assert carrier.quality.breaker.is_open
    assert carrier.run(45, SLOW) == []


def test_one_that_accepts_everything_and_delivers_nothing_is_found_without_any_past() -> None:
    seen = Carrier().run(20, NEVER)
    assert [what for _, what in seen] == ["opened"]
    assert seen[0][0] < 16


def test_a_few_messages_without_a_receipt_are_no_verdict() -> None:
    quality = ChannelQuality()
    for at in range(3):
        quality.of("verification").written(1, 1_000.0 + at)
        quality.answers.answered(1_000.0 + at, accepted=1)
    quality.look(1_020.0)
    assert quality.score.value > 80
    assert not quality.breaker.is_open


def test_refusals_throttling_and_failures_lower_their_own_part() -> None:
    parts = {}
    for name in ("plain", "refused", "throttled", "failed"):
        quality = ChannelQuality()
        meter = quality.of("marketing")
        for at in range(200):
            now = 1_000.0 + at / 10
            meter.written(1, now)
            bad = at % 2 == 0
            quality.answers.answered(
                now, accepted=1, refused=int(bad and name == "refused"), throttled=int(bad and name == "throttled")
            )
            meter.failed(now) if bad and name == "failed" else meter.delivered(0.05, now)
        quality.look(1_020.5)
        parts[name] = quality.score
    assert parts["plain"].value > 95
    assert parts["refused"].accept == pytest.approx(0.69, abs=0.02)
    assert parts["throttled"].calm == pytest.approx(0.69, abs=0.02)
    assert parts["failed"].arrival == pytest.approx(0.55, abs=0.03)
    assert all(parts[name].value < parts["plain"].value for name in ("refused", "throttled", "failed"))


def test_what_was_refused_is_not_waited_for() -> None:
    quality = ChannelQuality()
    meter = quality.of("notification")
    for at in range(300):
        now = 1_000.0 + at / 10
        meter.written(1, now)
        meter.not_written(1, now)
    quality.look(1_030.0)
    assert quality.score.speed == 1.0


def test_a_class_with_few_messages_goes_by_what_all_say() -> None:
    carrier = Carrier()
    carrier.run(30, HEALTHY)
    carrier.quality.of("verification").written(1, carrier.now)
    carrier.quality.look(carrier.now)
    assert carrier.quality.score_of("verification") == pytest.approx(carrier.quality.score.value, abs=1)
    assert carrier.quality.score_of("never seen") == carrier.quality.score.value


def test_receipts_older_than_what_is_remembered_change_nothing() -> None:
    quality = ChannelQuality()
    meter = quality.of("marketing")
    for at in range(200):
        meter.written(10, 1_000.0 + at)
    meter.delivered(150.0, 1_199.0)
    assert sum(second.delivered for second in meter.seconds) == 0


def test_latencies_forget_what_was_long_ago() -> None:
    latencies = Latencies()
    for at in range(1_000):
        latencies.add(0.2, at * 0.1)
    assert latencies.share_by(1.0) == 1.0
    for at in range(300):
        latencies.add(20.0, 4_000.0 + at)
    assert latencies.share_by(1.0) < 0.01
    assert latencies.share_by(60.0) == 1.0


@pytest.mark.parametrize(
    ("value", "samples", "does"),
    [(OPEN_BELOW - 1, 100, "opened"), (OPEN_BELOW - 1, 5, ""), (OPEN_BELOW + 1, 100, "")],
)
def test_the_breaker_opens_for_bad_scores_of_enough_messages(value: float, samples: int, does: str) -> None:
    assert Breaker().look(Score(value, 1, 1, 1, 1, samples), 0.0) == does


def test_an_open_breaker_closes_for_a_good_score_or_after_a_while_without_any_proof() -> None:
    breaker = Breaker()
    breaker.look(Score(0, 1, 0, 1, 1, 100), 0.0)
    assert breaker.look(Score(CLOSE_ABOVE - 1, 1, 1, 1, 1, 100), 10.0) == ""
    assert breaker.look(Score(CLOSE_ABOVE + 1, 1, 1, 1, 1, 0), 30.0) == "", "nobody has tried it"
    assert breaker.look(Score(CLOSE_ABOVE + 1, 1, 1, 1, 1, 0), 61.0) == "closed"


def test_one_network_of_a_channel_may_be_bad_while_the_others_are_well() -> None:
    quality = ChannelQuality()
    for at in range(400):
        now = 1_000.0 + at / 20
        for network in ("mobile", "virtual"):
            meter = quality.of("marketing", network)
            meter.written(1, now)
            quality.answers.answered(now, accepted=1)
            if network == "mobile" or at % 4 == 0:
                meter.delivered(0.05, now)
    quality.look(1_020.5)
    differing = quality.differing("marketing")
    assert differing["virtual"] < 60 < quality.score_of("marketing") < differing["mobile"]


def test_a_class_that_left_a_channel_when_it_turned_bad_is_not_judged_by_what_was_before() -> None:
    """Other classes stay, and show how it is now; of the class only its latest messages do."""
    quality = ChannelQuality()
    scores = {}
    for at in range(1_200):
        now = 1_000.0 + at / 20
        bad = at >= 400
        for class_ in ("verification", "marketing"):
            if class_ == "verification" and at >= 480:
                continue  # gone to another channel
            meter = quality.of(class_, "mobile")
            meter.written(1, now)
            quality.answers.answered(now, accepted=1)
            if not bad or at % 2:
                meter.delivered(0.05, now)
        if at % 20 == 19:
            quality.look(now)
            scores[round(now - 1_000)] = quality.score_of("verification")
    assert scores[20] > 95
    assert max(scores[at] for at in range(26, 60)) < 70


def test_new_messages_that_arrive_count_more_than_the_latest_before_them() -> None:
    carrier = Carrier()
    carrier.run(30, HEALTHY)
    carrier.run(4, NEVER)
    carrier.rate = 0
    carrier.run(15, NEVER)
    low = carrier.score.value
    carrier.rate = 50
    carrier.run(4, HEALTHY)
    assert low < 20
    assert carrier.score.value > 70


def test_networks_that_refuse_score_low_though_refusals_are_not_waited_for() -> None:
    quality = ChannelQuality()
    for at in range(300):
        now = 1_000.0 + at / 20
        good, bad = quality.of("notification", "mobile"), quality.of("notification", "virtual")
        good.written(2, now)
        good.delivered(0.05, now)
        good.delivered(0.05, now)
        bad.written(1, now)
        bad.not_written(1, now)
        bad.answered(now, refused=1)
        quality.answers.answered(now, accepted=2, refused=1)
    quality.look(1_015.5)
    assert quality.differing("notification")["virtual"] < 50


def test_the_first_messages_to_a_network_go_by_what_its_class_says() -> None:
    quality = ChannelQuality()
    for at in range(200):
        meter = quality.of("notification", "mobile")
        meter.written(1, 1_000.0 + at / 10)
        meter.delivered(0.05, 1_000.0 + at / 10)
    quality.of("notification", "new").written(1, 1_019.0)
    quality.look(1_020.5)
    assert quality.differing("notification") == {}


def test_networks_without_number_are_counted_together_at_the_end() -> None:
    quality = ChannelQuality()
    for at in range(1_000):
        quality.of("marketing", f"n{at}").written(1, 1_000.0)
    assert len(quality.meters["marketing"]) <= 61


def test_slow_answers_and_lost_links_lower_their_own_part() -> None:
    parts = {}
    for name in ("plain", "slow", "shaky"):
        quality = ChannelQuality()
        for at in range(200):
            now = 1_000.0 + at / 10
            quality.of("marketing").written(1, now)
            quality.of("marketing").delivered(0.05, now)
            quality.answers.answered(now, accepted=1, answer_s=3.0 if name == "slow" else 0.02)
        for at in range(2 if name == "shaky" else 0):
            quality.answers.dropped(1_010.0 + at)
        quality.look(1_020.5)
        parts[name] = quality.score
    assert parts["plain"].value > 95
    assert parts["slow"].prompt < 0.7
    assert parts["shaky"].steady == pytest.approx(0.8)
    assert parts["slow"].value < 0.7 * parts["plain"].value
    assert parts["shaky"].value < 0.9 * parts["plain"].value


def test_how_long_receipts_take_as_a_rule_is_known_by_class() -> None:
    carrier = Carrier()
    carrier.run(30, lambda _: 2.9)
    assert carrier.score
    assert carrier.quality.usual_s["notification"] == 3.0
    assert carrier.quality.share_by("notification", 4.0) == 1.0
    assert carrier.quality.share_by("marketing", 4.0) == 0.0


def test_receipts_that_cannot_come_for_our_links_are_down_lower_nothing() -> None:
    carrier = Carrier()
    carrier.run(30, HEALTHY)
    carrier.run(0.9, NEVER)
    carrier.quality.excuse(carrier.now)
    carrier.now += 20
    assert carrier.score.speed > 0.95
    carrier.run(15, NEVER)
    assert carrier.score.speed < 0.5, "what is written after that is waited for"
