"""What may have changed for a message while it waited, asked again in the step that begins it."""

from gateway.store.guards import GuardBook
from gateway.store.packedguards import guards_of
from gateway.store.record import Record
from routing.policy.caps import refusal_of

WINDOW_CLOSED = "its send window has closed"
"""No reason to end it: whoever plans it sees that it must wait for the next one."""


def recheck(record: Record, guards: GuardBook, utc: float, *, asks: bool) -> str:
    """Why it may not leave now; empty when it may. Recipients opt out, and send windows close.

    `asks`: lists may have changed since it was admitted.
    """
    if asks and record.guards and (guard := guards.still(guards_of(record))) is not None:
        return str(refusal_of(guard))
    end = record.message.window_end_utc
    return WINDOW_CLOSED if end and utc >= end else ""
