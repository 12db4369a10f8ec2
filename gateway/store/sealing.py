"""Messages that have ended for good, each as one piece of octets until the history has it.

It is made when the message ends, while all of it is at hand, and is what the journal and the history get. As objects a message
is twenty-five pieces of memory, which are far away by the time the history asks for them, and are fetched again to be freed.
Sealed is only what nothing can change any more and nobody asks for by another name than its id.
"""

from collections import OrderedDict

import msgspec

from gateway.store import states
from gateway.store.base import CarrierReceipt
from gateway.store.ended import Ended
from gateway.store.evidence import is_for
from gateway.store.record import Record
from routing.records import AttemptState

NAMES_MAX = 20_000
"""Of so many attempts a receipt that is repeated is known; that of any other waits for a message that never comes."""
_JSON = msgspec.json.Encoder()
_RECORD = msgspec.json.Decoder(Record)


def seal(record: Record) -> Ended:
    """A record as one piece."""
    message = record.message
    return Ended(message.id, message.final_utc, _JSON.encode(record))


def unseal(ended: Ended) -> Record:
    """The record it was made of."""
    return _RECORD.decode(ended.record)


def can_be_sealed(record: Record) -> bool:
    """Whether every attempt of a message that nothing can change any more was told of, under an id that its carrier named."""
    for attempt in record.attempts:
        was_told = attempt.carrier_id and attempt.state in states.FINISHED
        if not was_told and attempt.state is not AttemptState.REFUSED:
            return False
    return bool(record.attempts)


class Seals:
    """See the module."""

    def __init__(self, names_max: int = NAMES_MAX) -> None:
        self.held: dict[int, Ended] = {}
        self._names_max = names_max
        self._names: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Channel and carrier's id: the recipient."""

    def name(self, place: tuple[str, str], destination: str) -> None:
        """A sealed message's attempt, by channel and carrier's id."""
        self._names[place] = destination
        if len(self._names) > self._names_max:
            self._names.popitem(last=False)

    def forget(self, place: tuple[str, str]) -> None:
        """The carrier uses an id again: from now on receipts for it are about the new message."""
        self._names.pop(place, None)

    def is_repeated(self, receipt: CarrierReceipt) -> bool:
        """Whether it says once more what became of a sealed message. Carriers use ids again: then it is for another number."""
        names = self._names
        for candidate in receipt.candidates:
            destination = names.get((receipt.channel, candidate))
            if destination is not None and is_for(receipt, destination):
                return True
        return False
