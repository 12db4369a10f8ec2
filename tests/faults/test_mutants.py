"""Gateways with one thing wrong: the harness must notice, or it proves nothing about the one without."""

import pytest
from checker import broken
from mutants import launcher

from protocol.commands import Command

pytestmark = pytest.mark.faults


def test_intent_stored_after_the_write(scene, embedded):
    """Killed in between, a campaign's message is still queued although the carrier has it."""
    one = scene(embedded, launcher=launcher("late-intent"))
    for proxy in 2 * tuple(one.proxies.values()):
        one.crash(proxy, Command.SUBMIT_SM, one.random.randint(10, 20))
    assert "I2" in broken(one.verdict(patient=False, codes=False))


def test_receipt_acknowledged_before_it_is_stored(scene, embedded):
    """Killed in between, nobody will ever say again that the message was delivered."""
    one = scene(embedded, launcher=launcher("early-acknowledgement"))
    for proxy in 2 * tuple(one.proxies.values()):
        one.crash(proxy, Command.DELIVER_SM_RESP, one.random.randint(10, 20))
    assert "I8" in broken(one.verdict(patient=False, codes=False))
