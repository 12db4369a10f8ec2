"""All rules of an account, in order: what they decide about a message before it is stored.

    number -> sender -> country, blacklist -> links, keywords -> signature -> opt-out hint -> length -> send window
                                    then what is remembered of codes (`watch`), and with the write: guards (`caps`)

A rule refuses, lets pass, or changes the message (its number, its text, when it may go). `check` stops at the first refusal;
`explain` tells every rule's verdict, by the same list, so the two cannot differ. Parts that a sender cut itself are judged by
number and sender one by one, and by their whole text once all are there (`check_whole`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from config.policy import Policy
from config.schema import CLASSES, Account
from protocol.address import TON_INTERNATIONAL
from protocol.errors import ContentError
from protocol.segment import count_parts
from protocol.spoken import spoken_text
from protocol.text import coding, decode_text, encode_text, encode_ucs2
from protocol.udh import UDHI
from routing.guards import Guard
from routing.patterns import Patterns
from routing.policy.caps import GuardMaker
from routing.policy.hints import HintRule
from routing.policy.links import LinkRule
from routing.policy.lists import Lists
from routing.policy.numbers import normal_number, one_spelling
from routing.policy.replies import Replies
from routing.policy.shared import SharedNumbers
from routing.policy.signature import SignatureRule
from routing.policy.suppression import SuppressionRule
from routing.policy.verdict import Refusal
from routing.policy.watch import Watch
from routing.policy.windows import Opening, WindowRule
from routing.policy.words import Words, plain
from routing.records import Content, Message, MessageState

DEFAULT_POLICY = "default"
MOVING = ("content", "not_before_utc", "due_utc", "expires_utc", "window_end_utc")
CAMPAIGNS_MAX = 1_000
"""Texts of campaigns that are remembered with what was said of them."""
SAME_S = 0.001
"""Validities that differ by less are the same."""
CLASSED = 0x10
"""The bit of data_coding that says: the last two bits are a message class (3GPP TS 23.038 section 4)."""


class Look:
    """A message that is being judged, with its text once somebody asks for it. `parts` stands for all of them, when `text` is
    the text of several that their sender cut.
    """

    __slots__ = ("_plain", "_text", "changed", "message", "parts", "utc")

    def __init__(self, message: Message, utc: float, text: str | None = None, parts: int = 0) -> None:
        self.message = message
        self.utc = utc
        self.parts = parts
        self._text = text
        self._plain: str | None = None
        self.changed = False

    @property
    def text(self) -> str:
        """What it says."""
        if self._text is None:
            content = self.message.content
            data, data_coding, esm_class = content.data, content.data_coding, content.esm_class
            self._text = spoken_text(data, data_coding, esm_class) if esm_class & UDHI else decode_text(data, data_coding)
        return self._text

    @property
    def plain(self) -> str:
        """Without what only changes how it looks; see `words`."""
        if self._plain is None:
            self._plain = plain(self.text)
        return self._plain

    @property
    def fixed(self) -> bool:
        """Whether nothing can be added: it came in parts, has a header, or is no text."""
        content = self.message.content
        return bool(self.parts or content.esm_class & UDHI or coding(content.data_coding).alphabet == "binary")

    def say(self, text: str) -> None:
        """It says something else now."""
        self._text, self._plain = text, None
        self.changed = True

    def encode(self) -> None:
        """Write a changed text back. Raises ContentError when it is too long for 255 parts."""
        content = self.message.content
        old = coding(content.data_coding)
        if old.alphabet == "utf-16-be":
            data_coding, data = content.data_coding, encode_ucs2(self.text)
        else:
            data_coding, data = encode_text(self.text)
            if old.message_class is not None:  # a flash message stays one
                data_coding |= CLASSED | old.message_class
        parts = count_parts(data, data_coding)
        self.message.content = msgspec.structs.replace(content, data=data, data_coding=data_coding, parts=parts)
        self.changed = False


Rule: TypeAlias = Callable[[Look], Refusal | None]


class Named(NamedTuple):
    """A rule, what it is called, and the classes whose messages it looks at."""

    name: str
    rule: Rule
    classes: frozenset[str] = frozenset(CLASSES)


class Judged(NamedTuple):
    """What the rules said of a text, and what they made of it."""

    refusal: Refusal | None
    content: Content


def classes_of(classes: Sequence[str]) -> frozenset[str]:
    """Those a rule of the configuration is about; none: all."""
    return frozenset(classes or CLASSES)


class Step(NamedTuple):
    """One rule and what it said, for `explain`."""

    rule: str
    verdict: str
    refusal: Refusal | None

    @property
    def told(self) -> str:
        """In words."""
        return self.verdict if self.refusal is None else str(self.refusal)


class Screen:
    """The rules of one account, compiled. `words`: those of keywords.words_file; `validity_s`: by class, where a sender asks
    for none; `watch`: what is remembered of the account's codes; `shared`: it has numbers that others have, too. Raises
    BadPatternError, KeyError, and what ZoneInfo raises for
    a zone there is not.
    """

    def __init__(
        self,
        account: Account,
        policy: Policy | None = None,
        words: Iterable[str] = (),
        validity_s: Mapping[str, float] | None = None,
        watch: Watch | None = None,
        shared: SharedNumbers | None = None,
    ) -> None:
        self.country_code = account.country_code
        self.home_code = account.country_code
        """For numbers in local form; the policy's country, where it allows but one."""
        if policy is not None and not self.home_code and len(policy.countries) == 1:
            self.home_code = policy.countries[0]
        self._validity_s = validity_s or {}
        self._watch = watch
        self._shared = shared
        self._any_source = not account.source_addresses
        self._sources = Patterns(account.source_addresses)
        self.policy = policy
        self._rules: list[Named] = []
        self._of_text: list[Named] = []
        self._windows: list[WindowRule] = []
        self._guards: GuardMaker | None = None
        self.opens_purses = False
        self.replies = Replies(policy.opt_out) if policy is not None else None
        self.suppression = SuppressionRule(policy.suppression) if policy is not None and policy.suppression.failures else None
        if policy is not None:
            self._compile(policy, words)
        self._all = self._rules + self._of_text
        self._of_class = {name: [one.rule for one in self._of_text if name in one.classes] for name in CLASSES}
        self._windows_of = {name: [one for one in self._windows if one.about(name)] for name in CLASSES}
        self._campaigns: dict[tuple[Content, str, str], Judged] = {}

    def _compile(self, policy: Policy, words: Iterable[str]) -> None:
        """What the configuration asks for, and nothing else: rules that are off cost nothing."""
        self._lists = Lists(policy.countries, policy.blacklist)
        self._links = LinkRule(policy.links)
        self._words = Words(policy.keywords, words)
        self._signature = SignatureRule(policy.signature)
        self._hint = HintRule(policy.opt_out_hint)
        self._windows = [WindowRule(one) for one in policy.windows]
        limits = policy.segments_max
        self._segments = {name: getattr(limits, name) for name in CLASSES}
        self._guards = GuardMaker(policy)
        self.opens_purses = self._guards.opens
        self._rules = [Named("possible number", self._possible)]
        if policy.countries or policy.blacklist:
            self._rules.append(Named("countries and blacklist", self._listed))
        if policy.links.check or policy.links.domains:
            self._of_text.append(Named("links", self._linked, classes_of(policy.links.classes)))
        if self._words:
            self._of_text.append(Named("keywords", self._worded, classes_of(policy.keywords.classes)))
        added: list[Named] = []
        if policy.signature.mode != "off":
            added.append(Named("signature", self._signed, classes_of(policy.signature.classes)))
        if policy.opt_out_hint.mode != "off":
            added.append(Named("opt_out_hint", self._hinted, classes_of(policy.opt_out_hint.classes)))
        if policy.signature.position == "tail":
            added.reverse()  # what is added last stands last
        self._of_text += added
        self._marking = [one for one in self._guards.caps if one.cap.mark]
        if self._marking:
            marked = frozenset[str]().union(*[classes_of(one.cap.classes) for one in self._marking])
            self._of_text.append(Named("caps", self._marked, marked))
        if min(self._segments.values()) < 255:
            self._of_text.append(Named("segments_max", self._short))

    # -- judging

    def check(self, message: Message, utc: float = 0.0) -> Refusal | None:
        """None with the message as it is to be stored, or why not."""
        refusal = self._sender(message) or self._number(message)
        if refusal is not None or self.policy is None:
            return refusal
        refusal = self._check(message, utc)
        return self._watch.check(message, utc) if refusal is None and self._watch is not None else refusal

    def _check(self, message: Message, utc: float) -> Refusal | None:
        """The policy, for a message from a sender it may have to a number in its normal form."""
        look = Look(message, utc)
        for one in self._rules:
            refusal = one.rule(look)
            if refusal is not None:
                return refusal
        if message.part_of is None and (refusal := self._judge(look)) is not None:
            return refusal
        return self._timed(look) if self._windows_of[message.class_] else None

    def _judge(self, look: Look) -> Refusal | None:
        """The rules about texts. A campaign says the same to many: it is looked at once, and its messages share the text."""
        message = look.message
        if message.class_ != "marketing":
            return self._judge_text(look)
        alike = (message.content, message.purpose, message.brand)
        judged = self._campaigns.get(alike)
        if judged is None:
            if len(self._campaigns) >= CAMPAIGNS_MAX:
                self._campaigns.clear()
            judged = self._campaigns[alike] = Judged(self._judge_text(look), message.content)
        message.content = judged.content
        return judged.refusal

    def _judge_text(self, look: Look) -> Refusal | None:
        for rule in self._of_class[look.message.class_]:
            refusal = rule(look)
            if refusal is not None:
                return refusal
        return _encoded(look) if look.changed else None

    def check_whole(self, parts: list[Message], text: str, utc: float) -> Refusal | None:
        """A message the sender cut itself, now that all of it is here. Nothing can be added to it any more."""
        look = Look(parts[0], utc, text, sum(one.content.parts for one in parts))
        for _, rule, classes in self._of_text:
            if parts[0].class_ in classes and (refusal := rule(look)) is not None:
                return refusal
        return None

    def guards(self, message: Message, utc: float) -> tuple[Guard, ...]:
        """What must hold when it is stored."""
        return () if self._guards is None else self._guards.guards(message, utc)

    @property
    def asks_the_store(self) -> bool:
        """Whether its messages have guards."""
        return self.policy is not None or self._shared is not None

    def guards_and_mark(self, message: Message, utc: float) -> tuple[Guard, ...]:
        """The same, with what is noted when it goes."""
        guards = self.guards(message, utc)
        return guards if self._shared is None else self._shared.marked(message, guards)

    def purses(self, message: Message, utc: float) -> dict[str, int]:
        """Budgets that must exist before the guards are checked."""
        return {} if self._guards is None else self._guards.purses(message, utc)

    def all_purses(self, account: str, utc: float) -> dict[str, int]:
        """What the account pays from, with what is in it at first."""
        return {} if self._guards is None else self._guards.all_purses(account, utc)

    def explain(self, message: Message, utc: float) -> list[Step]:
        """Every rule in order with its verdict; the message changes as `check` would change it."""
        steps = [_step("sender", self._sender(message)), _step("number", self._number(message))]
        if self.policy is None:
            return steps
        look = Look(message, utc)
        for name, rule, classes in self._all:
            before = look.text
            refusal = rule(look) if message.class_ in classes else None
            steps.append(_step(name, refusal, "" if look.text == before else f"the text is now {look.text!r}"))
        if look.changed and (refusal := _encoded(look)) is not None:
            steps.append(_step("segments_max", refusal))
        if self._windows:
            refusal = self._timed(look)
            held = message.state is MessageState.SCHEDULED
            steps.append(_step("windows", refusal, "it waits until the window opens" if held else ""))
        if self._watch is not None:
            steps += [_step(*told) for told in self._watch.ask(message, utc)]
        return steps

    def later(self, message: Message, utc: float) -> dict[str, object] | None:
        """When a message goes whose window closed before it left, as fields of it; None: not any more."""
        rule = self._window_of(message)
        opening = Opening(utc, 0.0) if rule is None else rule.opening(message.destination, utc)  # rules may have changed
        if opening is None:
            return None
        start = max(opening.start_utc, utc)
        expires = self._expiry(message, start, utc)
        if expires <= start:
            return None
        return {"not_before_utc": start, "due_utc": start, "window_end_utc": opening.end_utc, "expires_utc": expires}

    def changed(self, message: Message, fields: dict[str, object], utc: float) -> dict[str, object] | Refusal:
        """What its sender wants changed of a message that waits, as the rules would have it; or why not.

        They are asked as for a new one, or a text and a time nobody would have accepted could follow one that was.
        """
        if self.policy is None:
            return fields
        after = msgspec.structs.replace(message, window_end_utc=0.0, **fields)
        if "content" not in fields:
            refusal = self._timed(Look(after, utc))
        elif message.part_of is not None:
            refusal = Refusal("account", "replace", "a part of a text cannot be replaced alone")
        else:
            refusal = self._check(after, utc)
            if refusal is None and message.price and after.content.parts > message.content.parts:
                refusal = Refusal("quota", "budget", "it has more segments than were paid for")
        if refusal is not None:
            return refusal
        if message.group_whole:
            after.not_before_utc = after.due_utc
        moved = [name for name in MOVING if name in fields or getattr(after, name) != getattr(message, name)]
        return {**fields, **{name: getattr(after, name) for name in moved}}

    def _expiry(self, message: Message, start: float, utc: float) -> float:
        """Until when a message is worth sending that goes at `start`: a validity of ours counts from then, its sender's word
        is what it is.
        """
        due = message.due_utc or message.arrival_utc or utc
        ours = self._validity_s.get(message.class_)
        if ours is not None and abs(message.expires_utc - due - ours) > SAME_S:
            return message.expires_utc
        return message.expires_utc + max(0.0, start - due)

    # -- the rules

    def _sender(self, message: Message) -> Refusal | None:
        if self._any_source or self._sources.match(message.source):
            return None
        return Refusal("sender_not_allowed", "source_addresses", "the account may not use this sender")

    def _number(self, message: Message) -> Refusal | None:
        known = (
            message.door == "http" and message.dest_ton == TON_INTERNATIONAL
        )  # it came with a plus, or has its country by now
        number = normal_number(message.destination, "" if known else self.country_code)
        if not number:
            return Refusal("invalid_number", "number", "not a number that can be written as E.164")
        message.destination = number
        message.dest_ton, message.dest_npi = TON_INTERNATIONAL, 1
        return None

    def _possible(self, look: Look) -> Refusal | None:
        number = one_spelling(look.message.destination)
        if not number:
            return Refusal("invalid_number", "number", "its country has no numbers of this length")
        look.message.destination = number
        return None

    def _listed(self, look: Look) -> Refusal | None:
        return self._lists.check(look.message.destination)

    def _linked(self, look: Look) -> Refusal | None:
        return self._links.check(look.text)

    def _worded(self, look: Look) -> Refusal | None:
        return self._words.check(look.plain)

    def _signed(self, look: Look) -> Refusal | None:
        return _said(look, "signature", self._signature.apply(look.text, look.message.brand))

    def _hinted(self, look: Look) -> Refusal | None:
        return _said(look, "opt_out_hint", self._hint.apply(look.text, look.plain))

    def _marked(self, look: Look) -> Refusal | None:
        """A message that counts as urgent must say so."""
        for rule in self._marking:
            if rule.applies(look.message.class_, look.message.purpose) and rule.cap.mark not in look.text:
                return Refusal("mark", rule.cap.name, f"the text must carry {rule.cap.mark!r}")
        return None

    def _short(self, look: Look) -> Refusal | None:
        if look.changed and (refusal := _encoded(look)) is not None:
            return refusal
        message = look.message
        most, parts = self._segments[message.class_], look.parts or message.content.parts
        if parts <= most:
            return None
        return Refusal("too_long", "segments_max", f"{parts} segments, {most} are allowed")

    def _window_of(self, message: Message) -> WindowRule | None:
        for one in self._windows_of[message.class_]:
            if one.matches(message.purpose, message.industry):
                return one
        return None

    def _timed(self, look: Look) -> Refusal | None:
        """Wait for the window, or be refused; what a carrier may do is bounded by its end."""
        message = look.message
        rule = self._window_of(message)
        if rule is None:
            return None
        at = max(message.due_utc, look.utc)
        opening = rule.opening(message.destination, at)
        if opening is None:
            return Refusal("quiet_hours", "windows", "its window does not open within forty days")
        if opening.start_utc > at:
            if not rule.holds:
                return Refusal("quiet_hours", "windows", "the window is closed")
            message.expires_utc = self._expiry(message, opening.start_utc, look.utc)
            if message.expires_utc <= opening.start_utc:
                return Refusal("quiet_hours", "windows", "the window is closed until its validity is over")
            message.due_utc = opening.start_utc
            if message.part_of is None:  # a part waits for the others first
                message.not_before_utc = opening.start_utc
            message.state = MessageState.SCHEDULED
        message.window_end_utc = opening.end_utc
        return None


