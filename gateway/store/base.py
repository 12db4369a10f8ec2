"""The interface of a store: batches in, batches out, no awaiting. Neither trio nor asyncio is imported here.

What a store promises:

- `admit` checks the guards and writes the messages in one atomic step; what it accepted survives a crash (as far as the
  store survives one at all: see the implementation).
- `begin` makes attempts `sending` before their octets leave, and rechecks in the same step that they still may.
- `settle` is compare-and-set: states only advance, and a state change commits together with the notice it causes.
- Everything may be repeated with the same ids without harm.

The caller runs `settle` and `begin` from one place each; a store needs no locks of its own beyond its connection.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from config.schema import MessageClass
from protocol.receipt import MessageState as CarrierState
from routing.guards import Guard, Window
from routing.records import Attempt, AttemptKey, Message, MessageState, Notice


class Admission(msgspec.Struct, gc=False):
    """A message and what must hold for it to be accepted."""

    message: Message
    guards: tuple[Guard, ...] = ()


class RequestRecord(msgspec.Struct, gc=False, omit_defaults=True):
    """`key` names the request, `digest` what it asked; kept until `until_utc`.

    `see`: the answer is that of the record with this key.
    """

    key: str
    until_utc: float
    digest: str = ""
    answer: bytes = b""
    see: str = ""


Answered: TypeAlias = Callable[[Sequence[Guard | None]], Sequence[RequestRecord]]
"""Makes of the answers to a batch of admissions what is to be remembered of the requests behind them."""


def nothing_to_remember(_refused: Sequence[Guard | None]) -> Sequence[RequestRecord]:
    """Requests that nobody repeats or asks about."""
    return ()


# -- outcomes: what `settle` is told


class Sent(msgspec.Struct, gc=False):
    """The carrier accepted the attempt under `carrier_id` (canonical)."""

    key: AttemptKey
    at: float
    carrier_id: str
    spelling: str


class Refused(msgspec.Struct, gc=False):
    """The carrier refused the attempt. `again` puts the message back in its queue, else it is rejected with `reason`.

    `never_here` keeps it from this channel for good; `free` does not count the attempt.
    """

    key: AttemptKey
    at: float
    status: int
    reason: str
    again: bool
    never_here: bool = False
    free: bool = False


class NotSent(msgspec.Struct, gc=False):
    """The octets provably never left us, or the carrier was too busy: as if the attempt had not been begun.

    The message is queued again, unless `kept`: then the lane holds the part and begins it again itself.
    """

    key: AttemptKey
    kept: bool = False


class Unclear(msgspec.Struct, gc=False):
    """The octets left and no answer came. `resend_utc` is when to try again without evidence; None: never."""

    key: AttemptKey
    resend_utc: float | None


class Abandoned(msgspec.Struct, gc=False):
    """Parts of attempt `number` have left, the others cannot: the channel is down. The message is queued to go anew, whole."""

    message_id: int
    number: int


class CarrierReceipt(msgspec.Struct, gc=False):
    """A delivery receipt. `candidates` are canonical ids, best first; the addresses are as the message had them."""

    channel: str
    candidates: tuple[str, ...]
    state: CarrierState
    at: float
    at_utc: float
    stat: str = ""
    err: str = ""
    source: str = ""
    destination: str = ""
    user_reference: int | None = None
    temporary: bool = False
    """Its error is one that another try, elsewhere, may not meet."""


class MobileOriginated(msgspec.Struct, gc=False):
    """A subscriber's message for `notice.account`."""

    notice: Notice


class Announce(msgspec.Struct, gc=False):
    """An event of `notice.account` that is about no message."""

    notice: Notice


class Finish(msgspec.Struct, gc=False):
    """End a message that is in none of the carriers' hands, or whose evidence will not come."""

    message_id: int
    state: MessageState
    reason: str


class NoticeDone(msgspec.Struct, gc=False):
    """The sender to whom `box` belongs acknowledged the notice."""

    notice_id: int
    box: str


class Membership(msgspec.Struct, gc=False):
    """A recipient joins or leaves a member set: an opt-out by reply."""

    set_name: str
    key: str
    member: bool


class Reach(msgspec.Struct, gc=False):
    """Whether a number can be reached, as the end of a message says: `failed` for good, or delivered.

    Failures count in the window `failures`; at its limit `key` joins `set_name`. A delivery empties the window, and takes `key`
    off the set again.
    """

    set_name: str
    key: str
    failures: Window
    failed: bool


class NoticeKept(msgspec.Struct, gc=False):
    """A webhook did not take the notice: how far it is, and when to try again, outlives a restart."""

    notice: Notice


Outcome: TypeAlias = (
    Sent
    | Refused
    | NotSent
    | Unclear
    | Abandoned
    | CarrierReceipt
    | MobileOriginated
    | Announce
    | Finish
    | NoticeDone
    | NoticeKept
    | Membership
    | Reach
)


# -- answers


