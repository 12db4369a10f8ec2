"""What the core hands a worker unasked. A reply with number 0 carries one of these."""

from typing import TypeAlias

import msgspec

from routing.records import Notice


class Documents(msgspec.Struct, array_like=True, tag=101):
    """Documents that were put: (kind, name, value), an empty value for one that is gone. All of them after a connect."""

    put: list[tuple[str, str, bytes]]
    all: bool = False


class Work(msgspec.Struct, array_like=True, tag=102):
    """Events to hand to a webhook, oldest first; each is answered by a Try. What is not goes to another worker."""

    webhook: str
    notices: list[Notice]


class Events(msgspec.Struct, array_like=True, tag=103):
    """What became of messages of a watched account."""

    notices: list[Notice]


Push: TypeAlias = Documents | Work | Events
