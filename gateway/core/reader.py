"""What an SMPP client submits, as messages: the account's defaults, the sender's TLVs, times, parts it cut itself."""

from datetime import UTC, datetime
from typing import Any, TypeAlias, get_args

import msgspec

from config.schema import CLASSES, Account, Config, MessageClass, MetadataTlvs, Purpose
from gateway.core.blanks import Blanks
from protocol import times, udh
from protocol.errors import ContentError
from protocol.fields import Destination
from protocol.pdu import DataSm, SubmitMulti, SubmitSm
from protocol.segment import count_parts
from protocol.status import Status
from protocol.tlv import Tag, Tlvs, get_int
from protocol.validate import submit_status, user_data
from routing.ids import IdMaker, short_alias
from routing.records import Content, Message, MessageState, PartOf

SubmitPdu: TypeAlias = SubmitSm | SubmitMulti | DataSm

_SCHEDULED = MessageState.SCHEDULED
_OURS = frozenset(
    {
        int(Tag.MESSAGE_PAYLOAD),
        int(Tag.USER_MESSAGE_REFERENCE),
        int(Tag.MORE_MESSAGES_TO_SEND),
        int(Tag.RECEIPTED_MESSAGE_ID),
        int(Tag.MESSAGE_STATE),
        int(Tag.QOS_TIME_TO_LIVE),
    }
)
"""TLVs that are not passed on to carriers: read here, or set by us."""
_ALLOWED: dict[str, tuple[str, ...]] = {"class_": CLASSES, "purpose": get_args(Purpose)}
"""What rules go by: one they do not know would pass them by."""


class Reader:
    """Makes messages of PDUs, by one configuration."""

    def __init__(self, config: Config, ids: IdMaker, boot: str) -> None:
        self._ids = ids
        self._blanks = Blanks(boot)
        self._tags = config.smpp.tlvs
        self._tag_fields = _by_tag(config.smpp.tlvs)
        self._validity = {name: getattr(config.classes, name).validity_s for name in CLASSES}
        types = config.smpp.service_types
        self._classes: dict[str, MessageClass] = {one: name for name in CLASSES for one in getattr(types, name)}
        self._parts_timeout_s = config.core.parts_timeout_s

    def read(self, pdu: SubmitPdu, account: Account, now: float, utc: float, *, short_ids: bool) -> list[Message] | Status:
        """The messages of `pdu`, or the command_status that refuses all of it."""
        status = submit_status(pdu)
        if status:
            return status
        if isinstance(pdu, SubmitMulti):
            if not pdu.destinations:
                return Status.RINVNUMDESTS
            if any(one.dl_name for one in pdu.destinations):
                return Status.RINVDLNAME  # we keep no distribution lists
        plain = pdu if isinstance(pdu, SubmitSm) else as_submit_sm(pdu)
        not_before = expires = 0.0
        if isinstance(pdu, DataSm):
            ttl = get_int(pdu.tlvs, Tag.QOS_TIME_TO_LIVE)
            expires = utc + ttl if ttl else 0.0
        elif plain.schedule_delivery_time or plain.validity_period:
            not_before, expires, status = moments(plain.schedule_delivery_time, plain.validity_period, utc)
            if status:
                return status
        first = self._message(plain, account, now, utc)
        first.public_id = short_alias(first.id) if short_ids else str(first.id)
        if not_before:
            first.not_before_utc = first.due_utc = not_before
            first.state = _SCHEDULED
        if plain.service_type and (class_ := self._classes.get(plain.service_type)) is not None:
            first.class_ = class_
        if plain.tlvs and not self._override(first, plain.tlvs):
            return Status.RINVOPTPARAMVAL
        first.expires_utc = expires or (not_before or utc) + self._validity[first.class_]
        messages = [first]
        if isinstance(pdu, SubmitMulti):
            messages += [self._copy(first, one) for one in pdu.destinations[1:]]
        if plain.tlvs or plain.esm_class & udh.UDHI:
            for message in messages:
                self._join_parts(message, plain.tlvs, utc)
        return messages

    def _message(self, pdu: SubmitSm, account: Account, now: float, utc: float) -> Message:
        data = pdu.short_message or user_data(pdu)
        tlvs = pdu.tlvs and tuple(one for one in pdu.tlvs if one[0] not in _OURS and one[0] not in self._tag_fields)
        parts = parts_of(data, pdu.data_coding, pdu.esm_class)
        message = msgspec.structs.replace(self._blanks.of(account))
        message.id = self._ids.make(pdu.destination_addr)
        message.priority = pdu.priority_flag
        message.service_type = pdu.service_type
        message.source_ton, message.source_npi, message.source = pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr
        message.dest_ton, message.dest_npi, message.destination = pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr
        message.content = Content(data, pdu.data_coding, pdu.esm_class, pdu.protocol_id, tlvs, parts)
        message.registered_delivery = pdu.registered_delivery
        message.arrival, message.arrival_utc = now, utc
        return message

    def _copy(self, first: Message, to: Destination) -> Message:
        """The same for another destination of a submit_multi; all go by the id of the first."""
        new_id = self._ids.make(to.addr)
        return msgspec.structs.replace(first, id=new_id, destination=to.addr, dest_ton=to.ton, dest_npi=to.npi)

    def _override(self, message: Message, tlvs: Tlvs) -> bool:
        """The sender's own class, business ... instead of the account's; False for a class or purpose there is not."""
        for tag, value in tlvs:
            field = self._tag_fields.get(tag)
            if field is not None:
                text = value.rstrip(b"\0").decode("utf-8", "replace")
                if text not in _ALLOWED.get(field, (text,)):
                    return False
                setattr(message, field, text)
        return True

    def _join_parts(self, message: Message, tlvs: Tlvs, utc: float) -> None:
        """A part that the sender cut waits, stored, until its group is complete."""
        concat = concat_of(message.content, tlvs)
        if concat is None or concat.total < 2:
            return
        place = (message.account, message.source, message.destination, str(concat.ref), str(concat.bits), str(concat.total))
        message.part_of = PartOf("|".join(place), concat.total, concat.seq)
        message.state = MessageState.SCHEDULED
        message.not_before_utc = utc + self._parts_timeout_s


