"""Lines to a carrier that break: cut in the middle of a PDU, answers lost or late, nothing passing, reset."""

import pytest
from gateway_process import wait_for
from scene import ROUNDS

from protocol.commands import Command

pytestmark = pytest.mark.faults

FAST = {"response_timeout_s": 0.5, "enquire_link_timeout_s": 0.5}


def cut_requests(scene, proxy):
    _cut(proxy, Command.SUBMIT_SM)


def cut_responses(scene, proxy):
    _cut(proxy, Command.SUBMIT_SM_RESP)


def cut_receipts(scene, proxy):
    _cut(proxy, Command.DELIVER_SM)


def _cut(proxy, command):
    for _ in range(3 * ROUNDS):
        before = proxy.cuts
        proxy.cut = command
        wait_for(lambda before=before: proxy.cuts > before, "a cut")


def responses_lost(scene, proxy):
    proxy.drop = 0.3
    wait_for(lambda: proxy.dropped >= 10 * ROUNDS, "lost responses", 20.0 * ROUNDS)


def responses_late(scene, proxy):
    proxy.delay_s = 1.5
    scene.pass_by(proxy, Command.SUBMIT_SM_RESP, 20 * ROUNDS)


def blackhole(scene, proxy):
    for _ in range(ROUNDS):
        scene.gateway.wait_channel("a")
        proxy.blackhole = True
        scene.gateway.wait_channel("a", "down")
        proxy.heal()


def reset(scene, proxy):
    for _ in range(3 * ROUNDS):
        scene.pass_by(proxy, Command.SUBMIT_SM, scene.random.randint(1, 30))
        proxy.reset()


@pytest.mark.parametrize("fault", [cut_requests, cut_responses, cut_receipts, blackhole, reset], ids=lambda one: one.__name__)
def test_a_line_that_breaks(scene, store, fault):
    one = scene(store, **FAST)
    one.pass_by(one.proxies["a"], Command.SUBMIT_SM, 10)
    fault(one, one.proxies["a"])
    one.proxies["a"].heal()
    one.must_be_right()


@pytest.mark.parametrize("fault", [responses_lost, responses_late], ids=lambda one: one.__name__)
def test_answers_that_do_not_come_in_time(scene, store, fault):
    """The carrier has the message and sends its receipt: nothing stays unknown."""
    one = scene(store, **FAST)
    fault(one, one.proxies["a"])
    one.proxies["a"].heal()
    one.must_be_right(ambiguous=0)
