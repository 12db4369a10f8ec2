"""`tensec channel`: carrier channels of a running gateway."""

import msgspec
from cyclopts import App

from gateway import link
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, ask, read_config

app = App(name="channel", help="Carrier channels.")
COLUMNS = ("channel", "state", "binds", "window", "queued", "rate", "submitted", "refused", "delivered", "≤10 s", "last error")


@app.command
def ls(*, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Each channel's state, binds, window, rate and last error."""
    answer = ask(read_config(config), link.AskChannels())
    assert isinstance(answer, link.Channels)
    if json:
        print(msgspec.json.encode(answer.channels).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in (
        "channel",
        "state",
        "binds",
        "window",
        "queued",
        "rate",
        "submitted",
        "refused",
        "delivered",
        "≤10 s",
        "last error",
    ):
        table.add_column(title, no_wrap=title != "last error")
    for one in answer.channels:
        up = sum(bind.state == "bound" for bind in one.binds)
        share = f"{one.within_10s / one.final:.1%}" if one.final else "-"
        rate = f"{one.rate_max:g}/s" if one.rate_max else "no limit"
        numbers = (str(one.submitted), str(one.refused), str(one.delivered), share)
        window = f"{one.window_used}/{one.window_size}"
        table.add_row(
            one.name, one.state, f"{up}/{len(one.binds)}", window, str(one.queued), rate, *numbers, one.last_error or "-"
        )
    Console().print(table)
