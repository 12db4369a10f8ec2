"""Child processes that speak JSON lines: the first says they are ready, the last one what happened.

with Child([sys.executable, "-m", "bench", "carrier"]) as child:
    port = child.first["listening"]
    ...
    counters = child.end()
    (child.tell({"do": "drop"}) writes a line to one that listens.)
"""

import contextlib
import json
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any

import msgspec

from bench.leash import leashed

_END = object()


class ChildError(Exception):
    """The child did not do what was expected of it; the message holds the end of its stderr."""


class Child:
    """A running child; `first` is its first JSON line. `order` is what it is told before, `leash` as in `bench.leash`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout_s: float = 20.0,
        env: Mapping[str, str] | None = None,
        order: object = None,
        leash: bool = False,
    ) -> None:
        self.command = list(command)
        self._process = subprocess.Popen(
            leashed(self.command) if leash else self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,  # Ctrl-C on the terminal is for us: we end our children in order
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._errors: deque[str] = deque(maxlen=50)
        self._last: dict[str, Any] | None = None
        self._readers = [
            threading.Thread(target=self._read_lines, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            if order is not None:
                self.tell(order)
            self.first = self.next_line(timeout_s)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, order: object) -> None:
        """One JSON line on its stdin; a child that has ended hears nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()

    def _read_lines(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                found = json.loads(line)
            except ValueError:
                self._errors.append(line.decode(errors="replace"))
                continue
            if isinstance(found, dict):
                self._last = found
                self._lines.put(found)
        self._lines.put(_END)

    def _read_errors(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._errors.append(line.decode(errors="replace"))

    def _fail(self, what: str) -> ChildError:
        return ChildError(f"{' '.join(self.command)}: {what}\n{''.join(self._errors)}")

    def next_line(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """The next JSON line not taken yet."""
        try:
            found = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise self._fail(f"no line within {timeout_s:g} s") from None
        if found is _END:
            self._lines.put(_END)
            self._process.wait(timeout_s)
            self._readers[1].join(timeout_s)
            raise self._fail(f"ended with {self._process.returncode}")
        line: dict[str, Any] = found
        return line

    def lines_so_far(self) -> list[dict[str, Any]]:
        """The JSON lines it said and nobody took yet."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return found
            if line is _END:
                self._lines.put(_END)
                return found
            found.append(line)

    def wait(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until it ends by itself; its last JSON line. Raises ChildError for an exit code other than 0."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._fail(f"still running after {timeout_s:g} s") from None
        self._close()
        if code or self._last is None:
            raise self._fail(f"ended with {code}")
        return self._last

    def end(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """Ask it to end (SIGTERM to its pid) and `wait`."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it without asking (SIGKILL to its pid)."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
