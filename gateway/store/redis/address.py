"""Where a Redis server is: its URL read, and never shown with its password.

redis://[user:password@]host[:port][/database]     rediss://... the same over TLS     unix://[user:password@]/path[?db=number]
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import redis
from redis.connection import AbstractConnection, parse_url

from gateway.store.vault import VaultError

OPTIONS = ("db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""What may stand behind a question mark."""
_CLASSES: dict[str, Callable[..., AbstractConnection]] = {
    "redis": redis.Connection,
    "rediss": redis.SSLConnection,
    "unix": redis.UnixDomainSocketConnection,
}


class Address(msgspec.Struct, frozen=True):
    """See the module; `str` of it is for people."""

    scheme: str
    place: str
    settings: dict[str, Any]

    def __str__(self) -> str:
        return f"Redis at {self.place}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def connection(self, connect_s: float, answer_s: float) -> AbstractConnection:
        """A connection that is not made yet."""
        alive: dict[str, Any] = {} if self.scheme == "unix" else {"socket_keepalive": True}
        return _CLASSES[self.scheme](
            **self.settings,
            **alive,
            protocol=2,
            driver_info=None,
            socket_connect_timeout=connect_s,
            socket_timeout=answer_s,
        )


def read_url(url: str) -> Address:
    """Raises VaultError, whose text shows nothing of the URL but names."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise VaultError("the URL of Redis cannot be read; are special characters of its password written as %XX?") from None
    if parts.scheme not in _CLASSES:
        raise VaultError("the URL of Redis must begin with redis://, rediss:// (TLS) or unix://")
    unknown = sorted(name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if name not in OPTIONS)
    if unknown or parts.fragment:
        raise VaultError(
            f"the URL of Redis has something that is not known ({', '.join(unknown) or '#'}); "
            f"behind ? it may have {', '.join(OPTIONS)}; special characters of a password are written as %XX"
        )
    if parts.scheme == "unix":
        if not parts.path or parts.hostname:
            raise VaultError("the URL of Redis must have the whole path of a socket: unix:///path")
        place = parts.path
    else:
        if not parts.hostname or not (parts.path in ("", "/") or parts.path[1:].isdigit()):
            raise VaultError("the URL of Redis must be redis://host:port/number; special characters of a password as %XX")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        place = f"{host}:{port or 6379}"
    try:
        settings: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise VaultError(f"the URL of Redis cannot be used: {error}") from None
    settings.pop("connection_class", None)
    return Address(parts.scheme, place + (f"/{settings['db']}" if settings.get("db") else ""), settings)
