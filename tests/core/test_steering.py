"""What operators change by hand: it counts at once, survives a restart, is audited, and can be taken back."""

from typing import Any

import msgspec
import pytest
import trio
from door import core
from test_lane import messages, stage
from test_questions import HeldLane
from trio.testing import MockClock

from gateway.calls import messages as calls
from gateway.calls.things import PORTED, TUNED
from gateway.core.steering import Steering
from routing.records import Message

BY = "command line, ops"


class TunedLane(HeldLane):
    """A lane that remembers its rates."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float | None] = []

    def limit(self, rate: float | None) -> None:
        self.rates.append(rate)


def tune(*fields: Any, **values: Any) -> calls.Tune:
    return calls.Tune("a", fields, **values, by=BY, why="night")


async def test_a_weight_and_a_rate_count_instead_of_the_configuration_until_they_are_taken_back(
    autojump_clock: MockClock,
) -> None:
    async with core() as one:
        client, lane = one.connect(), TunedLane()
        one.pipeline.lanes["a"] = lane  # type: ignore[assignment]
        assert await client.ask(tune("weight", weight=9)) == [calls.Done()]
        assert one.pipeline.dispatch.weight("a") == 9
        assert lane.rates == [None]
        await client.ask(tune("rate", rate=50.0))
        assert lane.rates[-1] == 50.0
        assert one.pipeline.dispatch.weight("a") == 9, "the other one stays"
        assert msgspec.json.decode(dict(one.store.documents.of(TUNED))["a"]) == {"weight": 9, "rate": 50.0}
        candidates = one.pipeline.dispatch.routes.candidates(Message(1, "shop", destination="34612345678"))
        assert {each.name: each.weight for each in candidates}["a"] == 9
        await client.ask(tune("weight", "rate"))
        assert dict(one.store.documents.of(TUNED)) == {}
        assert one.pipeline.dispatch.weight("a") is None
        assert lane.rates[-1] is None
        lines = [line for line in one.audit.lines if line["what"] == "channel tuned"]
        assert lines[0] == {"what": "channel tuned", "by": BY, "channel": "a", "why": "night", "weight": 9}
        assert lines[-1]["weight"] is lines[-1]["rate"] is None


async def test_weights_set_by_hand_outlive_a_new_configuration(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.pipeline.lanes["a"] = TunedLane()  # type: ignore[assignment]
        await client.ask(tune("weight", weight=9))
        one.pipeline.configure(one.pipeline._config)
        candidates = one.pipeline.dispatch.routes.candidates(Message(1, "shop", destination="34612345678"))
        assert {each.name: each.weight for each in candidates}["a"] == 9


@pytest.mark.parametrize(
    ("values", "words"),
    [({"weight": 0}, "pause the channel"), ({"weight": 10_001}, "1 to 10000"), ({"rate": -1.0}, "0 (no limit)")],
)
async def test_what_would_stop_a_channel_or_make_no_sense_is_refused(
    autojump_clock: MockClock, values: Any, words: str
) -> None:
    async with core() as one:
        one.pipeline.lanes["a"] = TunedLane()  # type: ignore[assignment]
        (done,) = await one.connect().ask(tune(*values, **values))
        assert words in done.error
        assert dict(one.store.documents.of(TUNED)) == {}
        assert one.audit.lines == []


async def test_a_channel_nobody_knows_is_told(autojump_clock: MockClock) -> None:
    async with core() as one:
        (done,) = await one.connect().ask(tune("weight", weight=1))
        assert done.error == "there is no channel a"


async def test_holding_a_channel_is_audited_with_who_and_why(autojump_clock: MockClock) -> None:
    async with core() as one:
        one.pipeline.lanes["a"] = TunedLane()  # type: ignore[assignment]
        await one.connect().ask(calls.Steer("a", "drain", BY, "maintenance"))
        assert one.audit.lines == [{"what": "channel drain", "by": BY, "channel": "a", "why": "maintenance"}]


async def test_numbers_that_have_moved_are_told_and_taken_back(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        number = "8613800138000"
        (before,) = await client.ask(calls.AskNetwork(f"+{number}"))
        assert before == calls.Network(number, "cn-mobile", "86", False, False)
        (done,) = await client.ask(calls.Port([(f"+{number}", "cn-unicom"), ("nonsense", "x")], BY))
        assert (done.count, done.error) == (1, "1 are no numbers")
        (after,) = await client.ask(calls.AskNetwork(f"+{number}"))
        assert (after.operator, after.moved) == ("cn-unicom", True)
        await client.ask(calls.Port([(f"+{number}", "")], BY))
        assert await client.ask(calls.AskNetwork(f"+{number}")) == [before]
        assert dict(one.store.documents.of(PORTED)) == {}
        assert [line["what"] for line in one.audit.lines] == ["numbers moved"] * 2
        (unknown,) = await client.ask(calls.AskNetwork("+0"))
        assert "no number" in unknown.error


async def test_everything_set_by_hand_is_there_after_a_restart(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        one.pipeline.lanes["a"] = TunedLane()  # type: ignore[assignment]
        await client.ask(tune("weight", "rate", weight=4, rate=7.0))
        await client.ask(calls.Steer("a", "pause"), calls.Port([("+8613800138000", "cn-unicom")]))
        kept = one.store.list_documents
        async with core() as other:
            lane = TunedLane()
            other.pipeline.lanes["a"] = lane  # type: ignore[assignment]
            Steering(other.pipeline, other.questions.put_document, other.audit).take_over_all(kept)
            assert (lane.held, lane.rates[-1]) == ("pause", 7.0)
            assert other.pipeline.dispatch.weight("a") == 4
            assert other.pipeline.operators.of("8613800138000").name == "cn-unicom"


async def test_a_rate_by_hand_holds_a_lane_back_and_the_configured_one_comes_back(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=100) as at:
        at.lane.limit(2.0)
        at.send(*messages(1, 40))
        await trio.sleep(5)
        assert 8 <= at.smsc.count <= 12
        at.lane.limit(None)
        await trio.sleep(1)
        assert at.smsc.count == 40
