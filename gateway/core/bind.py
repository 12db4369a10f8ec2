"""One session with a carrier: connect, bind, read, and again when it is lost, with a growing, jittered delay.

It owns the socket and the SMPP session and nothing of the messages: what comes in goes to its lane as events, what was in
flight when the link died is handed back to it.
"""

import random
import socket
import ssl
from collections.abc import Sequence
from typing import Protocol

import trio

from config.schema import Channel
from gateway import log
from gateway.clock import Clock
from gateway.core.gather import CARRIERS_S
from gateway.core.tls import TlsWire, client_context
from gateway.core.wire import Wire
from protocol.events import BindAnswered, Ended, Event, Violation
from protocol.pdu import BindReceiver, BindRequest, BindTransceiver, BindTransmitter
from protocol.session import Owed, Session, Timers
from protocol.states import Role, State
from protocol.status import Status, status_name
from routing.throttle import TokenBucket

STABLE_S = 10.0
"""A session that lived so long starts the reconnect delay anew."""

IN_STEP_WINDOW = 40
"""A smaller window turns over too often for its answers to wait for a tick."""

_ABOUT_ITSELF = frozenset({Violation, Ended})

KINDS: dict[str, type[BindRequest]] = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}

REFUSED = frozenset({Status.RALYBND, Status.RBINDFAIL, Status.RINVPASWD, Status.RINVSYSID, Status.RINVSYSTYP})
"""Hammering on these locks accounts, or keeps a stale session of ours alive at the carrier."""


class BindOwner(Protocol):
    """The lane, as a bind sees it."""

    def on_events(self, bind: "Bind", events: list[Event], now: float) -> None:
        """Events of one read, in order."""

    def on_lost(self, bind: "Bind", unsent: list[object], unknown: list[object], now: float) -> None:
        """The link is gone: tokens of requests that provably did not leave, and of those that may have."""

    def on_state(self, bind: "Bind") -> None:
        """The bind came up or went down."""


