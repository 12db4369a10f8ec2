"""The listening port: it closes, so that connections are refused, and opens again under the same number."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.carrier.smsc import Smsc

_BACKLOG = 4096


class Port:
    """Where the carrier listens."""

    def __init__(self, smsc: "Smsc", tls: ssl.SSLContext | None = None) -> None:
        self._smsc = smsc
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        """Has the number while nobody listens: a free one may become the near end of anyone's connection, even to itself."""
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Listen; gives the number. Raises OSError."""
        options, loop = self._smsc.options, self._smsc.loop
        self._server = await loop.create_server(self._smsc.factory, options.host, options.port, backlog=_BACKLOG, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Connections that are there stay, new ones are refused."""
        if self._opening is not None and self._held is not None:  # told to listen a moment ago
            self._opening.cancel()
            self._opening = None
            self._hold(self._held.family, self._held.getsockname(), self._held.close)
        if self._server is not None:
            listening = self._server.sockets[0]
            self._hold(listening.family, listening.getsockname(), self._server.close)
            self._server = None

    def _hold(self, family: socket.AddressFamily | int, address: Any, close: Callable[[], None]) -> None:
        """Keep the number of a listener that closes."""
        close()
        self._held = socket.socket(family)
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(address)

    def listen(self) -> None:
        """Connections are accepted again from this moment on."""
        if self._held is not None and self._opening is None:
            self._held.listen(_BACKLOG)
            self._opening = self._smsc.loop.create_task(self._serve(self._held))

    async def _serve(self, listening: socket.socket) -> None:
        self._server = await self._smsc.loop.create_server(self._smsc.factory, sock=listening, backlog=_BACKLOG, ssl=self._tls)
        self._held = self._opening = None

    def end(self) -> None:
        """The carrier ends."""
        self.close()
        if self._held is not None:
            self._held.close()
