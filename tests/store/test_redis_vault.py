"""The Redis vault: it reads like the embedded one, repeats are harmless, and what does not fit is refused in clear words."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from story import page_of

from bench.redis_server import RedisServer
from gateway.store.embedded.vault import EmbeddedVault
from gateway.store.redis.address import read_url
from gateway.store.redis.vault import NAMES, SCHEMA, RedisVault
from gateway.store.vault import KEYED, LAST, SEPARATOR, SORTED, Vault, VaultError, Write

Open = Callable[..., RedisVault]
Documents = list[tuple[str, bytes]]


@pytest.fixture
def open_vault(redis_server: RedisServer, redis_prefix: str) -> Iterator[Open]:
    """Opens the test's store; again is another core."""
    opened: list[RedisVault] = []

    def opens(suffix: str = "", owner: str = "me", **fields: bool) -> RedisVault:
        opened.append(RedisVault(read_url(redis_server.url), redis_prefix + suffix, owner, **fields))
        return opened[-1]

    yield opens
    for vault in opened:
        vault.close()


@pytest.fixture
def vault(open_vault: Open) -> RedisVault:
    return open_vault()


def rows(**maps: dict[str, object]) -> list[tuple[str, bytes]]:
    return [(name, msgspec.json.encode(several)) for name, several in maps.items()]


def keys(**maps: list[str]) -> list[tuple[str, bytes]]:
    return [(name, msgspec.json.encode(several)) for name, several in maps.items()]


def test_a_write_is_found_again(vault: RedisVault, open_vault: Open) -> None:
    big = (1 << 62) + 1  # more digits than a double has
    vault.write(Write(1, b"\x00page", puts=rows(message={str(big): {"id": big}}), adds=keys(find=[f"a{SEPARATOR}{big}"])))
    assert vault.get("message", [str(big), "7"]) == {str(big): b'{"id":%d}' % big}
    assert vault.under("find", ["a", "b"]) == [f"a{SEPARATOR}{big}"]
    assert list(open_vault().pages()) == [(1, b"\x00page")]


# -- like the embedded one

texts = st.text("aé1c\x1f 界", min_size=1, max_size=4)
numbers = st.integers(0, 12).map(str)


def documents(
    names: st.SearchStrategy[str], several: Callable[[str], st.SearchStrategy[object]]
) -> st.SearchStrategy[Documents]:
    one = names.flatmap(lambda name: several(name).map(lambda found: (name, msgspec.json.encode(found))))
    return st.lists(one, max_size=3, unique_by=lambda pair: pair[0])


def key_of(name: str) -> st.SearchStrategy[str]:
    return numbers if name == "message" else texts


values = st.integers(-9, (1 << 63) - 1)
writes = st.tuples(
    documents(st.sampled_from(list(KEYED)), lambda name: st.dictionaries(key_of(name), values, max_size=4)),
    documents(st.sampled_from(list(SORTED)), lambda name: st.lists(key_of(name), max_size=4)),
    documents(st.sampled_from([*KEYED, *SORTED]), lambda name: st.lists(key_of(name), max_size=4)),
    st.integers(0, 3),
)


def contents(vault: Vault) -> list[object]:
    whole = [vault.scan(name, "", LAST, 1 << 62) for name in (*KEYED, *SORTED)]
    some = [vault.scan(name, "a", "c", 2) for name in (*KEYED, *SORTED) if name not in ("message", "parked")]
    counts = [vault.count(name, "1", LAST) for name in SORTED]
    got = [vault.get(name, ["1", "a", "aa", "é"]) for name in KEYED if name != "message"]
    under = [sorted(vault.under(name, ["a", "é", "1", "a1", "zz"])) for name in SORTED]
    return [whole, some, counts, got, under, vault.get("message", ["1", "2"])]


def test_it_reads_like_the_embedded_one(tmp_path: Path, open_vault: Open) -> None:
    folders = (tmp_path / str(number) for number in count())

    @given(script=st.lists(writes, min_size=1, max_size=6))
    @settings(max_examples=60)
    def check(script: list[tuple[Documents, Documents, Documents, int]]) -> None:
        folder = next(folders)
        folder.mkdir()
        embedded, vault = EmbeddedVault(folder, synchronous="OFF"), open_vault(f"-{folder.name}")
        with closing(embedded), closing(vault):
            needed = 1
            for number, (puts, adds, removes, kept) in enumerate(script, 1):
                needed = max(needed, number - kept)
                for one in (embedded, vault):
                    one.write(Write(number, page_of(b"p%d" % number), puts, adds, removes, needed))
            assert contents(vault) == contents(embedded)
            pages = [[page for page in one.pages() if page[0] >= needed] for one in (embedded, vault)]
            assert pages[0] == pages[1] == [(one, page_of(b"p%d" % one)) for one in range(needed, len(script) + 1)]

    check()


