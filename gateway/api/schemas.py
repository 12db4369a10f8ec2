"""What JSON looks like outside. OpenAPI is made of these types, so what they say is what is checked."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from config.schema import MessageClass
from gateway.calls.things import Scope
from routing.records import MessageState

Moment: TypeAlias = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset")]
Number: TypeAlias = Annotated[str, Meta(min_length=1, max_length=32, description="E.164; local forms by the account's country")]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=40_000)]
Word: TypeAlias = Annotated[str, Meta(max_length=64)]
Ref: TypeAlias = Annotated[str, Meta(max_length=256)]
Tags: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=5)]
MessageId: TypeAlias = Annotated[str, Meta(pattern="^[0-9]{1,19}$")]
Purpose: TypeAlias = Literal["standard", "promotion", "urgent", "care"]
Encoding: TypeAlias = Literal["auto", "gsm7", "ucs2"]
ListName: TypeAlias = Literal["optout", "blocked", "consent", "suppressed"]
StatusWord: TypeAlias = Literal[
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "cancelled",
    "unknown",
    "blocked",
]
FINAL_WORDS = tuple(state.name.lower() for state in MessageState if state.final)
EVENTS = (*(f"message.{word}" for word in FINAL_WORDS), "message.received", "sla.breach", "sla.recovery")
EventName: TypeAlias = Literal[
    "message.delivered",
    "message.undelivered",
    "message.expired",
    "message.rejected",
    "message.cancelled",
    "message.unknown",
    "message.blocked",
    "message.received",
    "sla.breach",
    "sla.recovery",
]


class Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of what comes in: an unknown field is an error."""


