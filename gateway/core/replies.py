"""Opting out by reply: a subscriber's word puts the number on the account's list, in the step that stores the message.

Whose reply it is, is known by then (`addressees.py`). A confirmation, where configured, goes out as a notification of the
account, once for each change.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from gateway import log
from gateway.clock import Clock
from gateway.core.audit import Audit
from gateway.core.long_texts import Text
from gateway.store.base import Membership, Outcome
from protocol.address import TON_INTERNATIONAL
from routing.guards import Guard, Member
from routing.policy.caps import optout_set
from routing.policy.numbers import subscriber_number
from routing.policy.screen import Screen

HEARD_MAX = 10_000
HEARD_S = 60.0


class Wanted(NamedTuple):
    """Somebody wants no more, or again."""

    out: bool
    number: str
    confirmation: str


class Lists(Protocol):
    """The store, as far as it keeps who is on which list."""

    async def would_pass(self, guards: Sequence[Guard]) -> list[tuple[Guard, bool]]:
        """For each guard whether it would let pass now."""


class Replies:
    """See the module. `screens` are the rules of accounts as they are now; `is_out` says it of those that were looked up;
    `confirm(account, to, source, text)` sends.
    """

    def __init__(
        self,
        clock: Clock,
        lists: Lists,
        screens: Callable[[], dict[str, Screen]],
        is_out: Callable[[str, str], bool],
        confirm: Callable[[str, str, str, str], None],
        audit: Audit,
    ) -> None:
        self._clock = clock
        self._lists = lists
        self._screens = screens
        self._is_out = is_out
        self._confirm = confirm
        self._audit = audit
        self._heard: dict[tuple[str, str], tuple[bool, float]] = {}
        """What replies asked for just now, and when: lists know it only when the reply is stored."""
        self._log = log.logger()

    def _wanted(self, account: str, subscriber: str, text: str, ton: int) -> Wanted | None:
        rules = self._screens().get(account)
        if rules is None or rules.replies is None:
            return None
        wish = rules.replies.wish(text)
        if not wish:
            return None
        is_international = ton == TON_INTERNATIONAL or subscriber.startswith("+")
        number = subscriber_number(subscriber, rules.home_code, is_international=is_international)
        return Wanted(wish == "stop", number, rules.replies.confirmation) if number else None

    async def prepare(self, texts: Sequence[Text]) -> None:
        """Have it looked up who is on a list already, for lists may be longer than memory: else they hear it twice."""
        members: list[Guard] = []
        for text in texts:
            notice = text.notice
            wanted = self._wanted(notice.account, notice.source, text.said, notice.source_ton) if text.said else None
            if wanted is not None and wanted.confirmation:
                members.append(Member(optout_set(notice.account), wanted.number))
        if members:
            await self._lists.would_pass(members)

    def hear(self, account: str, subscriber: str, destination: str, text: str, ton: int = 0) -> Sequence[Outcome]:
        """What the reply changes."""
        wanted = self._wanted(account, subscriber, text, ton)
        if wanted is None:
            return ()
        out, number = wanted.out, wanted.number
        name = optout_set(account)
        was_out = self._is_out_now(name, number, out)
        if out and not was_out and wanted.confirmation:
            self._confirm(account, f"+{number}", destination, wanted.confirmation)
        self._audit.note("opted out" if out else "opted in", by="reply", account=account, number=number, word=text.strip()[:40])
        self._log.info("opted out by reply" if out else "opted in by reply", account=account, number=log.mask(number))
        return (Membership(name, number, out),)

    def _is_out_now(self, name: str, number: str, out: bool) -> bool:
        """Whether somebody has opted out already who says it (again) now."""
        utc = self._clock.utc()
        before = self._heard.pop((name, number), None)
        self._heard[name, number] = out, utc
        if len(self._heard) > HEARD_MAX:
            del self._heard[next(iter(self._heard))]
        return before[0] if before is not None and utc - before[1] < HEARD_S else self._is_out(name, number)
