"""A carrier takes half of what its channel is configured for: nearly all of that is used, and little is sent in vain."""

from collections.abc import Callable

import pytest
from carrier import BySecond
from trio.testing import MockClock
from world import carriers, one_route, world

from protocol.status import Status
from routing.throttle import TokenBucket

ALLOWED, CONFIGURED = 100.0, 200.0
MIX = {"verification": 10, "marketing": 105}
LEARNED_S, ENDS_S = 30.0, 50.0
COUNTS = {
    "a tenth of a second": lambda: TokenBucket(ALLOWED),
    "two at once": lambda: TokenBucket(ALLOWED, 2),
    "each second": lambda: BySecond(ALLOWED),
}
"""How the carrier may count what it takes."""


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
async def test_a_carrier_that_throttles_gets_what_it_takes_and_hardly_more(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, counts: Callable[[], TokenBucket | BySecond]
) -> None:
    channel = carriers("a", window=20, messages_per_second=CONFIGURED)
    async with world(monkeypatch, one_route("a"), *channel) as at:
        carrier = at.carriers["a"]
        carrier.allowance = counts()
        await at.load(ENDS_S, **MIX)
        await at.finish()
        came = at.arrivals(since=LEARNED_S, until=ENDS_S)
        taken = sum(one.taken for one in came)
        assert taken >= 0.95 * ALLOWED * (ENDS_S - LEARNED_S)
        assert len(came) - taken < 0.02 * len(came)
        throttled = {one.destination for one in carrier.arrivals if one.status == Status.RTHROTTLED}
        assert len(throttled) > 10
        for class_ in ("verification", "marketing"):
            order = [one.destination for one in at.arrivals(class_) if one.destination not in throttled]
            assert order == sorted(order), "in the order they came in"
        assert sum(one.message.refusals for one in at.sent.values()) == 0
        assert at.ends() == {"DELIVERED": len(at.sent)}
        assert at.times_taken("marketing") == {1: len(at.of("marketing"))}
