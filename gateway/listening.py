"""Listening sockets: TCP for the core's door and the parent's, Unix for commands and workers of this machine."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.loader import split_address

BACKLOG = 4096
PRIVATE_BACKLOG = 64


class ListenError(Exception):
    """An address cannot be listened on; the text says which setting and why."""


def listen(name: str, address: str) -> socket.socket:
    """A socket of the setting `name`. Raises ListenError."""
    host, port = split_address(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ListenError(f"{name} {address}: {error.strerror or error}") from None
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"{name} {address}: {error.strerror or error}") from None
    return sock


@contextmanager
def private_socket(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket that its owner alone may use, in the place of one that was left behind; gone at the end.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(PRIVATE_BACKLOG)
        try:
            yield sock
        finally:
            path.unlink(missing_ok=True)
