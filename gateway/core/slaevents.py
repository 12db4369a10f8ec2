"""Breaches of the ten seconds and their ends as events: stored for the webhooks of an account whose own messages are late, and
told to whoever watches.
"""

from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.core.report import Report
from gateway.store.base import Announce, Outcome
from routing.ids import IdMaker
from routing.records import Notice, SlaTurn
from routing.slawatch import WINDOW, Turn


class SlaEvents:
    """See the module. `wants` says whether an event goes to a webhook of an account; `tell` takes it for streams."""

    def __init__(
        self,
        clock: Clock,
        ids: IdMaker,
        wants: Callable[[str, str], bool],
        report: Callable[[Report], None],
        tell: Callable[[Notice], None],
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._wants = wants
        self._report = report
        self._tell = tell

    def take(self, turns: Sequence[Turn]) -> None:
        """What has turned. That of a whole class or channel is nobody's but the operator's: streams of everybody tell it."""
        now, utc = self._clock.now(), self._clock.utc()
        stored: list[Outcome] = []
        for what, key, share, since in turns:
            turn = SlaTurn(key.class_, key.channel, WINDOW, share.due, share.within, share.arrival, utc - (now - since))
            notice = Notice(
                self._ids.make(key.class_), key.account, created_utc=utc, door="http", event=f"sla.{what}", sla=turn
            )
            self._tell(notice)
            if key.account and self._wants(key.account, notice.event):
                stored.append(Announce(notice))
        if stored:
            self._report(Report(stored))
