"""The result of a load run, as `result.json` holds it: the one thing reports, comparisons and assertions read.

Times are milliseconds in percentiles, seconds elsewhere; `at_s` counts from the first arrival. Latencies count from the
*intended* time of sending, so a target that stalls cannot hide it.
"""

from pathlib import Path
from typing import Literal

import msgspec

from bench.measure.files import read_formed, write_formed

FORM = 1
"""Raised when a reader of the older form would misread it."""


class Percentiles(msgspec.Struct, frozen=True):
    """A distribution of milliseconds; all None without a sample."""

    count: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    p9999_ms: float | None = None
    max_ms: float | None = None


class Counts(msgspec.Struct):
    """Submits: messages, and each part of a long one that we cut.

    due = sent + unsent; sent = accepted + refused + unanswered; accepted = delivered + failed + no receipt.
    """

    due: int = 0
    """Arrivals of the schedule, sent or not."""
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    delivered: int = 0
    """Receipts DELIVRD."""
    failed: int = 0
    """Receipts of any other final state."""
    within_10s: int = 0
    """Delivered within ten seconds of the intended time."""
    receipts_repeated: int = 0
    """Receipts for a message that had its final one. Only of all classes together, like the next."""
    receipts_strange: int = 0
    """Receipts with an id that was never given: they belong to no class."""

    @property
    def unsent(self) -> int:
        """Due, and dropped at the end of the run for want of room."""
        return self.due - self.sent

    @property
    def no_receipt(self) -> int:
        """Accepted, and no final receipt until the run ended; all of them when none were asked for."""
        return self.accepted - self.delivered - self.failed


class ClassResult(msgspec.Struct):
    """One class of the mix, or all together."""

    name: str
    counts: Counts
    accept: Percentiles = Percentiles()
    """Intended time to the answer."""
    carrier: Percentiles = Percentiles()
    """Intended time to the carrier's side having read it, all parts where the target cut it; needs the carriers' ledgers."""
    receipt: Percentiles = Percentiles()
    """Intended time to the DELIVRD receipt."""
    sla_10s: float | None = None
    """Share of accepted messages with a DELIVRD receipt within ten seconds; None without receipts."""
    lost: int = 0
    """As in the ledger."""
    duplicated: int = 0


class Second(msgspec.Struct):
    """One second of the run (`at_s` is its beginning). Latencies belong to the second in which they ended."""

    at_s: float
    due: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    receipts: int = 0
    in_flight: int = 0
    """Sent and not answered, at the end of the second."""
    waiting: int = 0
    """Due and not sent, for want of a free window or connection, at the end of the second."""
    accept_p50_ms: float | None = None
    accept_p99_ms: float | None = None
    accept_max_ms: float | None = None
    receipt_p50_ms: float | None = None
    receipt_p99_ms: float | None = None
    carrier_p50_ms: float | None = None
    carrier_p99_ms: float | None = None
    cpu: float | None = None
    """CPU of the target's processes: 1.0 = one core."""
    rss_bytes: int | None = None
    channels: dict[str, int] = msgspec.field(default_factory=dict)
    """Submits each carrier took."""


class ChannelResult(msgspec.Struct):
    """What came to one carrier, by its own ledger."""

    name: str
    taken: int = 0
    """Submits it answered with OK: each part of a long message."""
    refused: int = 0
    swallowed: int = 0
    share: float = 0.0
    """Of all that carriers took."""
    within_10s: float | None = None
    """Share of its messages that had a DELIVRD receipt within ten seconds."""
    carrier: Percentiles = Percentiles()
    receipt: Percentiles = Percentiles()


class Reconciled(msgspec.Struct):
    """Our own ledger held against the carriers'. Without theirs only receipts speak, and `carriers` is 0."""

    carriers: int = 0
    accepted: int = 0
    """By the target, by our ledger."""
    carried: int = 0
    """Of these, taken by a carrier."""
    ended_before: int = 0
    """Of these, not taken by a carrier, but a receipt told their end (rejected, expired): not lost."""
    lost: int = 0
    """Accepted, and then nothing: no carrier took it and no receipt came. Without carriers' ledgers: no receipt came."""
    duplicated: int = 0
    """Whole messages taken more than once, counted like the rest in our submits: each part of a long one that we cut."""
    parts_again: int = 0
    """Parts of long messages that carriers took more often than the whole message: repeated without the others."""
    unknown: int = 0
    """Sent without an answer and taken by a carrier: the sender cannot know."""
    strange: int = 0
    """Taken by a carrier though we were refused, or never sent by us."""
    without_receipt: int = 0
    """Accepted, a receipt was asked for, and no final one came until the run ended."""


