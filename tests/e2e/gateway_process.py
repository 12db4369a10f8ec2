"""Real processes for tests: the gateway, carriers, anything that prints lines. Each is ended by its own pid.

Nothing here sleeps for luck: tests wait for a line, an answer on the control socket or a readable socket, with a deadline.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway import link

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "tests" / "interop" / "peers"
TENSEC = (sys.executable, "-m", "gateway.cli.main")
TIMEOUT_S = 20.0
POLL_S = 0.02


def wait_for(condition: Callable[[], Any], what: Any = "the condition", timeout_s: float = TIMEOUT_S) -> Any:
    """The first true value of `condition`. `what` may be a function: it is called for the message of a failure."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what() if callable(what) else what}")
        time.sleep(POLL_S)
    return value


def free_port() -> int:
    """A port that was free just now; whoever uses it retries when it is not any more."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Lines:
    """The lines of a stream, read by a thread of its own."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, wanted: Callable[[str], bool], since: int = 0, timeout_s: float = TIMEOUT_S) -> str | None:
        """The first line that is `wanted`, from line `since` on; None when the stream ends or time is over."""
        deadline = time.monotonic() + timeout_s
        at = since
        with self._changed:
            while True:
                while at < len(self.lines):
                    if wanted(self.lines[at]):
                        return self.lines[at]
                    at += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)

    def join(self) -> None:
        self._thread.join(TIMEOUT_S)
        self._stream.close()


class Child:
    """A child process whose standard output and error are kept by line."""

    def __init__(self, command: list[str], **env: str) -> None:
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env={**os.environ, "PYTHON": sys.executable, "NODE_PATH": node_path(), **env},
        )
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """The exit code, with everything printed read."""
        code = self.process.wait(timeout_s)
        self.out.join()
        self.err.join()
        return code

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def __repr__(self) -> str:
        tail = "\n".join([*self.out.lines[-5:], *self.err.lines[-15:]])
        return f"<{' '.join(self.command[-6:])}: exit {self.process.poll()}\n{tail}>"


def node_path() -> str:
    return os.environ.get("NODE_PATH") or str(PEERS / "node_modules")


class Carrier(Child):
    """A peer on the carrier's side. An idle connection of ours keeps `--once` peers alive until `finish`."""

    def __init__(self, *options: str, kind: str = "raw") -> None:
        self.kind = kind
        for _ in range(5):
            self.port = free_port()
            if self._try(options):
                break
            self.kill()
        else:
            raise AssertionError(f"no start: {self}")
        self._anchor = socket.create_connection(("127.0.0.1", self.port), 5) if kind != "smpp34" else None

    def _try(self, options: tuple[str, ...]) -> bool:
        once = ["--once", "1"] if self.kind == "node" else ["--once"]
        tail = ["--port", str(self.port), "--max-seconds", "100", *once, *options]
        if self.kind == "node":
            super().__init__(["node", str(PEERS / "interop_server_node.js"), *tail])
        else:
            super().__init__([sys.executable, str(PEERS / f"interop_server_{self.kind}.py"), *tail])
        return self.out.wait(lambda line: "listening" in line) is not None

    def finish(self) -> dict[str, Any]:
        """What it counted; call when the gateway has left."""
        if self._anchor is not None:
            self._anchor.close()
        code = self.wait()
        # smpp34's own threads now and then crash the interpreter on its way out, after everything is said.
        assert code == 0 or self.kind == "smpp34", self
        return json.loads(self.out.lines[-1])

    def kill(self) -> None:
        if getattr(self, "_anchor", None) is not None:
            self._anchor.close()
        super().kill()


