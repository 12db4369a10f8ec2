"""Queued messages: so many are handed out to be sent, the others wait, in memory or in the vault, until there is room.

Within a class the order is kept: once one waits, all that come after it wait. Codes wait for no other class: they may go a
tenth beyond the limit, and only when so many have gathered do they wait for each other.
"""

from collections import Counter
from collections.abc import Iterable

from config.schema import CLASSES, MessageClass
from gateway.store.fetch import Found, Wanted, queue_prefix
from gateway.store.vault import LAST, Vault
from routing.records import Message

BEYOND = 10
"""Codes may be handed out beyond the limit by such a part of it."""
RANK: dict[MessageClass, int] = {name: rank for rank, name in enumerate(CLASSES)}


class WorkingSet:
    """See the module. `waiting` counts those that were not handed out; of these the set holds those in memory."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.waiting: Counter[MessageClass] = Counter()
        self._here: dict[int, MessageClass] = {}
        self._end: dict[MessageClass, str] = {}

    def __len__(self) -> int:
        return len(self._here)

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._here

    def ready(self, messages: Iterable[Message], queued: int) -> list[Message]:
        """Those of newly queued `messages` that are handed out. `queued`: all that are queued now, these included."""
        out: list[Message] = []
        new = [message for message in messages if message.id not in self._here]
        handed_out = queued - self.waiting.total() - len(new)
        for message in new:
            class_ = message.class_
            if handed_out >= self.limit(class_) or self.waiting.get(class_):
                self._here[message.id] = class_
                self.waiting[class_] += 1
            else:
                out.append(message)
                handed_out += 1
        return out

    def limit(self, class_: MessageClass) -> int:
        """How many may be handed out, of all classes, for one more of this class to wait."""
        return self.size_max + (self.size_max // BEYOND if class_ == "verification" else 0)

    def missing(self, class_: MessageClass, limit: int) -> Wanted | None:
        """The next ones of a class in the vault."""
        if self.waiting[class_] <= 0:
            return None
        return Wanted(queue=(RANK[class_], self._end.get(class_, ""), limit))

    def page_in(self, class_: MessageClass, limit: int, found: Found | None) -> list[int]:
        """Ids to be handed out now, oldest first. `found`: what `missing` brought."""
        numbers = list(found.queued) if found is not None else []
        if len(numbers) < limit:
            known = set(numbers)
            mine = sorted(number for number, one in self._here.items() if one == class_ and number not in known)
            numbers += mine[: limit - len(numbers)]
        if found is not None:
            self._end[class_] = found.queue_end  # empty at the end: then from the start again, for what was folded late
        return [number for number in numbers if self.left(number)]

    def came_in(self, message: Message) -> None:
        """A queued message was read from the vault, for whatever reason."""
        self._here[message.id] = message.class_

    def went_out(self, message_id: int) -> None:
        """It left memory; the vault has it."""
        self._here.pop(message_id, None)

    def left(self, message_id: int) -> bool:
        """It does not wait any more: handed out, ended, or taken back. Gives whether it waited here."""
        class_ = self._here.pop(message_id, None)
        if class_ is None:
            return False
        self.waiting[class_] -= 1
        return True

    def count(self, vault: Vault, here: Counter[MessageClass]) -> None:
        """After a start: how many are in the vault, without those whose records are `here` in memory."""
        for class_, rank in RANK.items():
            self.waiting[class_] = vault.count("queue", queue_prefix(rank), queue_prefix(rank) + LAST) - here[class_]
