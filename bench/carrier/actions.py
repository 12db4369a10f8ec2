"""What happens to a running carrier: switches that change, and things done once. Time lines and commands both come here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.carrier.smsc import Smsc


def _silence(smsc: Smsc, _now: float) -> None:
    smsc.silent = True
    for connection in list(smsc.connections):
        connection.fall_silent()


def _wake(smsc: Smsc, now: float) -> None:
    smsc.silent = False
    for connection in list(smsc.connections):
        connection.wake(now)


def _unbind(smsc: Smsc, now: float) -> None:
    for connection in smsc.connections:
        connection.session.unbind(now)
        smsc.touch(connection)


def _refuse_binds(smsc: Smsc, _now: float) -> None:
    smsc.refuses_binds = True


def _accept_binds(smsc: Smsc, _now: float) -> None:
    smsc.refuses_binds = False


def _close(smsc: Smsc, _now: float) -> None:
    if smsc.port is not None:
        smsc.port.close()


def _listen(smsc: Smsc, _now: float) -> None:
    if smsc.port is not None:
        smsc.port.listen()


ACTIONS: dict[str, Callable[[Smsc, float], None]] = {
    "drop": Smsc.drop_all,
    "silence": _silence,
    "wake": _wake,
    "unbind": _unbind,
    "refuse_binds": _refuse_binds,
    "accept_binds": _accept_binds,
    "close": _close,
    "listen": _listen,
}
"""By name: reset all connections; read and answer nothing until `wake`; send unbind everywhere; refuse binds with
ESME_RBINDFAIL until `accept_binds`; stop listening, so that connections are refused, until `listen`."""


@dataclass(frozen=True, slots=True)
class Change:
    """Switches and what they become, and one of ACTIONS. Printed as it is marked in a chart."""

    switches: Mapping[str, Any] = field(default_factory=dict)
    do: str | None = None

    def apply(self, smsc: Smsc, now: float) -> None:
        """Make it so. The owner flushes."""
        if self.switches:
            smsc.become(replace(smsc.options, **self.switches), now)
        if self.do is not None:
            ACTIONS[self.do](smsc, now)

    def __str__(self) -> str:
        switches = (f"{name} = {_shown(value)}" for name, value in self.switches.items())
        return ", ".join((*switches, *([self.do] if self.do else [])))


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def restore(smsc: Smsc, now: float) -> None:
    """Undo what the actions left behind: awake, open to binds and connections."""
    if smsc.silent:
        _wake(smsc, now)
    _accept_binds(smsc, now)
    _listen(smsc, now)
