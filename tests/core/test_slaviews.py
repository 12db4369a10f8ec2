"""The ten seconds as they are asked for: by the dimensions named, of what is named only, in the windows named."""

from typing import Any

import trio
from clock import VirtualClock
from makers import config
from test_figures import come, delivered
from trio.testing import MockClock

from gateway import link
from gateway.core import slaviews
from gateway.core.pipeline import Pipeline
from gateway.core.storage import Storage
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened


async def counted() -> Pipeline:
    """Ten codes of `shop` by channel a, in time, and ten of `bank` by channel b, of which four never arrive."""
    pipeline = Pipeline(config(), Storage(Opened(MemoryStore("virtual")), VirtualClock()), VirtualClock(), lambda _: None)
    figures = pipeline.figures
    for account, channel, arriving in (("shop", "a", 10), ("bank", "b", 6)):
        sent = [come(class_="verification", account=account) for _ in range(10)]
        figures.due(sent)
        figures.written(channel, {("verification", "cmcc", account): 10}, trio.current_time() + 0.5)
        figures.ended([delivered(one, channel, 2.0, 1.5, in_s=2) for one in sent[:arriving]])
    await trio.sleep(30)
    return pipeline


async def asked(pipeline: Pipeline, *by: str, **fields: Any) -> list[tuple[str, str, str, str, int, float | None]]:
    found = (await slaviews.tallies(pipeline, link.AskTallies(by, **{"windows": ("5m",), **fields}))).windows
    assert {(one.window, one.network) for one in found} <= {("5m", ""), ("5m", "cmcc")}
    return [(one.clock, one.class_, one.channel, one.account, one.due, one.within) for one in found]


async def test_a_row_for_each_class_on_both_clocks(autojump_clock: MockClock) -> None:
    gateway = await counted()
    assert await asked(gateway, "class") == [(clock, "verification", "", "", 20, 0.8) for clock in ("user", "channel")]
    assert await asked(gateway) == [(clock, "", "", "", 20, 0.8) for clock in ("user", "channel")]


async def test_only_the_channel_s_clock_knows_channels(autojump_clock: MockClock) -> None:
    gateway = await counted()
    assert await asked(gateway, "channel", "network") == [
        ("user", "", "", "", 20, 0.8),
        ("channel", "", "a", "", 10, 1.0),
        ("channel", "", "b", "", 10, 0.6),
    ]
    assert await asked(gateway, only={"channel": "b"}) == [("channel", "", "", "", 10, 0.6)]


async def test_accounts_apart_or_one_alone(autojump_clock: MockClock) -> None:
    gateway = await counted()
    rows = await asked(gateway, "account")
    assert [row[3:] for row in rows] == [("bank", 10, 0.6), ("shop", 10, 1.0)] * 2
    assert await asked(gateway, only={"account": "shop", "class": "verification"}) == [
        (clock, "", "", "", 10, 1.0) for clock in ("user", "channel")
    ]
    assert await asked(gateway, only={"account": "nobody"}) == []


async def test_all_windows_unless_some_are_named_and_sums_since_the_start(autojump_clock: MockClock) -> None:
    gateway = await counted()
    found = await slaviews.tallies(gateway, link.AskTallies())
    assert [one.window for one in found.windows] == ["1m", "5m", "15m", "day"] * 2
    assert [(one.channel, one.final, one.within_10s) for one in found.tallies] == [("a", 10, 10), ("b", 6, 6)]
    only = await slaviews.tallies(gateway, link.AskTallies(only={"channel": "b", "class": "verification"}))
    assert [one.channel for one in only.tallies] == ["b"]
    latencies = found.latencies["verification"]
    assert (latencies.count, latencies.sum_s) == (16, 32.0)
    assert [(edge, count) for edge, count in latencies.up_to if edge in (1.25, 2.5, 10.0)] == [(1.25, 0), (2.5, 16), (10.0, 16)]
    assert link.unpack_answer(link.pack(found)[4:]) == found
