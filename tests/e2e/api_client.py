"""A client of the HTTP API, the gateway with an API as tests start it, and a receiver of webhooks, for tests."""

import contextlib
import http.client
import http.server
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import psutil
from gateway_process import Child, Gateway, channel, route, wait_for

from gateway.calls.making import make_key, stored
from gateway.calls.messages import PutDocument
from gateway.calls.things import KEY
from gateway.cli.common import call

TIMEOUT_S = 30.0
ALL_SCOPES = ("send", "read", "ops", "admin")
TO = "+8613912345678"


def moment(seconds: float) -> str:
    """So many seconds from now, as the API reads it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """Of a problem; checks that it is one."""
        assert self.headers["content-type"] == "application/problem+json", self
        body = self.body
        assert body["status"] == self.status, self
        assert body["request_id"] == self.headers["x-request-id"], self
        return body["code"]

    @property
    def pointers(self) -> list[str]:
        return [one["pointer"] for one in self.body["errors"]]


class Api:
    """Requests with one key. `keep` keeps the connection."""

    def __init__(self, port: int, key: str = "", *, keep: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.port, self.key, self.keep, self._tls = port, key, keep, tls
        self.kept: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request. `body`: octets as they are, anything else as JSON. Header names with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.kept or self._connect()
        self.kept = None
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        except BaseException:
            connection.close()
            raise
        if self.keep:
            self.kept = connection
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """End the connection that was kept."""
        if self.kept is not None:
            self.kept.close()
            self.kept = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def send(self, to: str = TO, text: str = "hello", **fields: Any) -> dict[str, Any]:
        """An accepted message."""
        answer = self.post("/v1/messages", {"to": to, "text": text, **fields})
        assert answer.status == 202, answer
        return answer.body

    def message(self, message_id: str) -> dict[str, Any]:
        answer = self.get(f"/v1/messages/{quote(message_id)}")
        assert answer.status == 200, answer
        return answer.body

    def wait_status(self, message_id: str, *words: str) -> dict[str, Any]:
        """The message once it is in one of these states."""

        def there() -> Any:
            found = self.message(message_id)
            return found if found["status"] in words else None

        return wait_for(there, lambda: f"{words}: {self.message(message_id)}")

    def retry(self, path: str, body: Any, key: str, timeout_s: float = 60.0) -> Answer:
        """As a client with sense does it: the same request with the same key until there is an answer that counts."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                answer = self.post(path, body, Idempotency_Key=key)
            except (OSError, http.client.HTTPException):
                answer = None
            if answer is not None and answer.status not in (409, 429, 503):
                return answer
            assert time.monotonic() < deadline, f"no answer to {key} in {timeout_s:g} s: {answer}"
            time.sleep(0.05)


class ApiGateway:
    """`tensec serve` with an API on a port of the kernel's choice, and what its processes are."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        places = gateway.wait_log("api listening")
        self.port = int(places["api"].rpartition(":")[2])
        self.ops_port = int(places["ops"].rpartition(":")[2]) if "ops" in places else 0
        self.tls: ssl.SSLContext | None = None
        if not places["tls"]:
            wait_for(lambda: self.plain("sk_nobodys").get("/v1/messages").status == 401, "the worker to know the core")

    @property
    def core_pid(self) -> int:
        """Of the newest core."""
        return self.gateway.logged("listening")[-1]["pid"]

    def worker_pids(self) -> list[int]:
        cores = {one["pid"] for one in self.gateway.logged("listening")}
        return sorted(one.pid for one in psutil.Process(self.gateway.pid).children() if one.pid not in cores and alive(one.pid))

    def key(self, account: str, *scopes: str) -> str:
        """A new key that works already."""
        kept, secret = make_key(account, scopes or ALL_SCOPES, time.time())  # type: ignore[arg-type]
        call(SimpleNamespace(data_dir=str(self.gateway.data_dir)), PutDocument(KEY, kept.id, stored(kept)))  # type: ignore[arg-type]
        wait_for(lambda: self.plain(secret).get("/v1/keys").status not in (401, 503), "the key to work")
        return secret

    def plain(self, key: str = "", *, keep: bool = False) -> Api:
        return Api(self.port, key, keep=keep, tls=self.tls)

    def api(self, account: str, *scopes: str, keep: bool = False) -> Api:
        """A client with a new key of all scopes, or of these."""
        return self.plain(self.key(account, *scopes), keep=keep)

    def again(self, start: Any, **settings: Any) -> "ApiGateway":
        """Another `tensec serve` on the same data, when this one has ended."""
        return ApiGateway(start.gateway(**{**self.gateway.settings, **settings}))


def alive(pid: int) -> bool:
    """Whether a process runs: neither gone nor waiting to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def http_table(**fields: Any) -> dict[str, Any]:
    """[http] for tests: ports of the kernel's choice, webhooks on loopback."""
    base = {"listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0", "webhooks": {"allow_http": True, "allow_private": True}}
    return {**base, **fields}


