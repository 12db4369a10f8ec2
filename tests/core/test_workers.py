"""The core's door for API workers: requests with keys are done once, limits take whole requests, and nothing ends the core."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from clock import START_UTC, VirtualClock
from door import Client, core, draft, made, statuses, submit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.calls import messages as calls
from gateway.calls.frames import Call, pack
from gateway.calls.making import make_key, make_webhook, stored
from gateway.calls.outbound import Documents, Events, Work
from gateway.calls.things import KEY, WEBHOOK
from gateway.core import workers as module
from gateway.core.workers import batch_key, request_key
from gateway.store.base import Finish
from gateway.store.requests import Requests
from protocol.status import Status
from routing.records import MessageState, Notice

# -- requests with keys


async def test_a_repeat_is_answered_as_the_first_time_and_nothing_is_sent_again(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        (first,) = await client.ask(submit(key="k"))
        (again,) = await client.ask(submit(key="k"))
        (elsewhere,) = await one.connect().ask(submit(key="k"))
        assert first.items[0].message_id
        assert not first.replayed
        assert again.replayed
        assert again.items == elsewhere.items == first.items
        assert one.store.ledger().accepted == 1


async def test_a_key_of_another_payload_is_a_conflict_and_other_accounts_keys_are_others(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        await client.ask(submit(key="k"))
        assert await client.ask(submit(key="k", digest="other")) == [calls.Conflict(running=False)]
        (theirs,) = await client.ask(submit(key="k", who="other"))
        assert statuses(theirs) == [0]


async def test_a_key_under_way_is_a_conflict_until_it_is_answered(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.ready_to_write = trio.Event()
        assert await client.ask(submit(key="k")) == [None]
        assert await client.ask(submit(key="k"), submit(key="k", digest="x")) == [
            calls.Conflict(running=True),
            calls.Conflict(running=False),
        ]
        one.storage.ready_to_write.set()
        (reply,) = await client.heard()
        assert statuses(reply.answer) == [0]  # type: ignore[arg-type]
        assert one.workers._running == {}


async def test_twice_in_one_frame_is_done_once(autojump_clock: MockClock) -> None:
    async with core() as one:
        first, second = await one.connect().ask(submit(key="k"), submit(key="k"))
        assert statuses(first) == [0]
        assert second == calls.Conflict(running=True)
        assert one.store.ledger().accepted == 1


async def test_a_request_that_could_not_be_stored_may_be_tried_again_as_if_new(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.broken = True
        (refused,) = await client.ask(submit(key="k"))
        assert statuses(refused) == [Status.RSYSERR]
        assert refused.retry_after_s > 0
        one.storage.broken = False
        (taken,) = await client.ask(submit(key="k", digest="even another"))
        assert statuses(taken) == [0]
        assert not taken.replayed


@pytest.mark.parametrize(
    "asked",
    [
        lambda: submit(draft("not a number"), key="k"),
        lambda: submit(draft(expires_utc=START_UTC - 1), key="k"),
        lambda: submit(draft(due_utc=START_UTC + 90, expires_utc=START_UTC + 80), key="k"),
        lambda: submit(key="k", who="nobody"),
        lambda: calls.Submit("shop", [], 0.0, START_UTC, "k", "d"),
    ],
)
async def test_a_key_whose_request_was_refused_is_free(autojump_clock: MockClock, asked: Any) -> None:
    async with core() as one:
        (refused,) = await one.connect().ask(asked())
        assert all(statuses(refused))
        assert one.workers._running == {}
        assert one.store.ledger().accepted == 0


async def test_a_repeat_after_its_validity_is_still_answered_as_the_first_time(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        await client.ask(submit(draft(expires_utc=START_UTC + 30), key="k"))
        await trio.sleep(60)
        (again,) = await client.ask(submit(draft(expires_utc=START_UTC + 30), key="k"))
        assert again.replayed


async def test_a_key_is_free_again_after_a_day(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEATS_S", 5.0)
    async with core() as one:
        client = one.connect()
        (first,) = await client.ask(submit(key="k"))
        await trio.sleep(6)
        (again,) = await client.ask(submit(key="k", digest="other"))
        assert not again.replayed
        assert again.items[0].message_id != first.items[0].message_id


async def test_the_answer_is_remembered_when_its_worker_has_died(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.ready_to_write = trio.Event()
        client.say(submit(key="k"))
        await wait_all_tasks_blocked()
        client.sock.close()
        await wait_all_tasks_blocked()
        one.storage.ready_to_write.set()
        await wait_all_tasks_blocked()
        (again,) = await one.connect().ask(submit(key="k"))
        assert again.replayed
        assert one.workers._running == {}


async def test_a_worker_that_dies_while_its_key_is_looked_up_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.ready_to_read = trio.Event()
        client.say(submit(key="k"))
        await wait_all_tasks_blocked()
        client.sock.close()
        await wait_all_tasks_blocked()
        one.storage.ready_to_read.set()
        await wait_all_tasks_blocked()
        assert one.workers._running == {}
        (again,) = await one.connect().ask(submit(key="k"))
        assert again.replayed
        assert one.store.ledger().accepted == 1


async def test_keys_that_cannot_be_looked_up_are_not_under_way_for_ever(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.read_error = RuntimeError("damaged")
        client.say(submit(key="k"))
        assert await client.over(), "its worker is told that it was not answered"
        one.storage.read_error = None
        assert one.workers._running == {}
        (taken,) = await one.connect().ask(submit(key="k"))
        assert statuses(taken) == [0]


async def test_whoever_waits_for_a_key_holds_up_nobody_else(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.ready_to_read = trio.Event()
        client.say(submit(key="k"))
        (health,) = await client.ask(calls.AskHealth())
        assert health.accepting


async def test_a_store_that_is_alone_forgets_the_oldest_requests() -> None:
    requests = Requests(alone=True)
    record = module.RequestRecord("x", 1.0)
    for number in range(100_010):
        requests.add(msgspec.structs.replace(record, key=str(number)))
    assert len(requests.held) == 100_000
    assert "9" not in requests.held


# -- batches


async def test_a_batch_is_remembered_and_its_repeat_has_the_same_id(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        many = [draft(f"86138001380{at:02}") for at in range(20)] + [draft("nonsense")]
        (taken,) = await client.ask(submit(*many, key="k", batch=True))
        assert statuses(taken) == [0] * 20 + [Status.RINVDSTADR]
        (again,) = await client.ask(submit(*many, key="k", batch=True))
        assert (again.batch_id, again.items, again.replayed) == (taken.batch_id, taken.items, True)
        (found,) = await client.ask(calls.AskBatch("shop", taken.batch_id))
        assert (found.size, found.refused, found.states) == (21, 1, {int(MessageState.QUEUED): 20})
        assert abs(found.created_utc - VirtualClock().utc()) < 1
        (theirs,) = await client.ask(calls.AskBatch("other", taken.batch_id))
        assert theirs.size == 0
        one.report(Finish(taken.items[0].message_id, MessageState.REJECTED, "x"))
        (found,) = await client.ask(calls.AskBatch("shop", taken.batch_id))
        assert found.states == {int(MessageState.QUEUED): 19, int(MessageState.REJECTED): 1}


async def test_a_batch_without_key_can_be_asked_about_and_one_refused_altogether_cannot(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        (taken,) = await client.ask(submit(draft(), batch=True))
        assert (await client.ask(calls.AskBatch("shop", taken.batch_id)))[0].size == 1
        (refused,) = await client.ask(submit(draft("x"), draft("y"), batch=True))
        assert all(statuses(refused))
        assert (await client.ask(calls.AskBatch("shop", refused.batch_id)))[0].size == 0


# -- rates


async def test_a_rate_takes_a_request_as_a_whole_or_not_at_all(autojump_clock: MockClock) -> None:
    async with core(made(messages_per_second=10)) as one:
        client = one.connect()
        assert statuses((await client.ask(submit(*[draft()] * 7)))[0]) == [0] * 7
        (refused,) = await client.ask(submit(*[draft()] * 7, key="k"))
        assert statuses(refused) == [Status.RTHROTTLED] * 7
        assert 0.3 < refused.retry_after_s <= 0.5
        assert statuses((await client.ask(submit(*[draft()] * 3)))[0]) == [0] * 3, "what was refused took nothing"
        await trio.sleep(refused.retry_after_s + 0.31)
        (taken,) = await client.ask(submit(*[draft()] * 7, key="k"))
        assert statuses(taken) == [0] * 7
        assert one.store.ledger().accepted == 17


async def test_a_batch_larger_than_a_burst_goes_when_the_bucket_is_full_and_is_paid_afterwards(
    autojump_clock: MockClock,
) -> None:
    async with core(made(messages_per_second=10)) as one:
        client = one.connect()
        assert statuses((await client.ask(submit(*[draft()] * 100)))[0]) == [0] * 100
        await trio.sleep(9)
        (refused,) = await client.ask(submit())
        assert statuses(refused) == [Status.RTHROTTLED]
        await trio.sleep(refused.retry_after_s)
        assert statuses((await client.ask(submit()))[0]) == [0]


async def test_what_waits_to_be_stored_is_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 10)
    async with core() as one:
        client = one.connect()
        one.storage.ready_to_write = trio.Event()
        client.say(submit(*[draft()] * 10))
        (refused,) = await client.ask(submit(key="k"))
        assert (statuses(refused), refused.retry_after_s > 0) == ([Status.RMSGQFUL], True)
        one.storage.ready_to_write.set()
        await client.heard()
        assert (one.workers._pending, one.workers._pending_octets) == (0, 0)
        assert statuses((await client.ask(submit(key="k")))[0]) == [0]
        monkeypatch.setattr(module, "PENDING_OCTETS_MAX", 0)
        assert statuses((await client.ask(submit()))[0]) == [Status.RMSGQFUL]


# -- what is pushed


async def test_whoever_watches_is_told_of_its_accounts_and_no_others(autojump_clock: MockClock) -> None:
    async with core() as one:
        mine, all_of_them, nobody = one.connect(), one.connect(), one.connect()
        mine.say(calls.Watch("shop", True))
        all_of_them.say(calls.Watch("*", True))
        nobody.say(calls.Watch("shop", True), calls.Watch("shop", False))
        (a,), (b,) = await nobody.ask(submit()), await nobody.ask(submit(who="other"))
        ids = [a.items[0].message_id, b.items[0].message_id]
        one.report(*[Finish(number, MessageState.REJECTED, "x") for number in ids])
        assert [[n.id for n in r.answer.notices] for r in await mine.heard() if isinstance(r.answer, Events)] == [ids[:1]]
        assert [[n.id for n in r.answer.notices] for r in await all_of_them.heard()] == [ids]  # type: ignore[union-attr]
        assert await nobody.heard() == []


async def test_whoever_watches_is_told_what_subscribers_wrote(autojump_clock: MockClock) -> None:
    async with core() as one:
        mine, all_of_them = one.connect(), one.connect()
        mine.say(calls.Watch("shop", True))
        all_of_them.say(calls.Watch("*", True))
        await mine.heard()
        one.workers.tell_received([Notice(1, "shop", is_mo=True), Notice(2, "other", is_mo=True), Notice(3, "shop")])
        assert [[n.id for n in r.answer.notices] for r in await mine.heard() if isinstance(r.answer, Events)] == [[1]]
        assert [[n.id for n in r.answer.notices] for r in await all_of_them.heard()] == [[1, 2]]  # type: ignore[union-attr]


async def test_api_processes_are_told_documents_first_and_given_work(autojump_clock: MockClock) -> None:
    hook = make_webhook("shop", "https://a.test/", START_UTC)
    kept, _ = make_key("shop", ("send",), START_UTC)
    async with core() as one:
        client, command = one.connect(), one.connect()
        assert await command.ask(calls.PutDocument(WEBHOOK, hook.id, stored(hook))) == [calls.Done()]
        client.say(calls.Watch("", True))
        (first,) = await client.heard()
        assert first.answer == Documents([(WEBHOOK, hook.id, stored(hook))], all=True)
        await command.ask(calls.PutDocument(KEY, kept.id, stored(kept)))
        (told,) = await client.heard()
        assert told.answer == Documents([(KEY, kept.id, stored(kept))])
        assert one.store.list_documents(KEY) == {kept.id: stored(kept)}
        (taken,) = await command.ask(submit())
        number = taken.items[0].message_id
        (settled,) = [one.store.settle([Finish(number, MessageState.REJECTED, "x")], START_UTC)]
        one.outbox.deliver(settled.notices)
        (work,) = await client.heard()
        assert isinstance(work.answer, Work)
        client.say(calls.Tried([calls.Try(number, hook.id, 200)]))
        await wait_all_tasks_blocked()
        assert one.outbox.backlog == 0


# -- what is not understood


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (WEBHOOK, "w", b"not json"),
        (WEBHOOK, "w", b'{"id": 5}'),
        (KEY, "other-name", stored(make_key("shop", ("send",), 0.0)[0])),
        (KEY, "k", b'{"id":"k","account":"a","sha256":"x","prefix":"","scopes":["everything"]}'),
        ("held", "a", b'"pause"'),
        ("anything", "a", b"1"),
    ],
)
async def test_a_document_that_could_not_be_read_again_is_not_kept(
    autojump_clock: MockClock, kind: str, name: str, value: bytes
) -> None:
    """The core reads them at its start, and every worker does: one bad one would end all of them, for ever."""
    async with core() as one:
        client = one.connect()
        (done,) = await client.ask(calls.PutDocument(kind, name, value))
        assert done.error
        assert one.store.list_documents(kind) == {}
        assert (await client.ask(calls.AskHealth()))[0].accepting


async def test_a_document_is_changed_only_while_it_is_what_whoever_changes_it_knows(autojump_clock: MockClock) -> None:
    hook = make_webhook("shop", "https://a.test/", START_UTC)
    off, batched = (stored(msgspec.structs.replace(hook, **fields)) for fields in ({"enabled": False}, {"batch": True}))
    async with core() as one:
        client = one.connect()
        put = calls.PutDocument(WEBHOOK, hook.id, stored(hook))
        assert await client.ask(calls.PutDocument(WEBHOOK, hook.id, off, stored(hook))) == [calls.Done(calls.CHANGED)]
        assert await client.ask(put) == [calls.Done()]
        assert await client.ask(calls.PutDocument(WEBHOOK, hook.id, off, stored(hook))) == [calls.Done()]
        assert await client.ask(calls.PutDocument(WEBHOOK, hook.id, batched, stored(hook))) == [calls.Done(calls.CHANGED)]
        assert one.store.list_documents(WEBHOOK) == {hook.id: off}
        (odd,) = await client.ask(calls.PutDocument(WEBHOOK, hook.id, batched, b"{"))
        assert odd.error
        assert one.store.list_documents(WEBHOOK) == {hook.id: off}


async def test_a_question_that_fails_ends_neither_the_core_nor_its_connection(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.storage.read_error = RuntimeError("damaged")
        assert await client.ask(calls.AskBatch("shop", "b1")) == [calls.Unable("a bug of ours")]
        assert (await client.ask(calls.AskHealth()))[0].accepting


async def test_while_nothing_can_be_stored_nobody_waits_for_it(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        (taken,) = await client.ask(submit())
        number = taken.items[0].message_id
        one.storage.trouble = "disk full"
        kept, _ = make_key("shop", ("send",), START_UTC)
        wishes = [
            calls.Cancel("shop", number),
            calls.Reschedule("shop", number, START_UTC + 60),
            calls.PutDocument(KEY, kept.id, stored(kept)),
        ]
        assert await client.ask(*wishes) == [calls.Unable("disk full")] * 3
        one.storage.ready_to_read = trio.Event()
        for key in ("", "k"):
            (refused,) = await client.ask(submit(key=key))
            assert statuses(refused) == [Status.RSYSERR]
        (found,) = await client.ask(calls.Find("shop", number))
        assert found.records[0].message.state is MessageState.QUEUED


BAD = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x01\xc1",
    b"\x00\x00\x00\x05hello",
    pack([Call(1, calls.Submit("shop", [calls.Draft("1", b"x", 999, 1)], 0.0, 0.0))]),
    pack([Call(1, calls.Submit("shop", [calls.Draft("1", b"x", 0, -1)], 0.0, 0.0))]),
    pack([Call(1, calls.Submit("shop", [calls.Draft("1", b"x", 0, 1, class_="none")], 0.0, 0.0))]),  # type: ignore[arg-type]
    pack([Call(1, calls.Submit("shop", [calls.Draft("1", b"x", 0, 1, due_utc=float("nan"))], 0.0, 0.0))]),
    pack([Call(1, calls.Submit("shop", [calls.Draft("1", b"x", 0, 1, expires_utc=float("inf"))], 0.0, 0.0))]),
    pack([Call(1, calls.Reschedule("shop", 1, 1e300))]),
]


@pytest.mark.parametrize("said", BAD, ids=range(len(BAD)))
async def test_what_nobody_should_say_ends_its_connection_alone(autojump_clock: MockClock, said: bytes) -> None:
    async with core() as one:
        good, bad = one.connect(), one.connect()
        bad.sock.send(said)
        assert await bad.over()
        assert statuses((await good.ask(submit()))[0]) == [0]
        assert len(one.workers._workers) == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_no_octets_end_the_core(at: int, put: bytes) -> None:
    async def main() -> None:
        async with core() as one:
            good, bad = one.connect(), one.connect()
            frame = bytearray(pack([Call(3, submit(key="k")), Call(4, calls.Find("shop", 1)), Call(5, calls.Watch("", True))]))
            at_ = 4 + at % (len(frame) - 4)
            frame[at_ : at_ + len(put)] = put
            bad.sock.send(frame)
            await wait_all_tasks_blocked()
            bad.sock.close()
            await wait_all_tasks_blocked()
            assert one.workers._running == {}
            assert (await good.ask(calls.AskHealth()))[0].accepting

    trio.run(main)


async def test_the_socket_is_its_owners_and_goes_with_the_core(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "api.sock"
    path.write_text("left by a crash")
    async with core() as one, trio.open_nursery() as nursery:
        await nursery.start(one.workers.run, path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            client = Client(sock)
            assert (await client.ask(calls.AskHealth()))[0].accepting
        path.unlink()
        nursery.cancel_scope.cancel()


async def test_too_many_open_files_do_not_end_the_core(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [OSError(24, "Too many open files")] * 2
    real = socket.socket.accept

    def accept(self: socket.socket) -> Any:
        if fails:
            raise fails.pop()
        return real(self)

    async with core() as one, trio.open_nursery() as nursery:
        await nursery.start(one.workers.run, tmp_path / "api.sock")
        monkeypatch.setattr(socket.socket, "accept", accept)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "api.sock"))
            client = Client(sock)
            client.say(calls.AskHealth())
            await trio.sleep(1)
            (reply,) = await client.heard()
            assert reply.answer.accepting  # type: ignore[union-attr]
        nursery.cancel_scope.cancel()


def test_names_of_requests_and_batches_do_not_meet() -> None:
    assert request_key("a", "b") != batch_key("a", "b")
