"""The `tensec` command: one module per group of subcommands. Before any is imported, compiled modules are looked at."""

import sys

from gateway import compiled

try:
    compiled.look()
except compiled.StaleError as error:
    sys.exit(f"tensec: {error}")
