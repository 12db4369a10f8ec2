"""Writes that wait: nothing confirmed is lost, and the order is kept."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.store.redis.spill import SpillingVault
from gateway.store.redis.spillfile import SpillFile
from gateway.store.vault import NotWrittenError, UnreachableError, VaultError, Write

GONE, REFUSED = UnreachableError("gone"), NotWrittenError("refused")


class Recorder:
    """A vault that keeps the numbers it was given, and fails as it is told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.error: Exception | None = None
        self.fails_from = 0
        self.tries = 0

    def write(self, write: Write) -> None:
        self.tries += 1
        if self.error is not None and write.number >= self.fails_from:
            raise self.error
        self.numbers.append(write.number)

    def pages(self) -> Iterator[tuple[int, bytes]]:
        return iter(())

    def get(self, name: str, keys: Sequence[str]) -> dict[str, bytes]:
        return {}

    def under(self, name: str, prefixes: Sequence[str]) -> list[str]:
        return []

    def scan(self, name: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        return []

    def count(self, name: str, after: str, before: str) -> int:
        return 0

    def close(self) -> None:
        pass


class Scene:
    """A spilling vault over a recorder, and the time."""

    def __init__(self, path: Path, **options: int) -> None:
        self.path = path
        self.now = 0.0
        self.inner = Recorder()
        self.options = options
        self.start()

    def start(self) -> None:
        """As after a restart."""
        file = SpillFile(self.path, "me")
        try:
            self.vault = SpillingVault(self.inner, file, retry_s=1.0, clock=lambda: self.now, **self.options)
        except VaultError:
            file.close()
            raise

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.vault.write(Write(number, b"page %d" % number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spill.log"


@pytest.fixture
def scene(path: Path) -> Iterator[Scene]:
    scene = Scene(path)
    yield scene
    scene.vault.close()


@pytest.mark.parametrize("error", [GONE, REFUSED], ids=["unknown", "refused"])
def test_what_cannot_be_written_waits_in_order(scene: Scene, path: Path, error: Exception) -> None:
    scene.write(1)
    assert not path.exists()
    scene.inner.error = error
    scene.write(2, 3)
    assert (scene.vault.away, path.stat().st_mode & 0o777) == (str(error), 0o600)
    scene.inner.error = None
    scene.write(4)  # too early to try again, so it waits behind the others
    assert scene.inner.numbers == [1]
    scene.now = 1.0
    scene.write(5)
    assert (scene.inner.numbers, scene.vault.away, path.exists()) == ([1, 2, 3, 4, 5], "", False)


def test_a_server_that_is_away_is_not_asked_for_every_write(scene: Scene) -> None:
    scene.inner.error = GONE
    scene.write(*range(1, 100))
    assert scene.inner.tries == 1
    scene.now = 1.0
    scene.write(*range(100, 200))
    assert scene.inner.tries == 2


def test_a_replay_goes_on_where_it_stopped(scene: Scene) -> None:
    scene.inner.error = GONE
    scene.write(1, 2, 3, 4)
    scene.inner.fails_from = 3
    assert not scene.vault.try_replay()
    assert (scene.inner.numbers, scene.vault.away) == ([1, 2], "gone")
    scene.inner.error = None
    assert scene.vault.try_replay()
    assert (scene.inner.numbers, scene.vault.away) == ([1, 2, 3, 4], "")


def test_a_server_may_go_away_again(scene: Scene) -> None:
    scene.inner.error = GONE
    scene.write(1, 2, 3)
    scene.inner.error = None
    assert scene.vault.try_replay()
    scene.inner.error = GONE
    scene.write(4, 5)
    scene.inner.error = None
    assert scene.vault.try_replay()
    assert scene.inner.numbers == [1, 2, 3, 4, 5]


def test_nothing_is_read_while_something_waits(scene: Scene) -> None:
    vault = scene.vault
    assert vault.get("sum", ["x"]) == {}
    scene.inner.error = GONE
    scene.write(1)
    for read in (
        lambda: vault.get("sum", []),
        lambda: vault.scan("due", "", "", 1),
        lambda: vault.count("due"),
        lambda: vault.under("find", []),
        lambda: list(vault.pages()),
    ):
        with pytest.raises(UnreachableError, match="behind"):
            read()
    scene.inner.error = None
    assert vault.try_replay()
    assert vault.get("sum", ["x"]) == {}


def test_a_start_makes_what_waits_before_anything_else(scene: Scene, path: Path) -> None:
    scene.inner.error = GONE
    scene.write(1, 2)
    scene.vault.close()
    with pytest.raises(VaultError, match=r"gone; .* holds writes that must be made"):
        scene.start()
    scene.inner.error = None
    scene.start()
    assert (scene.inner.numbers, path.exists()) == ([1, 2], False)


def test_an_error_that_needs_somebody_is_not_hidden(scene: Scene, path: Path) -> None:
    scene.inner.error = VaultError("taken over")
    with pytest.raises(VaultError, match="taken over"):
        scene.write(1)
    assert not path.exists()


@pytest.mark.parametrize(
    ("error", "first", "then"), [(GONE, UnreachableError, NotWrittenError), (REFUSED, NotWrittenError, NotWrittenError)]
)
def test_what_waits_is_bounded(path: Path, error: Exception, first: type[Exception], then: type[Exception]) -> None:
    scene = Scene(path, size_max=0)
    scene.inner.error = error
    with pytest.raises(first, match="full"):
        scene.write(1)
    assert scene.vault.away
    scene.vault.close()
    scene = Scene(path, size_max=200)
    scene.inner.error = error
    scene.write(1)
    with pytest.raises(then, match="full"):
        scene.write(*range(2, 100))
    assert 100 < path.stat().st_size <= 300
    scene.inner.error = None
    assert scene.vault.try_replay()
    assert scene.inner.numbers == list(range(1, len(scene.inner.numbers) + 1))
    scene.vault.close()


@pytest.mark.parametrize(("error", "raised"), [(GONE, UnreachableError), (REFUSED, NotWrittenError)])
def test_a_disk_that_fails_loses_and_confirms_nothing(
    scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
) -> None:
    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    scene.inner.error = error
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(raised, match="No space"):
            scene.write(1)
    assert not path.exists()
    scene.write(1, 2)
    size = path.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(NotWrittenError, match="No space"):
            scene.write(3)
    assert path.stat().st_size == size
    scene.write(3)
    scene.inner.error = None
    assert scene.vault.try_replay()
    assert scene.inner.numbers == [1, 2, 3]


def test_appended_octets_are_synced_and_so_is_a_new_name(scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(number: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{number}")).name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    scene.inner.error = GONE
    scene.write(1)
    assert synced == [path.name, path.parent.name]
    scene.write(2)
    assert synced[2:] == [path.name]
