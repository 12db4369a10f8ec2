"""Who may send what in which state (SMPP 3.4 section 2.3 and table 2-1, with the errata 5.0 table 2-1 mends).

The table is the whole rule: `session.py` only looks things up here.
"""

from enum import Enum

from protocol.commands import RESPONSE_BIT, Command


class Role(Enum):
    """Which end of the session we are."""

    ESME = "esme"
    SMSC = "smsc"


class State(Enum):
    """Session states. UNBOUND: unbind was exchanged, only answers still come. CLOSED: nothing does."""

    OPEN = "open"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBOUND = "unbound"
    CLOSED = "closed"

    __hash__ = object.__hash__  # a state is looked up for every PDU, and Enum's own hash is a Python call


TX, RX, TRX = State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX
BOUND = frozenset({TX, RX, TRX})
OPEN = frozenset({State.OPEN})
NEVER: frozenset[State] = frozenset()
ALWAYS = frozenset({State.OPEN, TX, RX, TRX, State.UNBOUND})

MAY_SEND: dict[Command, tuple[frozenset[State], frozenset[State]]] = {
    # request: (states in which an ESME may send it, states in which an SMSC may)
    Command.BIND_RECEIVER: (OPEN, NEVER),
    Command.BIND_TRANSMITTER: (OPEN, NEVER),
    Command.BIND_TRANSCEIVER: (OPEN, NEVER),
    Command.OUTBIND: (NEVER, OPEN),
    Command.SUBMIT_SM: (frozenset({TX, TRX}), NEVER),
    Command.SUBMIT_MULTI: (frozenset({TX, TRX}), NEVER),
    Command.QUERY_SM: (frozenset({TX, TRX}), NEVER),
    Command.CANCEL_SM: (frozenset({TX, TRX}), NEVER),
    Command.REPLACE_SM: (frozenset({TX, TRX}), NEVER),
    Command.DELIVER_SM: (NEVER, frozenset({RX, TRX})),
    Command.ALERT_NOTIFICATION: (NEVER, frozenset({RX, TRX})),
    Command.DATA_SM: (frozenset({TX, TRX}), frozenset({RX, TRX})),
    Command.UNBIND: (BOUND, BOUND),
    Command.ENQUIRE_LINK: (ALWAYS, ALWAYS),
}

BOUND_BY: dict[Command, State] = {
    Command.BIND_RECEIVER: RX,
    Command.BIND_TRANSMITTER: TX,
    Command.BIND_TRANSCEIVER: TRX,
}


SENDS_IN: dict[Role, dict[int, frozenset[State]]] = {
    Role.ESME: {command: esme for command, (esme, _) in MAY_SEND.items()},
    Role.SMSC: {command: smsc for command, (_, smsc) in MAY_SEND.items()},
}
"""The states in which the end that plays a role may send a request."""


def may_send(role: Role, command: int, state: State) -> bool:
    """Whether the end that plays `role` may send the request `command` in `state`.

    Responses are not decided by state but by the request they belong to, so the answer for them is True.
    """
    if command & RESPONSE_BIT:
        return True
    return state in SENDS_IN[role][command]
