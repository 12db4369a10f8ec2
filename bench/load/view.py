"""What is seen while a run goes on: a table that is redrawn on a terminal, a line a second in a pipe."""

from typing import Protocol

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR = 30


class Moment(msgspec.Struct):
    """One second of the run, as it is shown. Latencies in milliseconds, of this second; counts of errors are sums."""

    at_s: float
    share_done: float | None
    asked: float | None
    due: int
    sent: int
    accepted: int
    refused: int
    receipts: int
    in_flight: int
    waiting: int
    connections: int
    accept: tuple[float | None, float | None, float | None]
    """p50, p99, longest."""
    receipt: tuple[float | None, float | None, float | None]
    channels: dict[str, int]
    errors: dict[str, int]
    cpu: float | None = None
    rss_bytes: int | None = None
    phase: str = "running"


class View(Protocol):
    """Where a run tells how far it is."""

    def connecting(self, count: int, wanted: int) -> None: ...

    def second(self, moment: Moment) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class PlainView:
    """Lines, for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def connecting(self, count: int, wanted: int) -> None:
        self._console.print(f"connected {count} of {wanted}")

    def second(self, moment: Moment) -> None:
        cpu = "" if moment.cpu is None else f"  target cpu {moment.cpu:.2f}"
        channels = "".join(f"  {name} {count}" for name, count in moment.channels.items())
        self._console.print(
            f"{moment.at_s:5.0f} s {moment.phase:<8} sent {moment.sent:>6}/s  ok {moment.accepted:>6}/s"
            f"  refused {moment.refused}  in flight {moment.in_flight}  waiting {moment.waiting}  receipts {moment.receipts}/s"
            f"  accept p50 {_ms(moment.accept[0])} p99 {_ms(moment.accept[1])} ms{cpu}{channels}",
            soft_wrap=True,
        )

    def say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def close(self) -> None:
        pass


class LiveView:
    """One screenful, redrawn every second."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def connecting(self, count: int, wanted: int) -> None:
        self._live.update(Text(f"{self._title}\nconnecting {count} of {wanted}"), refresh=True)

    def second(self, moment: Moment) -> None:
        self._live.update(render(self._title, moment), refresh=True)

    def say(self, text: str) -> None:
        self._live.console.print(text)

    def close(self) -> None:
        self._live.stop()


def render(title: str, moment: Moment) -> RenderableType:
    """The screen of one second."""
    parts: list[RenderableType] = [Text(f"{title}   {moment.phase} {moment.at_s:.0f} s", style="bold")]
    if moment.share_done is not None:
        bar = Table.grid()  # a bar by itself does not end its line
        bar.add_row(ProgressBar(total=1.0, completed=min(1.0, moment.share_done), width=BAR * 2))
        parts.append(bar)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    asked = "" if moment.asked is None else f" of {moment.asked:.0f}"
    table.add_row("sent", f"{moment.sent}{asked} /s", "accepted", f"{moment.accepted} /s", "receipts", f"{moment.receipts} /s")
    table.add_row("in flight", str(moment.in_flight), "waiting", str(moment.waiting), "connections", str(moment.connections))
    table.add_row("refused", f"{moment.refused} /s")
    for name, (p50, p99, longest) in (("accept", moment.accept), ("receipt", moment.receipt)):
        table.add_row(f"{name} p50", f"{_ms(p50)} ms", "p99", f"{_ms(p99)} ms", "longest", f"{_ms(longest)} ms")
    if moment.cpu is not None and moment.rss_bytes is not None:
        table.add_row("target", f"{moment.cpu:.2f} cores", "memory", f"{moment.rss_bytes / 1e6:.0f} MB")
    parts.append(table)
    if moment.channels:
        parts.append(_bars(moment.channels))
    if moment.errors:
        worst = sorted(moment.errors.items(), key=lambda one: -one[1])[:5]
        parts.append(Text("errors  " + "  ".join(f"{name} {count}" for name, count in worst), style="red"))
    return Group(*parts)


def _bars(channels: dict[str, int]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    most = max(channels.values()) or 1
    for name, count in channels.items():
        table.add_row(name, "█" * round(BAR * count / most), f"{count} /s")
    return table


def choose_view(console: Console, title: str) -> View:
    """By what the output is."""
    return LiveView(console, title) if console.is_terminal else PlainView(console)
