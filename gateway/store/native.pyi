"""What `native.pyx` offers."""

from gateway.store.record import Record

def prefetch(records: list[Record], begin: int, end: int) -> None: ...
