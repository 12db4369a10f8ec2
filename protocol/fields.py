"""How one mandatory field stands on the wire (SMPP 3.4 section 3.1), and what a wrong one is answered with.

`pdu.py` hangs these on its annotations; `codec.py` walks them. Sizes include the NUL of a C-octet string.
"""

from struct import Struct
from typing import Any, NamedTuple

from protocol.errors import FieldError, LocalProtocolError
from protocol.status import Status

U32_STRUCT = Struct(">I")


class Field:
    """One field: `read` gives (value, next position), `write` appends; `lenient` reads whatever is there."""

    def __init__(self, status: Status = Status.RINVCMDLEN) -> None:
        self.status = status

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[Any, int]:
        raise NotImplementedError

    def write(self, value: Any, out: bytearray) -> None:
        raise NotImplementedError

    def short(self, lenient: bool, reason: str) -> None:
        """The PDU ends inside this field: fine for a response, an error in a request."""
        if not lenient:
            raise FieldError(reason, self.status)


class U8(Field):
    """One octet."""

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[int, int]:
        if at >= end:
            self.short(lenient, "the PDU ends before an integer")
            return 0, at
        return buf[at], at + 1

    def write(self, value: int, out: bytearray) -> None:
        if not 0 <= value <= 0xFF:
            raise LocalProtocolError(f"{value} does not fit one octet")
        out.append(value)


class CString(Field):
    """ASCII ended by NUL. Octets above 0x7F are kept as Latin-1: a peer's bad spelling must come back as it was."""

    def __init__(self, size_max: int, status: Status = Status.RINVCMDLEN) -> None:
        super().__init__(status)
        self.size_max = size_max

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[str, int]:
        stop = buf.find(0, at, end)
        if stop < 0:
            self.short(lenient, "a string is not ended inside the PDU")
            return str(buf[at:end], "latin-1"), end
        if stop - at >= self.size_max and not lenient:
            raise FieldError(f"a string of {stop - at} characters, at most {self.size_max - 1} allowed", self.status)
        return str(buf[at:stop], "latin-1"), stop + 1

    def write(self, value: str, out: bytearray) -> None:
        try:
            raw = value.encode("latin-1")
        except UnicodeEncodeError:
            raise LocalProtocolError("a string has characters outside Latin-1") from None
        if len(raw) >= self.size_max or 0 in raw:
            # The value stays out of the text: it may be a password or a subscriber's number.
            raise LocalProtocolError(f"a string of {len(raw)} characters, at most {self.size_max - 1} and no NUL allowed")
        out += raw
        out.append(0)


class SmppTime(CString):
    """Empty or exactly 16 characters and the NUL (section 7.1.1)."""

    def __init__(self, status: Status) -> None:
        super().__init__(17, status)

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[str, int]:
        value, stop = super().read(buf, at, end, lenient)
        if value and len(value) != 16 and not lenient:
            raise FieldError(f"a time of {len(value)} characters, 0 or 16 allowed", self.status)
        return value, stop

    def write(self, value: str, out: bytearray) -> None:
        if len(value) not in (0, 16):
            raise LocalProtocolError(f"a time of {len(value)} characters, 0 or 16 allowed")
        super().write(value, out)


class ShortMessage(Field):
    """sm_length and short_message. 255 is read (5.0 allows it) and never written."""

    def __init__(self) -> None:
        super().__init__(Status.RINVMSGLEN)

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[bytes, int]:
        if at >= end or at + 1 + buf[at] > end:
            self.short(lenient, "sm_length reaches beyond the PDU")
            return b"", end
        stop = at + 1 + buf[at]
        return buf[at + 1 : stop], stop

    def write(self, value: bytes, out: bytearray) -> None:
        if len(value) > 254:
            raise LocalProtocolError(f"short_message of {len(value)} octets, at most 254: use message_payload or parts")
        out.append(len(value))
        out += value


class Destination(NamedTuple):
    """One entry of submit_multi: an SME address, or (`dl_name` set) a distribution list."""

    ton: int = 0
    npi: int = 0
    addr: str = ""
    dl_name: str = ""


class Unsuccess(NamedTuple):
    """One destination submit_multi could not take, and why."""

    ton: int
    npi: int
    addr: str
    status: int


_U8 = U8()
_ADDR = CString(21, Status.RINVDSTADR)
_DL_NAME = CString(21, Status.RINVDLNAME)


class Destinations(Field):
    """number_of_dests and the dest_address entries (section 4.5.1.1), at most 254."""

    def __init__(self) -> None:
        super().__init__(Status.RINVNUMDESTS)

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[tuple[Destination, ...], int]:
        count, at = _U8.read(buf, at, end, lenient)
        found = []
        for _ in range(count):
            flag, at = _U8.read(buf, at, end, lenient)
            if flag == 1:
                ton, at = _U8.read(buf, at, end, lenient)
                npi, at = _U8.read(buf, at, end, lenient)
                addr, at = _ADDR.read(buf, at, end, lenient)
                found.append(Destination(ton, npi, addr))
            elif flag == 2:
                name, at = _DL_NAME.read(buf, at, end, lenient)
                found.append(Destination(dl_name=name))
            else:
                raise FieldError(f"dest_flag {flag}, 1 or 2 allowed", Status.RINVDESTFLAG)
        return tuple(found), at

    def write(self, value: tuple[Destination, ...], out: bytearray) -> None:
        if len(value) > 254:
            raise LocalProtocolError(f"{len(value)} destinations, at most 254")
        out.append(len(value))
        for one in value:
            if one.dl_name:
                out.append(2)
                _DL_NAME.write(one.dl_name, out)
            else:
                out += bytes((1, one.ton, one.npi))
                _ADDR.write(one.addr, out)


class Unsuccesses(Field):
    """no_unsuccess and the unsuccess_sme entries of submit_multi_resp (section 4.5.2.1)."""

    def read(self, buf: bytes, at: int, end: int, lenient: bool) -> tuple[tuple[Unsuccess, ...], int]:
        count, at = _U8.read(buf, at, end, lenient)
        found: list[Unsuccess] = []
        for _ in range(count):
            if at >= end:
                break
            ton, at = _U8.read(buf, at, end, lenient)
            npi, at = _U8.read(buf, at, end, lenient)
            addr, at = _ADDR.read(buf, at, end, lenient)
            if at + 4 > end:
                return tuple(found), end
            found.append(Unsuccess(ton, npi, addr, U32_STRUCT.unpack_from(buf, at)[0]))
            at += 4
        return tuple(found), at

    def write(self, value: tuple[Unsuccess, ...], out: bytearray) -> None:
        _U8.write(len(value), out)
        for one in value:
            out += bytes((one.ton, one.npi))
            _ADDR.write(one.addr, out)
            out += U32_STRUCT.pack(one.status)
