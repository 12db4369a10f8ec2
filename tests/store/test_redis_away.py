"""A server that is killed, stopped, full or short of replicas: what was confirmed is found again, once and in order."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis_server import started
from story import BOOT, START_UTC, Story

from bench.redis_server import RedisServer
from gateway.store.redis.address import read_url
from gateway.store.redis.opening import FILE, open_redis
from gateway.store.redis.spill import SpillingVault
from gateway.store.redis.store import open_store
from gateway.store.redis.vault import RedisVault
from gateway.store.vault import NotWrittenError, UnreachableError, VaultError, Write
from routing.records import MessageState

ANSWER_S = 0.5
"""For a server that is stopped on purpose."""
Open = Callable[..., SpillingVault]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One that may be ended."""
    with started() as one:
        yield one


@pytest.fixture
def open_vault(server: RedisServer, tmp_path: Path) -> Iterator[Open]:
    opened: list[SpillingVault] = []

    def opens(folder: Path = tmp_path, **options: float) -> SpillingVault:
        opened.append(open_redis(server.url, "t", folder, retry_s=0.0, **options))
        return opened[-1]

    yield opens
    for vault in opened:
        vault.close()


def write(vault: SpillingVault | RedisVault, *numbers: int) -> None:
    for number in numbers:
        vault.write(Write(number, b"page %d" % number, adds=[("due", b'["%03d"]' % number)]))


def there(vault: SpillingVault) -> list[int]:
    """What the vault has, as pages and as rows."""
    pages = [number for number, _ in vault.pages()]
    assert [int(key) for key, _ in vault.scan("due", "", "9", 1_000)] == pages
    return pages


def test_a_server_that_dies_forgets_nothing(server: RedisServer, open_vault: Open) -> None:
    vault = open_vault()
    write(vault, 1, 2)
    server.kill()
    server.start()
    write(vault, 3)
    assert (there(vault), vault.away) == ([1, 2, 3], "")


def test_writes_wait_while_it_is_dead(server: RedisServer, open_vault: Open, tmp_path: Path) -> None:
    vault = open_vault()
    write(vault, 1)
    server.kill()
    write(vault, 2, 3)
    assert f"127.0.0.1:{server.port}" in vault.away
    with pytest.raises(UnreachableError):
        vault.get("sum", ["x"])
    assert not vault.try_replay()
    server.start()
    assert vault.try_replay()
    assert (there(vault), vault.away, (tmp_path / FILE).exists()) == ([1, 2, 3], "", False)
    server.kill()
    with pytest.raises(UnreachableError):
        vault.get("sum", ["x"])


def test_what_it_did_without_answering_is_not_done_twice(server: RedisServer, open_vault: Open) -> None:
    vault = open_vault(answer_s=ANSWER_S)
    write(vault, 1)
    server.signal(signal.SIGSTOP)
    write(vault, 2, 3)
    assert "Timeout" in vault.away
    server.signal(signal.SIGCONT)
    with server.client() as client:
        client.ping()
        assert client.hlen("{t:0}:page") == 2, "it has done what it was asked to before it stopped"
    write(vault, 4)
    while not vault.try_replay():  # a slow machine may take longer than it is given here
        pass
    assert there(vault) == [1, 2, 3, 4]


def test_a_refused_repeat_tells_nothing_about_the_first_time(server: RedisServer) -> None:
    vault = RedisVault(read_url(server.url), "t", "me", answer_s=ANSWER_S)
    write(vault, 1)
    server.signal(signal.SIGSTOP)
    with pytest.raises(UnreachableError):
        write(vault, 2)
    server.signal(signal.SIGCONT)
    with server.client() as client:
        client.ping()
        assert client.hlen("{t:0}:page") == 2
        client.config_set("maxmemory", "1")
        with pytest.raises(UnreachableError, match=r"raise maxmemory.*not known"):
            write(vault, 2)
        client.config_set("maxmemory", "0")
        write(vault, 2)
        client.config_set("maxmemory", "1")
        with pytest.raises(NotWrittenError):
            write(vault, 3)
    vault.close()


