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


def test_the_wheel_is_wrong_by_a_quarter_of_a_millisecond_at_most_and_on_average_not_at_all():
    wrong = []
    for step in range(1000):
        wheel, when = Wheel(), 1000 + step * 0.0001234
        wheel.add(when, print)
        wrong.append(wheel.next_at - when)
    assert max(map(abs, wrong)) <= 0.00025 + 1e-9
    assert sum(wrong) / len(wrong) == pytest.approx(0, abs=1e-5)
