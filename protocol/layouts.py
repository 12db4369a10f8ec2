"""The fields of every PDU in the order of the wire, read off the annotations of its class."""

from typing import Annotated, get_args, get_origin, get_type_hints

from protocol.fields import Field
from protocol.pdu import PDUS, Pdu


def _layout(cls: type[Pdu]) -> tuple[tuple[str, Field], ...]:
    hints = get_type_hints(cls, include_extras=True)
    fields = []
    for name in cls.__struct_fields__:
        if get_origin(hints[name]) is Annotated:
            fields += [(name, extra) for extra in get_args(hints[name])[1:] if isinstance(extra, Field)]
    return tuple(fields)


LAYOUTS: dict[type[Pdu], tuple[tuple[str, Field], ...]] = {cls: _layout(cls) for cls in PDUS}
"""By class: (name, how it stands on the wire)."""
