"""Commands on stdin, one JSON line each, for whoever started the carrier; what a time line can do, at any moment.

    {"set": {"resp_latency": "3s"}}      {"do": "drop"}      {"set": {"loss": 0.1}, "do": "wake"}

Each is answered on stdout: by the line of the change (`timeline`), or by {"error": "..."} when nothing was changed. The end of
stdin changes nothing.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from bench.carrier.actions import Change
from bench.carrier.smsc import Smsc
from bench.carrier.switches import read_change
from bench.carrier.timeline import TimeLine


def read_command(line: str | bytes) -> Change:
    """The change one line asks for. Raises ValueError with all that is wrong."""
    table = json.loads(line)
    if not isinstance(table, dict):
        raise ValueError('a command is {"set": {...}}, {"do": "..."} or both')  # noqa: TRY004 - one kind of error for all lines
    errors = [f"{key}: unknown, a command has set and do" for key in table if key not in ("set", "do")]
    switches = table.get("set", {})
    if not isinstance(switches, dict):
        errors.append("set: a table of switches")
        switches = {}
    change = read_change(table, switches, "", errors)
    if errors:
        raise ValueError("; ".join(errors))
    return change


class Control(asyncio.Protocol):
    """Reads the commands of one pipe."""

    def __init__(self, smsc: Smsc, timeline: TimeLine, say: Callable[[dict[str, Any]], None]) -> None:
        self._smsc = smsc
        self._timeline = timeline
        self._say = say
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(line)
        self._smsc.flush()

    def _obey(self, line: bytes) -> None:
        try:
            change = read_command(line)
        except ValueError as error:
            self._say({"error": str(error)})
        else:
            self._timeline.apply(change, self._smsc.time())
