"""The listening port: it closes, so that connections are refused, and opens again under the same number."""

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.carrier.smsc import Smsc

_BACKLOG = 4096


class Port:
    """Where the carrier listens. `number` is known once it is open."""

    def __init__(self, smsc: "Smsc", tls: ssl.SSLContext | None = None) -> None:
        self.number = smsc.options.port
        self._smsc = smsc
        self._tls = tls
        self._wanted = False
        self._server: asyncio.Server | None = None
        self._guard: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Listen; gives the number. Raises OSError."""
        self._wanted = True
        options, loop = self._smsc.options, self._smsc.loop
        server = await loop.create_server(
            self._smsc.factory, options.host, self.number, backlog=_BACKLOG, ssl=self._tls, reuse_address=True
        )
        self.number = server.sockets[0].getsockname()[1]
        self._server, self._opening = server, None
        self._let_go()
        if not self._wanted:
            self.close()
        return self.number

    def listen(self) -> None:
        """Open soon, unless it is open."""
        self._wanted = True
        if self._server is None and self._opening is None:
            self._opening = self._smsc.loop.create_task(self._open_again())

    async def _open_again(self) -> None:
        await self.open()

    def close(self) -> None:
        """Connections that are there stay, new ones are refused."""
        self._wanted = False
        server, self._server = self._server, None
        if server is None:
            return
        family, address = server.sockets[0].family, server.sockets[0].getsockname()
        server.close()
        # A port nobody holds may become the near end of anyone's connection, even of one to itself.
        self._guard = socket.socket(family)
        self._guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._guard.bind(address)

    def end(self) -> None:
        """The carrier ends."""
        if self._opening is not None:
            self._opening.cancel()
        self.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None
