"""Optional parameters (SMPP 3.4 section 5.3): tag 2 octets, length 2 octets, value.

A PDU keeps them as a tuple of (tag, value) in the order of the wire: order and repetition survive a relay.
"""

from enum import IntEnum
from struct import Struct
from typing import TypeAlias

Tlvs: TypeAlias = tuple[tuple[int, bytes], ...]

HEAD = Struct(">HH")


class Tag(IntEnum):
    """Tags of 3.4, and those of 5.0 seen in the field."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    CONGESTION_STATE = 0x0428
    USSD_SERVICE_OP = 0x0501
    BILLING_IDENTIFICATION = 0x060B
    SOURCE_NETWORK_ID = 0x060D
    DEST_NETWORK_ID = 0x060E
    SOURCE_NODE_ID = 0x060F
    DEST_NODE_ID = 0x0610
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


def read_tlvs(buf: bytes, at: int, end: int) -> tuple[Tlvs, int]:
    """Every whole TLV in buf[at:end] and where the reading stopped; less than `end` means a broken tail."""
    found = []
    unpack = HEAD.unpack_from
    value = at + 4
    while value <= end:
        tag, size = unpack(buf, at)
        stop = value + size
        if stop > end:
            break
        found.append((tag, buf[value:stop]))
        at = stop
        value = stop + 4
    return tuple(found), at


def write_tlvs(tlvs: Tlvs) -> bytes:
    """The octets of `tlvs`. Raises struct.error for a tag or a length (at most 65,535 octets) out of range."""
    pack = HEAD.pack
    octets = b""
    for tag, value in tlvs:
        octets += pack(tag, len(value)) + value
    return octets


def get(tlvs: Tlvs, tag: int) -> bytes | None:
    """The first value of `tag`, or None."""
    for found, value in tlvs:
        if found == tag:
            return value
    return None


def get_int(tlvs: Tlvs, tag: int) -> int | None:
    """The first value of `tag` as an unsigned integer; None when absent or empty."""
    value = get(tlvs, tag)
    return int.from_bytes(value, "big") if value else None
