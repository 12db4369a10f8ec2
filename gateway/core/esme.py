"""The door for SMPP clients: connections, binds, batches in, answers and receipts out.

One task per connection reads; a read's submits go to the pipeline as one batch, and the answers come back by session number,
one write per connection. A client that has its window full is not read until answers are out: its TCP stream waits, nothing
is refused for being early. Time passes for all connections in one sweep.
"""

import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from itertools import count

import trio

from config.schema import Account, Config, Smpp
from gateway import log
from gateway.clock import Clock
from gateway.core.accounts import Authenticator, Denied
from gateway.core.connection import Connection
from gateway.core.desk import Desk
from gateway.core.gather import CLIENTS_S
from gateway.core.notices import Notices
from gateway.core.pieces import Piece
from gateway.core.pipeline import Pipeline
from gateway.core.rates import Rates
from gateway.core.reader import Reader
from gateway.core.submission import Submission, refused_submit, response_of
from gateway.core.tls import TlsWire, server_context
from gateway.core.wire import Wire
from gateway.store.base import RequestRecord
from protocol.commands import Command
from protocol.events import Answered, Ended, Event, Unanswered, Violation
from protocol.pdu import (
    BindRequest,
    CancelSm,
    DataSm,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    response_to,
)
from protocol.session import Session, Timers
from protocol.states import BOUND, Role, State
from protocol.status import Status
from routing.records import Notice
from routing.throttle import TokenBucket

_CLOSED = State.CLOSED
_THROTTLED = Status.RTHROTTLED
_SUBMIT_SM = int(Command.SUBMIT_SM)
SWEEP_S = 0.1
SWEEP_SHARE = 5
"""Every connection has its timers looked at once in SWEEP_S * SWEEP_SHARE seconds."""
WRITE_BACK_S = 1.0
REFUSED_LOG_S = 1.0
STRANGER_LINES = 20.0


