"""Hands events to webhooks, as Standard Webhooks has it. When to try again is the core's business.

Each webhook has a few requests of its own at a time, so a slow receiver delays nobody else. In batch mode an event waits at
most a second for others, and a request holds at most 20 kB of them. A request goes to the address its name was checked by,
follows no redirect, and reads no more than 64 kB of an answer.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2
import msgspec
from standardwebhooks.webhooks import Webhook as Signer

from config.schema import Webhooks
from gateway import log
from gateway.api.corelink import CoreLink
from gateway.api.destinations import BadDestinationError, check_url, resolve
from gateway.api.directory import Directory
from gateway.api.render import event
from gateway.api.schemas import Event, EventBatch
from gateway.calls.messages import Tried, Try
from gateway.calls.outbound import Work
from gateway.calls.things import Webhook
from routing.records import Notice

AT_ONCE = 8
"""Requests to one webhook."""
BATCH_OCTETS = 20_000
BATCH_WAIT_S = 1.0
BATCH_FULL = 60
PLACE_S = 5.0
"""How long an address that was looked at is connected to; names of receivers move."""
ANSWER_MAX = 65_536
SAID_MAX = 200
_JSON = msgspec.json.Encoder()


class Courier:
    """See the module."""

    def __init__(self, rules: Webhooks, core: CoreLink, directory: Directory) -> None:
        self._rules = rules
        self._core = core
        self._directory = directory
        self._lines: dict[str, _Line] = {}
        self._tls = httpx2.create_ssl_context()
        self._places: dict[str, _Place] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._log = log.logger()

    def take(self, work: Work) -> None:
        """Events for a webhook."""
        line = self._lines.get(work.webhook)
        if line is None:
            line = self._lines[work.webhook] = _Line(self, work.webhook)
        line.put(work.notices)

    def client(self) -> httpx2.AsyncClient:
        """Connections of one webhook. Two must not share any: both may be at one address under different names."""
        limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE, keepalive_expiry=30)
        timeout = httpx2.Timeout(self._rules.timeout_s)
        return httpx2.AsyncClient(
            verify=self._tls,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            limits=limits,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # a receiver's cookies would pile up here
        )

    async def try_once(self, hook: Webhook, one: Event) -> tuple[int, str, float]:
        """(HTTP status, what was said, seconds) of one request; status 0: no answer."""
        async with self.client() as client:
            return (await self.post(client, hook, one.id, _JSON.encode(one)))[:3]

    async def post(self, client: httpx2.AsyncClient, hook: Webhook, name: str, body: bytes) -> tuple[int, str, float, float]:
        """The same, and seconds to wait if the receiver named some."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                status, said, wait = await self._post(client, hook, name, body)
        except (TimeoutError, httpx2.TimeoutException):
            status, said, wait = 0, f"no answer within {self._rules.timeout_s:g} s", 0.0
        except BadDestinationError as error:
            status, said, wait = 0, str(error), 0.0
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            status, said, wait = 0, str(error) or type(error).__name__, 0.0
        except Exception:  # noqa: BLE001 - an event whose try is never told to have ended is never tried again
            self._log.exception("bug: webhook not called", webhook=hook.id)
            status, said, wait = 0, "a bug of ours", 0.0
        return status, said[:SAID_MAX], time.monotonic() - began, wait

    async def _post(self, client: httpx2.AsyncClient, hook: Webhook, name: str, body: bytes) -> tuple[int, str, float]:
        host, port, secure = check_url(hook.url, self._rules)
        address = await self._place(hook).find(host, port, self._rules)
        url = httpx2.URL(hook.url)
        now = datetime.now(UTC)
        signatures = [Signer(one).sign(name, now, body.decode()) for one in hook.signing(now.timestamp())]
        headers = {
            "Host": url.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": "tensec",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        extensions = {"sni_hostname": host} if secure else {}
        request = client.build_request(
            "POST", url.copy_with(host=address), content=body, headers=headers, extensions=extensions
        )
        response = await client.send(request, stream=True)
        try:
            said = b""
            async for chunk in response.aiter_raw():
                said += chunk
                if len(said) > ANSWER_MAX:
                    break
        finally:
            await response.aclose()
        good = response.is_success
        return response.status_code, "" if good else _words(said), _seconds(response.headers.get("retry-after", ""))

    def _place(self, hook: Webhook) -> "_Place":
        place = self._places.get(hook.id)
        if place is None:
            place = self._places[hook.id] = _Place()
        return place

    def prune(self) -> None:
        """Webhooks may have been taken away: nothing of them stays here."""
        for name in [one for one in self._lines if self.webhook(one) is None]:
            task = asyncio.create_task(self._lines.pop(name).stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        for name in [one for one in self._places if self.webhook(one) is None]:
            del self._places[name]

    def webhook(self, name: str) -> Webhook | None:
        """As the core last told it."""
        return self._directory.webhook("", name)

    def tried(self, tries: list[Try]) -> None:
        """Tell the core."""
        self._core.tried(Tried(tries))

    def forget(self) -> None:
        """The core is gone: it will hand out again whatever was not done."""
        for line in self._lines.values():
            line.clear()

    async def close(self) -> None:
        """End every request."""
        for line in self._lines.values():
            await line.stop()


class _Place:
    """Where the name of a webhook leads, for a short while. One look-up at a time: a slow one holds one thread, not all."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._found = ("", 0, "")
        self._until = 0.0

    async def find(self, host: str, port: int, rules: Webhooks) -> str:
        """See `resolve`."""
        async with self._one:
            now = time.monotonic()
            if now >= self._until or self._found[:2] != (host, port):
                self._found = (host, port, await resolve(host, port, rules))
                self._until = now + PLACE_S
            return self._found[2]


class _Line:
    """One webhook: what waits for it, and the tasks that hand it over; they end when there is nothing."""

    def __init__(self, courier: Courier, name: str) -> None:
        self._courier = courier
        self._name = name
        self._client = courier.client()
        self._waiting: list[Notice] = []
        self._more = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, notices: Sequence[Notice]) -> None:
        self._waiting += notices
        self._more.set()
        wanted = min(AT_ONCE, len(self._waiting))
        while len(self._tasks) < wanted:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)

    def clear(self) -> None:
        self._waiting.clear()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self._client.aclose()

    async def _run(self) -> None:
        try:
            await self._work()
        finally:  # at once: what comes next must not count on a task that has nothing more to do
            self._tasks.discard(asyncio.current_task())

    async def _work(self) -> None:
        while self._waiting:
            hook = self._courier.webhook(self._name)
            if hook is None:
                self._waiting.clear()
                return
            if hook.batch:
                await self._send_batch(hook)
            else:
                await self._send_one(hook)

    async def _send_one(self, hook: Webhook) -> None:
        notice = self._waiting.pop(0)
        told = event(notice)
        status, said, took_s, wait_s = await self._courier.post(self._client, hook, told.id, _JSON.encode(told))
        self._courier.tried([Try(notice.id, self._name, status, said, wait_s, took_s)])

    async def _send_batch(self, hook: Webhook) -> None:
        if len(self._waiting) < BATCH_FULL:
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BATCH_WAIT_S):
                    while len(self._waiting) < BATCH_FULL:
                        await self._more.wait()
                        self._more.clear()
        taken, body = _packed(self._waiting)
        if not taken:
            return
        del self._waiting[: len(taken)]
        name = _batch_id(taken)
        status, said, took_s, wait_s = await self._courier.post(self._client, hook, name, body)
        self._courier.tried([Try(one.id, self._name, status, said, wait_s, took_s) for one in taken])


def _batch_id(taken: Sequence[Notice]) -> str:
    """The same for the same events only: receivers leave out what they have had by it."""
    ids = ",".join(str(one.id) for one in taken)
    return f"batch_{blake2b(ids.encode(), digest_size=12).hexdigest()}"


def _packed(waiting: list[Notice]) -> tuple[list[Notice], bytes]:
    """As many of the first as fit into one body."""
    size = 100
    taken: list[Notice] = []
    told: list[msgspec.Raw] = []
    for notice in waiting:
        one = _JSON.encode(event(notice))
        size += len(one) + 1
        if taken and size > BATCH_OCTETS:
            break
        taken.append(notice)
        told.append(msgspec.Raw(one))
    if not taken:
        return [], b""
    batch = {"type": EventBatch.__struct_defaults__[0], "timestamp": datetime.now(UTC), "data": told}
    return taken, _JSON.encode(batch)


def _words(said: bytes) -> str:
    return said[:SAID_MAX].decode("utf-8", "replace").strip()


def _seconds(text: str) -> float:
    """Of a Retry-After: a number, or a date; 0 for neither."""
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
