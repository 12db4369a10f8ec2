"""Measurements that are a load through gateway and carriers: what a script's last load shows becomes a row's figures."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.load.limits import raise_file_limit
from bench.load.run import BY_HAND
from bench.load.view import Moment, PlainView
from bench.measure.figures import Figure, figures
from bench.measure.result import Result
from bench.report.sides import together
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


def rounds_of(rounds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Each figure over all rounds: the median with its runs, or the worst where it should be none (`together`)."""
    if len(rounds) == 1:
        return list(rounds[0])
    names = dict.fromkeys(one.name for found in rounds for one in found)
    return [together([one for found in rounds for one in found if one.name == name]) for name in names]


def watched(row: str, whole: Script, quick: Script, names: Sequence[str], rounds: int = 1) -> Measure:
    """A script, played `rounds` times from its beginning; `names` are the figures to keep."""
    return _measure(row, whole, quick, rounds, lambda _, found: list(named(row, found, names)))


def through(row: str, whole: Script, quick: Script, rounds: int) -> Measure:
    """How many messages a second go all the way, from the first one sent to the last receipt, and what the core needs."""
    return _measure(row, whole, quick, rounds, lambda result, _: list(_through(row, result)))


def _measure(
    row: str, whole: Script, quick: Script, rounds: int, keep: Callable[[Result, list[Figure]], list[Figure]]
) -> Measure:
    def measure(is_quick: bool, say: Say) -> Measured:
        kept, warnings = [], []
        for at in range(1 if is_quick else rounds):
            result, found = played(row, quick if is_quick else whole, say)
            kept.append(keep(result, found))
            warnings += [f"round {at + 1}: {warning}" if rounds > 1 else warning for warning in result.warnings]
        return Measured(rounds_of(kept), warnings)

    return measure


def _through(row: str, result: Result) -> Iterator[Figure]:
    yield Figure(f"{row}.per_s", result.total.counts.accepted / result.ended_s, "/s", "higher")
    if result.target is not None and result.target.cpu_us_per_message is not None:
        yield Figure(f"{row}.cpu_us_per_message", result.target.cpu_us_per_message, "us", "lower")
    if result.target is not None:
        yield Figure(f"{row}.rss_max_mb", result.target.rss_max_bytes / 1e6, "MB", "lower")
    yield Figure(f"{row}.accepted_per_s", result.rate_accepted, "/s", "higher")
    for name in ("lost", "duplicated", "without_receipt"):
        yield Figure(f"{row}.{name}", float(getattr(result.ledger, name)), "", "lower")
