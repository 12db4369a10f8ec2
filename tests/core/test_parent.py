"""The parent of core and workers, as a process of its own: who ends is started again, and nobody outlives it."""

import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import parent as module
from gateway.listening import ListenError, listen
from gateway.parent import Child

DEADLINE_S = 30.0
HEAD = """
import os, signal, sys, time
from config.schema import Log
from gateway import log, parent
from gateway.parent import Child, Parent

log.configure(Log())

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def until_told(name, code=0, deaf=False):
    def work():
        told = []
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: (say(name, "got", signal.Signals(number).name), told.append(number)))
        say(name, "runs", os.getpid())
        while deaf or signal.SIGTERM not in told:
            signal.pause()
        return code
    return work
"""


class Family:
    """A parent that runs `body`, and what its children say."""

    def __init__(self, body: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD + textwrap.dedent(body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parent.parent.parent,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self._rest = b""

    def line(self) -> str:
        """The next line; empty when all who could say one are gone."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], DEADLINE_S)
            assert ready, "nothing was said in time"
            data = os.read(self._out.fileno(), 4096)
            if not data:
                return ""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def running(self, *names: str) -> dict[str, int]:
        """Process ids of those that say that they run, in any order."""
        pids: dict[str, int] = {}
        while set(pids) != set(names):
            name, what, pid = self.line().split()
            assert what == "runs"
            pids[name] = int(pid)
        return pids

    def wait(self) -> int:
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def family() -> Iterator[Callable[[str], Family]]:
    made: list[Family] = []

    def make(body: str) -> Family:
        made.append(Family(body))
        return made[-1]

    yield make
    for one in made:
        one.close()


TWO = """
children = [Child("core", until_told("core")), Child("api", until_told("api"))]
sys.exit(Parent(children, 1).run())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_tells_its_children_and_waits_for_them(family: Callable[[str], Family], number: int) -> None:
    one = family(TWO)
    one.running("core", "api")
    one.process.send_signal(number)
    assert sorted([one.line(), one.line()]) == ["api got SIGTERM", "core got SIGTERM"]
    assert one.wait() == 0


def test_a_child_that_ends_is_started_again(family: Callable[[str], Family]) -> None:
    one = family(TWO)
    first = one.running("core", "api")
    os.kill(first["api"], signal.SIGKILL)
    again = one.running("api")
    os.kill(first["core"], signal.SIGKILL)
    assert one.running("core")["core"] != first["core"]
    assert again["api"] != first["api"]
    one.process.terminate()
    assert one.wait() == 0


def test_hangup_is_the_core_s_alone(family: Callable[[str], Family]) -> None:
    one = family(TWO)
    one.running("core", "api")
    one.process.send_signal(signal.SIGHUP)
    assert one.line() == "core got SIGHUP"
    one.process.terminate()
    assert sorted([one.line(), one.line()]) == ["api got SIGTERM", "core got SIGTERM"]
    assert one.wait() == 0


@pytest.mark.parametrize(("code", "ends"), [("return 3", 3), ("return 0", 1), ("sys.exit('no port')", 1), ("1 / 0", 1)])
def test_a_core_that_cannot_start_ends_all_with_its_code(family: Callable[[str], Family], code: str, ends: int) -> None:
    one = family(
        f"""
        def core():
            {code}
        sys.exit(Parent([Child("core", core), Child("api", until_told("api"))], 1).run())
        """
    )
    assert one.wait() == ends
    if "no port" in code:
        assert one.process.stderr is not None
        assert b"no port" in one.process.stderr.read()


def test_a_worker_that_cannot_start_ends_nobody(family: Callable[[str], Family]) -> None:
    one = family(
        """
        def api():
            say("api fails", 0)
            return 1
        sys.exit(Parent([Child("core", until_told("core", code=5)), Child("api", api)], 1).run())
        """
    )
    lines = [one.line() for _ in range(4)]
    assert lines.count("api fails 0") == 3, "and again, and again"
    one.process.terminate()
    assert one.wait() == 5


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_children_do_not_outlive_a_parent_that_is_killed(family: Callable[[str], Family]) -> None:
    one = family(TWO)
    one.running("core", "api")
    one.process.kill()
    assert one.line() == "", "their end of the pipe is closed"


def test_a_child_that_does_not_end_is_ended(family: Callable[[str], Family]) -> None:
    one = family(
        """
        parent.GRACE_S = 0.2
        children = [Child("core", until_told("core")), Child("api", until_told("api", deaf=True))]
        sys.exit(Parent(children, 0.1).run())
        """
    )
    one.running("core", "api")
    one.process.terminate()
    assert sorted([one.line(), one.line()]) == ["api got SIGTERM", "core got SIGTERM"]
    assert one.wait() == 0


def test_a_system_without_room_for_a_process_costs_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module.os, "fork", no_room)
    child = Child("api", lambda: 0)
    child.start()
    assert child.pid == 0
    assert child.due > time.monotonic()


def test_pauses_grow_while_a_child_does_not_live_and_are_bounded() -> None:
    child = Child("api", lambda: 0)
    pauses = []
    for _ in range(12):
        child._started = time.monotonic()
        child.ended()
        pauses.append(child._pause_s)
    assert pauses == sorted(pauses)
    assert pauses[-1] == module.AGAIN_MAX_S
    child._started = time.monotonic() - 1_000
    child.ended()
    assert child._pause_s == module.AGAIN_S


def test_an_address_that_cannot_be_listened_on_is_named() -> None:
    with listen("http.listen", "127.0.0.1:0") as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ListenError, match=f"http.listen 127.0.0.1:{port}"):
            listen("http.listen", f"127.0.0.1:{port}")
