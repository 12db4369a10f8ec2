"""Who changed what, when and why: lines of JSON in `audit.jsonl` of the data directory. They are added to, never changed."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway import log
from gateway.clock import Clock

FILE = "audit.jsonl"
_JSON = msgspec.json.Encoder()


class Audit:
    """See the module. Changes are few; a line is written at once, by one write."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._path = data_dir / FILE
        self._clock = clock
        self._log = log.logger()

    def note(self, what: str, **why: object) -> None:
        """One line. When it cannot be written the log has it, and the change goes on."""
        at = datetime.fromtimestamp(self._clock.utc(), UTC)
        try:
            with self._path.open("ab", buffering=0) as file:
                file.write(_JSON.encode({"at": at, "what": what, **why}) + b"\n")
        except OSError as error:
            self._log.error("audit line not written", reason=str(error), what=what, **why)
