"""Thousands of campaign messages are queued and every channel is full: codes reach the carriers as if nothing were there."""

import pytest
from trio.testing import MockClock
from world import carriers, one_route, world

IDLE_S, LOADED_S = 15.0, 20.0
CODES, BACKLOG = 20, 6_000
SLOT_S, TOKEN_S = 0.1, 0.026
"""What codes may wait for: a slot of a full window, the next token of a bucket."""


@pytest.mark.parametrize(
    ("full", "least_per_s", "more_s"),
    [
        ({"window": 10}, 150, SLOT_S),
        ({"window": 10, "messages_per_second": 40}, 55, TOKEN_S),
        ({"bind_messages_per_second": 40}, 55, TOKEN_S),
    ],
    ids=["windows", "pace", "pace of binds"],
)
async def test_codes_do_not_wait_behind_campaigns(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, full: dict[str, int], least_per_s: float, more_s: float
) -> None:
    async with world(monkeypatch, one_route("a", "b"), *carriers("a", "b", **full)) as at:
        for carrier in at.carriers.values():
            carrier.answer_s = lambda chance=carrier.chance: chance.uniform(0.05, 0.15)
        await at.load(IDLE_S, verification=CODES)
        at.submit("marketing", count=BACKLOG // 2)
        at.submit("notification", count=BACKLOG // 2)
        await at.load(LOADED_S, verification=CODES)
        moved = len(at.arrivals("notification", IDLE_S)) + len(at.arrivals("marketing", IDLE_S))
        assert moved > least_per_s * LOADED_S, "channels are full"
        assert moved < BACKLOG
        idle, loaded = at.waits("verification", until=IDLE_S), at.waits("verification", IDLE_S)
        assert len(loaded) == CODES * LOADED_S, "none waits for a carrier still"
        assert loaded[-1] <= idle[-1] + more_s
