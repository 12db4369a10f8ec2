"""Who may bind. Password checks never stall the loop, and a wrong name costs a guesser as much as a wrong password.

Argon2 runs in threads with a limit; a success is remembered for a minute by a keyed hash, and equal checks that run at the
same time are one check: ten thousand clients that rebind at once cost one.
"""

import os
from collections import deque
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config.schema import Account
from protocol.commands import Command

CACHE_S = 60.0
FAILURES_PERIOD_S = 60.0
THREADS = 2
REMEMBERED_MAX = 1_000
WAITING_MAX = 200
"""Password checks in line; more are refused at once."""
_KINDS = {
    Command.BIND_TRANSMITTER: "transmitter",
    Command.BIND_RECEIVER: "receiver",
    Command.BIND_TRANSCEIVER: "transceiver",
}


class Denied(Exception):  # noqa: N818 - a verdict, not an error of ours
    """`reason` is for our log only: the peer must not learn which part was wrong."""

    def __init__(self, reason: str, *, guess: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.guess = guess
        """Whether it counts as a guess at credentials."""


def parse_address(host: str) -> IPv4Address | IPv6Address:
    """The peer's address; an IPv4 address mapped into IPv6 as IPv4."""
    address = ip_address(host.split("%", maxsplit=1)[0])
    return getattr(address, "ipv4_mapped", None) or address


class Authenticator:
    """Checks binds against the accounts of the current configuration."""

    def __init__(self, accounts: dict[str, Account], failures_per_minute: int) -> None:
        self.configure(accounts, failures_per_minute)
        self._hasher = PasswordHasher()
        self._limiter = trio.CapacityLimiter(THREADS)
        self._strangers = trio.CapacityLimiter(1)  # names nobody has must not stand before those somebody has
        self._key = os.urandom(32)
        self._known: dict[bytes, float] = {}
        self._checking: dict[bytes, trio.Event] = {}
        self._failures: dict[str, dict[str, deque[float]]] = {}  # by address, then system_id

    def configure(self, accounts: dict[str, Account], failures_per_minute: int) -> None:
        """Take over accounts; what was learned about passwords and guessers stays."""
        self.accounts = accounts
        self._failures_max = failures_per_minute
        hashes = (account.password_hash.reveal() for account in accounts.values())
        self._dummy = next(filter(None, hashes), "")

    def barred(self, host: str, now: float) -> bool:
        """Whether new connections from `host` are refused: too many wrong guesses at one account within a minute."""
        guessed = self._failures.get(host)
        if guessed is None:
            return False
        since = now - FAILURES_PERIOD_S
        barred = any(len(times) == times.maxlen and times[0] > since for times in guessed.values())
        if not barred and all(times[-1] <= since for times in guessed.values()):
            del self._failures[host]
        return barred

    def note_failure(self, host: str, system_id: str, now: float) -> None:
        """A wrong guess. Addresses and names are bounded: the oldest make room."""
        guessed = self._failures.setdefault(host, {})
        guessed.setdefault(system_id, deque(maxlen=self._failures_max)).append(now)
        for remembered in (guessed, self._failures):
            if len(remembered) > REMEMBERED_MAX:
                remembered.pop(next(iter(remembered)))

    async def check(self, kind: int, system_id: str, password: str, host: str, now: float) -> Account:
        """The account. Raises Denied."""
        account = self.accounts.get(system_id)
        stored = (account.password_hash.reveal() if account is not None else "") or self._dummy
        limiter = self._strangers if account is None else self._limiter
        if limiter.statistics().tasks_waiting >= WAITING_MAX:
            raise Denied("too many password checks are waiting", guess=account is None)
        matches = await self._matches(stored, system_id, password, now, limiter)
        if account is not None and not account.password_hash.reveal():
            raise Denied("the account has no password_hash", guess=True)
        if not matches or account is None:
            raise Denied("unknown system_id" if account is None else "wrong password", guess=True)
        if account.networks:
            address = parse_address(host)
            if not any(address in network.block for network in account.networks):
                raise Denied("not from an allowed network", guess=False)
        if _KINDS[Command(kind)] not in account.bind_kinds:
            raise Denied(f"bind_{_KINDS[Command(kind)]} is not allowed", guess=False)
        return account

    async def _matches(self, stored: str, system_id: str, password: str, now: float, limiter: trio.CapacityLimiter) -> bool:
        digest = blake2b(f"{system_id}\0{password}\0{stored}".encode(), key=self._key, digest_size=16).digest()
        if self._known.get(digest, 0.0) > now:
            await trio.lowlevel.checkpoint()
            return True
        running = self._checking.get(digest)
        if running is not None:
            await running.wait()
            return self._known.get(digest, 0.0) > now
        self._checking[digest] = done = trio.Event()
        try:
            matches = await trio.to_thread.run_sync(self._verify, stored, password, limiter=limiter)
        finally:
            del self._checking[digest]
            done.set()
        if matches:
            self._known = {key: until for key, until in self._known.items() if until > now}
            self._known[digest] = now + CACHE_S
        return matches

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)  # constant time by its nature
        except (VerificationError, InvalidHashError):
            return False
