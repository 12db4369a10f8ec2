"""What admitting a message took, in one piece of octets.

It is made while the guards are at hand, and goes into the journal as it is: as objects they would all be fetched from memory
again, for the page and to be freed. It is looked into when a list changes, and when the message is taken back or ends without
having left. Where there is a mark nothing is packed: it is asked for whenever its message leaves.
"""

from collections.abc import Sequence

import msgspec

from gateway.store.guards import marks_cell
from gateway.store.record import Record
from routing.guards import Guard, Mark

_PACKER = msgspec.msgpack.Encoder()
_UNPACKER = msgspec.msgpack.Decoder(tuple[Guard, ...])


def pack_guards(guards: Sequence[Guard]) -> tuple[Guard, ...] | bytes:
    """For `Record.guards`."""
    if not guards or type(guards[-1]) is Mark or marks_cell(guards[0]):
        return tuple(guards)
    return _PACKER.encode(guards)


def guards_of(record: Record) -> tuple[Guard, ...]:
    """The guards of a record, packed or not."""
    guards = record.guards
    return _UNPACKER.decode(guards) if isinstance(guards, bytes) else guards
