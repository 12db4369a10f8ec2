"""A loopback proxy that knows where SMPP PDUs begin and end, and breaks the line between two peers when told to.

It listens on a port of the kernel's choice and connects on to `target_port` (None: nobody is there). It runs on an asyncio loop
in a thread of its own; the faults are plain attributes that a test switches while PDUs pass:

- `cut`: the next PDU of this command is passed on half, then the connection is reset
- `drop`, `delay_s`: this share of submit_sm_resp is swallowed; they are this much late (jittered, so they overtake each other)
- `blackhole`: connections stay and nothing passes, until `heal`
- `hold_receipts`: deliver_sm wait, until `heal`
- `repeat`, `contradict`: this share of receipts comes twice; the second time with another final state
- `reset()`: RST to both sides of every connection

`watch` calls a function at the n-th PDU of a command, before it is passed on. Chance comes from the seed alone.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

from protocol.commands import Command

HEADER = struct.Struct(">4I")
RST_ON_CLOSE = struct.pack("ii", 1, 0)
COPIES_FROM = 0x70000000
"""Sequence numbers of receipts the proxy made itself; their answers go no further."""
DELIVERED = (b"stat:DELIVRD", b"\x04\x27\x00\x01\x02")
UNDELIVERABLE = (b"stat:UNDELIV", b"\x04\x27\x00\x01\x05")


class End(asyncio.Protocol):
    """One side of a connection; `other` is the opposite one."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None
        self.waiting: list[bytes] = []
        """What must be written once this side is connected, or the blackhole is over."""
        self.unanswered: set[int] = set()
        """submit_sm that came from this side and whose response has not been passed back."""
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.proxy.ends.add(self)
        self.flush()
        if self.other is None:
            self.proxy.connect(self)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 4:
            size = int.from_bytes(buffer[:4], "big")
            if len(buffer) < size:
                break
            pdu = bytes(buffer[:size])
            del buffer[:size]
            self.proxy.passes(self, pdu)

    def connection_lost(self, _error: Exception | None) -> None:
        """What was written before the loss is still passed on, then the other side is closed as well."""
        self.proxy.ends.discard(self)
        self.proxy.lost += len(self.unanswered)
        self.unanswered.clear()
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def write(self, data: bytes) -> None:
        """Hand octets to the peer on this side."""
        if self.proxy.blackhole or self.transport is None:
            self.waiting.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def flush(self) -> None:
        """Write what waited."""
        waiting, self.waiting = self.waiting, []
        for data in waiting:
            self.write(data)

    def reset(self) -> None:
        """RST; what waits is lost."""
        if self.transport is not None:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            self.transport.abort()


