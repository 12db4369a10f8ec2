"""SIGKILL of the core under load, at moments that matter, again and again; and cores that stand still for a while."""

import pytest
from mutants import launcher
from scene import CARRIERS, ROUNDS

from protocol.commands import Command

pytestmark = pytest.mark.faults

MOMENTS = (Command.SUBMIT_SM, Command.SUBMIT_SM_RESP, Command.DELIVER_SM, Command.DELIVER_SM_RESP)
"""At the front: asked, accepted, told, acknowledged. At a carrier: written, answered, receipt, acknowledged."""


def test_killed_again_and_again(scene, durable):
    one = scene(durable)
    places = [one.front, *one.proxies.values()]
    for _ in range(4 * ROUNDS):
        one.crash(one.random.choice(places), one.random.choice(MOMENTS), one.random.randint(1, 40))
    one.must_be_right()


def test_killed_between_intent_and_write(scene, store):
    """What was begun and never left: codes are sent again, a campaign's messages are not."""
    one = scene(store, launcher=launcher("slow-write"))
    for _ in range(2 * ROUNDS):
        one.crash(one.front, Command.SUBMIT_SM_RESP, one.random.randint(20, 60))
    one.must_be_right()


def test_receipts_that_come_after_the_restart(scene, store):
    """The ids they name were stored before the kill, and the carriers hand them to the next bind."""
    one = scene(store)
    for _ in range(ROUNDS):
        for proxy in one.proxies.values():
            proxy.hold_receipts = True
        one.pass_by(one.front, Command.SUBMIT_SM_RESP, 60)
        one.crash(one.proxies["a"], Command.SUBMIT_SM_RESP, 5)
        for proxy in one.proxies.values():
            proxy.heal()
    one.must_be_right()


@pytest.mark.skipif(ROUNDS == 1, reason="only in long runs: make faults")
def test_receipts_that_come_long_after_the_restart(scene, store):
    """What lives long is kept elsewhere than what has just come, and leaves memory."""
    one = scene(store)
    for proxy in one.proxies.values():
        proxy.hold_receipts = True
    for _ in range(3):
        one.pass_by(one.front, Command.SUBMIT_SM_RESP, 2000, timeout_s=60.0)
        one.crash(one.proxies["b"], Command.SUBMIT_SM, 5)
    for proxy in one.proxies.values():
        proxy.heal()
    one.must_be_right()


def test_killed_while_it_starts(scene, store):
    """Recovery may be cut short, too."""
    one = scene(store)
    for _ in range(ROUNDS):
        one.crash_twice(one.front, Command.SUBMIT_SM_RESP, 50, one.proxies[one.random.choice(CARRIERS)])
    one.must_be_right()


def test_a_core_that_stands_still(scene, store):
    """Peers see a second of silence; nothing is sent twice, nothing is lost, and no link needs to die."""
    one = scene(store)
    for _ in range(2 * ROUNDS):
        one.pass_by(one.front, Command.SUBMIT_SM_RESP, one.random.randint(10, 60))
        one.stop_for(1.0)
    one.must_be_right(ambiguous=0)
