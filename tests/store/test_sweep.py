"""Guards that are over leave the file; the others stay and go on refusing."""

from pathlib import Path

from story import BOOT, START_UTC, Story

from gateway.store.embedded.store import open_store
from gateway.store.embedded.sweep import sweep_guards
from routing.guards import Mark, Unique, Window


def test_only_what_is_over_is_swept(tmp_path: Path) -> None:
    store = open_store(tmp_path, BOOT, START_UTC, fold_after_s=0, guards_max=0)
    story = Story(store)
    over = [Unique("old", START_UTC + 10), Window("old", 1, 60.0)]
    lasting = [Unique("new", START_UTC + 10_000), Window("new", 1, 3_600.0)]
    assert story.admit(story.message(), *over, *lasting) is None
    marks = [Mark("old", 10.0), Mark("new", 10_000.0)]
    for mark in marks:
        message = story.message()
        assert story.admit(message, mark) is None
        story.begun(message)
    store.members("opt-outs", add=["1"])
    story.utc += 61
    story.accepted()
    assert store.vault.count("guard", "", "\x7f") == 8
    assert sweep_guards(tmp_path, story.utc) == 3
    assert [key[0] for key, _ in store.vault.scan("guard", "", "\x7f", 10)] == ["c", "c", "c", "l", "m"]
    assert list(store.marks(["old", "new"], story.utc)) == ["new"]
    assert story.admit(story.message(), lasting[0]) == lasting[0]
    assert story.admit(story.message(), lasting[1]) == lasting[1]
    assert story.admit(story.message(), *(Unique("old", story.utc + 10), Window("old", 1, 60.0))) is None
    store.close()
