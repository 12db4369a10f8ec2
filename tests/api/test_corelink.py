"""The way to the core over a real socket: answers by number, a core that goes and comes, what it says unasked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore

from gateway.api import corelink as module
from gateway.api.corelink import CoreAwayError, CoreLink, expect, put_document
from gateway.calls import messages as calls
from gateway.calls.frames import PUSHED, Reply, pack
from gateway.calls.outbound import Documents, Events


class Link:
    """A link that runs, and what the core said unasked."""

    def __init__(self, path: Path) -> None:
        self.pushed: list[Any] = []
        self.fails = False
        self.link = CoreLink(path, self.take)
        self.task = asyncio.create_task(self.link.run())

    def take(self, push: Any) -> None:
        if self.fails:
            raise ValueError("a push nobody understands")
        self.pushed.append(push)

    async def down(self) -> None:
        while self.link.connected.is_set():  # noqa: ASYNC110 - nothing tells that it is cleared
            await asyncio.sleep(0)

    async def __aenter__(self) -> "Link":
        await self.link.connected.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self.task.done(), "it must not end by itself"
        await self.link.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.001)


def test_answers_find_their_calls_whatever_their_order(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: None)
        await core.start()
        async with Link(core.path) as one:
            futures = [one.link.ask(calls.Find("shop", number)) for number in range(5)]
            await core.until(lambda: len(core.heard) == 6)
            (writer,) = core.writers
            replies = [Reply(number, calls.Done(str(number))) for number in (4, 2, 5, 1, 3)]
            data = pack([*replies, Reply(77, calls.Done("nobody asked"))])
            for octet in data:
                writer.write(bytes([octet]))
            assert [(await future).error for future in futures] == ["1", "2", "3", "4", "5"]  # type: ignore[union-attr]
        await core.stop()

    run(main())


def test_calls_of_one_turn_go_in_one_frame(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: calls.Done())
        await core.start()
        async with Link(core.path) as one:
            written: list[bytes] = []
            writer = one.link._writer
            assert writer is not None
            real = writer.write
            writer.write = lambda data: (written.append(data), real(data))[1]  # type: ignore[method-assign]
            await asyncio.gather(*(one.link.ask(calls.AskHealth()) for _ in range(50)))
            assert len(written) == 1
        await core.stop()

    run(main())


def test_a_core_that_is_away_is_known_at_once_and_one_that_goes_fails_its_calls(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: None)
        one = Link(core.path)
        with pytest.raises(CoreAwayError):
            one.link.ask(calls.AskHealth())
        await core.start()
        async with one:
            future = one.link.ask(calls.AskHealth())
            gone = asyncio.create_task(asyncio.wait_for(one.link.ask(calls.AskLedger()), 20))
            await core.until(lambda: len(core.heard) == 3)
            await core.stop()
            for waiting in (future, gone):
                with pytest.raises(CoreAwayError):
                    await waiting
            await one.down()
            with pytest.raises(CoreAwayError):
                one.link.ask(calls.AskHealth())
            one.link.tried(calls.Tried([]))

    run(main())


def test_it_comes_back_knows_everything_anew_and_watches_again(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: calls.Done("here"))
        core.documents = [("key", "k", b"{}")]
        await core.start()
        async with Link(core.path) as one:
            one.link.watch("shop", on=True)
            one.link.watch("shop", on=True)
            one.link.watch("gone", on=True)
            one.link.watch("gone", on=False)
            await core.until(lambda: len(core.heard) == 4)
            assert core.heard == [
                calls.Watch("", True),
                calls.Watch("shop", True),
                calls.Watch("gone", True),
                calls.Watch("gone", False),
            ]
            one.link.watch("shop", on=False)
            await core.stop()
            await one.down()
            core.heard.clear()
            await core.start()
            await one.link.connected.wait()
            assert core.heard == [calls.Watch("", True), calls.Watch("shop", True)]
            assert one.pushed == [Documents([("key", "k", b"{}")], all=True)] * 2
            assert (await one.link.ask(calls.AskHealth())).error == "here"  # type: ignore[union-attr]
            core.push(Events([]))
            while len(one.pushed) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await core.stop()

    run(main())


@pytest.mark.parametrize("said", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", "push"])
def test_a_core_that_says_nonsense_is_left_and_asked_again(run: Any, tmp_path: Path, said: Any) -> None:
    """Were the task to end, this worker would refuse everything for ever."""

    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: calls.Done("here"))
        await core.start()
        async with Link(core.path) as one:
            if said == "push":
                one.fails = True
                said_ = pack([Reply(PUSHED, Events([]))])
            else:
                said_ = said
            core.writers[0].write(said_)
            await one.down()
            one.fails = False
            await one.link.connected.wait()
            assert (await one.link.ask(calls.AskHealth())).error == "here"  # type: ignore[union-attr]
        await core.stop()

    run(main())


def test_what_the_core_cannot_do_now_is_a_core_that_is_away(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        answers: list[Any] = [calls.Unable("disk full"), calls.Done("no such kind"), calls.Done()]
        core = FakeCore(tmp_path / "s", lambda ask: answers.pop(0))
        await core.start()
        async with Link(core.path) as one:
            with pytest.raises(CoreAwayError, match="disk full"):
                await one.link.ask(calls.AskHealth())
            with pytest.raises(CoreAwayError, match="no such kind"):
                await put_document(one.link, "x", "y", b"z")
            await put_document(one.link, "key", "y", b"z")
        await core.stop()

    run(main())


def test_a_core_that_is_behind_is_given_nothing_more(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "WAITING_MAX", 3)
        core = FakeCore(tmp_path / "s", lambda ask: None)
        await core.start()
        async with Link(core.path) as one:
            futures = [one.link.ask(calls.AskHealth()) for _ in range(3)]
            with pytest.raises(CoreAwayError, match="behind"):
                one.link.ask(calls.AskHealth())
            monkeypatch.setattr(module, "WAITING_MAX", 100)
            monkeypatch.setattr(module, "UNREAD_MAX", -1)
            with pytest.raises(CoreAwayError, match="behind"):
                one.link.ask(calls.AskHealth())
            for future in futures:
                future.cancel()
            core.writers[0].write(pack([Reply(1, calls.Done())]))  # an answer nobody waits for any more
        await core.stop()

    run(main())


def test_a_call_that_a_hanging_core_never_answers_fails_after_a_while_and_later_ones_live(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        core = FakeCore(tmp_path / "s", lambda ask: None)
        await core.start()
        async with Link(core.path) as one:
            old = one.link.ask(calls.Find("shop", 1))
            one.link.give_up_old()
            young = one.link.ask(calls.Find("shop", 2))
            for _ in range(module.SWEEPS - 1):
                one.link.give_up_old()
            assert not old.done()
            one.link.give_up_old()
            with pytest.raises(CoreAwayError, match="no answer"):
                await old
            assert not young.done()
            young.cancel()
        await core.stop()

    run(main())


def test_an_answer_of_another_kind_is_an_error() -> None:
    with pytest.raises(TypeError, match="Records"):
        expect(calls.Done(), calls.Records)
