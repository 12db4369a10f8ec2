"""A listening TCP socket, for the core's door and the parent's."""

import socket

from config.loader import split_address

BACKLOG = 4096


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
