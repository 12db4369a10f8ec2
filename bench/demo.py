"""The main job in one command: a gateway, two simulated carriers, and a client that sends messages of all three classes.

Everything runs as a user would run it: processes of their own, talking over loopback sockets. The client is smpplib, an SMPP
implementation that is not ours. Ends with 0 only when every message that was sent has reached a final state.
"""

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bench.esme import Sender
from bench.gateway import PASSWORD, ChannelTo, Gateway, config_text
from bench.processes import Child
from bench.redis_server import RedisServer

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
WEIGHTS = {
    "carrier-a": {"verification": 3, "notification": 1, "marketing": 1},
    "carrier-b": {"verification": 1, "notification": 1, "marketing": 2},
}
SHARES = {"verification": 0.3, "notification": 0.4, "marketing": 0.3}
FINAL_TIMEOUT_S = 60.0


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
            channels = [ChannelTo(carrier, port, weights=WEIGHTS[carrier]) for carrier, port in ports.items()]
            text = config_text(Path(name) / "data", channels, store=_store(store, servers))
            gateway = Gateway(Path(name) / "tensec.toml", text)
            gateway.start()
            console.print(f"gateway   on 127.0.0.1:{gateway.port}, store {store}")
            senders = [
                Sender(class_, gateway.port, PASSWORD, SENDER, text, round(messages * SHARES[class_]), rate * SHARES[class_])
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
