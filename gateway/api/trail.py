"""The way of a message, step by step, with the reason of each: made from what is stored of it and of its attempts."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from gateway.store.record import Record
from protocol.status import status_name
from routing.plan import BY_WEIGHT
from routing.records import Attempt, AttemptState, Message, MessageState


class Step(NamedTuple):
    """`at_utc` is 0 where the moment is not known."""

    at_utc: float
    what: str
    why: str = ""


def steps(record: Record) -> list[Step]:
    """Everything that happened to a message, in order."""
    message = record.message
    found = [Step(message.accepted_utc or message.arrival_utc, "accepted", _accepted(message))]
    if message.due_utc > message.accepted_utc:
        found.append(Step(message.accepted_utc, "scheduled", "for its send_at, or until its send window opens"))
    for number, parts in groupby(record.attempts, key=lambda one: one.key.number):
        found += _tried(message, number, list(parts))
    if message.state.final:
        found.append(Step(message.final_utc, message.state.name.lower(), message.reason))
    elif message.state is not MessageState.IN_FLIGHT:
        found.append(Step(0.0, message.state.name.lower(), message.why))
    return found


def _accepted(message: Message) -> str:
    door = "HTTP" if message.door == "http" else "SMPP"
    what = f"{message.class_} of {message.account} by {door}, {message.content.parts} segments, within the rules of its account"
    network = message.operator or (f"country {message.country}" if message.country else "")
    return f"{what}; to {network}" if network else what


def _tried(message: Message, number: int, parts: list[Attempt]) -> Iterator[Step]:
    first = parts[0]
    again = " again" if number > 1 else ""
    yield Step(first.begun_utc, f"planned{again} onto {first.channel}", first.why or BY_WEIGHT)
    for one in parts:
        which = f"part {one.key.part} of {one.parts} " if one.parts > 1 else ""
        yield Step(*_answered(one, which))
        if one.receipt:
            ended = message.final_utc if _ended_by(message, one) else 0.0
            took = f"after {ended - one.begun_utc:.1f} s" if ended > one.begun_utc else ""
            yield Step(ended, f"{which}receipt {one.receipt} {one.err}".rstrip(), took)


def _answered(one: Attempt, which: str) -> tuple[float, str, str]:
    """Its moment, what the carrier said, and how long that took."""
    if not one.answered:
        what = "waits for the answer of" if one.state is AttemptState.SENDING else "no answer from"
        why = f"known by {one.evidence}" if one.evidence else ""
        return one.begun_utc, f"{which}{what} {one.channel}", why
    took_s = max(0.0, one.answered - one.begun)
    if one.state is AttemptState.REFUSED:
        what = f"{which}refused by {one.channel}: {status_name(one.command_status)} (0x{one.command_status:02x})"
    else:
        carrier_id = one.carrier_spelling or one.carrier_id
        what = f"{which}sent to {one.channel}" + (f" as {carrier_id}" if carrier_id else "")
    return one.begun_utc + took_s, what, f"answered after {took_s * 1000:.0f} ms"


def _ended_by(message: Message, one: Attempt) -> bool:
    """Whether this receipt was the one that ended the message."""
    done = {AttemptState.DELIVERED: MessageState.DELIVERED, AttemptState.FAILED: MessageState.UNDELIVERED}
    return done.get(one.state) is message.state and one.parts == 1
