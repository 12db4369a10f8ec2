"""The operators' port: what it says when all is well, when it is not, and when nobody answers."""

import asyncio
from typing import Any

import pytest
from asgi import ask
from fake_core import FakeLink
from prometheus_client.parser import text_string_to_metric_families

from gateway import link
from gateway.api import ops
from gateway.api.directory import Directory
from gateway.calls import messages as calls
from gateway.store.base import Ledger

LEDGER = Ledger(5, 1, 1, 1, {"delivered": 2, "expired": 0})
CHANNEL = link.ChannelView(
    *('a"b', "h:1", "partly up", [], 1, 10, 2, 0.0, 9, 1, 2, 2, 2, ""),
    parts={"speed": 0.75, "samples": 40},
    answers=link.HistogramView([(0.5, 6), (1.0, 8)], 9, 4.5),
    throttled=3,
    unknown=2,
    failovers=1,
    paced_s=1.5,
)
USER = link.WindowView("user", "5m", "verification", "", "", "", 100, 0.9, None, None, 2.0, 9.0, 11.0)
ON_CHANNEL = link.WindowView("channel", "5m", "verification", "a", "", "", 50, 0.8, 0.98, 1.0, 2.0, 9.0, 11.0)
TALLIES = link.Tallies(
    [link.TallyView("verification", "a", 2, 2, 1)],
    [USER, ON_CHANNEL],
    {"verification": link.HistogramView([(5.0, 1), (10.0, 3)], 4, 30.0)},
    [("verification", "a"), ("marketing", "")],
)


def answers(trouble: str = "", *, accepting: bool = True) -> list[Any]:
    return [
        calls.Health(accepting, trouble, 1, 1, 7),
        calls.LedgerSums(link.Sums(LEDGER, {"verification": 3}, 4, {"verification": 7.5})),
        calls.ChannelList(link.Channels([CHANNEL])),
        calls.TallyList(TALLIES),
    ]


def test_ready_is_whoever_takes_messages(run: Any) -> None:
    async def main() -> None:
        core = FakeLink(Directory())
        app = ops.Ops(core).application()  # type: ignore[arg-type]
        for answer, status, why in (
            (answers()[0], 200, ""),
            (answers("disk full")[0], 503, "disk full"),
            (answers(accepting=False)[0], 503, "shutting down"),
            (None, 503, "nobody said what to answer"),
        ):
            core.answers = [answer]
            got = await ask(app, "GET", "/readyz")
            assert (got.status, got.json) == (status, {"ready": status == 200, "why": why})
        assert (await ask(app, "GET", "/livez")).body == b"ok\n"

    run(main())


def test_metrics_are_prometheus_and_of_a_core_that_is_away_only_that(run: Any) -> None:
    async def main() -> None:
        core = FakeLink(Directory())
        app = ops.Ops(core).application()  # type: ignore[arg-type]
        core.answers = answers("disk full")
        text = (await ask(app, "GET", "/metrics")).body.decode()
        found = {(one.name, *one.labels.values()): one.value for f in text_string_to_metric_families(text) for one in f.samples}
        assert found["tensec_core_up",] == 1
        assert found["tensec_messages_accepted_total",] == 5
        assert found["tensec_store_trouble",] == 1
        assert found["tensec_webhook_backlog",] == 7
        assert found["tensec_channel_state", 'a"b', "partly_up"] == 1
        assert found["tensec_channel_state", 'a"b', "up"] == 0
        assert found["tensec_queue_depth", "verification"] == 3
        assert found["tensec_queue_oldest_seconds", "verification"] == 7.5
        buckets = {one[2]: value for one, value in found.items() if one[0] == "tensec_delivery_latency_seconds_bucket"}
        assert buckets == {"5.0": 1, "10.0": 3, "+Inf": 4}
        assert found["tensec_delivery_latency_seconds_sum", "verification"] == 30
        assert [found["tensec_sla_within_ratio", channel, "verification"] for channel in ("", "a")] == [0.9, 0.8]
        assert found["tensec_sla_arrival_ratio", "a", "verification"] == 0.98
        assert ("tensec_sla_arrival_ratio", "", "verification") not in found, "nobody can say yet"
        breached = {where[1:]: value for where, value in found.items() if where[0] == "tensec_sla_breached"}
        assert breached == {("", "verification"): 0, ("a", "verification"): 1, ("", "marketing"): 1}
        assert found["tensec_submit_response_seconds_bucket", 'a"b', "1.0"] == 8
        assert found["tensec_channel_quality_part", 'a"b', "speed"] == 0.75
        for name, value in (("throttled", 3), ("unknown", 2), ("failovers", 1), ("throttle_wait_seconds", 1.5)):
            assert found[f"tensec_channel_{name}_total", 'a"b'] == value
        core.answers = []
        text = (await ask(app, "GET", "/metrics")).body.decode()
        assert [one for one in text.splitlines() if not one.startswith("#")] == ["tensec_core_up 0.0"]

    run(main())


def test_whoever_asks_hears_that_the_core_does_not_answer(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(ops, "ANSWER_S", 0.001)
        core = FakeLink(Directory())
        core.ask = lambda what: asyncio.get_running_loop().create_future()  # type: ignore[method-assign]
        app = ops.Ops(core).application()  # type: ignore[arg-type]
        got = await ask(app, "GET", "/readyz")
        assert (got.status, got.json["why"]) == (503, "the core has not answered within 0.001 s")
        assert b"tensec_core_up 0.0" in (await ask(app, "GET", "/metrics")).body

    run(main())
