"""Records as the API shows them."""

from datetime import UTC, datetime

from gateway.api.schemas import AttemptOut, Event, EventData, MessageOut, StatusWord
from gateway.api.texts import encoding_of, text_of
from gateway.calls.things import event_name
from gateway.store.record import Record
from protocol.address import TON_INTERNATIONAL
from protocol.spoken import spoken_text
from routing.records import Attempt, AttemptState, Message, MessageState, Notice, SlaTurn
from routing.sla import WITHIN_S

_SENDING = AttemptState.SENDING
FIRST_UTC, LAST_UTC = -62_135_596_800, 253_402_300_799
"""Years 1 to 9999: an offset carries a moment beyond, where nothing could show it any more."""


def moment(utc: float) -> datetime | None:
    """None for 0: it did not happen."""
    return sure_moment(utc) if utc else None


def sure_moment(utc: float) -> datetime:
    """One that did."""
    return datetime.fromtimestamp(min(max(utc, FIRST_UTC), LAST_UTC), UTC)


def number(ton: int, address: str) -> str:
    """With its plus sign when it is international."""
    return f"+{address}" if ton == TON_INTERNATIONAL and address else address


def status_word(record: Record) -> StatusWord:
    """How far a message is, in one word."""
    message = record.message
    if message.state is MessageState.IN_FLIGHT:
        latest = record.attempts[-1].state if record.attempts else _SENDING
        return "sending" if latest is _SENDING else "sent"
    return message.state.name.lower()  # type: ignore[return-value]  # the other names are the words


def state_of(word: StatusWord) -> MessageState:
    """The state behind a word."""
    return MessageState.IN_FLIGHT if word in ("sending", "sent") else MessageState[word.upper()]


def message_out(record: Record, *, with_text: bool = True) -> MessageOut:
    """A message and how far it is."""
    message = record.message
    receipts = [one for one in record.attempts if one.receipt]
    latency = _latency_s(message)
    return MessageOut(
        id=str(message.id),
        status=status_word(record),
        to=number(message.dest_ton, message.destination),
        created_at=sure_moment(message.arrival_utc),
        class_=message.class_,
        from_=number(message.source_ton, message.source),
        text=text_of(message.content) if with_text else "",
        segments=message.content.parts,
        encoding=encoding_of(message.content.data_coding),
        purpose=message.purpose,
        business=message.business,
        brand=message.brand,
        industry=message.industry,
        campaign_id=message.campaign_id,
        template_id=message.template_id,
        variant=message.variant,
        link_id=message.link_id,
        batch_id=message.batch_id,
        client_ref=message.client_ref,
        tags=list(message.tags),
        send_at=moment(message.due_utc),
        expire_at=moment(message.expires_utc),
        done_at=moment(message.final_utc) if message.state.final else None,
        channel=message.channel,
        attempts=message.tries,
        reason=message.reason,
        stat=receipts[-1].receipt if receipts else "",
        err=receipts[-1].err if receipts else "",
        latency_ms=None if latency is None else round(latency * 1000),
        sla_10s=None if not message.state.final else latency is not None and latency <= WITHIN_S,
        possible_duplicate=message.possible_duplicate,
    )


def _latency_s(message: Message) -> float | None:
    """From when it was due to its delivery, by UTC: the record has no more."""
    if message.state is not MessageState.DELIVERED:
        return None
    return max(0.0, message.final_utc - max(message.arrival_utc, message.due_utc))


def attempt_out(attempt: Attempt) -> AttemptOut:
    """One attempt."""
    return AttemptOut(
        number=attempt.key.number,
        part=attempt.key.part,
        parts=attempt.parts,
        channel=attempt.channel,
        state=attempt.state.name.lower(),
        at=sure_moment(attempt.begun_utc),
        carrier_id=attempt.carrier_spelling or attempt.carrier_id,
        command_status=attempt.command_status,
        stat=attempt.receipt,
        err=attempt.err,
        evidence=attempt.evidence,
        why=attempt.why,
        answer_ms=round((attempt.answered - attempt.begun) * 1000) if attempt.answered else None,
    )


def event_id(notice_id: int) -> str:
    """The same however often it is told; a correction is an event of its own."""
    return f"evt_{abs(notice_id)}{'c' if notice_id < 0 else ''}"


def event(notice: Notice) -> Event:
    """A notice as webhooks and streams tell it."""
    return Event(
        type=event_name(notice),
        id=event_id(notice.id),
        timestamp=sure_moment(notice.created_utc),
        data=_turned(notice, notice.sla) if notice.sla else _received(notice) if notice.is_mo else _ended(notice),
    )


def _turned(notice: Notice, turn: SlaTurn) -> EventData:
    return EventData(
        id=str(notice.id),
        class_=turn.class_,
        channel=turn.channel,
        window=turn.window,
        due=turn.due,
        within=turn.within,
        arrival=turn.arrival,
        since=moment(turn.since_utc),
    )


def _received(notice: Notice) -> EventData:
    return EventData(
        id=str(notice.id),
        to=number(notice.dest_ton, notice.destination),
        from_=number(notice.source_ton, notice.source),
        text=spoken_text(notice.data, notice.data_coding, notice.esm_class),
        submitted_at=moment(notice.submitted_utc),
        in_reply_to=notice.in_reply_to,
        brand=notice.brand,
    )


def _ended(notice: Notice) -> EventData:
    about = notice.about
    latency = about.since_due if about is not None else None
    return EventData(
        id=notice.public_id,
        status=notice.state.name.lower(),
        to=number(notice.source_ton, notice.source),
        from_=number(notice.dest_ton, notice.destination),
        client_ref=notice.client_ref,
        submitted_at=moment(notice.submitted_utc),
        done_at=moment(notice.done_utc),
        latency_ms=None if latency is None else round(latency * 1000),
        sla_10s=latency is not None and latency <= WITHIN_S,
        err=notice.err,
        correction=notice.id < 0,
        batch_id=about.batch_id if about else "",
        campaign_id=about.campaign_id if about else "",
        tags=list(about.tags) if about else [],
        class_=about.class_ if about else "",
        channel=about.channel if about else "",
        attempts=about.attempts if about else 0,
        segments=about.segments if about else 1,
        reason=about.reason if about else "",
    )