def test_maps_larger_than_one_command_takes(vault: RedisVault) -> None:
    several = {f"{number:06d}": number for number in range(12_345)}
    vault.write(Write(1, b"x" * 100_000, puts=rows(rollup=several, sum=several), adds=keys(due=list(several))))
    assert [key for key, _ in vault.scan("due", "", LAST, 1 << 62)] == list(several)
    assert vault.scan("rollup", "000100", LAST, 3) == [(f"{at:06d}", str(at).encode()) for at in (101, 102, 103)]
    assert len(vault.scan("sum", "", LAST, 1 << 62)) == len(vault.get("sum", list(several))) == len(several)
    gone = list(several)[5:]
    vault.write(Write(2, b"", removes=keys(rollup=gone, due=gone)))
    assert (vault.count("rollup", "", LAST), vault.count("due", "", LAST), len(vault.get("rollup", gone))) == (5, 5, 0)


def test_all_keys_of_a_call_carry_one_hash_tag_and_functions_use_no_others(
    vault: RedisVault, redis_server: RedisServer, redis_prefix: str
) -> None:
    """Else a cluster refuses the call: it must find all of them in one slot."""
    vault.write(Write(1, b"page", puts=rows(message={"1": {"id": 1}}, guard={"c1": {}}), adds=keys(find=["a"], due=["b"])))
    client: Any = redis.Redis.from_url(redis_server.url)
    every = {key.decode() for key in client.scan_iter(f"*{redis_prefix}*")} | set(vault._key.values())
    client.close()
    assert len(every) > 5
    tags = {match[1] for key in every if (match := re.match(r"[^{]*\{([^}]+)\}", key))}
    assert tags == {f"{redis_prefix}:0"}
    source = (files("gateway.store.redis") / "functions.lua").read_text(encoding="utf-8")
    named = re.findall(r"redis\.p?call\(\s*'[A-Z]+',\s*([^,)]+)", source)
    assert named
    assert all(not one.strip().startswith(("'", '"')) for one in named), "a key that is spelled in a function is in no slot"


def test_only_the_pages_that_are_needed_are_kept(vault: RedisVault) -> None:
    for number, keep_from in enumerate((0, 0, 2, 2, 99), 1):
        vault.write(Write(number, b"%d" % number, keep_from=keep_from))
        assert next(vault.pages())[0] == min(max(keep_from, 1), number)
    assert list(vault.pages()) == [(5, b"5")]


# -- order, and who may write


def test_a_repeat_changes_nothing(vault: RedisVault) -> None:
    first = Write(1, b"one", puts=rows(sum={"purse": 1}))
    vault.write(first)
    vault.write(Write(2, b"two", puts=rows(sum={"purse": 2})))
    vault.write(first)
    assert (vault.get("sum", ["purse"]), len(list(vault.pages()))) == ({"purse": b"2"}, 2)


def test_a_repeat_with_other_content_is_refused(vault: RedisVault) -> None:
    vault.write(Write(1, b"one"))
    with pytest.raises(VaultError, match="write 1 is there with other content"):
        vault.write(Write(1, b"another"))


def test_a_gap_is_refused_for_writes_were_lost(vault: RedisVault) -> None:
    vault.write(Write(1, b"one"))
    with pytest.raises(VaultError, match=r"lost writes: its last is 1, and number 3 comes next.*Bring back"):
        vault.write(Write(3, b"three"))
    assert [number for number, _ in vault.pages()] == [1]


def test_whoever_opens_takes_over(open_vault: Open) -> None:
    old, new = open_vault(), open_vault(owner="other")
    with pytest.raises(VaultError, match="another core has taken the store over"):
        old.write(Write(1, b"old"))
    new.write(Write(1, b"new"))
    assert list(new.pages()) == [(1, b"new")]


def test_an_owner_resumes_only_what_it_left(open_vault: Open) -> None:
    with pytest.raises(VaultError, match="another core"):
        open_vault(resumes=True)  # there is nothing at all
    open_vault(owner="me")
    open_vault(owner="me", resumes=True)
    survivor = open_vault(owner="other")
    with pytest.raises(VaultError, match="another core"):
        open_vault(owner="me", resumes=True)
    survivor.write(Write(1, b"it has taken nothing over"))


