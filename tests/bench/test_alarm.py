"""One wake-up at a time, by the loop's timers and by the kernel's: the last `set` counts, and nothing comes early."""

import asyncio
import sys

import pytest

from bench.alarm import FineAlarm, LoopAlarm
from bench.carrier.wheel import Wheel
from bench.loops import loop_factory

KINDS = [LoopAlarm, *([FineAlarm] if sys.platform == "linux" else [])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factory", [None, loop_factory()])
def test_it_rings_once_for_the_last_setting_and_never_early(kind, factory):
    async def scene():
        rung = []
        again = asyncio.Event()

        def ring():
            rung.append(alarm.time())
            again.set()

        alarm = kind(asyncio.get_running_loop(), ring)
        asked = []
        for setting in ((3600.0, 0.003), (0.002,), (-5.0,)):
            for after in setting:
                asked.append(alarm.time() + after)
                alarm.set(asked[-1])
            await again.wait()
            again.clear()
        alarm.set(alarm.time() + 0.001)
        alarm.close()
        return rung, asked

    with asyncio.Runner(loop_factory=factory) as runner:
        rung, (_, *asked) = runner.run(scene())
    assert len(rung) == 3
    coarse = 0.001 if kind is LoopAlarm else 0.0  # what the loop's clock is good for
    assert all(found >= wanted - coarse for found, wanted in zip(rung, asked, strict=True))


def test_the_wheel_adds_no_more_than_a_tenth_of_a_millisecond():
    for when in (1000.00001, 1000.0204, 1000.5):
        wheel = Wheel()
        wheel.add(when, print)
        assert when <= wheel.next_at <= when + 1.001e-4
