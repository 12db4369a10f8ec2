"""What can be told of the record of a message."""

from sys import intern

from gateway.store import states
from gateway.store.record import Record
from routing.records import Attempt, AttemptKey, AttemptState, Message, MessageState

CORRELATION_S = 72 * 3600.0
"""How long a receipt may come after the validity, or before the message it is about is known."""
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
        if attempt.key is key or attempt.key == key:
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
