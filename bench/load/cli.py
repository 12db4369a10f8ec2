"""`tensec bench smpp` and `tensec bench http`: from the command line to a run, from its result to files and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter, validators
from rich.console import Console

from bench.load.checks import check_arrivals, check_numbers, check_order, check_out
from bench.load.find_max import FindMax, Limits
from bench.load.hand import until_by_hand
from bench.load.limits import LimitError, is_local, raise_file_limit
from bench.load.options import LOAD, SPAN, LoadOptions, option
from bench.load.orders import HttpOrder, Order
from bench.load.outcome import deliver, fail, folder_for
from bench.load.run import Run, Setup
from bench.load.schedule import Schedule
from bench.load.smpp import KINDS
from bench.load.sources import SourceError
from bench.load.view import choose_view
from bench.load.words import by_class, classes_of, header_of, host_port, login_of, order_of, plan_of, share
from bench.measure.asserting import parse_assertion
from bench.measure.usage import Processes, listeners

RATE_OF_A_PROCESS = 12_000
"""Messages a second that one source process makes without falling behind, on a slow core."""
DEFAULT_S = 30.0
SMPP, HTTP = "SMPP", "HTTP"
_DEFAULTS = LoadOptions()


def smpp(
    options: LoadOptions = _DEFAULTS,
    *,
    target: Annotated[str, option(LOAD)] = "127.0.0.1:2775",
    login: Annotated[tuple[str, ...], option(SMPP)] = (),
    window: Annotated[int, option(SMPP, validator=validators.Number(gte=1))] = 10,
    bind: Annotated[Literal["trx", "tx-rx"], option(SMPP)] = "trx",
    receipts: Annotated[bool, Parameter(group=SMPP)] = True,
    reconnect: Annotated[bool, option(SMPP)] = False,
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
        for text in options.asserts:
            parse_assertion(text)
        logins = {name: login_of(word) for name, word in by_class(login).items()}
        host, port = host_port(target)
        classes = classes_of(options, logins)
        order = order_of(options, "smpp", host, port, classes, window=window, receipts=receipts, reconnect=reconnect, bind=bind)
    _load(options, order, target)


def http(
    options: LoadOptions = _DEFAULTS,
    *,
    target: Annotated[str, option(LOAD)] = "http://127.0.0.1:8080/v1/messages",
    body: Annotated[str, option(HTTP)] = '{"to":"+{to}","text":"{text}"}',
    header: Annotated[tuple[str, ...], option(HTTP)] = (),
    method: Annotated[str, option(HTTP)] = "POST",
    timeout: Annotated[float, option(HTTP, **SPAN)] = 30.0,
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
        for text in options.asserts:
            parse_assertion(text)
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--target {target!r} is no http:// or https:// URL")
        headers = [header_of(one) for one in header]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        if body.startswith("@"):
            body = Path(body[1:]).read_text(encoding="utf-8")
        request = HttpOrder(method, target, body, tuple(headers), timeout)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        order = order_of(options, "http", parts.hostname, port, classes_of(options, {}), http=request)
    _load(options, order, target)


@contextmanager
def _usage() -> Iterator[None]:
    """What the user wrote wrong ends the program with 2 and one line."""
    try:
        yield
    except (ValueError, OSError, LimitError) as error:
        fail(str(error), 2)


def _load(options: LoadOptions, order: Order, target: str) -> None:
    out = options.out or folder_for(order.kind)
    with _usage():
        setup = _setup(options, order, target)
        check_out(out)
    console = Console(stderr=options.json, highlight=False)
    view = choose_view(console, f"tensec bench {order.kind} {target}")
    work = FindMax(setup, view, Limits(options.p99_max, rate_max=options.rate_max)) if options.find_max else Run(setup, view)
    try:
        with until_by_hand():
            result = work.run()
    except SourceError as error:
        view.close()
        fail(str(error), 1)
    finally:
        view.close()
    sys.exit(deliver(result, work.log, list(options.asserts), out, console, as_json=options.json))


def _setup(options: LoadOptions, order: Order, target: str) -> Setup:
    """The run, after every check that needs no connection. Raises ValueError, OSError and LimitError."""
    if options.find_max and (options.closed or options.duration or options.messages or options.ramp):
        raise ValueError("--find-max makes runs of its own: it goes with none of --closed, -z, -n and --ramp")
    duration = DEFAULT_S if options.duration is None and options.messages is None else options.duration
    schedule = Schedule(None if options.closed else options.rate, options.ramp, duration, options.messages)
    processes = options.processes or _processes(order, options.rate_max if options.find_max else schedule.rate)
    raise_file_limit(-(-sum(one.connections for one in order.classes) * len(KINDS[order.bind]) // processes))
    check_order(order)
    check_numbers(order, schedule)
    pairs = [_pair(word) for word in options.arrivals]
    arrivals = dict(pairs)
    if len(arrivals) < len(pairs):
        raise ValueError("--arrivals: each carrier needs a name of its own, NAME=FILE")
    check_arrivals(arrivals)
    pids = list(options.target_pid) or listeners(order.port)
    return Setup(
        plan_of(order, target, processes, schedule, ", ".join(options.text) or "unicode"),
        share(order, processes),
        schedule,
        options.drain,
        arrivals,
        Processes(pids) if pids and is_local([order.host]) else None,
    )


def _processes(order: Order, rate: float | None) -> int:
    """As many as make the rate without falling behind, as far as there are cores and connections for them."""
    cores = os.cpu_count() or 1
    fewest = min(one.connections for one in order.classes)
    return max(1, min(-(-int(rate or 0) // RATE_OF_A_PROCESS), cores, fewest))


def _pair(word: str) -> tuple[str, Path]:
    name, equals, path = word.partition("=")
    return (name, Path(path)) if equals else (Path(word).stem, Path(word))
