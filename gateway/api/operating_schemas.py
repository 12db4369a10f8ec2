"""Bodies and answers about channels and numbers, for operators."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.api.schemas import Body, Out

Why = Annotated[str, Meta(max_length=500)]
OperatorName = Annotated[str, Meta(min_length=1, max_length=64)]
NumberText = Annotated[str, Meta(min_length=1, max_length=32)]
NUMBERS_MAX = 1_000


class ChannelChange(Body, frozen=True, kw_only=True):
    """What is to count instead of the configuration, over restarts too; null: the configuration again.

    `weight` in all routes; `messages_per_second` in submit_sm, 0: no limit. `why` is for the audit.
    """

    weight: Annotated[int, Meta(ge=1, le=10_000)] | UnsetType | None = UNSET
    messages_per_second: Annotated[float, Meta(ge=0, le=1_000_000)] | UnsetType | None = UNSET
    why: Why = ""


class NumberMove(Body, frozen=True, kw_only=True):
    """The operator a number is with, as routes name it."""

    operator: OperatorName
    why: Why = ""


class MovedNumber(Body, frozen=True, kw_only=True):
    number: NumberText
    operator: OperatorName


class NumberMoves(Body, frozen=True, kw_only=True):
    """Many numbers that are with another operator than their prefix says."""

    data: Annotated[list[MovedNumber], Meta(min_length=1, max_length=NUMBERS_MAX)]
    why: Why = ""


class NumbersMoved(Out, frozen=True, kw_only=True):
    """How many were taken; `detail` says what was wrong with others."""

    changed: int
    detail: str = ""


class NumberOut(Out, frozen=True, kw_only=True):
    """Whose network a number is on. `operator` is empty when only the country is known; `moved`: not that of its prefix."""

    number: str
    operator: str
    country: str
    virtual: bool
    moved: bool
