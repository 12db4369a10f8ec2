"""Cells look the same whether they are packed or too large for it."""

from pathlib import Path

import pytest
from story import BOOT, START_UTC, Story

from gateway.store.embedded.store import open_store
from gateway.store.guardcells import LARGE, GuardCells
from routing.guards import Cell, Unique, Window


@pytest.mark.parametrize("count", [0, 1, LARGE - 1, LARGE, 10 * LARGE])
def test_what_is_put_in_comes_out(count: int) -> None:
    cells = GuardCells()
    entries = {"w": (-60.0, *[float(at) for at in range(count)]), "u\x1fkey": (1e18,)}
    cells["c1"] = entries
    cells["c2"] = {}
    assert cells["c1"] == cells.get("c1") == entries
    assert dict(cells) == {"c1": entries, "c2": {}}
    assert [cells.is_empty(key) for key in ("c1", "c2", "c3")] == [False, True, True]
    assert ("c2" in cells, "c3" in cells, len(cells)) == (True, False, 2)
    cells.drop("c1")
    cells.drop("c1")
    assert cells.get("c1") is None


def test_a_packed_cell_is_changed_only_by_what_is_put_back() -> None:
    cells = GuardCells()
    cells["c1"] = {"w": (-60.0, 1.0)}
    cells["c1"]["w"] = (-60.0, 2.0)
    assert cells["c1"] == {"w": (-60.0, 1.0)}


def test_a_large_cell_outlives_its_pages_and_a_start(tmp_path: Path) -> None:
    limit = 3 * LARGE
    cell = Cell("to", (Window("w", limit, 1e6), Unique("u", START_UTC + 1)))
    store = open_store(tmp_path, BOOT, START_UTC, fold_after_s=1)
    story = Story(store)
    for _ in range(limit - 1):
        assert story.admit(story.message(), cell) is None
        story.wait(1)
    store.close()
    story.store = store = open_store(tmp_path, BOOT, story.utc)
    assert story.admit(story.message(), cell) is None, "one more"
    assert story.admit(story.message(), cell) == cell.guards[0]
    store.close()
