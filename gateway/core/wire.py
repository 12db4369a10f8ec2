"""A TCP socket in batches: `receive` gives what is there, `send` takes everything and never waits.

Raw non-blocking recv and send; the event loop is asked only when the kernel says "not now". One writer per socket: while a
rest is being drained, further octets join its end, so a partial send is never overtaken by the next one.
"""

import math
import socket
from collections.abc import Callable

import trio

from gateway.core.gather import gather

RECEIVE_MAX = 65_536


class Wire:
    """`nursery` runs the drain of what the kernel did not take at once; `now` is the boot clock.

    `tick_s`: when much comes in it is read once in so many seconds, see `gather.py`; 0: always at once.
    """

    def __init__(self, sock: socket.socket, nursery: trio.Nursery, now: Callable[[], float], tick_s: float = 0.0) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._nursery = nursery
        self._now = now
        self._rest = bytearray()
        self._gather = gather()
        self._tick_s = tick_s
        self._read_at = -math.inf
        self._often = False
        """Whether it brings something in every tick or so."""
        self._closed = False
        self._raw_written = 0
        self._stalled_at: float | None = None
        self._drained = trio.Event()

    @property
    def written(self) -> int:
        """Octets of the caller's stream that may have reached the peer."""
        return self._raw_written

    @property
    def waiting(self) -> int:
        """Octets the kernel has not taken yet."""
        return len(self._rest)

    def stalled_s(self, now: float) -> float:
        """Seconds since the peer last took anything, while something waits for it; else 0."""
        return 0.0 if self._stalled_at is None else now - self._stalled_at

    async def receive(self, *, urgent: bool = False) -> bytes:
        """What the peer sent, at most 64 KB; empty when the connection is over, for whatever reason.

        `urgent`: somebody waits for it, so it is read as soon as it is there.
        """
        return await self._receive_raw(urgent=urgent)

    async def _receive_raw(self, *, urgent: bool = False) -> bytes:
        while not self._closed:
            # Asked first, and not only on EAGAIN: the others have their turn, and what comes meanwhile joins this read.
            try:
                if self._often and self._gather.busy and not urgent:
                    await self._gather.wait(self._tick_s)
                else:
                    await trio.lowlevel.wait_readable(self._sock)
                data = self._sock.recv(RECEIVE_MAX)
            except BlockingIOError:
                self._often = False
                continue
            except (OSError, trio.ClosedResourceError):
                return b""
            now = trio.current_time()
            self._often = now - self._read_at < 2 * self._tick_s
            self._read_at = now
            self._gather.note(len(data), now)
            return data
        await trio.lowlevel.checkpoint()
        return b""

    def send(self, data: bytes) -> None:
        """Send `data`, now or as the peer takes it. On a dead connection nothing happens: `receive` tells."""
        if data:
            self._send_raw(data)

    def _send_raw(self, data: bytes) -> None:
        if self._closed:
            return
        if self._rest:
            self._rest += data
            return
        sent = self._try(data)
        if sent < len(data) and not self._closed:
            self._rest += data[sent:]
            self._stalled_at = self._now()
            self._drained = trio.Event()
            self._nursery.start_soon(self._drain)

    def _try(self, data: bytes | bytearray) -> int:
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return 0
        self._raw_written += sent
        return sent

    async def _drain(self) -> None:
        while self._rest and not self._closed:
            try:
                await trio.lowlevel.wait_writable(self._sock)
            except trio.ClosedResourceError:
                break
            sent = self._try(self._rest)
            if sent:
                del self._rest[:sent]
                self._stalled_at = self._now()
        self._stalled_at = None
        self._drained.set()

    async def wait_sent(self) -> None:
        """Until the kernel has taken everything, or the connection is over."""
        if self._rest:
            await self._drained.wait()

    def close(self) -> None:
        """Close at once; `receive` gives nothing from now on. Nothing that waits is sent any more."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
            self._rest.clear()