def toml(value: Any) -> str:
    """`value` as TOML; JSON spells strings, numbers, booleans and lists as TOML does."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


class Gateway(Child):
    """`tensec serve` on a configuration given as dictionaries.

    `settings` holds tables such as smpp={...}; `accounts`, `channels` and `routes` are lists of tables. `launcher` is what
    stands for `tensec`.
    """

    _numbers = itertools.count(1)

    def __init__(
        self,
        folder: Path,
        *,
        started: bool = True,
        env: dict[str, str] | None = None,
        launcher: Sequence[str] = TENSEC,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / f"data{next(self._numbers)}"
        self.file = folder / f"{self.data_dir.name}.toml"
        self.settings: dict[str, Any] = {"data_dir": str(self.data_dir)}
        self.write(**settings)
        self.data_dir = Path(self.settings["data_dir"])
        super().__init__([*launcher, "serve", "--config", str(self.file)], **(env or {}))
        self.port = 0
        if started:
            self.port = self.wait_log("listening")["port"]

    def write(self, **settings: Any) -> None:
        """Change tables of the configuration file."""
        self.settings |= settings
        smpp = {"listen": "127.0.0.1:0", **self.settings.get("smpp", {})}
        lines = [f"{key} = {toml(one)}" for key, one in ({**self.settings, "smpp": smpp}).items()]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    # -- logs

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every log line so far."""
        return [json.loads(line) for line in list(self.err.lines)]

    def wait_log(self, event: str, *, since: int = 0, timeout_s: float = TIMEOUT_S, **fields: Any) -> dict[str, Any]:
        """The first line with this event and these fields. `since`: a number of log lines to skip."""

        def wanted(line: str) -> bool:
            entry = json.loads(line)
            return entry["event"] == event and all(entry.get(key) == value for key, value in fields.items())

        line = self.err.wait(wanted, since, timeout_s)
        assert line is not None, f"no log line {event!r} {fields}: {self}"
        return json.loads(line)

    @property
    def log_size(self) -> int:
        return len(self.err.lines)

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            one for one in self.log if one["event"] == event and all(one.get(key) == value for key, value in fields.items())
        ]

    # -- questions

    def ask(self, question: link.Ask) -> Any:
        """An answer of the control socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.connect(str(self.data_dir / link.SOCKET_NAME))
            sock.sendall(link.pack(question))
            with sock.makefile("rb") as stream:
                (size,) = link.LENGTH.unpack(stream.read(link.LENGTH.size))
                return link.unpack_answer(stream.read(size))

    def ledger(self) -> dict[str, Any]:
        """As `tensec ledger --json`: accepted, scheduled, queued, in_flight, final by state; plus `open`, their sum."""
        sums = self.ask(link.AskLedger()).ledger
        assert sums.balanced, sums
        plain = msgspec.to_builtins(sums)
        return {**plain, "open": sums.scheduled + sums.queued + sums.in_flight}

    def finals(self) -> dict[str, int]:
        """Final states that occurred, with counts."""
        return {name: count for name, count in self.ledger()["final"].items() if count}

    def wait_final(self, timeout_s: float = TIMEOUT_S) -> dict[str, int]:
        """The final states once nothing is open any more."""
        wait_for(lambda: self.ledger()["open"] == 0, lambda: f"nothing open: {self.ledger()}", timeout_s)
        return self.finals()

    def channels(self) -> dict[str, Any]:
        """As `tensec channel ls`, by name."""
        return {one.name: one for one in self.ask(link.AskChannels()).channels}

    def wait_channel(self, name: str, state: str = "up") -> Any:
        def there() -> Any:
            one = self.channels().get(name)
            return one if one is not None and one.state == state else None

        return wait_for(there, lambda: f"channel {name} {state}: {self.channels()}")

    def cli(self, *arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """`tensec ARGUMENTS --config FILE`, as a user runs it."""
        return tensec(*arguments, "--config", str(self.file), env=env)

    # -- life

    def take_over(self, **settings: Any) -> list[str]:
        """Write settings and have them taken over; gives the errors."""
        self.write(**settings)
        return self.ask_reload()

    def ask_reload(self) -> list[str]:
        return list(self.ask(link.AskReload()).errors)

    def hang_up(self, **settings: Any) -> int:
        """Write settings and send SIGHUP. Gives the number of log lines before."""
        self.write(**settings)
        since = self.log_size
        self.signal(1)
        return since

    def terminate(self, timeout_s: float = TIMEOUT_S) -> int:
        """SIGTERM; the exit code."""
        self.signal(15)
        return self.wait(timeout_s)

    def resident_kb(self) -> int:
        """Memory of the process now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def check_log(self, *secrets: str) -> None:
        """No bug, no traceback, nothing that must not be logged."""
        for line in self.err.lines:
            entry = json.loads(line)  # a traceback would not be JSON
            assert entry["level"] in {"debug", "info", "warning", "error"}, line
            assert "exception" not in entry, line
            assert "Traceback" not in line, line
            for secret in secrets:
                assert secret not in line, f"{secret!r} in {line}"


def tensec(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """The command as a user runs it."""
    return subprocess.run(
        [*TENSEC, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
        check=False,
    )


def password_hash(password: str) -> str:
    """A cheap Argon2 hash: what it costs to check is not under test."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def account(system_id: str = "interop", password: str = "secret", **fields: Any) -> dict[str, Any]:
    return {"system_id": system_id, "password_hash": password_hash(password), **fields}


def channel(name: str, port: int, **fields: Any) -> dict[str, Any]:
    """A channel that comes back fast after a lost link."""
    base = {"name": name, "host": "127.0.0.1", "port": port, "system_id": "tensec", "password": "secret"}
    return {**base, "reconnect_min_s": 0.05, "reconnect_max_s": 0.2, **fields}


def route(*names: str, **fields: Any) -> dict[str, Any]:
    return {"channels": [{"name": name} for name in names], **fields}
