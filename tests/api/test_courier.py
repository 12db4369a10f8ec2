"""Events to real receivers: signed, to the address that was looked at, within bounds, and nobody waits for another."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
from fake_core import FakeLink
from receivers import OK, Post, Receiver
from standardwebhooks.webhooks import WebhookVerificationError

from config.schema import Webhooks
from gateway.api import courier as module
from gateway.api.courier import Courier
from gateway.api.directory import Directory
from gateway.calls.making import make_webhook, new_secret, stored
from gateway.calls.messages import Try
from gateway.calls.outbound import Documents, Work
from gateway.calls.things import WEBHOOK, Webhook
from routing.records import MessageState, Notice

UTC = 1_800_000_000.0
OPEN = Webhooks(allow_http=True, allow_private=True)


class Desk:
    """A courier, with a core that notes what it is told."""

    def __init__(self, rules: Webhooks = OPEN) -> None:
        self.directory = Directory()
        self.core = FakeLink(self.directory)
        self.told = asyncio.Event()
        real = self.core.tried

        def tried(tries: Any) -> None:
            real(tries)
            self.told.set()

        self.core.tried = tried  # type: ignore[method-assign]
        self.courier = Courier(rules, self.core, self.directory)  # type: ignore[arg-type]

    def hook(self, place: "Receiver | str", **fields: Any) -> Webhook:
        url = place if isinstance(place, str) else f"http://127.0.0.1:{place.port}/hook?x=1"
        hook = msgspec.structs.replace(make_webhook("shop", url, UTC), **fields)
        self.directory.take(Documents([(WEBHOOK, hook.id, stored(hook))]))
        return hook

    def give(self, hook: Webhook, *numbers: int) -> None:
        self.courier.take(Work(hook.id, [notice(number) for number in numbers]))

    async def tries(self, count: int) -> list[Try]:
        while len(self.core.tries) < count:
            self.told.clear()
            await self.told.wait()
        return self.core.tries

    async def __aenter__(self) -> "Desk":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.courier.close()


def notice(number: int) -> Notice:
    return Notice(number, "shop", public_id=str(number), state=MessageState.DELIVERED, created_utc=UTC, door="http")


def test_a_delivery_is_signed_and_named(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            desk.give(hook, 7)
            (tried,) = await desk.tries(1)
            assert (tried.notice_id, tried.webhook, tried.status, tried.said) == (7, hook.id, 204, "")
            (post,) = receiver.posts
            assert post.line == "POST /hook?x=1 HTTP/1.1"
            assert post.verify(hook.secrets[0])["data"]["id"] == "7"
            assert (post.headers["webhook-id"], post.headers["host"]) == ("evt_7", f"127.0.0.1:{receiver.port}")
            with pytest.raises(WebhookVerificationError):
                post.verify(new_secret())

    run(main())


def test_while_secrets_are_rotated_both_verify_it(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            old, new = new_secret(), new_secret()
            desk.give(desk.hook(receiver, secrets=(new, old), old_secret_until_utc=time.time() + 1_000), 1)
            desk.give(desk.hook(receiver, secrets=(new, old), old_secret_until_utc=time.time() - 1), 2)
            await desk.tries(2)
            both, one = sorted(receiver.posts, key=lambda post: post.events)
            for secret in (old, new):
                both.verify(secret)
            one.verify(new)
            with pytest.raises(WebhookVerificationError):
                one.verify(old)

    run(main())


@pytest.mark.parametrize(
    ("answer", "status", "said", "wait"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "", 0.0),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, "", 0.0),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", 410, "gone", 0.0),
        (b"HTTP/1.1 429 X\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", 429, "", 17.0),
        (b"HTTP/1.1 503 X\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", 503, "", 0.0),
        (b"HTTP/1.1 503 X\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 503, "", 0.0),
        (b"HTTP/1.1 503 X\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", 503, "", 0.0),
        (
            b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\xff\xfe\xfdx",
            500,
            "\ufffd\ufffd\ufffdx",
            0.0,
        ),
    ],
)
def test_what_receivers_answer(run: Any, answer: bytes, status: int, said: str, wait: float) -> None:
    async def main() -> None:
        async with Receiver(answer) as receiver, Desk() as desk:
            desk.give(desk.hook(receiver), 1)
            (tried,) = await desk.tries(1)
            assert (tried.status, tried.said, tried.retry_after_s) == (status, said, wait)
            assert len(receiver.posts) == 1, "no redirect is followed"

    run(main())


def test_a_date_to_come_is_honoured() -> None:
    assert module._seconds("Fri, 31 Dec 2100 23:59:59 GMT") > 1e9
    assert module._seconds("Fri, 31 Dec 99999 23:59:59 GMT") == 0
    assert module._seconds("1" * 50) == 0


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n"], ids=range(2)
)
def test_what_is_no_http_is_no_answer(run: Any, answer: bytes) -> None:
    async def main() -> None:
        async with Receiver(answer) as receiver, Desk() as desk:
            desk.give(desk.hook(receiver), 1)
            (tried,) = await desk.tries(1)
            assert tried.status == 0
            assert 0 < len(tried.said) <= module.SAID_MAX

    run(main())


def test_a_huge_answer_is_cut(run: Any) -> None:
    sent = 0

    async def flood(post: Post, writer: asyncio.StreamWriter) -> bytes:
        nonlocal sent
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                sent += 65_536
                await writer.drain()
        except OSError:
            return b""

    async def main() -> None:
        async with Receiver(flood) as receiver, Desk() as desk:
            desk.give(desk.hook(receiver), 1)
            (tried,) = await desk.tries(1)
            assert (tried.status, len(tried.said)) == (500, module.SAID_MAX)
            assert sent < 50_000_000

    run(main())


def test_who_does_not_answer_is_given_up(run: Any) -> None:
    async def never(post: Post, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def drip(post: Post, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async def main() -> None:
        rules = Webhooks(allow_http=True, allow_private=True, timeout_s=0.1)
        async with Receiver(never) as silent, Receiver(drip) as slow, Desk(rules) as desk:
            for receiver in (silent, slow):
                desk.give(desk.hook(receiver), 1)
            for tried in await desk.tries(2):
                assert (tried.status, tried.said) == (0, "no answer within 0.1 s")

    run(main())


def test_nobody_there_and_nowhere_we_go(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver:
            port = receiver.port
        async with Desk() as desk:
            desk.give(desk.hook(f"http://127.0.0.1:{port}/"), 1)
            (tried,) = await desk.tries(1)
            assert tried.status == 0
            assert tried.said
        async with Receiver() as receiver, Desk(Webhooks(allow_http=True)) as desk:
            for url in (f"http://127.0.0.1:{receiver.port}/", f"http://localhost:{receiver.port}/", "ftp://x/"):
                desk.give(desk.hook(url), 1)
            for tried in await desk.tries(3):
                assert tried.status == 0
            assert receiver.posts == []

    run(main())


def test_the_address_that_was_looked_at_is_the_one_connected_to(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        looked = []

        async def resolve(host: str, port: int, rules: Webhooks) -> str:
            looked.append(host)
            return "127.0.0.1"

        monkeypatch.setattr(module, "resolve", resolve)
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(f"http://hook.invalid:{receiver.port}/x")
            desk.give(hook, 1, 2, 3)
            assert [tried.status for tried in await desk.tries(3)] == [204] * 3
            assert {post.headers["host"] for post in receiver.posts} == {f"hook.invalid:{receiver.port}"}
            assert looked == ["hook.invalid"], "once for a while"

    run(main())


def test_a_slow_name_holds_one_look_up_and_delays_no_other_webhook(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        busy, most = 0, 0

        async def resolve(host: str, port: int, rules: Webhooks) -> str:
            nonlocal busy, most
            if host == "slow.invalid":
                busy += 1
                most = max(most, busy)
                try:
                    await asyncio.Event().wait()
                finally:
                    busy -= 1
            return "127.0.0.1"

        monkeypatch.setattr(module, "resolve", resolve)
        async with Receiver() as receiver, Desk() as desk:
            desk.give(desk.hook(f"http://slow.invalid:{receiver.port}/"), *range(20))
            desk.give(desk.hook(f"http://fast.invalid:{receiver.port}/"), *range(100, 120))
            tries = await desk.tries(20)
            assert {tried.status for tried in tries} == {204}
            assert most == 1

    run(main())


def test_one_slow_receiver_delays_nobody_and_has_few_requests_at_a_time(run: Any) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def slow(post: Post, writer: asyncio.StreamWriter) -> bytes:
            await gate.wait()
            return OK

        async with Receiver(slow) as stuck, Receiver() as good, Desk() as desk:
            a, b = desk.hook(stuck), desk.hook(good)
            desk.give(a, *range(1, 65))
            desk.give(b, *range(101, 165))
            tries = await desk.tries(64)
            assert {tried.webhook for tried in tries} == {b.id}
            await stuck.until(lambda: len(stuck.posts) == module.AT_ONCE)
            assert stuck.busy_max == module.AT_ONCE
            gate.set()
            await desk.tries(128)
            assert len(stuck.posts) == 64
            assert stuck.busy_max == module.AT_ONCE

    run(main())


def test_batches_are_small_and_hold_every_event_once(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "BATCH_WAIT_S", 0.01)
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver, batch=True)
            desk.give(hook, *range(1, 501))
            desk.give(hook, 501)
            tries = await desk.tries(501)
            assert sorted(tried.notice_id for tried in tries) == list(range(1, 502))
            assert sorted(name for post in receiver.posts for name in post.events) == sorted(f"evt_{n}" for n in range(1, 502))
            assert max(len(post.body) for post in receiver.posts) <= module.BATCH_OCTETS
            assert len(receiver.posts) < 60
            for post in receiver.posts:
                assert post.verify(hook.secrets[0])["type"] == "message.status.batch"
            assert len({post.headers["webhook-id"] for post in receiver.posts}) == len(receiver.posts)

    run(main())


def test_an_event_that_is_too_large_for_a_batch_goes_alone() -> None:
    large = msgspec.structs.replace(notice(1), client_ref="x" * 30_000)
    taken, body = module._packed([large, notice(2)])
    assert [one.id for one in taken] == [1]
    assert len(body) > module.BATCH_OCTETS
    assert module._packed([]) == ([], b"")


def test_batches_of_other_events_have_other_ids() -> None:
    """A receiver leaves out what it has had: the same name for others, and these are lost."""
    first, other = [notice(1), notice(2), notice(3)], [notice(1), notice(4), notice(5)]
    assert module._batch_id(first) == module._batch_id(list(first))
    assert module._batch_id(first) != module._batch_id(other)
    assert module._batch_id([notice(1), notice(23)]) != module._batch_id([notice(12), notice(3)])


def test_cookies_of_receivers_are_not_kept(run: Any) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
        async with Receiver(answer) as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            for number in (1, 2):
                desk.give(hook, number)
                await desk.tries(number)
            assert all("cookie" not in post.headers for post in receiver.posts)

    run(main())


def test_an_event_that_comes_as_the_last_task_ends_does_not_wait_for_another(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            real = desk.core.tried

            def tried(tries: Any) -> None:
                real(tries)
                if len(desk.core.tries) < 20:  # in the turn in which its task ends
                    asyncio.get_running_loop().call_soon(desk.give, hook, len(desk.core.tries) + 1)

            desk.core.tried = tried  # type: ignore[method-assign]
            desk.give(hook, 1)
            assert [one.notice_id for one in await desk.tries(20)] == list(range(1, 21))

    run(main())


def test_whatever_goes_wrong_is_told_and_the_next_one_goes(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            monkeypatch.setattr(module.Signer, "sign", lambda *_: 1 / 0)
            desk.give(hook, 1, 2)
            tries = await desk.tries(2)
            assert {(tried.status, tried.said) for tried in tries} == {(0, "a bug of ours")}

    run(main())


def test_of_a_webhook_that_is_gone_nothing_is_sent_and_nothing_stays(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            desk.give(hook, 1)
            await desk.tries(1)
            desk.directory.take(Documents([(WEBHOOK, hook.id, b"")]))
            desk.give(hook, 2)
            desk.courier.prune()
            await asyncio.sleep(0)
            await asyncio.gather(*desk.courier._ending)
            assert desk.courier._lines == {}
            assert desk.courier._places == {}
            assert len(receiver.posts) == 1

    run(main())


def test_a_new_connection_to_the_core_forgets_what_waits(run: Any) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def slow(post: Post, writer: asyncio.StreamWriter) -> bytes:
            await gate.wait()
            return OK

        async with Receiver(slow) as receiver, Desk() as desk:
            desk.give(desk.hook(receiver), *range(1, 65))
            await receiver.until(lambda: len(receiver.posts) == module.AT_ONCE)
            desk.courier.forget()
            gate.set()
            await desk.tries(module.AT_ONCE)
            assert len(receiver.posts) == module.AT_ONCE

    run(main())


def test_a_test_is_one_request_of_its_own(run: Any) -> None:
    async def main() -> None:
        async with Receiver() as receiver, Desk() as desk:
            hook = desk.hook(receiver)
            status, said, took_s = await desk.courier.try_once(hook, module.event(notice(5)))
            assert (status, said) == (204, "")
            assert took_s >= 0
            assert desk.core.tries == []
            receiver.posts[0].verify(hook.secrets[0])

    run(main())
