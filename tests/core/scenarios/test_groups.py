"""Campaigns stay on the cheap channel until it turns bad; the second group is for when the first is down or not trusted."""

import pytest
from carrier import Carrier
from trio.testing import MockClock
from world import MIX, World, carriers, world

from config.schema import Route, RouteChannel

FIRST = ("cheap", "dear")
ROUTES = [
    Route(
        channels=[
            RouteChannel(name="cheap", cost=10),
            RouteChannel(name="dear", cost=20),
            RouteChannel(name="last", cost=5, group=2),
        ]
    )
]
HEALTHY_S, SEEN_S, BAD_S, BACK_S, AFTER_S = 15.0, 6.0, 40.0, 60.0, 15.0
RECONNECT_S = 5.0


def half_lost(carrier: Carrier) -> None:
    carrier.receipt_s = lambda pdu: carrier.usual(pdu) if carrier.chance.random() < 0.5 else None


def all_lost(carrier: Carrier) -> None:
    carrier.receipt_s = lambda pdu: None


def away(carrier: Carrier) -> None:
    carrier.refusing = True
    carrier.drop_all(unread=False)


def back(carrier: Carrier) -> None:
    carrier.refusing = False
    carrier.receipt_s = carrier.usual


def first_group(at: World, since: float, until: float = 1e9) -> float:
    """Its share of everything."""
    return sum(at.share(name, None, since, until) for name in FIRST)


@pytest.mark.parametrize("mix", [MIX, {"marketing": 40}], ids=["all classes", "campaigns alone"])
async def test_campaigns_leave_the_cheap_channel_while_it_is_bad(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, mix: dict[str, float]
) -> None:
    bad_at, well_at = HEALTHY_S, HEALTHY_S + BAD_S
    async with world(monkeypatch, ROUTES, *carriers("cheap", "dear", "last")) as at:
        await at.load(HEALTHY_S, **mix)
        half_lost(at.carriers["cheap"])
        await at.load(BAD_S, **mix)
        back(at.carriers["cheap"])
        await at.load(BACK_S + AFTER_S, **mix)
        await at.finish()
        assert at.share("cheap", "marketing", until=bad_at) == 1
        assert at.share("dear", "marketing", bad_at + SEEN_S, well_at) > 0.9
        assert at.share("cheap", "marketing", well_at + BACK_S) > 0.95
        assert at.share("last") == 0, "there was a channel of the first group all the time"


async def test_the_second_group_has_everything_while_the_first_is_down_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    down_at, up_at = HEALTHY_S, HEALTHY_S + 20.0
    async with world(monkeypatch, ROUTES, *carriers("cheap", "dear", "last", reconnect_max_s=RECONNECT_S)) as at:
        await at.load(HEALTHY_S, **MIX)
        for name in FIRST:
            away(at.carriers[name])
        await at.load(up_at - down_at, **MIX)
        for name in FIRST:
            back(at.carriers[name])
        await at.load(BACK_S + AFTER_S, **MIX)
        await at.finish()
        assert first_group(at, 0, down_at) == 1
        assert first_group(at, down_at, up_at) == 0
        assert first_group(at, up_at + BACK_S) == 1
        assert max(at.waits("verification")) < 1, "they go over at once"
        assert at.ends() == {"DELIVERED": len(at.sent)}


async def test_the_second_group_is_used_while_nothing_of_the_first_is_trusted(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    bad_at, well_at = HEALTHY_S, HEALTHY_S + BAD_S
    async with world(monkeypatch, ROUTES, *carriers("cheap", "dear", "last")) as at:
        await at.load(HEALTHY_S, **MIX)
        all_lost(at.carriers["cheap"])
        all_lost(at.carriers["dear"])
        await at.load(BAD_S, **MIX)
        back(at.carriers["cheap"])
        back(at.carriers["dear"])
        await at.load(BACK_S + AFTER_S, **MIX)
        await at.finish()
        assert at.share("last", "verification", bad_at + SEEN_S, well_at) > 0.95
        assert at.share("last", None, bad_at + SEEN_S, well_at) > 0.9
        assert first_group(at, well_at + BACK_S) == 1
