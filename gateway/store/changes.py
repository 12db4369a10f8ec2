"""What the steps of a store changed since the last page of the journal was cut (`pages.py`)."""

from gateway.store.base import CarrierReceipt, RequestRecord
from gateway.store.ended import Ended
from gateway.store.record import Record
from gateway.store.rollups import Key
from routing.records import Notice

KINDS = (
    "admitted",
    "rewritten",
    "changed",
    "ended",
    "void",
    "notices",
    "told",
    "dead",
    "parked",
    "unparked",
    "guards",
    "sums",
    "rollups",
    "documents",
    "requests",
)


class Changes:
    """Collected until the next page is cut. Values are the live records: they are read when the page is cut."""

    def __init__(self) -> None:
        self.admitted: dict[int, Record] = {}
        self.rewritten: dict[int, Record] = {}
        """Admitted before; more than their progress has changed."""
        self.changed: dict[int, Record] = {}
        self.ended: dict[int, Ended] = {}
        """Sealed (`sealing.py`): whatever else is here of them is older."""
        self.void: dict[int, None] = {}
        self.notices: dict[int, Notice] = {}
        self.told: dict[int, str] = {}
        self.dead: dict[int, Notice] = {}
        self.parked: dict[int, CarrierReceipt] = {}
        self.unparked: dict[int, None] = {}
        self.guards: set[str] = set()
        self.sums: set[str] = set()
        self.rollups: set[Key] = set()
        self.documents: set[str] = set()
        self.requests: dict[str, RequestRecord] = {}

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in KINDS)

    def take(self) -> "Changes":
        """Everything so far; what comes now belongs to the next page."""
        taken = Changes()
        for name in KINDS:
            mine, new = getattr(self, name), getattr(taken, name)
            setattr(taken, name, mine)
            setattr(self, name, new)
        return taken

    def put_back(self, earlier: "Changes") -> None:
        """`earlier` was not stored: it belongs to the next page again, under what changed since."""
        for number in self.admitted:
            earlier.void.pop(number, None)
        for name in KINDS:
            mine, value = getattr(self, name), getattr(earlier, name)
            if isinstance(value, set):
                mine |= value
            else:
                setattr(self, name, {**value, **mine})
        for number in self.void:
            self.drop(number)

    def drop(self, number: int) -> None:
        """Nothing about this message is to be stored. It has not been sent, so it is not among `ended`."""
        for one in (self.admitted, self.rewritten, self.changed):
            one.pop(number, None)
