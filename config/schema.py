"""Everything that may stand in a configuration file. Unknown fields are errors; units are in the names.

`example.toml` beside this file shows every field with its default and a comment.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from config.policy import Interval, Policy, Weekday
from config.sections import (
    CLASSES,
    Count,
    IdRule,
    MessageClass,
    Name,
    Network,
    Port,
    Purpose,
    Rate,
    Seconds,
    Secret,
    Section,
    TlvTag,
)

__all__ = ["CLASSES", "MessageClass", "Network", "Purpose", "Secret", "Section"]


class ServerTls(Section, frozen=True, kw_only=True):
    """Our certificate, PEM. The key must be readable by us alone."""

    cert: str
    key: str


class ClientTls(Section, frozen=True, kw_only=True):
    """How we check a carrier's certificate."""

    ca: str = ""
    server_name: str = ""
    verify: bool = True


class MetadataTlvs(Section, frozen=True, kw_only=True):
    """TLVs by which a sender overrides its account's defaults; the vendor range 0x1400-0x3FFF.

    Not 0x1400 and 0x1401: India's rules own them.
    """

    class_: TlvTag = msgspec.field(name="class", default=0x3E01)
    purpose: TlvTag = 0x3E02
    business: TlvTag = 0x3E03
    brand: TlvTag = 0x3E04
    industry: TlvTag = 0x3E05
    client_ref: TlvTag = 0x3E06
    campaign_id: TlvTag = 0x3E07


class ServiceTypes(Section, frozen=True, kw_only=True):
    """service_type values that make a message's class, instead of the account's."""

    verification: list[Annotated[str, Meta(max_length=5)]] = []
    notification: list[Annotated[str, Meta(max_length=5)]] = []
    marketing: list[Annotated[str, Meta(max_length=5)]] = []


class Smpp(Section, frozen=True, kw_only=True):
    """The door for clients (ESMEs)."""

    listen: str = "127.0.0.1:2775"
    system_id: Annotated[str, Meta(max_length=15)] = "tensec"
    tls: ServerTls | None = None
    session_init_s: Seconds = 5
    partial_pdu_s: Seconds = 10
    enquire_link_s: Seconds = 30
    inactivity_s: Seconds = 300
    response_timeout_s: Seconds = 30
    connections_max: Count = 20_000
    unbound_max: Count = 10_000
    pdu_size_max: Annotated[int, Meta(ge=1024, le=1_000_000)] = 70_000
    write_buffer_max: Annotated[int, Meta(ge=65_536)] = 1_000_000
    write_stalled_s: Seconds = 30
    bind_failure_delay_s: Rate = 0.5
    bind_failures_per_minute: Count = 5
    tlvs: MetadataTlvs = MetadataTlvs()
    service_types: ServiceTypes = ServiceTypes()


class Webhooks(Section, frozen=True, kw_only=True):
    """How events are handed to webhooks."""

    timeout_s: Seconds = 5
    allow_http: bool = False
    allow_private: bool = False


class Http(Section, frozen=True, kw_only=True):
    """The HTTP API, in processes beside the core; empty `listen`: none."""

    listen: str = ""
    ops_listen: str = ""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    tls: ServerTls | None = None
    body_size_max: Annotated[int, Meta(ge=1024, le=16_000_000)] = 1_000_000
    body_timeout_s: Seconds = 10
    keep_alive_s: Seconds = 75
    write_stalled_s: Seconds = 30
    connections_max: Count = 20_000
    search_timeout_s: Seconds = 3
    webhooks: Webhooks = Webhooks()


class Class(Section, frozen=True, kw_only=True):
    """What holds for one class of messages."""

    validity_s: Seconds
    attempts_max: Count = 4


class CodeClass(Class, frozen=True, kw_only=True):
    """The same for one-time codes, which may be tried a second time when their receipt does not come."""

    resend_after_s: Annotated[float, Meta(ge=0, le=3_600)] = 0
    resend_share_max: Annotated[float, Meta(ge=0, le=1)] = 0.02


class Classes(Section, frozen=True, kw_only=True):
    verification: CodeClass = CodeClass(validity_s=300)
    notification: Class = Class(validity_s=86_400)
    marketing: Class = Class(validity_s=86_400)


class Core(Section, frozen=True, kw_only=True):
    """Limits of the core process."""

    node: Annotated[int, Meta(ge=0, le=255)] = 0
    queue_size_max: Count = 1_000_000
    scheduled_size_max: Count = 1_000_000
    drain_timeout_s: Seconds = 30
    parts_timeout_s: Seconds = 60
    replies_days: Annotated[int, Meta(ge=0, le=366)] = 30
    replies_unlisted: bool = False
    cpus: tuple[Annotated[int, Meta(ge=0, le=4095)], ...] = ()


class Redis(Section, frozen=True, kw_only=True):
    """A Redis (7 or newer) or Valkey server that keeps what it is told: appendonly, appendfsync always, noeviction."""

    url: Secret = Secret("redis://127.0.0.1:6379/0")
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}$")] = "tensec"
    allow_unsafe: bool = False


