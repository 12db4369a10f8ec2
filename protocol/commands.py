"""command_id values (SMPP 3.4 section 5.1.2.1)."""

from enum import IntEnum

RESPONSE_BIT = 0x80000000


class Command(IntEnum):
    """The 27 commands of SMPP 3.4. A response is its request's id with bit 31 set."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    REPLACE_SM = 0x07
    CANCEL_SM = 0x08
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    SUBMIT_MULTI = 0x21
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    GENERIC_NACK = 0x80000000
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM_RESP = 0x80000005
    UNBIND_RESP = 0x80000006
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER_RESP = 0x80000009
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI_RESP = 0x80000021
    DATA_SM_RESP = 0x80000103


UNANSWERED = frozenset({Command.OUTBIND, Command.ALERT_NOTIFICATION})
"""Requests for which SMPP has no response PDU."""


def command_name(command_id: int) -> str:
    """`submit_sm` for 0x04; an unknown id in hexadecimal."""
    try:
        return Command(command_id).name.lower()
    except ValueError:
        return f"0x{command_id:08x}"
