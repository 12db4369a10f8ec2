"""`tensec sim`: the simulators of the load harness, which run as processes of their own."""

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.bench import become

app = App(name="sim", help="Simulators.")


@app.command(help_flags=[])
def carrier(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """A simulated carrier (SMSC). `tensec sim carrier --help` shows its options."""
    become("carrier", *arguments)


@app.command
def carriers() -> None:
    """The scenarios a simulated carrier knows: `tensec sim carrier --scenario NAME`."""
    become("carriers")
