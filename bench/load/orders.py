"""What the coordinator and its source processes say to each other: one JSON line each.

Down: `Order` once, then any number of `Go`, at last `Finish`. Up: `Connected` lines, then a `Report` for every second of a run
and one for the rest of the last second, `Finished` at the end; `Failed` instead of any of them. `Look` is answered by `Loose`.
"""

from typing import Literal

import msgspec

from bench.load.schedule import Schedule

UNIT_S = 1e-5
"""Latencies travel and are counted in units of ten microseconds."""


class Login(msgspec.Struct, frozen=True):
    """Who the messages of a class come from."""

    system_id: str = ""
    password: str = ""


class ClassOrder(msgspec.Struct, frozen=True):
    """One class of the mix."""

    name: str
    share: float
    texts: tuple[str, ...]
    connections: int
    """Of this source process."""
    login: Login = Login()


class HttpOrder(msgspec.Struct, frozen=True):
    """How a message becomes a request. In `body`, `{to}`, `{text}`, `{ref}` and `{class}` are replaced."""

    method: str
    url: str
    body: str
    headers: tuple[tuple[str, str], ...]
    timeout_s: float


class Order(msgspec.Struct, frozen=True):
    """What one source process is to do."""

    kind: Literal["smpp", "http"]
    host: str
    port: int
    index: int
    """Which of the `processes` this is; its messages are numbers index, index + processes, ..."""
    processes: int
    classes: tuple[ClassOrder, ...]
    window: int
    prefix: str
    """Of the recipients' numbers; the message's number, `digits` long, follows."""
    digits: int
    first: int
    """Where recipients begin, so that two runs do not write to the same ones."""
    source: str
    sources: tuple[str, ...]
    """Local addresses to connect from, in turn; empty leaves that to the system."""
    receipts: bool
    reconnect: bool
    bind: Literal["trx", "tx-rx"]
    closed: bool
    http: HttpOrder | None = None


class Go(msgspec.Struct, frozen=True, tag="go"):
    """Begin a run. What the one before left unsent is dropped. `begin` is on the system's monotonic clock."""

    begin: float
    schedule: Schedule


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Nothing more becomes due, and what waits is dropped."""


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Say goodbye, write the book to `path`, end."""

    path: str


class Look(msgspec.Struct, frozen=True, tag="look"):
    """Which messages and receipts have not found each other in this process?"""


Command = Go | Stop | Finish | Look


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """How far connecting is."""

    count: int
    wanted: int


class ClassReport(msgspec.Struct):
    """Sums of one second and one class. `accept` and `receipt` count latencies by units of `UNIT_S`."""

    due: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    receipts: int = 0
    accept: dict[int, int] = {}
    receipt: dict[int, int] = {}


class Report(msgspec.Struct, tag="report"):
    """One second of one source process."""

    second: int
    classes: list[ClassReport]
    in_flight: int = 0
    waiting: int = 0
    open_receipts: int = 0
    """Accepted, and the final receipt did not come to this process."""
    strays: int = 0
    """Receipts of no message of this process: another one's, or nobody's."""
    connections: int = 0
    late_ms: float = 0.0
    """The longest a due message lay because this process was not fast enough."""
    cpu: float = 0.0
    errors: dict[str, int] = {}
    """New in this second."""


class Loose(msgspec.Struct, frozen=True, tag="loose"):
    """Ids, as latin-1, of messages whose receipt did not come here, and of receipts whose message is not from here."""

    open: list[str]
    strays: list[str]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The book is written; nothing follows."""

    rows: int
    receipts_repeated: int = 0


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Why this process cannot go on, as the user shall read it."""

    why: str


Told = Connected | Report | Loose | Finished | Failed
