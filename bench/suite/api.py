"""The HTTP API: a gateway with one worker, and clients, a carrier and a receiver of webhooks in processes of their own.

`api_single`   POST /v1/messages, 64 connections, each its next request when it has its answer; carriers are away
`api_batches`  batches of 1,000, all the way to the receipts
`api_paced`    500 requests a second, as they are due
`api_idle`     ten thousand connections kept open
`api_webhooks` batches again, and an event for each receipt to a webhook in batch mode
"""

import contextlib
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.gateway import PASSWORD, ChannelTo, Gateway, config_text
from bench.load.limits import raise_file_limit
from bench.measure.figures import Better, Figure
from bench.processes import Child
from bench.suite.parts import Measured, Part, PartError, Say
from bench.suite.targets import Target

GROUP = "api"
ACCOUNT = "notification"
POLL_S = 0.1
QUIET_S = 30.0
"""No progress for so long: it never ends."""
HTTP = """
[http]
listen = "127.0.0.1:0"
keep_alive_s = 600
[http.webhooks]
allow_http = true
allow_private = true
"""


class Place:
    """A gateway with an API and, unless it is to queue everything, a carrier that answers at once."""

    def __init__(self, folder: Path, *, carrier: bool) -> None:
        self.carrier = None
        port = 1
        if carrier:
            told = ["--system-id", "tensec", "--password", PASSWORD]
            self.carrier = Child([sys.executable, "-m", "bench", "carrier", *told])
            port = int(self.carrier.first["listening"])
        channels = [ChannelTo("carrier", port, binds=4, window=100)]
        text = config_text(folder / "data", channels, store='[store]\nkind = "embedded"\n' + HTTP)
        self.gateway = Gateway(folder / "tensec.toml", text)
        try:
            self.gateway.start()
            self._log = [json.loads(line) for line in self.gateway.lines if line.startswith("{")]
            self.port = int(self._said("api listening")["api"].rpartition(":")[2])
            self.core = psutil.Process(self._said("listening")["pid"])
            (self.worker,) = (one for one in psutil.Process(self.gateway.pid).children() if one.pid != self.core.pid)
            scopes = [word for scope in ("send", "read", "ops", "admin") for word in ("--scope", scope)]
            self.key = self.gateway.ask("key", "create", "--account", ACCOUNT, *scopes)["key"]
        except BaseException:
            self.close()
            raise

    def _said(self, event: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self._log if one["event"] == event)
        return found

    def ask(self, path: str, body: object = None) -> Any:
        """A request as a user makes one."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def load(self, **order: object) -> Child:
        """Clients that have their order."""
        child = Child([sys.executable, "-m", "bench.suite.api_load"], timeout_s=60)
        child.tell({"port": self.port, "key": self.key, **order})
        return child

    def sent(self, timeout_s: float = 300.0, **order: object) -> dict[str, Any]:
        """What clients found. Raises PartError when a request was not accepted."""
        found = self.load(**order).wait(timeout_s)
        if set(found["statuses"]) != {"202"}:
            raise PartError(f"not all were accepted: {found['statuses']}")
        return found

    def cpu_s(self) -> tuple[float, float]:
        """Of the core and of the worker, since their start."""
        core, worker = (sum(one.cpu_times()[:2]) for one in (self.core, self.worker))
        return core, worker

    def until_final(self, messages: int) -> float:
        """When all had ended. Raises PartError when it does not go on."""
        before, since = -1, time.monotonic()
        while True:
            ended = sum(self.ask("/v1/ledger")["final"].values())
            now = time.monotonic()
            if ended >= messages:
                return now
            if ended != before:
                before, since = ended, now
            elif now - since > QUIET_S:
                raise PartError(f"{ended} of {messages} have ended, and nothing more happens")
            time.sleep(POLL_S)

    def close(self) -> None:
        """End everything."""
        self.gateway.stop()
        if self.carrier is not None:
            self.carrier.kill()


@contextlib.contextmanager
def place(*, carrier: bool = True) -> Iterator[Place]:
    """One for a part."""
    with tempfile.TemporaryDirectory(prefix="tensec-suite-") as folder:
        made = Place(Path(folder), carrier=carrier)
        try:
            yield made
        finally:
            made.close()


def _figures(row: str, *found: tuple[str, float, str, Better]) -> Measured:
    return Measured([Figure(f"{row}.{name}", value, unit, better) for name, value, unit, better in found])


def _costs(before: tuple[float, float], after: tuple[float, float], messages: int) -> list[tuple[str, float, str, Better]]:
    names = ("core_us_per_message", "worker_us_per_message")
    return [(name, (new - old) / messages * 1e6, "us", "lower") for name, old, new in zip(names, before, after, strict=True)]


def single(row: str, quick: bool, say: Say) -> Measured:
    """See the module."""
    messages = 5_000 if quick else 60_000
    with place(carrier=False) as made:
        made.sent(messages=1_000, connections=64, first=8_612_000_000_000)
        before = made.cpu_s()
        found = made.sent(messages=messages, connections=64)
        costs = _costs(before, made.cpu_s(), messages)
    say(f"      {messages} in {found['seconds']:.1f} s")
    return _figures(
        row,
        ("per_s", messages / found["seconds"], "/s", "higher"),
        ("p50_ms", found["p50_ms"], "ms", "lower"),
        ("p99_ms", found["p99_ms"], "ms", "lower"),
        *costs,
    )


def batches(row: str, quick: bool, say: Say) -> Measured:
    """See the module."""
    messages = 10_000 if quick else 100_000
    with place() as made:
        before = made.cpu_s()
        found = made.sent(messages=messages, batch=1_000, connections=8)
        ended = made.until_final(messages)
        costs = _costs(before, made.cpu_s(), messages)
    say(f"      accepted in {found['seconds']:.1f} s")
    return _figures(
        row,
        ("per_s", messages / (ended - found["began"]), "/s", "higher"),
        ("accepted_per_s", messages / found["seconds"], "/s", "higher"),
        ("p99_ms", found["p99_ms"], "ms", "lower"),
        *costs,
    )


def paced(row: str, quick: bool, _say: Say) -> Measured:
    """See the module."""
    rate, seconds = 500, 3 if quick else 20
    with place() as made:
        made.sent(messages=500, connections=16, first=8_612_000_000_000)
        found = made.sent(messages=rate * seconds, rate=rate, connections=64)
    return _figures(row, *((name, found[name], "ms", "lower") for name in ("p50_ms", "p95_ms", "p99_ms")))


def idle(row: str, quick: bool, _say: Say) -> Measured:
    """See the module."""
    connections = 500 if quick else 10_000
    raise_file_limit(connections)
    with place(carrier=False) as made:
        made.sent(messages=1_000, connections=16)
        before = made.worker.memory_info().rss
        clients = made.load(idle=connections)
        try:
            held = clients.next_line(120)
            size = made.worker.memory_info().rss - before
            clients.tell("again")
            found = clients.wait(120)
        finally:
            clients.kill()
    return _figures(
        row,
        ("kb_per_connection", size / held["held"] / 1000, "kB", "lower"),
        ("errors", float(found["errors"]), "", "lower"),
    )


def webhooks(row: str, quick: bool, say: Say) -> Measured:
    """See the module."""
    messages = 10_000 if quick else 100_000
    with place() as made, Child([sys.executable, "-m", "bench.suite.api_sink"]) as sink:
        url = f"http://127.0.0.1:{sink.first['listening']}/hook"
        made.ask("/v1/webhooks", {"url": url, "batch": True, "events": ["message.delivered"]})
        before = made.cpu_s()
        found = made.sent(messages=messages, batch=1_000, connections=8)
        delivered = made.until_final(messages)
        say(f"      all delivered after {delivered - found['began']:.1f} s")
        told, since = sink.next_line(), time.monotonic()
        while told["events"] < messages:
            newer = sink.next_line()
            if newer["events"] > told["events"]:
                since = time.monotonic()
            elif time.monotonic() - since > QUIET_S:
                raise PartError(f"{told['events']} of {messages} events came, and nothing more happens")
            told = newer
        costs = _costs(before, made.cpu_s(), messages)
        sink.kill()
    return _figures(
        row,
        ("events_per_s", messages / (told["last"] - found["began"]), "/s", "higher"),
        ("behind_s", max(0.0, told["last"] - delivered), "s", "lower"),
        ("repeated", float(told["events"] - messages), "", "lower"),
        ("per_request", told["events"] / told["requests"], "", "higher"),
        *costs,
    )


ROWS = {
    "api_single": (single, "POST /v1/messages, 64 connections, durable"),
    "api_batches": (batches, "batches of 1,000, to the receipts"),
    "api_paced": (paced, "500 requests a second"),
    "api_idle": (idle, "ten thousand idle connections"),
    "api_webhooks": (webhooks, "a webhook in batch mode beside all that"),
}
TARGETS = (
    Target("api_single.per_s", ">=", 8_000, 12_000),
    Target("api_single.p99_ms", "<=", 50, 20),
    Target("api_batches.per_s", ">=", 15_000, 25_000),
    Target("api_paced.p95_ms", "<=", 10, 5),
    Target("api_idle.kb_per_connection", "<=", 40, 20),
    Target("api_idle.errors", "<=", 0, 0),
    Target("api_webhooks.events_per_s", ">=", 10_000, 15_000),
)


def api_parts() -> list[Part]:
    """For the suite."""
    return [Part(name, GROUP, about, partial(measure, name)) for name, (measure, about) in ROWS.items()]
