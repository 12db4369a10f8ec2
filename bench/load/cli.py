"""`tensec bench smpp` and `tensec bench http`: from the command line to a run, and from its result to files and an exit code."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Literal, NoReturn
from urllib.parse import urlsplit

from cyclopts import Parameter, validators
from rich.console import Console

from bench.carrier.latency import parse_duration
from bench.load.find_max import FindMax, Limits
from bench.load.limits import LimitError, addresses_of, is_local, raise_file_limit, sources_for
from bench.load.mix import parse_mix
from bench.load.orders import ClassOrder, HttpOrder, Login, Order
from bench.load.outcome import deliver
from bench.load.run import Run, Setup
from bench.load.schedule import Schedule
from bench.load.sources import SourceError
from bench.load.texts import templates
from bench.load.view import choose_view
from bench.measure.asserting import parse_assertion
from bench.measure.result import Plan, Result
from bench.measure.usage import Processes, listeners

RATE_OF_A_PROCESS = 12_000
"""Messages a second that one source process makes without falling behind, on a slow core."""
DEFAULT_S = 30.0
ONE_CLASS = "all"


def _duration(_type: object, tokens: object) -> float:
    return parse_duration(tokens[0].value)  # type: ignore[index]


def _in(group: str, **more: object) -> Parameter:
    return Parameter(group=group, negative="", **more)  # type: ignore[arg-type]


_SPAN = {"converter": _duration, "n_tokens": 1, "accepts_keys": False}
_LOAD, _MESSAGES, _SMPP, _HTTP, _RUN = "Load", "Messages", "SMPP", "HTTP", "Run"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What `smpp` and `http` have in common."""

    connections: Annotated[int, _in(_LOAD, name=["--connections", "-c"], validator=validators.Number(gte=1))] = 10
    """Connections (binds) open at the same time."""
    rate: Annotated[float, _in(_LOAD, validator=validators.Number(gt=0))] = 1000.0
    """Messages due per second, whatever the target answers (open model). Parts of a long message count apart."""
    closed: Annotated[bool, _in(_LOAD)] = False
    """Closed model instead: each connection sends its next message when an answer makes room. Finds throughput, hides stalls."""
    duration: Annotated[float | None, _in(_LOAD, name=["--duration", "-z"], **_SPAN)] = None
    """How long messages become due: 60s, 5m. 30 s when nothing else ends the run."""
    messages: Annotated[int | None, _in(_LOAD, name=["--messages", "-n"], validator=validators.Number(gte=1))] = None
    """Stop after this many messages."""
    ramp: Annotated[float, _in(_LOAD, **_SPAN)] = 0.0
    """Rise to the rate over this time."""
    find_max: Annotated[bool, _in(_LOAD)] = False
    """Raise the rate from --rate until latency or errors break a limit, then confirm the highest that holds."""
    p99_max: Annotated[float, _in(_LOAD, **_SPAN)] = 0.1
    """--find-max: accept latency p99 that still counts as holding."""
    processes: Annotated[int, _in(_LOAD, validator=validators.Number(gte=0))] = 0
    """Source processes; 0 = as many as the rate and the open-file limit ask for."""

    mix: Annotated[str | None, _in(_MESSAGES)] = None
    """Classes and shares: verification=10,notification=30,marketing=60. Each class has connections of its own."""
    text: Annotated[list[str], _in(_MESSAGES)] = ()  # type: ignore[assignment]
    """short, unicode, long, mixed, @FILE with a template a line, or a text; CLASS=... for one class. {n} {code} {to} are filled in."""
    to: Annotated[str, _in(_MESSAGES)] = "86138########"
    """Recipients: the run of # counts up, so that no two messages have the same."""
    source: Annotated[str, _in(_MESSAGES)] = "10690000"
    """Sender address."""
    first: Annotated[int | None, _in(_MESSAGES)] = None
    """Where recipients begin; without it somewhere else each run."""

    arrivals: Annotated[list[str], _in(_RUN)] = ()  # type: ignore[assignment]
    """NAME=FILE, repeatable: what `tensec sim carrier --arrivals FILE` writes. Time to the carrier, lost and duplicated need it."""
    target_pid: Annotated[list[int], _in(_RUN)] = ()  # type: ignore[assignment]
    """Process of the target, for its CPU and memory; without it who listens on the port."""
    drain: Annotated[float, _in(_RUN, **_SPAN)] = 20.0
    """How long to wait for answers and receipts after the last message."""
    out: Annotated[Path | None, _in(_RUN)] = None
    """Folder for report.html, result.json and latency.hlog; without it bench-results/ with the date."""
    asserts: Annotated[list[str], _in(_RUN, name="--assert")] = ()  # type: ignore[assignment]
    """What must hold, such as sla_10s>=0.95 or lost==0 or accept_p99_ms<=25; exit code 3 when it does not."""
    allow_remote: Annotated[bool, _in(_RUN)] = False
    """Aim at another machine. A load test against what is not yours is an attack."""
    json: Annotated[bool, _in(_RUN)] = False
    """Print the result as JSON and nothing else on stdout."""


