"""What workers ask the core, and what it answers. Positional on the wire: add fields at the end only."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from config.schema import MessageClass
from gateway.link import Channels, Sums, Tallies
from gateway.store.record import Record
from routing.records import Message, MessageState

MOMENT_MAX = 250_000_000_000.0
"""Some years before what a date can say, so that every moment that is stored can be shown."""

Moment: TypeAlias = Annotated[float, Meta(ge=0, le=MOMENT_MAX)]


class Draft(msgspec.Struct, array_like=True, gc=False):
    """A message as a worker hands it in: validated, its text encoded. Times in UTC seconds, 0 where nothing was asked."""

    to: str
    data: bytes
    data_coding: Annotated[int, Meta(ge=0, le=255)]
    parts: Annotated[int, Meta(ge=0, le=255)]
    source: str = ""
    class_: MessageClass | Literal[""] = ""
    """Empty fields take the account's defaults."""
    purpose: str = ""
    business: str = ""
    brand: str = ""
    industry: str = ""
    priority: Annotated[int, Meta(ge=0, le=255)] = 0
    tags: tuple[str, ...] = ()
    client_ref: str = ""
    campaign_id: str = ""
    variant: str = ""
    template_id: str = ""
    link_id: str = ""
    due_utc: Moment = 0.0
    expires_utc: Moment = 0.0


class Submit(msgspec.Struct, array_like=True, tag=1, gc=False):
    """Messages of one request. `arrival` (boot clock) and `arrival_utc`: when its last octet came.

    `key` is the client's idempotency key, `digest` what the request says; both empty without one. `batch`: one that can be
    asked about as a whole.
    """

    account: str
    drafts: list[Draft]
    arrival: float
    arrival_utc: Moment
    key: str = ""
    digest: str = ""
    batch: bool = False
    unready: int = 0
    """Recipients of the batch that the worker refused itself."""


class Find(msgspec.Struct, array_like=True, tag=2):
    """A message by id, with its attempts; `account` empty: anybody's."""

    account: str
    message_id: int


class Search(msgspec.Struct, array_like=True, tag=3):
    """Messages that live, or have just ended, newest first; the history is the worker's to read. Empty fields match all."""

    account: str
    to: str
    client_ref: str
    states: tuple[int, ...]
    since_id: int
    before_id: int
    limit: int


class Cancel(msgspec.Struct, array_like=True, tag=4):
    """End a message that has not left."""

    account: str
    message_id: int


class Reschedule(msgspec.Struct, array_like=True, tag=5):
    """Send a message that has not left at another time; `due_utc` 0: at once. `expires_utc` 0: its validity moves along."""

    account: str
    message_id: int
    due_utc: Moment
    expires_utc: Moment = 0.0


class AskBatch(msgspec.Struct, array_like=True, tag=6):
    """How far a batch is."""

    account: str
    batch_id: str


class PutDocument(msgspec.Struct, array_like=True, tag=7):
    """Keep a document, on disk before it is answered; an empty value takes it away. Every worker is told.

    `instead_of`: only while that is what is kept; else nothing is done, and the answer is CHANGED.
    """

    kind: str
    name: str
    value: bytes
    instead_of: bytes = b""


class Steer(msgspec.Struct, array_like=True, tag=8):
    """Hold a channel back: "pause" sends nothing more there, "drain" unbinds too, "resume" ends both. Survives a restart."""

    channel: str
    action: str
    by: str = ""
    why: str = ""


class AskLedger(msgspec.Struct, array_like=True, tag=9):
    """The sums."""


class AskChannels(msgspec.Struct, array_like=True, tag=10):
    """The state of every channel."""


class AskTallies(msgspec.Struct, array_like=True, tag=11):
    """The ten seconds; see `link.AskTallies`."""

    by: tuple[str, ...] = ("class",)
    windows: tuple[str, ...] = ()
    only: dict[str, str] = {}


class AskHealth(msgspec.Struct, array_like=True, tag=12):
    """Whether messages are accepted."""


class Try(msgspec.Struct, array_like=True):
    """What became of one attempt to hand an event to a webhook. `status` 0: no HTTP answer; `said` tells why."""

    notice_id: int
    webhook: str
    status: int
    said: str = ""
    retry_after_s: float = 0.0
    took_s: float = 0.0


