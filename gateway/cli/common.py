"""What the subcommands share: reading the configuration, asking a running core, printing."""

import csv
import getpass
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from config.loader import ConfigError, load
from config.schema import Config
from gateway import link
from gateway.calls import frames
from gateway.calls import messages as calls

ConfigPath = Annotated[Path, Parameter(name=["--config", "-c"], help="The configuration file.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
DEFAULT_CONFIG = Path("tensec.toml")
ASK_TIMEOUT_S = 10.0


def fail(text: str, code: int = 1) -> NoReturn:
    """Say what is wrong and end."""
    print(f"tensec: {text}", file=sys.stderr)
    sys.exit(code)


def who() -> str:
    """Who asks, for the audit."""
    return f"command line, {getpass.getuser()}"


def csv_rows(file: Path) -> list[list[str]]:
    """The rows of a CSV file, or what is wrong with it and exit 2."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return list(csv.reader(lines))
    except OSError as error:
        fail(f"{file}: {error.strerror}", 2)
    except (UnicodeDecodeError, csv.Error) as error:
        fail(f"{file}: no CSV in UTF-8: {error}", 2)


def money(micro_units: int) -> str:
    """An amount to the last unit, without zeros that say nothing."""
    whole, rest = divmod(abs(micro_units), 1_000_000)
    digits = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if micro_units < 0 else ''}{whole}{digits}"


def read_config(path: Path) -> Config:
    """The configuration, or every error on standard error and exit 2."""
    try:
        return load(path, os.environ)
    except ConfigError as error:
        for line in error.errors:
            print(line, file=sys.stderr)
        sys.exit(2)


def check_account(config: Config, account: str) -> None:
    """End with exit 2 when the configuration has no such account."""
    if account not in {one.system_id for one in config.accounts}:
        known = ", ".join(sorted(one.system_id for one in config.accounts)) or "none"
        fail(f"no account is called {account}; there are: {known}", 2)


def runs(config: Config) -> bool:
    """Whether a core answers on this configuration's data directory."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(ASK_TIMEOUT_S)
            sock.connect(str(Path(config.data_dir) / link.SOCKET_NAME))
    except OSError:
        return False
    return True


def ask(config: Config, question: link.Ask) -> link.Answer:
    """Ask the core that runs on this configuration's data directory; ends with exit 1 when none does."""
    return link.unpack_answer(_answer_to(config, link.SOCKET_NAME, link.pack(question)))


def call(config: Config, question: calls.Ask, *, errors_too: bool = False) -> calls.Answer:
    """The same on the API's socket, which knows of messages, keys and webhooks. What the core refuses ends the command with
    exit 1, unless `errors_too` are wanted.
    """
    body = _answer_to(config, frames.SOCKET_NAME, frames.pack([frames.Call(1, question)]))
    try:
        (reply,) = frames.replies_of(body)
    except frames.FrameError as error:
        fail(f"{Path(config.data_dir) / frames.SOCKET_NAME}: {error}")
    if isinstance(reply.answer, calls.Unable):
        fail(reply.answer.why)
    if isinstance(reply.answer, calls.Done) and reply.answer.error and not errors_too:
        fail(reply.answer.error)
    return reply.answer  # type: ignore[return-value]  # nothing is pushed to whoever does not watch


def _answer_to(config: Config, socket_name: str, question: bytes) -> bytes:
    """The body of what the core answers on one of its sockets."""
    path = Path(config.data_dir) / socket_name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(ASK_TIMEOUT_S)
            sock.connect(str(path))
            sock.sendall(question)
            (size,) = link.LENGTH.unpack(_exactly(sock, link.LENGTH.size))
            return _exactly(sock, size)
    except (FileNotFoundError, ConnectionRefusedError):
        fail(f"no tensec runs on data_dir {config.data_dir}: start it with `tensec serve`")
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")


def _exactly(sock: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        data = sock.recv(size - len(got))
        if not data:
            raise ConnectionResetError("the core closed the connection")
        got += data
    return bytes(got)
