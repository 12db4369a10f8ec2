"""An SMPP client of hand-made octets: it shares no code with the project, and it can misbehave."""

import socket
import struct
from types import TracebackType

HEADER = struct.Struct(">IIII")
NACK, BIND_RX, BIND_TX, QUERY, SUBMIT, DELIVER, UNBIND, CANCEL, BIND_TRX, ENQUIRE, MULTI, DATA = (
    *(0x80000000, 1, 2, 3, 4, 5, 6, 8, 9, 0x15, 0x21, 0x103),
)
RESP = 0x80000000


def tlv(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


def cut(body, strings):
    """The first `strings` C-octet strings of a body, where that is all there is before the rest."""
    parts = body.split(b"\0", strings)
    return [part.decode() for part in parts[:strings]], parts[strings]


class Pdu:
    """A PDU as it stood on the wire."""

    def __init__(self, raw):
        self.length, self.command, self.status, self.sequence = HEADER.unpack_from(raw)
        self.body = raw[16:]

    @property
    def id(self):
        return self.body.split(b"\0")[0].decode()

    @property
    def short(self):
        """(source, destination, esm_class, data_coding, text, TLVs) of a deliver_sm without times and service type."""
        assert self.command == DELIVER
        source, rest = self.body[3:].split(b"\0", 1)
        destination, rest = rest[2:].split(b"\0", 1)
        esm_class, data_coding, size = rest[0], rest[7], rest[9]
        text, rest = rest[10 : 10 + size], rest[10 + size :]
        tlvs = {}
        while rest:
            tag, length = struct.unpack_from(">HH", rest)
            tlvs[tag], rest = rest[4 : 4 + length], rest[4 + length :]
        return source.decode(), destination.decode(), esm_class, data_coding, text, tlvs


class Peer:
    """One connection. Everything waits with a deadline."""

    def __init__(self, port, *, wrap=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        if wrap is not None:
            self.socket = wrap(self.socket)
        self._sequence = 0
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.socket.close()

    def pdu(self, command, body=b"", *, sequence=None, status=0):
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        return HEADER.pack(16 + len(body), command, status, sequence) + body

    def send(self, command, body=b"", *, sequence=None, status=0):
        raw = self.pdu(command, body, sequence=sequence, status=status)
        self.socket.sendall(raw)
        return HEADER.unpack_from(raw)[3]

    def bind(self, command=BIND_TRX, system_id="client", password="secret"):
        self.send(command, system_id.encode() + b"\0" + password.encode() + b"\0\0\x34\0\0\0")
        return self.take()

    def submit_body(self, destination="8613800000001", text=b"hi", *, esm_class=0, registered=1, coding=0, tlvs=b"", size=None):
        head = b"\0\0\x0110690000\0\1\1" + destination.encode() + b"\0"
        return (
            head + bytes((esm_class, 0, 0, 0, 0, registered, 0, coding, 0, len(text) if size is None else size)) + text + tlvs
        )

    def submit(self, *args, sequence=None, **fields):
        return self.send(SUBMIT, self.submit_body(*args, **fields), sequence=sequence)

    def take(self):
        """The next PDU, of whatever kind."""
        while len(self._buffer) < 4 or len(self._buffer) < int.from_bytes(self._buffer[:4], "big"):
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        size = int.from_bytes(self._buffer[:4], "big")
        raw, self._buffer = self._buffer[:size], self._buffer[size:]
        return Pdu(raw)

    def take_many(self, count):
        return [self.take() for _ in range(count)]

    def ack(self, deliver, status=0):
        self.send(DELIVER | RESP, b"\0", sequence=deliver.sequence, status=status)

    def unbind(self):
        """Leave politely: everything sent before was read when this returns."""
        sequence = self.send(UNBIND)
        answer = self.take()
        assert (answer.command, answer.sequence) == (UNBIND | RESP, sequence)
        assert self.ended() == "eof"

    def ended(self):
        """Wait for the other side to close: `eof` or `reset`."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return "reset"
        return "eof"
