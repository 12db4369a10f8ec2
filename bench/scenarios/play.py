"""`tensec bench scenario NAME`: set the stage, play the loads, tell the verdict. Exit code 0, 3 for a broken assertion."""

import contextlib
import sys
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bench.apart import apart
from bench.gateway import PASSWORD, example_rules
from bench.load.checks import check_out
from bench.load.hand import until_by_hand
from bench.load.limits import LimitError, raise_file_limit, sources_for
from bench.load.orders import ClassOrder, Login, Order
from bench.load.outcome import deliver, fail, folder_for
from bench.load.run import Action, Run, Setup
from bench.load.schedule import Schedule
from bench.load.sources import SourceError
from bench.load.texts import templates
from bench.load.view import View, choose_view
from bench.load.words import deal_out, plan_of, share
from bench.measure.figures import Figure, figures
from bench.measure.result import Result
from bench.redis_server import NoServerError
from bench.scenarios.script import LoadRole, Script, names, read_script
from bench.scenarios.stage import Stage

DIGITS = 8


def scenarios() -> None:
    """List the scenarios."""
    for name in names():
        print(f"{name:<14} {read_script(name).about}")


def scenario(
    name: str,
    *,
    out: Annotated[Path | None, Parameter(help="Folder for the report; without it bench-results/ with the date.")] = None,
    asserts: Annotated[tuple[str, ...], Parameter(name="--assert", negative="")] = (),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Play a whole situation: gateway, carriers, load, and what goes wrong.

    Parameters
    ----------
    name
        One of `tensec bench scenarios`, or a .toml file.
    asserts
        What must hold besides what the scenario says.
    json
        Print the result as JSON and nothing else on stdout.
    """
    folder = out or folder_for(Path(name).stem)
    try:
        script = read_script(name)
        raise_file_limit(max(load.connections for load in script.loads))
        check_out(folder)
    except (ValueError, LimitError) as error:
        fail(str(error), 2)
    console = Console(stderr=json, highlight=False)
    console.print(f"scenario  {Path(name).stem}: {script.about}", soft_wrap=True)
    view = choose_view(console, f"tensec bench scenario {name}")
    try:
        with until_by_hand():
            result, log, before = perform(Path(name).stem, script, view)
    except (SourceError, NoServerError, RuntimeError) as error:
        view.close()
        fail(str(error), 1)
    finally:
        view.close()
    sys.exit(deliver(result, log, [*script.asserts, *asserts], folder, console, as_json=json, more=before))


def perform(name: str, script: Script, view: View) -> tuple[Result, str, list[Figure]]:
    """(the last load's result and HDR log, the figures of those before it with their names in front).

    A load before that fails or is ended by hand is the last one: what follows would stand on sand.
    """
    before: list[Figure] = []
    used: list[range] = []
    first = SystemRandom().randrange(10**DIGITS)
    accounts = dict.fromkeys(class_ for load in script.loads for class_ in load.mix)
    with (
        apart() if script.apart else contextlib.nullcontext(()) as cpus,
        tempfile.TemporaryDirectory(prefix="tensec-scenario-") as folder,
    ):
        settings = f"[core]\ncpus = {list(cpus)}\n" + (example_rules() if script.rules else "")
        stage = Stage(Path(folder), script.carriers, script.store, accounts, settings)
        try:
            for load in script.loads:
                last = load is script.loads[-1]
                setup = setup_for(name, load, stage, first, used)
                if last:
                    setup.actions = [Action(turn.seconds, lambda turn=turn: stage.play(turn)) for turn in script.at]  # type: ignore[misc]
                view.say(f"load      {load.name}")
                run = Run(setup, view)
                result = run.run()
                made = result.total.counts.due
                used.append(range(first, first + made))
                first += made
                if not last and (run.interrupted or result.failure):
                    result.failure = f"load {load.name!r}: {result.failure or 'ended by hand'}"
                    last = True
                if last:
                    result.events = sorted([*result.events, *stage.events(run.begin)], key=lambda one: one.at_s)
                    return result, run.log, before
                before += [_prefixed(load.name, figure) for figure in figures(result)]
        finally:
            stage.close()
    raise AssertionError("a script has a load")


def _prefixed(name: str, figure: Figure) -> Figure:
    return Figure(f"{name}.{figure.name}", figure.value, figure.unit, figure.better, figure.runs)


def setup_for(name: str, load: LoadRole, stage: Stage, first: int, used: list[range]) -> Setup:
    """A load against a stage, to recipients from number `first` on; `used` are those of loads before."""
    lines = templates(load.text)
    counts = deal_out(load.connections, load.mix)
    classes = tuple(
        ClassOrder(class_, part, lines, counts[class_], Login(class_, PASSWORD)) for class_, part in load.mix.items()
    )
    connections = sum(one.connections for one in classes)
    order = Order(
        kind="smpp",
        host="127.0.0.1",
        port=stage.gateway.port,
        index=0,
        processes=1,
        classes=classes,
        window=load.window,
        prefix="86138",
        digits=DIGITS,
        first=first,
        source="10690000",
        sources=sources_for("127.0.0.1", connections),
        receipts=load.receipts,
        reconnect=load.reconnect,
        bind="trx",
        closed=load.closed,
    )
    schedule = Schedule(None if load.closed else load.rate, load.ramp, load.seconds, load.messages)
    plan = plan_of(order, f"127.0.0.1:{order.port}", load.processes, schedule, load.text, name)
    ignore = [range(int(f"86138{one.start:08d}"), int(f"86138{one.stop:08d}")) for one in used]
    return Setup(
        plan, share(order, load.processes), schedule, load.drain, stage.arrivals, stage.processes, ignore_recipients=ignore
    )