class Tried(msgspec.Struct, array_like=True, tag=13):
    """Attempts that have ended."""

    tries: list[Try]


class Replay(msgspec.Struct, array_like=True, tag=14):
    """Hand events to a webhook again: of these messages, or (`dead`) all that it never took."""

    account: str
    webhook: str
    message_ids: tuple[int, ...] = ()
    dead: bool = False


class AskDeliveries(msgspec.Struct, array_like=True, tag=15):
    """The latest attempts of a webhook, newest first."""

    webhook: str
    limit: int


EVERYBODY = "*"


class Watch(msgspec.Struct, array_like=True, tag=16):
    """Tell this worker what becomes of the messages of an account, or of `EVERYBODY`; or (`on` false) no longer."""

    account: str
    on: bool


class AskDocuments(msgspec.Struct, array_like=True, tag=17):
    """Everything of a kind."""

    kind: str


class ChangeMembers(msgspec.Struct, array_like=True, tag=18):
    """Recipients that join or leave a list of an account: "optout" (no campaigns) or "blocked" (nothing at all). `by` and `why`
    are for the audit.
    """

    kind: str
    account: str
    add: list[str]
    remove: list[str]
    by: str
    why: str = ""


class ListMembers(msgspec.Struct, array_like=True, tag=19):
    """Recipients on a list, in order, after `after`."""

    kind: str
    account: str
    after: str
    limit: int


class Explain(msgspec.Struct, array_like=True, tag=20):
    """What would become of a message: every rule's verdict, nothing sent and nothing counted."""

    account: str
    draft: Draft


class Fund(msgspec.Struct, array_like=True, tag=21):
    """Put money (micro-units) into an account's balance, or messages into its trial; 0 asks what is in it."""

    account: str
    amount: int
    by: str
    purse: Literal["balance", "trial"] = "balance"


class Note(msgspec.Struct, array_like=True, tag=22):
    """Something that was told about a message or a campaign: a complaint, a conversion. Kept in the audit.

    `message`: what it is about, where that was looked up.
    """

    what: str
    account: str
    message_id: int = 0
    campaign_id: str = ""
    fields: dict[str, str] = {}
    message: Message | None = None


class AskPurses(msgspec.Struct, array_like=True, tag=23):
    """What an account has left."""

    account: str


class Tune(msgspec.Struct, array_like=True, tag=40):
    """Set a channel's weight in all routes, and its rate; None: what the configuration says. Only what is in `fields`."""

    channel: str
    fields: tuple[Literal["weight", "rate"], ...]
    weight: int | None = None
    rate: float | None = None
    by: str = ""
    why: str = ""


class Port(msgspec.Struct, array_like=True, tag=41):
    """Numbers that are with another operator than their prefix says: (number, operator); an empty operator takes it back."""

    numbers: list[tuple[str, str]]
    by: str = ""
    why: str = ""


class AskNetwork(msgspec.Struct, array_like=True, tag=42):
    """Whose network a number is on."""

    number: str


Ask: TypeAlias = (
    Submit
    | Find
    | Search
    | Cancel
    | Reschedule
    | AskBatch
    | PutDocument
    | Steer
    | AskLedger
    | AskChannels
    | AskTallies
    | AskHealth
    | Tried
    | Replay
    | AskDeliveries
    | Watch
    | AskDocuments
    | ChangeMembers
    | ListMembers
    | Explain
    | Fund
    | Note
    | Tune
    | Port
    | AskNetwork
    | AskPurses
)


class Item(msgspec.Struct, array_like=True, gc=False):
    """One message of a request: its id, the command_status that refused it (0: accepted), its number as E.164, its state."""

    message_id: int
    status: int
    to: str
    state: int = int(MessageState.QUEUED)
    reason: str = ""
    """Of the rule that refused it, with its name and what can be done."""
    rule: str = ""
    detail: str = ""
    parts: int = 0
    """Messages a handset gets; rules may have changed the text."""


class Taken(msgspec.Struct, array_like=True, tag=1, gc=False):
    """What became of a Submit. `retry_after_s`: when a refused one may be tried again; `replayed`: it was answered before."""

    items: list[Item]
    batch_id: str = ""
    retry_after_s: float = 0.0
    replayed: bool = False
    unready: int = 0
    """Recipients of the batch that never came here."""


