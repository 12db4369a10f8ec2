"""The main job in one command: a gateway, two simulated carriers, and a client that sends messages of all three classes.

Everything runs as a user would run it: processes of their own, talking over loopback sockets. The client is smpplib, an SMPP
implementation that is not ours. Ends with 0 only when every message that was sent has reached a final state.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from argon2 import PasswordHasher
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bench.esme import Sender
from bench.processes import Child
from bench.redis_server import RedisServer

PASSWORD = "demopass"
SENDER = "10690000"
CARRIERS = {
    "carrier-a": "--resp-latency uniform:5ms-30ms --dlr-latency lognormal:600ms,0.5 --stat-mix DELIVRD=98,UNDELIV=2",
    "carrier-b": "--resp-latency uniform:10ms-60ms --dlr-latency lognormal:1500ms,0.4 --rate 20",
}
TEXTS = {
    "verification": "【Tensec】您的验证码是{n:06d}，5分钟内有效。",
    "notification": "Your order {n} has been shipped and will arrive tomorrow between 9:00 and 12:00.",
    "marketing": "【Tensec】亲爱的会员，全场商品八折优惠，满三百元再减五十元，还有新品首发、限时秒杀和积分加倍等多重惊喜"
    "等您来拿，活动只到本周日，详情请到各门店咨询，编号{n}，退订回T",
}
SHARES = {"verification": 0.3, "notification": 0.4, "marketing": 0.3}
FINAL_TIMEOUT_S = 60.0


@dataclass
class Gateway:
    """The gateway's process and what it said so far."""

    config: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def ask(self, *command: str) -> Any:
        """The JSON answer of a `tensec` command about this gateway."""
        line = [sys.executable, "-m", "gateway.cli.main", *command, "--config", str(self.config), "--json"]
        return json.loads(subprocess.run(line, check=True, capture_output=True, text=True, timeout=30).stdout)

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_gateway(folder: Path, ports: dict[str, int], store: str) -> tuple[Gateway, int]:
    """A gateway with an account for each class and a channel for each carrier; gives its SMPP port."""
    config = folder / "tensec.toml"
    config.write_text(_config(folder, ports, store), encoding="utf-8")
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    gateway = Gateway(config, process)
    assert process.stderr is not None
    for line in process.stderr:
        gateway.lines.append(line)
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "listening":
            threading.Thread(target=gateway.lines.extend, args=(process.stderr,), daemon=True).start()
            return gateway, int(event["port"])
    raise RuntimeError("the gateway did not start:\n" + "".join(gateway.lines))


def _config(folder: Path, ports: dict[str, int], store: str) -> str:
    hashed = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    parts = [f'data_dir = "{folder / "data"}"\n[smpp]\nlisten = "127.0.0.1:0"\n{store}']
    parts += [f'[[accounts]]\nsystem_id = "{class_}"\npassword_hash = "{hashed}"\nclass = "{class_}"\n' for class_ in TEXTS]
    parts += [
        f'[[channels]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "tensec"\npassword = "{PASSWORD}"\n'
        "binds = 2\nwindow = 20\n"
        for name, port in ports.items()
    ]
    weights = {"verification": (3, 1), "notification": (1, 1), "marketing": (1, 2)}
    for class_, (a, b) in weights.items():
        channels = f'[{{ name = "carrier-a", weight = {a} }}, {{ name = "carrier-b", weight = {b} }}]'
        parts.append(f'[[routes]]\nclasses = ["{class_}"]\nchannels = {channels}\n')
    return "".join(parts)


def _store(kind: str, servers: contextlib.ExitStack) -> str:
    """The [store] table; a Redis of our own for the time of the demonstration."""
    table = f'[store]\nkind = "{kind}"\n'
    if kind == "redis":
        server = RedisServer()
        servers.callback(server.close)
        table += f'[store.redis]\nurl = "{server.url}"\n'
    return table


