"""How far ahead a message may be sent, and may wait."""

from gateway.api.problems import invalid

SCHEDULE_MAX_S = 366 * 86_400.0


def check_times(utc: float, due: float, expires: float) -> None:
    """Raises ProblemError. 0 where nothing was asked.

    Whether a validity is over already the core says: a repeat of a request is answered as the first time, however late.
    """
    if due > utc + SCHEDULE_MAX_S:
        invalid("/send_at", "too_late", "more than a year ahead")
    if expires > max(utc, due) + SCHEDULE_MAX_S:
        invalid("/expire_at", "too_late", "more than a year after it may be sent")
