"""The vault in one Redis or Valkey server: maps are hashes, sets are sorted sets whose members all have the score 0.

Redis has no map that is ordered by its keys, so those that are read in order have a sorted set of their keys beside them; the
others are read whole and sorted here. All keys carry one hash tag, so the server may be part of a cluster some day.

Who opens a store takes it over: it gets a new epoch, and whoever had it before is refused from then on. A write carries the
epoch and its number, so that it may be repeated, and so that a server which has lost writes (an old replica took over, a backup
was restored) is noticed instead of being written to.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from gateway.store.redis.address import Address
from gateway.store.redis.line import ANSWER_S, CONNECT_S, Line, MissingFunctionError, pack_arguments, pack_big
from gateway.store.vault import KEYED, LAST, SEPARATOR, SORTED, NotWrittenError, Octets, UnreachableError, VaultError, Write

SCHEMA = 3
"""Since 2 messages hold their guards packed, since 3 pages hold what has ended as the history gets it. Older stores are read;
once opened they are of this one.
"""
SHARDS = 1
"""Fixed when a store is made: it is part of every key."""
INDEXED = ("notice", "dead", "rollup")
"""Maps that are read in order."""
NAMES = ("meta", "page", *KEYED, *SORTED, *(f"{name}:keys" for name in INDEXED))
_HASHES = ("meta", "page", *KEYED)
_AT = {name: str(at).encode() for at, name in enumerate(NAMES, 1)}
CHUNK = 1_000
"""Rows or keys that are asked for at once: Redis does nothing else meanwhile."""
PAGES_CHUNK = 50
_ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEYS = msgspec.json.Decoder(list[str])
_LIBRARY = (files(__package__) / "functions.lua").read_text(encoding="utf-8")
_OPEN, _COMMIT, SWEEP = (f"{_LIBRARY.split()[1].removeprefix('name=')}_{name}" for name in ("open", "commit", "sweep"))


def key_of(prefix: str, name: str) -> str:
    """The key of a map, set or list of a store."""
    return f"{{{prefix}:0}}:{name}"


def load_functions(line: Line) -> None:
    """Give the server our functions, whether it has them or not."""
    line.call("FUNCTION", "LOAD", "REPLACE", _LIBRARY)


class OtherOwnerError(VaultError):
    """Somebody else has had the store since the owner left it."""


class RedisVault:
    """See the module. `owner` is any name nobody else has; `resumes`: the store must be as this owner left it.

    Raises VaultError when the store cannot be used.
    """

    def __init__(
        self,
        address: Address,
        prefix: str,
        owner: str,
        *,
        resumes: bool = False,
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        if not prefix or not prefix.isprintable() or set(prefix) & set("{} "):
            raise VaultError(f"the prefix of the store's keys must be a name without spaces and braces, not {prefix!r}")
        self._writer = Line(address, connect_s=connect_s, answer_s=answer_s)
        self._reader = Line(address, connect_s=connect_s, answer_s=answer_s)
        self._key = {name: key_of(prefix, name) for name in NAMES}
        self._where = f"{address}, store {prefix!r}"
        self._unsure = 0
        """Number of a write that may have happened: a refusal of its repeat tells nothing about the first time."""
        try:
            self._check_types(self._writer)
            load_functions(self._writer)
            self._epoch = self._open(owner, resumes)
        except (UnreachableError, NotWrittenError) as error:
            self.close()
            raise VaultError(f"{error}; is it running and ready?") from error
        except VaultError:
            self.close()
            raise
        keys = [self._key[name] for name in NAMES]
        self._commit_head = pack_arguments(["FCALL", _COMMIT, str(len(keys)), *keys, self._epoch])
        self._commit_size = 4 + len(keys)

    # -- opening

    def _check_types(self, line: Line) -> None:
        for name, found in zip(NAMES, line.calls([("TYPE", self._key[name]) for name in NAMES]), strict=True):
            expected = "hash" if name in _HASHES else "zset"
            if found.decode() not in ("none", expected):
                raise VaultError(
                    f"{self._where}: key {self._key[name]} is a {found.decode()} and must be a {expected}: "
                    "something else uses it; choose another prefix, or restore the key from a backup"
                )

    def _open(self, owner: str, resumes: bool) -> str:
        keys = [self._key[name] for name in NAMES]
        asked = (owner, str(int(resumes)), str(SCHEMA), str(SHARDS))
        status, *found = self._writer.call("FCALL", _OPEN, str(len(keys)), *keys, *asked)
        if status == b"OWNER":
            raise OtherOwnerError(f"{self._where}: another core has used the store since")
        if None in found:
            raise VaultError(f"{self._where}: key {self._key['meta']} was not made by Tensec; choose another prefix")
        epoch, _, _, schema, shards = (one.decode() for one in found)
        if int(schema) > SCHEMA:
            raise VaultError(
                f"{self._where}: written by a newer Tensec (schema {schema}, this one knows {SCHEMA}); "
                "upgrade, or choose another prefix"
            )
        if int(shards) != SHARDS:
            raise VaultError(f"{self._where}: made with {shards} shards, not {SHARDS}, which cannot be changed afterwards")
        return str(epoch)

    # -- writing

    def write(self, write: Write) -> None:
        before = self._commit_head + pack_arguments([str(write.number)])
        rows = _groups(write)
        size = b"*%d\r\n" % (self._commit_size + 3 + len(rows))
        packed = pack_big(size + before, write.page, pack_arguments([str(write.keep_from), *rows]))
        try:
            status, there = self._commit(packed)
        except UnreachableError:
            self._unsure = write.number
            raise
        except NotWrittenError as error:
            if self._unsure == write.number:
                raise UnreachableError(f"{error}; whether an earlier try has written it is not known") from error
            raise
        except VaultError as error:
            if "WRONGTYPE" in str(error):
                self._check_types(self._writer)
            raise
        if status != b"OK":
            raise VaultError(f"{self._where}: {_refusal(status.decode(), there.decode(), write.number)}")

    def _commit(self, packed: tuple[Octets, ...]) -> tuple[bytes, bytes]:
        try:
            answer = self._writer.send(packed, _COMMIT)
        except MissingFunctionError:  # restarted without its file, or a replica that never had them took over
            load_functions(self._writer)
            answer = self._writer.send(packed, _COMMIT)
        return answer[0], answer[1]

    # -- reading

    @property
    def where(self) -> str:
        return self._where

    def pages(self) -> Iterator[tuple[int, bytes]]:
        ends = self._ask("HMGET", self._key["meta"], "first", "last")
        first, last = (int(one or 0) for one in ends)
        for start in range(first, last + 1, PAGES_CHUNK):
            numbers = range(start, min(start + PAGES_CHUNK, last + 1))
            bodies = self._ask("HMGET", self._key["page"], *map(str, numbers))
            for number, body in zip(numbers, bodies, strict=True):
                if body is None:
                    raise VaultError(f"{self._where}: page {number} of the journal is missing; restore a backup")
                yield number, body

    def get(self, name: str, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for at in range(0, len(keys), CHUNK):
            chunk = keys[at : at + CHUNK]
            rows = self._ask("HMGET", self._key[name], *chunk)
            found.update((key, row) for key, row in zip(chunk, rows, strict=True) if row is not None)
        return found

    def under(self, name: str, prefixes: Sequence[str]) -> list[str]:
        end = chr(ord(SEPARATOR) + 1)
        asked = [("ZRANGE", self._key[name], f"({one}{SEPARATOR}", f"({one}{end}", "BYLEX") for one in prefixes]
        answers = [keys for at in range(0, len(asked), CHUNK) for keys in self._ask_all(asked[at : at + CHUNK])]
        return [key.decode() for keys in answers for key in keys]

    def scan(self, name: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        if name in KEYED and name not in INDEXED:
            return self._whole(name, after, before)[:limit]
        keys: list[str] = []
        while (wanted := min(limit - len(keys), CHUNK)) > 0:
            start = keys[-1] if keys else after
            bounds = (f"({start}", f"({before}")
            found = self._ask("ZRANGE", self._key[_order(name)], *bounds, "BYLEX", "LIMIT", "0", str(wanted))
            keys += [key.decode() for key in found]
            if len(found) < wanted:
                break
        if name in SORTED:
            return [(key, b"") for key in keys]
        rows = self.get(name, keys)
        return [(key, rows[key]) for key in keys if key in rows]

    def count(self, name: str, after: str = "", before: str = LAST) -> int:
        if name in KEYED and name not in INDEXED:
            return len(self._whole(name, after, before))
        return int(self._ask("ZLEXCOUNT", self._key[_order(name)], f"({after}", f"({before}"))

    def keys(self, name: str) -> Iterator[list[str]]:
        for flat in self._pieces(name):
            yield [key.decode() for key in flat[::2]]

    def _pieces(self, name: str) -> Iterator[list[bytes]]:
        """Keys and rows of a map in turn, without order, some at a time."""
        cursor = b""
        while cursor != b"0":
            cursor, flat = self._ask("HSCAN", self._key[name], cursor or b"0", "COUNT", str(CHUNK))
            yield flat

    def _whole(self, name: str, after: str, before: str) -> list[tuple[str, bytes]]:
        """Rows of a map without order, sorted."""
        rows: dict[str, bytes] = {}
        for flat in self._pieces(name):
            rows.update((key.decode(), row) for key, row in zip(flat[::2], flat[1::2], strict=True))
        if name == "message":  # the only keys that are numbers
            low, high = int(after or -1), int(before) if before.isdigit() else 1 << 62
            return sorted(((key, row) for key, row in rows.items() if low < int(key) < high), key=lambda one: int(one[0]))
        return sorted((key, row) for key, row in rows.items() if after < key < before)

    def _ask(self, *command: str | bytes) -> Any:
        return self._ask_all([command])[0]

    def _ask_all(self, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        try:
            return self._reader.calls(commands)
        except NotWrittenError as error:
            raise UnreachableError(str(error)) from error

    def close(self) -> None:
        self._writer.close()
        self._reader.close()


def _order(name: str) -> str:
    """What a map or set is read in order by."""
    return f"{name}:keys" if name in INDEXED else name


def _groups(write: Write) -> list[bytes | str]:
    """A write's rows as groups of a command, the index of its key, how many arguments, and these."""
    out: list[Any] = []

    def group(command: bytes, name: str, arguments: list[Any]) -> None:
        out.extend((command, _AT[name], str(len(arguments))))
        out.extend(arguments)

    for name, document in write.removes:
        keys = _KEYS.decode(document)
        group(b"HDEL" if name in KEYED else b"ZREM", name, keys)
        if name in INDEXED:
            group(b"ZREM", _order(name), keys)
    for name, document in write.puts:
        rows = _ROWS.decode(document)
        group(b"HSET", name, [part for key, row in rows.items() for part in (key, bytes(row))])
        if name in INDEXED:
            group(b"ZADD", _order(name), [part for key in rows for part in ("0", key)])
    for name, document in write.adds:
        group(b"ZADD", name, [part for key in _KEYS.decode(document) for part in ("0", key)])
    return out


def _refusal(status: str, there: str, number: int) -> str:
    """What a refused write means, and what to do."""
    if status == "EPOCH":
        return "another core has taken the store over, so this one must stop; see that only one is started"
    if status == "GAP":
        return (
            f"has lost writes: its last is {there}, and number {number} comes next here. Did an old replica take over, or was "
            "a backup restored? Bring back the server that has them, or start Tensec again to go on with what is there"
        )
    if status == "GONE":
        return "the store has been deleted or replaced by an older one; restore it, or start Tensec again with what is there"
    return f"write {number} is there with other content: two cores have written. Stop both and restore a backup"
