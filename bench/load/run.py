"""A whole run: connect, begin, follow it second by second, wait for what is late, hold the ledgers against each other."""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.carrier.arrivals import RECORD_SIZE, read_arrivals
from bench.load.hand import Interrupt
from bench.load.loose import alone
from bench.load.orders import UNIT_S, Order, Report
from bench.load.schedule import Schedule
from bench.load.sources import SourceError, Sources
from bench.load.view import Moment, View
from bench.measure.ledgers import Findings, Reconciliation, merge_live, rank_ms, read_books
from bench.measure.result import Counts, Event, Plan, Result, Second, TargetUse
from bench.measure.usage import Processes, Used, machine_load, this_machine

BEGIN_AFTER_S = 0.5
"""From the order to begin until the first message is due: every source process must have heard it."""
LATE_MS = 50.0
"""A due message that lay longer than this in a source process makes its own latencies doubtful."""
BUSY = 0.95
ENOUGH = 0.99
"""Below this share of the asked rate, the run did not test what it says."""
ENOUGH_TO_WEIGH = 100
"""Connections; with fewer, what one takes of the target's memory is not said."""
SETTLE_S = 0.3
"""Carriers write their arrivals four times a second."""
BY_HAND = "ended by hand"
"""How the warning begins when somebody pressed Ctrl-C."""


@dataclass
class Action:
    """Something to be done to the target or a carrier while the run goes on. It gives a text for the charts."""

    at_s: float
    do: Callable[[], str]


@dataclass
class Setup:
    """Everything a run needs to know."""

    plan: Plan
    orders: list[Order]
    schedule: Schedule
    drain_s: float
    arrivals: Mapping[str, Path] = field(default_factory=dict)
    """Carriers' files of arrivals, by the carrier's name."""
    processes: Processes | None = None
    actions: list[Action] = field(default_factory=list)
    ignore_recipients: Sequence[range] = ()
    """Of loads before: what still comes to carriers for them is no stranger."""


