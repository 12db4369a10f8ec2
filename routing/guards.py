"""Guards: the only rules a store knows. Policy compiles its own to these; `admit` checks them as it writes the message."""

from typing import TypeAlias

import msgspec


class Unique(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """`key` must not have been admitted before `until_utc` of its first use: idempotency, dedupe."""

    key: str
    until_utc: float
    returns: bool = True
    """Given back when the message ends without having left; so for every kind that takes something."""


class Window(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """At most `limit` admitted for `key` within any `period_s`: frequency caps, velocity.

    `at_utc` is when the message counts; 0: when it is admitted. A later one counts in the period in which it comes due.
    """

    key: str
    limit: int
    period_s: float
    at_utc: float = 0.0
    returns: bool = True


class Member(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """`key` must (not) be a member of `set_name`: opt-outs, blacklists, whitelists."""

    set_name: str
    key: str
    must_be: bool = False


class Mark(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """Refuses nothing. When the message goes to a carrier, `key` is told when, and which it was; the last counts, `period_s`.

    It stands last among a message's guards, or in the first, a cell: its key is without the cell's then.
    """

    key: str
    period_s: float


class Cell(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """Guards that are kept together, as one, under `key`: those about one recipient. Their own keys differ within the cell; a
    member's is empty, for it is the cell's. `at_utc` is when its windows count; 0: when it is admitted.

    What a store looks up, keeps and writes is a cell, so five rules of a recipient cost little more than one.
    """

    key: str
    guards: "tuple[Kept, ...]"
    at_utc: float = 0.0
    mark: Mark | None = None


class Spend(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """`purse` must hold `amount` (micro-units), which is taken: quota, balance."""

    purse: str
    amount: int
    returns: bool = True


Kept: TypeAlias = Unique | Window | Member
"""Alone each is a cell of its own."""
Guard: TypeAlias = Cell | Unique | Window | Member | Spend | Mark
