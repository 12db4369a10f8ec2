"""A vault in front of another one: while that one is away, writes wait in a file of this machine, in order.

A write that has been appended and synced is as good as written: it will be made as soon as the other answers again, and a
repeat of one that it had after all changes nothing. Until everything has been made, nothing can be read, since rows would be
old; `away` says why, so that nobody begins anything new meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from gateway.store.redis.spillfile import SpillFile
from gateway.store.vault import LAST, NotWrittenError, UnreachableError, Vault, VaultError, Write

RETRY_S = 0.5
SIZE_MAX = 256 << 20
_ENCODER = msgspec.msgpack.Encoder()


class _Waiting(Write):
    """As it is read back."""

    page: bytes


_DECODER = msgspec.msgpack.Decoder(_Waiting)


class SpillingVault:
    """See the module. What an earlier run left in `file` is made first; raises VaultError when that cannot be done.

    `write`, `try_replay` and `close` are for one thread, reads for another.
    """

    def __init__(
        self,
        inner: Vault,
        file: SpillFile,
        *,
        retry_s: float = RETRY_S,
        size_max: int = SIZE_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inner = inner
        self.away = ""
        """Why the other vault is not used now; empty when it is."""
        self._file = file
        self._retry_s = retry_s
        self._size_max = size_max
        self._clock = clock
        self._next_try = 0.0
        self._replayed = 0
        """Where in the file the writes begin that are still to be made."""
        if not self.try_replay():
            raise VaultError(f"{self.away}; {file.path} holds writes that must be made there before anything else")

    @property
    def where(self) -> str:
        return self.inner.where

    def write(self, write: Write) -> None:
        if self._file and self._clock() >= self._next_try:
            self.try_replay()
        why: UnreachableError | NotWrittenError | None = None
        if not self._file:
            try:
                self.inner.write(write)
            except (UnreachableError, NotWrittenError) as error:
                self.away = str(error)
                self._next_try = self._clock() + self._retry_s
                why = error
            else:
                self.away = ""
                return
        self._append(write, why)

    def _append(self, write: Write, why: UnreachableError | NotWrittenError | None) -> None:
        entry = _ENCODER.encode(write)
        try:
            if self._file.size + len(entry) > self._size_max:
                raise NotWrittenError(f"{self._file.path} is full ({self._size_max} octets)")  # noqa: TRY301
            self._file.append(entry)
        except NotWrittenError as error:
            told = f"{why or self.away}; {error}"
            if isinstance(why, UnreachableError):
                raise UnreachableError(told) from error
            raise NotWrittenError(told) from error

    def try_replay(self) -> bool:
        """Make what waits, oldest first; whether all of it has been made. To be called now and then while `away`."""
        try:
            for end, entry in self._file.entries(self._replayed):
                self.inner.write(self._decoded(entry))
                self._replayed = end
        except (UnreachableError, NotWrittenError) as error:
            self.away = str(error)
            self._next_try = self._clock() + self._retry_s
            return False
        self._file.clear()
        self._replayed = 0
        self.away = ""
        return True

    def _decoded(self, entry: bytes) -> Write:
        try:
            return _DECODER.decode(entry)
        except msgspec.MsgspecError as error:
            raise VaultError(f"{self._file.path}: {error}; was it written by a newer Tensec? Start that one") from None

    # -- reading

    def pages(self) -> Iterator[tuple[int, bytes]]:
        return self._whole().pages()

    def get(self, name: str, keys: Sequence[str]) -> dict[str, bytes]:
        return self._whole().get(name, keys)

    def under(self, name: str, prefixes: Sequence[str]) -> list[str]:
        return self._whole().under(name, prefixes)

    def scan(self, name: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        return self._whole().scan(name, after, before, limit)

    def count(self, name: str, after: str = "", before: str = LAST) -> int:
        return self._whole().count(name, after, before)

    def keys(self, name: str) -> Iterator[list[str]]:
        yield from self._whole().keys(name)

    def _whole(self) -> Vault:
        """The other vault, when it has everything."""
        if self._file:
            raise UnreachableError(f"{self.away}; it is behind what waits in {self._file.path}")
        return self.inner

    def close(self) -> None:
        self._file.close()
        self.inner.close()
