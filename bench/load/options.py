"""What `tensec bench smpp` and `http` have in common on the command line."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from bench.carrier.latency import parse_duration


def _duration(_type: Any, tokens: Any) -> float:
    return parse_duration(tokens[0].value)


def _positive(_type: Any, value: float | None) -> None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise ValueError("must be above 0, and finite")


def option(group: str, **more: Any) -> Parameter:
    """A switch under a heading of the help."""
    return Parameter(group=group, negative="", **more)


SPAN = {"converter": _duration, "n_tokens": 1, "accepts_keys": False}
LOAD, MESSAGES, RUN = "Load", "Messages", "Run"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What `smpp` and `http` have in common."""

    connections: Annotated[int, option(LOAD, name=["--connections", "-c"], validator=validators.Number(gte=1))] = 10
    """Connections (binds) open at the same time."""
    rate: Annotated[float, option(LOAD, validator=_positive)] = 1000.0
    """Messages due per second, whatever the target answers (open model). Parts of a long message count apart."""
    closed: Annotated[bool, option(LOAD)] = False
    """Closed model instead: a connection sends its next message when an answer makes room. Finds throughput, hides stalls."""
    duration: Annotated[float | None, option(LOAD, name=["--duration", "-z"], validator=_positive, **SPAN)] = None
    """How long messages become due: 60s, 5m. 30 s when nothing else ends the run."""
    messages: Annotated[int | None, option(LOAD, name=["--messages", "-n"], validator=validators.Number(gte=1))] = None
    """Stop after this many messages."""
    ramp: Annotated[float, option(LOAD, **SPAN)] = 0.0
    """Rise to the rate over this time."""
    find_max: Annotated[bool, option(LOAD)] = False
    """Raise the rate from --rate until latency or errors break a limit, then confirm the highest that holds."""
    p99_max: Annotated[float, option(LOAD, validator=_positive, **SPAN)] = 0.1
    """--find-max: accept latency p99 that still counts as holding."""
    rate_max: Annotated[float, option(LOAD, validator=_positive)] = 100_000.0
    """--find-max: no higher rate is tried."""
    processes: Annotated[int, option(LOAD, validator=validators.Number(gte=0))] = 0
    """Source processes; 0 = as many as the rate and the open-file limit ask for."""

    mix: Annotated[str | None, option(MESSAGES)] = None
    """Classes and shares: verification=10,notification=30,marketing=60. Each class has connections of its own."""
    text: Annotated[tuple[str, ...], option(MESSAGES)] = ()
    """short, unicode, long, mixed, @FILE with a template a line, or a text with {n} {code} {to}; CLASS=... for one class."""
    to: Annotated[str, option(MESSAGES)] = "86138########"
    """Recipients: the run of # counts up, so that no two messages have the same."""
    source: Annotated[str, option(MESSAGES)] = "10690000"
    """Sender address."""
    first: Annotated[int | None, option(MESSAGES, validator=validators.Number(gte=0))] = None
    """Where recipients begin; without it somewhere else each run."""

    arrivals: Annotated[tuple[str, ...], option(RUN)] = ()
    """NAME=FILE, repeatable, from `tensec sim carrier --arrivals FILE`: time to the carrier, lost and duplicated need it."""
    target_pid: Annotated[tuple[int, ...], option(RUN)] = ()
    """Process of the target, for its CPU and memory; without it who listens on the port."""
    drain: Annotated[float, option(RUN, **SPAN)] = 20.0
    """How long to wait for answers and receipts after the last message."""
    out: Annotated[Path | None, option(RUN)] = None
    """Folder for report.html, result.json and latency.hlog; without it bench-results/ with the date."""
    asserts: Annotated[tuple[str, ...], option(RUN, name="--assert")] = ()
    """What must hold, such as sla_10s>=0.95 or lost==0 or accept_p99_ms<=25; exit code 3 when it does not."""
    allow_remote: Annotated[bool, option(RUN)] = False
    """Aim at another machine. A load test against what is not yours is an attack."""
    json: Annotated[bool, option(RUN)] = False
    """Print the result as JSON and nothing else on stdout."""
