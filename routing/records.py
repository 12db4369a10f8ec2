"""The record of a message and of each attempt to send it: complete from the first schema on.

Plain data that decisions (here) and stores (gateway) share. Moments called `_utc` are seconds since 1970; `arrival` is the
boot clock of the boot named `boot`, for honest differences. Money is integer micro-units. Strings that repeat are interned.

This is also the stored form: fields by name, those at their default left out. Fields may be added; a default, a name or a
meaning must never change, for records of older versions are read by it.
"""

from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from config.schema import MessageClass
from protocol.tlv import Tlvs

Door: TypeAlias = Literal["", "http", "parts"]
"""Empty: SMPP. "parts" is nobody's: parts of subscribers' texts wait behind it until all have come."""


class MessageState(IntEnum):
    """A message is in exactly one. From DELIVERED on they are final."""

    SCHEDULED = 0
    QUEUED = 1
    IN_FLIGHT = 2
    DELIVERED = 3
    UNDELIVERED = 4
    EXPIRED = 5
    REJECTED = 6
    CANCELLED = 7
    UNKNOWN = 8
    BLOCKED = 9

    @property
    def final(self) -> bool:
        return self >= MessageState.DELIVERED


class AttemptState(IntEnum):
    """sending is stored before the octets leave; unknown means they left and no answer came."""

    SENDING = 0
    SENT = 1
    REFUSED = 2
    UNKNOWN = 3
    DELIVERED = 4
    FAILED = 5


class Content(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """What is said, apart from the rest so that it can be purged alone.

    `data` is the whole user data, with its header when esm_class says so; `parts` is how many messages a handset gets.
    """

    data: bytes
    data_coding: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    tlvs: Tlvs = ()
    parts: int = 1


class PartOf(NamedTuple):
    """A part that the sender cut itself: part `seq` of `total`; equal `key`s belong together."""

    key: str
    total: int
    seq: int


class Message(msgspec.Struct, gc=False, omit_defaults=True):
    """One message of one sender to one recipient."""

    # identity
    id: int
    account: str
    public_id: str = ""
    """The id as the sender knows it: decimal `id`, an alias for SMPP 3.3, or the shared id of a submit_multi."""
    client_ref: str = ""
    batch_id: str = ""
    campaign_id: str = ""
    variant: str = ""
    template_id: str = ""
    link_id: str = ""
    # meaning
    class_: MessageClass = "notification"
    purpose: str = "standard"
    business: str = ""
    brand: str = ""
    industry: str = ""
    priority: int = 0
    tags: tuple[str, ...] = ()
    # target
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    dest_ton: int = 1
    dest_npi: int = 1
    destination: str = ""
    country: str = ""
    operator: str = ""
    virtual_operator: bool = False
    # content
    content: Content = Content(b"")
    part_of: PartOf | None = None
    group_whole: bool = False
    """Whether all parts of its group have come."""
    registered_delivery: int = 0
    # times
    boot: str = ""
    arrival: float = 0.0
    arrival_utc: float = 0.0
    accepted_utc: float = 0.0
    not_before_utc: float = 0.0
    """0, or when a scheduled message comes due; for a part of a group that is not whole, when the group is given up."""
    due_utc: float = 0.0
    """0, or the moment the sender asked for."""
    expires_utc: float = 0.0
    final_utc: float = 0.0
    window_end_utc: float = 0.0
    """0, or when the send window it is to leave in closes."""
    # money
    price: int = 0
    cost: int = 0
    currency: str = ""
    money: str = ""
    # progress
    state: MessageState = MessageState.QUEUED
    reason: str = ""
    err: int = 0
    tries: int = 0
    """Attempts begun; all parts of one attempt share its number."""
    refusals: int = 0
    """Attempts that count against the limit of the class: refused, and not for being too fast."""
    tried: tuple[str, ...] = ()
    """Channels that refused it for good."""
    channel: str = ""
    """The channel of the latest attempt."""
    possible_duplicate: bool = False
    door: Door = ""
    """Through which it came; its sender is told through the same one."""
    why: str = ""
    """What else than weights chose the channel it is planned onto."""


class AttemptKey(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """One part of one attempt of one message."""

    message_id: int
    number: int
    part: int


class Attempt(msgspec.Struct, gc=False, omit_defaults=True):
    """What became of one part on one channel."""

    key: AttemptKey
    parts: int
    channel: str
    bind: int
    user_reference: int
    concat_reference: int = 0
    state: AttemptState = AttemptState.SENDING
    boot: str = ""
    begun: float = 0.0
    begun_utc: float = 0.0
    answered: float = 0.0
    carrier_id: str = ""
    """Canonical, by the channel's rule; `carrier_spelling` as it came."""
    carrier_spelling: str = ""
    command_status: int = 0
    receipt: str = ""
    err: str = ""
    cost: int = 0
    evidence: str = ""
    why: str = ""
    """What else than weights chose the channel."""
    resend_utc: float = 0.0
    """When an unknown attempt without evidence is repeated; 0: never."""


class About(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """What a webhook tells of a message beside its final state."""

    class_: MessageClass = "notification"
    channel: str = ""
    segments: int = 1
    attempts: int = 0
    reason: str = ""
    since_due: float | None = None
    batch_id: str = ""
    campaign_id: str = ""
    tags: tuple[str, ...] = ()


class Delivery(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """How far a webhook is with a notice: failures so far, when to try again, what it last said."""

    webhook: str
    failures: int = 0
    next_utc: float = 0.0
    said: str = ""


class SlaTurn(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """A breach of the ten seconds, or its end: of an account's messages of a class, of a whole class, of one on a channel."""

    class_: str
    channel: str = ""
    window: str = ""
    due: int = 0
    within: float | None = None
    arrival: float | None = None
    since_utc: float = 0.0


class Notice(msgspec.Struct, gc=False, omit_defaults=True):
    """Something a sender must be told: the final state of a message, a message from a subscriber (`data` set), or another
    event that `event` names.
    """

    id: int
    account: str
    public_id: str = ""
    state: MessageState = MessageState.UNKNOWN
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    dest_ton: int = 0
    dest_npi: int = 0
    destination: str = ""
    submitted_utc: float = 0.0
    done_utc: float = 0.0
    created_utc: float = 0.0
    """When it became known here; it is given up some time after."""
    err: int = 0
    data: bytes = b""
    data_coding: int = 0
    esm_class: int = 0
    is_mo: bool = False
    failures: int = 0
    client_ref: str = ""
    door: Door = ""
    about: About | None = None
    deliveries: tuple[Delivery, ...] = ()
    """Webhooks that have not taken it; empty at first: all that want it."""
    part_of: PartOf | None = None
    """Of a part of a subscriber's text that waits for the others."""
    in_reply_to: str = ""
    """The id, as its sender knows it, of the message that a subscriber's probably answers; with its brand."""
    brand: str = ""
    event: str = ""
    """Its name where it is neither of the two."""
    sla: SlaTurn | None = None

    @property
    def box(self) -> str:
        """Where it waits: each door of an account has one."""
        return f"{self.account}\x1e{self.door}" if self.door else self.account