class Conflict(msgspec.Struct, array_like=True, tag=2):
    """The idempotency key is taken: by another payload, or (`running`) by a request that is not answered yet."""

    running: bool


class Records(msgspec.Struct, array_like=True, tag=3):
    """Messages with their attempts, newest first; none where there is none."""

    records: list[Record]


class Changed(msgspec.Struct, array_like=True, tag=4):
    """Whether a wish about a message came in time; no record: there is no such message. `why`: which rule forbids it."""

    possible: bool
    record: Record | None = None
    why: str = ""


class Batch(msgspec.Struct, array_like=True, tag=5):
    """How many of a batch are in each state; `size` 0: there is no such batch. `refused`: never accepted."""

    batch_id: str
    size: int
    refused: int
    states: dict[int, int]
    created_utc: float = 0.0


class Done(msgspec.Struct, array_like=True, tag=6):
    """It was done; `error` when not."""

    error: str = ""
    count: int = 0


CHANGED = "it has changed meanwhile"


class Health(msgspec.Struct, array_like=True, tag=7):
    """`trouble`: why nothing can be stored; `up`: channels that can send; counts since the start, for metrics."""

    accepting: bool
    trouble: str
    up: int
    channels: int
    webhook_backlog: int = 0
    refused: list[tuple[str, str, int]] = []
    """Messages that rules refused: class, reason, how many."""
    low: list[tuple[str, int]] = []
    """Prefixes whose codes are not used: account, how many now."""


class Deliveries(msgspec.Struct, array_like=True, tag=8):
    """Attempts of a webhook, newest first; `waiting`: events it has not taken."""

    tries: list["PastTry"]
    waiting: int


class PastTry(msgspec.Struct, array_like=True):
    """An attempt that has ended; `next_utc` 0: there is none more."""

    notice_id: int
    status: int
    said: str
    at_utc: float
    took_s: float
    failures: int
    next_utc: float


class DocumentsOf(msgspec.Struct, array_like=True, tag=9):
    """Documents by name."""

    documents: dict[str, bytes]


class ChannelList(msgspec.Struct, array_like=True, tag=10):
    """Channels as an operator sees them."""

    channels: Channels


class LedgerSums(msgspec.Struct, array_like=True, tag=11):
    """The ledger."""

    sums: Sums


class TallyList(msgspec.Struct, array_like=True, tag=12):
    """The ten seconds."""

    tallies: Tallies


class Unable(msgspec.Struct, array_like=True, tag=13):
    """It cannot be done, or cannot be known, now."""

    why: str


class MemberPage(msgspec.Struct, array_like=True, tag=14):
    """Recipients on a list, and how many there are in all."""

    numbers: list[str]
    total: int


class Explained(msgspec.Struct, array_like=True, tag=15):
    """`steps`: (rule, verdict, whether it refused). The message as it would be stored, and the channels of its route."""

    steps: list[tuple[str, str, bool]]
    record: Record
    channels: list[tuple[str, int, str]]
    """(name, weight, state), in the order of the route."""
    next_send_utc: float = 0.0
    channel: str = ""
    """The one that would be chosen now; empty: it would have to wait, or has no route. `why` tells."""
    why: str = ""


class Network(msgspec.Struct, array_like=True, tag=40):
    """Whose network a number is on; `moved`: not that of its prefix."""

    number: str
    operator: str
    country: str
    virtual: bool
    moved: bool


class Purse(msgspec.Struct, array_like=True):
    """Of `limit` (0: what was put in is all there is) so much is left: micro-units of the currency, of a trial messages."""

    name: str
    left: int
    limit: int = 0


class Purses(msgspec.Struct, array_like=True, tag=16):
    """What an account pays from; empty: nothing is counted."""

    purses: list[Purse]
    currency: str = ""


Answer: TypeAlias = (
    Taken
    | Conflict
    | Records
    | Changed
    | Batch
    | Done
    | Health
    | Deliveries
    | DocumentsOf
    | ChannelList
    | LedgerSums
    | TallyList
    | MemberPage
    | Explained
    | Purses
    | Unable
    | Network
)
