"""A channel accepts everything and delivers nothing: found by its missing receipts, tried a little, and used again."""

import pytest
from trio.testing import MockClock
from world import carriers, one_route, world

from routing.plan import PROBE_SHARE

OPEN_S, BACK_S = 45.0, 60.0
MIX = {"verification": 15, "notification": 20, "marketing": 20}


@pytest.mark.parametrize(("black_at", "seen_s"), [(15.0, 8.0), (0.0, 15.0)], ids=["turned black", "never delivered"])
async def test_a_channel_that_delivers_nothing_gets_no_codes_and_a_few_tries_until_it_does(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, black_at: float, seen_s: float
) -> None:
    well_at = black_at + OPEN_S
    async with world(monkeypatch, one_route("a", "b"), *carriers("a", "b")) as at:
        black, breaker = at.carriers["b"], at.lanes["b"].quality.breaker
        await at.load(black_at, **MIX)
        assert not breaker.is_open
        black.receipt_s = lambda pdu: None
        await at.load(seen_s, **MIX)
        assert breaker.is_open
        await at.load(OPEN_S - seen_s, **MIX)
        assert breaker.is_open
        black.receipt_s = black.usual
        await at.load(BACK_S, **MIX)
        assert not breaker.is_open
        await at.load(20, **MIX)
        await at.finish()
        assert at.share("b", "verification", black_at + seen_s, well_at) == 0
        for class_ in ("notification", "marketing"):
            assert PROBE_SHARE / 2 < at.share("b", class_, black_at + seen_s, well_at) < PROBE_SHARE * 2
            assert at.share("b", class_, well_at + BACK_S) > 0.35
        assert at.share("b", "verification", well_at + BACK_S) > 0.35
        swallowed = [one for one in black.arrivals if black_at <= one.at < well_at]
        assert at.ends() == {"DELIVERED": len(at.sent) - len(swallowed), "UNKNOWN": len(swallowed)}
