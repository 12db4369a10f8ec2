"""From the words of the command line to the orders of source processes. ValueError says what the user wrote wrong."""

from collections.abc import Iterable, Mapping
from random import SystemRandom
from typing import Literal

from msgspec.structs import replace

from bench.load.limits import addresses_of, is_local, sources_for
from bench.load.mix import parse_mix
from bench.load.options import LoadOptions
from bench.load.orders import ClassOrder, HttpOrder, Login, Order
from bench.load.schedule import Schedule
from bench.load.smpp import KINDS
from bench.load.texts import templates
from bench.measure.result import Plan

ONE_CLASS = "all"


def host_port(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"--target {target!r}: HOST:PORT, such as 127.0.0.1:2775")
    return host.strip("[]"), int(port)


def by_class(words: Iterable[str]) -> dict[str, str]:
    """CLASS=WORD pairs; a word alone stands for every class (under "")."""
    found = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if equals and name.isidentifier():
            found[name] = rest
        else:
            found[""] = word
    return found


def login_of(word: str) -> Login:
    system_id, colon, password = word.partition(":")
    if not colon:
        raise ValueError(f"--login {word!r}: SYSTEM_ID:PASSWORD")
    return Login(system_id, password)


def header_of(word: str) -> tuple[str, str]:
    name, colon, value = word.partition(":")
    if not colon or not name.strip() or "\n" in word or "\r" in word:
        raise ValueError(f"--header {word!r}: NAME: VALUE")
    return name.strip(), value.strip()


def classes_of(options: LoadOptions, logins: dict[str, Login]) -> list[ClassOrder]:
    """The classes of the mix, with what they say, who they are and their connections."""
    shares = parse_mix(options.mix) if options.mix else {ONE_CLASS: 1.0}
    texts = by_class(options.text)
    strangers = (texts.keys() | logins.keys()) - shares.keys() - {""}
    if strangers:
        raise ValueError(f"{', '.join(sorted(strangers))}: no class of --mix ({', '.join(shares)})")
    try:
        counts = deal_out(options.connections, shares)
    except ValueError as error:
        raise ValueError(f"-c {options.connections}: {error} (--mix)") from None
    found = []
    for name, share in shares.items():
        lines = templates(texts.get(name, texts.get("", "unicode")))
        found.append(ClassOrder(name, share, lines, counts[name], logins.get(name, logins.get("", Login()))))
    return found


def deal_out(connections: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Connections of each class, in proportion, one each at least, all together as many as there are. Raises ValueError."""
    if connections < len(shares):
        raise ValueError(f"{len(shares)} classes need a connection each")
    counts = dict.fromkeys(shares, 1)
    for _ in range(connections - len(shares)):
        poorest = min(shares, key=lambda name: (counts[name] + 1) / shares[name])
        counts[poorest] += 1
    return counts


def order_of(
    options: LoadOptions,
    kind: Literal["smpp", "http"],
    host: str,
    port: int,
    classes: list[ClassOrder],
    *,
    window: int = 1,
    receipts: bool = False,
    reconnect: bool = True,
    bind: Literal["trx", "tx-rx"] = "trx",
    http: HttpOrder | None = None,
) -> Order:
    """The order for all source processes together; `share` cuts it. Raises ValueError, and OSError for an unknown host."""
    prefix = options.to.rstrip("#")
    digits = len(options.to) - len(prefix)
    if digits < 4 or len(options.to) > 19 or not prefix.lstrip("+").isdigit():
        raise ValueError(f"--to {options.to!r}: digits and at least four #, at most 19 together, such as 86138########")
    addresses = addresses_of(host, port)
    if not is_local(addresses) and not options.allow_remote:
        raise ValueError(f"{host} is another machine: say --allow-remote if the target is yours")
    connections = sum(one.connections for one in classes) * len(KINDS[bind])
    return Order(
        kind,
        addresses[0],
        port,
        0,
        1,
        tuple(classes),
        window,
        prefix.lstrip("+"),
        digits,
        SystemRandom().randrange(10**digits) if options.first is None else options.first,
        options.source,
        sources_for(addresses[0], connections),
        receipts,
        reconnect,
        bind,
        options.closed,
        http,
    )


def share(order: Order, processes: int) -> list[Order]:
    """One order for each source process: connections dealt out. Raises ValueError: each sends every class."""
    fewest = min(order.classes, key=lambda one: one.connections)
    if fewest.connections < processes:
        raise ValueError(
            f"{processes} source processes need a connection of each class, {fewest.name} has {fewest.connections}: more -c, "
            "or fewer --processes"
        )
    found = []
    for index in range(processes):
        classes = tuple(replace(one, connections=len(range(index, one.connections, processes))) for one in order.classes)
        found.append(replace(order, index=index, processes=processes, classes=classes))
    return found


def plan_of(order: Order, target: str, processes: int, schedule: Schedule, texts: str, scenario: str = "") -> Plan:
    """What was asked for, as the result tells it. `order` is that for all source processes together."""
    whole = sum(one.share for one in order.classes)
    return Plan(
        order.kind,
        target,
        sum(one.connections for one in order.classes),
        processes,
        "closed" if order.closed else "open",
        schedule.rate,
        schedule.duration_s,
        schedule.messages,
        schedule.ramp_s,
        order.window,
        {one.name: one.share / whole for one in order.classes},
        texts,
        order.receipts,
        scenario,
    )
