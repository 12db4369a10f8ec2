"""`tensec config`: check a file before it counts."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from config.doubts import doubts
from config.ported import read_ported
from gateway.cli.common import read_config

app = App(name="config", help="Configuration files.")


@app.command
def check(file: Annotated[Path, Parameter(help="The configuration file.")]) -> None:
    """Name every error in FILE at once: place, value and what is wrong. Exit 2 when there are any. Notes are no errors."""
    config = read_config(file)
    for doubt in doubts(config, set(read_ported(config.ported_file).values())):
        print(f"{file}: note: {doubt}")
    print(f"{file}: ok: {len(config.accounts)} accounts, {len(config.channels)} channels, {len(config.routes)} routes")
