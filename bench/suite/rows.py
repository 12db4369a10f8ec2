"""The table of the suite: what is measured, how much of it, and what it must show.

A row's figures are named `<row>.<figure>`. Loads are two: the whole one, which targets are about, and the quick one, which only
shows that everything runs. The HTTP API's are in api.py.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

from bench.scenarios.script import CarrierRole, LoadRole, Script, read_script
from bench.suite.api import TARGETS as API_TARGETS
from bench.suite.api import api_parts
from bench.suite.loads import Measure, plain_carriers, through, watched
from bench.suite.micro import ABOUT, micro
from bench.suite.parts import Part
from bench.suite.queued import memory, restart
from bench.suite.targets import Target

END_TO_END = "end-to-end"
ROUNDS = 3
"""Whole runs of most rows: fewer have no spread. Sustained, isolation, restart and memory run once, for they take half a minute
to a minute each, and the suite must stay a matter of some ten."""


class Row(NamedTuple):
    """A part through the whole gateway. Targets name its own figures."""

    name: str
    about: str
    measure: Measure
    targets: tuple[Target, ...] = ()


Kind: TypeAlias = Literal["embedded", "redis", "memory"]


def flood(carriers: Sequence[CarrierRole], messages: int, store: Kind = "embedded", *, rules: bool = False) -> Script:
    """As many messages as windows allow: 10 binds with window 200, receipts back, all three classes."""
    load = LoadRole("flood", seconds=120, closed=True, messages=messages, drain=60)
    return Script("A flood.", list(carriers), [load], store=store, rules=rules)


def altered(script: Script, **fields: float) -> Script:
    """The same with another last load."""
    return replace(script, loads=[*script.loads[:-1], replace(script.loads[-1], **fields)])


def smpp(name: str, store: Kind, *targets: Target, rules: bool = False) -> Row:
    """The whole path on one of the stores; with the rules of the shipped example, or without any."""
    whole, quick = (flood(plain_carriers(4), messages, store, rules=rules) for messages in (60_000, 15_000))
    about = f"messages a second, all the way, store {store}{', with rules' if rules else ''}"
    return Row(name, about, through(name, whole, quick, ROUNDS), targets)


def rows() -> list[Row]:
    """In the order in which they run."""
    ten_thousand = altered(read_script("ten-thousand"), seconds=12)
    few = altered(ten_thousand, connections=2000, rate=1000, seconds=5, ramp=1)
    open_5000 = altered(read_script("healthy"), seconds=20)
    calm = altered(open_5000, rate=1000, seconds=5, ramp=1)
    isolation = read_script("isolation")
    idle, backlog, beside = isolation.loads
    short = replace(isolation, loads=[replace(idle, seconds=3), replace(backlog, messages=20_000), replace(beside, seconds=5)])
    slow = [replace(one, binds=1, window=100) for one in plain_carriers(1, resp_latency="20ms")]
    return [
        smpp(
            "smpp_embedded",
            "embedded",
            Target("smpp_embedded.lost", "<=", 0, 0),
            Target("smpp_embedded.duplicated", "<=", 0, 0),
        ),
        smpp(
            "smpp_rules",
            "embedded",
            Target("smpp_rules.per_s", ">=", 20_000, 40_000),
            Target("smpp_rules.cpu_us_per_message", "<=", 50, 25),
            Target("smpp_rules.lost", "<=", 0, 0),
            Target("smpp_rules.duplicated", "<=", 0, 0),
            rules=True,
        ),
        smpp("smpp_redis", "redis", Target("smpp_redis.per_s", ">=", 15_000, 30_000)),
        smpp("smpp_redis_rules", "redis", Target("smpp_redis_rules.per_s", ">=", 15_000, 30_000), rules=True),
        smpp("smpp_memory", "memory"),
        Row(
            "sustained",
            "the same for half a minute: does anything pile up?",
            through(
                "sustained", flood(plain_carriers(4), 300_000, rules=True), flood(plain_carriers(4), 15_000, rules=True), 1
            ),
            (Target("sustained.rss_max_mb", "<=", 400, 200), Target("sustained.lost", "<=", 0, 0)),
        ),
        Row(
            "ten_thousand",
            "ten thousand clients, 5,000 messages a second",
            watched(
                "ten_thousand",
                ten_thousand,
                few,
                ("refused", "lost", "duplicated", "accept_p50_ms", "accept_p99_ms", "kb_per_connection", "cpu_us_per_message"),
                ROUNDS,
            ),
            (
                Target("ten_thousand.refused", "<=", 0, 0),
                Target("ten_thousand.accept_p99_ms", "<=", 250, 50),
                Target("ten_thousand.kb_per_connection", "<=", 15, 8),
            ),
        ),
        Row(
            "open_5000",
            "5,000 messages a second, four healthy carriers",
            watched(
                "open_5000",
                open_5000,
                calm,
                (
                    "accept_p50_ms",
                    "accept_p99_ms",
                    "carrier_p50_ms",
                    "carrier_p99_ms",
                    "lost",
                    "duplicated",
                    "cpu_us_per_message",
                ),
                ROUNDS,
            ),
            (
                Target("open_5000.accept_p99_ms", "<=", 25, 5),
                Target("open_5000.carrier_p99_ms", "<=", 50, 10),
                Target("open_5000.lost", "<=", 0, 0),
                Target("open_5000.duplicated", "<=", 0, 0),
            ),
        ),
        Row(
            "isolation",
            "codes beside 200,000 queued marketing messages",
            watched(
                "isolation",
                isolation,
                short,
                (
                    "idle.verification.carrier_p99_ms",
                    "verification.carrier_p50_ms",
                    "verification.carrier_p99_ms",
                    "verification.accept_p99_ms",
                    "verification.lost",
                ),
            ),
            (Target("isolation.verification.carrier_p99_ms", "<=", 100, 20),),
        ),
        Row(
            "slow_carrier",
            "one bind, window 100, answers after 20 ms: 5,000 a second at most",
            through("slow_carrier", flood(slow, 25_000), flood(slow, 10_000), ROUNDS),
            (Target("slow_carrier.per_s", ">=", 4_500, 4_900),),
        ),
        Row(
            "restart",
            "100,000 queued, kill -9, start",
            partial(restart, "restart", 100_000, 20_000),
            (
                Target("restart.first_s", "<=", 10, 2),
                Target("restart.lost", "<=", 0, 0),
                Target("restart.duplicated", "<=", 0, 0),
            ),
        ),
        Row(
            "memory",
            "the core with 1,000,000 queued",
            partial(memory, "memory", 1_000_000, 50_000),
            (Target("memory.rss_mb", "<=", 400, 200),),
        ),
    ]


def parts() -> list[Part]:
    """Everything: the micro benches, then the rows."""
    return [*map(micro, ABOUT), *(Part(row.name, END_TO_END, row.about, row.measure) for row in rows()), *api_parts()]


def targets_of(chosen: Sequence[Part]) -> list[Target]:
    """Of these parts."""
    names = {part.name for part in chosen}
    return [
        *(target for row in rows() if row.name in names for target in row.targets),
        *(target for target in API_TARGETS if target.figure.partition(".")[0] in names),
    ]