def demo(
    *,
    messages: Annotated[int, Parameter(help="How many messages to send.")] = 400,
    rate: Annotated[float, Parameter(help="Messages per second, all classes together.")] = 60.0,
    store: Annotated[Literal["embedded", "redis", "memory"], Parameter(help="Where the gateway keeps messages.")] = "embedded",
) -> None:
    """Gateway, two simulated carriers and a client: send messages of all classes, follow them, sum up."""
    console = Console(highlight=False)
    children: list[Child] = []
    gateway: Gateway | None = None
    with tempfile.TemporaryDirectory(prefix="tensec-demo-") as name, contextlib.ExitStack() as servers:
        try:
            for carrier, options in CARRIERS.items():
                account = ["--system-id", "tensec", "--password", PASSWORD]
                command = [
                    sys.executable,
                    "-m",
                    "bench",
                    "carrier",
                    "--name",
                    carrier,
                    "--seed",
                    "10",
                    *account,
                    *options.split(),
                ]
                children.append(Child(command))
            ports = {str(child.first["name"]): int(child.first["listening"]) for child in children}
            console.print("carriers  " + ", ".join(f"{carrier} on 127.0.0.1:{port}" for carrier, port in ports.items()))
            gateway, port = start_gateway(Path(name), ports, _store(store, servers))
            console.print(f"gateway   on 127.0.0.1:{port}, store {store}")
            senders = [
                Sender(class_, port, PASSWORD, SENDER, text, round(messages * SHARES[class_]), rate * SHARES[class_])
                for class_, text in TEXTS.items()
            ]
            console.print(
                f"client    smpplib, {sum(s.count for s in senders)} messages at {rate:g} a second; parts count apart\n"
            )
            complete = _follow(console, senders)
            settled = _summary(console, gateway, senders)
        finally:
            if gateway is not None:
                gateway.stop()
            for child in children:
                child.end()
    if not complete or not settled:
        console.print("[bold red]not every message reached a final state")
        sys.exit(1)
    console.print("[bold green]every message reached a final state")


def _follow(console: Console, senders: list[Sender]) -> bool:
    """Print a line a second until every message is final, or too long has passed. Gives whether all are."""
    console.print("sent / accepted / final of each class:")
    console.print(" " * 7 + "".join(f"{sender.name:>22}" for sender in senders))
    started = time.monotonic()
    for sender in senders:
        sender.start()
    deadline = started + FINAL_TIMEOUT_S + max(sender.count / sender.rate for sender in senders)
    while time.monotonic() < deadline and any(sender.running for sender in senders):
        time.sleep(1.0)
        parts = [f"{s.sent:>5} / {s.accepted:>3} / {s.delivered + s.failed:>3}" for s in senders]
        console.print(f"{time.monotonic() - started:5.0f} s" + "".join(f"{part:>22}" for part in parts))
    for sender in senders:
        sender.stop()
        if sender.error:
            console.print(f"[red]{sender.name}: {sender.error}")
    return all(sender.complete for sender in senders)


def _summary(console: Console, gateway: Gateway, senders: list[Sender]) -> bool:
    """Two tables: what the client saw, and what the gateway says. Gives whether its ledger holds only final messages."""
    table = Table(title="what the client saw", title_justify="left", box=None, header_style="bold")
    for title in ("class", "sent", "accepted", "delivered", "failed", "within 10 s", "median", "slowest"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for one in senders:
        latencies = sorted(one.latencies)
        times = (f"{latencies[len(latencies) // 2]:.2f} s", f"{latencies[-1]:.2f} s") if latencies else ("-", "-")
        within = sum(latency <= 10.0 for latency in latencies) / one.sent if one.sent else 0.0
        table.add_row(one.name, str(one.sent), str(one.accepted), str(one.delivered), str(one.failed), f"{within:.1%}", *times)
    console.print()
    console.print(table)
    channels = Table(title="what the gateway says", title_justify="left", box=None, header_style="bold")
    for title in ("channel", "submit_sm", "refused", "final", "delivered", "within 10 s"):
        channels.add_column(title, justify="left" if title == "channel" else "right")
    for one in gateway.ask("channel", "ls"):
        share = f"{one['within_10s'] / one['final']:.1%}" if one["final"] else "-"
        counts = (one["submitted"], one["refused"], one["final"], one["delivered"])
        channels.add_row(one["name"], *map(str, counts), share)
    console.print()
    console.print(channels)
    answer = gateway.ask("ledger")
    ledger = answer["ledger"]
    finals = ", ".join(f"{count} {state}" for state, count in ledger["final"].items() if count)
    console.print(f"\nledger    accepted {ledger['accepted']} = {finals or 'nothing final'}")
    sent = sum(sender.sent for sender in senders)
    return bool(answer["balanced"] and ledger["accepted"] == sent == sum(ledger["final"].values()))
