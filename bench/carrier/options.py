"""Every switch of the carrier, once: the command line, its help and the code read this class."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, validators

from bench.carrier.ids import DlrIdFormat, IdFormat
from bench.carrier.latency import Latency
from protocol.receipt import MessageState
from protocol.status import Status

STATES = {
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "ENROUTE": MessageState.ENROUTE,
}
FIXED = "fixed while the carrier runs"
"""Beside a switch: a time line or a command cannot change it."""
STAT_NAMES = {state: name for name, state in STATES.items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Submits to destinations in which `pattern` is found are answered with `status`."""

    pattern: re.Pattern[str]
    status: int

    @classmethod
    def parse(cls, spec: str) -> "Refusal":
        """Read `^86170=0x0B` or `^86170=ESME_RINVDSTADR`."""
        pattern, equals, status = spec.rpartition("=")
        if not equals:
            raise ValueError(f"{spec!r}: PATTERN=STATUS, such as ^86170=0x0B")
        try:
            return cls(re.compile(pattern), parse_status(status))
        except re.error as error:
            raise ValueError(f"{pattern!r}: {error}") from None

    def __str__(self) -> str:
        return f"{self.pattern.pattern}=0x{self.status:02X}"


@dataclass(frozen=True, slots=True)
class StatMix:
    """Final states and their shares (any positive numbers; only their ratio counts)."""

    shares: tuple[tuple[MessageState, float], ...] = ((MessageState.DELIVERED, 1.0),)

    @classmethod
    def parse(cls, spec: str) -> "StatMix":
        """Read `DELIVRD=97,UNDELIV=2,EXPIRED=1`."""
        shares = []
        for item in spec.split(","):
            name, _, share = item.strip().partition("=")
            if name not in STATES:
                raise ValueError(f"{name!r} is no receipt state: {', '.join(STATES)}")
            shares.append((STATES[name], float(share or 1)))
        if not any(share > 0 for _, share in shares) or any(share < 0 for _, share in shares):
            raise ValueError(f"{spec!r}: shares are positive numbers")
        return cls(tuple(shares))

    def __str__(self) -> str:
        return ",".join(f"{STAT_NAMES[state]}={share:g}" for state, share in self.shares)


def parse_status(text: str) -> int:
    """A command_status as a number or by name, with or without ESME_."""
    name = text.strip().upper().removeprefix("ESME_")
    return int(Status[name]) if name in Status.__members__ else int(text, 0)


def _latency(_type: Any, tokens: Any) -> Latency:
    return Latency.parse(tokens[0].value)


def _status(_type: Any, tokens: Any) -> int:
    return parse_status(tokens[0].value)


def _refusals(_type: Any, tokens: Any) -> tuple[Refusal, ...]:
    return tuple(Refusal.parse(token.value) for token in tokens)


def _stat_mix(_type: Any, tokens: Any) -> StatMix:
    return StatMix.parse(tokens[0].value)


_AT_ONCE, _LATE, _ALL_DELIVERED = Latency(), Latency("fixed", 40.0), StatMix()
_BIND, _ANSWER, _RECEIPT, _LINE, _MO, _RUN = "Binds", "Responses", "Receipts", "Broken lines", "MO messages", "Running"


def _in(group: str, **more: Any) -> Parameter:
    return Parameter(group=group, negative="", **more)


def _spec(group: str, converter: Any) -> Parameter:
    return _in(group, converter=converter, n_tokens=1, accepts_keys=False)


def _share(group: str) -> Parameter:
    return _in(group, validator=validators.Number(gte=0, lte=1))


