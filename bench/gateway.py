"""A gateway of our own for demonstrations, scenarios and the standing suite: a process as a user would start it."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

import config
from bench.leash import leashed

PASSWORD = "demopass"
CLASSES = ("verification", "notification", "marketing")


EXAMPLE = Path(config.__file__).parent / "example.toml"


def example_rules() -> str:
    """The policy of the shipped example, without its send windows."""
    text = EXAMPLE.read_text(encoding="utf-8")
    policy = text[text.index("[[policies]]") : text.index("# -- clients")]
    return re.sub(r"\[\[policies\.windows\]\].*?(?=\n\[)", "", policy, flags=re.DOTALL)


@dataclass(frozen=True)
class ChannelTo:
    """A channel of the gateway to one carrier."""

    name: str
    port: int
    binds: int = 2
    window: int = 20
    rate: float = 0.0
    """Messages a second that the contract allows; 0: any."""
    weights: dict[str, int] = field(default_factory=dict)
    """Share of each class that goes there; 1 where nothing is said, 0 for none."""


def config_text(
    data: Path,
    channels: Sequence[ChannelTo],
    *,
    port: int = 0,
    store: str = '[store]\nkind = "embedded"\n',
    accounts: Iterable[str] = CLASSES,
    window: int = 1000,
) -> str:
    """A configuration: an account for each class (anything else is a notification), a route for each class."""
    # The cheapest hash there is: ten thousand binds of a load test are to cost the gateway, not argon2.
    hashed = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    parts = [f'data_dir = "{data}"\n[smpp]\nlisten = "127.0.0.1:{port}"\n{store}']
    for account in accounts:
        class_ = account if account in CLASSES else "notification"
        parts.append(
            f'[[accounts]]\nsystem_id = "{account}"\npassword_hash = "{hashed}"\nclass = "{class_}"\n'
            f"binds_max = 1000000\nwindow = {window}\n"
        )
    parts += [
        f'[[channels]]\nname = "{one.name}"\nhost = "127.0.0.1"\nport = {one.port}\nsystem_id = "tensec"\n'
        f'password = "{PASSWORD}"\nbinds = {one.binds}\nwindow = {one.window}\nreconnect_max_s = 2\n'
        f"messages_per_second = {one.rate}\n"
        for one in channels
    ]
    for class_ in CLASSES:
        chosen = [(one.name, one.weights.get(class_, 1)) for one in channels]
        weights = ", ".join(f'{{ name = "{name}", weight = {weight} }}' for name, weight in chosen if weight)
        parts.append(f'[[routes]]\nclasses = ["{class_}"]\nchannels = [{weights}]\n')
    return "".join(parts)


class Gateway:
    """The process, and what it said so far. `start` after `kill` begins another on the same files and port.

    `leash` as in `bench.leash`.
    """

    def __init__(self, config: Path, text: str, *, leash: bool = False) -> None:
        self.config = config
        self._leash = leash
        self.lines: list[str] = []
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        config.write_text(text, encoding="utf-8")

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it listens. Raises RuntimeError with what it said when it does not."""
        command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(self.config)]
        process = subprocess.Popen(
            leashed(command) if self._leash else command,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C on the terminal is for us: we end it in order
        )
        self._process = process
        assert process.stderr is not None
        for line in process.stderr:
            self.lines.append(line)
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "listening":
                threading.Thread(target=self.lines.extend, args=(process.stderr,), daemon=True).start()
                self.port = int(event["port"])
                return
        raise RuntimeError("the gateway did not start:\n" + "".join(self.lines))

    def ask(self, *command: str) -> Any:
        """The JSON answer of a `tensec` command about this gateway."""
        line = [sys.executable, "-m", "gateway.cli.main", *command, "--config", str(self.config), "--json"]
        return json.loads(subprocess.run(line, check=True, capture_output=True, text=True, timeout=30).stdout)

    def kill(self) -> None:
        """As a power cut ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
