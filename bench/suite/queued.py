"""Measurements with a long queue: every carrier is closed while messages come in.

`restart`  the gateway is killed with its queue, carriers open, it starts again: how soon it sends, and whether all comes once
`memory`   what the core holds of a queue, by its resident memory
"""

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import SystemRandom

from bench.carrier.arrivals import ACCEPTED, read_arrivals
from bench.load.run import Run
from bench.measure.figures import Figure
from bench.measure.result import Result
from bench.scenarios.play import DIGITS, setup_for
from bench.scenarios.script import LoadRole
from bench.scenarios.stage import Stage
from bench.suite.loads import Lines, checked, plain_carriers
from bench.suite.parts import Measured, PartError, Say

POLL_S = 0.25
QUIET_S = 20.0
"""Nothing new for so long: what is not there by now never comes."""
AFTER_S = 2.0
"""When all are there: for those that come twice."""


@contextlib.contextmanager
def queued(row: str, messages: int, say: Say) -> Iterator[tuple[Stage, Result]]:
    """A gateway with that many messages queued, and the load that brought them. Raises PartError when some did not come in."""
    # More than that, for marketing is refused when nine tenths are taken.
    settings = f"[core]\nqueue_size_max = {messages * 2}\n"
    load = LoadRole("queue", seconds=300, closed=True, messages=messages, receipts=False, drain=10)
    first = SystemRandom().randrange(10**DIGITS)
    with tempfile.TemporaryDirectory(prefix="tensec-suite-") as folder:
        stage = Stage(Path(folder), plain_carriers(4), "embedded", settings=settings)
        try:
            _tell(stage, "close", "drop")
            result = Run(setup_for(row, load, stage, first, []), Lines(say)).run()
            yield stage, checked(result, messages)
        finally:
            stage.close()


def _tell(stage: Stage, *actions: str) -> None:
    """All carriers, and wait until they have done it."""
    for carrier in stage.carriers.values():
        for action in actions:
            carrier.tell({"do": action})
            said = carrier.next_line()
            if said.get("event") != action:
                raise PartError(f"a carrier was told to {action} and says {said}")


def restart(row: str, whole: int, quick: int, is_quick: bool, say: Say) -> Measured:
    """See the module."""
    messages = quick if is_quick else whole
    with queued(row, messages, say) as (stage, result):
        stage.gateway.kill()
        early = sum(len(read_arrivals(path)) for path in stage.arrivals.values())
        if early:
            raise PartError(f"{early} messages left before the restart: the carriers were to be closed")
        _tell(stage, "listen")
        say(f"      killed with {messages} queued, starting again")
        began = time.monotonic()
        stage.gateway.start()
        arrivals = Arrivals(stage.arrivals)
        arrivals.follow(messages)
        if not arrivals.seen:
            raise PartError(f"nothing reached a carrier within {QUIET_S:.0f} s after the start")
        say(f"      {len(arrivals.seen)} of {messages} arrived")
        found = [
            Figure("first_s", arrivals.first - began, "s", "lower"),
            Figure("drained_s", arrivals.last - began, "s", "lower"),
            Figure("arrived", float(len(arrivals.seen))),
            Figure("lost", float(messages - len(arrivals.seen)), "", "lower"),
            Figure("duplicated", float(arrivals.again), "", "lower"),
        ]
    return Measured([_named(row, one) for one in found], result.warnings)


def memory(row: str, whole: int, quick: int, is_quick: bool, say: Say) -> Measured:
    """See the module."""
    messages = quick if is_quick else whole
    with queued(row, messages, say) as (stage, result):
        assert result.target is not None
        rss = stage.processes.used().rss_bytes
        found = [
            Figure("rss_mb", rss / 1e6, "MB", "lower"),
            Figure("rss_max_mb", max(rss, result.target.rss_max_bytes) / 1e6, "MB", "lower"),
            Figure("bytes_per_message", (rss - result.target.rss_start_bytes) / messages, "B", "lower"),
            Figure("accepted_per_s", result.rate_accepted, "/s", "higher"),
        ]
    return Measured([_named(row, one) for one in found], result.warnings)


def _named(row: str, one: Figure) -> Figure:
    return Figure(f"{row}.{one.name}", one.value, one.unit, one.better, one.runs)


class Arrivals:
    """What came to all carriers together, by their files; message for message, known by recipient and part."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._ends = dict.fromkeys(paths.values(), 0)
        self.seen: Counter[int] = Counter()
        self.first = float("inf")
        self.last = 0.0

    @property
    def again(self) -> int:
        """Messages that came more than once."""
        return sum(count > 1 for count in self.seen.values())

    def look(self) -> bool:
        """At what is new; whether anything is."""
        before = self.seen.total()
        for path, end in self._ends.items():
            arrived = read_arrivals(path, end)
            self._ends[path] = arrived.end
            for to, received, fate, part, _, _ in arrived:
                if fate == ACCEPTED:
                    self.seen[to << 8 | part] += 1
                    self.first, self.last = min(self.first, received), max(self.last, received)
        return self.seen.total() > before

    def follow(self, messages: int) -> None:
        """Until that many are there, and a little longer; or nothing comes any more."""
        ends = time.monotonic() + QUIET_S
        while time.monotonic() < ends and len(self.seen) < messages:
            if self.look():
                ends = time.monotonic() + QUIET_S
            time.sleep(POLL_S)
        time.sleep(AFTER_S)
        self.look()
