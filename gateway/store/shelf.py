"""Notices that wait for their senders, in memory: by box (an account and a door), oldest first."""

from collections import OrderedDict
from itertools import islice

from routing.records import Notice

NOTICE_S = 72 * 3600.0
"""How long a sender has to take a notice before it is a dead letter."""
WEBHOOK_S = 80 * 3600.0
"""Longer than all the tries a webhook is given."""


def given_up_utc(notice: Notice) -> float:
    """When nobody tries any more to hand it over."""
    return notice.created_utc + (WEBHOOK_S if notice.door else NOTICE_S)


class Shelf:
    """See the module."""

    def __init__(self) -> None:
        self.by_box: dict[str, OrderedDict[int, Notice]] = {}
        self._owner: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._owner)

    def __contains__(self, notice_id: int) -> bool:
        return notice_id in self._owner

    def get(self, notice_id: int) -> Notice | None:
        """One by its id."""
        owner = self._owner.get(notice_id)
        return None if owner is None else self.by_box[owner][notice_id]

    def add(self, notice: Notice) -> None:
        """Keep it until its sender has it, or its time is over."""
        box = notice.box if notice.door else notice.account  # its box is asked for of those that have more than one
        notices = self.by_box.get(box)
        if notices is None:
            notices = self.by_box[box] = OrderedDict()
        notices[notice.id] = notice
        self._owner[notice.id] = box

    def take(self, notice_id: int) -> Notice | None:
        """Keep it no longer."""
        owner = self._owner.pop(notice_id, None)
        return None if owner is None else self.by_box[owner].pop(notice_id)

    def first(self, box: str, limit: int) -> list[Notice]:
        """The oldest of a box."""
        return list(islice(self.by_box.get(box, {}).values(), limit))