class Bind:
    """`kind` is trx, tx or rx. `state` is down, connecting, binding, bound or leaving."""

    def __init__(self, channel: Channel, number: int, kind: str, owner: BindOwner, clock: Clock) -> None:
        self.number = number
        self.kind = kind
        self.state = "down"
        self.last_error = ""
        self.session: Session | None = None
        self.bucket = TokenBucket(channel.bind_messages_per_second)
        self._channel = channel
        self._tick_s = CARRIERS_S if channel.window >= IN_STEP_WINDOW else 0.0
        self._place = f"{channel.host}:{channel.port}"
        self._owner = owner
        self._clock = clock
        self._wire: Wire | None = None
        self._leaving = False
        self._suspended = False
        self._retry_s = 0.0
        self._stable_at: float | None = None
        self._told = False
        self._violations = log.Repeated()
        self._log = log.logger(channel=channel.name, bind=number)
        self._stop = trio.CancelScope()
        self._connecting = trio.CancelScope()

    @property
    def submits(self) -> bool:
        """Whether it is bound for sending."""
        return self.state == "bound" and self.kind != "rx" and self.session is not None

    @property
    def can_send(self) -> int:
        """Free window slots for submits; 0 unless bound for sending."""
        return self.session.can_send if self.session is not None and self.submits else 0

    @property
    def _fills(self) -> bool:
        """Whether more than half of the window is taken: an answer that waits may soon be a submit that waits."""
        return self.submits and 2 * self.can_send < self._channel.window

    async def run(self) -> None:
        """Keep the session up until `leave`."""
        while not self._leaving:
            if self._suspended:
                with trio.CancelScope() as self._stop:
                    await trio.sleep_forever()
                continue
            self._told = False
            self._set_state("connecting")
            try:
                refused = await self._once()
            except Exception:  # noqa: BLE001 - one carrier's trouble, whatever it is, must not end the others
                self._log.exception("bug: session closed")
                refused = True
            self._set_state("down")
            with trio.CancelScope() as self._stop:
                if not self._leaving and not self._suspended:
                    await trio.sleep(self._next_delay(refused))

    def _next_delay(self, refused: bool) -> float:
        channel = self._channel
        self._retry_s = min(channel.reconnect_max_s, max(channel.reconnect_min_s, self._retry_s * 2))
        base = max(channel.refused_retry_s, self._retry_s) if refused else self._retry_s
        return base * random.uniform(0.75, 1.25)

    async def _once(self) -> bool:
        """One session from connect to its end. Gives whether our credentials were refused."""
        async with trio.open_nursery() as nursery:
            try:
                with trio.move_on_after(self._channel.connect_timeout_s) as self._connecting:
                    self._wire = await self._connect(nursery)
                if self._connecting.cancelled_caught:
                    if self._leaving or self._suspended:
                        return False
                    self._fail(f"no connection to {self._place} in {self._channel.connect_timeout_s:g} s")
                    return False
            except (OSError, ValueError) as error:  # ValueError: a name that is none
                self._fail(f"cannot connect to {self._place}: {_reason(error)}")
                return False
            assert self._wire is not None
            try:
                return await self._talk(self._wire)
            finally:
                self._wire.close()
                if self.session is not None:  # cut short by a bug or the end of the process
                    self._hand_back(self.session, self._wire)
                self._wire = None
                nursery.cancel_scope.cancel()

    async def _connect(self, nursery: trio.Nursery) -> Wire:
        channel = self._channel
        stream = await trio.open_tcp_stream(channel.host, channel.port)
        sock = socket.socket(fileno=stream.socket.detach())
        if channel.tls is None:
            return Wire(sock, nursery, self._clock.now, self._tick_s)
        try:
            name = channel.tls.server_name or channel.host
            context = client_context(channel.tls)
            now = self._clock.now
            wire = TlsWire(sock, nursery, now, context, server_side=False, server_name=name, tick_s=self._tick_s)
        except BaseException:
            sock.close()
            raise
        try:
            await wire.handshake()
        except ssl.SSLError as error:
            wire.close()
            why = getattr(error, "verify_message", None)
            raise OSError(f"TLS: {error.reason or error}{f': {why}' if why else ''}") from None
        except BaseException:
            wire.close()
            raise
        return wire

    async def _talk(self, wire: Wire) -> bool:
        channel = self._channel
        now = self._clock.now()
        timers = Timers(
            session_init_s=channel.bind_timeout_s,
            enquire_link_s=channel.enquire_link_s,
            enquire_link_timeout_s=channel.enquire_link_timeout_s,
            response_timeout_s=channel.response_timeout_s,
        )
        session = self.session = Session(Role.ESME, now, window=channel.window, timers=timers)
        self._set_state("binding")
        cls = KINDS[self.kind]
        session.bind(cls(system_id=channel.system_id, password=channel.password.reveal(), system_type=channel.system_type), now)
        self.flush()
        refused = False
        ended = False
        while not ended:
            data = await wire.receive(urgent=self._fills)
            now = self._clock.now()
            events = session.receive_data(data, now) if data else session.receive_eof()
            for event in events if self.state == "binding" else ():
                if isinstance(event, BindAnswered):
                    refused = self._on_bind_answered(event)
                    ended |= event.status != 0
            ended |= self._handle(events, now)
            ended |= not data
            del events  # now, while they are at hand, and not when the next ones come
        with trio.move_on_after(1.0):
            await wire.wait_sent()
        self._hand_back(session, wire)
        return refused

    def _handle(self, events: list[Event], now: float) -> bool:
        """Note what the session says about itself, pass everything on, answer. Gives whether it ended."""
        ended = False
        for event in [one for one in events if type(one) in _ABOUT_ITSELF]:
            if isinstance(event, Violation):
                self._violations.note(self._log, "carrier broke the protocol", event.reason)
            elif isinstance(event, Ended):
                ended = True
                if not self._told:
                    self._fail(event.reason, clean=event.clean or self._leaving or self._suspended)
        self._owner.on_events(self, events, now)
        self.flush()
        if self.session is not None and self.session.state is State.UNBOUND:
            self._set_state("leaving")
        return ended

    def _on_bind_answered(self, event: BindAnswered) -> bool:
        if event.status == 0:
            self.last_error = ""
            self._stable_at = self._clock.now() + STABLE_S
            self._set_state("bound")
            self._log.info("bound", kind=self.kind, smsc=event.system_id)
            return False
        hint = ""
        if event.status == Status.RINVCMDID and self.kind == "trx":
            hint = '; the carrier lacks bind_transceiver, set bind = "transmitter+receiver"'
        self._fail(f"bind refused: {status_name(event.status)}{hint}")
        return event.status in REFUSED

    def _hand_back(self, session: Session, wire: Wire) -> None:
        if self._stable_at is not None and self._clock.now() >= self._stable_at:
            self._retry_s = 0.0  # a carrier that binds and drops is not tried every second
        self._stable_at = None
        unsent, unknown = session.lost(wire.written)
        self.session = None
        self._owner.on_lost(self, unsent, unknown, self._clock.now())

    def flush(self) -> None:
        """Hand what the session has to say to the socket; close when that was the last of it."""
        if self._wire is not None and self.session is not None:
            self._wire.send(self.session.data_to_send())
            if self.session.finished and not self._wire.waiting:
                self._wire.close()

    def tick(self, now: float) -> None:
        """Let time pass for the session; called by the lane's sweep."""
        session, wire = self.session, self._wire
        if session is None or wire is None:
            return
        if self._handle(session.tick(now), now) or wire.stalled_s(now) > self._channel.response_timeout_s * 3:
            wire.close()  # the reader sees the end and hands back

    def rebind(self, reason: str) -> None:
        """The carrier says this session is no good: close it and start again."""
        self._fail(reason)
        self._told = True
        if self._wire is not None:
            self._wire.close()

    def suspend(self) -> None:
        """Unbind, and come back at `resume`."""
        if not self._suspended:
            self._suspended = True
            self._go()

    def resume(self) -> None:
        """Bind again."""
        if self._suspended:
            self._suspended = False
            self._stop.cancel()

    def leave(self) -> None:
        """Unbind and do not come back."""
        self._leaving = True
        self._go()

    def _go(self) -> None:
        self._stop.cancel()
        self._connecting.cancel()
        if self.session is not None and self.state == "bound":
            self.session.unbind(self._clock.now())
            self.flush()
            self._set_state("leaving")
        elif self._wire is not None:
            self._wire.close()

    def _fail(self, reason: str, *, clean: bool = False) -> None:
        if clean:
            self._log.info("session ended", reason=reason)
        elif reason != self.last_error:
            self._log.warning("session failed", reason=reason)
        self.last_error = reason

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._owner.on_state(self)


def _reason(error: OSError | ValueError) -> str:
    """The cause behind trio's "all attempts failed"."""
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    shown = cause if isinstance(cause, OSError) else error
    return getattr(shown, "strerror", None) or str(shown)


def make_binds(channel: Channel, owner: BindOwner, clock: Clock) -> list[Bind]:
    """All binds of a channel; a pair counts as one."""
    kinds = ["trx"] if channel.bind == "transceiver" else ["tx", "rx"]
    every = [kind for _ in range(channel.binds) for kind in kinds]
    return [Bind(channel, number, kind, owner, clock) for number, kind in enumerate(every)]


class Answers:
    """Acknowledges requests of a carrier on the session they came on, if it still is that session."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._session = bind.session

    def acknowledge(self, requests: Sequence[Owed], status: int) -> None:
        session = self._session
        if session is None or self._bind.session is not session:
            return
        session.respond_all(requests, status)
        self._bind.flush()
