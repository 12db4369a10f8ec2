"""What every part of the schema is made of: the base of tables, values with units, secrets, networks."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MessageClass = Literal["verification", "notification", "marketing"]
CLASSES: tuple[MessageClass, ...] = ("verification", "notification", "marketing")
"""In the order in which they are served."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(ge=0, le=1e6)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
TlvTag = Annotated[int, Meta(ge=0x1400, le=0x3FFF)]
Purpose = Literal["standard", "promotion", "urgent", "care"]
IdRule = Literal["opaque", "opaque-nocase", "dec", "hex"]


class Secret:
    """A value that is never printed. In a file: the value itself, `env:NAME` or `file:PATH`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the one place that sends or checks it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Network:
    """An address block such as 10.0.0.0/8 or 2001:db8::/32."""

    __slots__ = ("block",)

    def __init__(self, text: str) -> None:
        self.block: IPv4Network | IPv6Network = ip_network(text)

    def __repr__(self) -> str:
        return str(self.block)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.block == other.block

    def __hash__(self) -> int:
        return hash(self.block)


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every table in the file."""
