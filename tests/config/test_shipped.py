"""The files that come with the project load, and the one for load tools says what those tools rely on."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from config import presets, schema
from config.loader import load
from config.schema import CLASSES

FOLDER = Path(schema.__file__).parent


PRESETS = {"windows.toml", "caps.toml", "operators.toml"}
CONFIGURATIONS = [path for path in sorted(FOLDER.glob("*.toml")) if path.name not in PRESETS]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_every_shipped_file_loads(path: Path) -> None:
    load(path, {})


def test_every_preset_is_complete() -> None:
    assert all(window.intervals for window in presets.windows().values())
    assert {cap.name for cap in presets.caps()["three-three"]} == {"promotions", "urgent", "care"}
    named = [cap.name for several in presets.caps().values() for cap in several]
    assert len(set(named)) == len(named), "caps of one name would count each other's messages"


def test_the_file_for_load_tools_is_what_they_rely_on() -> None:
    config = load(FOLDER / "load.toml", {})
    assert config.smpp.listen == "127.0.0.1:2775"
    assert config.smpp.tls is None
    (account,) = config.accounts
    assert (account.system_id, account.window, account.messages_per_second) == ("load", 1000, 0)
    assert account.binds_max >= 10_000
    assert not account.networks
    assert not account.source_addresses
    assert PasswordHasher().verify(account.password_hash.reveal(), "loadpass")
    (sink,) = config.channels
    assert (sink.name, sink.host, sink.port, sink.system_id, sink.tls) == ("sink", "127.0.0.1", 2776, "tensec", None)
    assert (sink.bind, sink.binds, sink.window, sink.messages_per_second) == ("transceiver", 10, 100, 0)
    assert len(sink.password.reveal()) <= 8
    (route,) = config.routes
    assert [(one.name, one.weight) for one in route.channels] == [("sink", 1)]
    assert [route.classes, route.accounts, route.prefixes] == [[], [], []]


def test_classes_are_served_codes_first_and_codes_are_valid_shortest() -> None:
    assert CLASSES == ("verification", "notification", "marketing")
    classes = schema.Classes()
    assert classes.verification.validity_s < classes.notification.validity_s
