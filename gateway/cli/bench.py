"""`tensec bench`: the load harness, which runs as processes of its own."""

import os
import sys
from typing import Annotated, NoReturn

from cyclopts import Parameter


def bench(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Load tests and scenarios: smpp, http, scenario, scenarios, compare. `tensec bench smpp --help` shows the options."""
    become(*(arguments or ("--help",)))


def become(*command: str) -> NoReturn:
    """A command of the harness instead of this process: what it measures shares nothing with it."""
    os.execv(sys.executable, [sys.executable, "-m", "bench", *command])
