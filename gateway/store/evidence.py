"""What is left to join when ids do not tell: attempts without a carrier's id, and receipts for ids nobody knows.

A receipt with an unknown id is about the one attempt it fits (channel, recipient, sender, our own reference), or about none:
where two fit, it waits.
"""

from collections import OrderedDict
from itertools import count

from gateway.store import states
from gateway.store.base import CarrierReceipt
from routing.records import Attempt, Message

PARKED_S = 72 * 3600.0
"""How long a receipt with an id nobody knows is kept."""


class Unidentified:
    """Attempts that left us and have no carrier's id, by channel and recipient."""

    def __init__(self) -> None:
        self._by_place: dict[tuple[str, str], list[tuple[Attempt, Message]]] = {}

    def add(self, attempt: Attempt, message: Message) -> None:
        """Its outcome is unknown, or the carrier accepted it without naming it."""
        self._by_place.setdefault((attempt.channel, message.destination), []).append((attempt, message))

    def discard(self, attempt: Attempt, message: Message) -> None:
        """It is settled, or has an id now. Nothing when it is not here."""
        place = (attempt.channel, message.destination)
        others = [one for one in self._by_place.get(place, ()) if one[0] is not attempt]
        if others:
            self._by_place[place] = others
        else:
            self._by_place.pop(place, None)

    def about(self, receipt: CarrierReceipt) -> Attempt | None:
        """The only attempt the receipt can be about."""
        fitting = [
            attempt
            for attempt, message in self._by_place.get((receipt.channel, receipt.destination), ())
            if not receipt.source or message.source == receipt.source
        ]
        if receipt.user_reference is not None:
            fitting = [one for one in fitting if one.user_reference == receipt.user_reference]
        return fitting[0] if len(fitting) == 1 else None


class Parked:
    """Receipts that came before the response that names their id, or without any; the oldest make room."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self._receipts: OrderedDict[int, CarrierReceipt] = OrderedDict()
        self._by_id: dict[tuple[str, str], int] = {}
        self._by_place: dict[tuple[str, str], set[int]] = {}
        self._numbers = count()

    def add(self, receipt: CarrierReceipt, utc: float) -> None:
        """Keep it. Of several for one id a final state stays, whatever comes out of order."""
        ids = [(receipt.channel, one) for one in receipt.candidates]
        known = next((self._by_id[one] for one in ids if one in self._by_id), None)
        if known is not None:
            if states.attempt_after(self._receipts[known].state) is not None:
                return
            self._remove(known)
        number = next(self._numbers)
        self._receipts[number] = receipt
        self._by_id.update(dict.fromkeys(ids, number))
        self._by_place.setdefault((receipt.channel, receipt.destination), set()).add(number)
        while self._receipts:
            number, oldest = next(iter(self._receipts.items()))
            if len(self._receipts) <= self.size_max and oldest.at_utc > utc - PARKED_S:
                break
            self._remove(number)

    def take(self, channel: str, carrier_id: str) -> CarrierReceipt | None:
        """The receipt for an id that has become known, removed."""
        number = self._by_id.get((channel, carrier_id))
        return None if number is None else self._remove(number)

    def take_about(self, attempt: Attempt, message: Message, unidentified: Unidentified) -> CarrierReceipt | None:
        """The receipt that can only be about `attempt`, removed."""
        for number in sorted(self._by_place.get((attempt.channel, message.destination), ())):
            if unidentified.about(self._receipts[number]) is attempt:
                return self._remove(number)
        return None

    def _remove(self, number: int) -> CarrierReceipt:
        receipt = self._receipts.pop(number)
        for candidate in receipt.candidates:
            if self._by_id.get((receipt.channel, candidate)) == number:
                del self._by_id[receipt.channel, candidate]
        place = (receipt.channel, receipt.destination)
        self._by_place[place].discard(number)
        if not self._by_place[place]:
            del self._by_place[place]
        return receipt
