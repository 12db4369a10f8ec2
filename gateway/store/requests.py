"""What was answered to a request, kept for its repeats (idempotency keys) and for later questions (batches).

A record is remembered in the same step that admits the request's messages, so that after a crash either both are there or
neither is: a repeat of the request is then answered as the first time, or done for the first time. What an answer says is the
business of whoever asks; here it is octets.
"""

from gateway.store.base import RequestRecord

ALONE_MAX = 100_000
"""Records a store holds that has nowhere else to keep them."""


class Requests:
    """Those in memory: the newest, and those just fetched. `alone`: nothing else holds what is not here."""

    def __init__(self, *, alone: bool) -> None:
        self.held: dict[str, RequestRecord] = {}
        self._alone = alone

    def add(self, record: RequestRecord) -> None:
        """One more; a store that is alone lets the oldest go."""
        self.held[record.key] = record
        while self._alone and len(self.held) > ALONE_MAX:
            del self.held[next(iter(self.held))]

    def valid(self, key: str, utc: float) -> RequestRecord | None:
        """The record, if its time is not over."""
        record = self.held.get(key)
        return record if record is not None and record.until_utc > utc else None


def read_key(key: str) -> str:
    """How a record is called among everything that may leave memory during a fetch (`reads.py`)."""
    return f"request\x1f{key}"
