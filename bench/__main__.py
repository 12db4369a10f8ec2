"""`python -m bench COMMAND`: the commands are imported only when they are called."""

from cyclopts import App

app = App(name="python -m bench", help="Simulators and load for Tensec. Talks to the gateway over sockets only.")
app.command("bench.carrier.cli:app", name="carrier")
app.command("bench.carrier.cli:carriers", name="carriers")
app.command("bench.demo:demo", name="demo")
app.command("bench.load.cli:smpp", name="smpp")
app.command("bench.load.cli:http", name="http")
app.command("bench.report.compare:compare_command", name="compare")
app.command("bench.scenarios.play:scenario", name="scenario")
app.command("bench.scenarios.play:scenarios", name="scenarios")
app.command("bench.suite.cli:suite", name="suite")


def main() -> None:
    """Run the command named on the command line."""
    app()


if __name__ == "__main__":
    main()
