"""What an account may send, to whom, how often and when. Every rule is off until it is configured.

An account goes by the policy its `policy` names, else by the one called "default". Lists of classes, purposes and industries
that are empty match everything.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from config.sections import Count, MessageClass, Name, Purpose, Section

Mode = Literal["off", "required", "add"]
Interval = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Domain = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]+$")]
_CHINESE = ("TD", "T", "N", "R", "退订", "拒收")
_ENGLISH = ("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT")
STOP = (*_CHINESE, *_ENGLISH, "BAJA", "ALTO")


class Keywords(Section, frozen=True, kw_only=True):
    """Words and patterns no text may hold. Both see it without blanks, zero-width characters and full-width forms."""

    words: list[str] = []
    words_file: str = ""
    patterns: list[str] = []
    classes: list[MessageClass] = []


class Signature(Section, frozen=True, kw_only=True):
    """The sender's name in full-width brackets, as China asks for. "add" puts `text` in front where there is none."""

    mode: Mode = "off"
    text: str = ""
    position: Literal["head", "tail", "any"] = "head"
    length_min: Count = 2
    length_max: Count = 18
    classes: list[MessageClass] = []


class OptOutHint(Section, frozen=True, kw_only=True):
    """How to opt out, said in the text. "add" puts `text` at the end where none of `words` is."""

    mode: Mode = "off"
    text: str = "退订回T"
    words: list[str] = field(default_factory=lambda: ["退订", "拒收", "TD", "STOP", "UNSUBSCRIBE", "BAJA"])
    classes: list[MessageClass] = field(default_factory=lambda: ["marketing"])


class Links(Section, frozen=True, kw_only=True):
    """Web addresses in texts: well-formed, and where `domains` are given, under one of these."""

    check: bool = False
    domains: list[Domain] = []
    classes: list[MessageClass] = []


class SegmentsMax(Section, frozen=True, kw_only=True):
    """How many messages a handset may get of one text."""

    verification: Count = 255
    notification: Count = 255
    marketing: Count = 255


class Window(Section, frozen=True, kw_only=True):
    """When messages may be sent. Those that come while it is closed wait until it opens, or are refused.

    `preset` names one of windows.toml; what is set beside it counts instead. The first window that matches counts.
    """

    preset: str = ""
    classes: list[MessageClass] = field(default_factory=lambda: ["marketing"])
    purposes: list[Purpose] = []
    industries: list[str] = []
    intervals: list[Interval] = []
    weekend: list[Interval] | None = None
    weekdays: list[Weekday] | None = None
    holidays: Literal["as_weekend", "closed", "ignored"] | None = None
    holidays_extra: list[Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]] = []
    month_days_closed: list[Annotated[int, Meta(ge=-15, le=31)]] | None = None
    timezone: str = "recipient"
    closed: Literal["hold", "refuse"] = "hold"


class Dedupe(Section, frozen=True, kw_only=True):
    """The same text from the same sender to the same recipient once in `window_s`."""

    window_s: Annotated[float, Meta(ge=0, le=2_592_000)] = 0
    classes: list[MessageClass] = []


class Cap(Section, frozen=True, kw_only=True):
    """At most `limit` messages to a recipient in a period: "90s", "15m", "24h", "7d" roll; "day", "week", "month" are the
    calendar's.

    `per` says of whom: one account's, one brand's, one business's, or everybody's. `mark`: such a text must carry it, visibly.
    """

    name: Name
    classes: list[MessageClass] = []
    purposes: list[Purpose] = []
    per: Literal["account", "brand", "business", "all"] = "account"
    limit: Count
    period: Annotated[str, Meta(pattern=r"^([1-9][0-9]*[smhd]|day|week|month)$")]
    timezone: str = "recipient"
    mark: str = ""


