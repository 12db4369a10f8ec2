"""Reading a file: every error at once, the environment on top, secrets resolved and never shown."""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.loader import ConfigError, _contradictions, _Reader, load
from config.schema import Config

ROOT = Path(__file__).parents[2]
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA"
CHANNEL = '[[channels]]\nname = "a"\nhost = "127.0.0.1"\nport = 2776\nsystem_id = "t"\n'
SECRET = "s3cr3t-w"


def test_every_error_is_named_at_once_with_place_and_value(errors: Any) -> None:
    found = errors(
        """
        colour = "red"
        [smpp]
        session_init_s = -1
        connections_max = "many"
        tls = { cert = "a.pem" }
        [core]
        node = 256
        [[accounts]]
        system_id = "much-too-long-a-name"
        class = "spam"
        networks = ["10.0.0.0/8", "nowhere"]
        [[channels]]
        name = "has blank"
        port = 70000
        """
    )
    text = "\n".join(found)
    for place in (
        "colour = 'red': unknown field",
        "smpp.session_init_s = -1: ",
        "smpp.connections_max = 'many': ",
        "smpp.tls.key: is missing",
        "core.node = 256: ",
        "accounts[0].system_id = 'much-too-long-a-name': ",
        "accounts[0].class = 'spam': ",
        "accounts[0].networks[1] = 'nowhere': no network",
        "channels[0].name = 'has blank': ",
        "channels[0].port = 70000: ",
        "channels[0].host: is missing",
        "channels[0].password: is missing",
    ):
        assert place in text
    assert len(found) == 13, text
    assert all("tensec.toml: " in line for line in found)


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        ("smpp = 3", "smpp = 3: a table is expected"),
        ("accounts = [1]", "accounts[0] = 1: a table is expected"),
        ("smpp.window = 3", "smpp.window = 3: unknown field; known here: "),
        ("[[routes]]\nchannels = 'a'", "routes[0].channels = 'a': "),
        ("x = ", "not TOML"),
        ("[log]\nlevel = 2024-01-01", "log.level = datetime.date(2024, 1, 1): "),
    ],
)
def test_wrong_shapes_are_errors_that_say_where(toml: str, error: str, errors: Any) -> None:
    assert error in errors(toml)[0]


