"""Small documents that are kept whole in memory: API keys, webhooks, channels an operator holds back.

They are few and asked for all the time, so they are read once at the start. Each has a kind and a name; what it says is JSON,
and the business of whoever asks.
"""

from collections.abc import Iterator

SEPARATOR = "\x1f"
GONE = b""


def document_key(kind: str, name: str) -> str:
    """What a document goes by."""
    return f"{kind}{SEPARATOR}{name}"


class Documents:
    """See the module."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def put(self, key: str, value: bytes) -> None:
        """Keep it; an empty `value` takes it away."""
        if value:
            self._held[key] = value
        else:
            self._held.pop(key, None)

    def get(self, key: str) -> bytes:
        """By kind and name in one; empty when it is not there."""
        return self._held.get(key, GONE)

    def items(self) -> dict[str, bytes]:
        """All of them."""
        return dict(self._held)

    def of(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Names and values of a kind."""
        start = kind + SEPARATOR
        for key, value in self._held.items():
            if key.startswith(start):
                yield key[len(start) :], value
