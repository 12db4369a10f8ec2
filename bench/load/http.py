"""HTTP/1.1 connections of the generator: keep-alive, one request at a time on each, answers read by llhttp (httptools)."""

import asyncio
import json
import ssl
import time
from typing import cast
from urllib.parse import urlsplit

import httptools

from bench.load.orders import HttpOrder
from bench.load.traffic import Group, Traffic, Unit
from bench.measure.book import ACCEPTED


class Template:
    """Requests of one class, all octets but the message's own made once."""

    def __init__(self, order: HttpOrder, class_name: str) -> None:
        parts = urlsplit(order.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{order.method} {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
        lines += [f"{name}: {value}" for name, value in order.headers]
        self._head = ("\r\n".join(lines) + "\r\nContent-Length: ").encode()
        self._body = order.body.replace("{class}", class_name)
        self.host = parts.hostname
        self.secure = ssl.create_default_context() if parts.scheme == "https" else None
        """Shared by all connections of the class: making one reads every certificate the system trusts."""

    def request(self, to: str, text: str, ref: str) -> bytes:
        """One request. Placeholders are filled as the inside of a JSON string."""
        body = self._body.replace("{to}", to).replace("{ref}", ref).replace("{text}", json.dumps(text)[1:-1]).encode()
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


class HttpLine(asyncio.Protocol):
    """One connection, made again whenever it breaks or the target closes it."""

    def __init__(self, traffic: Traffic, group: Group, template: Template, timeout_s: float) -> None:
        self.waits = self.dirty = False
        self.traffic = traffic
        self.group = group
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._template = template
        self._timeout_s = timeout_s
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._out = b""
        self._row: int | None = None
        self._until_close = True
        """Whether nothing but the end of the connection tells where the answer ends."""
        self.served = False
        """Whether an answer ever came on it."""
        self._since = 0.0
        self._in_body = self._answered = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(f"not HTTP: {error}")
        if self._answered:
            self._answered = False
            self.traffic.free(self.group, self, time.monotonic())
        self.traffic.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._row is not None and self._in_body and self._until_close:
            self._complete()
        self._break(str(exc) if exc else "closed by the target")

    def _break(self, why: str) -> None:
        if self._row is not None:
            self._row = None
            self.traffic.lost(1, f"no answer: {why}")
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.close()

    # -- llhttp's side

    def on_message_begin(self) -> None:
        """A status line."""
        self._in_body, self._until_close = False, True

    def on_header(self, name: bytes, _value: bytes) -> None:
        """One of these tells the length of the body."""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._until_close = False

    def on_headers_complete(self) -> None:
        """The body follows."""
        self._in_body = True

    def on_message_complete(self) -> None:
        """The whole answer is here; `100 Continue` and its like are none yet (RFC 9110 section 15.2)."""
        if self._parser.get_status_code() >= 200:
            self._complete()

    def _complete(self) -> None:
        status = self._parser.get_status_code()
        self._in_body = False
        self.served = True
        row, self._row = self._row, None
        if row is None:
            self._break("an answer to no request")
            return
        if not 200 <= status < 300:
            self.traffic.errors[f"HTTP {status}"] += 1
        self.traffic.answered(self.group, row, ACCEPTED if 200 <= status < 300 else status, b"", time.monotonic())
        self._answered = True
        if not self._parser.should_keep_alive():
            self._break("closed by the target")

    # -- what we say

    @property
    def room(self) -> bool:
        """Whether one more request may go out."""
        return self._row is None and not self.ended.done()

    def send(self, unit: Unit, row: int) -> None:
        """One request."""
        self._row = row
        self._since = time.monotonic()
        self._out = self._template.request(str(unit.to), unit.text, f"{row}")

    def flush(self) -> None:
        """Write what waits."""
        out, self._out = self._out, b""
        if out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(out)

    def check(self, now: float) -> None:
        """Give up on an answer that takes too long: the connection cannot be used any more."""
        if self._row is not None and now - self._since > self._timeout_s:
            self._break(f"nothing within {self._timeout_s:g} s")

    def close(self) -> None:
        """The end of the run."""
        self._break("run over")


async def connect(
    traffic: Traffic, group: Group, template: Template, order: HttpOrder, local: str | None, timeout_s: float
) -> HttpLine:
    """A line that is connected. Raises OSError or TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, line = await loop.create_connection(
            lambda: HttpLine(traffic, group, template, order.timeout_s),
            traffic.order.host,
            traffic.order.port,
            local_addr=(local, 0) if local else None,
            ssl=template.secure,
            server_hostname=template.host if template.secure else None,
        )
    return line