class Run:
    """One run. `run` gives its result; nothing is left behind."""

    def __init__(self, setup: Setup, view: View) -> None:
        self.setup = setup
        self.view = view
        self._errors: Counter[str] = Counter()
        self._events: list[Event] = []
        self._live: dict[int, Second] = {}
        self._due = [0] * len(setup.orders[0].classes)
        self._taken: dict[str, int] = dict.fromkeys(setup.arrivals, 0)
        self._late_ms = self._generator_cpu = 0.0
        self._late_seconds = 0
        self._used: list[Used] = []
        self._failure = ""
        self.interrupted = False
        """Whether somebody ended the sending by hand."""
        self._load = machine_load()
        self.log = ""
        """Accept latencies as an HDR log, once it is over."""
        self.begin = 0.0
        """When the first message was due, on the system's monotonic clock."""

    def run(self) -> Result:
        """Raises SourceError when it could not even begin, KeyboardInterrupt when it was ended by hand before."""
        setup = self.setup
        interrupt = Interrupt()
        start = self._look()
        with interrupt.heard(), tempfile.TemporaryDirectory(prefix="tensec-bench-") as folder:
            sources = Sources(setup.orders)
            try:
                connections = sources.connect(self.view.connecting)
                connected = self._look()
                self._channels()
                begin = self.begin = time.monotonic() + BEGIN_AFTER_S
                started = datetime.now(UTC)
                interrupt.at_once = False
                sources.go(begin, setup.schedule)
                took = drained = 0.0
                try:
                    took = self._follow(sources, begin, interrupt)
                    drained = self._drain(sources, interrupt) - took
                except SourceError as error:
                    self._failure = str(error)
                    took = took or time.monotonic() - begin
                self._look()
                books = sources.finish(Path(folder))
                for report in sources.rest:
                    self._add(report)
                told = sum(one.receipts_repeated for one in sources.finished)
            finally:
                sources.kill()
            findings = self._reconcile(begin, books)
            repeated, findings.total.counts.receipts_strange = alone(books)
            findings.total.counts.receipts_repeated = told + repeated
            self.log = findings.accept_log
        return self._result(started, took, drained, findings, (start, connected, connections))

    # -- while it goes on

    def _follow(self, sources: Sources, begin: float, interrupt: Interrupt) -> float:
        """Until the schedule has ended; how long that took."""
        schedule = self.setup.schedule
        actions = sorted(self.setup.actions, key=lambda one: one.at_s)
        due = quiet_s = 0
        while True:
            while actions and time.monotonic() - begin >= actions[0].at_s:
                action = actions.pop(0)
                self._events.append(Event(action.at_s, action.do()))
            report = sources.report()
            due += self._take(report, "running")
            over = report.second + 1
            quiet_s = 0 if any(one.accepted or one.refused for one in report.classes) else quiet_s + 1
            if schedule.ends_s == math.inf and quiet_s > self.setup.drain_s:
                raise SourceError(f"the target has answered nothing for {quiet_s} s")
            done = schedule.messages is not None and due >= schedule.messages
            self.interrupted = interrupt.count > 0
            if done or over >= schedule.ends_s or self.interrupted:
                if self.interrupted:
                    sources.stop()
                return min(float(over), schedule.ends_s)

    def _drain(self, sources: Sources, interrupt: Interrupt) -> float:
        """Until every answer and receipt is here, or the time for that is over; when that was."""
        setup = self.setup
        ends = time.monotonic() + setup.drain_s
        while True:
            report = sources.report()
            self._take(report, "draining")
            if not (report.in_flight or report.waiting) and not (setup.plan.receipts and sources.open_receipts(report)):
                return float(report.second + 1)
            if time.monotonic() > ends or interrupt.count > 1:
                if not report.connections and setup.plan.kind == "smpp":
                    self._failure = "the target is gone: no connection was left at the end, and not all was said"
                return float(report.second + 1)

    def _take(self, report: Report, phase: str) -> int:
        """One second more; how many messages were due in it."""
        setup = self.setup
        before = self._used[-1] if self._used else None
        used = self._look()
        cpu = (used.cpu_s - before.cpu_s) / (used.at - before.at) if used and before and used.at > before.at else None
        self._add(report)
        self._late_seconds += report.late_ms > LATE_MS
        self._late_ms = max(self._late_ms, report.late_ms)
        self._generator_cpu = max(self._generator_cpu, report.cpu)
        accept, receipt = (_points(one) for one in zip(*((sums.accept, sums.receipt) for sums in report.classes), strict=True))
        total: dict[str, int] = {
            name: sum(getattr(sums, name) for sums in report.classes)
            for name in ("due", "sent", "accepted", "refused", "receipts")
        }
        second = Second(
            float(report.second),
            due=total["due"],
            in_flight=report.in_flight,
            waiting=report.waiting,
            cpu=cpu,
            rss_bytes=used.rss_bytes if used else None,
        )
        self._live[report.second] = second
        ends = setup.schedule.ends_s
        moment = Moment(
            report.second + 1.0,
            (report.second + 1) / ends if ends != float("inf") else None,
            setup.schedule.rate,
            **total,
            in_flight=report.in_flight,
            waiting=report.waiting,
            connections=report.connections,
            accept=accept,
            receipt=receipt,
            channels=self._channels(),
            errors=dict(self._errors),
            cpu=cpu,
            rss_bytes=used.rss_bytes if used else None,
            phase=phase,
        )
        self.view.second(moment)
        return total["due"]

    def _add(self, report: Report) -> None:
        """What is summed up over the whole run."""
        self._errors.update(report.errors)
        for at, sums in enumerate(report.classes):
            self._due[at] += sums.due

    def _look(self) -> Used | None:
        """At the target's processes."""
        if self.setup.processes is None:
            return None
        used = self.setup.processes.used()
        self._used.append(used)
        return used

    def _channels(self) -> dict[str, int]:
        """What each carrier was given since the last look, by the size of its file."""
        found = {}
        for name, path in self.setup.arrivals.items():
            taken = path.stat().st_size // RECORD_SIZE if path.exists() else 0
            found[name] = max(0, taken - self._taken[name])
            self._taken[name] = taken
        return found

    # -- afterwards

    def _reconcile(self, begin: float, paths: list[Path]) -> Findings:
        time.sleep(SETTLE_S if self.setup.arrivals else 0)
        names = [one.name for one in self.setup.orders[0].classes]
        ledgers = Reconciliation(begin, names, receipts=self.setup.plan.receipts, ignore=self.setup.ignore_recipients)
        for name, path in self.setup.arrivals.items():
            ledgers.take_arrivals(name, iter(read_arrivals(path)) if path.exists() else ())
        return ledgers.findings(read_books(paths))

    def _result(
        self, started: datetime, took: float, drained: float, findings: Findings, at: tuple[Used | None, Used | None, int]
    ) -> Result:
        setup = self.setup
        merge_live(findings.seconds, self._live)
        schedule = setup.schedule
        counts = findings.total.counts
        counts.due = sum(self._due)
        for one, due in zip(findings.classes, self._due, strict=True):
            one.counts.due = due
        if setup.plan.model == "closed" and (schedule.duration_s is None or counts.due >= (schedule.messages or math.inf)):
            # It ended when everything was answered; the reports' whole seconds would be too coarse for its rate.
            took = findings.last_answer_s or took
        span = [second for second in findings.seconds if second.at_s < took]
        result = Result(
            setup.plan,
            started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            took,
            drained,
            findings.total,
            this_machine(self._load),
            rate_asked=schedule.due(took) / took if schedule.rate is not None and took else None,
            rate_sent=sum(second.sent for second in span) / took if took else 0.0,
            rate_accepted=sum(second.accepted for second in span) / took if took else 0.0,
            ended_s=findings.ended_s,
            classes=findings.classes,
            seconds=findings.seconds,
            channels=findings.channels,
            errors=dict(self._errors),
            ledger=findings.ledger,
            target=self._target(*at, counts.accepted),
            generator_cpu=self._generator_cpu,
            failure=self._failure or all_refused(findings.total.counts, self._errors),
            stopped=f"{BY_HAND} after {took:.0f} s" if self.interrupted else "",
            events=self._events,
        )
        result.warnings = list(self._warnings(result))
        return result

    def _target(self, start: Used | None, connected: Used | None, connections: int, accepted: int) -> TargetUse | None:
        if start is None or connected is None or self.setup.processes is None:
            return None
        cpu = self._used[-1].cpu_s - connected.cpu_s
        return TargetUse(
            self.setup.processes.pids,
            cpu,
            cpu * 1e6 / accepted if accepted else None,
            start.rss_bytes,
            connected.rss_bytes,
            max(used.rss_bytes for used in self._used),
            (connected.rss_bytes - start.rss_bytes) / connections if connections >= ENOUGH_TO_WEIGH else None,
        )

    def _warnings(self, result: Result) -> Iterator[str]:
        """What makes the figures doubtful."""
        if result.stopped:
            yield result.stopped
        for path in self.setup.arrivals.values():
            if not path.exists():
                yield f"{path} is no file: what its carrier took is not known, and may be called lost (check --arrivals)"
        asked = result.rate_asked
        waiting = max((second.waiting for second in result.seconds), default=0)
        if asked and result.rate_sent < ENOUGH * asked:
            limit = "the generator" if self._is_generator_limit() else "the target"
            why = (
                "use more --processes, or another machine"
                if self._is_generator_limit()
                else f"its windows were full, up to {waiting} messages waited; their latencies count from when they were due"
            )
            yield f"{result.rate_sent:.0f}/s were sent of {asked:.0f}/s asked for: {limit} was the limit ({why})"
        elif self._is_generator_limit():
            busy = f"{self._generator_cpu:.0%} of a core, a due message lay up to {self._late_ms:.0f} ms"
            yield f"the generator was at its limit ({busy}): latencies hold time of its own"
        unsent = result.total.counts.due - result.total.counts.sent
        if unsent > 0:
            yield f"{unsent} messages that were due were never sent: no room within {self.setup.drain_s:g} s of its end"
        if result.machine.load_before > result.machine.cpus:
            yield f"the machine was busy before the run (load {result.machine.load_before:.1f} on {result.machine.cpus} cores)"
        broken = sum(count for what, count in result.errors.items() if what.startswith("connection lost:"))
        if broken:
            yield f"{broken} connections broke"

    def _is_generator_limit(self) -> bool:
        return self._generator_cpu > BUSY or self._late_seconds > 1


def _points(classes: tuple[dict[int, int], ...]) -> tuple[float | None, float | None, float | None]:
    """p50, p99 and the longest, in milliseconds, of latencies counted by units."""
    units = sorted(unit for counts in classes for unit, count in counts.items() for _ in range(count))
    found = [unit * UNIT_S for unit in units]
    return rank_ms(found, 0.5), rank_ms(found, 0.99), rank_ms(found, 1.0)


def all_refused(counts: Counts, errors: Mapping[str, int]) -> str:
    """A target that took nothing at all has not been loaded; the commonest reason says where to look."""
    if counts.accepted or not counts.refused:
        return ""
    commonest = max(errors, key=lambda name: errors[name], default="")
    hint = ": is the --header with the key right?" if commonest in ("HTTP 401", "HTTP 403") else ""
    return f"the target accepted nothing{f' ({commonest})' if commonest else ''}{hint}"
