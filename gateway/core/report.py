"""What a carrier's session tells the pipeline: outcomes, and which receipts to acknowledge once these are stored."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.store.base import Outcome
from protocol.session import Owed


class Acknowledger(Protocol):
    """Answers requests of a carrier, or forgets them when the session is gone."""

    def acknowledge(self, requests: Sequence[Owed], status: int) -> None:
        """Answer each with `status`, in one write."""


class Report(msgspec.Struct):
    """`outcomes` in order; `requests` are receipts and subscribers' messages that wait for their response."""

    outcomes: list[Outcome]
    source: Acknowledger | None = None
    requests: Sequence[Owed] = ()
