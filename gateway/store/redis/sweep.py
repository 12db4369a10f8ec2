"""Guards whose time is over, and counts of old minutes, leave the server: beside the running core, on a connection of its own.

The server looks and takes out in one step (`functions.lua`), some hundred rows at a time, for it does nothing else meanwhile.
"""

from gateway.store.redis.address import read_url
from gateway.store.redis.line import Line
from gateway.store.redis.vault import SWEEP, key_of, load_functions
from gateway.store.rollups import minutes_over

LOOK_AT = 200
MINUTES = 1_000


def sweep_guards(url: str, prefix: str, utc: float) -> int:
    """Delete what is over at `utc`; gives how many guards there were. Raises what `Line` does."""
    line = Line(read_url(url))
    try:
        load_functions(line)  # after a restart without its file it has none before the next write
        swept, part = 0, b"0"
        while True:
            part, count = line.call("FCALL", SWEEP, "1", key_of(prefix, "guard"), part, str(LOOK_AT), f"{utc:.3f}")
            swept += int(count)
            if part == b"0":
                break
        _sweep_minutes(line, prefix, utc)
        return swept
    finally:
        line.close()


def _sweep_minutes(line: Line, prefix: str, utc: float) -> None:
    """Nobody writes a minute that is over, so its row and its place in the order need not go in one step."""
    rows, order = key_of(prefix, "rollup"), key_of(prefix, "rollup:keys")
    start, end = minutes_over(utc)
    while keys := line.call("ZRANGE", order, f"({start}", f"({end}", "BYLEX", "LIMIT", "0", str(MINUTES)):
        line.calls([("HDEL", rows, *keys), ("ZREM", order, *keys)])