class Proxy:
    """See the module. `seen` counts what came, `lost` the submits whose response never passed before their connection ended."""

    def __init__(self, target_port: int | None, seed: int = 0) -> None:
        self.target_port = target_port
        self.cut: Command | None = None
        self.drop = 0.0
        self.delay_s = 0.0
        self.blackhole = False
        self.hold_receipts = False
        self.repeat = 0.0
        self.contradict = False
        self.seen: Counter[Command] = Counter()
        self.cuts = self.resets = self.dropped = self.copies = self.lost = 0
        self.ends: set[End] = set()
        self._random = random.Random(seed)
        self._held: list[tuple[End, bytes]] = []
        self._watches: list[tuple[Command, int, Callable[[], None]]] = []
        self._loop = asyncio.new_event_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        listening = self._loop.create_server(lambda: End(self), "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(listening)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    # -- for the test's thread

    @property
    def ambiguous(self) -> int:
        """Submits of which the sender cannot know the outcome: no response has been passed back."""
        return self.lost + self.open

    @property
    def open(self) -> int:
        """Submits on living connections whose response has not been passed back."""
        return sum(len(end.unanswered) for end in list(self.ends))

    def watch(self, command: Command, count: int, action: Callable[[], None]) -> threading.Event:
        """Call `action` at the `count`-th PDU of `command` from now on; the event is set after it."""
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._call(lambda: self._watches.append((command, self.seen[command] + count, act)))
        return done

    def heal(self) -> None:
        """No faults any more; what waited is passed on."""
        self.cut, self.drop, self.delay_s, self.repeat, self.contradict = None, 0.0, 0.0, 0.0, False
        self.blackhole = self.hold_receipts = False
        self._call(self._release)

    def reset(self) -> None:
        """RST on every connection."""
        self.resets += 1
        self._call(self._reset)

    def close(self) -> None:
        """End everything."""
        self._call(self._server.close)
        self._call(self._reset)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), self._loop).result(5)  # let the resets leave
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, action: Callable[[], object]) -> None:
        """Run `action` on the loop's thread and wait for it; watches may call us from that thread."""
        if threading.current_thread() is self._thread:
            action()
            return

        async def call() -> None:
            action()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    # -- on the loop's thread

    def connect(self, near: End) -> None:
        """Someone has come: connect on to the target."""
        near.other = far = End(self)
        far.other = near
        task = self._loop.create_task(self._connect(near, far))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, near: End, far: End) -> None:
        try:
            if self.target_port is None:
                raise ConnectionRefusedError
            transport, _ = await self._loop.create_connection(lambda: far, "127.0.0.1", self.target_port)
        except OSError:
            near.reset()
            return
        if near not in self.ends:  # it has said what it wanted, and left
            transport.close()

    def _release(self) -> None:
        held, self._held = self._held, []
        for end, pdu in held:
            end.write(pdu)
        for end in self.ends:
            end.flush()

    def _reset(self) -> None:
        self._held.clear()
        for end in list(self.ends):
            end.reset()

    def passes(self, source: End, pdu: bytes) -> None:
        """One whole PDU from `source`: count it, tell who watches, and pass it on as the faults allow."""
        assert source.other is not None
        _, number, status, sequence = HEADER.unpack_from(pdu)
        if number not in Command._value2member_map_:
            source.other.write(pdu)
            return
        command = Command(number)
        self.seen[command] += 1
        for watch in [one for one in self._watches if one[0] == command and one[1] <= self.seen[command]]:
            self._watches.remove(watch)
            watch[2]()
        if command is self.cut:
            self._cut(source, pdu)
        elif command is Command.SUBMIT_SM:
            source.unanswered.add(sequence)
            source.other.write(pdu)
        elif command is Command.SUBMIT_SM_RESP:
            self._response(source.other, pdu, sequence)
        elif command is Command.DELIVER_SM:
            self._receipt(source.other, pdu, status)
        elif command is not Command.DELIVER_SM_RESP or sequence < COPIES_FROM:
            source.other.write(pdu)

    def _cut(self, source: End, pdu: bytes) -> None:
        assert source.other is not None
        self.cut = None
        self.cuts += 1
        if pdu[7] == Command.SUBMIT_SM:
            self.lost += 1
        source.other.write(pdu[: self._random.randrange(1, len(pdu))])
        if source.other.transport is not None:
            source.other.transport.close()  # the half leaves before the end
        source.reset()

    def _response(self, to: End, pdu: bytes, sequence: int) -> None:
        if self.drop and self._random.random() < self.drop:
            self.dropped += 1
        elif self.delay_s:
            self._loop.call_later(self.delay_s * self._random.uniform(0.5, 1.0), self._answer, to, pdu, sequence)
        else:
            self._answer(to, pdu, sequence)

    def _answer(self, to: End, pdu: bytes, sequence: int) -> None:
        to.unanswered.discard(sequence)
        to.write(pdu)

    def _receipt(self, to: End, pdu: bytes, status: int) -> None:
        copies = [pdu]
        if self.repeat and self._random.random() < self.repeat:
            self.copies += 1
            copy = pdu[:8] + HEADER.pack(0, 0, status, COPIES_FROM + self.copies)[8:] + pdu[16:]
            if self.contradict:
                for was, becomes in zip(DELIVERED, UNDELIVERABLE, strict=True):
                    copy = copy.replace(was, becomes)
            copies.append(copy)
        for one in copies:
            if self.hold_receipts:
                self._held.append((to, one))
            else:
                to.write(one)
