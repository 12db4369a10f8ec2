"""What the vault holds of guards is learnt after a start, however often it is away meanwhile."""

from collections.abc import Callable, Iterator

import pytest

from gateway.core.keylearning import learn_keys
from gateway.store.keyfilter import KeyFilter
from gateway.store.vault import UnreachableError

pytestmark = pytest.mark.trio


class FakeVault:
    """Is away at first, then after one piece; the third time gives three."""

    def __init__(self) -> None:
        self.tries = 0

    def keys(self, name: str) -> Iterator[list[str]]:
        assert name == "guard"
        self.tries += 1
        if self.tries == 1:
            raise UnreachableError("away")
        return self._pieces()

    def _pieces(self) -> Iterator[list[str]]:
        yield ["a", "b"]
        if self.tries < 3:
            raise UnreachableError("away again")
        yield ["c"]
        yield ["d"]


async def test_all_keys_are_learnt_and_until_then_everything_may_be_there(autojump_clock: object) -> None:
    vault, stored = FakeVault(), KeyFilter()
    asked = []

    async def call(name: str, job: Callable[[], list[str] | None]) -> list[str] | None:
        asked.append(name)
        assert stored.may_hold("whatever")
        return job()

    await learn_keys(vault, stored, call)  # type: ignore[arg-type]
    assert vault.tries == 3
    assert set(asked) == {"reader"}
    assert stored.is_whole
    assert all(map(stored.may_hold, "abcd"))
    assert not stored.may_hold("whatever")
