"""The carrier as a process: `{"listening": port}` first, the counters last, one JSON line each."""

import asyncio
import gc
import json
import signal
import ssl
import sys
from typing import Annotated, Any

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict

from bench.alarm import fine_alarm
from bench.carrier.arrivals import Arrivals
from bench.carrier.control import Control
from bench.carrier.ledger import Ledger
from bench.carrier.options import Options
from bench.carrier.port import Port
from bench.carrier.scenario import Scenario, ScenarioError, load, names
from bench.carrier.smsc import Smsc
from bench.carrier.timeline import TimeLine
from bench.loops import loop_factory

DEFAULTS = Options()


def _fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Put the scenario's switches where the command line is silent, before anything is converted."""
    for argument in arguments:
        if argument.name == "--scenario" and argument.tokens:
            try:
                spelled = load(argument.tokens[0].value).spelled
            except ScenarioError as error:
                print(error, file=sys.stderr)
                sys.exit(2)
            given = {key.replace("_", "-"): value for key, value in spelled.items()}
            Dict(given, use_commands_as_keys=False)(app, commands, arguments)


app = App(name="carrier", config=_fill)


@app.default
def carrier(
    options: Options = DEFAULTS,
    *,
    scenario: Annotated[str | None, Parameter(group="Running")] = None,
    control: Annotated[bool, Parameter(group="Running", negative="")] = False,
) -> None:
    """Simulate one carrier's SMSC until SIGTERM, SIGINT or --max-seconds.

    The first line printed is {"listening": PORT, "name": NAME}, the last one the counters and the client's violations.
    Spans are 20ms, uniform:5ms-50ms, normal:2s,500ms, lognormal:800ms,0.6 (median, sigma) or exp:200ms.

    Parameters
    ----------
    scenario
        Switches and a time line by name (`carriers` lists them) or from a .toml file; switches given besides win over its base.
    control
        Obey JSON lines on stdin: {"set": {"resp_latency": "3s"}}, {"do": "drop"}.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(options, load(scenario) if scenario else Scenario(), control))
    except OSError as error:
        sys.exit(f"carrier {options.name}: {error}")


def carriers() -> None:
    """List the scenarios of the simulated carrier."""
    for name in names():
        print(f"{name:<20} {load(name).about}")


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context


async def _run(options: Options, scenario: Scenario, control: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    arrivals = Arrivals(options.arrivals) if options.arrivals is not None else None
    smsc = Smsc(options, loop, Ledger(options.ledger), arrivals, fine_alarm)
    smsc.port = Port(smsc, _tls(options))
    listening = await smsc.port.open()
    # Millions of small objects come and go, none in cycles.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    _say({"listening": listening, "name": options.name})
    timeline = TimeLine(smsc, scenario, _say)
    smsc.flush()
    if control:
        await loop.connect_read_pipe(lambda: Control(smsc, timeline, _say), sys.stdin)
    if options.max_seconds:
        loop.call_later(options.max_seconds, ended.set)
    if options.report_every:
        _report(smsc, options.report_every)
    await ended.wait()
    smsc.port.end()
    smsc.finish()
    await asyncio.sleep(0)  # let the closed connections go
    _say({"name": options.name, **smsc.counters.as_dict()})


def _report(smsc: Smsc, every_s: float) -> None:
    _say({"progress": smsc.progress()})
    smsc.loop.call_later(every_s, _report, smsc, every_s)
