"""A channel refuses or loses what goes to one network: codes for that network leave it, those for others stay."""

from collections.abc import Callable

import pytest
from carrier import Carrier
from trio.testing import MockClock
from world import MOBILE, UNICOM, World, carriers, one_route, world

from protocol.pdu import SubmitSm
from protocol.status import Status

TELECOM = "86133"
BAD_AT, WELL_AT, ENDS_AT = 15.0, 60.0, 125.0
AWAY_S = 38.0
MIX = {"verification": 30, "notification": 15, "marketing": 15}


def refuses(carrier: Carrier) -> None:
    carrier.refuses = lambda pdu: Status.RX_R_APPN if _unicom(pdu) else 0


def loses(carrier: Carrier) -> None:
    carrier.receipt_s = lambda pdu: None if _unicom(pdu) else carrier.usual(pdu)


def loses_half(carrier: Carrier) -> None:
    carrier.receipt_s = lambda pdu: None if _unicom(pdu) and carrier.chance.random() < 0.5 else carrier.usual(pdu)


def _unicom(pdu: SubmitSm) -> bool:
    return pdu.destination_addr.startswith(UNICOM)


def share(at: World, network: str, since: float, until: float = 1e9) -> float:
    """Of the codes to a network: which part came to `b`."""
    codes = [one for one in at.arrivals("verification", since, until) if one.destination.startswith(network)]
    return sum(one.channel == "b" for one in codes) / len(codes)


@pytest.mark.parametrize(("turns_bad", "seen_s"), [(refuses, 15), (loses, 6), (loses_half, 8)])
async def test_codes_for_a_network_leave_the_channel_that_fails_on_it(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, turns_bad: Callable[[Carrier], None], seen_s: float
) -> None:
    """`seen_s`: what is refused goes elsewhere at once, so that there is more time to see it."""
    networks = (MOBILE, UNICOM, TELECOM)
    async with world(monkeypatch, one_route("a", "b", "c"), *carriers("a", "b", "c")) as at:
        b = at.carriers["b"]
        await at.load(BAD_AT, networks, **MIX)
        turns_bad(b)
        await at.load(WELL_AT - BAD_AT, networks, **MIX)
        b.refuses, b.receipt_s = lambda pdu: 0, b.usual
        await at.load(ENDS_AT - WELL_AT, networks, **MIX)
        await at.finish()
        assert share(at, UNICOM, BAD_AT + seen_s, BAD_AT + AWAY_S) < 0.02, "they have left, and stay away"
        assert share(at, UNICOM, BAD_AT + seen_s, WELL_AT) < 0.07, "and try it seldom"
        for network in (MOBILE, TELECOM):
            assert share(at, network, BAD_AT, WELL_AT) > 0.2
        assert share(at, UNICOM, WELL_AT + 50) > 0.2
        assert at.within("verification") >= 0.95
        assert at.ends("verification").keys() <= {"DELIVERED", "UNKNOWN"}
