"""What must hold when a message is stored, as guards: duplicates, frequency, velocity, lists, money.

A guard's key begins with the kind of its rule, so that a refusal can be told from the guard alone. Times of a message that
waits are those of the moment it comes due.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from config.policy import Cap, Policy
from config.presets import caps as cap_presets
from config.schema import CLASSES
from routing.guards import Cell, Guard, Kept, Member, Spend, Unique, Window
from routing.policy.numbers import country_code_of, zone_of
from routing.policy.suppression import SuppressionRule
from routing.policy.verdict import Reason, Refusal
from routing.records import Message

SEPARATOR = "\x1f"
OPTED_OUT, BLOCKED, CONSENT, SUPPRESSED = "optout", "blocked", "consent", "suppressed"
"""Member sets of an account: those who want no campaigns, those who get nothing at all, those who said yes, and numbers that
nothing arrives at.
"""
EVERYBODY = "*"
"""The account whose sets count for all."""
LAST_DIGITS = 4
WINDOWS_MAX, QUARTER_S = 10_000, 900.0
MONTH_S, WEEK_S, DAY_S = 32 * 86_400.0, 8 * 86_400.0, 2 * 86_400.0
"""Longer than the calendar's: the key names the month, week or day."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
CALENDAR = {"day": DAY_S, "week": WEEK_S, "month": MONTH_S}
REASONS: dict[str, Reason] = {
    "dedupe": "duplicate",
    "cap": "frequency_cap",
    "velocity": "velocity",
    OPTED_OUT: "opted_out",
    BLOCKED: "blacklisted",
    CONSENT: "consent",
    SUPPRESSED: "suppressed",
    "balance": "quota",
    "daily": "quota",
    "monthly": "quota",
    "trial": "quota",
}
WORDS = {
    "dedupe": "the same text went to this recipient already",
    "cap": "enough in this period",
    "velocity": "too many codes in a short time",
    OPTED_OUT: "the recipient wants no more of these",
    BLOCKED: "the recipient is on the account's list",
    CONSENT: "the recipient is not on the account's list of those who agreed",
    SUPPRESSED: "too many messages to this number failed for good",
    "balance": "the balance does not pay for it",
    "daily": "the day's budget is spent",
    "monthly": "the month's budget is spent",
    "trial": "trial messages are used up",
}


def optout_set(account: str) -> str:
    """Recipients that opted out of an account's campaigns."""
    return f"{OPTED_OUT}{SEPARATOR}{account}"


def blocked_set(account: str) -> str:
    """Recipients that an account sends nothing to."""
    return f"{BLOCKED}{SEPARATOR}{account}"


def consent_set(account: str) -> str:
    """Recipients that agreed to an account's campaigns."""
    return f"{CONSENT}{SEPARATOR}{account}"


def suppressed_set(account: str) -> str:
    """Numbers that messages of an account failed at for good, again and again."""
    return f"{SUPPRESSED}{SEPARATOR}{account}"


def failures_window(rule: SuppressionRule, account: str) -> Window:
    """Where those failures are counted, in a number's cell."""
    return Window(f"failures{SEPARATOR}{account}", rule.failures, rule.period_s)


def balance_purse(account: str) -> str:
    """What a prepaid account has."""
    return f"balance{SEPARATOR}{account}"


def trial_purse(account: str) -> str:
    """Messages an account on trial has left."""
    return f"trial{SEPARATOR}{account}"


def refusal_of(guard: Guard) -> Refusal:
    """What a guard that refused means."""
    key = guard.set_name if isinstance(guard, Member) else guard.purse if isinstance(guard, Spend) else guard.key
    kind, _, rest = key.partition(SEPARATOR)
    rule = rest.split(SEPARATOR, 1)[0] if kind == "cap" else kind
    return Refusal(REASONS.get(kind, "account"), rule, WORDS.get(kind, ""))


def due_after(message: Message, utc: float) -> float:
    """When a message that waits comes due; 0: now. A part of a group that is not whole yet waits for nothing but the others."""
    return message.due_utc if message.due_utc > utc else 0.0


