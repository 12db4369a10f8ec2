"""Codes that have no receipt yet although their channel is usually faster, or one that says "not now": once more, by another
channel.

A person is waiting for the code, and a second one costs a message. How many is bounded by a share of all codes, so that a
carrier that loses its receipts cannot double the bill.
"""

from collections import deque
from collections.abc import Callable, Iterator

from routing.records import Message, MessageState

FREE = 5
"""Second tries that are allowed before a share of what was sent means anything."""
USUALLY = 0.9
"""Of its receipts a channel must have had by then, for the lack of one to mean anything."""


class SecondTries:
    """`after_s`: when a code is missed, counted from its write; 0: never. `share_max`: of all codes."""

    def __init__(self, after_s: float, share_max: float) -> None:
        self.after_s = after_s
        self.share_max = share_max
        self.sent = 0
        self.tried_again = 0
        self._waiting: deque[tuple[float, Message, int, str]] = deque()

    def written(self, message: Message, number: int, channel: str, now: float) -> None:
        """Attempt `number` of a code has gone to `channel`."""
        self.sent += 1
        if self.after_s:
            self._waiting.append((now, message, number, channel))

    def take(self) -> bool:
        """Whether one more is within the share; then it is counted."""
        if not self.after_s or self.tried_again >= FREE + self.share_max * self.sent:
            return False
        self.tried_again += 1
        return True

    def due(
        self, now: float, share_by: Callable[[str, float], float], elsewhere: Callable[[Message, str], bool]
    ) -> Iterator[tuple[int, int]]:
        """(message id, attempt) of those to be tried again. `share_by`: which part of a channel's receipts has come after so
        many seconds; `elsewhere`: whether another channel is left for a message.
        """
        while self._waiting and self._waiting[0][0] <= now - self.after_s:
            _, message, number, channel = self._waiting.popleft()
            missed = (
                message.state is MessageState.IN_FLIGHT
                and message.tries == number
                and not message.possible_duplicate
                and share_by(channel, self.after_s) >= USUALLY
                and elsewhere(message, channel)
            )
            if missed and self.take():
                yield message.id, number
