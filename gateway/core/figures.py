"""What the gateway counts about messages as they come, leave and end: sums, the ten seconds, and how well channels deliver."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.clock import Clock
from gateway.core.lane import Lane
from gateway.store.base import Final
from routing.histogram import EDGES_S
from routing.operators import network_of
from routing.records import Message, MessageState
from routing.sla import SlaBook
from routing.slacells import NEAR_S, Cells, Key
from routing.slawatch import Turn, Watches


class Figures:
    """See the module. All counts since the start, but for the windows."""

    def __init__(self, lanes: Mapping[str, Lane], clock: Clock) -> None:
        self.sla = SlaBook()
        self.user = Cells()
        self.channel = Cells()
        """The ten seconds on the user's clock, and on the channels' (see `routing/slawindows.py`)."""
        self.watches = Watches()
        self.refused: Counter[tuple[str, str]] = Counter()
        """By class and reason."""
        self.delivered: Counter[str] = Counter()
        """By account."""
        self.latencies: Counter[tuple[str, int]] = Counter()
        """Deliveries on the user's clock, by class and place (see `routing/histogram.py`)."""
        self.seconds: dict[str, float] = {}
        """What they took together, by class."""
        self._lanes = lanes
        self._clock = clock

    def due(self, messages: Sequence[Message]) -> None:
        """They are to arrive within ten seconds of when they came, or were due."""
        now, utc, boot = self._clock.now(), self._clock.utc(), self._clock.boot
        self.user.begin(
            Counter(
                [
                    (
                        one.class_,
                        network_of(one),
                        one.account,
                        "",
                        int(
                            one.arrival // NEAR_S
                            if one.due_utc <= one.arrival_utc and one.boot == boot
                            else (now - utc + max(one.due_utc, one.arrival_utc)) // NEAR_S
                        ),
                    )
                    for one in messages
                ]
            )
        )

    def written(self, channel: str, alike: Mapping[tuple[str, str, str], int], begun: float) -> None:
        """Attempts a carrier has been given, by class, network and account."""
        number = int(begun // NEAR_S)
        self.channel.begin({(*key, channel, number): count for key, count in alike.items()})

    def not_written(self, channel: str, message: Message, begun: float) -> None:
        """The carrier refused an attempt: nobody waits for its receipt."""
        self.channel.take_back(Key(message.class_, network_of(message), message.account, channel), int(begun // NEAR_S))

    def ended(self, finals: Sequence[Final]) -> None:
        """What messages' ends say of their classes and channels. Those that we ended ourselves say nothing of channels."""
        now = self._clock.now()
        lanes, seconds = self._lanes, self.seconds
        places: list[tuple[str, int]] = []
        accounts: list[str] = []
        for final in finals:
            message, lane = final.message, lanes.get(final.channel)
            class_, network = message.class_, network_of(message)
            since_due, since_written = final.since_due, final.since_written
            tally = self.sla.of(class_, final.channel)
            if not final.correction:  # it was counted before
                tally.final += 1
            at = now if final.receipt is None else final.receipt.at
            if since_due is not None:
                place = bisect_left(EDGES_S, since_due)
                places.append((class_, place))
                seconds[class_] = seconds.get(class_, 0.0) + since_due
                tally.deliver(since_due, since_written)
                self.user.delivered((class_, network, message.account, ""), int((at - since_due) // NEAR_S), place)
            if since_written is not None:
                accounts.append(message.account)
                number = int((at - since_written) // NEAR_S)
                key = (class_, network, message.account, final.channel)
                self.channel.delivered(key, number, bisect_left(EDGES_S, since_written))
                if lane is not None:
                    lane.quality.of(class_, network).delivered(since_written, now)
            elif lane is not None and message.state is MessageState.UNDELIVERED:
                lane.quality.of(class_, network).failed(now)
        self.latencies.update(places)
        self.delivered.update(accounts)

    def look(self) -> list[Turn]:
        """Breaches and recoveries, once a minute."""
        return self.watches.look(self.user, self.channel, self._clock.now())
