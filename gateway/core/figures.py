"""What the gateway counts about messages as they come and end: sums, the ten seconds, and how well channels deliver."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.clock import Clock
from gateway.core.lane import Lane
from gateway.store.base import Final
from routing.records import Message, MessageState
from routing.sla import SlaBook
from routing.slawindows import SlaWindows


class Figures:
    """See the module. All counts since the start, but for the windows."""

    def __init__(self, lanes: Mapping[str, Lane], clock: Clock) -> None:
        self.sla = SlaBook()
        self.windows = SlaWindows()
        self.refused: Counter[tuple[str, str]] = Counter()
        """By class and reason."""
        self.delivered: Counter[str] = Counter()
        """By account."""
        self._lanes = lanes
        self._clock = clock

    def due(self, messages: Sequence[Message]) -> None:
        """They are to arrive within ten seconds from now on."""
        now = self._clock.now()
        for class_, count in Counter([message.class_ for message in messages]).items():
            self.windows.of(class_).due(count, now)

    def ended(self, finals: Sequence[Final]) -> None:
        """What messages' ends say of their classes and channels. Those that we ended ourselves say nothing of channels."""
        add = self.sla.add
        now = self._clock.now()
        lanes, of_class = self._lanes, self.windows.of
        for final in finals:
            message, lane = final.message, lanes.get(final.channel)
            add(message.class_, final.channel, final.since_due, final.since_written, correction=final.correction)
            if final.since_due is not None:
                of_class(message.class_).delivered(final.since_due, now)
            if final.since_written is not None:
                self.delivered[message.account] += 1
                if lane is not None:
                    lane.quality.of(message.class_, message.network).delivered(final.since_written, now)
            elif lane is not None and message.state is MessageState.UNDELIVERED:
                lane.quality.of(message.class_, message.network).failed(now)