class Out(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what goes out: what does not apply is left out."""


class Meaning(Body, frozen=True, kw_only=True):
    """What a message is about. Fields left out go by the account."""

    class_: MessageClass | None = msgspec.field(name="class", default=None)
    purpose: Purpose | None = None
    business: Word = ""
    brand: Word = ""
    industry: Word = ""
    campaign_id: Word = ""
    template_id: Word = ""
    variant: Word = ""
    link_id: Word = ""
    priority: Annotated[int, Meta(ge=0, le=3)] = 0
    tags: Tags = []
    encoding: Encoding = "auto"
    send_at: Moment | None = None
    expire_at: Moment | None = None


Params: TypeAlias = dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=1_000)]]


class MessageIn(Meaning, frozen=True, kw_only=True):
    """One message to one recipient. `text`, or `template_id` with `params`."""

    to: Number
    text: Annotated[str, Meta(max_length=40_000)] = ""
    params: Params = {}
    from_: Annotated[str, Meta(max_length=21)] = msgspec.field(name="from", default="")
    client_ref: Ref = ""


class Recipient(Body, frozen=True, kw_only=True):
    """One of a batch; `params` fill the placeholders of its text."""

    number: Number
    params: Params = {}
    client_ref: Ref = ""


class BatchIn(Meaning, frozen=True, kw_only=True):
    """The same to many: `text`, or `template_id`. `{{ name }}` and `{{ name | default: 'friend' }}` are replaced from each
    one's `params`.
    """

    to: Annotated[list[Number | Recipient], Meta(min_length=1, max_length=1_000)]
    text: Annotated[str, Meta(max_length=40_000)] = ""
    from_: Annotated[str, Meta(max_length=21)] = msgspec.field(name="from", default="")


class RescheduleIn(Body, frozen=True, kw_only=True):
    """Another time for a message that has not left; null or a moment that is over: at once."""

    send_at: Moment | None = None
    expire_at: Moment | None = None


class MessageAccepted(Out, frozen=True, kw_only=True):
    """Accepted and on disk; not delivered yet. `replayed`: this is the answer to an earlier request with the same key."""

    id: str
    status: Literal["accepted", "scheduled"]
    to: str
    segments: int
    encoding: str
    client_ref: str = ""
    replayed: bool = False


class ItemError(Out, frozen=True, kw_only=True):
    """A recipient that was not accepted, and why."""

    pointer: str
    code: str
    detail: str = ""


class BatchAccepted(Out, frozen=True, kw_only=True):
    """What became of each recipient; `messages` in the order of `to`, without those of `errors`."""

    id: str
    accepted: int
    refused: int
    messages: list[MessageAccepted]
    errors: list[ItemError] = []
    replayed: bool = False


class BatchOut(Out, frozen=True, kw_only=True):
    """How far a batch is: how many of its messages are in each state. Those the history has let go are in none."""

    id: str
    size: int
    refused: int
    created_at: Moment
    states: dict[str, int]
    done: bool


class AttemptOut(Out, frozen=True, kw_only=True):
    """One attempt to send one part; `latency_ms` from the write to the carrier to its receipt's answer."""

    number: int
    part: int
    parts: int
    channel: str
    state: str
    at: Moment
    carrier_id: str = ""
    command_status: int = 0
    stat: str = ""
    err: str = ""
    evidence: str = ""
    why: str = ""
    answer_ms: int | None = None


class MessageOut(Out, frozen=True, kw_only=True):
    """A message and how far it is. `sla_10s`: delivered within ten seconds of when it was due."""

    id: str
    status: StatusWord
    to: str
    created_at: Moment
    class_: MessageClass = msgspec.field(name="class")
    from_: str = msgspec.field(name="from", default="")
    text: str = ""
    segments: int = 1
    encoding: str = ""
    purpose: str = ""
    business: str = ""
    brand: str = ""
    industry: str = ""
    campaign_id: str = ""
    template_id: str = ""
    variant: str = ""
    link_id: str = ""
    batch_id: str = ""
    client_ref: str = ""
    tags: list[str] = []
    send_at: Moment | None = None
    expire_at: Moment | None = None
    done_at: Moment | None = None
    channel: str = ""
    attempts: int = 0
    reason: str = ""
    stat: str = ""
    err: str = ""
    latency_ms: int | None = None
    sla_10s: bool | None = None
    possible_duplicate: bool = False


class StepOut(Out, frozen=True, kw_only=True):
    """One step of a message's way. `at` is null where the moment is not known."""

    at: Moment | None
    step: str
    why: str = ""


class TrailOut(Out, frozen=True, kw_only=True):
    """Everything that happened to a message: step by step, and its attempts as data."""

    message: MessageOut
    steps: list[StepOut]
    attempts: list[AttemptOut]


class MessagePage(Out, frozen=True, kw_only=True):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[MessageOut]
    next_cursor: str | None


class MessageQuery(Body, frozen=True, kw_only=True):
    """Filters of GET /v1/messages."""

    to: Annotated[str, Meta(max_length=32)] = ""
    client_ref: Ref = ""
    status: StatusWord | None = None
    since: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(pattern="^[0-9]{0,19}$")] = ""


class KeyIn(Body, frozen=True, kw_only=True):
    """A new key of the account. Nobody can give a scope they do not have."""

    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=4)]
    name: Word = ""
    expire_at: Moment | None = None


class RotateIn(Body, frozen=True, kw_only=True):
    """How long the old one still works."""

    overlap_s: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400


class KeyOut(Out, frozen=True, kw_only=True):
    """A key, recognised by its first characters. `key` is shown once, when it is made."""

    id: str
    prefix: str
    scopes: list[Scope]
    created_at: Moment
    name: str = ""
    expire_at: Moment | None = None
    key: str = ""


class KeyList(Out, frozen=True, kw_only=True):
    data: list[KeyOut]


class WebhookIn(Body, frozen=True, kw_only=True):
    """Where events go. `events` left out: all. `batch`: several in one request, at most 20 kB or one second's."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    events: list[EventName] = []
    batch: bool = False


class WebhookChange(Body, frozen=True, kw_only=True):
    """What is to be changed; the rest stays."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    events: list[EventName] | None = None
    batch: bool | None = None
    enabled: bool | None = None


