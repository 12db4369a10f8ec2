"""Reads a configuration file: TOML, then `TENSEC_SECTION__KEY` from the environment, then secrets, then every check.

`load` raises ConfigError with all errors at once, each naming the place and the value. Secret values are never shown.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from config.policy_checks import policy_errors
from config.ported import read_ported
from config.route_checks import route_errors
from config.schema import Channel, Config, Network, Secret, Section

PREFIX = "TENSEC_"


class ConfigError(Exception):
    """`errors` holds one line each: file, path, value, what is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in `path`, overridden from `environ`. Raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    errors = _override(raw, environ)
    reader = _Reader(path.parent, environ)
    config = reader.read(raw, Config, "")
    errors += reader.errors
    if not errors and isinstance(config, Config):
        config = _beside(config, path.parent)
        errors += _contradictions(config)
    if errors or not isinstance(config, Config):
        raise ConfigError([f"{path}: {error}" for error in errors])
    return config


def _override(raw: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Put `TENSEC_SMPP__LISTEN=...` into `raw`; numbers in a path index lists. Values are read as TOML, else as text."""
    errors = []
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or (
            "__" not in name and name.removeprefix(PREFIX).lower() not in Config.__struct_fields__
        ):
            continue
        *parents, key = name.removeprefix(PREFIX).lower().split("__")
        place: Any = raw
        try:
            for parent in parents:
                place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
            place[int(key) if isinstance(place, list) else key] = _FromEnvironment(value)
        except (IndexError, ValueError, AttributeError, TypeError):
            errors.append(f"{name} in the environment: there is no such place in the file")
    return errors


class _FromEnvironment(str):
    """A value whose type only the field knows: `12345678` may be a number or a password."""

    __slots__ = ()

    def as_toml(self) -> Any:
        try:
            return tomllib.loads(f"value = {self}")["value"]
        except tomllib.TOMLDecodeError:
            return str(self)


class _Reader:
    """Walks the file along the schema, so that one run finds every error. msgspec alone stops at the first."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.errors: list[str] = []

    def read(self, value: Any, kind: Any, where: str) -> Any:
        """`value` as `kind`, or None with an error noted."""
        if isinstance(value, _FromEnvironment):
            plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            value = str(value) if plain in (Secret, str) else value.as_toml()
        section = next((k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, Section)), None)
        if section is not None and get_origin(kind) is not list:
            return self._section(value, section, where)
        inner = self._list_of(kind)
        if inner is not None and isinstance(value, list):
            found = [self.read(one, inner, f"{where}[{at}]") for at, one in enumerate(value)]
            return None if any(one is None for one in found) else found
        try:
            return msgspec.convert(value, kind, dec_hook=self._own_types)
        except msgspec.ValidationError as error:
            shown = "***" if kind is Secret else _shown(where, value)
            self.errors.append(f"{where} = {shown}: {str(error).split(' - at `')[0]}")
            return None

    def _section(self, value: Any, kind: type[Section], where: str) -> Any:
        if not isinstance(value, dict):
            self.errors.append(f"{where} = {_shown(where, value)}: a table is expected")
            return None
        hints = get_type_hints(kind, include_extras=True)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        found: dict[str, Any] = {}
        for key, one in value.items():
            place = f"{where}.{key}" if where else key
            if key not in fields:
                known = ", ".join(sorted(fields))
                self.errors.append(f"{place} = {_shown(key, one)}: unknown field; known here: {known}")
            else:
                found[fields[key].name] = self.read(one, hints[fields[key].name], place)
        missing = [name for name, field in fields.items() if field.required and field.name not in found]
        self.errors += [f"{where}.{name}: is missing" for name in missing]
        if missing or any(one is None for one in found.values()) or len(found) < len(value):
            return None
        return kind(**found)

    @staticmethod
    def _list_of(kind: Any) -> Any:
        for candidate in (kind, *get_args(kind)):
            if get_origin(candidate) is list:
                return get_args(candidate)[0]
        return None

    def _own_types(self, kind: type, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
        if kind is Secret:
            return Secret(self._secret(value))
        if kind is Network:
            try:
                return Network(value)
            except ValueError as error:
                raise ValueError(f"no network: {error}") from None
        raise NotImplementedError(kind)

    def _secret(self, value: str) -> str:
        source, _, name = value.partition(":")
        if source == "env":
            if name not in self.environ:
                raise ValueError(f"the environment has no {name}")
            return self.environ[name]
        if source == "file":
            try:
                return (self.folder / name).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(f"file {name}: {error.strerror}") from None
        return value


def _shown(key: str, value: Any) -> str:
    """`value` for an error; what may be a secret is hidden however deep it stands (`[channels]` meant as `[[channels]]`)."""
    if any(word in key.lower() for word in ("password", "secret", "key", "token")):
        return "***"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_shown(name, one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown("", one) for one in value) + "]"
    return repr(value)


def read_words(path: str) -> list[str]:
    """Keywords of a file, one a line; lines that begin with # say nothing. Raises OSError."""
    if not path:
        return []
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _beside(config: Config, folder: Path) -> Config:
    """Files it names are beside the configuration."""
    policies = [
        msgspec.structs.replace(
            one, keywords=msgspec.structs.replace(one.keywords, words_file=str(folder / one.keywords.words_file))
        )
        if one.keywords.words_file
        else one
        for one in config.policies
    ]
    ported = str(folder / config.ported_file) if config.ported_file else ""
    return msgspec.structs.replace(config, policies=policies, ported_file=ported)


def _contradictions(config: Config) -> list[str]:
    """What no single field shows."""
    policies = policy_errors(config.policies, config.accounts)
    return [*_doubled(config), *route_errors(config), *_dangling(config), *_limits(config), *policies]


def _doubled(config: Config) -> Iterator[str]:
    for what, names in (
        ("channels", [channel.name for channel in config.channels]),
        ("accounts", [account.system_id for account in config.accounts]),
        ("policies", [policy.name for policy in config.policies]),
    ):
        for at, name in enumerate(names):
            if name in names[:at]:
                yield f"{what}[{at}] = {name!r}: the name is taken by {what}[{names.index(name)}]"


def _dangling(config: Config) -> Iterator[str]:
    accounts = {account.system_id for account in config.accounts}
    try:
        read_ported(config.ported_file)
    except OSError as error:
        yield f"ported_file = {config.ported_file!r}: cannot be read: {error.strerror}"
    except ValueError as error:  # UnicodeDecodeError is one
        yield f"ported_file = {config.ported_file!r}: {error}"
    for at, channel in enumerate(config.channels):
        if channel.mo_account and channel.mo_account not in accounts:
            yield f"channels[{at}].mo_account = {channel.mo_account!r}: no account has this system_id"


def _limits(config: Config) -> Iterator[str]:
    for at, account in enumerate(config.accounts):
        hashed = account.password_hash.reveal()
        if hashed and not hashed.startswith("$argon2"):
            yield f"accounts[{at}].password_hash = ***: no Argon2 hash; make one with `tensec account hash`"
    listens = {"smpp.listen": config.smpp.listen, "http.listen": config.http.listen, "http.ops_listen": config.http.ops_listen}
    for name, address in listens.items():
        if address or name == "smpp.listen":
            try:
                split_address(address)
            except ValueError as error:
                yield f"{name} = {address!r}: {error}"
    if config.http.ops_listen and not config.http.listen:
        yield f"http.ops_listen = {config.http.ops_listen!r}: is served by the API's processes, set http.listen too"
    tags = msgspec.to_builtins(config.smpp.tlvs)
    if len(set(tags.values())) < len(tags):
        yield "smpp.tlvs: two fields share one tag"
    for name, tag in tags.items():
        if tag in (0x1400, 0x1401):
            yield f"smpp.tlvs.{name} = 0x{tag:04x}: this tag belongs to India's DLT rules, choose another of 0x1402-0x3FFF"
    for at, channel in enumerate(config.channels):
        yield from _channel_limits(at, channel)


def _channel_limits(at: int, channel: Channel) -> Iterator[str]:
    if len(channel.password.reveal()) > 8:
        # SMPP 3.4 section 5.2.2 allows 8; longer ones are common between consenting ends, but cannot be encoded.
        yield f"channels[{at}].password = ***: {len(channel.password.reveal())} characters, SMPP allows 8"
    if channel.reconnect_min_s > channel.reconnect_max_s:
        yield f"channels[{at}].reconnect_min_s = {channel.reconnect_min_s:g}: more than reconnect_max_s"
    if channel.long_messages in ("sar", "payload") and not channel.send_tlvs:
        yield f"channels[{at}].long_messages = {channel.long_messages!r}: needs send_tlvs = true"


def split_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:2775` or `[::1]:2775` as (host, port); port 0 lets the kernel choose. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("HOST:PORT is expected, such as 127.0.0.1:2775")
    return host.strip("[]"), int(port)
