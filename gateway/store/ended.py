"""A message that has ended for good, as the journal's pages and the history have it."""

import msgspec


class Ended(msgspec.Struct, gc=False, array_like=True):
    """`record`: all of it as JSON, made once while it was at hand."""

    id: int
    final_utc: float
    record: bytes
