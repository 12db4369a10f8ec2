"""Which ends of messages say that a number is dead, and which that it is not."""

from config.policy import Suppression
from config.schema import MessageClass
from protocol.receipt import MessageState as CarrierState
from routing.records import Message, MessageState

DAY_S = 86_400.0
FOR_GOOD = frozenset({CarrierState.UNDELIVERABLE, CarrierState.REJECTED, CarrierState.DELETED})
"""What a receipt says that is about the number. One that expired may be a phone that was off."""


class SuppressionRule:
    """The rule, compiled. A message that failed for good is a failure of its number, one that arrived ends the count."""

    def __init__(self, rule: Suppression) -> None:
        self.failures = rule.failures
        self.period_s = rule.period_days * DAY_S
        self._classes = frozenset(rule.classes)

    def applies(self, class_: MessageClass) -> bool:
        """Whether such messages count, and are refused."""
        return self.failures > 0 and (not self._classes or class_ in self._classes)

    def failed(self, message: Message, said: CarrierState | None = None, *, temporary: bool = False) -> bool | None:
        """Whether the number failed; None: its end says nothing. `said` is the last receipt's, None where none ended it, and
        `temporary` whether its error was. Of parts that the sender cut the first counts for all.
        """
        if message.state is MessageState.DELIVERED:
            return False
        if said not in FOR_GOOD or not self.applies(message.class_):
            return None
        if message.part_of is not None and message.part_of.seq != 1:
            return None
        return None if temporary else True
