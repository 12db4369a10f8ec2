"""Requests to an application, as the server hands them in: whole, in pieces, slow, or cut short."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: Any,
    method: str,
    target: str,
    body: bytes | Sequence[bytes] | None = b"",
    *,
    key: str = "",
    data: Any = None,
    headers: dict[str, str] | None = None,
) -> Got:
    """`body` in pieces comes piece by piece; None never comes."""
    if data is not None:
        body = json.dumps(data).encode()
    sent = {"host": "api.test", **(headers or {})}
    if key:
        sent.setdefault("authorization", f"Bearer {key}")
    if data is not None:
        sent.setdefault("content-type", "application/json")
    parts = urlsplit(target)
    pieces = [body] if isinstance(body, bytes) else list(body or ())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if body is None:
            await asyncio.Event().wait()
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app(scope, receive, send)
    start = said[0]
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Got(start["status"], found, b"".join(one.get("body", b"") for one in said[1:]))
