"""`tensec backup`, `tensec restore`, `tensec dead-letters`: the store in an operator's hands."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from gateway import link
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, ask, fail, read_config
from gateway.store.embedded import backup as archive
from gateway.store.offline import locked
from gateway.store.vault import VaultError


def backup(file: Path, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Write a consistent copy of the embedded store and its history into FILE, whether the gateway runs or not."""
    settings = read_config(config)
    if settings.store.kind != "embedded":
        fail(f"store.kind is {settings.store.kind}: back up Redis by its own means, and data_dir/history by copying it")
    try:
        names = archive.backup(Path(settings.data_dir), file)
    except VaultError as error:
        fail(str(error))
    print(f"{file}: {', '.join(names)}")


def restore(file: Path, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Unpack a backup into an empty data_dir. What was sent after the backup was made will be sent again."""
    settings = read_config(config)
    data_dir = Path(settings.data_dir)
    try:
        with locked(data_dir):
            names = archive.restore(file, data_dir)
    except VaultError as error:
        fail(str(error))
    print(f"{data_dir}: {', '.join(names)}")


def dead_letters(
    *,
    limit: Annotated[int, Parameter(help="At most so many.")] = 100,
    config: ConfigPath = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Receipts and subscribers' messages that no client of their account took within 72 hours."""
    answer = ask(read_config(config), link.AskDead(limit))
    assert isinstance(answer, link.Dead)
    if json:
        print(msgspec.json.encode(answer.notices).decode())
        return
    if not answer.notices:
        print("none")
    for one in answer.notices:
        created = datetime.fromtimestamp(one.created_utc, UTC).isoformat(timespec="seconds")
        told = f"receipt of {one.public_id}: {one.state.name.lower()}"
        what = one.event or ("message of a subscriber" if one.is_mo else told)
        print(f"{created}  {one.account:<16} {what}")
