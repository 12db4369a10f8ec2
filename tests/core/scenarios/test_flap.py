"""One channel loses its connections every three seconds: nothing is lost, no campaign is sent twice, binds back off."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock
from world import MIX, World, carriers, one_route, world

FLAP_S, FLAPS, CALM_S = 3.0, 20, 30.0
WAIT_S = 3.0
LEAST_GROWTH = 1.1
"""Delays double, and are spread over a quarter more or less."""


async def flap(at: World) -> None:
    """All links of `b` die at once; every other time the carrier has read, but not answered, what was under way."""
    for number in range(1, FLAPS + 1):
        await trio.sleep_until(number * FLAP_S + 0.02)
        at.carriers["b"].drop_all(unread=number % 2 == 1)


@pytest.mark.parametrize("binds", [1, 3])
@pytest.mark.parametrize("longest_s", [1, 60])
async def test_a_channel_whose_connections_drop_all_the_time_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, nursery: trio.Nursery, binds: int, longest_s: int
) -> None:
    """`longest_s` between tries; the short one is for many drops."""
    flapping = carriers("b", binds=binds, window=4, reconnect_max_s=longest_s)
    async with world(monkeypatch, one_route("a", "b"), *carriers("a"), *flapping) as at:
        b = at.carriers["b"]
        b.answer_s = lambda: b.chance.uniform(0.1, 0.3)
        nursery.start_soon(flap, at)
        await at.load(FLAP_S * FLAPS + CALM_S, **MIX)
        await at.finish()
        unread = [one for one in b.arrivals if not one.taken and at.sent[one.destination].class_ == "marketing"]
        assert at.ends("verification") == {"DELIVERED": len(at.of("verification"))}
        assert at.ends("notification") == {"DELIVERED": len(at.of("notification"))}
        assert at.ends("marketing") == {"DELIVERED": len(at.of("marketing")) - len(unread), "UNKNOWN": len(unread)}
        assert set(at.times_taken("marketing")) == {1}
        assert at.within("verification") > 0.99
        assert max(at.waits("notification")) < WAIT_S, "what waits for a channel that is down goes by another one"
        assert unread
        if longest_s == 1:
            assert len(b.drops) == FLAPS
        elif binds == 1:
            delays = [connect - drop for connect, drop in zip(b.connects[1:], b.drops, strict=True)]
            assert len(delays) >= 5
            assert all(later > sooner * LEAST_GROWTH for sooner, later in pairwise(delays))
        else:
            assert len(b.connects) <= 10 * binds
