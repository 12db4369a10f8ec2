"""What an account's codes look like together (AIT: traffic made up to earn from it).

These rules remember more than one message, in memory. A screen asks them last, so that only what the others let pass counts.
"""

from collections.abc import Iterator

from config.policy import Policy, Velocity
from routing.policy.conversion import RULE, Conversions, Turn
from routing.policy.runs import Runs
from routing.policy.verdict import Refusal
from routing.records import Message

RUN = Refusal("velocity", "velocity.run_limit", "codes to numbers that follow each other")


class Watch:
    """One account's."""

    def __init__(self, rule: Velocity) -> None:
        self._runs = Runs(rule.run_limit, rule.period_s)
        self.conversions = Conversions(rule.conversion)
        self.configure(rule)

    def configure(self, rule: Velocity) -> None:
        """Go by changed limits; what was counted still counts."""
        self._classes = frozenset(rule.classes)
        self._safe = tuple(rule.safe)
        self._has_runs = rule.run_limit > 0
        self._runs.limit, self._runs.period_s = rule.run_limit, rule.period_s
        self._has_conversion = rule.conversion.share_min > 0
        self._events = frozenset(rule.conversion.events)
        if rule.conversion.period_s != self.conversions.rule.period_s:
            self.conversions = Conversions(rule.conversion)
        self.conversions.configure(rule.conversion)

    def watches(self, message: Message) -> bool:
        """Whether it is one of those that count. Of parts that the sender cut the first does for all."""
        if message.class_ not in self._classes or (message.part_of is not None and message.part_of.seq != 1):
            return False
        return not (self._safe and message.destination.startswith(self._safe))

    def check(self, message: Message, utc: float) -> Refusal | None:
        """Why it may not be sent; None: it may, and counts."""
        if not self.watches(message):
            return None
        if self._has_runs and not self._runs.take(message.destination, utc):
            return RUN
        return self.conversions.check(message.destination, utc, take=True) if self._has_conversion else None

    def ask(self, message: Message, utc: float) -> Iterator[tuple[str, Refusal | None, str]]:
        """Each rule's name, what it would say, and more in words; nothing counts."""
        if not self.watches(message):
            return
        number = message.destination
        if self._has_runs:
            yield RUN.rule, None if self._runs.fits(number, utc) else RUN, ""
        if self._has_conversion:
            yield RULE, self.conversions.check(number, utc, take=False), self.conversions.told(number, utc)

    def sent(self, message: Message, utc: float) -> None:
        """It came to the recipient, or may have."""
        if self._has_conversion and self.watches(message):
            self.conversions.sent(message.destination, _asked_utc(message), utc)

    def used(self, message: Message, event: str, utc: float) -> None:
        """Somebody tells what a recipient did with it."""
        if self._has_conversion and event in self._events and self.watches(message):
            self.conversions.used(message.id, message.destination, _asked_utc(message), utc)


def _asked_utc(message: Message) -> float:
    """When a code was wanted: it is used soon after, or never."""
    return max(message.due_utc, message.accepted_utc)


class Watches:
    """Those of all accounts; a new configuration finds them as they were."""

    def __init__(self) -> None:
        self.by_account: dict[str, Watch] = {}

    def of(self, account: str, policy: Policy | None) -> Watch | None:
        """An account's; None where nothing is to be watched."""
        if policy is None or not (policy.velocity.run_limit or policy.velocity.conversion.share_min):
            self.by_account.pop(account, None)
            return None
        watch = self.by_account.get(account)
        if watch is None:
            watch = self.by_account[account] = Watch(policy.velocity)
        watch.configure(policy.velocity)
        return watch

    def used(self, message: Message, event: str, utc: float) -> None:
        """Somebody tells what a recipient did with a message."""
        watch = self.by_account.get(message.account)
        if watch is not None:
            watch.used(message, event, utc)

    def turns(self, utc: float) -> Iterator[tuple[str, str, Turn]]:
        """(account, what is done about it, what has changed) since this was asked last."""
        for account, watch in self.by_account.items():
            for turn in watch.conversions.turns(utc):
                yield account, watch.conversions.rule.action, turn

    def low(self) -> list[tuple[str, int]]:
        """How many prefixes have codes that are not used, by account that is watched for it."""
        return [(name, one.conversions.low) for name, one in self.by_account.items() if one.conversions.rule.share_min]
