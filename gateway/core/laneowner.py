"""What a lane asks of the pipeline."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.core.report import Report
from gateway.store.base import Begun
from routing.records import Attempt, Message


class LaneOwner(Protocol):
    """The pipeline, as a lane sees it."""

    async def begin(self, attempts: Sequence[Attempt]) -> Begun:
        """Store attempts as sending; see Store.begin."""

    def report(self, report: Report) -> None:
        """Outcomes to settle."""

    async def settled(self) -> None:
        """Wait until all that was reported so far is decided."""

    def requeue(self, messages: Sequence[Message]) -> None:
        """Messages that were planned onto a lane but not begun go back."""

    @property
    def priced(self) -> bool:
        """Whether any channel of a route costs anything."""

    def cost(self, message: Message, channel: str) -> int:
        """What one submit_sm of a message costs there, in micro-units."""

    def lane_changed(self) -> None:
        """A lane has room again: plan again."""

    def lane_turned(self) -> None:
        """A lane can be used again, or no longer: look anew at everything that waits for a channel."""

    def attempts_max(self, message: Message) -> int:
        """How many charged attempts a message has."""

    def alternatives(self, message: Message, channel: str) -> bool:
        """Whether another channel of its route is left for it."""

    def code_written(self, message: Message, number: int, channel: str) -> None:
        """The last part of an attempt of a code has gone to the carrier."""

    def written(self, channel: str, alike: Mapping[tuple[str, str, str], int], begun: float) -> None:
        """So many attempts have, by class, network and account."""

    def not_written(self, channel: str, message: Message, begun: float) -> None:
        """An attempt of these was refused."""