class EsmeFront:
    """All client connections. It is the pipeline's Front."""

    def __init__(
        self,
        config: Config,
        pipeline: Pipeline,
        notices: Notices,
        reader: Reader,
        desk: Desk,
        clock: Clock,
        rates: Rates | None = None,
    ) -> None:
        self.connections: dict[int, Connection] = {}
        self._pipeline = pipeline
        self._notices = notices
        self._desk = desk
        self._clock = clock
        self._rates = rates or Rates()
        self._numbers = count(1)
        self._unbound = 0
        self._refused = 0
        self._refused_told = 0.0
        self._stranger_lines = TokenBucket(STRANGER_LINES, 5 * STRANGER_LINES)
        self._bound: Counter[str] = Counter()
        self._nursery: trio.Nursery | None = None
        self._log = log.logger()
        self._auth = Authenticator({}, config.smpp.bind_failures_per_minute)
        self.configure(config, reader)

    def configure(self, config: Config, reader: Reader) -> None:
        """Take over accounts and limits; sessions that are bound keep the account they bound with, with new limits."""
        self._smpp: Smpp = config.smpp
        self._reader = reader
        self._tls = server_context(config.smpp.tls) if config.smpp.tls else None
        self._auth.configure({one.system_id: one for one in config.accounts}, config.smpp.bind_failures_per_minute)
        self._rates.configure(config.accounts)
        for connection in self.connections.values():
            if connection.account is not None:
                self._reseat(connection, connection.account)

    def _reseat(self, connection: Connection, account: Account) -> None:
        current = self._auth.accounts.get(account.system_id)
        if current is None:
            connection.log.warning("account removed, session unbinds", account=account.system_id)
            connection.session.unbind(self._clock.now())
            connection.flush()
        else:
            connection.account = current
            connection.session.window.size = current.window

    # -- connections

    async def run(self, listener: socket.socket) -> None:
        """Accept and serve until cancelled; the sockets are closed then."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._sweep)
            nursery.start_soon(self._accept, listener)

    async def _accept(self, listener: socket.socket) -> None:
        assert self._nursery is not None
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                try:
                    await trio.lowlevel.wait_readable(listener)
                except trio.ClosedResourceError:
                    return
                continue
            except ConnectionError:
                continue
            except OSError as error:
                if listener.fileno() < 0:
                    return
                # Out of descriptors: what is connected goes on, the next try may find one.
                self._log.error("cannot accept", error=error.strerror)
                await trio.sleep(WRITE_BACK_S)
                continue
            if self._welcome(address[0]):
                self._nursery.start_soon(self._serve, sock, str(address[0]))
            else:
                sock.close()
            await trio.lowlevel.checkpoint()  # a flood of connections must not starve those that are there

    def _welcome(self, host: str) -> bool:
        now = self._clock.now()
        if self._auth.barred(host, now):
            reason = "too many failed binds from this address"
        elif self._unbound >= self._smpp.unbound_max or len(self.connections) >= self._smpp.connections_max:
            reason = "too many connections"
        else:
            return True
        self._refused += 1
        if now >= self._refused_told + REFUSED_LOG_S:  # a flood must not fill the log
            self._log.warning("connections refused", peer=host, reason=reason, refused=self._refused)
            self._refused, self._refused_told = 0, now
        return False

    async def _serve(self, sock: socket.socket, host: str) -> None:
        assert self._nursery is not None
        self._unbound += 1
        number = next(self._numbers)
        smpp = self._smpp
        wire: Wire
        if self._tls is not None:
            wire = TlsWire(sock, self._nursery, self._clock.now, self._tls, server_side=True, tick_s=CLIENTS_S)
        else:
            wire = Wire(sock, self._nursery, self._clock.now, CLIENTS_S)
        timers = Timers(
            session_init_s=smpp.session_init_s,
            partial_pdu_s=smpp.partial_pdu_s,
            enquire_link_s=smpp.enquire_link_s,
            inactivity_s=smpp.inactivity_s,
            response_timeout_s=smpp.response_timeout_s,
        )
        session = Session(Role.SMSC, self._clock.now(), timers=timers, pdu_size_max=smpp.pdu_size_max)
        connection = Connection(number, wire, session, host)
        self.connections[number] = connection
        try:
            if isinstance(wire, TlsWire):
                with trio.fail_after(smpp.session_init_s):
                    await wire.handshake()
            await self._talk(connection)
        except (ssl.SSLError, OSError, trio.TooSlowError) as error:
            connection.log.info("connection failed", reason=str(error) or "TLS handshake took too long")
        except Exception:  # one client's trouble, whatever it is, must not end the others
            connection.log.exception("bug: session closed")
        finally:
            self._gone(connection)

    def _gone(self, connection: Connection) -> None:
        connection.wire.close()
        del self.connections[connection.number]
        unsent, unknown = connection.session.lost(connection.wire.written)
        if connection.account is None:
            self._unbound -= 1
            return
        self._bound[connection.account.system_id] -= 1
        in_flight = [token for token in (*unknown, *unsent) if isinstance(token, Notice | Piece)]
        self._notices.left(connection.account.system_id, connection, in_flight)

    async def _talk(self, connection: Connection) -> None:
        session, wire = connection.session, connection.wire
        while True:
            data = await wire.receive()
            now = connection.session_now = self._clock.now()
            events = session.receive_data(data, now) if data else session.receive_eof()
            ended = await self._handle(connection, events, now)
            del events  # now, while they are at hand, and not when the next ones come
            connection.flush()
            if ended or not data:
                break
            while session.state is not State.CLOSED and connection.window_is_full:
                connection.room = trio.Event()
                await connection.room.wait()
        with trio.move_on_after(WRITE_BACK_S):
            await wire.wait_sent()

    # -- what clients say

    async def _handle(self, connection: Connection, events: list[Event], now: float) -> bool:
        """Deal with the events of one read. Gives whether the session ended."""
        submits: list[SubmitSm | SubmitMulti | DataSm] = []
        ended = False
        for event in events:
            if isinstance(event, (SubmitSm, DataSm, SubmitMulti)):
                submits.append(event)
            elif isinstance(event, Answered):
                self._notices.answered(event.token, event.answer.status)
            elif isinstance(event, BindRequest):
                ended |= not await self._bind(connection, event)
            elif isinstance(event, Pdu):
                await self._ask(connection, event)
            else:
                ended |= self._note(connection, event)
        if submits:
            self._submit(connection, submits, now)
        return ended

    def _note(self, connection: Connection, event: Event) -> bool:
        if isinstance(event, Unanswered):
            for token in event.tokens:
                self._notices.answered(token, Status.RX_T_APPN)
        elif isinstance(event, Violation):
            connection.violations.note(
                connection.log, "client broke the protocol", event.reason, account=connection.account_name
            )
        elif isinstance(event, Ended):
            # Strangers can come and go by the thousand: of them only so many lines a second.
            if connection.account is not None or self._stranger_lines.take(1, self._clock.now()):
                connection.log.info("session ended", account=connection.account_name, reason=event.reason)
            return True
        return False

    def _submit(self, connection: Connection, pdus: list[SubmitSm | SubmitMulti | DataSm], now: float) -> None:
        account, session = connection.account, connection.session
        assert account is not None
        utc = self._clock.utc()
        price = sum([len(pdu.destinations) if isinstance(pdu, SubmitMulti) else 1 for pdu in pdus])
        tokens = self._rates.take(account.system_id, price, now)
        number, read, short_ids = connection.number, self._reader.read, not session.takes_tlvs
        handed: list[Submission] = []
        for pdu in pdus:
            tokens -= len(pdu.destinations) if isinstance(pdu, SubmitMulti) else 1
            if tokens < 0:
                session.respond(response_to(pdu, _THROTTLED))
                continue
            messages = read(pdu, account, now, utc, short_ids=short_ids)
            if isinstance(messages, list):
                handed.append(Submission(number, pdu.sequence, pdu.command_id, messages))
            else:
                session.respond(response_to(pdu, messages))
        if handed:
            self._pipeline.submit(self, handed)

    async def _ask(self, connection: Connection, pdu: Pdu) -> None:
        assert connection.account is not None
        if isinstance(pdu, QuerySm | CancelSm | ReplaceSm):
            connection.session.respond(await self._desk.answer(pdu, connection.account))
        else:
            connection.session.respond(response_to(pdu, Status.RINVCMDID))

    async def _bind(self, connection: Connection, request: BindRequest) -> bool:
        """Bind, or refuse and give False: the connection closes."""
        now = self._clock.now()
        try:
            account = await self._auth.check(request.command_id, request.system_id, request.password, connection.host, now)
        except Denied as denied:
            if denied.guess:
                self._auth.note_failure(connection.host, request.system_id, now)
            await trio.sleep(self._smpp.bind_failure_delay_s)
            return self._refuse_bind(connection, request, Status.RBINDFAIL, denied.reason)
        current = self._auth.accounts.get(account.system_id)
        if current is None:
            return self._refuse_bind(connection, request, Status.RBINDFAIL, "the account was removed")
        account = current
        if not self._pipeline.accepting:
            return self._refuse_bind(connection, request, Status.RSYSERR, "shutting down")
        if self._bound[account.system_id] >= account.binds_max:
            return self._refuse_bind(connection, request, Status.RALYBND, f"{account.binds_max} binds, the account has no more")
        connection.account = account
        self._bound[account.system_id] += 1
        self._unbound -= 1
        connection.session.window.size = account.window
        connection.session.accept_bind(request, self._smpp.system_id, now)
        connection.log.info("bound", account=account.system_id, kind=Command(request.command_id).name.lower())
        connection.flush()  # the response must leave before the first receipt
        if connection.session.state in (State.BOUND_RX, State.BOUND_TRX):
            self._notices.joined(account.system_id, connection)
        return True

    def _refuse_bind(self, connection: Connection, request: BindRequest, status: Status, reason: str) -> bool:
        connection.log.warning("bind refused", account=request.system_id, reason=reason)
        connection.session.refuse_bind(request, status)
        return False

    # -- what we answer

    def remembered(self, submissions: Sequence[Submission]) -> Sequence[RequestRecord]:  # noqa: ARG002
        """Nothing: SMPP knows no repeats of a request."""
        return ()

    def answer(self, submissions: Sequence[Submission]) -> None:
        touched: dict[int, Connection] = {}
        for submission in submissions:
            connection = self.connections.get(submission.session)
            if connection is None or connection.session.state is _CLOSED:
                continue  # accepted is accepted: the client will ask, or find the receipt
            touched[submission.session] = connection
            if submission.command_id == _SUBMIT_SM:
                status = submission.statuses[0]
                if submission.refusals and connection.session.takes_tlvs:
                    connection.session.respond(refused_submit(submission.sequence, submission.refusals[0]))
                    continue
                public_id = "" if status else submission.messages[0].public_id
                connection.session.respond_submit(submission.sequence, status, public_id)
            else:
                connection.session.respond(response_of(submission))
        for connection in touched.values():
            connection.flush()
            if not connection.window_is_full:
                connection.room.set()

    # -- time

    async def _sweep(self) -> None:
        turn = 0
        while True:
            await trio.sleep(SWEEP_S)
            turn = (turn + 1) % SWEEP_SHARE
            now = self._clock.now()
            for connection in list(self.connections.values()):
                if connection.number % SWEEP_SHARE == turn:
                    self._tick(connection, now)

    def _tick(self, connection: Connection, now: float) -> None:
        connection.session_now = now
        wire = connection.wire
        ended = False
        for event in connection.session.tick(now):
            ended |= self._note(connection, event)
        connection.flush()
        if wire.waiting > self._smpp.write_buffer_max or wire.stalled_s(now) > self._smpp.write_stalled_s:
            connection.log.warning("client does not read: closed", account=connection.account_name, waiting=wire.waiting)
            ended = True
        if ended:
            wire.close()
            connection.room.set()

    # -- leaving

    def unbind_all(self) -> None:
        """Ask every client to go."""
        now = self._clock.now()
        for connection in list(self.connections.values()):
            if connection.session.state in BOUND:
                connection.session.unbind(now)
                connection.flush()
            else:
                connection.wire.close()
