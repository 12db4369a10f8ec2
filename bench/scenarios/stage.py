"""The processes of a scenario: carriers, perhaps a Redis, and the gateway between them and the load."""

import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.gateway import CLASSES, PASSWORD, ChannelTo, Gateway, config_text
from bench.measure.result import Event
from bench.measure.usage import Processes
from bench.processes import Child, ChildError
from bench.redis_server import RedisServer
from bench.scenarios.script import CarrierRole, Turn


class _Redis(RedisServer):
    leash = True


class Stage:
    """Everything runs once this is made; `close` ends it. `settings` are further tables of the gateway's configuration."""

    def __init__(
        self, folder: Path, carriers: Iterable[CarrierRole], store: str, accounts: Iterable[str] = CLASSES, settings: str = ""
    ) -> None:
        self._stack = contextlib.ExitStack()
        self.arrivals: dict[str, Path] = {}
        self.carriers: dict[str, Child] = {}
        self.redis: RedisServer | None = None
        try:
            self._open(folder, list(carriers), store, accounts, settings)
        except BaseException:
            self.close()
            raise

    def _open(self, folder: Path, roles: list[CarrierRole], store: str, accounts: Iterable[str], settings: str) -> None:
        table = f'{settings}[store]\nkind = "{store}"\n'
        if store == "redis":
            self.redis = _Redis()
            self._stack.callback(self.redis.close)
            table += f'[store.redis]\nurl = "{self.redis.url}"\n'
        channels = []
        for role in roles:
            self.arrivals[role.name] = folder / f"{role.name}.arrivals"
            child = Child(_command(role, self.arrivals[role.name]), leash=True)
            self._stack.callback(_end, child)
            self.carriers[role.name] = child
            channels.append(
                ChannelTo(role.name, int(child.first["listening"]), role.binds, role.window, role.rate, role.weights)
            )
        text = config_text(folder / "data", channels, store=table, accounts=accounts)
        self.gateway = Gateway(folder / "tensec.toml", text, leash=True)
        self._stack.callback(self.gateway.stop)
        self.gateway.start()
        # Started again after a kill, it must be where clients look for it.
        text = config_text(folder / "data", channels, port=self.gateway.port, store=table, accounts=accounts)
        self.gateway.config.write_text(text, encoding="utf-8")
        self.processes = Processes([self.gateway.pid])

    def play(self, turn: Turn) -> str:
        """Let it happen; gives what the charts call it."""
        if turn.do == "kill-core":
            self.gateway.kill()
            return "the gateway is killed (kill -9)"
        if turn.do == "start-core":
            self.gateway.start()
            self.processes.follow(self.gateway.pid)
            return "the gateway is started again"
        if turn.do == "carrier":
            self.carriers[turn.carrier].tell(turn.order)
            return f"{turn.carrier}: {json.dumps(turn.order)}"
        if self.redis is None:
            raise ValueError(f"{turn.do}: this scenario's store is no Redis")
        if turn.do == "kill-redis":
            self.redis.kill()
            return "Redis is killed"
        self.redis.start()
        return "Redis is started again"

    def events(self, begin: float) -> list[Event]:
        """What the carriers' own time lines did, from `begin` on."""
        return [
            Event(round(line["monotonic"] - begin, 3), f"{name}: {line['event']}")
            for name, child in self.carriers.items()
            for line in child.lines_so_far()
            if "event" in line and line["monotonic"] >= begin
        ]

    def close(self) -> None:
        """The gateway first, as an operator would; then carriers and Redis."""
        self._stack.close()


def _command(role: CarrierRole, arrivals: Path) -> list[str]:
    switches = [f"--{name.replace('_', '-')}={value}" for name, value in role.set.items()]
    account = ["--system-id", "tensec", "--password", PASSWORD]
    where = ["--name", role.name, "--scenario", role.scenario, "--arrivals", str(arrivals), "--control"]
    return [sys.executable, "-m", "bench", "carrier", *where, *account, *switches]


def _end(child: Child) -> None:
    with contextlib.suppress(ChildError):
        child.end()
