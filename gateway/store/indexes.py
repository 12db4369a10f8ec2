"""How the records in memory are found: by carrier's id, by place when they need evidence, by alias, by the time they come
due.
"""

from gateway.store.agenda import Agenda, Due
from gateway.store.evidence import Unidentified
from gateway.store.record import Record
from gateway.store.states import FINAL, SCHEDULED
from gateway.store.traits import CORRELATION_S, needs_evidence, settled
from routing.records import Attempt, Message


class Indexes:
    """See the module. `add` and `drop` take a record in and out of all of them."""

    def __init__(self) -> None:
        self.by_carrier: dict[tuple[str, str], tuple[Record, Attempt]] = {}
        self.unidentified = Unidentified()
        self.aliases: dict[tuple[str, str], list[int]] = {}
        self.agenda = Agenda()

    def add(self, record: Record) -> None:
        """A record that comes from elsewhere, with all it has been through."""
        message = record.message
        self.add_alias(message)
        for at, kind in due_of(record):
            self.agenda.add(at, kind, message.id)
        for attempt in record.attempts:
            if attempt.carrier_id:
                self.by_carrier[attempt.channel, attempt.carrier_id] = record, attempt
            if needs_evidence(attempt):
                self.unidentified.add(attempt, record)

    def add_alias(self, message: Message) -> None:
        """A message that goes by another id than its own can be found by it."""
        if message.public_id != str(message.id):
            self.aliases.setdefault((message.account, message.public_id), []).append(message.id)

    def has_alias(self, message: Message) -> bool:
        """Whether it can be found by another id than its own."""
        return bool(self.aliases) and (message.account, message.public_id) in self.aliases

    def drop(self, record: Record) -> list[tuple[str, str]]:
        """A record that is not in memory any more. Gives the channels and carriers' ids it was known by."""
        message = record.message
        places = []
        if not settled(message):
            for at, kind in due_of(record):
                self.agenda.drop(at, kind, message.id)
        for attempt in record.attempts:
            place = attempt.channel, attempt.carrier_id
            known = self.by_carrier.get(place)
            if known is not None and known[1] is attempt:
                del self.by_carrier[place]
                places.append(place)
            self.unidentified.discard(attempt, message.destination)
        if self.aliases:
            self._drop_alias(message)
        return places

    def _drop_alias(self, message: Message) -> None:
        alias = self.aliases.get((message.account, message.public_id))
        if alias is not None and message.id in alias:
            alias.remove(message.id)
            if not alias:
                del self.aliases[message.account, message.public_id]


def due_of(record: Record) -> list[tuple[float, Due]]:
    """When time will change a record."""
    message = record.message
    if message.state in FINAL:
        return [] if settled(message) else [(message.expires_utc + CORRELATION_S, Due.CLOSE)]
    if message.state is SCHEDULED:
        return [(message.not_before_utc, Due.RELEASE), (message.expires_utc, Due.EXPIRE)]
    if not record.attempts:
        return [(message.expires_utc, Due.EXPIRE)]
    resends = [(one.resend_utc, Due.RESEND) for one in record.attempts if one.resend_utc and one.key.number == message.tries]
    return [*resends, (message.expires_utc, Due.EXPIRE)]
