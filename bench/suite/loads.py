"""Measurements that are a load through gateway and carriers: what a script's last load shows becomes a row's figures."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.load.limits import raise_file_limit
from bench.load.run import BY_HAND
from bench.load.view import Moment, PlainView
from bench.measure.figures import Better, Figure, figures
from bench.measure.result import Result
from bench.scenarios.play import perform
from bench.scenarios.script import CarrierRole, Script
from bench.suite.parts import Measured, PartError, Say

EVERY_S = 5
"""Seconds of a load between two lines on the terminal."""
AT_ONCE = {"resp_latency": "0ms", "dlr_latency": "0ms", "stat_mix": "DELIVRD=1"}
"""A carrier that answers at once and delivers everything: nobody waits but for the gateway."""
Measure = Callable[[bool, Say], Measured]


def plain_carriers(count: int, **more: str) -> list[CarrierRole]:
    """Carriers without delays; `more` are switches that differ."""
    return [CarrierRole(f"carrier-{name}", set={**AT_ONCE, **more}, binds=4, window=100) for name in "abcdefgh"[:count]]


class Lines(PlainView):
    """A line every few seconds, set off from those of the suite."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def connecting(self, count: int, wanted: int) -> None:
        if count == wanted:
            self.say(f"connected {count}")

    def second(self, moment: Moment) -> None:
        if moment.at_s % EVERY_S == 0:
            self.say(
                f"{moment.at_s:3.0f} s {moment.phase:<8} sent {moment.sent}/s  accepted {moment.accepted}/s"
                f"  receipts {moment.receipts}/s  in flight {moment.in_flight}  waiting {moment.waiting}"
            )

    def say(self, text: str) -> None:
        self._say(f"      {text}")


def checked(result: Result, messages: int | None) -> Result:
    """A run that went through. Raises PartError when it did not, or did not bring all its messages in."""
    if any(one.startswith(BY_HAND) for one in result.warnings):
        raise KeyboardInterrupt  # the load heard Ctrl-C in the suite's place
    if result.failure:
        raise PartError(result.failure)
    accepted = result.total.counts.accepted
    if messages is not None and accepted != messages:
        raise PartError(f"{accepted} of {messages} messages were accepted: {result.errors or 'no room in time'}")
    return result


def played(row: str, script: Script, say: Say) -> tuple[Result, list[Figure]]:
    """(the last load's result, its figures and those of the loads before it)."""
    raise_file_limit(max(load.connections for load in script.loads))
    result, _, before = perform(row, script, Lines(say))
    last = script.loads[-1]
    checked(result, last.messages if last.closed else None)
    return result, [*before, *figures(result)]


def named(row: str, found: Iterable[Figure], names: Sequence[str]) -> Iterator[Figure]:
    """Those of `names` that were measured, under the row's name."""
    by_name = {one.name: one for one in found}
    for name in names:
        if name in by_name:
            one = by_name[name]
            yield Figure(f"{row}.{name}", one.value, one.unit, one.better, one.runs)


def watched(row: str, whole: Script, quick: Script, names: Sequence[str]) -> Measure:
    """One run of a script; `names` are the figures to keep."""

    def measure(is_quick: bool, say: Say) -> Measured:
        result, found = played(row, quick if is_quick else whole, say)
        return Measured(list(named(row, found, names)), result.warnings)

    return measure


def through(row: str, whole: Script, quick: Script, rounds: int) -> Measure:
    """How many messages a second go all the way, from the first one sent to the last receipt, and what they cost the core."""

    def measure(is_quick: bool, say: Say) -> Measured:
        script = quick if is_quick else whole
        results = [played(row, script, say)[0] for _ in range(1 if is_quick else rounds)]
        warnings = list(dict.fromkeys(warning for result in results for warning in result.warnings))
        return Measured(list(_through(row, results)), warnings)

    return measure


def _through(row: str, results: Sequence[Result]) -> Iterator[Figure]:
    def median(name: str, unit: str, better: Better, runs: list[float]) -> Figure:
        return Figure(f"{row}.{name}", statistics.median(runs), unit, better, runs)

    yield median("per_s", "/s", "higher", [one.total.counts.accepted / one.ended_s for one in results])
    costs = [one.target.cpu_us_per_message for one in results if one.target is not None]
    if known := [one for one in costs if one is not None]:
        yield median("cpu_us_per_message", "us", "lower", known)
    yield median("accepted_per_s", "/s", "higher", [one.rate_accepted for one in results])
    for name in ("lost", "duplicated", "without_receipt"):  # the worst round, not the middle one
        runs = [float(getattr(one.ledger, name)) for one in results]
        yield Figure(f"{row}.{name}", max(runs), "", "lower", runs)
