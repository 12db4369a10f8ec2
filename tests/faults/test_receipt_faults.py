"""Receipts that come early, twice, twice and different, or late; and clients that vanish before they have taken theirs."""

import pytest
from scene import ROUNDS

from protocol.commands import Command

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("timing", ["before-resp", "same-segment", "twice"])
def test_early_and_repeated_receipts(scene, store, timing):
    one = scene(store, carrier_options=f"--dlr-timing {timing}")
    one.pass_by(one.front, Command.DELIVER_SM, 100 * ROUNDS)
    one.must_be_right(ambiguous=0)


def test_contradicting_receipts(scene, store):
    """Delivered stays delivered, whatever a carrier says afterwards."""
    one = scene(store)
    for proxy in one.proxies.values():
        proxy.repeat, proxy.contradict = 0.5, True
    one.pass_by(one.front, Command.DELIVER_SM, 100 * ROUNDS)
    one.must_be_right(ambiguous=0)


def test_clients_that_vanish_in_the_middle(scene, store):
    """Reset with requests and receipts on their way, or cut in the middle of one: what was accepted stays accepted."""
    one = scene(store)
    for at in range(6 * ROUNDS):
        one.pass_by(one.front, one.random.choice((Command.SUBMIT_SM, Command.DELIVER_SM)), one.random.randint(5, 30))
        if at % 2:
            one.front.reset()
        else:
            one.front.cut = one.random.choice((Command.SUBMIT_SM, Command.SUBMIT_SM_RESP, Command.DELIVER_SM))
    one.front.heal()
    one.must_be_right(ambiguous=0)
