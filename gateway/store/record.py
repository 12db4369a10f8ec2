"""What is kept of a message, as one piece."""

import msgspec

from routing.guards import Guard
from routing.records import Attempt, Message


class Record(msgspec.Struct, gc=False, omit_defaults=True):
    """A message, its attempts oldest first, and what admitting it took."""

    message: Message
    attempts: list[Attempt] = []
    guards: tuple[Guard, ...] | bytes = ()
    """Packed, unless one of them is a mark (`packedguards.py`), or an older version stored them."""
