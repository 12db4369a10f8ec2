"""TLS over the same wire: ssl.MemoryBIO between the session and the socket, so that progress stays visible.

What was handed to TLS counts as written: no one can tell which of it the peer has read when the connection fails.
"""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import trio

from config.schema import ClientTls, ServerTls
from gateway.core.wire import RECEIVE_MAX, Wire


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """For clients that connect to us. Raises OSError or ssl.SSLError when the files do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(Path(tls.cert), Path(tls.key))
    return context


def client_context(tls: ClientTls) -> ssl.SSLContext:
    """For a carrier. With `verify = false` the certificate is not looked at."""
    context = ssl.create_default_context(cafile=tls.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsWire(Wire):
    """A wire inside TLS. Call `handshake` first."""

    def __init__(
        self,
        sock: socket.socket,
        nursery: trio.Nursery,
        now: Callable[[], float],
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_name: str | None = None,
        tick_s: float = 0.0,
    ) -> None:
        super().__init__(sock, nursery, now, tick_s)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_name)
        self._given = 0

    @property
    def written(self) -> int:
        return self._given

    async def handshake(self) -> None:
        """Raises ssl.SSLError, or OSError when the peer goes away."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push()
                if not await self._pull():
                    raise OSError("the peer closed during the TLS handshake") from None
            else:
                self._push()
                return

    async def receive(self, *, urgent: bool = False) -> bytes:
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self._tls.read(RECEIVE_MAX)
            except ssl.SSLWantReadError:
                self._push()
                if not await self._pull(urgent=urgent):
                    return b""
            except (ssl.SSLError, OSError):
                return b""

    def send(self, data: bytes) -> None:
        if not data:
            return
        self._given += len(data)
        try:
            self._tls.write(data)
        except (ssl.SSLError, OSError):
            self.close()
        self._push()

    async def _pull(self, *, urgent: bool = True) -> bool:
        raw = await self._receive_raw(urgent=urgent)
        if raw:
            self._incoming.write(raw)
        return bool(raw)

    def _push(self) -> None:
        raw = self._outgoing.read()
        if raw:
            self._send_raw(raw)