def _said(look: Look, rule: Literal["signature", "opt_out_hint"], answer: str | Refusal) -> Refusal | None:
    if isinstance(answer, Refusal):
        return answer
    text = look.text
    if answer is not text and answer != text:
        if look.fixed:
            return Refusal(rule, rule, "nothing can be added to parts, headers or binary messages: their sender must say it")
        look.say(answer)
    return None


def _encoded(look: Look) -> Refusal | None:
    try:
        look.encode()
    except ContentError as error:
        return Refusal("too_long", "segments_max", str(error))
    return None


def _step(name: str, refusal: Refusal | None, note: str = "") -> Step:
    return Step(name, "refused" if refusal is not None else note or "passed", refusal)


def screen(messages: Iterable[Message], screens: Mapping[str, Screen], utc: float = 0.0) -> list[Refusal | None]:
    """For each message None, or what refuses it; those of an account that was taken away meanwhile too."""
    found: list[Refusal | None] = []
    for message in messages:
        rules = screens.get(message.account)
        found.append(Refusal("account", "accounts", "the account is gone") if rules is None else rules.check(message, utc))
    return found


def policy_of(account: Account, policies: Mapping[str, Policy]) -> Policy | None:
    """The policy an account goes by; None when there is none for it."""
    return policies.get(account.policy or DEFAULT_POLICY)
