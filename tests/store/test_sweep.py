"""Guards that are over leave the store; the others stay and go on refusing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from story import BOOT, START_UTC, Story, page_of

from bench.redis_server import RedisServer
from gateway.store.blocking import BlockingStore
from gateway.store.embedded import store as embedded
from gateway.store.embedded import sweep as embedded_sweep
from gateway.store.embedded.vault import FILE, EmbeddedVault
from gateway.store.redis import store as redis
from gateway.store.redis import sweep as redis_sweep
from gateway.store.redis.address import read_url
from gateway.store.redis.line import Line
from gateway.store.redis.vault import key_of
from gateway.store.rollups import MINUTE_S, minutes_over, spell
from gateway.store.vault import Write
from routing.guards import Mark, Unique, Window

MANY = 1_500
"""More than are looked at in one go."""


@pytest.fixture(params=["embedded", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BlockingStore, Callable[[float], int]]]:
    """A store that holds nothing in memory, and what sweeps it."""
    if request.param == "embedded":
        store = embedded.open_store(tmp_path, BOOT, START_UTC, fold_after_s=0, guards_max=0)
        yield store, lambda utc: embedded_sweep.sweep_guards(tmp_path, utc)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        prefix: str = request.getfixturevalue("redis_prefix")
        store = redis.open_store(server.url, prefix, tmp_path, BOOT, START_UTC, fold_after_s=0, guards_max=0)
        yield store, lambda utc: redis_sweep.sweep_guards(server.url, prefix, utc)
    store.close()


def test_only_what_is_over_is_swept(opened: tuple[BlockingStore, Callable[[float], int]]) -> None:
    store, sweep = opened
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
    assert sweep(story.utc) == 3
    assert [key[0] for key, _ in store.vault.scan("guard", "", "\x7f", 10)] == ["c", "c", "c", "l", "m"]
    assert list(store.marks(["old", "new"], story.utc)) == ["new"]
    assert story.admit(story.message(), lasting[0]) == lasting[0]
    assert story.admit(story.message(), lasting[1]) == lasting[1]
    assert story.admit(story.message(), *(Unique("old", story.utc + 10), Window("old", 1, 60.0))) is None


def test_all_of_many_are_looked_at(opened: tuple[BlockingStore, Callable[[float], int]]) -> None:
    store, sweep = opened
    story = Story(store)
    for number in range(MANY):
        assert story.admit(story.message(), Unique(f"{number}", START_UTC + 10 + number % 2 * 10_000)) is None
    story.utc += 61
    story.accepted()
    assert sweep(story.utc) == MANY // 2
    assert store.vault.count("guard", "", "\x7f") == MANY // 2
    assert sweep(story.utc) == 0


@pytest.mark.parametrize("row", ["[1.0]", '{"a":[]}', "5", "null", '{"a":5}', "{"])
def test_rows_of_another_version_stay_in_redis(redis_server: RedisServer, redis_prefix: str, tmp_path: Path, row: str) -> None:
    store = redis.open_store(redis_server.url, redis_prefix, tmp_path, BOOT, START_UTC, fold_after_s=0)
    line = Line(read_url(redis_server.url))
    line.call("HSET", key_of(redis_prefix, "guard"), "cother", row, "cours", '{"a":[5.0]}')
    assert redis_sweep.sweep_guards(redis_server.url, redis_prefix, START_UTC) == 1
    assert line.call("HKEYS", key_of(redis_prefix, "guard")) == [b"cother"]
    line.close()
    store.close()


def test_a_server_that_has_lost_our_functions_is_swept(redis_server: RedisServer, redis_prefix: str, tmp_path: Path) -> None:
    store = redis.open_store(redis_server.url, redis_prefix, tmp_path, BOOT, START_UTC)
    line = Line(read_url(redis_server.url))
    line.call("FUNCTION", "FLUSH")
    assert redis_sweep.sweep_guards(redis_server.url, redis_prefix, START_UTC) == 0
    line.close()
    store.close()


def test_minutes_of_the_last_two_days_and_all_days_stay(opened: tuple[BlockingStore, Callable[[float], int]]) -> None:
    store, sweep = opened
    story = Story(store)
    story.sent(story.accepted(), "x")
    story.settle(story.receipt("x"))
    story.accepted()
    before = store.vault.count("rollup")
    sweep(story.utc + 86_400)
    assert store.vault.count("rollup") == before
    sweep(story.utc + 3 * 86_400)
    assert [key[0] for key, _ in store.vault.scan("rollup", "", "\x7f", 10)] == ["d"]


def test_a_minute_is_over_after_two_days() -> None:
    start, end = minutes_over(START_UTC)
    minute = int(START_UTC // MINUTE_S)
    old, kept = (spell(("m", minute - ago, "c", "", "", "", "")) for ago in (2_881, 2_880))
    assert start < old < end < kept


def test_what_was_deleted_is_not_left_in_the_file(tmp_path: Path) -> None:
    vault = EmbeddedVault(tmp_path)
    said = b"what somebody said to somebody else"
    numbers = [str(one) for one in range(1, 40)]
    rows = msgspec.json.encode({number: {"text": said.decode() * 1_000} for number in numbers})
    vault.write(Write(1, page_of(b"all"), puts=[("message", rows)]))
    vault.write(Write(2, page_of(b"none"), removes=[("message", msgspec.json.encode(numbers))], keep_from=2))
    vault.close()  # and the log of the file is empty
    file = tmp_path / FILE
    assert said in file.read_bytes(), "deleting leaves it there"
    rests: list[float] = []
    free = embedded_sweep.overwrite_deleted(tmp_path, rests.append)
    assert free > 100
    assert said not in file.read_bytes()
    assert len(rests) > 2 * free / embedded_sweep.PAGES, "the core gets its turn after each step"
    size = file.stat().st_size
    for _ in range(5):
        assert embedded_sweep.overwrite_deleted(tmp_path, rests.append) <= free
    assert file.stat().st_size == size, "the same pages are used again"
    left = EmbeddedVault(tmp_path)
    assert left.count("message") == 0
    left.close()
