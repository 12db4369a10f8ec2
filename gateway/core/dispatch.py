"""Messages that may go, by class, until a lane has room for them: codes first, then whatever room is left, oldest first.

What finds no channel stands aside by route, so that a dead channel holds up nobody else. Nobody waits for dispatch: its
queues are bounded by the store's working set.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import trio

from config.schema import CLASSES
from gateway.clock import Clock
from gateway.core.lane import Lane
from gateway.core.mailbox import Signal
from gateway.store.base import Finish, Outcome
from routing.plan import WAIT, Health, plan, waits_for
from routing.records import Message, MessageState
from routing.routes import RouteTable

PINS_MAX = 10_000
SCAN_MAX = 2_000
"""Messages planned in one go: planning must not hold up the loop."""
RETRY_S = 1.0
NO_ROUTE = "no route, for such a message at this hour"


class Dispatch:
    """See the module. `may_send` is asked before anything leaves; `end` takes messages that no channel is left for."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        routes: RouteTable,
        clock: Clock,
        may_send: Callable[[], bool],
        end: Callable[[list[Outcome]], None],
    ) -> None:
        self.routes = routes
        self._lanes = lanes
        self._clock = clock
        self._may_send = may_send
        self._end = end
        self._ready: dict[str, deque[Message]] = {name: deque() for name in CLASSES}
        self._aside: dict[str, dict[tuple[str, ...], deque[Message]]] = {name: {} for name in CLASSES}
        self._planned: set[str] = set()
        self._again = Signal()
        self._late: list[Message] = []
        self._pins: OrderedDict[str, str] = OrderedDict()
        self._weights: dict[str, int] = {}

    def configure(self, routes: RouteTable) -> None:
        """Take over routes."""
        self.routes = routes
        routes.weigh(self._weights)
        self.plan_anew()

    def weigh(self, channel: str, weight: int | None) -> None:
        """A channel's weight in all routes, set by hand; None: what the routes say."""
        self._weights.pop(channel, None)
        if weight is not None:
            self._weights[channel] = weight
        self.routes.weigh(self._weights)

    def weight(self, channel: str) -> int | None:
        """What was set by hand."""
        return self._weights.get(channel)

    def plan_anew(self) -> None:
        """What stands aside is looked at again: its route, or which channels of it can be used, is another now."""
        for class_, aside in self._aside.items():
            for queue in reversed(aside.values()):
                self._ready[class_].extendleft(reversed(queue))
            aside.clear()
        self.look_again()

    async def run(self) -> None:
        """Plan whenever there is something to plan, until cancelled."""
        while True:
            with trio.move_on_after(RETRY_S):
                await self._again.wait()
            self.plan_ready()

    # -- in

    def add(self, messages: Iterable[Message]) -> None:
        """Messages that may go now."""
        for message in messages:
            self._ready[message.class_].append(message)
        self._again.set()

    def put_back(self, messages: Sequence[Message]) -> None:
        """Messages a lane could not begin: first in line again. A group of which nothing has begun is free to go elsewhere."""
        groups = Counter(message.part_of for message in messages if message.part_of is not None)
        whole = Counter(part.key for part in groups)
        for part in groups:
            if whole[part.key] == part.total:
                self._pins.pop(part.key, None)
        for message in reversed(messages):
            self._ready[message.class_].appendleft(message)
        self._again.set()

    def look_again(self) -> None:
        """A lane has room again, came up or went down."""
        if self._lanes:
            self._again.set()

    def unpin(self, group: str) -> None:
        """References are few and come again: an earlier group's channel is not this one's."""
        self._pins.pop(group, None)

    # -- out

    def plan_ready(self) -> None:
        """Codes first: they see room that others do not."""
        if not self._may_send():
            return
        if self.routes.look(self._clock.utc()):
            self.plan_anew()
        self._planned.clear()
        for class_ in CLASSES:
            health = {name: lane.health(class_) for name, lane in self._lanes.items()}
            for names, queue in list(self._aside[class_].items()):
                self._plan_queue(class_, queue, health, names)
                if not queue:
                    del self._aside[class_][names]
            self._plan_queue(class_, self._ready[class_], health, tuple(health))
        for name in self._planned:
            self._lanes[name].wake()
        while len(self._pins) > PINS_MAX:
            self._pins.popitem(last=False)

    def _plan_queue(self, class_: str, queue: deque[Message], health: dict[str, Health], names: tuple[str, ...]) -> None:
        """Plan from the head of `queue` while the channels in `names` have room; what must wait stands aside by route."""
        ended: list[Outcome] = []
        waiting = len(queue)
        unseen = min(waiting, SCAN_MAX)
        while (room := sum(health[name].room for name in names if health[name].up)) > 0:
            if not unseen:
                if waiting > SCAN_MAX:
                    self._again.set()  # the rest after the others had their turn
                break
            batch = [queue.popleft() for _ in range(min(unseen, room))]
            unseen -= len(batch)
            batch = [one for one in batch if not one.window_end_utc or self._in_window(one)]
            for message, name in zip(batch, plan(batch, self.routes, health, self._pins), strict=True):
                if name is None:
                    reason = "every channel of its route refused it" if message.tried else NO_ROUTE
                    ended.append(Finish(message.id, MessageState.REJECTED, reason))
                elif name == WAIT:
                    self._stand_aside(class_, message, health)
                else:
                    self._lanes[name].enqueue(message)
                    self._planned.add(name)
        if ended:
            self._end(ended)

    def _in_window(self, message: Message) -> bool:
        """Whether its send window is still open; else it waits for the next one."""
        if self._clock.utc() < message.window_end_utc:
            return True
        self._late.append(message)
        return False

    def _stand_aside(self, class_: str, message: Message, health: dict[str, Health]) -> None:
        """Wait for the channels of its route without holding up messages of other routes."""
        names = waits_for(message, self.routes, health, self._pins)
        self._aside[class_].setdefault(names, deque()).append(message)

    def take_late(self) -> list[Message]:
        """Messages whose send window closed before they left."""
        late, self._late = self._late, []
        return late

    def would_choose(self, message: Message) -> str | None:
        """The channel that a message would be planned onto now, see `plan`; nothing is kept of the choice but its `why`."""
        health = {name: lane.health(message.class_) for name, lane in self._lanes.items()}
        if self.routes.look(self._clock.utc()):
            self.plan_anew()
        return plan([message], self.routes, health, {})[0]

    # -- for monitoring

    def ready(self, class_: str) -> int:
        """Messages of a class that have not been looked at, or whose lanes were full."""
        return len(self._ready[class_])

    def waiting(self) -> dict[str, int]:
        """Messages ready or waiting for a channel, by class."""
        return {name: len(self._ready[name]) + sum(map(len, self._aside[name].values())) for name in CLASSES}

    def oldest_s(self) -> dict[str, float]:
        """How long the first of these has waited since it was due, by class; 0 without any."""
        utc = self._clock.utc()
        found: dict[str, float] = {}
        for name in CLASSES:
            heads = [queue[0] for queue in (self._ready[name], *self._aside[name].values()) if queue]
            found[name] = max(0.0, max((utc - max(one.arrival_utc, one.due_utc) for one in heads), default=0.0))
        return found

    def could_leave(self) -> int:
        """Of these the ones with a channel that is up."""
        up = {name for name, lane in self._lanes.items() if lane.up}
        aside = [len(queue) for queues in self._aside.values() for names, queue in queues.items() if up.intersection(names)]
        return sum(aside) + (sum(map(len, self._ready.values())) if up else 0)
