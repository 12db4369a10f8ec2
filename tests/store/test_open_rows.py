"""What only memory goes on with is found again after a crash, also when it was folded long ago."""

from pathlib import Path

import pytest
from story import BOOT, START_UTC, Story, ids

from gateway.store.embedded.store import open_store
from routing.records import MessageState, PartOf


@pytest.mark.parametrize("fold_after_s", [0, 20], ids=["folded", "in the journal"])
def test_parts_that_wait_for_their_group_are_collected_again(tmp_path: Path, fold_after_s: float) -> None:
    store = open_store(tmp_path, BOOT, START_UTC, fold_after_s=fold_after_s)
    story = Story(store)
    part = story.accepted(
        state=MessageState.SCHEDULED, not_before_utc=story.utc + 60, part_of=PartOf("group", 2, 1), destination="8613800138001"
    )
    story.accepted()
    store.close()
    again = open_store(tmp_path, BOOT, story.utc + 1, fold_after_s=fold_after_s)
    assert ids(again.recovered.parts) == [part.id]
    again.close()


@pytest.mark.parametrize("fold_after_s", [0, 20], ids=["folded", "in the journal"])
def test_a_code_of_which_only_some_parts_have_left_goes_anew(tmp_path: Path, fold_after_s: float) -> None:
    store = open_store(tmp_path, BOOT, START_UTC, fold_after_s=fold_after_s)
    story = Story(store)
    message = story.accepted(class_="verification")
    story.sent(message, "x", parts=2)
    story.accepted()
    store.close()
    again = open_store(tmp_path, BOOT, story.utc + 1, fold_after_s=fold_after_s)
    assert ids(again.recovered.settled.requeue) == [message.id]
    again.close()
