"""`tensec account`: what accounts need."""

import getpass
import sys

from cyclopts import App

from gateway.cli.common import fail

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
