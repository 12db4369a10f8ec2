"""CPU microseconds per message of counting: what came due, what was written to carriers, what ended.

    python -m bench.micro.figures [--quick] [--repeats N] [--figures FILE]

Batches of 1, 10, 100 and 1000 messages of three classes, four accounts, two networks and two channels; receipts after one to
six seconds. No lanes: the scores of channels are not in it.
"""

from collections import Counter

from bench.micro.rounds import Job, plain, run_jobs
from config.schema import CLASSES
from gateway.core.figures import Figures
from gateway.store.base import CarrierReceipt, Final
from protocol.receipt import MessageState as CarrierState
from routing.operators import network_of
from routing.records import Message, MessageState

SIZES = (1, 10, 100, 1000)
NOW = 1_000_007.0
UTC = 1_800_000_000.0


class StandingClock:
    """Time stands while a bench runs."""

    boot = "bench"

    def now(self) -> float:
        return NOW

    def utc(self) -> float:
        return UTC


def took_s(number: int) -> float:
    """One to six seconds."""
    return 1.0 + number % 50 / 10


def messages(count: int) -> list[Message]:
    """Those that came in the last seconds."""
    return [
        Message(
            number + 1,
            f"account-{number % 4}",
            class_=CLASSES[number % len(CLASSES)],
            country="CN",
            operator=("cmcc", "cucc")[number % 2],
            boot="bench",
            arrival=NOW - took_s(number + 1),
            arrival_utc=UTC - took_s(number + 1),
            state=MessageState.DELIVERED,
        )
        for number in range(count)
    ]


def finals(batch: list[Message]) -> list[Final]:
    """All delivered now."""
    receipts = [CarrierReceipt(channel, (), CarrierState.DELIVERED, NOW, UTC) for channel in ("a", "b")]
    return [
        Final(one, receipt.channel, took_s(one.id), took_s(one.id) - 0.01, receipt=receipt)
        for one in batch
        for receipt in (receipts[one.id % 2],)
    ]


def written(figures: Figures, batch: list[Message], channel: str = "a", ago_s: float = 5.0) -> None:
    """As a lane counts those it has written."""
    alike: Counter[tuple[str, str, str]] = Counter([(one.class_, network_of(one), one.account) for one in batch])
    figures.written(channel, alike, NOW - ago_s)


def jobs() -> list[Job]:
    """All three at every size."""
    figures = Figures({}, StandingClock())
    made = []
    for size in SIZES:
        batch = messages(size)
        ended = finals(batch)
        figures.due(batch)
        for channel in ("a", "b"):
            for ago_s in (1.0, 5.0):  # receipts find what they are about, as they do unless the gateway has just been started
                written(figures, batch, channel, ago_s)
        made.append(plain(f"figures.due.{size}", size, lambda batch=batch: figures.due(batch)))  # type: ignore[misc]
        made.append(plain(f"figures.written.{size}", size, lambda batch=batch: written(figures, batch)))  # type: ignore[misc]
        made.append(plain(f"figures.ended.{size}", size, lambda ended=ended: figures.ended(ended)))  # type: ignore[misc]
    return sorted(made, key=lambda job: job.name.split(".")[1])


if __name__ == "__main__":
    run_jobs("CPU microseconds per message of counting", jobs, "message")
