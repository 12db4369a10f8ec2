"""Every PDU of SMPP 3.4, declared once: the annotations are the wire layout (section 4).

`codec.py` reads the layout off these classes; `fast.py` repeats four of them by hand and is held to them by a test.
Addresses, ids and times are `str`, user data is `bytes`. `sequence` is 0 until a session gives a number.
"""

from typing import Annotated, ClassVar

import msgspec

from protocol.commands import RESPONSE_BIT, Command
from protocol.fields import U8, CString, Destination, Destinations, ShortMessage, SmppTime, Unsuccess, Unsuccesses
from protocol.status import Status
from protocol.tlv import Tlvs

Octet = Annotated[int, U8()]
ServiceType = Annotated[str, CString(6, Status.RINVSERTYP)]
SystemId = Annotated[str, CString(16, Status.RINVSYSID)]
Password = Annotated[str, CString(9, Status.RINVPASWD)]
MessageId = Annotated[str, CString(65, Status.RINVMSGID)]
SourceAddr = Annotated[str, CString(21, Status.RINVSRCADR)]
DestAddr = Annotated[str, CString(21, Status.RINVDSTADR)]
LongSourceAddr = Annotated[str, CString(65, Status.RINVSRCADR)]
LongDestAddr = Annotated[str, CString(65, Status.RINVDSTADR)]
ScheduleTime = Annotated[str, SmppTime(Status.RINVSCHED)]
ValidityTime = Annotated[str, SmppTime(Status.RINVEXPIRY)]
Text = Annotated[bytes, ShortMessage()]


class Pdu(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """Header fields and TLVs common to all. `trailing` holds octets after the last whole TLV (a broken tail)."""

    command_id: ClassVar[Command]
    body_on_error: ClassVar[bool] = False
    """Whether a response with an error status still carries its (default) body."""

    sequence: int = 0
    status: int = 0
    tlvs: Tlvs = ()
    trailing: bytes = b""


class BindRequest(Pdu, gc=False, repr_omit_defaults=True):
    """What the three binds share (section 4.1)."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: Annotated[str, CString(13, Status.RINVSYSTYP)] = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: Annotated[str, CString(41)] = ""


class BindReceiver(BindRequest, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_RECEIVER


class BindTransmitter(BindRequest, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_TRANSMITTER


class BindTransceiver(BindRequest, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_TRANSCEIVER


class BindResponse(Pdu, gc=False, repr_omit_defaults=True):
    """What the three bind responses share; the TLV sc_interface_version announces 3.4."""

    system_id: SystemId = ""


class BindReceiverResp(BindResponse, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_RECEIVER_RESP


class BindTransmitterResp(BindResponse, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_TRANSMITTER_RESP


class BindTransceiverResp(BindResponse, gc=False, repr_omit_defaults=True):
    command_id = Command.BIND_TRANSCEIVER_RESP


class Outbind(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.OUTBIND
    system_id: SystemId = ""
    password: Password = ""


class Unbind(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.UNBIND


class UnbindResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.UNBIND_RESP


class EnquireLink(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.ENQUIRE_LINK


class EnquireLinkResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.ENQUIRE_LINK_RESP


class GenericNack(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.GENERIC_NACK


class ShortMessagePdu(Pdu, gc=False, repr_omit_defaults=True):
    """The layout submit_sm and deliver_sm share (sections 4.4.1 and 4.6.1)."""

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddr = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestAddr = ""
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""


class SubmitSm(ShortMessagePdu, gc=False, repr_omit_defaults=True):
    command_id = Command.SUBMIT_SM


class SubmitSmResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.SUBMIT_SM_RESP
    message_id: MessageId = ""


class DeliverSm(ShortMessagePdu, gc=False, repr_omit_defaults=True):
    command_id = Command.DELIVER_SM


class DeliverSmResp(Pdu, gc=False, repr_omit_defaults=True):
    """message_id is unused and one NUL (section 4.6.2), with an error status too."""

    command_id = Command.DELIVER_SM_RESP
    body_on_error = True
    message_id: MessageId = ""


class SubmitMulti(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.SUBMIT_MULTI
    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddr = ""
    destinations: Annotated[tuple[Destination, ...], Destinations()] = ()
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""


class SubmitMultiResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.SUBMIT_MULTI_RESP
    message_id: MessageId = ""
    unsuccess: Annotated[tuple[Unsuccess, ...], Unsuccesses()] = ()


class DataSm(Pdu, gc=False, repr_omit_defaults=True):
    """Text travels in the TLV message_payload; addresses may be 64 characters (section 4.7.1)."""

    command_id = Command.DATA_SM
    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddr = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: LongDestAddr = ""
    esm_class: Octet = 0
    registered_delivery: Octet = 0
    data_coding: Octet = 0


class DataSmResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.DATA_SM_RESP
    message_id: MessageId = ""


class QuerySm(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.QUERY_SM
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddr = ""


class QuerySmResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.QUERY_SM_RESP
    message_id: MessageId = ""
    final_date: Annotated[str, SmppTime(Status.RQUERYFAIL)] = ""
    message_state: Octet = 0
    error_code: Octet = 0


class CancelSm(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.CANCEL_SM
    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddr = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestAddr = ""


class CancelSmResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.CANCEL_SM_RESP


class ReplaceSm(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.REPLACE_SM
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddr = ""
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""


class ReplaceSmResp(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.REPLACE_SM_RESP


class AlertNotification(Pdu, gc=False, repr_omit_defaults=True):
    command_id = Command.ALERT_NOTIFICATION
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddr = ""
    esme_addr_ton: Octet = 0
    esme_addr_npi: Octet = 0
    esme_addr: LongDestAddr = ""


PDUS: tuple[type[Pdu], ...] = (
    *(BindReceiver, BindTransmitter, BindTransceiver, BindReceiverResp, BindTransmitterResp, BindTransceiverResp),
    *(Outbind, Unbind, UnbindResp, EnquireLink, EnquireLinkResp, GenericNack),
    *(SubmitSm, SubmitSmResp, DeliverSm, DeliverSmResp, SubmitMulti, SubmitMultiResp, DataSm, DataSmResp),
    *(QuerySm, QuerySmResp, CancelSm, CancelSmResp, ReplaceSm, ReplaceSmResp, AlertNotification),
)
"""The 27 PDUs of SMPP 3.4."""

BY_COMMAND: dict[int, type[Pdu]] = {pdu.command_id: pdu for pdu in PDUS}


def response_to(request: Pdu, status: int = 0) -> Pdu:
    """The empty response that belongs to `request`, with its sequence number."""
    return BY_COMMAND[request.command_id | RESPONSE_BIT](request.sequence, status)
