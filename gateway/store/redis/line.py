"""One connection to Redis, made when it is first needed and again after it was lost. Blocking, for one thread.

Raises only what a vault raises: UnreachableError when nobody knows what happened, NotWrittenError when the server says that it
did nothing for now, VaultError when somebody has to mend something. The client library repeats nothing by itself; here a
command is repeated once if a connection that had been used before turns out to be closed (a server restarts, or closes what is
idle): all commands of the store may be repeated.

Commands are packed here: packing by the library costs as much again as sending (20 us for a small call instead of 40).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.exceptions import RedisError, ResponseError

from gateway.store.redis.address import Address
from gateway.store.vault import NotWrittenError, Octets, UnreachableError, VaultError

CONNECT_S = 5.0
ANSWER_S = 5.0
_BIG = 1 << 15
"""Octets from which an argument is sent on its own instead of being copied."""
_FOR_NOW = (
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "BUSY",
)
"""Errors by which a server refuses a command before it does anything, and may not refuse it later."""
_HINTS = {
    "OOM": "its memory is full: raise maxmemory, or give it a machine with more",
    "MISCONF": "it cannot save to its disk: look at its log and its free space",
    "NOREPLICAS": "too few replicas are connected: bring them back, or lower min-replicas-to-write",
    "READONLY": "it is a replica now: point the store's URL at the primary",
    "NOPERM": "its user may not do this: it needs FCALL, FUNCTION LOAD, TYPE, INFO and the data commands on the store's keys",
    "WRONGTYPE": "something else uses the store's key: choose another prefix, or restore the key from a backup",
}


class MissingFunctionError(VaultError):
    """The server does not have our functions (any more)."""


class Line:
    """See the module."""

    def __init__(self, address: Address, *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S) -> None:
        self.address = address
        self._connection = address.connection(connect_s, answer_s)
        self._used = False

    def call(self, *command: str | bytes) -> Any:
        """The answer to one command."""
        return self.send((pack(command),), _name(command))

    def calls(self, commands: Sequence[Sequence[str | bytes]]) -> list[Any]:
        """The answers to several commands that are sent together."""
        return self._round((b"".join(map(pack, commands)),), _name(commands[0]), len(commands))

    def send(self, packed: Iterable[Octets], name: str) -> Any:
        """The answer to one command that is packed already; `name` is for errors."""
        return self._round(packed, name, 1)[0]

    def _round(self, packed: Iterable[Octets], name: str, count: int) -> list[Any]:
        pieces = list(packed)
        used, self._used = self._used, False
        try:
            answers = self._try(pieces, count)
        except redis.ConnectionError as error:
            if not used or _code(error) in _FOR_NOW:
                raise self._told(error, name) from error
            try:
                answers = self._try(pieces, count)
            except (RedisError, OSError) as again:
                self.close()
                told = self._told(again, name)
                if isinstance(told, NotWrittenError):  # this time; the first time is not known
                    told = UnreachableError(str(told))
                raise told from again
        except (RedisError, OSError) as error:
            if count > 1:
                self.close()  # the other answers are on their way still
            raise self._told(error, name) from error
        self._used = True
        return answers

    def _try(self, pieces: list[Octets], count: int) -> list[Any]:
        self._connection.send_packed_command(pieces)  # type: ignore[no-untyped-call]
        return [self._connection.read_response() for _ in range(count)]

    def _told(self, error: Exception, name: str) -> Exception:
        """What an error means."""
        code, text = _code(error), str(error)
        if not isinstance(error, ResponseError) and code not in _FOR_NOW:
            return UnreachableError(f"{self.address}: {text}")
        if "Function not found" in text:
            return MissingFunctionError(f"{self.address}: {text}")
        hint = next((hint for one, hint in _HINTS.items() if code == one or f"{one} " in text), "")
        told = f"{self.address}: {name}: {text}" + (f"; {hint}" if hint else "")
        if code in _FOR_NOW:
            return NotWrittenError(told)
        return VaultError(told)

    def close(self) -> None:
        """Let go of the connection; a later call makes a new one."""
        self._used = False
        self._connection.disconnect()  # type: ignore[no-untyped-call]


def _code(error: Exception) -> str:
    """The word that an error of the server begins with."""
    first = str(error).split(" ", 1)[0]
    return getattr(error, "status_code", None) or (first if first.isupper() else "")


def _name(command: Sequence[str | bytes]) -> str:
    """A command for people: what it is called, and its first key."""
    return " ".join(one.decode(errors="replace") if isinstance(one, bytes) else one for one in command[:2])


def pack(command: Sequence[str | bytes]) -> bytes:
    """A command as it goes over the line."""
    return b"*%d\r\n%b" % (len(command), pack_arguments(command))


def pack_arguments(arguments: Iterable[str | bytes]) -> bytes:
    """Some of a command's arguments."""
    octets = (one.encode() if isinstance(one, str) else one for one in arguments)
    return b"".join([b"$%d\r\n%b\r\n" % (len(one), one) for one in octets])


def pack_big(before: bytes, big: Octets, after: bytes) -> tuple[Octets, ...]:
    """Packed arguments with one between them that may be large."""
    head = b"%b$%d\r\n" % (before, len(big))
    return (head, big, b"\r\n" + after) if len(big) >= _BIG else (b"".join((head, big, b"\r\n", after)),)
