"""What an account's codes look like together (AIT: traffic made up to earn from it).

These rules remember more than one message, in memory. A screen asks them last, so that only what the others let pass counts.
"""

from collections.abc import Sequence

from config.policy import Policy, Velocity
from routing.policy.runs import Runs
from routing.policy.verdict import Refusal
from routing.records import Message

RUN = Refusal("velocity", "velocity.run_limit", "codes to numbers that follow each other")


class Watch:
    """One account's."""

    def __init__(self, rule: Velocity) -> None:
        self._runs = Runs(rule.run_limit, rule.period_s)
        self.configure(rule)

    def configure(self, rule: Velocity) -> None:
        """Go by changed limits; what was counted still counts."""
        self._classes = frozenset(rule.classes)
        self._safe = tuple(rule.safe)
        self._has_runs = rule.run_limit > 0
        self._runs.limit, self._runs.period_s = rule.run_limit, rule.period_s

    def watches(self, message: Message) -> bool:
        """Whether it is one of those that count. Of parts that the sender cut the first does for all."""
        if message.class_ not in self._classes or (message.part_of is not None and message.part_of.seq != 1):
            return False
        return not (self._safe and message.destination.startswith(self._safe))

    def check(self, message: Message, utc: float) -> Refusal | None:
        """Why it may not be sent; None: it may, and counts."""
        if self.watches(message) and self._has_runs and not self._runs.take(message.destination, utc):
            return RUN
        return None

    def ask(self, message: Message, utc: float) -> Sequence[tuple[str, Refusal | None]]:
        """Each rule's name and what it would say; nothing counts."""
        if not self.watches(message) or not self._has_runs:
            return ()
        return ((RUN.rule, None if self._runs.fits(message.destination, utc) else RUN),)


class Watches:
    """Those of all accounts; a new configuration finds them as they were."""

    def __init__(self) -> None:
        self._by_account: dict[str, Watch] = {}

    def of(self, account: str, policy: Policy | None) -> Watch | None:
        """An account's; None where nothing is to be watched."""
        if policy is None or not policy.velocity.run_limit:
            self._by_account.pop(account, None)
            return None
        watch = self._by_account.get(account)
        if watch is None:
            watch = self._by_account[account] = Watch(policy.velocity)
        watch.configure(policy.velocity)
        return watch
