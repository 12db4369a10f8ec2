"""The `tensec` command. Exit codes: 0 ok, 1 failed, 2 usage or configuration."""

import sys
from importlib.metadata import version

from cyclopts import App

from gateway.cli import (
    account,
    bench,
    channel,
    config,
    doctor,
    explain,
    key,
    message,
    number,
    optout,
    send,
    serve,
    sim,
    status,
    store,
    webhook,
)

app = App(
    name="tensec",
    version=version("tensec"),
    help="SMPP gateway: several carriers, automatic failover, nothing lost, ten seconds proved.",
)
app.command(serve.serve)
app.command(config.app)
app.command(account.app)
app.command(key.app)
app.command(send.send)
app.command(message.app)
app.command(optout.app)
app.command(explain.explain)
app.command(webhook.app)
app.command(channel.app)
app.command(number.app)
app.command(doctor.app)
app.command(status.ledger)
app.command(store.backup)
app.command(store.restore)
app.command(store.dead_letters)
app.command(status.sla)
app.command(status.reload)
app.command(sim.app)
app.command(bench.bench, help_flags=[])


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
