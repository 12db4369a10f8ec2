"""Messages between the core and other processes of this machine, over Unix sockets: a 4-octet length, then MessagePack.

Neither trio nor asyncio is imported: each end bridges these to its own loop.
"""

from struct import Struct
from typing import Literal, TypeAlias

import msgspec

from gateway.store.base import Ledger
from routing.records import Notice

LENGTH = Struct(">I")
SIZE_MAX = 16_000_000
SOCKET_NAME = "control.sock"
PATH_MAX = 100
"""Of a Unix socket's path; the kernel's limit is 107."""


class BindView(msgspec.Struct, frozen=True):
    """One session with a carrier."""

    number: int
    kind: str
    state: str
    last_error: str


class HistogramView(msgspec.Struct, frozen=True):
    """Latencies since the start: how many took at most so many seconds, how many there were, and their sum."""

    up_to: list[tuple[float, int]]
    count: int
    sum_s: float


class ChannelView(msgspec.Struct, frozen=True):
    """A channel as an operator sees it. Rates in submit_sm per second (0: no limit), counts since the start."""

    name: str
    address: str
    state: str
    binds: list[BindView]
    window_used: int
    window_size: int
    queued: int
    rate_max: float
    submitted: int
    refused: int
    final: int
    delivered: int
    within_10s: int
    last_error: str
    score: float = 100.0
    """0 to 100, how well it delivers; `parts` of it as shares."""
    parts: dict[str, float] = {}
    trusted: bool = True
    rate: float = 0.0
    """What it is given now, a second; less than `rate_max` while the carrier throttles. 0: no limit."""
    weight: int | None = None
    """Set by hand, instead of those of the routes."""
    answers: HistogramView = HistogramView([], 0, 0.0)
    """How long the carrier took to answer submits."""
    throttled: int = 0
    unknown: int = 0
    failovers: int = 0
    paced_s: float = 0.0
    """Answers that said we were too fast; attempts without a known outcome; messages another channel had before; seconds in
    which the pace kept everything waiting."""


class TallyView(msgspec.Struct, frozen=True):
    """Final messages of one class on one channel."""

    class_: str
    channel: str
    final: int
    delivered: int
    within_10s: int


class WindowView(msgspec.Struct, frozen=True):
    """The ten seconds over one window, on one clock, of what the names say (empty: of all); shares and seconds, None where
    nothing can be said yet. See `routing/slawindows.py`.
    """

    clock: Literal["user", "channel"]
    window: str
    class_: str
    channel: str
    network: str
    account: str
    due: int
    within: float | None
    arrival: float | None
    closed: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class AskChannels(msgspec.Struct, tag=True):
    """The state of every channel."""


class AskLedger(msgspec.Struct, tag=True):
    """The sums."""


class AskTallies(msgspec.Struct, tag=True):
    """The ten seconds. `by`, and `only` what has the values named: class, channel, network, account. No windows: all."""

    by: tuple[str, ...] = ("class",)
    windows: tuple[str, ...] = ()
    only: dict[str, str] = {}


class AskDead(msgspec.Struct, tag=True):
    """Notices nobody took in time, the first `limit`."""

    limit: int


class AskReload(msgspec.Struct, tag=True):
    """Read the configuration file again."""


class Channels(msgspec.Struct, tag=True):
    channels: list[ChannelView]


class Sums(msgspec.Struct, tag=True):
    ledger: Ledger
    waiting: dict[str, int]
    """Messages that wait for a channel, by class."""
    dead_letters: int = 0
    """Notices nobody took in time."""
    oldest_s: dict[str, float] = {}
    """How long the first of those that wait has, by class."""


class Tallies(msgspec.Struct, tag=True):
    tallies: list[TallyView]
    windows: list[WindowView] = []
    latencies: dict[str, HistogramView] = {}
    """On the user's clock, by class."""
    breached: list[tuple[str, str]] = []
    """Classes, and classes on channels, that are in breach now."""


class Dead(msgspec.Struct, tag=True):
    notices: list[Notice]


class Done(msgspec.Struct, tag=True):
    """It was done; `errors` when not."""

    errors: list[str] = []


Ask: TypeAlias = AskChannels | AskLedger | AskTallies | AskDead | AskReload
Answer: TypeAlias = Channels | Sums | Tallies | Dead | Done

_ENCODER = msgspec.msgpack.Encoder()
_ASK: msgspec.msgpack.Decoder[Ask] = msgspec.msgpack.Decoder(Ask)
_ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def pack(message: Ask | Answer) -> bytes:
    """A message with its length in front."""
    body = _ENCODER.encode(message)
    return LENGTH.pack(len(body)) + body


def unpack_ask(body: bytes) -> Ask:
    """Raises msgspec.MsgspecError."""
    return _ASK.decode(body)


def unpack_answer(body: bytes) -> Answer:
    """Raises msgspec.MsgspecError."""
    return _ANSWER.decode(body)
