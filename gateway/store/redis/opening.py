"""Taking over a store on Redis. In the data directory there are only ended messages, and what could not be written yet."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from gateway.store.redis.address import Address, read_url
from gateway.store.redis.check import check
from gateway.store.redis.line import ANSWER_S, CONNECT_S, Line
from gateway.store.redis.spill import RETRY_S, SIZE_MAX, SpillingVault
from gateway.store.redis.spillfile import SpillFile
from gateway.store.redis.vault import OtherOwnerError, RedisVault
from gateway.store.vault import VaultError

FILE = "redis-spill.log"


def open_redis(
    url: str,
    prefix: str,
    data_dir: Path,
    *,
    allow_unsafe: bool = False,
    connect_s: float = CONNECT_S,
    answer_s: float = ANSWER_S,
    retry_s: float = RETRY_S,
    size_max: int = SIZE_MAX,
    clock: Callable[[], float] = time.monotonic,
) -> SpillingVault:
    """The vault at `url`, with everything that was to be written there. Raises VaultError with what to do."""
    address = read_url(url)
    file = SpillFile(data_dir / FILE, secrets.token_hex(8))
    vault: RedisVault | None = None
    try:
        _check(address, allow_unsafe, connect_s, answer_s)
        vault = RedisVault(address, prefix, file.owner, resumes=bool(file), connect_s=connect_s, answer_s=answer_s)
        return SpillingVault(vault, file, retry_s=retry_s, size_max=size_max, clock=clock)
    except BaseException as error:
        file.close()
        if vault is not None:
            vault.close()
        if isinstance(error, OtherOwnerError):
            raise VaultError(
                f"{error}, so the writes in {file.path}, which never reached it, fit no more. They are lost to it: "
                "keep the file, move it away, and start again"
            ) from None
        raise


def _check(address: Address, allow_unsafe: bool, connect_s: float, answer_s: float) -> None:
    line = Line(address, connect_s=connect_s, answer_s=answer_s)
    try:
        check(line, allow_unsafe=allow_unsafe)
    finally:
        line.close()