class WebhookOut(Out, frozen=True, kw_only=True):
    """A webhook. `secret` is shown when it is made or rotated; deliveries are signed with it (Standard Webhooks)."""

    id: str
    url: str
    events: list[str]
    batch: bool
    enabled: bool
    created_at: Moment
    disabled_because: str = ""
    secret: str = ""


class WebhookList(Out, frozen=True, kw_only=True):
    data: list[WebhookOut]


class DeliveryOut(Out, frozen=True, kw_only=True):
    """One attempt to hand over one event. `http_status` 0: there was no answer, `detail` says why."""

    event_id: str
    http_status: int
    at: Moment
    took_ms: int
    failures: int
    detail: str = ""
    next_at: Moment | None = None


class DeliveryList(Out, frozen=True, kw_only=True):
    """The latest attempts, newest first; `waiting` events have not been taken."""

    data: list[DeliveryOut]
    waiting: int


class ReplayIn(Body, frozen=True, kw_only=True):
    """Which events to hand over again: of these messages, or (`dead`) all that were given up."""

    message_ids: Annotated[list[MessageId], Meta(max_length=1_000)] = []
    dead: bool = False


class ReplayOut(Out, frozen=True, kw_only=True):
    replayed: int


class TestOut(Out, frozen=True, kw_only=True):
    """What the webhook answered to a made-up event; `http_status` 0: nothing."""

    http_status: int
    detail: str
    took_ms: int


class ChannelOut(Out, frozen=True, kw_only=True):
    """A carrier channel. Counts since the start; shares of final messages. `weight`: set by hand, in all routes."""

    name: str
    address: str
    state: str
    window_used: int
    window_size: int
    queued: int
    rate_max: float
    submitted: int
    refused: int
    final: int
    delivered: int
    within_10s: int
    share_10s: float | None
    score: float
    score_parts: dict[str, float]
    trusted: bool
    rate: float
    weight: int | None = None
    last_error: str = ""
    binds: list[dict[str, str | int]] = []


class ChannelList(Out, frozen=True, kw_only=True):
    data: list[ChannelOut]


class LedgerOut(Out, frozen=True, kw_only=True):
    """accepted = scheduled + queued + in_flight + final."""

    accepted: int
    scheduled: int
    queued: int
    in_flight: int
    final: dict[str, int]
    balanced: bool
    waiting: dict[str, int]
    dead_letters: int


class EventData(Out, frozen=True, kw_only=True):
    """What an event is about: a message that became final, one from a subscriber (message.received), or an account's messages
    of a class (sla.breach, sla.recovery): how many were due in `window`, shares `within` ten seconds and of `arrival` within
    five minutes, and `since` when that was first seen.
    """

    id: str
    status: str = ""
    to: str = ""
    from_: str = msgspec.field(name="from", default="")
    text: str = ""
    client_ref: str = ""
    batch_id: str = ""
    campaign_id: str = ""
    tags: list[str] = []
    class_: str = msgspec.field(name="class", default="")
    channel: str = ""
    attempts: int = 0
    segments: int = 0
    submitted_at: Moment | None = None
    done_at: Moment | None = None
    latency_ms: int | None = None
    sla_10s: bool | None = None
    reason: str = ""
    err: int = 0
    correction: bool = False
    in_reply_to: str = ""
    brand: str = ""
    window: str = ""
    due: int = 0
    within: float | None = None
    arrival: float | None = None
    since: Moment | None = None


class Event(Out, frozen=True, kw_only=True):
    """A webhook's body, and the data of a server-sent event. `id` stays the same when it is sent again."""

    type: str
    id: str
    timestamp: Moment
    data: EventData


class EventBatch(Out, frozen=True, kw_only=True):
    """Several events in one request."""

    type: Literal["message.status.batch"] = "message.status.batch"
    timestamp: Moment
    data: list[Event]


class EventQuery(Body, frozen=True, kw_only=True):
    """`account=*` (ops scope): everybody's."""

    account: Annotated[str, Meta(max_length=64)] = ""


class DeliveryQuery(Body, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
