"""What is left to join when ids do not tell: attempts without a carrier's id, and receipts for ids nobody knows.

A receipt with an unknown id is about the one attempt it fits (channel, recipient, sender, our own reference), or about none:
where two fit, it waits.
"""

from collections import OrderedDict
from itertools import count

from gateway.store import states
from gateway.store.base import CarrierReceipt
from gateway.store.changes import Changes
from gateway.store.record import Record
from gateway.store.traits import CORRELATION_S
from routing.records import Attempt

NUMBER_TAIL = 7
"""Carriers write numbers with and without country code; so many last digits tell two subscribers apart."""


class Unidentified:
    """Attempts that left us and have no carrier's id, by channel and recipient."""

    def __init__(self) -> None:
        self._by_place: dict[tuple[str, str], list[tuple[Attempt, Record]]] = {}

    def add(self, attempt: Attempt, record: Record) -> None:
        """Its outcome is unknown, or the carrier accepted it without naming it."""
        here = self._by_place.setdefault((attempt.channel, record.message.destination), [])
        if not any(one is attempt for one, _ in here):
            here.append((attempt, record))

    def discard(self, attempt: Attempt, destination: str) -> None:
        """It is settled, or has an id now. Nothing when it is not here."""
        if not self._by_place:
            return
        place = (attempt.channel, destination)
        others = [one for one in self._by_place.get(place, ()) if one[0] is not attempt]
        if others:
            self._by_place[place] = others
        else:
            self._by_place.pop(place, None)

    def about(self, receipt: CarrierReceipt) -> tuple[Attempt, Record] | None:
        """The only attempt the receipt can be about."""
        fitting = [
            (attempt, record)
            for attempt, record in self._by_place.get((receipt.channel, receipt.destination), ())
            if not receipt.source or record.message.source == receipt.source
        ]
        if receipt.user_reference is not None:
            fitting = [one for one in fitting if one[0].user_reference == receipt.user_reference]
        return fitting[0] if len(fitting) == 1 else None


class Parked:
    """Receipts that came before the response that names their id, or without any; the oldest make room."""

    def __init__(self, size_max: int, changes: Changes) -> None:
        self.size_max = size_max
        self.changes = changes
        self._receipts: OrderedDict[int, CarrierReceipt] = OrderedDict()
        self._by_id: dict[tuple[str, str], int] = {}
        self._by_place: dict[tuple[str, str], set[int]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._receipts)

    def get(self, number: int) -> CarrierReceipt | None:
        """One by its number."""
        return self._receipts.get(number)

    def restore(self, receipts: dict[int, CarrierReceipt]) -> None:
        """What was parked before a restart."""
        for number, receipt in sorted(receipts.items()):
            self._keep(number, receipt)
        self._numbers = count(max(self._receipts, default=-1) + 1)

    def forget(self, number: int) -> None:
        """The journal says it is not parked any more."""
        if number in self._receipts:
            self._remove(number)

    def add(self, receipt: CarrierReceipt, utc: float) -> None:
        """Keep it. Of several for one id a final state stays, whatever comes out of order."""
        ids = [(receipt.channel, one) for one in receipt.candidates]
        known = next((self._by_id[one] for one in ids if one in self._by_id), None)
        if known is not None:
            if states.attempt_after(self._receipts[known].state) is not None:
                return
            self._remove(known)
        number = next(self._numbers)
        self._keep(number, receipt)
        self.changes.parked[number] = receipt
        while self._receipts:
            number, oldest = next(iter(self._receipts.items()))
            if len(self._receipts) <= self.size_max and oldest.at_utc > utc - CORRELATION_S:
                break
            self._remove(number)

    def _keep(self, number: int, receipt: CarrierReceipt) -> None:
        self._receipts[number] = receipt
        self._by_id.update(((receipt.channel, one), number) for one in receipt.candidates)
        self._by_place.setdefault((receipt.channel, receipt.destination), set()).add(number)

    def take(self, channel: str, carrier_id: str) -> CarrierReceipt | None:
        """The receipt for an id that has become known, removed."""
        number = self._by_id.get((channel, carrier_id))
        return None if number is None else self._remove(number)

    def take_about(self, attempt: Attempt, destination: str, unidentified: Unidentified) -> CarrierReceipt | None:
        """The receipt that can only be about `attempt`, removed."""
        for number in sorted(self._by_place.get((attempt.channel, destination), ())):
            about = unidentified.about(self._receipts[number])
            if about is not None and about[0] is attempt:
                return self._remove(number)
        return None

    def _remove(self, number: int) -> CarrierReceipt:
        receipt = self._receipts.pop(number)
        if self.changes.parked.pop(number, None) is None:  # else no page has it
            self.changes.unparked[number] = None
        for candidate in receipt.candidates:
            if self._by_id.get((receipt.channel, candidate)) == number:
                del self._by_id[receipt.channel, candidate]
        place = (receipt.channel, receipt.destination)
        self._by_place[place].discard(number)
        if not self._by_place[place]:
            del self._by_place[place]
        return receipt


def is_about(receipt: CarrierReceipt, record: Record, attempt: Attempt) -> bool:
    """Carriers use ids again: a finished attempt's id with another number is an early receipt of a new message."""
    finished = attempt.state in states.FINISHED
    return not finished or is_for(receipt, record.message.destination)


def is_for(receipt: CarrierReceipt, destination: str) -> bool:
    """Whether it tells of that recipient, or of none."""
    return destination.endswith(receipt.destination[-NUMBER_TAIL:])
