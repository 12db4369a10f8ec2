"""What a server must be and be set to, so that what it has confirmed is never lost. Looked at when Tensec starts.

A setting that would lose data is refused unless `allow_unsafe` says that this is meant; a replica, a member of a cluster and a
version without functions cannot be used at all.
"""

from gateway.store.redis.line import Line
from gateway.store.vault import NotWrittenError, UnreachableError, VaultError

REDIS_MIN = (7, 0)
VALKEY_MIN = (7, 2)
_WHY = {
    "appendonly": "without a file it forgets everything when it stops",
    "appendfsync": "otherwise it confirms what a power cut takes away",
    "maxmemory-policy": "otherwise it deletes messages when its memory is full",
}
_REQUIRED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def check(line: Line, *, allow_unsafe: bool) -> None:
    """Raises VaultError that names every setting that is wrong, and how to mend it."""
    try:
        info = _info(line)
        _check_server(line, info)
        found = {
            "appendonly": "yes" if info.get("aof_enabled") == "1" else "no",
            "appendfsync": _setting(line, "appendfsync"),
            "maxmemory-policy": info.get("maxmemory_policy"),
        }
    except (UnreachableError, NotWrittenError) as error:
        raise VaultError(f"{error}; is it running and ready, and is store.redis.url right?") from error
    wrong = [_complaint(name, found[name]) for name, value in _REQUIRED.items() if found[name] != value]
    if wrong and not allow_unsafe:
        raise VaultError(
            f"{line.address} is not safe for messages: {'; '.join(wrong)}. "
            "After CONFIG SET, keep it with CONFIG REWRITE; or accept the loss with store.redis.allow_unsafe = true"
        )


def _complaint(name: str, found: str | None) -> str:
    value = _REQUIRED[name]
    if found is None:
        return (
            f"it does not tell {name}, which must be {value} ({_WHY[name]}): "
            f"have its operator confirm that, or allow this user CONFIG GET"
        )
    return f"{name} is {found} and must be {value} ({_WHY[name]}): redis-cli CONFIG SET {name} {value}"


def _check_server(line: Line, info: dict[str, str]) -> None:
    name, least = ("Valkey", VALKEY_MIN) if "valkey_version" in info else ("Redis", REDIS_MIN)
    version = info.get("valkey_version") or info.get("redis_version", "0")
    if tuple(int(one) for one in version.split(".")[:2] if one.isdigit()) < least:
        raise VaultError(f"{line.address} is {name} {version}; Tensec needs Redis {REDIS_MIN[0]} or Valkey 7.2, or newer")
    if info.get("role") != "master":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        raise VaultError(f"{line.address} is a replica, of {primary}: point the URL of the store at the primary")
    if info.get("cluster_enabled") == "1":
        raise VaultError(f"{line.address} is a member of a cluster, which is not supported: use a single server with replicas")


def _info(line: Line) -> dict[str, str]:
    text = b"".join(
        line.calls([("INFO", section) for section in ("server", "replication", "persistence", "memory", "cluster")])
    )
    pairs = (row.partition(":") for row in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _setting(line: Line, name: str) -> str | None:
    """None when the server does not tell: CONFIG may be forbidden or renamed."""
    try:
        found = line.call("CONFIG", "GET", name)
    except VaultError:
        return None
    return found[1].decode() if found else None
