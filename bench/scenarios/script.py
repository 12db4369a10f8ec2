"""The shape of a scenario file. Spans are seconds."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from bench.measure.asserting import parse_assertion

HERE = Path(__file__).parent
MIX = {"verification": 10.0, "notification": 30.0, "marketing": 60.0}


class CarrierRole(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A carrier and the gateway's channel to it."""

    name: str
    scenario: str = "healthy"
    """One of `carriers/`."""
    set: dict[str, str | int | float | bool] = {}
    """Switches that win over it."""
    binds: int = 2
    window: int = 50
    rate: float = 0.0
    """Messages a second the gateway's channel is configured to send; 0: any."""
    weights: dict[str, int] = {}


class LoadRole(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One load. The last one of a scenario is the one that is judged; figures of the others carry their name in front."""

    name: str
    seconds: float
    rate: float = 1000.0
    closed: bool = False
    messages: int | None = None
    connections: int = 10
    window: int = 200
    mix: dict[str, float] = msgspec.field(default_factory=lambda: dict(MIX))
    text: str = "unicode"
    ramp: float = 0.0
    drain: float = 20.0
    receipts: bool = True
    reconnect: bool = False
    processes: int = 1

    def __post_init__(self) -> None:
        if not self.mix or self.connections < len(self.mix) * self.processes:
            raise ValueError(f"load {self.name!r}: each of its processes needs a connection of each class of its mix")


class Turn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Something that happens in the last load."""

    seconds: float
    do: Literal["kill-core", "start-core", "kill-redis", "start-redis", "carrier"]
    carrier: str = ""
    order: dict[str, object] = {}
    """What `carrier` is told: {"set": {...}} or {"do": "drop"}."""


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"asserts": "assert", "loads": "load"}):
    """A whole scenario."""

    about: str
    carriers: list[CarrierRole]
    loads: list[LoadRole]
    store: Literal["embedded", "redis", "memory"] = "embedded"
    rules: bool = False
    """Whether accounts go by the policy of config/example.toml; its send windows apart, for loads run at any hour."""
    apart: bool = True
    """Whether the gateway has a CPU to itself (`core.cpus`), where the machine has several."""
    at: list[Turn] = []
    asserts: list[str] = []

    def __post_init__(self) -> None:
        for text in self.asserts:
            parse_assertion(text)
        if not self.loads or not self.carriers:
            raise ValueError("a scenario needs a [[load]] and [[carriers]]")
        strangers = {turn.carrier for turn in self.at if turn.do == "carrier"} - {one.name for one in self.carriers}
        if strangers:
            raise ValueError(f"[[at]] names no carrier of this scenario: {', '.join(sorted(strangers))}")


def names() -> list[str]:
    """The scenarios that come with the harness."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def read_script(name_or_file: str) -> Script:
    """By name or from a file. Raises ValueError with what is wrong and what there is."""
    path = Path(name_or_file) if name_or_file.endswith(".toml") else HERE / f"{name_or_file}.toml"
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Script)
    except FileNotFoundError:
        raise ValueError(f"there is no scenario {name_or_file!r}: {', '.join(names())}, or a .toml file") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{path}: {error}") from None
