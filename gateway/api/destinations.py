"""Where webhooks may be: public https addresses. A name is resolved once, and the connection goes to what was looked at."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from config.schema import Webhooks


class BadDestinationError(Exception):
    """We do not go there; the text says why."""


def check_url(url: str, rules: Webhooks) -> tuple[str, int, bool]:
    """(host, port, TLS) of a webhook. Raises BadDestinationError for what cannot be right whatever its name resolves to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadDestinationError(str(error)) from None
    secure = parts.scheme == "https"
    if not secure and not (parts.scheme == "http" and rules.allow_http):
        raise BadDestinationError("an https:// URL is needed")
    strange = not url.isascii() or not url.isprintable() or any(one in url for one in " \\")
    if not parts.hostname or parts.username is not None or parts.fragment or strange:
        raise BadDestinationError("a URL with a host, without user, fragment and characters beyond ASCII is needed")
    literal = _literal(parts.hostname)
    if literal is not None:
        check_address(literal, rules)
    return parts.hostname, port or (443 if secure else 80), secure


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def check_address(address: IPv4Address | IPv6Address, rules: Webhooks) -> None:
    """Raises BadDestinationError for a network of our own: loopback, private, link-local (cloud metadata), mapped ones too."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            check_address(inner, rules)
    if address.is_multicast or address.is_unspecified or (address.is_reserved and not address.is_loopback):
        raise BadDestinationError(f"{address} is no host")
    # Nothing of an operator's own networks is there, but where clouds keep the credentials of this machine.
    own = address.is_link_local or (isinstance(address, IPv6Address) and address.is_site_local)
    if own or (not address.is_global and not rules.allow_private):
        raise BadDestinationError(f"{address} is not a public address")


async def resolve(host: str, port: int, rules: Webhooks) -> str:
    """The address to connect to. Raises BadDestinationError when any of the host's is not allowed, OSError for no answer."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(place[0]).partition("%")[0] for *_, place in found]
    for one in addresses:
        check_address(ip_address(one), rules)
    return addresses[0]