def as_submit_sm(pdu: SubmitMulti | DataSm) -> SubmitSm:
    """The same as a submit_sm, to the first of its destinations."""
    if isinstance(pdu, DataSm):
        to = Destination(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
        more: dict[str, Any] = {}
    else:
        to = pdu.destinations[0]
        names = ("protocol_id", "priority_flag", "schedule_delivery_time", "validity_period", "short_message")
        more = {name: getattr(pdu, name) for name in names}
    return SubmitSm(
        pdu.sequence,
        tlvs=pdu.tlvs,
        service_type=pdu.service_type,
        source_addr_ton=pdu.source_addr_ton,
        source_addr_npi=pdu.source_addr_npi,
        source_addr=pdu.source_addr,
        dest_addr_ton=to.ton,
        dest_addr_npi=to.npi,
        destination_addr=to.addr,
        esm_class=pdu.esm_class,
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        **more,
    )


def moments(schedule: str, validity: str, utc: float) -> tuple[float, float, Status]:
    """(not before, expires, status) of SMPP time strings at `utc`; a schedule in the past means now."""
    here = datetime.fromtimestamp(utc, UTC)
    try:
        due = times.resolve(schedule, here)
    except ContentError:
        return 0.0, 0.0, Status.RINVSCHED
    not_before = due.timestamp() if due is not None and due > here else 0.0
    try:
        # A relative validity counts from the moment the message may go (section 5.2.16 leaves it open).
        base = datetime.fromtimestamp(not_before, UTC) if not_before and validity.endswith("R") else here
        end = times.resolve(validity, base)
    except ContentError:
        return 0.0, 0.0, Status.RINVEXPIRY
    expires = end.timestamp() if end is not None else 0.0
    if expires and expires <= max(utc, not_before):
        return 0.0, 0.0, Status.RINVEXPIRY
    return not_before, expires, Status.ROK


def concat_of(content: Content, tlvs: Tlvs) -> udh.Concat | None:
    """Which part of which message this is, by user data header or SAR TLVs; None for a whole one."""
    if content.esm_class & udh.UDHI:
        try:
            return udh.parse(content.data).concat
        except ContentError:
            return None
    if not tlvs:
        return None
    found = [get_int(tlvs, tag) for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)]
    ref, total, seq = found
    if ref is None or total is None or seq is None or not 1 <= seq <= total:
        return None
    return udh.Concat(ref, total, seq, 17)  # a width no header has: SAR groups are apart from UDH groups


def parts_of(data: bytes, data_coding: int, esm_class: int) -> int:
    """How many messages a handset gets of this user data; 0 when it is too long for 255 parts."""
    if esm_class & udh.UDHI:
        return 1
    try:
        return count_parts(data, data_coding)
    except ContentError:
        return 0


def _by_tag(tlvs: MetadataTlvs) -> dict[int, str]:
    return {getattr(tlvs, field.name): field.name for field in msgspec.structs.fields(tlvs)}