class TargetUse(msgspec.Struct):
    """What the target's processes used, from the first arrival to the last answer or receipt."""

    pids: list[int] = msgspec.field(default_factory=list)
    cpu_s: float = 0.0
    cpu_us_per_message: float | None = None
    """Per accepted message."""
    rss_start_bytes: int = 0
    """Before the first connection."""
    rss_connected_bytes: int = 0
    rss_max_bytes: int = 0
    bytes_per_connection: float | None = None
    """Unknown with few: memory comes in pages, and ten connections may fit in what the target holds already."""


class Machine(msgspec.Struct):
    """Where it ran."""

    system: str = ""
    python: str = ""
    cpus: int = 0
    load_before: float = 0.0
    """Load average of the last minute before the run."""


class Assertion(msgspec.Struct):
    """`--assert` text, the value found, and whether it held. `value` None: there was nothing to measure, which breaks it."""

    text: str
    value: float | None
    held: bool


class Event(msgspec.Struct):
    """Something that was done to the target or a carrier during the run, for the charts."""

    at_s: float
    text: str


class Plan(msgspec.Struct):
    """What was asked for."""

    kind: Literal["smpp", "http"]
    target: str
    connections: int
    processes: int
    model: Literal["open", "closed"]
    rate: float | None = None
    """Messages a second, all processes together; None in the closed model."""
    duration_s: float | None = None
    messages: int | None = None
    ramp_s: float = 0.0
    window: int = 1
    """Most unanswered requests on one connection."""
    mix: dict[str, float] = msgspec.field(default_factory=dict)
    """Share of each class, all together 1."""
    texts: str = ""
    receipts: bool = True
    """Whether receipts were asked for."""
    scenario: str = ""


class Result(msgspec.Struct):
    """A whole run."""

    plan: Plan
    started_utc: str
    """RFC 3339."""
    took_s: float
    """From the first arrival to the last one sent; the wait for late answers and receipts is `drained_s`."""
    drained_s: float
    total: ClassResult
    machine: Machine
    rate_asked: float | None = None
    """Mean of the schedule, ramp included."""
    rate_sent: float = 0.0
    rate_accepted: float = 0.0
    ended_s: float = 0.0
    """From the first arrival to the last answer or final receipt: with receipts, how long the target had work."""
    classes: list[ClassResult] = msgspec.field(default_factory=list)
    seconds: list[Second] = msgspec.field(default_factory=list)
    channels: list[ChannelResult] = msgspec.field(default_factory=list)
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    """By command_status name or HTTP code, and what broke connections."""
    ledger: Reconciled = msgspec.field(default_factory=Reconciled)
    target: TargetUse | None = None
    """None: the target is not local, or its processes were not found."""
    generator_cpu: float = 0.0
    """CPU of the busiest source process: 1.0 = one core."""
    warnings: list[str] = msgspec.field(default_factory=list)
    """What makes figures doubtful: the generator was the limit, a connection broke, the machine was busy."""
    failure: str = ""
    """Why the run ended before its time; the rest is what was measured until then."""
    stopped: str = ""
    """By whom and when it was ended before its time; nothing went wrong, but it is no full run."""
    events: list[Event] = msgspec.field(default_factory=list)
    assertions: list[Assertion] = msgspec.field(default_factory=list)
    form: int = FORM

    def sla_10s_due(self, one: ClassResult) -> float | None:
        """Share of the messages that were *due* with a DELIVRD receipt within ten seconds: what was refused, never answered
        or never sent has not arrived in time either. None without receipts."""
        return one.counts.within_10s / one.counts.due if self.plan.receipts and one.counts.due else None

    @property
    def held(self) -> bool:
        """Whether the run went through and every assertion held."""
        return not self.failure and all(one.held for one in self.assertions)


def read_result(path: Path) -> Result:
    """Read `result.json`. Raises ValueError when it is something else, or of a newer form."""
    return read_formed(path, Result, FORM, "result of a load run")


def write_result(result: Result, path: Path) -> None:
    """Write `result.json`, for people as well as programs."""
    write_formed(result, path)
