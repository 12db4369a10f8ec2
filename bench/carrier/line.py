"""The TCP side of one connection, and the ways in which a line can break: reset, silence, a client that does not read."""

import asyncio
import socket
import struct
from typing import cast

_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_TCP_ENDED = frozenset({7, 8})  # CLOSE and CLOSE_WAIT, of tcp_info.tcpi_state


class Line(asyncio.Protocol):
    """What a connection is to TCP. `silent`: open, but nothing is read or written."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.silent = False
        self.gone = False
        self.congested = False
        """The client does not read: it gets nothing more, and is not read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def pause_writing(self) -> None:
        self.congested = True
        self._pause_reading()

    def resume_writing(self) -> None:
        self.congested = False
        if not self.silent and not self.gone:
            self.transport.resume_reading()
            self.room_again()

    def room_again(self) -> None:
        """The client reads again."""
        raise NotImplementedError

    def _pause_reading(self) -> None:
        if not self.gone and self.transport.is_reading():
            self.transport.pause_reading()

    def silence(self) -> None:
        """Keep the socket, read nothing. Whoever writes looks at `silent`."""
        self.silent = True
        self._pause_reading()

    def end_silence(self) -> None:
        """Read again."""
        self.silent = False
        if not self.gone and not self.congested:
            self.transport.resume_reading()

    def peer_ended(self) -> bool:
        """Whether the client has closed. Asked of the kernel: nobody reads a silent line, so nobody is told (Linux only)."""
        tcp_info = getattr(socket, "TCP_INFO", None)
        if tcp_info is None:
            return False
        sock = self.transport.get_extra_info("socket")
        return sock.getsockopt(socket.IPPROTO_TCP, tcp_info, 1)[0] in _TCP_ENDED

    def reset(self) -> None:
        """RST instead of FIN; whatever waits is lost."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self.transport.abort()
