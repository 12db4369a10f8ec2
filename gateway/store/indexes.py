"""How the records in memory are found: by carrier's id, by place when they need evidence, by alias, by the time they come
due.
"""

import heapq
from collections.abc import Callable
from enum import IntEnum

from gateway.store.evidence import Unidentified
from gateway.store.record import Record, needs_evidence
from routing.records import Attempt, Message, MessageState

ENTRIES_PER_RECORD = 4
ENTRIES_SPARE = 10_000


class Due(IntEnum):
    """What time brings to a record; for NOTICE the id is a notice's."""

    RESEND = 0
    RELEASE = 1
    EXPIRE = 2
    CLOSE = 3
    NOTICE = 4


class Indexes:
    """See the module. `add` and `drop` take a record in and out of all of them."""

    def __init__(self) -> None:
        self.by_carrier: dict[tuple[str, str], tuple[Record, Attempt]] = {}
        self.unidentified = Unidentified()
        self.aliases: dict[tuple[str, str], list[int]] = {}
        self.due: list[tuple[float, Due, int]] = []

    def add(self, record: Record) -> None:
        """A record that comes from elsewhere, with all it has been through."""
        self.add_alias(record.message)
        for attempt in record.attempts:
            if attempt.carrier_id:
                self.by_carrier[attempt.channel, attempt.carrier_id] = record, attempt
            if needs_evidence(attempt):
                self.unidentified.add(attempt, record)

    def add_alias(self, message: Message) -> None:
        """A message that goes by another id than its own can be found by it."""
        if message.public_id != str(message.id):
            self.aliases.setdefault((message.account, message.public_id), []).append(message.id)

    def drop(self, record: Record) -> None:
        """A record that is not in memory any more."""
        message = record.message
        for attempt in record.attempts:
            place = attempt.channel, attempt.carrier_id
            known = self.by_carrier.get(place)
            if known is not None and known[1] is attempt:
                del self.by_carrier[place]
            self.unidentified.discard(attempt, message.destination)
        alias = self.aliases.get((message.account, message.public_id))
        if alias is not None and message.id in alias:
            alias.remove(message.id)
            if not alias:
                del self.aliases[message.account, message.public_id]

    # -- time

    def at(self, utc: float, kind: Due, number: int) -> None:
        """Remember to look at it then."""
        heapq.heappush(self.due, (utc, kind, number))

    def next_due(self, utc: float) -> tuple[Due, int] | None:
        """What has come due, removed; None when nothing has."""
        if not self.due or self.due[0][0] > utc:
            return None
        return heapq.heappop(self.due)[1:]

    def tidy(self, expected: int, matters: Callable[[Due, int], bool]) -> None:
        """Most of what comes due in a day is long delivered: keep only what may still matter, now and then."""
        if len(self.due) > expected + ENTRIES_SPARE:
            self.due = [one for one in self.due if matters(one[1], one[2])]
            heapq.heapify(self.due)


def due_of(record: Record) -> list[tuple[float, Due]]:
    """When time will change a record that comes from elsewhere."""
    message = record.message
    if message.state is MessageState.SCHEDULED:
        return [(message.not_before_utc, Due.RELEASE), (message.expires_utc, Due.EXPIRE)]
    if message.state.final:
        return []
    resends = [(one.resend_utc, Due.RESEND) for one in record.attempts if one.resend_utc and one.key.number == message.tries]
    return [*resends, (message.expires_utc, Due.EXPIRE)]