def test_a_store_that_was_deleted_is_not_written_to(vault: RedisVault, redis_server: RedisServer, redis_prefix: str) -> None:
    with redis_server.client() as client:
        client.delete(*(f"{{{redis_prefix}:0}}:{name}" for name in NAMES))
    with pytest.raises(VaultError, match="deleted or replaced"):
        vault.write(Write(1, b"page"))


def test_a_missing_page_is_told(vault: RedisVault, redis_server: RedisServer, redis_prefix: str) -> None:
    vault.write(Write(1, b"page"))
    with redis_server.client() as client:
        client.hdel(f"{{{redis_prefix}:0}}:page", "1")
    with pytest.raises(VaultError, match="page 1 of the journal is missing"):
        list(vault.pages())


# -- what is in the server


@pytest.mark.parametrize(("field", "value", "told"), [("schema", "4", "newer Tensec"), ("shards", "64", "made with 64 shards")])
def test_a_store_made_otherwise_is_left_alone(
    vault: RedisVault, open_vault: Open, redis_server: RedisServer, redis_prefix: str, field: str, value: str, told: str
) -> None:
    with redis_server.client() as client:
        client.hset(f"{{{redis_prefix}:0}}:meta", field, value)
    with pytest.raises(VaultError, match=told):
        open_vault(owner="newcomer")
    vault.write(Write(1, b"its owner may still write"))


def test_an_older_store_is_of_this_version_once_it_was_opened(
    vault: RedisVault, open_vault: Open, redis_server: RedisServer, redis_prefix: str
) -> None:
    """Who wrote it could not read what is written now."""
    vault.close()
    with redis_server.client() as client:
        client.hset(f"{{{redis_prefix}:0}}:meta", "schema", "1")
        open_vault(owner="newcomer")
        assert client.hget(f"{{{redis_prefix}:0}}:meta", "schema") == str(SCHEMA).encode()


@pytest.mark.parametrize("name", ["meta", "message", "due", "notice:keys"])
def test_a_key_of_something_else_is_named(open_vault: Open, redis_server: RedisServer, redis_prefix: str, name: str) -> None:
    key = f"{{{redis_prefix}:0}}:{name}"
    with redis_server.client() as client:
        client.set(key, "x")
    with pytest.raises(VaultError) as caught:
        open_vault()
    assert f"key {key} is a string" in str(caught.value)


def test_a_hash_of_something_else_is_no_store(open_vault: Open, redis_server: RedisServer, redis_prefix: str) -> None:
    with redis_server.client() as client:
        client.hset(f"{{{redis_prefix}:0}}:meta", "theirs", "x")
    with pytest.raises(VaultError, match="not made by Tensec"):
        open_vault()


def test_a_key_that_becomes_something_else_is_named_and_the_write_made_as_a_whole_later(
    vault: RedisVault, redis_server: RedisServer, redis_prefix: str
) -> None:
    key = f"{{{redis_prefix}:0}}:due"
    write = Write(1, b"page", puts=rows(sum={"purse": 1}), adds=keys(due=["1"]))
    with redis_server.client() as client:
        client.set(key, "x")
        with pytest.raises(VaultError, match="due is a string and must be a zset"):
            vault.write(write)
        with pytest.raises(VaultError, match=r"ZRANGE .*:due: WRONGTYPE .*something else uses the store's key"):
            vault.scan("due", "", LAST, 1)
        with pytest.raises(VaultError, match="WRONGTYPE"):
            vault.under("due", ["1", "2", "3"])
        assert vault.get("sum", ["purse"]) == {"purse": b"1"}, "not an answer to what was asked before"
        client.delete(key)
    vault.write(write)
    assert (vault.scan("due", "", LAST, 9), vault.get("sum", ["purse"])) == ([("1", b"")], {"purse": b"1"})


def test_functions_that_are_lost_are_loaded_again(vault: RedisVault, redis_server: RedisServer) -> None:
    vault.write(Write(1, b"one"))
    with redis_server.client() as client:
        client.function_flush()
    vault.write(Write(2, b"two"))
    assert [number for number, _ in vault.pages()] == [1, 2]


def test_a_connection_that_was_closed_while_idle_is_not_noticed(vault: RedisVault, redis_server: RedisServer) -> None:
    vault.write(Write(1, b"one"))
    assert vault.get("sum", ["x"]) == {}
    with redis_server.client() as client:
        client.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
    vault.write(Write(2, b"two"))
    assert [number for number, _ in vault.pages()] == [1, 2]


@pytest.mark.parametrize("prefix", ["", "a b", "{a}", "a\n"])
def test_a_prefix_is_a_name(redis_server: RedisServer, prefix: str) -> None:
    with pytest.raises(VaultError, match="prefix"):
        RedisVault(read_url(redis_server.url), prefix, "me")
