"""`tensec ledger`, `tensec sla`, `tensec reload`: the sums, the ten seconds, a new configuration."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from config.schema import Config
from gateway import link
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, ask, fail, read_config, runs
from routing.slawindows import DIMENSIONS, WINDOWS_S


def ledger(*, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Print accepted = scheduled + queued + in flight + final, of a running gateway or of its store. Exit 1 when they do not
    add up.
    """
    settings = read_config(config)
    if runs(settings):
        answer = ask(settings, link.AskLedger())
        assert isinstance(answer, link.Sums)
    else:
        answer = _stored(settings)
    sums = answer.ledger
    if json:
        print(msgspec.json.encode({"ledger": sums, "waiting": answer.waiting, "balanced": sums.balanced}).decode())
    else:
        print(f"accepted   {sums.accepted}")
        for name, count in (("scheduled", sums.scheduled), ("queued", sums.queued), ("in flight", sums.in_flight)):
            print(f"  {name:<12} {count}")
        for name, count in sums.final.items():
            print(f"  {name:<12} {count}")
        print("balanced" if sums.balanced else "NOT BALANCED")
        if answer.dead_letters:
            print(f"{answer.dead_letters} notices nobody took: `tensec dead-letters` lists them")
    sys.exit(0 if sums.balanced else 1)


def _stored(settings: Config) -> link.Sums:
    """What a gateway would start with."""
    from gateway.store.offline import ledger as stored
    from gateway.store.vault import VaultError

    data_dir = Path(settings.data_dir)
    if settings.store.kind == "memory" or not data_dir.exists():
        fail(f"no tensec runs on data_dir {settings.data_dir}: start it with `tensec serve`")
    try:
        return link.Sums(stored(settings.store, data_dir), {})
    except VaultError as error:
        fail(str(error))


By = Annotated[str, Parameter(help="Rows for each: some of class, channel, network, account, with commas.")]
Window = Annotated[str, Parameter(help="Only this one: 1m, 5m, 15m, day.")]
Only = Annotated[str, Parameter(help="Only what has these, as class=verification,channel=a.")]


def sla(
    *, by: By = "class", window: Window = "", only: Only = "", config: ConfigPath = DEFAULT_CONFIG, json: Json = False
) -> None:
    """The ten seconds: from when messages came or were due (user), from their write to a carrier (channel); then the shares
    of final messages since the start.
    """
    names = tuple(one for one in by.split(",") if one)
    wanted = dict(one.partition("=")[::2] for one in only.split(",") if one)
    for name in (*names, *wanted):
        if name not in DIMENSIONS:
            fail(f"{name} is none of {', '.join(DIMENSIONS)}", 2)
    if window and window not in WINDOWS_S:
        fail(f"{window} is none of {', '.join(WINDOWS_S)}", 2)
    answer = ask(read_config(config), link.AskTallies(names, (window,) if window else (), wanted))
    assert isinstance(answer, link.Tallies)
    if json:
        print(msgspec.json.encode({"tallies": answer.tallies, "windows": answer.windows}).decode())
        return
    if not answer.tallies:
        print(f"no message{f' of {only}' if only else ''} is final yet")
    for one in answer.windows:
        if one.due or one.within is not None:
            _show(one)
    for class_, channel in answer.breached:
        print(f"IN BREACH      {class_}{f' on {channel}' if channel else ''}")
    for each in answer.tallies:
        share = each.within_10s / each.final if each.final else 0.0
        counts = f"final {each.final:<8} delivered {each.delivered:<8}"
        print(f"{each.class_:<14} {each.channel or '-':<16} {counts} within 10 s {share:.2%}")


def _show(window: link.WindowView) -> None:
    names = [one for one in (window.class_, window.channel, window.network, window.account) if one]
    parts = [f"{window.clock:<8} last {window.window:<4} {' '.join(names) or 'all':<14} due {window.due}"]
    shares = (("within 10 s", window.within), ("arrived", window.arrival), ("by now", window.closed))
    parts += [f"{name} {share:.2%}" for name, share in shares if share is not None]
    if window.p50 is not None:
        parts.append(f"p50 {window.p50:g} s  p95 {window.p95:g} s  p99 {window.p99:g} s")
    print("  ".join(parts))


def reload(*, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Have the running gateway read its configuration again; it keeps the old one when the new one is wrong (exit 2)."""
    answer = ask(read_config(config), link.AskReload())
    assert isinstance(answer, link.Done)
    for line in answer.errors:
        print(line, file=sys.stderr)
    if answer.errors:
        sys.exit(2)
    print("configuration taken over")
