"""The rules by which attempts make the state of their message: one place for every store.

Pure functions over the attempts of one message. DESIGN: delivered when all parts of one attempt are; the first failure
fails it, but only when no other attempt is open; one unknown part makes the whole unknown.
"""

from collections.abc import Iterable, Sequence

from protocol import receipt
from protocol.receipt import MessageState as CarrierState
from routing.records import About, Attempt, AttemptState, Message, MessageState, Notice

NO_RECEIPT = "no receipt within the validity"
"""Reason of a final state that our own timeout set; a late receipt may still correct it, once."""

# Asked for every message, some of them often: a name of a module is found four times as fast as a member of an enum.
SCHEDULED, QUEUED, IN_FLIGHT = MessageState.SCHEDULED, MessageState.QUEUED, MessageState.IN_FLIGHT
NOT_LEFT = frozenset({SCHEDULED, QUEUED})
FINAL = frozenset(state for state in MessageState if state.final)
SENDING, SENT, UNKNOWN = AttemptState.SENDING, AttemptState.SENT, AttemptState.UNKNOWN
OPEN = frozenset({SENDING, SENT, UNKNOWN})
UNANSWERED = frozenset({SENDING, UNKNOWN})
FINISHED = frozenset({AttemptState.DELIVERED, AttemptState.FAILED})

_FAILED_AS = {
    CarrierState.EXPIRED: MessageState.EXPIRED,
    CarrierState.REJECTED: MessageState.REJECTED,
    CarrierState.DELETED: MessageState.UNDELIVERED,
    CarrierState.UNDELIVERABLE: MessageState.UNDELIVERED,
    CarrierState.SKIPPED: MessageState.UNDELIVERED,
}


_ATTEMPT_AFTER = dict.fromkeys(receipt.FINAL, AttemptState.FAILED) | {CarrierState.DELIVERED: AttemptState.DELIVERED}


def attempt_after(state: CarrierState) -> AttemptState | None:
    """What a receipt makes of its attempt; None for one that is not final (accepted, en route, unknown)."""
    return _ATTEMPT_AFTER.get(state)


def delivered(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last part of an attempt of which every part was delivered."""
    if len(attempts) == 1 and attempts[0].parts == 1:
        return attempts[0] if attempts[0].state is AttemptState.DELIVERED else None
    by_number: dict[int, list[Attempt]] = {}
    for one in attempts:
        if one.state is AttemptState.DELIVERED:
            by_number.setdefault(one.key.number, []).append(one)
    for parts in by_number.values():
        if len(parts) == parts[0].parts:
            return parts[-1]
    return None


def open_elsewhere(attempts: Iterable[Attempt], number: int) -> bool:
    """Whether an attempt other than `number` may still deliver the message: it is open and none of its parts failed."""
    dead = {one.key.number for one in attempts if one.state in (AttemptState.FAILED, AttemptState.REFUSED)}
    return any(one.state in OPEN and one.key.number != number and one.key.number not in dead for one in attempts)


def resendable(message: Message, attempts: Iterable[Attempt]) -> bool:
    """Whether its latest attempt left, and of some part nobody knows what became of it."""
    if message.state is not IN_FLIGHT:
        return False
    return any(one.state is UNKNOWN and one.key.number == message.tries for one in attempts)


def failed_as(state: CarrierState) -> MessageState:
    """The final state of a message whose last open attempt ended with this receipt."""
    return _FAILED_AS.get(state, MessageState.UNDELIVERED)


def error_code(err: str) -> int:
    """The `err` of a receipt as the number our own receipts carry; carriers' other spellings (1F4, MK:0021) are 0 there."""
    return int(err) if len(err) <= 9 and err.isascii() and err.isdigit() else 0


def latencies(message: Message, attempt: Attempt, boot: str, at: float, at_utc: float) -> tuple[float, float]:
    """(since due, since written) in seconds: by the boot clock within one boot, by UTC across boots."""
    if message.due_utc > message.arrival_utc:
        since_due = at_utc - message.due_utc
    else:
        since_due = at - message.arrival if message.boot == boot else at_utc - message.arrival_utc
    return since_due, at - attempt.begun if attempt.boot == boot else at_utc - attempt.begun_utc


def wants_notice(message: Message) -> bool:
    """registered_delivery bits 1-0 (SMPP 3.4 section 5.2.17): 1 always, 2 on failure, 3 (5.0) on success."""
    asked = message.registered_delivery & 3
    if asked in (0, 1):
        return bool(asked)
    return (asked == 3) == (message.state is MessageState.DELIVERED)


def notice_of(message: Message, now_utc: float, correction: bool) -> Notice:
    """The receipt for the sender: addresses as a receipt has them, from the recipient to the sender.

    A correction is a notice of its own: acknowledging the first one must not acknowledge it.
    """
    return Notice(
        id=-message.id if correction else message.id,
        account=message.account,
        public_id=message.public_id,
        state=message.state,
        source_ton=message.dest_ton,
        source_npi=message.dest_npi,
        source=message.destination,
        dest_ton=message.source_ton,
        dest_npi=message.source_npi,
        destination=message.source,
        submitted_utc=message.arrival_utc,
        done_utc=message.final_utc,
        created_utc=now_utc,
        err=message.err,
        client_ref=message.client_ref,
    )


def event_of(message: Message, since_due: float | None, now_utc: float, *, correction: bool = False) -> Notice:
    """The same for a webhook, which tells more."""
    notice = notice_of(message, now_utc, correction)
    notice.door = message.door
    notice.about = About(
        class_=message.class_,
        channel=message.channel,
        segments=message.content.parts,
        attempts=message.tries,
        reason=message.reason,
        since_due=since_due,
        batch_id=message.batch_id,
        campaign_id=message.campaign_id,
        tags=message.tags,
    )
    return notice
