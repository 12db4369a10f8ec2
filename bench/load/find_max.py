"""The highest rate that holds: short runs at rising rates until one breaks, halving the gap, then a longer one to confirm.

A step breaks when its accept latency p99 passes the limit, more than `errors_max` of its answers are refusals, or messages are
still waiting at its end. When the first rate breaks already, lower ones are tried. The result is that of the confirming run;
the steps are told as it goes. Ctrl-C, or a target that dies, ends the search with the highest rate that held until then.
"""

from dataclasses import dataclass, replace

from msgspec import structs

from bench.load.orders import Order
from bench.load.run import BY_HAND, Run, Setup
from bench.load.schedule import Schedule
from bench.load.sources import SourceError
from bench.load.view import View
from bench.measure.result import Result

STEP_S = 6.0
CONFIRM_S = 20.0
GROWTH = 2.0
CLOSE_ENOUGH = 1.08
RATE_MIN = 1.0
BACK = 0.93
CONFIRMATIONS = 4


@dataclass(frozen=True)
class Limits:
    """What still counts as holding, and the highest rate to try."""

    p99_s: float = 0.1
    errors_max: float = 0.001
    sent_min: float = 0.99
    rate_max: float = 100_000.0


def broken(result: Result, limits: Limits) -> str:
    """Why a step did not hold; empty when it did."""
    counts = result.total.counts
    if result.failure or not counts.accepted:
        return result.failure or "nothing was accepted, and nothing refused"
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
        """Of the run whose result was given."""
        self._last: tuple[float, Result, str] | None = None
        self._best: tuple[float, Result, str] | None = None
        """(rate, result, log) of the last step, and of the highest that held."""
        self._accepted = 0
        """By the last step. A target that takes nothing takes nothing at a lower rate either."""
        self._made = 0
        self._used: list[range] = []

    def run(self) -> Result:
        """The confirming run, or what there is instead. Raises SourceError and KeyboardInterrupt when there is nothing."""
        try:
            held, why = self._search()
            return self._confirm(held) if held else self._given(failure=f"no rate holds, {why}")
        except SourceError as error:
            if self._last is None:
                raise
            return self._given(failure=str(error))
        except KeyboardInterrupt:
            if self._last is None:
                raise
            return self._given(BY_HAND)

    def _search(self) -> tuple[float, str]:
        """(the highest rate that holds, 0 when there is none; why the lowest one that was tried does not)."""
        most = self.limits.rate_max
        rate = min(self.setup.schedule.rate or RATE_MIN, most)
        held = broke = 0.0
        while not (why := self._why(rate)):
            held = rate
            if rate >= most:
                self.view.say("no higher rate is tried (--rate-max)")
                return held, ""
            rate = min(rate * GROWTH, most)
        broke = rate
        while not held:
            if not self._accepted or broke <= RATE_MIN:
                return 0.0, f"{broke:.0f}/s: {why}"
            rate = max(broke / GROWTH, RATE_MIN)
            why = self._why(rate)
            held, broke = (0.0, rate) if why else (rate, broke)
        while broke > held * CLOSE_ENOUGH:
            rate = (held + broke) / 2
            if self._why(rate):
                broke = rate
            else:
                held = rate
        return held, ""

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

    def _given(self, how: str = "", *, failure: str = "") -> Result:
        """The best there is when the search does not come to its end."""
        found = self._best or self._last
        assert found is not None
        rate, result, self.log = found
        what = f"{rate:.0f}/s held for {STEP_S:.0f} s, that is not confirmed" if self._best else "no rate has held until then"
        result.stopped = ": ".join(filter(None, (how, what)))
        result.warnings = [*(one for one in result.warnings if not one.startswith(BY_HAND)), result.stopped]
        result.failure = failure or result.failure
        return result

    def _why(self, rate: float) -> str:
        """Why that rate does not hold; empty when it does."""
        result = self._at(rate, STEP_S)
        why = broken(result, self.limits)
        p99 = result.total.accept.p99_ms or 0.0
        self.view.say(f"{rate:.0f}/s {'holds' if not why else f'breaks: {why}'} (accept p99 {p99:.1f} ms)")
        if not why:
            self._best = self._last
        return why

    def _at(self, rate: float, span_s: float) -> Result:
        """One run at that rate, to recipients that no step before had. Raises KeyboardInterrupt when it was ended by hand."""
        setup = self.setup
        orders = [_moved(order.first + self._made, order) for order in setup.orders]
        plan = structs.replace(setup.plan, rate=rate, duration_s=span_s)
        run = Run(
            replace(setup, schedule=Schedule(rate, 0.0, span_s), plan=plan, orders=orders, ignore_recipients=self._used),
            self.view,
        )
        result = run.run()
        self.log = run.log
        begin = int(f"{orders[0].prefix}{orders[0].first:0{orders[0].digits}d}")
        self._used = [*self._used, range(begin, begin + result.total.counts.due)]
        self._made += result.total.counts.due
        self._accepted = result.total.counts.accepted
        self._last = rate, result, run.log
        if run.interrupted:
            raise KeyboardInterrupt
        return result


def _moved(first: int, order: Order) -> Order:
    """The same order for other recipients."""
    return structs.replace(order, first=first % 10**order.digits)
