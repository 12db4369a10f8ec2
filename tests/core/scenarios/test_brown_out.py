"""One of three channels turns slow: codes leave it within seconds, nearly everything is in time, and it is used again."""

import pytest
from trio.testing import MockClock
from world import carriers, one_route, world

SLOW_AT, WELL_AT, ENDS_AT = 15.0, 60.0, 150.0
SEEN_S, BACK_S = 10.0, 60.0


@pytest.mark.parametrize(
    "mix",
    [{"verification": 30, "notification": 20, "marketing": 10}, {"verification": 15, "notification": 5}, {"verification": 20}],
    ids=["much", "few tries", "codes alone"],
)
async def test_codes_leave_a_channel_that_turned_slow_and_come_back(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, mix: dict[str, float]
) -> None:
    async with world(monkeypatch, one_route("a", "b", "c"), *carriers("a", "b", "c")) as at:
        slow = at.carriers["b"]
        await at.load(SLOW_AT, **mix)
        slow.receipt_s = lambda pdu: 40.0
        await at.load(WELL_AT - SLOW_AT, **mix)
        slow.receipt_s = slow.usual
        await at.load(ENDS_AT - WELL_AT, **mix)
        await at.finish()
        assert 0.2 < at.share("b", "verification", until=SLOW_AT) < 0.45
        for since in range(int(SLOW_AT + SEEN_S), int(WELL_AT), 5):
            assert at.share("b", "verification", since, since + 5) < 0.05, f"at {since} s"
        assert at.share("b", "verification", WELL_AT + BACK_S) > 0.2
        assert at.within() >= 0.95
        assert at.within("verification") >= 0.95
        assert at.ends() == {"DELIVERED": len(at.sent)}
