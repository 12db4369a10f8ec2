"""Events for webhooks: nothing lost, nothing told twice without need, each webhook by itself, time as the schedule says."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from clock import START_UTC, VirtualClock
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import message
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.calls.messages import Try
from gateway.calls.outbound import Work
from gateway.calls.things import Webhook
from gateway.core import outbox as module
from gateway.core.outbox import JITTER, LINE_MAX, SCHEDULE_S, TRIES, Outbox
from gateway.core.report import Report
from gateway.core.storage import Storage
from gateway.store.base import Admission, Finish, NoticeKept
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from gateway.store.states import event_of
from routing.records import MessageState, Notice

Start = Callable[..., "Post"]
BOX = "shop\x1ehttp"


def hook(name: str = "w1", account: str = "shop", **fields: Any) -> Webhook:
    return Webhook(id=name, account=account, url="https://hook.test/", secrets=("whsec_x",), **fields)


class Post:
    """An outbox over a memory store; reports are settled at once. `got`: what each worker was handed, by webhook."""

    def __init__(self, *hooks: Webhook) -> None:
        self.store = MemoryStore("virtual")
        self.disabled: list[str] = []
        self.got: list[tuple[int, str, int]] = []
        self.outbox = self.made()
        for one in hooks:
            self.outbox.put_webhook(one.id, one)
        self.number = 0

    def made(self) -> Outbox:
        return Outbox(Storage(Opened(self.store), VirtualClock()), VirtualClock(), self.settle, self.disable)

    def settle(self, report: Report) -> None:
        self.store.settle(report.outcomes, VirtualClock().utc())
        self.store.changes.take()

    def disable(self, webhook: Webhook, why: str) -> None:
        self.disabled.append(f"{webhook.id}: {why}")

    def work(self, worker: int, outbox: Outbox | None = None) -> None:
        def take(work: Work) -> None:
            self.got += [(worker, work.webhook, one.id) for one in work.notices]

        (outbox or self.outbox).joined(worker, take)

    def events(self, count: int, *, deliver: bool = True, **fields: Any) -> list[int]:
        """Messages that end now: their events are stored, and handed over."""
        utc = VirtualClock().utc()
        made = [message(self.number + at, door="http", **fields) for at in range(1, count + 1)]
        self.number += count
        self.store.admit([Admission(one) for one in made], utc)
        settled = self.store.settle([Finish(one.id, MessageState.REJECTED, "no route") for one in made], utc)
        if deliver:
            self.outbox.deliver(settled.notices)
        return [one.id for one in made]

    async def handed(self) -> list[tuple[str, int]]:
        """What was handed to workers since the last call."""
        await wait_all_tasks_blocked()
        got, self.got = self.got, []
        return [(webhook, number) for _, webhook, number in got]

    def tried(self, status: int, *handed: tuple[str, int], **fields: Any) -> None:
        self.outbox.tried([Try(number, webhook, status, **fields) for webhook, number in handed])

    @property
    def stored(self) -> list[int]:
        return [one.id for one in self.store.notices(BOX, 1_000_000)]


@pytest.fixture
async def run(nursery: trio.Nursery) -> Start:
    def start(*hooks: Webhook) -> Post:
        post = Post(*hooks)
        post.work(1)
        nursery.start_soon(post.outbox.run)
        return post

    return start


async def test_each_webhook_that_wants_an_event_has_it_once_and_then_it_is_forgotten(
    autojump_clock: MockClock, run: Start
) -> None:
    post = run(hook("w1"), hook("w2", events=("message.rejected",)), hook("w3", events=("message.delivered",)))
    post.outbox.put_webhook("other", hook("other", account="else"))
    (one,) = post.events(1)
    assert sorted(await post.handed()) == [("w1", one), ("w2", one)]
    post.tried(200, ("w1", one))
    assert post.stored == [one]
    post.tried(204, ("w2", one))
    assert post.stored == []
    post.tried(200, ("w1", one), ("w2", one))
    await trio.sleep(1_000)
    assert await post.handed() == []
    assert post.outbox.backlog == 0


async def test_what_nobody_wants_is_forgotten_at_once(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook(events=("message.delivered",)))
    post.events(3)
    assert await post.handed() == []
    assert post.stored == []


async def test_retries_come_by_the_schedule_with_bounded_jitter_and_end(
    autojump_clock: MockClock, run: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 3_600.0)
    post = run(hook())
    (one,) = post.events(1)
    for step, pause in enumerate(SCHEDULE_S):
        assert await post.handed() == [("w1", one)], step
        post.tried(503, ("w1", one), said="busy")
        wait_s = post.outbox.past("w1", 1)[0][0].next_utc - VirtualClock().utc()
        dead_s = module.given_up_utc(post.store.notices(BOX, 1)[0]) - module.BEFORE_DEAD_S - VirtualClock().utc()
        assert min(pause * (1 - JITTER), dead_s) <= wait_s <= pause * (1 + JITTER)
        await trio.sleep(wait_s - 0.01)
        post.outbox.put_webhook("w1", hook())
        assert await post.handed() == [], "not sooner"
        await trio.sleep(0.02)
        post.outbox.put_webhook("w1", hook())
    assert await post.handed() == [("w1", one)]
    post.tried(503, ("w1", one))
    assert post.outbox.backlog == 0
    assert post.stored == [one], "a dead letter once its time is over"
    post.outbox.put_webhook("w1", hook())
    assert await post.handed() == [], "whoever lists it again does not try it again"
    (kept,) = post.store.notices(BOX, 9)
    assert kept.deliveries[0].failures == TRIES
    past, waiting = post.outbox.past("w1", 200)
    assert ([one.failures for one in past], past[0].next_utc, waiting) == (list(range(10, 0, -1)), 0.0, 0)


@given(st.lists(st.floats(1 - JITTER, 1 + JITTER), min_size=9, max_size=9))
def test_the_last_try_is_before_the_store_gives_it_up(chances: list[float]) -> None:
    """Whatever the jitter, and Retry-After: else a dead letter would be delivered all the same."""

    async def main() -> None:
        post = Post(hook())
        (one,) = post.events(1)
        drawn = iter(chances)
        post.outbox._send()
        utc = START_UTC
        monkey = pytest.MonkeyPatch()
        monkey.setattr(post.outbox._clock, "now", lambda: 0.0)
        monkey.setattr(module.random, "uniform", lambda least, most: next(drawn))
        try:
            line, held = post.outbox._lines["w1"], post.outbox._held[one]
            for _ in range(TRIES):
                monkey.setattr(post.outbox._clock, "utc", lambda: utc)  # noqa: B023 - called before it changes
                post.outbox._failed(line, held, Try(one, "w1", 503, retry_after_s=86_400))
                if "w1" not in held.open:
                    break
                utc = held.open["w1"].next_utc
            assert utc <= module.given_up_utc(held.notice) - module.BEFORE_DEAD_S
            assert "w1" not in held.open
        finally:
            monkey.undo()

    trio.run(main)


async def test_retry_after_makes_it_later_never_sooner_and_not_for_ever(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    one, two, three = post.events(3)
    await post.handed()
    post.tried(429, ("w1", one), retry_after_s=100)
    post.tried(429, ("w1", two), retry_after_s=1)
    post.tried(429, ("w1", three), retry_after_s=1e9)
    times = {try_.notice_id: try_.next_utc - VirtualClock().utc() for try_ in post.outbox.past("w1", 9)[0]}
    assert times[one] == 100
    assert 4 <= times[two] <= 6
    assert times[three] == 86_400


async def test_after_an_outage_the_first_success_hurries_the_rest(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook(), hook("w2"))
    numbers = post.events(10)
    both = await post.handed()
    post.tried(0, *both, said="no answer")
    await trio.sleep(7)
    assert len(post.got) == 20
    post.tried(0, *(await post.handed()))
    (fresh,) = post.events(1)
    assert sorted(await post.handed()) == [("w1", fresh), ("w2", fresh)]
    post.tried(200, ("w1", fresh))
    assert sorted(await post.handed()) == [("w1", one) for one in numbers], "the other webhook is none of its business"


async def test_an_event_that_is_never_taken_does_not_use_up_its_tries_while_others_succeed(
    autojump_clock: MockClock, run: Start
) -> None:
    post = run(hook())
    (poison,) = post.events(1)
    await post.handed()
    post.tried(500, ("w1", poison))
    for _ in range(100):
        (good,) = post.events(1)
        assert await post.handed() == [("w1", good)]
        post.tried(200, ("w1", good))
    assert await post.handed() == []


async def test_what_a_lost_worker_had_goes_to_another_and_first(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    numbers = post.events(3)
    assert await post.handed() == [("w1", one) for one in numbers]
    post.tried(200, ("w1", numbers[1]))
    post.work(2)
    post.outbox.left(1)
    await wait_all_tasks_blocked()
    assert post.got == [(2, "w1", numbers[0]), (2, "w1", numbers[2])]


async def test_without_a_worker_events_wait(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    post.outbox.left(1)
    (one,) = post.events(1)
    await trio.sleep(10)
    assert await post.handed() == []
    post.work(7)
    assert await post.handed() == [("w1", one)]


async def test_a_worker_that_says_nothing_any_more_does_not_keep_its_events(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    (one,) = post.events(1)
    assert await post.handed() == [("w1", one)]
    await trio.sleep(module.FLYING_S - 5)
    assert await post.handed() == []
    await trio.sleep(10)
    assert await post.handed() == [("w1", one)]
    post.tried(200, ("w1", one))
    assert post.stored == []


async def test_only_so_many_fly_at_a_time_and_batches_more(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook("one"), hook("batched", batch=True))
    post.events(3_000)
    flying = Counter(webhook for webhook, _ in await post.handed())
    assert flying == {"one": module.FLYING_MAX, "batched": module.FLYING_BATCHED_MAX}


async def test_what_finds_no_room_in_memory_comes_from_the_store_later(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook(batch=True))
    numbers = post.events(2 * LINE_MAX + 5_000)
    seen: list[int] = []
    for _ in range(100):
        assert post.outbox.backlog <= LINE_MAX
        handed = await post.handed()
        seen += [number for _, number in handed]
        post.tried(200, *handed)
    assert seen == numbers
    assert post.stored == []
    await trio.sleep(10)
    assert await post.handed() == []


async def test_a_listing_that_just_fills_memory_is_not_the_last_one(
    autojump_clock: MockClock, run: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_MAX", 10)
    post = run(hook())
    post.outbox.left(1)
    numbers = post.events(25)
    await trio.sleep(1)
    post.work(2)
    seen: list[int] = []
    for _ in range(100):
        handed = await post.handed()
        seen += [number for _, number in handed]
        for one in handed:
            post.tried(200, one)
            await trio.sleep(0.3)
    assert sorted(seen) == numbers


async def test_a_webhook_that_is_dead_keeps_nothing_from_the_others_however_much_waits_for_it(
    autojump_clock: MockClock, run: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_MAX", 10)
    post = run(hook("dead"), hook("well"))
    seen: list[int] = []
    numbers: list[int] = []
    for _ in range(20):
        numbers += post.events(5)
        handed = await post.handed()
        for webhook, number in handed:
            post.tried(200 if webhook == "well" else 500, (webhook, number))
            if webhook == "well":
                seen.append(number)
        await trio.sleep(0.3)
    assert seen == numbers, "each once, in order"
    assert sorted(post.stored) == numbers, "all wait for the other one"
    assert post.outbox.backlog <= 10
    got: list[int] = []
    for _ in range(200):  # it is well again
        handed = await post.handed()
        assert not [one for one in handed if one[0] == "well"]
        for one in handed:
            post.tried(200, one)
            got.append(one[1])
        await trio.sleep(60)
    assert sorted(got) == numbers
    assert post.stored == []


async def test_a_disabled_webhook_has_what_waited_for_it_when_it_is_enabled(autojump_clock: MockClock, run: Start) -> None:
    """Also what another one has taken meanwhile."""
    post = run(hook("w1"), hook("w2"))
    one, two = post.events(2)
    assert len(await post.handed()) == 4
    post.tried(503, ("w1", one))
    post.outbox.put_webhook("w1", hook("w1", enabled=False))
    post.tried(200, ("w2", one))
    await trio.sleep(100)
    assert await post.handed() == []
    post.tried(200, ("w1", one))  # an answer that comes late is nobody's
    post.outbox.put_webhook("w1", hook("w1"))
    assert sorted(await post.handed()) == [("w1", one), ("w1", two)]
    post.tried(200, ("w1", one), ("w1", two), ("w2", two))
    assert post.stored == []


async def test_a_deleted_webhook_takes_what_it_alone_wanted_with_it(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook("w1"), hook("w2", events=("message.delivered",)))
    post.events(2)
    await post.handed()
    post.outbox.put_webhook("w1", None)
    assert (post.stored, post.outbox.backlog) == ([], 0)
    post.tried(200, ("w1", 1))
    assert post.outbox.past("w1", 9) == ([], 0)


async def test_a_deleted_webhook_leaves_nothing_in_the_store_either(
    autojump_clock: MockClock, run: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_MAX", 10)
    post = run(hook("w1"))
    post.events(50)
    await post.handed()
    post.outbox.put_webhook("w1", None)
    await trio.sleep(5)
    assert post.stored == []


async def test_gone_disables_and_the_event_waits(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    (one,) = post.events(1)
    await post.handed()
    post.tried(410, ("w1", one))
    assert post.disabled == ["w1: it answered 410 Gone"]
    assert post.stored == [one]


async def test_delivered_events_are_told_again_to_one_webhook(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook("w1"), hook("w2"))
    (one,) = post.events(1)
    post.tried(200, *(await post.handed()))
    again = event_of(post.store.find([one])[0], None, VirtualClock().utc())  # type: ignore[arg-type]
    assert post.outbox.replay("w1", [again]) == 1
    assert await post.handed() == [("w1", one)]
    assert post.stored == [one]
    post.tried(200, ("w1", one))
    assert post.stored == []
    assert post.outbox.replay("nobody", [again]) == 0


async def test_an_event_another_webhook_still_waits_for_can_be_told_again(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook("w1"), hook("w2"))
    (one,) = post.events(1)
    await post.handed()
    post.tried(200, ("w1", one))
    post.tried(503, ("w2", one))
    (notice,) = post.store.notices(BOX, 9)
    assert post.outbox.replay("w1", [notice]) == 1
    assert await post.handed() == [("w1", one)]
    post.tried(200, ("w1", one))
    assert post.stored == [one], "the other one has not taken it"


async def test_after_a_restart_only_those_that_have_not_taken_it_are_told_and_at_their_time(
    autojump_clock: MockClock, run: Start, nursery: trio.Nursery
) -> None:
    post = run(hook("w1"), hook("w2"), hook("w3"))
    one, two = post.events(2)
    await post.handed()
    post.tried(503, ("w2", one), ("w2", two))
    post.tried(200, ("w1", one), ("w1", two), ("w3", one), ("w3", two))
    post.tried(503, ("w2", one))
    again = post.made()
    for name in ("w1", "w2", "w3"):
        again.put_webhook(name, hook(name))
    post.work(5, again)
    nursery.start_soon(again.run)
    await wait_all_tasks_blocked()
    assert post.got == []
    post.outbox.left(1)
    await trio.sleep(7)
    assert sorted(post.got) == [(5, "w2", one), (5, "w2", two)]


async def test_a_hostile_answer_is_kept_short(autojump_clock: MockClock, run: Start) -> None:
    post = run(hook())
    (one,) = post.events(1)
    await post.handed()
    post.tried(500, ("w1", one), said="x" * 1_000_000, retry_after_s=float("nan"))
    assert len(post.outbox.past("w1", 1)[0][0].said) <= module.SAID_MAX
    assert len(post.store.notices(BOX, 1)[0].deliveries[0].said) <= module.SAID_MAX


Step = tuple[str, int]


@given(
    st.lists(st.tuples(st.sampled_from(["ok", "fail", "events", "lose", "off", "on", "wait"]), st.integers(0, 2)), max_size=40)
)
@settings(max_examples=40)
def test_whatever_happens_every_webhook_has_every_event_in_the_end(steps: list[Step]) -> None:
    """Random successes, failures, lost workers and switches, and then everything works: nothing is missing or left behind."""

    async def main() -> None:
        names = ("w0", "w1", "w2")
        post = Post(*map(hook, names))
        taken: Counter[tuple[str, int]] = Counter()
        workers = [1]
        post.work(1)
        open_: list[tuple[str, int]] = []

        async def succeed(which: Sequence[tuple[str, int]]) -> None:
            for one in which:
                line = post.outbox._lines[one[0]]
                taken[one] += one[1] in line.flying
            post.tried(200, *which)

        async with trio.open_nursery() as nursery:
            monkey.setattr(module, "TICK_S", 10_000.0)
            monkey.setattr(module, "FLYING_S", 1e9)
            nursery.start_soon(post.outbox.run)
            for what, which in [*steps, ("on", 0), ("on", 1), ("on", 2), *[("wait", 0), ("ok", 9)] * 12]:
                open_ += await post.handed()
                if what == "ok":
                    mine = [one for one in open_ if which == 9 or one[0] == names[which]]
                    await succeed(sorted(set(mine)))  # twice, where it was handed out, switched off and on
                    open_ = [one for one in open_ if one not in mine]
                elif what == "fail":
                    post.tried(500, *open_)
                    open_ = []
                elif what == "events":
                    post.events(which + 1)
                elif what == "lose":
                    post.outbox.left(workers[-1])
                    workers.append(workers[-1] + 1)
                    post.work(workers[-1])
                    open_ = []
                elif what in ("off", "on"):
                    post.outbox.put_webhook(names[which], hook(names[which], enabled=what == "on"))
                elif what == "wait":
                    await trio.sleep(30_000)
            nursery.cancel_scope.cancel()
        off = {which for what, which in steps if what == "off"}
        wanted = {(name, number) for name in names for number in range(1, post.number + 1)}
        assert all(count == 1 for count in taken.values()), taken
        # Those that are switched off hear nothing of what ends meanwhile; the others hear everything.
        assert {one for one in wanted if names.index(one[0]) not in off} <= set(taken)
        assert (post.stored, post.outbox.backlog) == ([], 0)

    with pytest.MonkeyPatch.context() as monkey:
        trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_notice_that_was_kept_is_stored_as_it_is_now() -> None:
    held = module._Held(Notice(1, "shop"))
    held.open["w1"] = module.Delivery("w1", 2)
    held.aside["w2"] = module.Delivery("w2")
    kept = held.kept()
    assert isinstance(kept, NoticeKept)
    assert [one.webhook for one in kept.notice.deliveries] == ["w1", "w2"]
