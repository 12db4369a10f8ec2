"""What ends of messages teach the rules: which numbers nothing arrives at."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.core.report import Report
from gateway.store.base import Final, Membership, Reach, Settled
from routing.policy.caps import failures_window, suppressed_set
from routing.policy.screen import Screen


class Endings:
    """See the module. `report` takes outcomes to settle. Accounts without such rules cost a look into a table."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.on_memberships: Callable[[Sequence[Membership]], None] = lambda _: None
        """Told which numbers joined or left a list by what became of their messages."""
        self._report = report
        self._suppressing: dict[str, Screen] = {}

    def configure(self, screens: Mapping[str, Screen]) -> None:
        """Take over who has which rules."""
        self._suppressing = {name: rules for name, rules in screens.items() if rules.suppression is not None}

    def note(self, settled: Settled) -> None:
        """What a step of the store brought about."""
        if self._suppressing and settled.finals and (reached := list(self._reached(settled.finals))):
            self._report(Report([*reached]))
        if settled.memberships:
            self.on_memberships(settled.memberships)

    def _reached(self, finals: Sequence[Final]) -> Iterator[Reach]:
        """Numbers that failed, and those that did not."""
        for final in finals:
            message, receipt = final.message, final.receipt
            rules = self._suppressing.get(message.account)
            if rules is None or rules.suppression is None:
                continue
            rule, account, number = rules.suppression, message.account, message.destination
            failed = rule.failed(message) if receipt is None else rule.failed(message, receipt.state, receipt.err)
            if failed is not None:
                yield Reach(suppressed_set(account), number, failures_window(rule, account, number), failed)
