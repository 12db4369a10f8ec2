"""The highest rate that holds: short runs at rising rates until one breaks, halving the gap, then a longer one to confirm.

A step breaks when its accept latency p99 passes the limit, more than `errors_max` of its answers are refusals, or messages are
still waiting at its end. The result is that of the confirming run; the steps are told as it goes.
"""

from dataclasses import dataclass, replace

from msgspec import structs

from bench.load.run import Run, Setup
from bench.load.schedule import Schedule
from bench.load.view import View
from bench.measure.result import Result

STEP_S = 6.0
CONFIRM_S = 20.0
GROWTH = 2.0
CLOSE_ENOUGH = 1.08
RATE_MAX = 1_000_000.0
BACK = 0.93
CONFIRMATIONS = 4


@dataclass(frozen=True)
class Limits:
    """What still counts as holding."""

    p99_s: float = 0.1
    errors_max: float = 0.001
    sent_min: float = 0.99


def broken(result: Result, limits: Limits) -> str:
    """Why a step did not hold; empty when it did."""
    counts = result.total.counts
    if result.failure:
        return result.failure
    if result.rate_asked and result.rate_sent < limits.sent_min * result.rate_asked:
        return f"only {result.rate_sent:.0f}/s could be sent"
    if counts.unanswered:
        return f"{counts.unanswered} without an answer"
    if counts.refused > limits.errors_max * counts.sent:
        return f"{counts.refused} refused"
    p99 = result.total.accept.p99_ms
    if p99 is not None and p99 > limits.p99_s * 1e3:
        return f"accept p99 {p99:.0f} ms"
    return ""


class FindMax:
    """Many runs against one target."""

    def __init__(self, setup: Setup, view: View, limits: Limits) -> None:
        self.setup = setup
        self.view = view
        self.limits = limits
        self.log = ""
        """Of the last run."""

    def run(self) -> Result:
        """The confirming run. Raises SourceError."""
        rate = self.setup.schedule.rate or RATE_MAX
        held, broke = 0.0, 0.0
        while not broke and rate <= RATE_MAX:
            if self._holds(rate, STEP_S):
                held, rate = rate, rate * GROWTH
            else:
                broke = rate
        while broke > max(held, 1.0) * CLOSE_ENOUGH:
            rate = (held + broke) / 2
            if self._holds(rate, STEP_S):
                held = rate
            else:
                broke = rate
        return self._confirm(held)

    def _confirm(self, rate: float) -> Result:
        for _ in range(CONFIRMATIONS):
            result = self._at(rate, CONFIRM_S)
            why = broken(result, self.limits)
            if not why:
                self.view.say(f"{rate:.0f}/s is the highest rate that holds")
                return result
            self.view.say(f"{rate:.0f}/s did not hold for {CONFIRM_S:.0f} s: {why}")
            rate *= BACK
        result.warnings.append("no rate was confirmed: the last one tried is shown")
        return result

    def _holds(self, rate: float, span_s: float) -> bool:
        result = self._at(rate, span_s)
        why = broken(result, self.limits)
        p99 = result.total.accept.p99_ms or 0.0
        self.view.say(f"{rate:.0f}/s {'holds' if not why else f'breaks: {why}'} (accept p99 {p99:.1f} ms)")
        return not why

    def _at(self, rate: float, span_s: float) -> Result:
        """One run at that rate."""
        setup = self.setup
        schedule = Schedule(rate, 0.0, span_s)
        run = Run(replace(setup, schedule=schedule, plan=structs.replace(setup.plan, rate=rate)), self.view)
        result = run.run()
        self.log = run.log
        return result
