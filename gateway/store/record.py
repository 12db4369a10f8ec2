"""What is kept of a message, as one piece, and by which keys it must be found again when it is not in memory."""

from collections.abc import Iterator
from sys import intern

import msgspec

from gateway.store import states
from routing.guards import Guard
from routing.records import Attempt, AttemptKey, AttemptState, Message, MessageState

CORRELATION_S = 72 * 3600.0
"""How long a receipt may come after the validity, or before the message it is about is known."""
SEPARATOR = "\x1f"


class Record(msgspec.Struct, gc=False, omit_defaults=True):
    """A message, its attempts oldest first, and what admitting it took."""

    message: Message
    attempts: list[Attempt] = []
    guards: tuple[Guard, ...] = ()


_REPEATED = ("account", "boot", "source", "service_type", "business", "brand", "industry", "purpose", "operator", "channel")


def share_names(message: Message) -> None:
    """Of names that repeat in many messages memory holds one copy; decoding makes one for each."""
    for name in _REPEATED:
        value = getattr(message, name)
        if value:
            setattr(message, name, intern(value))


def attempt_of(record: Record, key: AttemptKey) -> Attempt | None:
    """One of its attempts."""
    for attempt in reversed(record.attempts):  # the latest is asked for most
        if attempt.key == key:
            return attempt
    return None


def needs_evidence(attempt: Attempt) -> bool:
    """Whether it left and the carrier has not named it: only a receipt that fits can tell."""
    return attempt.state is states.UNKNOWN or (attempt.state is states.SENT and not attempt.carrier_id)


def needs_care(record: Record) -> bool:
    """Whether something in memory alone goes on with it: octets that are leaving, parts that wait for others or in a lane."""
    message = record.message
    if message.state is MessageState.SCHEDULED:
        return message.part_of is not None and not message.group_whole
    if any(one.state is AttemptState.SENDING for one in record.attempts):
        return True
    if message.state is not MessageState.IN_FLIGHT:
        return False
    begun = [one for one in record.attempts if one.key.number == message.tries]
    return not begun or len(begun) < begun[0].parts


def is_out(record: Record) -> bool:
    """Whether a carrier has it, or may have; one that was refused is all ours again."""
    return any(one.state is not AttemptState.REFUSED for one in record.attempts)


def decimal_id(public_id: str) -> int | None:
    """The message id a sender's spelling may stand for; None for an alias, or what no id can be."""
    return int(public_id) if public_id.isascii() and public_id.isdigit() and len(public_id) < 20 else None


def settled(message: Message) -> bool:
    """Whether nothing can change it any more; one that our own timeout ended may still be corrected."""
    return message.state in states.FINAL and message.reason != states.NO_RECEIPT


def attention(record: Record, grace_s: float) -> float:
    """When time will change the message next, in UTC seconds."""
    message = record.message
    if message.state is MessageState.SCHEDULED:
        return min(message.not_before_utc, message.expires_utc)
    if message.state is MessageState.IN_FLIGHT:
        resends = [one.resend_utc for one in record.attempts if one.resend_utc and one.state is AttemptState.UNKNOWN]
        if resends and record.attempts[-1].key.number == message.tries:
            return min(*resends, message.expires_utc)
        return message.expires_utc + grace_s
    if message.state.final:
        return message.expires_utc + CORRELATION_S
    return message.expires_utc


# -- keys: kind, separator, what is looked for, separator, id


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