class CapRule:
    """One frequency cap, compiled."""

    def __init__(self, cap: Cap) -> None:
        self.cap = cap
        self.classes = frozenset(cap.classes)
        self.purposes = frozenset(cap.purposes)
        self._calendar = cap.period if cap.period in CALENDAR else ""
        self._period_s = CALENDAR[cap.period] if self._calendar else float(cap.period[:-1]) * UNITS[cap.period[-1]]
        self._zone = None if cap.timezone == "recipient" else ZoneInfo(cap.timezone)
        self._start = f"cap{SEPARATOR}{cap.name}{SEPARATOR}"
        self._windows: dict[str, Window] = {}
        self._buckets: dict[tuple[str, int], str] = {}

    def applies(self, class_: str, purpose: str) -> bool:
        """Whether such messages count."""
        return (not self.classes or class_ in self.classes) and (not self.purposes or purpose in self.purposes)

    def same_for(self, account: str) -> Window | None:
        """Its guard, where that is the same for all messages of an account."""
        if self._calendar or self.cap.per not in ("account", "all"):
            return None
        return self._window(self._start + self._whose(account))

    def guard(self, message: Message, at_utc: float) -> Window:
        """What must hold, in its recipient's cell, for a message that counts at `at_utc`. The same for many messages."""
        key = self._start + self._whose(message.account, message.brand, message.business)
        if self._calendar:
            key += SEPARATOR + self._bucket(message.destination, at_utc)
        return self._window(key)

    def _window(self, key: str) -> Window:
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= WINDOWS_MAX:
                self._windows.clear()
            window = self._windows[key] = Window(key, self.cap.limit, self._period_s)
        return window

    def _whose(self, account: str, brand: str = "", business: str = "") -> str:
        per = self.cap.per
        if per == "account":
            return account
        if per == "brand":
            return f"{account}/{brand}"
        if per == "business":  # an account without one is a business of its own, whatever others call theirs
            return f"b/{business}" if business else f"a/{account}"
        return EVERYBODY

    def _bucket(self, number: str, utc: float) -> str:
        """The period of the calendar. No zone's day begins within a quarter of an hour."""
        country = "" if self._zone is not None else country_code_of(number)
        quarter = int(utc // QUARTER_S)
        bucket = self._buckets.get((country, quarter))
        if bucket is None:
            if len(self._buckets) >= WINDOWS_MAX:
                self._buckets.clear()
            bucket = self._buckets[country, quarter] = self._name_of(self._zone or zone_of(country) or UTC, utc)
        return bucket

    def _name_of(self, zone: tzinfo, utc: float) -> str:
        here = datetime.fromtimestamp(utc, UTC).astimezone(zone)
        if self._calendar == "day":
            return f"{here:%Y-%m-%d}"
        if self._calendar == "month":
            return f"{here:%Y-%m}"
        monday = here.date() - timedelta(days=here.weekday())
        return f"{monday:%Y-%m-%d}"


class Common(NamedTuple):
    """What messages of one account, class and purpose have in common: lists the recipient must (not) be on, whether a text may
    go to it but once, and caps, as guards where these do not depend on the message.
    """

    lists: tuple[Member, ...]
    unique: bool
    caps: Sequence[Window | CapRule]


class GuardMaker:
    """All guards of one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.caps = [CapRule(one) for one in policy.caps]
        self.caps += [CapRule(one) for name in policy.cap_presets for one in cap_presets()[name]]
        self._dedupe_s = policy.dedupe.window_s
        self._dedupe_classes = frozenset(policy.dedupe.classes)
        self._velocity = policy.velocity
        self._velocity_classes = frozenset(policy.velocity.classes)
        self._safe = tuple(policy.velocity.safe)
        self._of_prefix = (Window("velocity", policy.velocity.prefix_limit, policy.velocity.period_s),)
        self._of_account = (Window("velocity", policy.velocity.account_limit, policy.velocity.period_s),)
        self._common: dict[tuple[str, str, str], Common] = {}
        self._stopped = frozenset(policy.opt_out.classes) if policy.opt_out.enabled else frozenset()
        self._agreed = frozenset(policy.consent.classes) if policy.consent.required else frozenset()
        self._suppressed = frozenset(filter(SuppressionRule(policy.suppression).applies, CLASSES))
        self._trial = policy.budget.trial_messages > 0
        self._hurries = bool(policy.velocity.prefix_limit or policy.velocity.account_limit)
        self._costs = bool(policy.budget.price or any(policy.budget.prices.values()))
        self._zone = ZoneInfo(policy.budget.timezone)

    def guards(self, message: Message, utc: float) -> tuple[Guard, ...]:
        """What must hold for this message, in the order in which refusals are told.

        Of parts that the sender cut the first counts for all, a trial's messages too; each is paid for, and none goes to who is
        on a list.
        """
        due_utc = due_after(message, utc)
        at_utc = due_utc or utc
        alike = (message.account, message.class_, message.purpose)
        common = self._common.get(alike) or self._common_of(*alike)
        if message.part_of is not None and message.part_of.seq != 1:
            return (Cell(message.destination, common.lists), *self._money(message, at_utc))
        about: list[Kept] = [*common.lists]
        if common.unique:
            about.append(self._unique(message, at_utc))
        about += [one if type(one) is Window else one.guard(message, at_utc) for one in common.caps]  # type: ignore[union-attr]
        found: list[Guard] = [Cell(message.destination, tuple(about), due_utc)]
        if self._hurries:
            found += self._speed(message)
        if self._trial:
            found.append(Spend(trial_purse(message.account), 1))
        if self._costs:
            found += self._money(message, at_utc)
        return tuple(found)

    def _common_of(self, account: str, class_: str, purpose: str) -> Common:
        """What is made once for all messages that are alike in these."""
        members = [Member(blocked_set(account), ""), Member(blocked_set(EVERYBODY), "")]
        if class_ in self._suppressed:
            members.append(Member(suppressed_set(account), ""))
        if class_ in self._stopped:
            members.append(Member(optout_set(account), ""))
        if class_ in self._agreed:
            members.append(Member(consent_set(account), "", must_be=True))
        unique = bool(self._dedupe_s) and (not self._dedupe_classes or class_ in self._dedupe_classes)
        caps = [rule.same_for(account) or rule for rule in self.caps if rule.applies(class_, purpose)]
        common = self._common[account, class_, purpose] = Common(tuple(members), unique, caps)
        return common

    def _unique(self, message: Message, at_utc: float) -> Unique:
        """The same text from the same sender to the same recipient."""
        said = blake2b(message.content.data, digest_size=9).hexdigest()
        key = f"dedupe{SEPARATOR}{message.account}{SEPARATOR}{message.source}{SEPARATOR}{said}"
        return Unique(key, at_utc + self._dedupe_s)

    def _speed(self, message: Message) -> list[Guard]:
        rule, number = self._velocity, message.destination
        if message.class_ not in self._velocity_classes or (self._safe and number.startswith(self._safe)):
            return []
        found: list[Guard] = []
        if rule.prefix_limit:
            found.append(Cell(f"velocity{SEPARATOR}{message.account}{SEPARATOR}{number[:-LAST_DIGITS]}", self._of_prefix))
        if rule.account_limit:
            found.append(Cell(f"velocity{SEPARATOR}{message.account}", self._of_account))
        return found

    def _money(self, message: Message, at: float) -> list[Guard]:
        budget = self._policy.budget
        price = budget.prices.get(message.operator) if budget.prices else budget.price
        if price is None:
            price = budget.prices.get(message.country, budget.price)
        message.price = price * message.content.parts
        if not message.price:
            return []
        message.currency = budget.currency
        found: list[Guard] = []
        if budget.prepaid:
            found.append(Spend(balance_purse(message.account), message.price))
        trial = trial_purse(message.account)
        found += [Spend(purse, message.price) for purse in self._purses(message.account, at) if purse != trial]
        return found

    @property
    def opens(self) -> bool:
        """Whether there are purses that are opened with something in them."""
        budget = self._policy.budget
        return bool(budget.daily_max or budget.monthly_max or budget.trial_messages)

    def purses(self, message: Message, utc: float) -> dict[str, int]:
        """Trial and budgets of the day and the month it is paid from, with what is in them at first."""
        return self._purses(message.account, due_after(message, utc) or utc)

    def all_purses(self, account: str, utc: float) -> dict[str, int]:
        """Everything an account pays from at `utc`, with what is in it at first."""
        balance = {balance_purse(account): 0} if self._policy.budget.prepaid else {}
        return {**balance, **self._purses(account, utc)}

    def _purses(self, account: str, at: float) -> dict[str, int]:
        budget = self._policy.budget
        found = {trial_purse(account): budget.trial_messages} if budget.trial_messages else {}
        if not (budget.daily_max or budget.monthly_max):
            return found
        here = datetime.fromtimestamp(at, UTC).astimezone(self._zone)
        if budget.daily_max:
            found[f"daily{SEPARATOR}{account}{SEPARATOR}{here:%Y-%m-%d}"] = budget.daily_max
        if budget.monthly_max:
            found[f"monthly{SEPARATOR}{account}{SEPARATOR}{here:%Y-%m}"] = budget.monthly_max
        return found
