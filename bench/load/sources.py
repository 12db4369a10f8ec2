"""The source processes as one: started together, told together, their reports of a second joined."""

import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.load.loose import still_open
from bench.load.orders import ClassReport, Connected, Failed, Finish, Finished, Go, Look, Loose, Order, Report, Stop, Told
from bench.load.schedule import Schedule
from bench.processes import Child, ChildError

CONNECT_S = 120.0
LINE_S = 30.0
"""A source process that says nothing for so long is broken."""
ToldT = TypeVar("ToldT", Connected, Report, Loose, Finished)


class SourceError(Exception):
    """A source process cannot go on; the text is for the user."""


class BrokenSourceError(SourceError):
    """It has ended, or says nothing: a fault of the generator's, not the target's."""


class Sources:
    """All source processes of a run."""

    def __init__(self, orders: list[Order]) -> None:
        self.orders = orders
        self.finished: list[Finished] = []
        self.rest: list[Report] = []
        """What source processes told of seconds that never became one report: the last one's, and those around a failure."""
        self._held: dict[Child, deque[Report]] = defaultdict(deque)
        """Reports that came while something else was waited for."""
        self._children: list[Child] = []
        try:
            for order in orders:
                command = [sys.executable, "-m", "bench.load.worker"]
                self._children.append(Child(command, timeout_s=CONNECT_S, order=order))
        except BaseException:
            self.kill()
            raise

    def connect(self, tell: Callable[[int, int], None]) -> int:
        """Wait until all connections are there, telling how many of how many; gives how many. Raises SourceError."""
        wanted = sum(one.connections for order in self.orders for one in order.classes)
        total = 0
        for child in self._children:
            told = Connected(0, 1)
            while told.count < told.wanted:
                told = self._next(child, Connected, CONNECT_S)
                tell(total + told.count, wanted)
            total += told.count
        return total

    def go(self, begin: float, schedule: Schedule) -> None:
        """Begin a run at `begin` of the system's monotonic clock."""
        count = len(self._children)
        for index, child in enumerate(self._children):
            child.tell(Go(begin, schedule.shared(count, index)))

    def stop(self) -> None:
        """Nothing more is due."""
        for child in self._children:
            child.tell(Stop())

    def report(self) -> Report:
        """The next second, of all of them together. Raises SourceError."""
        for child in self._children:
            self.rest.append(self._held[child].popleft() if self._held[child] else self._next(child, Report, LINE_S))
        reports, self.rest = self.rest, []
        return join(reports)

    def open_receipts(self, report: Report) -> int:
        """Messages whose receipt came to no source process. They are asked for their ids only when nothing less tells."""
        if len(self._children) == 1 or not report.strays or report.open_receipts > report.strays:
            return report.open_receipts
        for child in self._children:
            child.tell(Look())
        return still_open([self._next(child, Loose, LINE_S) for child in self._children])

    def finish(self, folder: Path) -> list[Path]:
        """Say goodbye; the files of their books. Raises SourceError."""
        paths = [folder / f"source-{index}.book" for index in range(len(self._children))]
        for child, path in zip(self._children, paths, strict=True):
            child.tell(Finish(str(path)))
        self.finished = [self._last(child) for child in self._children]
        for child in self._children:
            child.wait()
            self.rest += self._held[child]
        return paths

    def kill(self) -> None:
        """End them, whatever they do."""
        for child in self._children:
            child.kill()

    def _next(self, child: Child, kind: type[ToldT], timeout_s: float) -> ToldT:
        while True:
            try:
                told = msgspec.convert(child.next_line(timeout_s), Told, str_keys=True)
            except ChildError as error:
                raise BrokenSourceError(f"a source process of the generator broke: {error}") from None
            if isinstance(told, Failed):
                raise SourceError(told.why)
            if isinstance(told, kind):
                return told
            if isinstance(told, Report):
                self._held[child].append(told)

    def _last(self, child: Child) -> Finished:
        """Past reports, which are kept, and past what failed: it is known by now."""
        while True:
            try:
                return self._next(child, Finished, LINE_S)
            except BrokenSourceError:
                raise
            except SourceError:
                continue


def join(reports: list[Report]) -> Report:
    """Sums; the worst of what is no sum."""
    if len(reports) == 1:
        return reports[0]
    classes = [_join_class(list(parts)) for parts in zip(*(report.classes for report in reports), strict=True)]
    errors: Counter[str] = Counter()
    for report in reports:
        errors.update(report.errors)
    return Report(
        reports[0].second,
        classes,
        sum(report.in_flight for report in reports),
        sum(report.waiting for report in reports),
        sum(report.open_receipts for report in reports),
        sum(report.strays for report in reports),
        sum(report.connections for report in reports),
        max(report.late_ms for report in reports),
        max(report.cpu for report in reports),
        dict(errors),
    )


def _join_class(parts: list[ClassReport]) -> ClassReport:
    accept: Counter[int] = Counter()
    receipt: Counter[int] = Counter()
    for part in parts:
        accept.update(part.accept)
        receipt.update(part.receipt)
    return ClassReport(
        sum(part.due for part in parts),
        sum(part.sent for part in parts),
        sum(part.accepted for part in parts),
        sum(part.refused for part in parts),
        sum(part.receipts for part in parts),
        dict(accept),
        dict(receipt),
    )
