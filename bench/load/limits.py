"""What the system allows: open files, and ports on one local address."""

import ipaddress
import resource
import socket
from pathlib import Path

SPARE_FILES = 128
"""For everything that is no connection."""
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USED_OF_PORTS = 0.6
"""Ports of connections that were just closed cannot be had at once."""


class LimitError(Exception):
    """The system does not allow so many connections; the text says what to change."""


def raise_file_limit(connections: int) -> None:
    """Allow this process, and the children it starts, that many connections. Raises LimitError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LimitError(
            f"{connections} connections in one process need {wanted} open files, the system allows {hard}: "
            f"raise it (ulimit -n {wanted}), or use more --processes"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses a name stands for. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_local(addresses: list[str]) -> bool:
    """Whether all of them are loopback."""
    return all(ipaddress.ip_address(one).is_loopback for one in addresses)


def sources_for(address: str, connections: int) -> tuple[str, ...]:
    """Local addresses to connect from, so that ports suffice; empty where the system may choose.

    Linux answers for all of 127.0.0.0/8. Elsewhere, and towards other machines, there is only what there is.
    """
    if not _PORTS.exists() or not address.startswith("127."):
        return ()
    low, high = map(int, _PORTS.read_text().split())
    each = int((high - low) * _USED_OF_PORTS)
    needed = -(-connections // each)
    return () if needed <= 1 else tuple(f"127.0.1.{number}" for number in range(1, needed + 1))