class Final(msgspec.Struct, gc=False):
    """A message that has just become final. Latencies in seconds, None where they do not apply.

    `since_due` is the user's clock: max(arrival, due) to delivery. `since_written` the channel's, of the attempt that did it.
    """

    message: Message
    channel: str
    since_due: float | None = None
    since_written: float | None = None
    correction: bool = False
    """It was final before, by our own timeout."""
    receipt: CarrierReceipt | None = None
    """What ended it, where a carrier's word did."""


class Settled(msgspec.Struct):
    """What a step changed: messages to queue again, notices to send, messages that became final, receipts nobody fits yet,
    numbers that joined or left a set by how messages to them ended.
    """

    requeue: list[Message] = []
    notices: list[Notice] = []
    finals: list[Final] = []
    parked: int = 0
    memberships: list[Membership] = []


class Begun(msgspec.Struct):
    """For each attempt whether it may leave, and what the recheck ended."""

    may_leave: list[bool]
    settled: Settled


class Due(msgspec.Struct):
    """What time brought: messages now queued (scheduled before, or to be resent), parts whose group never became whole,
    notices nobody took for 72 h, and what ended.
    """

    queued: list[Message] = []
    incomplete: list[Message] = []
    dead: list[Notice] = []
    settled: Settled = msgspec.field(default_factory=Settled)


class Change(NamedTuple):
    """A sender's cancel (`content` None) or replace of a message that has not left. `fields` are Message fields to set."""

    message_id: int
    fields: dict[str, object] | None = None


class Marked(NamedTuple):
    """When a message went to a carrier last under a mark's key, and which it was."""

    utc: float
    message_id: int


class Ledger(msgspec.Struct, frozen=True):
    """accepted = scheduled + queued + in_flight + final, always."""

    accepted: int
    scheduled: int
    queued: int
    in_flight: int
    final: dict[str, int]

    @property
    def balanced(self) -> bool:
        return self.accepted == self.scheduled + self.queued + self.in_flight + sum(self.final.values())


class Store(Protocol):
    """All times are the caller's: `now` on the boot clock, `utc` in seconds since 1970."""

    def admit(self, batch: Sequence[Admission], utc: float, answered: Answered = nothing_to_remember) -> list[Guard | None]:
        """For each admission None (stored), or the guard that refused it. A refused one leaves no trace.

        `answered` makes of these answers what is remembered of the requests (`requests.py`), in the same step.
        """

    def answers(self, keys: Sequence[str], utc: float) -> dict[str, RequestRecord]:
        """What was answered to those requests that were, until their time is over."""

    def release(self, message_ids: Sequence[int], utc: float) -> list[Message]:
        """The parts of a group that is whole now: those that may go at once, as queued; others wait for their due time."""

    def begin(self, attempts: Sequence[Attempt], now: float, utc: float) -> Begun:
        """Store the attempts as sending; refuse those whose message was cancelled, expired, ended or tried anew."""

    def settle(self, outcomes: Sequence[Outcome], utc: float) -> Settled:
        """Apply outcomes in order. What no longer fits the states (repeated, late, contradicting) changes nothing."""

    def take_due(self, utc: float) -> Due:
        """Everything whose time has come: schedules, group deadlines, resends, expiry."""

    def next_due_utc(self) -> float | None:
        """When `take_due` will have something; None when never."""

    def change(self, changes: Sequence[Change], utc: float) -> tuple[list[bool], Settled]:
        """Cancel or replace messages that have not left; for each whether it was still possible."""

    def page_in(self, class_: MessageClass, limit: int) -> list[Message]:
        """Queued messages of a class that are on disk only, oldest first."""

    def find(self, message_ids: Sequence[int]) -> list[Message | None]:
        """Messages by id."""

    def resolve(self, account: str, public_id: str) -> list[int]:
        """Ids of the account's messages that go by `public_id`."""

    def matching(self, account: str, service_type: str, source: str, destination: str) -> list[int]:
        """Ids of messages that have not left, for a cancel_sm without id (SMPP 3.4 section 4.9.1)."""

    def attempts(self, message_id: int) -> list[Attempt]:
        """Every attempt of a message, oldest first."""

    def notices(self, box: str, limit: int) -> list[Notice]:
        """Unacknowledged notices of a box (an account and a door), oldest first."""

    def put_document(self, kind: str, name: str, value: bytes) -> None:
        """Keep a small document (JSON); an empty value takes it away."""

    def list_documents(self, kind: str) -> dict[str, bytes]:
        """Documents of a kind by name."""

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """Change a member set; its size afterwards."""

    def marks(self, keys: Sequence[str], utc: float) -> dict[str, Marked]:
        """Those of the keys that a message which went to a carrier has marked."""

    def fund(self, purse: str, amount: int) -> int:
        """Add to a purse (negative takes away); what it holds afterwards."""

    def recover(self, utc: float) -> list[Message]:
        """After a start: queued messages, with every attempt that was `sending` turned unknown by its class."""

    def queued(self) -> int:
        """How many messages are queued."""

    def scheduled(self) -> int:
        """How many messages wait for their time or for their other parts."""

    def ledger(self) -> Ledger:
        """The sums."""
