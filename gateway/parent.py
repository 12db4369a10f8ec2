"""`tensec serve` with an HTTP API: a small parent of one core and the API's workers, which starts them again when they end.

    parent --fork--> core      (trio: SMPP, pipeline, store)
           --fork--> worker 0  (asyncio on uvloop: HTTP, webhooks, the operators' port)
           --fork--> worker 1 ...

The parent owns the sockets of the API, so that a worker which is started again finds its connections waiting. It runs no event
loop and imports neither, so that a fork of it is clean. Children die with it. Without an HTTP API there is nothing to join,
and the core runs alone.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

from gateway import log

SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
YOUNG_S = 3.0
"""A core that ends sooner after the first start has told why it cannot start: another one could not either."""
AGAIN_S, AGAIN_MAX_S = 0.1, 5.0
GRACE_S = 15.0
"""Beyond the core's own time to drain."""
WORKERS_S = 7.0
"""How long the core waits for the workers, which have requests in flight for it: more than they take to end."""
PR_SET_PDEATHSIG = 1


class Child:
    """A process that is to run: what it does, and how it went so far."""

    def __init__(self, name: str, work: Callable[[], int]) -> None:
        self.name = name
        self.pid = 0
        self.due = 0.0
        self._work = work
        self._started = 0.0
        self._pause_s = AGAIN_S

    def start(self) -> None:
        """Fork it."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._started = time.monotonic()
        try:
            self.pid = os.fork()
        except OSError as error:  # no room for a process just now; those that run must not end for it
            log.logger().error("process not started", process=self.name, reason=error.strerror)
            self.ended()
            return
        if self.pid == 0:
            os._exit(self._run(parent))

    def _run(self, parent: int) -> int:
        """The child's whole life."""
        try:
            _die_with(parent)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return self._work()
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # noqa: BLE001 - the last stop before the process ends
            log.logger().exception("process failed", process=self.name)
            return 1
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()

    def age_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._started

    def ended(self) -> None:
        """Start it again, later each time it did not live long."""
        self.pid = 0
        self._pause_s = AGAIN_S if self.age_s() > 10 * YOUNG_S else min(AGAIN_MAX_S, 2 * self._pause_s)
        self.due = time.monotonic() + self._pause_s


def _die_with(parent: int) -> None:
    """However the parent ends, so does this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Parent:
    """See the module. The first child is the core."""

    def __init__(self, children: list[Child], drain_s: float) -> None:
        self._children = children
        self._drain_s = drain_s
        self._stopping = 0.0
        self._core_until = 0.0
        self._first = True
        self._code = 0
        self._log = log.logger()

    def run(self) -> int:
        """Until everything has ended; gives the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for child in self._children:
            child.start()
        while any(child.pid for child in self._children) or not self._stopping:
            self._set_alarm()
            number = signal.sigwait(SIGNALS)
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP:
                self._send(self._children[:1], signal.SIGHUP)
            self._reap()
            self._again()
        return self._code

    def _set_alarm(self) -> None:
        now = time.monotonic()
        times = [child.due for child in self._children if not child.pid and not self._stopping]
        if self._stopping:
            times.append(min(self._stopping, self._core_until or self._stopping))
        signal.setitimer(signal.ITIMER_REAL, max(0.01, min(times) - now) if times else 0)

    def _stop(self) -> None:
        """Everybody is to finish, the workers first; who does not is ended."""
        if not self._stopping:
            now = time.monotonic()
            self._core_until = now + WORKERS_S
            self._stopping = now + WORKERS_S + self._drain_s + GRACE_S
            self._send(self._children[1:], signal.SIGTERM)
            self._stop_core()

    def _stop_core(self) -> None:
        """Once no worker needs it."""
        if self._core_until and (time.monotonic() >= self._core_until or not any(one.pid for one in self._children[1:])):
            self._core_until = 0.0
            self._send(self._children[:1], signal.SIGTERM)

    def _send(self, children: list[Child], number: signal.Signals) -> None:
        for child in children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid:
                    self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        is_core = child is self._children[0]
        child.ended()
        if is_core and self._first and not self._stopping and child.age_s() < YOUNG_S and code >= 0:
            self._code = code or 1
            self._stop()
        elif self._stopping:
            self._code = self._code or (code if is_core else 0)
        else:
            self._log.error(
                "process ended, another is started",
                process=child.name,
                code=code,
                pause_s=round(child.due - time.monotonic(), 1),
            )

    def _again(self) -> None:
        now = time.monotonic()
        if self._stopping:
            self._stop_core()
            if now >= self._stopping:
                self._send(self._children, signal.SIGKILL)
                self._stopping = now + GRACE_S
            return
        if self._children[0].age_s() >= YOUNG_S:
            self._first = False
        for child in self._children:
            if not child.pid and child.due <= now:
                child.start()
