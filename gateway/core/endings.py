"""What ends of messages teach the rules: which numbers nothing arrives at, and which codes came to somebody."""

from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.core.report import Report
from gateway.store.base import Final, Membership, Outcome, Reach, Settled
from routing.policy.caps import failures_window, suppressed_set
from routing.policy.screen import Screen
from routing.policy.watch import Watches
from routing.records import MessageState

CAME = frozenset({MessageState.DELIVERED, MessageState.UNKNOWN})
"""Ends of codes that were received, or may have been."""


class Endings:
    """See the module. `report` takes outcomes to settle. Where no account has such rules nothing is looked at."""

    def __init__(self, clock: Clock, report: Callable[[Report], None]) -> None:
        self.watches = Watches()
        self.on_memberships: Callable[[Sequence[Membership]], None] = lambda _: None
        """Told which numbers joined or left a list by what became of their messages."""
        self._clock = clock
        self._report = report
        self._suppressing: dict[str, Screen] = {}

    def configure(self, screens: dict[str, Screen]) -> None:
        """Take over who has which rules."""
        self._suppressing = {name: rules for name, rules in screens.items() if rules.suppression is not None}

    def note(self, settled: Settled) -> None:
        """What a step of the store brought about."""
        if settled.finals and self.watches.by_account:
            self._note_codes(settled.finals)
        if settled.finals and self._suppressing and (reached := self._reached(settled.finals)):
            self._report(Report(reached))
        if settled.memberships:
            self.on_memberships(settled.memberships)

    def look(self, alert: Callable[..., None]) -> None:
        """Tell of prefixes whose codes are not used, or are again."""
        if self.watches.by_account:
            for account, action, turn in self.watches.turns(self._clock.utc()):
                what = "codes are not used" if turn.low else "codes are used again"
                alert(what, account=account, action=action, prefix=turn.prefix, codes=turn.codes, used=turn.used)

    def _note_codes(self, finals: Sequence[Final]) -> None:
        utc, watches = self._clock.utc(), self.watches.by_account
        for final in finals:
            message = final.message
            if (watch := watches.get(message.account)) is not None and message.state in CAME and not final.correction:
                watch.sent(message, utc)

    def _reached(self, finals: Sequence[Final]) -> list[Outcome]:
        """Numbers that failed, and those that did not."""
        found: list[Outcome] = []
        for final in finals:
            message, receipt = final.message, final.receipt
            rules = self._suppressing.get(message.account)
            if rules is None or rules.suppression is None:
                continue
            rule, account, number = rules.suppression, message.account, message.destination
            said = None if receipt is None else receipt.state
            failed = rule.failed(message, said, temporary=receipt is not None and receipt.temporary)
            if failed is not None:
                found.append(Reach(suppressed_set(account), number, failures_window(rule, account), failed))
        return found
