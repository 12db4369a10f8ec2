"""`tensec account`: what accounts need."""

import getpass
import sys

from cyclopts import App

from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, call, check_account, fail, money, read_config

app = App(name="account", help="Clients that may bind.")
PASSWORD_MAX = 8


@app.command(name="hash")
def hash_() -> None:
    """Print the Argon2 hash of a password, for `password_hash`. Asks for it, or reads a line from standard input."""
    from argon2 import PasswordHasher

    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        fail("no password given", 2)
    if len(password) > PASSWORD_MAX:
        fail(f"{len(password)} characters: SMPP 3.4 passwords have at most {PASSWORD_MAX}", 2)
    print(PasswordHasher().hash(password))


@app.command
def topup(account: str, amount: float, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Put money into a prepaid account's balance (negative takes away), in units of its currency."""
    print(money(_fund(config, account, round(amount * 1e6))))


@app.command
def show(account: str, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """What is in an account's balance."""
    print(money(_fund(config, account, 0)))


def _fund(config: ConfigPath, account: str, amount: int) -> int:
    from gateway.calls.messages import Done, Fund

    settings = read_config(config)
    check_account(settings, account)
    answer = call(settings, Fund(account, amount, f"command line, {getpass.getuser()}"))
    assert isinstance(answer, Done)
    return answer.count
