"""Notices that wait for their senders, in memory: by account, oldest first."""

from collections import OrderedDict
from itertools import islice

from routing.records import Notice

NOTICE_S = 72 * 3600.0
"""How long a sender has to take a notice before it is a dead letter."""


class Shelf:
    """See the module."""

    def __init__(self) -> None:
        self.by_account: dict[str, OrderedDict[int, Notice]] = {}
        self._owner: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._owner)

    def __contains__(self, notice_id: int) -> bool:
        return notice_id in self._owner

    def get(self, notice_id: int) -> Notice | None:
        """One by its id."""
        owner = self._owner.get(notice_id)
        return None if owner is None else self.by_account[owner][notice_id]

    def add(self, notice: Notice) -> None:
        """Keep it until its sender has it, or its time is over."""
        notices = self.by_account.get(notice.account)
        if notices is None:
            notices = self.by_account[notice.account] = OrderedDict()
        notices[notice.id] = notice
        self._owner[notice.id] = notice.account

    def take(self, notice_id: int) -> Notice | None:
        """Keep it no longer."""
        owner = self._owner.pop(notice_id, None)
        return None if owner is None else self.by_account[owner].pop(notice_id)

    def first(self, account: str, limit: int) -> list[Notice]:
        """The oldest of an account."""
        return list(islice(self.by_account.get(account, {}).values(), limit))
