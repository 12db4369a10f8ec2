"""By which keys a record must be found when it is not in memory: kind, separator, what is looked for, separator, id."""

from collections.abc import Iterator

from gateway.store import states
from gateway.store.record import Record
from gateway.store.traits import needs_care, needs_evidence

SEPARATOR = "\x1f"


def by_carrier(channel: str, carrier_id: str) -> str:
    """The attempt a carrier calls by this id."""
    return f"c\x1f{channel}\x1f{carrier_id}"


def by_place(channel: str, destination: str) -> str:
    """Attempts that need evidence, by channel and recipient."""
    return f"p\x1f{channel}\x1f{destination}"


def by_alias(account: str, public_id: str) -> str:
    """Messages that go by another id than their own."""
    return f"a\x1f{account}\x1f{public_id}"


def by_addresses(account: str, source: str, destination: str) -> str:
    """Messages that have not left, by their addresses."""
    return f"n\x1f{account}\x1f{source}\x1f{destination}"


OPEN = "s"
"""Messages a start must look at, wherever they are; see `needs_care`."""


def keys(record: Record) -> Iterator[str]:
    """Everything a message must be found by."""
    message = record.message
    if message.public_id != str(message.id):
        yield by_alias(message.account, message.public_id)
    if message.state in states.NOT_LEFT:
        yield by_addresses(message.account, message.source, message.destination)
    for attempt in record.attempts:
        if attempt.carrier_id:
            yield by_carrier(attempt.channel, attempt.carrier_id)
        if needs_evidence(attempt):
            yield by_place(attempt.channel, message.destination)
    if needs_care(record):
        yield OPEN


def decimal_id(public_id: str) -> int | None:
    """The message id a sender's spelling may stand for; None for an alias, or what no id can be."""
    return int(public_id) if public_id.isascii() and public_id.isdigit() and len(public_id) < 20 else None
