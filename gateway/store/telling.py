"""What senders are to be told, and what subscribers told us: rules that are about neither messages nor attempts."""

from gateway.store import states
from gateway.store.base import Announce, Due, Final, Membership, MobileOriginated, NoticeDone, NoticeKept, Reach, Settled
from gateway.store.holdings import Holdings
from gateway.store.shelf import given_up_utc
from routing.records import Notice


class Telling(Holdings):
    """Notices are held until they are taken or their time is over; memberships change with the reply that asked for it, or with
    the end that proves it.
    """

    def _announced(self, outcome: MobileOriginated | Announce, done: Settled, utc: float) -> None:
        outcome.notice.created_utc = utc
        self._add_notice(outcome.notice, done)

    def _membership(self, outcome: Membership, _done: Settled, _utc: float) -> None:
        keys = [outcome.key]
        self.members(outcome.set_name, keys if outcome.member else (), () if outcome.member else keys)

    def _reach(self, outcome: Reach, done: Settled, utc: float) -> None:
        guards, name, key = self.guards, outcome.set_name, outcome.key
        listed = guards.is_member(name, key)
        if outcome.failed:
            changes = not listed and guards.fail(key, outcome.failures, utc)
        else:
            guards.forgive(key, outcome.failures)
            changes = listed
        if changes:
            self._membership(membership := Membership(name, key, outcome.failed), done, utc)
            done.memberships.append(membership)

    def _tell(self, final: Final, done: Settled, utc: float) -> None:
        """Its sender, if that was asked for."""
        message, correction = final.message, final.correction
        if not states.wants_notice(message):
            return
        if message.door:
            self._add_notice(states.event_of(message, final.since_due, utc, correction=correction), done)
        else:
            self._add_notice(states.notice_of(message, utc, correction), done)

    def _add_notice(self, notice: Notice, done: Settled) -> None:
        self.hold(notice)
        self.changes.notices[notice.id] = notice
        if notice.door != "parts":
            done.notices.append(notice)

    def _notice_done(self, outcome: NoticeDone, _done: Settled, _utc: float) -> None:
        self.unhold(outcome.notice_id)
        self.changes.notices.pop(outcome.notice_id, None)
        self.changes.told[outcome.notice_id] = outcome.box

    def _notice_kept(self, outcome: NoticeKept, _done: Settled, utc: float) -> None:
        notice = outcome.notice
        if notice.id in self.changes.told or given_up_utc(notice) <= utc:
            return
        self.unhold(notice.id)
        self.hold(notice)
        self.changes.notices[notice.id] = notice

    def _give_up(self, notice_id: int, due: Due) -> None:
        notice = self.shelf.take(notice_id)
        if notice is not None:
            self.dead_letters += 1
            self.changes.notices.pop(notice_id, None)
            self.changes.told[notice_id] = notice.box
            self.changes.dead[notice_id] = notice
            due.dead.append(notice)