_DEFAULTS = LoadOptions()


def smpp(
    options: LoadOptions = _DEFAULTS,
    *,
    target: Annotated[str, _in(_LOAD)] = "127.0.0.1:2775",
    login: Annotated[list[str], _in(_SMPP)] = (),  # type: ignore[assignment]
    window: Annotated[int, _in(_SMPP, validator=validators.Number(gte=1))] = 10,
    bind: Annotated[Literal["trx", "tx-rx"], _in(_SMPP)] = "trx",
    receipts: Annotated[bool, Parameter(group=_SMPP)] = True,
    reconnect: Annotated[bool, _in(_SMPP)] = False,
) -> None:
    """Load an SMPP server.

    Parameters
    ----------
    target
        HOST:PORT.
    login
        SYSTEM_ID:PASSWORD, or CLASS=SYSTEM_ID:PASSWORD for the connections of one class of the mix; repeatable.
    window
        Most unanswered submits on one bind.
    bind
        Transceivers, or a transmitter and a receiver each.
    receipts
        Ask for delivery receipts and wait for them.
    reconnect
        Bind again when a connection breaks, instead of ending when all have broken.
    """
    with _usage():
        host, port = _host_port(target)
        logins = _by_class(login)
        classes = _classes(options, {name: _login(found) for name, found in logins.items()})
    order = _order(options, "smpp", host, port, classes, window, receipts=receipts, reconnect=reconnect, bind=bind)
    _load(options, order, target)


def http(
    options: LoadOptions = _DEFAULTS,
    *,
    target: Annotated[str, _in(_LOAD)] = "http://127.0.0.1:8080/v1/messages",
    body: Annotated[str, _in(_HTTP)] = '{"to":"+{to}","text":"{text}"}',
    header: Annotated[list[str], _in(_HTTP)] = (),  # type: ignore[assignment]
    method: Annotated[str, _in(_HTTP)] = "POST",
    timeout: Annotated[float, _in(_HTTP, **_SPAN)] = 30.0,
) -> None:
    """Load an SMS HTTP API.

    Parameters
    ----------
    target
        URL of the request that sends one message.
    body
        Template of its body, or @FILE; {to} {text} {ref} {class} are replaced, {text} as the inside of a JSON string.
    header
        NAME: VALUE, repeatable, such as "Authorization: Bearer sk_..."; Content-Type is application/json unless given.
    method
        HTTP method.
    timeout
        Give up on an answer after this.
    """
    with _usage():
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--target {target!r} is no http:// or https:// URL")
        headers = [_header(one) for one in header]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        if body.startswith("@"):
            body = Path(body[1:]).read_text(encoding="utf-8")
        classes = _classes(options, {})
    request = HttpOrder(method, target, body, tuple(headers), timeout)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    order = _order(options, "http", parts.hostname, port, classes, 1, receipts=False, reconnect=True, bind="trx", http=request)
    _load(options, order, target)


# -- from words to orders


