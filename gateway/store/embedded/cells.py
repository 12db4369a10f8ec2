"""The third version keeps guards by cell (`guards.py`): those of the versions before are put together.

What pages of the journal say of guards is newer than the rows, so it is put over them and taken out of the pages. Messages that
wait at that moment do not give back what they took: they name it the old way.
"""

import sqlite3
from collections.abc import Iterator
from zlib import crc32

import msgspec

from gateway.store.guardcells import Entries, Times
from gateway.store.guards import FOREVER, ONE, cell_key

SEPARATOR = "\x1f"
NUMBER_AT = 3
"""Keys about a recipient: a rule, two names, the number, what else there is."""
_ENTRIES = msgspec.json.Decoder(Times)
_JSON = msgspec.json.Encoder()


def keep_by_cell(connection: sqlite3.Connection) -> None:
    """Bring a file up, within a transaction."""
    before: dict[str, Times] = {
        key: _ENTRIES.decode(value) for key, value in connection.execute("SELECT key, value FROM guard")
    }
    for number, body in connection.execute("SELECT number, body FROM page ORDER BY number").fetchall():
        if crc32(body[4:]).to_bytes(4, "big") != body[:4]:
            continue  # recovery refuses it, with its number
        page = msgspec.msgpack.decode(body[4:])
        if guards := page.pop("guards", None):
            before.update(guards)
            rest = msgspec.msgpack.encode(page)
            connection.execute("UPDATE page SET body = ? WHERE number = ?", (crc32(rest).to_bytes(4, "big") + rest, number))
    cells: dict[str, Entries] = {}
    for key, times in before.items():
        for cell, name, entry in _brought_up(key, times):
            cells.setdefault(cell, {})[name] = entry
    connection.execute("DELETE FROM guard")
    rows = [(key, _JSON.encode(entries).decode()) for key, entries in cells.items()]
    connection.executemany("INSERT INTO guard(key, value) VALUES (?, ?)", rows)


def _brought_up(key: str, times: Times) -> Iterator[tuple[str, str, Times]]:
    """Where what stood under a key is kept now: cell, entry, times."""
    if not times:
        return
    kind, rest = key[0], key[1:]
    if kind == "l":
        yield key, ONE, times
    elif kind == "m":
        name, _, member = rest.rpartition(SEPARATOR)
        yield key, ONE, (FOREVER,)
        yield cell_key(member), f"m{name}", (FOREVER,)
    elif kind == "u":
        parts = rest.split(SEPARATOR)
        if parts[0] == "dedupe" and len(parts) > NUMBER_AT:
            yield cell_key(parts.pop(NUMBER_AT)), SEPARATOR.join(parts), times
        else:
            yield cell_key(f"u{SEPARATOR}{rest}"), rest, times
    else:
        period, _, rest = rest.partition(SEPARATOR)
        parts, entry = rest.split(SEPARATOR), (-float(period), *times)
        if parts[0] == "cap" and len(parts) > NUMBER_AT:
            yield cell_key(parts.pop(NUMBER_AT)), SEPARATOR.join(parts), entry
        elif parts[0] == "velocity":
            yield cell_key(rest), "velocity", entry
        else:
            yield cell_key(f"{period}{SEPARATOR}{rest}"), rest, entry