def _count(group: str) -> Parameter:
    return _in(group, validator=validators.Number(gte=0))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How the simulated carrier behaves. Spans are 20ms, uniform:5ms-50ms, normal:2s,500ms, lognormal:800ms,0.6, exp:200ms."""

    host: Annotated[str, _in(_BIND), FIXED] = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, _in(_BIND, validator=validators.Number(gte=0, lte=65535)), FIXED] = 0
    """Port to listen on; 0 lets the kernel choose, the first line printed names it."""
    name: Annotated[str, _in(_BIND), FIXED] = "carrier"
    """system_id in bind responses, and the name in reports."""
    system_id: Annotated[str | None, _in(_BIND)] = None
    """The only system_id that may bind; without it any may."""
    password: Annotated[str | None, _in(_BIND)] = None
    """The password that must come with it; without it any is accepted. A wrong one: ESME_RBINDFAIL, then close."""
    max_binds: Annotated[int, _count(_BIND)] = 0
    """Refuse binds beyond this many at a time; 0 = no limit."""
    over_max: Annotated[Literal["ralybnd", "rbindfail"], _in(_BIND)] = "ralybnd"
    """How a bind beyond the limit is refused."""
    no_trx: Annotated[bool, _in(_BIND)] = False
    """Answer bind_transceiver with generic_nack ESME_RINVCMDID: clients must use a transmitter and a receiver."""
    window: Annotated[int, _count(_BIND)] = 0
    """Most unanswered submits a connection may have; more is reported as a violation. 0 = no limit."""
    tls_cert: Annotated[Path | None, _in(_BIND), FIXED] = None
    """Certificate chain (PEM): speak TLS."""
    tls_key: Annotated[Path | None, _in(_BIND), FIXED] = None
    """Its private key (PEM), if not in the same file."""

    resp_latency: Annotated[Latency, _spec(_ANSWER, _latency)] = _AT_ONCE
    """Span between a submit and its response."""
    loss: Annotated[float, _share(_ANSWER)] = 0.0
    """Share of submits swallowed: no response, no receipt, not delivered."""
    rate: Annotated[float, _count(_ANSWER)] = 0.0
    """Throttle above this many submits per second: ESME_RTHROTTLED. 0 = never."""
    burst: Annotated[float, _count(_ANSWER)] = 0.0
    """Submits the throttle lets through at once; 0 = one second's worth."""
    queue_full_share: Annotated[float, _share(_ANSWER)] = 0.0
    """Share of submits answered with ESME_RMSGQFUL."""
    error_share: Annotated[float, _share(_ANSWER)] = 0.0
    """Share of submits answered with --error-status."""
    error_status: Annotated[int, _spec(_ANSWER, _status)] = Status.RSYSERR
    """The command_status of those, as a number or by name: 0x08, ESME_RSYSERR."""
    refuse: Annotated[
        tuple[Refusal, ...], _in(_ANSWER, converter=_refusals, n_tokens=1, accepts_keys=False, json_list=False)
    ] = ()
    """PATTERN=STATUS, repeatable: answer submits whose destination matches with that status, such as ^86170=0x0B."""
    id_format: Annotated[IdFormat, _in(_ANSWER)] = "dec"
    """How message ids are spelled in responses."""
    first_id: Annotated[int | None, _in(_ANSWER), FIXED] = None
    """The number of the first id; without it drawn from the seed."""

    dlr: Annotated[Literal["text", "tlv", "both", "none"], _in(_RECEIPT)] = "both"
    """Form of receipts: Appendix B text, TLVs only, both, or none at all."""
    dlr_latency: Annotated[Latency, _spec(_RECEIPT, _latency)] = _AT_ONCE
    """Span between the response and the receipt."""
    dlr_timing: Annotated[Literal["after", "before-resp", "same-segment", "twice"], _in(_RECEIPT)] = "after"
    """After the response; before it (the response follows after dlr-latency); in one write, receipt first; or twice."""
    dlr_late_share: Annotated[float, _share(_RECEIPT)] = 0.0
    """Share of receipts that take --dlr-late instead of --dlr-latency."""
    dlr_late: Annotated[Latency, _spec(_RECEIPT, _latency)] = _LATE
    """Span of late receipts."""
    dlr_loss: Annotated[float, _share(_RECEIPT)] = 0.0
    """Share of receipts never sent."""
    dlr_id_format: Annotated[DlrIdFormat, _in(_RECEIPT)] = "same"
    """How the same ids are spelled in receipts."""
    dlr_window: Annotated[int, _in(_RECEIPT, validator=validators.Number(gte=1))] = 1000
    """Most unacknowledged deliver_sm on one connection."""
    dlr_waiting_max: Annotated[int, _count(_RECEIPT)] = 1_000_000
    """Most receipts kept per system_id while none of its binds can take them; the oldest are dropped and counted."""
    stat_mix: Annotated[StatMix, _spec(_RECEIPT, _stat_mix)] = _ALL_DELIVERED
    """Final states and their shares, such as DELIVRD=97,UNDELIV=2,EXPIRED=1."""
    ack_grace_s: Annotated[float, _count(_RECEIPT)] = 1.0
    """A receipt this old and unacknowledged when the client leaves is a violation."""

    drop_every_s: Annotated[float, _count(_LINE)] = 0.0
    """Reset every connection (RST) that often."""
    drop_after: Annotated[int, _count(_LINE)] = 0
    """Reset a connection at its Nth submit: accepted, its receipt comes on another bind, its response never does."""
    unbind_after: Annotated[int, _count(_LINE)] = 0
    """Send unbind after a connection's Nth submit."""
    silent_after: Annotated[int, _count(_LINE)] = 0
    """After a connection's Nth submit keep it open but read and answer nothing more."""
    silent_for_s: Annotated[float, _count(_LINE)] = 0.0
    """End that silence after this time and go on as if nothing had been; 0 = never."""
    enquire_link_s: Annotated[float, _count(_LINE)] = 0.0
    """Send enquire_link after this much silence of the client; no answer within ten seconds closes. 0 = never."""

    mo_every_s: Annotated[float, _count(_MO)] = 0.0
    """Send a mobile-originated message that often; 0 = never."""
    mo_text: Annotated[str, _in(_MO)] = "hello"
    """Its text."""
    mo_to: Annotated[str, _in(_MO)] = "10690000"
    """The number it is sent to."""
    mo_from: Annotated[str, _in(_MO)] = "8613800000000"
    """The subscriber it comes from."""

    seed: Annotated[int | None, _in(_RUN), FIXED] = None
    """All randomness and the first id come from this number; without it every run differs."""
    max_seconds: Annotated[float, _count(_RUN), FIXED] = 0.0
    """Stop after this time; 0 = run until SIGTERM or SIGINT."""
    ledger: Annotated[Path | None, _in(_RUN), FIXED] = None
    """Write one JSON line per submit here, when nothing more can happen to it or at the end."""
    arrivals: Annotated[Path | None, _in(_RUN), FIXED] = None
    """Write 24 octets per submit here, four times a second: when it came and its fate (bench/carrier/arrivals.py)."""
    report_every: Annotated[float, _count(_RUN), FIXED] = 0.0
    """Print a JSON line {"progress": ...} that often, in seconds: the counters and what is open; 0 = never."""