def test_a_file_that_cannot_be_read_or_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such file"):
        load(tmp_path / "missing.toml", {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(ConfigError, match="not TOML"):
        load(tmp_path / "binary.toml", {})


def test_config_check_names_all_errors_and_exits_with_2(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[core]\nnode = -1\n[log]\nlevel = 'loud'\n")
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", "config", "check", str(wrong)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "core.node = -1" in done.stderr
    assert "log.level = 'loud'" in done.stderr


# -- secrets


def test_secrets_come_from_the_value_the_environment_or_a_file_beside_the_configuration(loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "pass.txt").write_text(f"{SECRET}\n")
    for written in (SECRET, "env:CARRIER_PASSWORD", "file:pass.txt", f"file:{tmp_path}/pass.txt"):
        config = loaded(f'{CHANNEL}password = "{written}"', {"CARRIER_PASSWORD": SECRET})
        assert config.channels[0].password.reveal() == SECRET
        assert SECRET not in repr(config)
        assert SECRET not in str(config.channels[0].password)


@pytest.mark.parametrize(("written", "reason"), [("env:NOT_SET", "no NOT_SET"), ("file:not-there", "file not-there: ")])
def test_a_secret_that_cannot_be_found_says_where_it_was_looked_for(written: str, reason: str, errors: Any) -> None:
    (error,) = errors(f'{CHANNEL}password = "{written}"')
    assert "channels[0].password = ***: " in error
    assert reason in error


@pytest.mark.parametrize(
    "toml",
    [
        f'{CHANNEL}password = ["{SECRET}"]',
        f'{CHANNEL}password = {{ value = "{SECRET}" }}',
        f'{CHANNEL}password = "{SECRET}{SECRET}"',
        f'{CHANNEL}pasword = "x"\npassword_2 = "{SECRET}"',
        f'{CHANNEL}secret = ["{SECRET}"]\napi_key = "{SECRET}"\ntoken = "{SECRET}"',
        f'[channels]\nname = "a"\npassword = "{SECRET}"',
        f'[[channel]]\nname = "a"\npassword = "{SECRET}"',
        f'[[smpp]]\npassword = "{SECRET}"',
        f'[[accounts]]\nsystem_id = "a"\npassword_hash = "{SECRET}"',
        f'routes = [[{{ password = "{SECRET}" }}]]',
    ],
)
def test_no_error_shows_a_secret(toml: str, errors: Any) -> None:
    assert not [line for line in errors(toml) if SECRET in line]


def test_no_error_about_the_environment_shows_a_secret(errors: Any) -> None:
    environ = {"TENSEC_NOWHERE__PASSWORD": SECRET, "TENSEC_CHANNELS__7__PASSWORD": SECRET, "TENSEC_LOG__LEVEL__KEY": SECRET}
    assert not [line for line in errors("[log]\nlevel = 'info'", environ) if SECRET in line]


# -- the environment


def test_the_environment_overrides_fields_tables_and_list_entries(loaded: Any) -> None:
    config = loaded(
        f'data_dir = "old"\n{CHANNEL}password = "x"\nbinds = 1',
        {
            "TENSEC_DATA_DIR": "new",
            "TENSEC_SMPP__LISTEN": "[::1]:0",
            "TENSEC_SMPP__TLVS__CLASS": "0x3000",
            "TENSEC_CORE__NODE": "7",
            "TENSEC_CHANNELS__0__BINDS": "3",
            "TENSEC_CHANNELS__0__SEND_TLVS": "false",
            "TENSEC_ROUTES": '[{ channels = [{ name = "a" }] }]',
            "TENSECTION__X": "not ours",
            "TENSEC_HOME": "not a field of ours",
        },
    )
    assert (config.data_dir, config.smpp.listen, config.smpp.tlvs.class_, config.core.node) == ("new", "[::1]:0", 0x3000, 7)
    assert (config.channels[0].binds, config.channels[0].send_tlvs) == (3, False)
    assert config.routes[0].channels[0].name == "a"


def test_a_place_that_is_not_there_is_an_error_of_the_environment(errors: Any) -> None:
    environ = {
        "TENSEC_CHANNELS__1__PORT": "1",
        "TENSEC_CHANNELS__X__PORT": "1",
        "TENSEC_DATA_DIR__X": "1",
        "TENSEC_CORE__COLOUR": "1",
    }
    text = "\n".join(errors(f'data_dir = "d"\n{CHANNEL}password = "x"', environ))
    for name in ("TENSEC_CHANNELS__1__PORT", "TENSEC_CHANNELS__X__PORT", "TENSEC_DATA_DIR__X"):
        assert f"{name} in the environment: there is no such place" in text
    assert "core.colour = '1': unknown field" in text


# -- whatever stands in a file

_NAMES = sorted(
    {name for kind in (Config, *Config.__annotations__.values()) for name in getattr(kind, "__struct_fields__", ())}
    | {
        "name",
        "password",
        "host",
        "port",
        "system_id",
        "password_hash",
        "class",
        "channels",
        "weight",
        "networks",
        "listen",
        "x",
    }
)
_scalars = (
    st.none().map(lambda _: "text")
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.times()
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(_NAMES), _values, max_size=5))
@settings(max_examples=300)
def test_whatever_stands_in_a_file_is_a_configuration_or_a_list_of_errors(raw: dict[str, Any]) -> None:
    reader = _Reader(Path(), {})
    config = reader.read(raw, Config, "")
    assert (config is None) == bool(reader.errors)
    if config is not None:
        assert isinstance(config, Config)
        assert all(isinstance(line, str) for line in _contradictions(config))


@given(st.binary(max_size=40) | st.text(max_size=60).map(str.encode))
def test_whatever_octets_a_file_holds_only_config_errors_come_out(octets: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(octets)
        file.flush()
        with contextlib.suppress(ConfigError):
            load(Path(file.name), {})


@given(st.dictionaries(st.sampled_from(_NAMES).map(lambda n: f"TENSEC_{n.upper()}__0"), st.text(max_size=20), max_size=4))
def test_whatever_the_environment_holds_only_config_errors_come_out(environ: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file, contextlib.suppress(ConfigError):
        load(Path(file.name), environ)


def test_a_password_of_digits_from_the_environment_is_a_text(tmp_path: Path) -> None:
    file = tmp_path / "tensec.toml"
    file.write_text(f'data_dir = "d"\n{CHANNEL}password = "x"', encoding="utf-8")
    (channel,) = load(file, {"TENSEC_CHANNELS__0__PASSWORD": "12345678", "TENSEC_CHANNELS__0__SYSTEM_ID": "4711"}).channels
    assert (channel.password.reveal(), channel.system_id) == ("12345678", "4711")


def test_a_rate_is_a_number_that_can_be_reached(errors: Any) -> None:
    for rate in ("inf", "nan", "-1"):
        (error,) = errors(f'data_dir = "d"\n{CHANNEL}password = "x"\nmessages_per_second = {rate}', {})
        assert "messages_per_second" in error