def test_a_refused_repeat_on_a_new_connection_tells_nothing_either(server: RedisServer) -> None:
    vault = RedisVault(read_url(server.url), "t", "me")
    write(vault, 1)
    with server.client() as client:
        client.config_set("maxmemory", "1")
        client.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(UnreachableError, match="raise maxmemory"):
            write(vault, 2)
        client.config_set("maxmemory", "0")
    write(vault, 2)
    vault.close()


@pytest.mark.parametrize(
    ("setting", "bad", "good", "told"),
    [("maxmemory", "1", "0", "raise maxmemory"), ("min-replicas-to-write", "1", "0", "bring them back")],
)
def test_writes_wait_while_it_refuses_them(
    server: RedisServer, open_vault: Open, setting: str, bad: str, good: str, told: str
) -> None:
    vault = open_vault()
    write(vault, 1)
    with server.client() as client:
        client.config_set(setting, bad)
        write(vault, 2, 3)
        assert told in vault.away
        assert client.hlen("{t:0}:page") == 1, "nothing of it was done"
        client.config_set(setting, good)
    assert vault.try_replay()
    assert there(vault) == [1, 2, 3]


def test_a_primary_that_became_a_replica_gets_no_writes(server: RedisServer, open_vault: Open) -> None:
    vault = open_vault()
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)
        write(vault, 1)
        assert "point the store's URL at the primary" in vault.away
        client.replicaof("NO", "ONE")
    assert vault.try_replay()
    assert there(vault) == [1]


def test_a_restart_makes_what_waits_first(server: RedisServer, open_vault: Open, tmp_path: Path) -> None:
    vault = open_vault()
    write(vault, 1)
    server.kill()
    write(vault, 2, 3)
    vault.close()
    with pytest.raises(VaultError, match="is it running"):
        open_vault()
    assert (tmp_path / FILE).exists()
    server.start()
    assert there(open_vault()) == [1, 2, 3]
    assert not (tmp_path / FILE).exists()


def test_a_crash_in_the_middle_of_a_replay_repeats_it(server: RedisServer, open_vault: Open, tmp_path: Path) -> None:
    vault = open_vault()
    server.kill()
    write(vault, 1, 2)
    waiting = (tmp_path / FILE).read_bytes()
    server.start()
    write(vault, 3)
    vault.close()
    (tmp_path / FILE).write_bytes(waiting)
    vault = open_vault()
    write(vault, 4)
    assert there(vault) == [1, 2, 3, 4]


def test_what_waits_is_not_mixed_into_what_another_core_wrote(server: RedisServer, open_vault: Open, tmp_path: Path) -> None:
    vault = open_vault()
    server.kill()
    write(vault, 1)
    vault.close()
    server.start()
    (tmp_path / "elsewhere").mkdir()
    other = open_vault(tmp_path / "elsewhere")
    write(other, 1)
    with pytest.raises(VaultError, match=r"another core has used the store since.*move it away"):
        open_vault()
    assert (tmp_path / FILE).exists()
    write(other, 2)
    assert there(other) == [1, 2]


def test_a_store_lives_through_it(server: RedisServer, tmp_path: Path) -> None:
    store = open_store(server.url, "t", tmp_path, BOOT, START_UTC, settings={"retry_s": 0.0})
    story = Story(store)
    waits, leaves = story.accepted(), story.accepted()
    key = story.begun(leaves)
    server.kill()
    story.settle(story.answer(key, "x"))
    store.close()
    server.start()
    store = open_store(server.url, "t", tmp_path, BOOT, START_UTC, settings={"retry_s": 0.0})
    story.store = store
    assert [message.id for message in store.recovered.queued] == [waits.id]
    story.settle(story.receipt("x"))
    assert (story.state(waits), story.state(leaves)) == (MessageState.QUEUED, MessageState.DELIVERED)
    store.close()
