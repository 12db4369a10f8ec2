"""`tensec channel`: carrier channels of a running gateway."""

from pathlib import Path

import msgspec
from cyclopts import App

from gateway import link
from gateway.calls.messages import Done, Steer, Tune
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, ask, call, read_config, who

app = App(name="channel", help="Carrier channels.")


@app.command
def ls(*, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Each channel's state, binds, window, rate and last error."""
    answer = ask(read_config(config), link.AskChannels())
    assert isinstance(answer, link.Channels)
    if json:
        print(msgspec.json.encode(answer.channels).decode())
        return
    for one in answer.channels:
        up = sum(bind.state == "bound" for bind in one.binds)
        share = f"{one.within_10s / one.final:.1%}" if one.final else "-"
        rate = f"{one.rate_max:g}/s" if one.rate_max else "no limit"
        if one.rate != one.rate_max:
            rate = f"{one.rate:g}/s of {rate}"
        binds = f"{up}/{len(one.binds)}"
        window = f"{one.window_used}/{one.window_size}"
        print(f"{one.name}  {one.state}  {one.address}  binds {binds}  window {window}  rate {rate}  queued {one.queued}")
        parts = "  ".join(f"{name} {value:g}" for name, value in one.parts.items())
        print(f"    score {one.score:g}{'' if one.trusted else ' NOT TRUSTED'}  {parts}")
        if one.weight is not None:
            print(f"    weight {one.weight} in all routes, set by hand")
        print(f"    submitted {one.submitted}  refused {one.refused}  delivered {one.delivered}  within 10 s {share}")
        if one.last_error:
            print(f"    last error: {one.last_error}")


@app.command
def pause(name: str, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Send nothing new through a channel; what waits goes another way. Stays so over a restart."""
    _steer(config, name, "pause", why)


@app.command
def drain(name: str, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """The same, and unbind when everything is answered."""
    _steer(config, name, "drain", why)


@app.command
def resume(name: str, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Use a channel again."""
    _steer(config, name, "resume", why)


@app.command
def weight(name: str, weight: int | None = None, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Another weight of a channel in all routes; without a number, the configuration's again. Stays so over a restart."""
    _set(config, Tune(name, ("weight",), weight=weight, by=who(), why=why))


@app.command
def rate(name: str, per_second: float | None = None, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Another rate of a channel in submit_sm per second (0: no limit); without a number, that of the configuration again."""
    _set(config, Tune(name, ("rate",), rate=per_second, by=who(), why=why))


def _steer(config: Path, name: str, action: str, why: str) -> None:
    _set(config, Steer(name, action, who(), why))


def _set(config: Path, wish: Steer | Tune) -> None:
    answer = call(read_config(config), wish)
    assert isinstance(answer, Done)
