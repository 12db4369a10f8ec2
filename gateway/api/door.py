"""One connection of the API: uvicorn's HTTP, and what it does not bound.

uvicorn waits for ever for the head of a request, however long the head is, for the rest of a body nobody reads any more, and
for clients that read nothing of their answers. Here whatever has begun must be whole within a time, which costs a timer only
where one read did not bring all of it, or one write could not hand over all of it. What is no HTTP is answered with a problem
like every other error, after the answers to what came before it.
"""

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import Any

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from config.schema import Http
from gateway.api.dispatch import PROBLEM_TYPE, new_request_id, problem_response
from gateway.api.problems import ProblemError, unavailable

HEAD_MAX = 65_536
"""Octets of a head that comes in several reads."""
HEADERS_MAX = 100
LINGER_S = 2.0
"""How long we go on reading, after an answer that closes, what the client is still sending: closed at once, it would meet a
reset and never see the answer."""
LARGE = 60_000
"""A body of more may be under way when it is refused."""
NOT_HTTP = ProblemError(400, "invalid_request", "this is not HTTP/1.1 as we understand it")
TOO_LARGE = ProblemError(431, "too_large", f"at most {HEADERS_MAX} header fields of {HEAD_MAX} octets")
TOO_SLOW = ProblemError(408, "too_slow", "the head of the request did not come in time", permanent=False)
CLOSE = (("Connection", "close"),)


def door(http: Http) -> Callable[..., asyncio.Protocol]:
    """Makes the connections of a server; this process may have as many as the system allows."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below it says what clients do wrong, each time
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def connection(config: Config, server_state: ServerState, app_state: dict[str, Any], **how: Any) -> Door:
        return Door(http, config, server_state, app_state, **how)

    return connection


async def crowded(scope: Any, receive: Any, send: Any) -> None:
    """Every request's answer while there are too many connections."""
    problem = unavailable("too many connections", 1.0)
    problem.headers += CLOSE
    await problem_response(problem, new_request_id())(scope, receive, send)


class _Lingering:
    """What a request with a large body answers through: its close lets the client finish."""

    def __init__(self, door: "Door", transport: asyncio.Transport) -> None:
        self._door = door
        self._transport = transport
        self.write = transport.write
        self.is_closing = transport.is_closing

    def close(self) -> None:
        self._door.linger()


class Door(HttpToolsProtocol):
    """See the module."""

    def __init__(self, http: Http, config: Config, server_state: ServerState, app_state: dict[str, Any], **how: Any) -> None:
        super().__init__(config, server_state, app_state, **how)
        self._http = http
        self._in_head = False
        self._in_body = False
        self._deaf = False
        self._head_size = 0
        self._late: asyncio.TimerHandle | None = None
        self._refusal = NOT_HTTP
        self._stalled: asyncio.TimerHandle | None = None

    # -- what comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > HEAD_MAX:
                self._refuse(TOO_LARGE)
                return
        elif not self._nothing_runs:
            return
        self._hurry()

    @property
    def _nothing_runs(self) -> bool:
        """No request waits for its answer: what comes is a head, or a body whose request was answered already."""
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        self._calm()
        if len(self.headers) > HEADERS_MAX:
            self._refusal = TOO_LARGE
            raise ValueError("too many header fields")
        self.app = crowded if len(self.connections) > self._http.connections_max else self.config.loaded_app
        super().on_headers_complete()
        if _large(self.headers):
            self.cycle.transport = _Lingering(self, self.transport)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        self._in_body = False
        self._calm()
        super().on_message_complete()

    # -- what does not come

    def _hurry(self) -> None:
        if self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self._http.body_timeout_s, self._too_late)

    def _calm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self._in_head:
            self._refuse(TOO_SLOW)
        elif self._nothing_runs:
            self.transport.close()

    # -- what is not taken

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unwatch()

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(self._http.write_stalled_s, self._look, left)

    def _unwatch(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self, before: int) -> None:
        """Who reads slowly is waited for, who reads nothing is not."""
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            self.transport.abort()

    # -- how it ends

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - our words are better
        """The parser cannot go on."""
        self._refuse(self._refusal)

    def _refuse(self, problem: ProblemError) -> None:
        self._deaf = True
        self._calm()
        if not self._nothing_runs and not self._in_body:
            self.cycle.keep_alive = False  # it is answered, and then this ends
            return
        if not self.pipeline and (self.cycle is None or not self.cycle.response_started or self.cycle.response_complete):
            self.transport.write(_octets(problem))
        self.transport.close()

    def linger(self) -> None:
        """The answer is out and nothing more is understood: close when the client has, or soon."""
        if self._deaf or self.transport.is_closing():
            return
        if not self._in_body:
            self.transport.close()
            return
        self._deaf = True
        self._calm()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._late = self.loop.call_later(LINGER_S, self.transport.close)


def _large(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and len(value) > 4 and int(value) > LARGE):
            return True
    return False


def _octets(problem: ProblemError) -> bytes:
    request_id = new_request_id()
    body = msgspec.json.encode(problem.body(request_id))
    head = f"content-type: {PROBLEM_TYPE}\r\ncontent-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n"
    return STATUS_LINE[problem.status] + head.encode() + b"\r\n" + body