class _usage:  # noqa: N801 - reads as the block it is
    """What the user wrote wrong ends the program with 2 and one line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (ValueError, OSError, LimitError)):
            fail(str(error), 2)


def fail(why: str, code: int) -> NoReturn:
    """One line on stderr, and out."""
    print(f"tensec bench: {why}", file=sys.stderr)
    sys.exit(code)


def _host_port(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"--target {target!r}: HOST:PORT, such as 127.0.0.1:2775")
    return host.strip("[]"), int(port)


def _by_class(words: list[str]) -> dict[str, str]:
    """CLASS=WORD pairs; a word alone stands for every class (under "")."""
    found = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if equals and name.isidentifier():
            found[name] = rest
        else:
            found[""] = word
    return found


def _login(word: str) -> Login:
    system_id, colon, password = word.partition(":")
    if not colon:
        raise ValueError(f"--login {word!r}: SYSTEM_ID:PASSWORD")
    return Login(system_id, password)


def _header(word: str) -> tuple[str, str]:
    name, colon, value = word.partition(":")
    if not colon or not name.strip() or "\n" in word or "\r" in word:
        raise ValueError(f"--header {word!r}: NAME: VALUE")
    return name.strip(), value.strip()


def _classes(options: LoadOptions, logins: dict[str, Login]) -> list[ClassOrder]:
    """The classes of the mix, with connections in proportion, one each at least."""
    shares = parse_mix(options.mix) if options.mix else {ONE_CLASS: 1.0}
    texts = _by_class(list(options.text))
    strangers = (texts.keys() | logins.keys()) - shares.keys() - {""}
    if strangers:
        raise ValueError(f"{', '.join(sorted(strangers))}: no class of --mix ({', '.join(shares)})")
    total = sum(shares.values())
    found = []
    for name, share in shares.items():
        lines = templates(texts.get(name, texts.get("", "unicode")))
        count = max(1, round(options.connections * share / total))
        found.append(ClassOrder(name, share, lines, count, logins.get(name, logins.get("", Login()))))
    return found


def _order(
    options: LoadOptions,
    kind: Literal["smpp", "http"],
    host: str,
    port: int,
    classes: list[ClassOrder],
    window: int,
    *,
    receipts: bool,
    reconnect: bool,
    bind: Literal["trx", "tx-rx"],
    http: HttpOrder | None = None,
) -> Order:
    """The order for all source processes together; `_share` cuts it."""
    prefix, digits = options.to.rstrip("#"), len(options.to) - len(options.to.rstrip("#"))
    with _usage():
        if digits < 4 or len(options.to) > 19 or not prefix.lstrip("+").isdigit():
            raise ValueError(f"--to {options.to!r}: digits and at least four #, at most 19 together, such as 86138########")
        addresses = addresses_of(host, port)
        if not is_local(addresses) and not options.allow_remote:
            raise ValueError(f"{host} is another machine: say --allow-remote if the target is yours")
        for text in options.asserts:
            parse_assertion(text)
    first = SystemRandom().randrange(10**digits) if options.first is None else options.first
    per_process = max(sum(one.connections for one in classes), 1)
    return Order(
        kind, addresses[0], port, 0, 1, tuple(classes), window, prefix.lstrip("+"), digits, first, options.source,
        sources_for(addresses[0], per_process * (2 if bind == "tx-rx" else 1)), receipts, reconnect, bind, options.closed, http,
    )  # fmt: skip


def share(order: Order, processes: int) -> list[Order]:
    """One order for each source process: connections dealt out, at least one of each class."""
    from msgspec.structs import replace

    found = []
    for index in range(processes):
        classes = tuple(
            replace(one, connections=max(1, len(range(index, one.connections, processes)))) for one in order.classes
        )
        found.append(replace(order, index=index, processes=processes, classes=classes))
    return found


# -- from orders to a result


def _load(options: LoadOptions, order: Order, target: str) -> None:
    connections = sum(one.connections for one in order.classes)
    processes = options.processes or max(1, -(-int(options.rate if not options.closed else 1) // RATE_OF_A_PROCESS))
    with _usage():
        raise_file_limit(-(-connections * (2 if order.bind == "tx-rx" else 1) // processes))
    duration = DEFAULT_S if options.duration is None and options.messages is None else options.duration
    pids = list(options.target_pid) or listeners(order.port)
    setup = Setup(
        Plan(
            order.kind,
            target,
            connections,
            processes,
            "closed" if order.closed else "open",
            None if order.closed else options.rate,
            duration,
            options.messages,
            options.ramp,
            order.window,
            {one.name: one.share for one in order.classes},
            ", ".join(options.text) or "unicode",
            order.receipts,
        ),
        share(order, processes),
        Schedule(options.rate, options.ramp, duration, options.messages),
        options.drain,
        dict(_pair(word) for word in options.arrivals),
        Processes(pids) if pids and is_local([order.host]) else None,
    )
    console = Console(stderr=options.json, highlight=False)
    view = choose_view(console, f"tensec bench {order.kind} {target}")
    work: Callable[[], Result] = (
        FindMax(setup, view, Limits(options.p99_max)).run if options.find_max else Run(setup, view).run
    )
    try:
        result = work()
    except SourceError as error:
        view.close()
        fail(str(error), 1)
    finally:
        view.close()
    out = options.out or Path("bench-results") / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{order.kind}"
    sys.exit(deliver(result, list(options.asserts), out, console, as_json=options.json))


def _pair(word: str) -> tuple[str, Path]:
    name, equals, path = word.partition("=")
    return (name, Path(path)) if equals else (Path(word).stem, Path(word))
