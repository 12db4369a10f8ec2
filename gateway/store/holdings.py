"""What a store has in memory, and the questions it answers from it. Deciding is the book's (`book.py`)."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from gateway.store import states
from gateway.store.agenda import Due as Coming
from gateway.store.base import CarrierReceipt, Ledger, Marked, Outcome, RequestRecord, Sent
from gateway.store.changes import Changes
from gateway.store.documents import Documents, document_key
from gateway.store.ended import Ended
from gateway.store.evidence import Parked
from gateway.store.guards import GuardBook
from gateway.store.indexes import Indexes
from gateway.store.keys import decimal_id
from gateway.store.nearby import AT_ONCE, prefetch
from gateway.store.record import Record
from gateway.store.requests import Requests
from gateway.store.rollups import Rollups
from gateway.store.sealing import Seals, seal, unseal
from gateway.store.shelf import Shelf, given_up_utc
from gateway.store.traits import share_names
from routing.records import Attempt, Message, MessageState, Notice


class Holdings:
    """See the module. `alone`: nothing else holds what is not here, so what has ended may be forgotten without asking."""

    def __init__(self, *, alone: bool, parked_max: int, receipt_grace_s: float) -> None:
        self.alone = alone
        self.receipt_grace_s = receipt_grace_s
        self.records: dict[int, Record] = {}
        self.seals = Seals()
        self.changes = Changes()
        self.indexes = Indexes()
        self.parked = Parked(parked_max, self.changes)
        self.guards = GuardBook(self.changes, complete=alone)
        self.rollups = Rollups()
        self.shelf = Shelf()
        self.documents = Documents()
        self.requests = Requests(alone=alone)
        self.states = [0] * len(MessageState)
        """How many messages are in each."""
        self.accepted = 0
        self.newest_id = 0
        """Of all that were ever admitted."""
        self.unsure_to = 0
        """Messages with an id up to this one are asked again before they leave. All others were admitted after the last change
        of a list. What comes from the vault is among the former, for nobody knows what changed meanwhile.
        """
        self.dead_letters = 0
        self.ended: OrderedDict[int, None] = OrderedDict()
        """Messages that nothing can change any more, in the order they ended; without those that are sealed."""

    def ask_for(self, outcomes: Sequence[Outcome], begin: int) -> None:
        """The records that the outcomes from `begin` on are about will be read next; they are asked for some at a time."""
        if begin % AT_ONCE:
            return
        records: list[Record] = []
        for outcome in outcomes[begin : begin + AT_ONCE]:
            if type(outcome) is CarrierReceipt:
                place = (outcome.channel, outcome.candidates[0] if outcome.candidates else "")
                known = self.indexes.by_carrier.get(place)
                if known is not None:
                    records.append(known[0])
            elif type(outcome) is Sent:
                record = self.records.get(outcome.key.message_id)
                if record is not None:
                    records.append(record)
        prefetch(records, 0, len(records))

    def load(self, record: Record) -> None:
        """A record that comes from the vault."""
        message = record.message
        if message.id in self.records:
            return
        share_names(message)
        self.unsure_to = max(self.unsure_to, message.id)
        self.records[message.id] = record
        self.indexes.add(record)

    def unload(self, message_id: int) -> Record:
        """The vault has it, or it has long ended."""
        record = self.records.pop(message_id)
        self.indexes.drop(record)
        return record

    def seal(self, record: Record) -> None:
        """It is one piece of octets from now on."""
        message = record.message
        number = message.id
        del self.records[number]
        for place in self.indexes.drop(record):
            self.seals.name(place, message.destination)
        if self.ended:
            self.ended.pop(number, None)
        self.changes.changed.pop(number, None)
        self.seals.held[number] = self.changes.ended[number] = seal(record)

    def hold(self, notice: Notice) -> None:
        """Keep a notice until its sender has it, or its time is over."""
        self.shelf.add(notice)
        self.indexes.agenda.add(given_up_utc(notice), Coming.NOTICE, notice.id)

    def unhold(self, notice_id: int) -> Notice | None:
        """It need not be kept here any more."""
        notice = self.shelf.take(notice_id)
        if notice is not None:
            self.indexes.agenda.drop(given_up_utc(notice), Coming.NOTICE, notice_id)
        return notice

    def remember(self, record: RequestRecord) -> None:
        """Keep what was answered to a request; together with what the step admits."""
        self.requests.add(record)
        self.changes.requests[record.key] = record

    def forget(self, request_keys: Iterable[str]) -> None:
        """The step that answered these was taken back."""
        for key in request_keys:
            self.requests.held.pop(key, None)

    def put_document(self, kind: str, name: str, value: bytes) -> None:
        """Keep a document (JSON); an empty `value` takes it away."""
        key = document_key(kind, name)
        self.documents.put(key, value)
        self.changes.documents.add(key)

    def list_documents(self, kind: str) -> dict[str, bytes]:
        """Documents of a kind by name."""
        return dict(self.documents.of(kind))

    def answers(self, keys: Sequence[str], utc: float) -> dict[str, RequestRecord]:
        """What was answered to those requests that were."""
        found = ((key, self.requests.valid(key, utc)) for key in keys)
        return {key: record for key, record in found if record is not None}

    def count_ends(self) -> None:
        """Bring the rollups up to date, for the next page."""
        self.changes.rollups |= self.rollups.gather()

    # -- questions

    def held(self, message_ids: Iterable[int]) -> dict[int, Record]:
        """Records that are here, those of sealed messages as they were."""
        found = {}
        for number in message_ids:
            if (record := self.records.get(number)) is not None:
                found[number] = record
            elif (ended := self.seals.held.get(number)) is not None:
                found[number] = unseal(ended)
        return found

    def last_word(self, number: int) -> Ended | None:
        """What is here of a message that has ended, for the history."""
        record = self.records.get(number)
        return self.seals.held.get(number) if record is None else seal(record)

    def next_due_utc(self) -> float | None:
        return self.indexes.agenda.first()

    def find(self, message_ids: Sequence[int]) -> list[Message | None]:
        found = (self.records.get(message_id) for message_id in message_ids)
        return [None if record is None else record.message for record in found]

    def resolve(self, account: str, public_id: str) -> list[int]:
        alias = self.indexes.aliases.get((account, public_id))
        if alias:
            return list(alias)
        number = decimal_id(public_id)
        record = None if number is None else self.records.get(number)
        if record is None or (record.message.account, record.message.public_id) != (account, public_id):
            return []
        return [record.message.id]

    def matching(self, account: str, service_type: str, source: str, destination: str) -> list[int]:
        return [
            message.id
            for message in (record.message for record in self.records.values())
            if message.state in states.NOT_LEFT
            and (message.account, message.source, message.destination) == (account, source, destination)
            and (not service_type or message.service_type == service_type)
        ]

    def attempts(self, message_id: int) -> list[Attempt]:
        record = self.records.get(message_id)
        return [] if record is None else list(record.attempts)

    def notices(self, box: str, limit: int) -> list[Notice]:
        return self.shelf.first(box, limit)

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        if add or remove:
            self.unsure_to = max(self.unsure_to, self.newest_id)
        return self.guards.members(set_name, add, remove)

    def marks(self, keys: Sequence[str], utc: float) -> dict[str, Marked]:
        return self.guards.marks(keys, utc)

    def has_purse(self, purse: str) -> bool:
        """Whether anything was ever put into it."""
        return self.guards.has_purse(purse)

    def fund(self, purse: str, amount: int) -> int:
        return self.guards.fund(purse, amount)

    def queued(self) -> int:
        return self.states[MessageState.QUEUED]

    def scheduled(self) -> int:
        return self.states[MessageState.SCHEDULED]

    def ledger(self) -> Ledger:
        final = {state.name.lower(): self.states[state] for state in MessageState if state.final}
        return Ledger(
            self.accepted,
            self.states[MessageState.SCHEDULED],
            self.states[MessageState.QUEUED],
            self.states[MessageState.IN_FLIGHT],
            final,
        )
