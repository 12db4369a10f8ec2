"""What JSON looks like outside: the ten seconds (see `schemas`)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from config.schema import MessageClass
from gateway.api.schemas import Body, Out, Word


class SlaQuery(Body, frozen=True, kw_only=True):
    """`by`: some of class, channel, network, account, with commas; rows are for each combination. `class`, `channel`,
    `network`, `account`: only these. `window`: only this one.
    """

    by: Annotated[str, Meta(pattern="^((class|channel|network|account)(,(class|channel|network|account))*)?$")] = "class"
    window: Literal["1m", "5m", "15m", "day"] | None = None
    class_: MessageClass | None = msgspec.field(name="class", default=None)
    channel: Word = ""
    network: Word = ""
    account: Word = ""


class TallyOut(Out, frozen=True, kw_only=True):
    """Final messages of a class on a channel since the start, and how many were delivered within ten seconds."""

    class_: str = msgspec.field(name="class")
    channel: str
    final: int
    delivered: int
    within_10s: int


class WindowOut(Out, frozen=True, kw_only=True):
    """What began in a window on a clock: `user` from when a message came or was due, `channel` from its write to a carrier.

    `within`: share delivered within ten seconds, `arrival` within five minutes, `closed` by now, of those whose ten seconds
    (five minutes) ended in the window. Percentiles in seconds, within 5 %. Fields that `by` does not name are left out.
    """

    clock: Literal["user", "channel"]
    window: str
    class_: str = msgspec.field(name="class", default="")
    channel: str = ""
    network: str = ""
    account: str = ""
    due: int
    within: float | None
    arrival: float | None
    closed: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class SlaOut(Out, frozen=True, kw_only=True):
    data: list[TallyOut]
    windows: list[WindowOut]
