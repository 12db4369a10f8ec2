"""What pages of the journal tell of a message is put back where it was."""

from operator import attrgetter

import msgspec

from gateway.store.pages import PROGRESS, apply_progress, progress_of
from gateway.store.record import Record
from routing.records import Message, MessageState


def test_every_field_that_changes_is_told_in_its_place() -> None:
    numbers = dict.fromkeys(PROGRESS, "") | {name: at for at, name in enumerate(PROGRESS, 1)}
    before = Message(1, "shop", **numbers | {"state": MessageState.DELIVERED, "tried": ("a",)})  # type: ignore[arg-type]
    number, progress, _ = progress_of(Record(before))
    assert (number, progress) == (1, attrgetter(*PROGRESS)(before))
    after = Message(1, "shop")
    apply_progress(after, msgspec.msgpack.decode(msgspec.msgpack.encode(progress)))
    assert after == before
