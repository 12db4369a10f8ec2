"""The file in which writes wait: what a crash left is cut off, damage is told, and nothing is skipped."""

from pathlib import Path
from zlib import crc32

import pytest

from gateway.store.redis.spillfile import HEAD_SIZE, SpillFile
from gateway.store.vault import VaultError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spill.log"


def filled(path: Path) -> list[int]:
    """A file of three entries; where each ends."""
    file = SpillFile(path, "me")
    ends = []
    for body in (b"one", b"two", b"three" * 100):
        file.append(body)
        ends.append(path.stat().st_size)
    file.close()
    return ends


def bodies(path: Path) -> list[bytes]:
    file = SpillFile(path, "other")
    found = [body for _, body in file.entries()]
    file.close()
    return found


def test_entries_are_found_again(path: Path) -> None:
    filled(path)
    assert bodies(path) == [b"one", b"two", b"three" * 100]
    file = SpillFile(path, "other")
    assert file.owner == "me"
    file.close()


def test_an_entry_that_a_crash_left_unfinished_is_cut_off(path: Path) -> None:
    ends = filled(path)
    whole = path.read_bytes()
    for end in range(ends[1] + 1, ends[2]):
        for tail in (whole[:end], whole[:end] + bytes(ends[2] - end)):
            if tail == whole:
                continue
            path.write_bytes(tail)
            assert bodies(path) == [b"one", b"two"]
            assert path.stat().st_size == ends[1]


def test_a_file_that_was_only_begun_held_nothing(path: Path) -> None:
    filled(path)
    whole = path.read_bytes()
    for end in range(len(whole[: HEAD_SIZE + 10])):
        path.write_bytes(whole[:end])
        assert not SpillFile(path, "other")
        assert not path.exists()


def test_damage_is_told_and_nothing_skipped(path: Path) -> None:
    ends = filled(path)
    whole = path.read_bytes()
    start = whole.index(b"one") - HEAD_SIZE
    for at in range(start, ends[1]):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(VaultError, match=r"damaged at octet .*restore the file, or move it away"):
            SpillFile(path, "other")
        assert path.stat().st_size == len(whole)


@pytest.mark.parametrize("content", [b"hello, this is something else", b"x" * 5_000])
def test_a_file_of_something_else_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(VaultError, match="move it away"):
        SpillFile(path, "me")
    assert path.read_bytes() == content


def test_a_newer_file_is_left_alone(path: Path) -> None:
    body = b"\x82\xa7version\x09\xa5owner\xa2me"
    head = len(body).to_bytes(4, "big") + crc32(body).to_bytes(4, "big")
    path.write_bytes(head + crc32(head).to_bytes(4, "big") + body)
    with pytest.raises(VaultError, match="newer Tensec"):
        SpillFile(path, "me")
