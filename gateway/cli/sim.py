"""`tensec sim`: the simulators of the load harness, which run as processes of their own."""

import os
import sys
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="sim", help="Simulators.")


@app.command(help_flags=[])
def carrier(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """A simulated carrier (SMSC). `tensec sim carrier --help` shows its options."""
    _bench("carrier", *arguments)


@app.command
def carriers() -> None:
    """The scenarios a simulated carrier knows: `tensec sim carrier --scenario NAME`."""
    _bench("carriers")


def _bench(*command: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", "bench", *command])
