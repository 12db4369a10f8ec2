"""A carrier at the other end of a socket pair: real sessions, answers as told. Nothing of it listens anywhere."""

import socket
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import trio

from protocol.events import Answered
from protocol.pdu import BindRequest, DeliverSm, Pdu, SubmitSm
from protocol.session import Session, Timers
from protocol.states import Role

Reply = int | str | None
"""To one submit: an error status, the id of the message, or silence."""


class Line:
    """One connection of the gateway to this carrier."""

    def __init__(self, sock: socket.socket, reading: trio.Event) -> None:
        self.stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        timers = Timers(session_init_s=None, enquire_link_s=None, partial_pdu_s=None)
        self.session = Session(Role.SMSC, trio.current_time(), window=1_000, timers=timers)
        self.held: list[SubmitSm] = []
        self.submits: list[SubmitSm] = []
        self.answers: list[Answered] = []
        self.unanswered_max = 0
        self.reading = reading
        self._sending = trio.Lock()

    async def flush(self) -> None:
        async with self._sending:
            await self.stream.send_all(self.session.data_to_send())

    async def respond(self, sequence: int, reply: int | str) -> None:
        """Answer a submit that was held back."""
        status, message_id = (0, reply) if isinstance(reply, str) else (reply, "")
        self.session.respond_submit(sequence, status, message_id)
        self.held = [one for one in self.held if one.sequence != sequence]
        await self.flush()

    async def deliver(self, *pdus: DeliverSm) -> None:
        for pdu in pdus:
            self.session.request(pdu, pdu.short_message, trio.current_time())
        await self.flush()

    def drop(self) -> None:
        """The link dies without a word."""
        self.stream.socket.close()

    @property
    def dead(self) -> bool:
        """Whether it is closed."""
        return self.stream.socket.fileno() < 0


class Smsc:
    """`reply` says what is answered; `bind_status` what binds get; `refusing` lets no connection through."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.reply: Callable[[SubmitSm], Reply] = lambda pdu: f"id-{self.count}"
        self.bind_status = 0
        self.refusing = False
        self.buffer = 1 << 20
        self.reading = trio.Event()
        self.reading.set()
        self.lines: list[Line] = []
        self.submits: list[SubmitSm] = []
        self.connects: list[float] = []
        self._nursery = nursery

    @property
    def count(self) -> int:
        return len(self.submits)

    @property
    def line(self) -> Line:
        """The latest connection."""
        return self.lines[-1]

    async def connect(self, host: str, port: int) -> SimpleNamespace:
        """Stands in for trio.open_tcp_stream."""
        self.connects.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.refusing:
            raise ConnectionRefusedError(111, "Connection refused")
        theirs, ours = socket.socketpair()
        for sock in (theirs, ours):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer)
        ours.setblocking(False)
        line = Line(ours, self.reading)
        self.lines.append(line)
        self._nursery.start_soon(self._serve, line)
        return SimpleNamespace(socket=theirs)

    async def _serve(self, line: Line) -> None:
        try:
            while True:
                await line.reading.wait()
                data = await line.stream.receive_some(65_536)
                if not data:
                    return
                await self._handle(line, line.session.receive_data(data, trio.current_time()))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            line.drop()

    async def _handle(self, line: Line, events: Sequence[object]) -> None:
        for event in events:
            if isinstance(event, BindRequest):
                if self.bind_status:
                    line.session.refuse_bind(event, self.bind_status)
                else:
                    line.session.accept_bind(event, "carrier", trio.current_time())
            elif isinstance(event, SubmitSm):
                self._submit(line, event)
            elif isinstance(event, Answered):
                line.answers.append(event)
            else:
                assert not isinstance(event, Pdu), event
        await line.flush()

    def _submit(self, line: Line, pdu: SubmitSm) -> None:
        self.submits.append(pdu)
        line.submits.append(pdu)
        line.unanswered_max = max(line.unanswered_max, line.session.unanswered)
        reply = self.reply(pdu)
        if reply is None:
            line.held.append(pdu)
        elif isinstance(reply, str):
            line.session.respond_submit(pdu.sequence, 0, reply)
        else:
            line.session.respond_submit(pdu.sequence, reply, "")