class Conversion(Section, frozen=True, kw_only=True):
    """Codes nobody uses are made up as well: of `codes_min` or more to numbers with one beginning, a share of at least
    `share_min` must have been used, which `POST /v1/feedback` tells with one of `events`; 0: off.

    Codes count over `period_s`, `wait_s` after they were asked for. Nothing is done where an account tells of no uses at all,
    unless `without_feedback`.
    """

    share_min: Annotated[float, Meta(ge=0, le=1)] = 0
    codes_min: Count = 50
    period_s: Annotated[float, Meta(ge=60, le=86_400)] = 3_600
    wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 300
    action: Literal["alert", "throttle", "block"] = "alert"
    throttle_limit: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Codes to such numbers in `period_s`."""
    events: list[str] = field(default_factory=lambda: ["converted"])
    without_feedback: bool = False


class Velocity(Section, frozen=True, kw_only=True):
    """Codes in masses to neighbouring numbers are fraud (AIT). Limits for a number without its last four digits, for the
    account, and for different numbers that follow each other with gaps of a few; 0: none.
    """

    prefix_limit: Annotated[int, Meta(ge=0)] = 0
    account_limit: Annotated[int, Meta(ge=0)] = 0
    run_limit: Annotated[int, Meta(ge=0, le=100)] = 0
    period_s: Annotated[float, Meta(gt=0, le=86_400)] = 600
    classes: list[MessageClass] = field(default_factory=lambda: ["verification"])
    safe: list[Annotated[str, Meta(pattern=r"^[0-9]+$")]] = []
    conversion: Conversion = Conversion()


class Budget(Section, frozen=True, kw_only=True):
    """What an account may spend. `prepaid`: only what `tensec account topup` gave it. Prices in micro-units a segment; `prices`
    are those of operators, or of countries by calling code, that differ.

    `trial_messages`: so many messages in all, whatever they cost; 0: no limit.
    """

    prepaid: bool = False
    price: Annotated[int, Meta(ge=0)] = 0
    prices: dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[int, Meta(ge=0)]] = {}
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?$")] = ""
    daily_max: Annotated[int, Meta(ge=0)] = 0
    monthly_max: Annotated[int, Meta(ge=0)] = 0
    trial_messages: Annotated[int, Meta(ge=0)] = 0
    timezone: str = "UTC"


class OptOut(Section, frozen=True, kw_only=True):
    """Opting out by reply. Words are compared whole, after normalisation; `confirmation` is sent once, empty: nothing."""

    enabled: bool = True
    stop: list[str] = field(default_factory=lambda: list(STOP))
    start: list[str] = field(default_factory=lambda: ["START", "UNSTOP", "恢复", "订阅"])
    confirmation: str = ""
    classes: list[MessageClass] = field(default_factory=lambda: ["marketing"])
    """Classes that an opt-out stops."""


class Consent(Section, frozen=True, kw_only=True):
    """Only recipients who said yes: those on the account's list `consent`."""

    required: bool = False
    classes: list[MessageClass] = field(default_factory=lambda: ["marketing"])


class Suppression(Section, frozen=True, kw_only=True):
    """Numbers that `failures` messages in `period_days` ended undelivered for good to, none delivered between, get no more;
    0: off. A channel's `temporary_errors` say nothing about the number.
    """

    failures: Annotated[int, Meta(ge=0, le=100)] = 0
    period_days: Annotated[float, Meta(gt=0, le=366)] = 30
    classes: list[MessageClass] = []


class Policy(Section, frozen=True, kw_only=True):
    """One set of rules."""

    name: Name = "default"
    countries: list[Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}$")]] = []
    blacklist: list[Annotated[str, Meta(pattern=r"^[0-9]+\*?$")]] = []
    keywords: Keywords = Keywords()
    signature: Signature = Signature()
    opt_out_hint: OptOutHint = OptOutHint()
    links: Links = Links()
    segments_max: SegmentsMax = SegmentsMax()
    windows: list[Window] = []
    dedupe: Dedupe = Dedupe()
    caps: list[Cap] = []
    cap_presets: list[str] = []
    velocity: Velocity = Velocity()
    budget: Budget = Budget()
    opt_out: OptOut = OptOut()
    consent: Consent = Consent()
    suppression: Suppression = Suppression()
