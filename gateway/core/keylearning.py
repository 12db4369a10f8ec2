"""Which guards the vault holds, learnt a little at a time after a start; until then it is asked for whatever memory lacks."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from gateway.store.keyfilter import KeyFilter
from gateway.store.vault import UnreachableError, Vault

REST_S = 0.01
"""Between pieces of a thousand keys: the reader is there for others, too."""
AGAIN_S = 1.0

Call: TypeAlias = Callable[[str, Callable[[], list[str] | None]], Awaitable[list[str] | None]]


async def learn_keys(vault: Vault | None, stored: KeyFilter, call: Call) -> None:
    """Add all that is there; what comes meanwhile is in memory, and added when it leaves."""
    assert vault is not None
    while not (stored.is_whole or stored.is_full):
        try:
            pieces = vault.keys("guard")
            while (keys := await call("reader", lambda: next(pieces, None))) is not None:  # noqa: B023 - called before it changes
                stored.add(keys)
                await trio.sleep(REST_S)
            stored.learnt()
        except UnreachableError:
            await trio.sleep(AGAIN_S)