def serve(
    start: Any, *, http: dict[str, Any] | None = None, accounts: tuple[Any, ...] = ("shop",), **settings: Any
) -> ApiGateway:
    """A running gateway with an API. `accounts`: names, for accounts without a password, or tables."""
    named = [{"system_id": one} if isinstance(one, str) else one for one in accounts]
    return ApiGateway(start.gateway(http=http_table(**(http or {})), accounts=named, **settings))


class Smsc(Child):
    """A simulated carrier that keeps a ledger."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ledger_file = folder / "ledger.jsonl"
        told = ["--system-id", "tensec", "--password", "secret", "--ledger", str(self.ledger_file), "--max-seconds", "600"]
        super().__init__([sys.executable, "-m", "bench", "carrier", *told, *options])
        line = self.out.wait(lambda line: "listening" in line)
        assert line is not None, self
        self.port = int(json.loads(line)["listening"])

    def took(self) -> list[dict[str, Any]]:
        """End it; every submit it took, in order."""
        self.signal(15)
        assert self.wait() == 0, self
        entries = [json.loads(line) for line in self.ledger_file.read_text(encoding="utf-8").splitlines()]
        return sorted((one for one in entries if one["fate"] == "accepted"), key=lambda one: one["n"])


def smsc(start: Any, factory: Any, *options: str) -> Smsc:
    return start.keep(Smsc(factory.mktemp("smsc"), *options))


def one_carrier(carrier: Smsc, **fields: Any) -> dict[str, Any]:
    """Settings of a gateway with one channel."""
    return {"channels": [channel("one", carrier.port, **fields)], "routes": [route("one")]}


@dataclass
class Got:
    """One request to a receiver of webhooks."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Of a batch, or the one."""
        body = self.body
        return body["data"] if body["type"] == "message.status.batch" else [body]


class Receiver:
    """Takes webhooks. `answers` says by path what status to answer with (204 otherwise); a path in `held` is answered when
    its Event is set.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: dict[str, int] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.held: dict[str, threading.Event] = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, raw))
                if self.path in receiver.held:
                    receiver.held[self.path].wait(TIMEOUT_S)
                self.send_response(receiver.answers.get(self.path, 204))
                for name, value in receiver.headers.get(self.path, {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the other end has gone
                    super().handle()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Got]:
        return [one for one in list(self.got) if one.path == path]

    def events(self, path: str) -> list[dict[str, Any]]:
        return [event for one in self.at(path) for event in one.events]

    def wait(self, path: str, wanted: Callable[[list[Got]], bool], what: str) -> list[Got]:
        wait_for(lambda: wanted(self.at(path)), lambda: f"{what}: {self.at(path)}", TIMEOUT_S)
        return self.at(path)

    def close(self) -> None:
        for event in self.held.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_S)
