"""`tensec account`: what accounts need."""

import getpass
import secrets
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from config.schema import Config
from gateway.calls.messages import AskPurses, Done, Fund, Purses
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, check_account, fail, money, read_config, who
from gateway.cli.sections import append_section

app = App(name="account", help="Clients that may bind.")
PASSWORD_MAX = 8
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that are taken for each other."""


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
def add(
    name: str,
    *,
    policy: Annotated[str, Parameter(help="The policy it goes by.")] = "",
    write: Annotated[Path | None, Parameter(help="Put it at the end of this configuration file.")] = None,
) -> None:
    """Make a section for a new account, with a password that is shown once; then `tensec reload`.

    Without --write the section goes to standard output, the password beside it to standard error.
    """
    from argon2 import PasswordHasher

    if not 0 < len(name) <= 15:
        fail(f"{name!r}: a system_id has 1 to 15 characters", 2)
    password = "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_MAX))
    fields = {"system_id": name, "password_hash": PasswordHasher().hash(password)} | ({"policy": policy} if policy else {})
    section = "[[accounts]]\n" + "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in fields.items())
    if write is None:
        print(section, end="")
        print(
            f"password {password} (it is not shown again)\nadd this to the configuration, then: tensec reload", file=sys.stderr
        )
    else:
        append_section(write, section)
        print(f"password {password} (it is not shown again)\n{name} is in {write}, now: tensec reload --config {write}")


@app.command
def topup(
    account: str,
    amount: float = 0,
    *,
    messages: Annotated[int, Parameter(help="Put so many messages into its trial instead.")] = 0,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Put money into a prepaid account's balance (negative takes away), in units of its currency."""
    if bool(amount) == bool(messages):
        fail("an amount, or --messages", 2)
    settings = read_config(config)
    check_account(settings, account)
    if messages:
        print(_fund(settings, Fund(account, messages, who(), "trial")))
    else:
        print(money(_fund(settings, Fund(account, round(amount * 1e6), who()))))
        if not _is_prepaid(settings, account):
            print(f"note: nothing is taken from it, the policy of {account} has no budget.prepaid", file=sys.stderr)


@app.command
def show(account: str, *, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """What an account has left: its balance, its trial, the budgets of this day and month."""
    settings = read_config(config)
    check_account(settings, account)
    answer = call(settings, AskPurses(account))
    assert isinstance(answer, Purses)
    if json:
        print(msgspec.json.encode({one.name: {"left": one.left, "limit": one.limit} for one in answer.purses}).decode())
        return
    for one in answer.purses:
        unit, shown = ("messages", str) if one.name == "trial" else (answer.currency, money)
        limit = f" of {shown(one.limit)}" if one.limit else ""
        print(f"{one.name:<8} {shown(one.left)}{limit} {unit}".rstrip())
    if not answer.purses:
        print(f"nothing is counted for {account}")


def _is_prepaid(settings: Config, account: str) -> bool:
    from routing.policy.screen import policy_of

    policies = {one.name: one for one in settings.policies}
    policy = next((policy_of(one, policies) for one in settings.accounts if one.system_id == account), None)
    return policy is not None and policy.budget.prepaid


def _fund(settings: Config, wish: Fund) -> int:
    answer = call(settings, wish)
    assert isinstance(answer, Done)
    return answer.count