class Store(Section, frozen=True, kw_only=True):
    """Where messages are kept."""

    kind: Literal["embedded", "redis", "memory"] = "embedded"
    working_set_max: Count = 100_000
    history_days: Count = 30
    text_days: Count = 30
    redis: Redis = Redis()


class Log(Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


BindKind = Literal["transmitter", "receiver", "transceiver"]
StatusMeaning = Literal["throttle", "temporary", "session", "channel_refuses", "permanent"]
"""What a carrier's command_status means for a message, where it is another than usual: slow down; try again; bind anew; try
another channel; give up.
"""


class Account(Section, frozen=True, kw_only=True):
    """A client. `password_hash` as `tensec account hash` prints it; without one it has API keys only, and cannot bind."""

    system_id: Annotated[str, Meta(min_length=1, max_length=15)]
    password_hash: Secret = Secret("")
    bind_kinds: list[BindKind] = msgspec.field(default_factory=lambda: ["transmitter", "receiver", "transceiver"])
    binds_max: Count = 10
    window: Annotated[int, Meta(ge=1, le=10_000)] = 100
    messages_per_second: Rate = 0
    source_addresses: list[str] = []
    networks: list[Network] = []
    class_: MessageClass = msgspec.field(name="class", default="notification")
    purpose: Purpose = "standard"
    business: str = ""
    brand: str = ""
    industry: str = ""
    country_code: Annotated[str, Meta(pattern=r"^[0-9]{0,4}$")] = ""
    policy: str = ""


TEMPORARY = ("027", "031", "032", "033", "034")
"""Of receipts' errors (GSM MAP): absent subscriber and the like."""


class Channel(Section, frozen=True, kw_only=True):
    """A carrier we bind to. `binds` counts sessions, or pairs of them with `bind = "transmitter+receiver"`."""

    name: Name
    host: str
    port: Port
    system_id: Annotated[str, Meta(max_length=15)]
    password: Secret
    system_type: Annotated[str, Meta(max_length=12)] = ""
    bind: Literal["transceiver", "transmitter+receiver"] = "transceiver"
    binds: Annotated[int, Meta(ge=1, le=100)] = 1
    window: Annotated[int, Meta(ge=1, le=10_000)] = 10
    messages_per_second: Rate = 0
    tls: ClientTls | None = None
    connect_timeout_s: Seconds = 10
    bind_timeout_s: Seconds = 10
    enquire_link_s: Seconds = 30
    enquire_link_timeout_s: Seconds = 10
    response_timeout_s: Seconds = 10
    reconnect_min_s: Seconds = 1
    reconnect_max_s: Seconds = 60
    refused_retry_s: Seconds = 120
    resp_id: IdRule = "opaque"
    receipt_id: IdRule = "opaque"
    receipt_trust_text: bool = False
    receipts: bool = True
    send_tlvs: bool = True
    send_validity: bool = True
    long_messages: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    mo_account: str = ""
    bind_messages_per_second: Rate = 0
    temporary_errors: list[Annotated[str, Meta(min_length=1, max_length=20)]] = msgspec.field(
        default_factory=lambda: list(TEMPORARY)
    )
    cost: Annotated[int, Meta(ge=0)] = 0
    status_classes: dict[Annotated[str, Meta(pattern=r"^0x[0-9A-Fa-f]{1,8}$")], StatusMeaning] = {}


class RouteChannel(Section, frozen=True, kw_only=True):
    """`group`: channels of a higher one are for when none of a lower one can be used. `cost` of a submit_sm in micro-units;
    None: the channel's.
    """

    name: Name
    weight: Annotated[int, Meta(ge=0, le=10_000)] = 1
    group: Annotated[int, Meta(ge=1, le=100)] = 1
    cost: Annotated[int, Meta(ge=0)] | None = None


class Route(Section, frozen=True, kw_only=True):
    """Messages that match every list that is not empty go to one of `channels`, by weight. The first match counts.

    `virtual`: only numbers of virtual operators, or (false) none of these. `sources` are senders, exact or "1069*". `hours`
    and `weekdays` are in `timezone`.
    """

    classes: list[MessageClass] = []
    accounts: list[str] = []
    countries: list[Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}$")]] = []
    prefixes: list[Annotated[str, Meta(pattern=r"^[0-9]+$")]] = []
    operators: list[str] = []
    virtual: bool | None = None
    sources: list[str] = []
    tags: list[str] = []
    hours: list[Interval] = []
    weekdays: list[Weekday] = []
    timezone: str = "UTC"
    channels: Annotated[list[RouteChannel], Meta(min_length=1)]


class Config(Section, frozen=True, kw_only=True):
    """A whole configuration file."""

    data_dir: str = "data"
    smpp: Smpp = Smpp()
    http: Http = Http()
    core: Core = Core()
    store: Store = Store()
    classes: Classes = Classes()
    log: Log = Log()
    policies: list[Policy] = []
    accounts: list[Account] = []
    channels: list[Channel] = []
    routes: list[Route] = []
    ported_file: str = ""
