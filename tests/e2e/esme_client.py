"""An SMPP client, and a scripted carrier, over blocking sockets: the project's own session, driven step by step by a test."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from protocol import receipt
from protocol.events import Answered, BindAnswered, Ended
from protocol.pdu import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Pdu,
    SubmitSm,
    response_to,
)
from protocol.receipt import Receipt
from protocol.session import Session, Timers
from protocol.states import Role

KINDS: dict[str, type[BindRequest]] = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}
QUIET = Timers(None, None, None, 1000.0, None, 1000.0, 5.0)
TIMEOUT_S = 15.0
PduT = TypeVar("PduT", bound=Pdu)
SOURCE = "10690000"


class Peer:
    """One end of a connection. `events` is what came and was not taken yet."""

    def __init__(self, sock: socket.socket, role: Role) -> None:
        self.sock = sock
        self.session = Session(role, 0.0, window=1000, timers=QUIET)
        self.events: list[Any] = []
        self.ended: str | None = None
        self.tokens = 0

    def flush(self) -> None:
        self.sock.sendall(self.session.data_to_send())

    def pump(self, timeout_s: float) -> None:
        """One read, at most `timeout_s` long."""
        self.sock.settimeout(max(0.001, timeout_s))
        try:
            data = self.sock.recv(65_536)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.events += self.session.receive_data(data, 0.0) if data else self.session.receive_eof()
        if not data:
            self.ended = "closed"
        self.flush_quietly()

    def flush_quietly(self) -> None:
        with contextlib.suppress(OSError):
            self.flush()

    def wait(self, wanted: Callable[[Any], bool], what: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Take the first event that is wanted."""
        deadline = time.monotonic() + timeout_s
        while True:
            for at, event in enumerate(self.events):
                if wanted(event):
                    return self.events.pop(at)
            left = deadline - time.monotonic()
            assert left > 0, f"waited {timeout_s:g} s for {what}; there were {self.events}"
            assert self.ended is None, f"closed by the peer while waiting for {what}; there were {self.events}"
            self.pump(left)

    def send(self, pdu: Pdu) -> int:
        """A request; gives the token its answer comes with."""
        self.tokens += 1
        self.session.request(pdu, self.tokens, 0.0)
        self.flush()
        return self.tokens

    def answer(self, token: int) -> Pdu:
        """The answer to the request sent with `token`."""
        return self.wait(lambda one: isinstance(one, Answered) and one.token == token, f"the answer to {token}").answer

    def ask(self, pdu: Pdu) -> Any:
        """Send and wait for the answer."""
        return self.answer(self.send(pdu))

    def respond(self, request: Pdu, status: int = 0, **fields: Any) -> None:
        """Answer a request of the peer."""
        response = response_to(request, status)
        for name, value in fields.items():
            setattr(response, name, value)
        self.session.respond(response)
        self.flush()

    def take(self, kind: type[PduT], timeout_s: float = TIMEOUT_S) -> PduT:
        """The next request of this kind, not answered yet."""
        return self.wait(lambda one: isinstance(one, kind), kind.__name__, timeout_s)

    def wait_end(self, timeout_s: float = TIMEOUT_S) -> str:
        """Until the session ends; why. A request to unbind is granted."""
        if any(isinstance(one, Ended) for one in self.events):
            return next(one.reason for one in self.events if isinstance(one, Ended))
        return self.wait(lambda one: isinstance(one, Ended), "the end", timeout_s).reason

    def close(self) -> None:
        """Drop the connection without a word."""
        self.sock.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Client(Peer):
    """A client of the gateway."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        sock = socket.create_connection((host, port), TIMEOUT_S)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        super().__init__(sock, Role.ESME)

    def bind(self, kind: str = "trx", system_id: str = "interop", password: str = "secret", version: int = 0x34) -> int:
        """The command_status of the answer."""
        request = KINDS[kind](system_id=system_id, password=password, interface_version=version)
        self.session.bind(request, 0.0)
        self.flush()
        return self.wait(lambda one: isinstance(one, BindAnswered), "the bind response").status

    def submit(self, to: str = "8613800138000", **fields: Any) -> Any:
        """submit_sm and its response."""
        return self.ask(submit_sm(to, **fields))

    def deliver_sm(self, status: int = 0, timeout_s: float = TIMEOUT_S) -> DeliverSm:
        """The next deliver_sm, answered."""
        pdu = self.take(DeliverSm, timeout_s)
        self.respond(pdu, status)
        return pdu

    def receipt(self, status: int = 0, timeout_s: float = TIMEOUT_S) -> Receipt:
        """The next receipt, answered."""
        pdu = self.deliver_sm(status, timeout_s)
        found = receipt.parse(pdu.esm_class, pdu.short_message, pdu.tlvs)
        assert found is not None, pdu
        return found

    def unbind(self) -> None:
        self.session.unbind(0.0)
        self.flush()
        self.wait_end()
        self.close()


def submit_sm(to: str = "8613800138000", **fields: Any) -> SubmitSm:
    """A message that asks for a receipt."""
    base: dict[str, Any] = {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": SOURCE,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": to,
        "registered_delivery": 1,
        "short_message": b"hello",
    }
    return SubmitSm(**(base | fields))


def bound(port: int, kind: str = "trx", system_id: str = "interop", **fields: Any) -> Client:
    """A client that is bound."""
    client = Client(port)
    status = client.bind(kind, system_id, **fields)
    assert status == 0, hex(status)
    return client


class ScriptedCarrier:
    """A listener; each accepted connection is bound and then does what the test says."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(TIMEOUT_S)
        self.port: int = self.listener.getsockname()[1]
        self.sessions: list[Peer] = []
        self.ids = 0

    def accept(self, status: int = 0) -> Peer:
        """The next session of the gateway, bound (or refused with `status`)."""
        sock, _ = self.listener.accept()
        peer = Peer(sock, Role.SMSC)
        self.sessions.append(peer)
        request = peer.wait(lambda one: isinstance(one, BindRequest), "a bind")
        if status:
            peer.session.refuse_bind(request, status)
        else:
            peer.session.accept_bind(request, "scripted", 0.0)
        peer.flush()
        return peer

    def take_submit(self, peer: Peer, status: int = 0) -> tuple[SubmitSm, str]:
        """The next submit_sm, answered with a new id (or with an error)."""
        pdu = peer.take(SubmitSm)
        self.ids += 1
        peer.respond(pdu, status, message_id="" if status else f"c{self.ids}")
        return pdu, f"c{self.ids}"

    def deliver(self, peer: Peer, submit: SubmitSm, message_id: str, stat: str = "DELIVRD", err: str = "000") -> int:
        """The receipt of a message; gives the status it was acknowledged with."""
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611220300 done date:2611220300 stat:{stat} err:{err} text:"
        pdu = DeliverSm(
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=receipt.RECEIPT,
            short_message=text.encode(),
        )
        return peer.ask(pdu).status

    def close(self) -> None:
        for peer in self.sessions:
            peer.close()
        self.listener.close()
