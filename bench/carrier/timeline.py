"""A scenario as it happens to a running carrier, and what is told to it on the way: one path, one line said for each change.

    {"at": 20.0, "event": "resp_latency = normal:3000ms,500ms", "monotonic": 123.4}

`at` counts seconds from the first submit, or from the start of the carrier when the scenario says so, or before any submit.
"""

from collections.abc import Callable
from typing import Any

from bench.carrier.actions import Change, restore
from bench.carrier.scenario import Scenario
from bench.carrier.smsc import Smsc


class TimeLine:
    """Runs on the carrier's own wheel."""

    def __init__(self, smsc: Smsc, scenario: Scenario, say: Callable[[dict[str, Any]], None]) -> None:
        self._smsc = smsc
        self._scenario = scenario
        self._say = say
        self._base = smsc.options
        self._zero = smsc.time()
        if scenario.start == "start":
            self._begin(self._zero)
        else:
            smsc.on_first_submit = self._begin

    def apply(self, change: Change, now: float) -> None:
        """Change the carrier, and say so. The owner flushes."""
        change.apply(self._smsc, now)
        self._tell(str(change), now)

    def _tell(self, event: str, now: float) -> None:
        self._say({"at": round(now - self._zero, 3), "event": event, "monotonic": round(now, 6)})

    def _begin(self, now: float) -> None:
        self._zero = now
        self._await(0, now)

    def _await(self, number: int, since: float) -> None:
        """Wait for a step of the round that began at `since`, or for the next round."""
        steps, repeat_s = self._scenario.steps, self._scenario.repeat_s
        if number < len(steps):
            self._smsc.wheel.add(since + steps[number].seconds, self._step, number, since)
        elif repeat_s:
            self._smsc.wheel.add(since + repeat_s, self._start_over, since + repeat_s)

    def _step(self, number: int, since: float, now: float) -> None:
        self.apply(self._scenario.steps[number].change, now)
        self._await(number + 1, since)

    def _start_over(self, since: float, _b: None, now: float) -> None:
        self._smsc.become(self._base, now)
        restore(self._smsc, now)
        self._tell("from the beginning", now)
        self._await(0, since)
