"""CPU microseconds per PDU: our codec against smpplib's, in one run, taking turns.

    python -m bench.micro.codec [--json FILE] [--repeats N]

Ours decodes through `Framer.feed`, one read holding 50 PDUs, and encodes 50 PDUs into one buffer: what the gateway does under
load. smpplib gets one whole PDU at a time, cut out for it beforehand. Encoding includes building the PDU, for both.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from smpplib import smpp as _smpp

from protocol import receipt
from protocol.codec import encode, to_bytes
from protocol.framing import Framer
from protocol.pdu import DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp
from protocol.receipt import MessageState
from protocol.tlv import Tag

smpp: Any = _smpp  # it has no annotations

BATCH = 50
ROUND_S = 0.1
"""CPU seconds one measurement takes, about."""

MESSAGE_ID = "0a1b2c3d4e5f6071"
TEXT = ("您的验证码是 482913，五分钟内有效，请勿告诉他人。" * 3)[:53].encode("utf-16-be")
RECEIPT = (
    f"id:{MESSAGE_ID} sub:001 dlvrd:001 submit date:2611220258 done date:2611220258 stat:DELIVRD err:000 text:hello".encode()
)
ADDRESSES: dict[str, Any] = {
    "source_addr_ton": 0,
    "source_addr_npi": 1,
    "source_addr": "10690000123",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "8613800138000",
}
SUBMIT: dict[str, Any] = {**ADDRESSES, "registered_delivery": 1, "data_coding": 8, "short_message": TEXT}
DELIVER: dict[str, Any] = {**ADDRESSES, "esm_class": receipt.RECEIPT, "short_message": RECEIPT}
DELIVER_TLVS = (
    (int(Tag.NETWORK_ERROR_CODE), b"\x03\x00\x00"),
    (int(Tag.MESSAGE_STATE), bytes((MessageState.DELIVERED,))),
    (int(Tag.RECEIPTED_MESSAGE_ID), MESSAGE_ID.encode() + b"\0"),
)
SMPPLIB_TLVS: dict[str, Any] = {
    "network_error_code": b"\x03\x00\x00",
    "message_state": MessageState.DELIVERED,
    "receipted_message_id": MESSAGE_ID,
}


class Case(NamedTuple):
    """One PDU, made by us and by smpplib."""

    name: str
    size: int
    ours: Callable[[int], Pdu]
    smpplib: Callable[[int], Any]


class Result(NamedTuple):
    """Medians in microseconds; the spreads are half the distance from the fastest to the slowest round, in per cent."""

    what: str
    size: int
    ours_us: float
    ours_spread: float
    smpplib_us: float
    smpplib_spread: float

    @property
    def ratio(self) -> float:
        return self.smpplib_us / self.ours_us


CASES = (
    Case(
        "submit_sm",
        163,
        lambda number: SubmitSm(number, **SUBMIT),
        lambda number: smpp.make_pdu("submit_sm", sequence=number, **SUBMIT),
    ),
    Case(
        "submit_sm_resp",
        33,
        lambda number: SubmitSmResp(number, message_id=MESSAGE_ID),
        lambda number: smpp.make_pdu("submit_sm_resp", sequence=number, message_id=MESSAGE_ID),
    ),
    Case(
        "deliver_sm",
        203,
        lambda number: DeliverSm(number, tlvs=DELIVER_TLVS, **DELIVER),
        lambda number: smpp.make_pdu("deliver_sm", sequence=number, **DELIVER, **SMPPLIB_TLVS),
    ),
    Case(
        "deliver_sm_resp",
        17,
        DeliverSmResp,
        lambda number: smpp.make_pdu("deliver_sm_resp", sequence=number),
    ),
)


def decode_ours(case: Case) -> Callable[[], object]:
    read = b"".join(to_bytes(case.ours(number)) for number in range(1, BATCH + 1))
    framer = Framer()
    return lambda: framer.feed(read)


def decode_smpplib(case: Case) -> Callable[[], object]:
    whole = [to_bytes(case.ours(number)) for number in range(1, BATCH + 1)]

    def run() -> None:
        for raw in whole:
            smpp.parse_pdu(raw, sequence=0)

    return run


def encode_ours(case: Case) -> Callable[[], object]:
    make = case.ours

    def run() -> None:
        out = bytearray()
        for number in range(1, BATCH + 1):
            encode(make(number), out)

    return run


def encode_smpplib(case: Case) -> Callable[[], object]:
    make = case.smpplib

    def run() -> None:
        for number in range(1, BATCH + 1):
            make(number).generate()

    return run


def check(case: Case) -> None:
    """Both libraries must be doing the same work."""
    raw = to_bytes(case.ours(7))
    assert len(raw) == case.size, f"{case.name} has {len(raw)} octets"
    theirs = case.smpplib(7)
    theirs._sequence = 7  # it gives 0 otherwise
    assert theirs.generate() == raw, f"{case.name}: smpplib's octets differ"


def per_pdu_us(run: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) * 1e6 / (calls * BATCH)


def calls_for(run: Callable[[], object]) -> int:
    """How many calls fill a round; the first ones warm up."""
    per_pdu_us(run, 3)
    return max(1, round(ROUND_S * 1e6 / (per_pdu_us(run, 5) * BATCH)))


def measure(what: str, size: int, ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> Result:
    ours_calls, their_calls = calls_for(ours), calls_for(theirs)
    rounds = [(per_pdu_us(ours, ours_calls), per_pdu_us(theirs, their_calls)) for _ in range(repeats)]
    (ours_us, ours_spread), (their_us, their_spread) = (summary(column) for column in zip(*rounds, strict=True))
    return Result(what, size, ours_us, ours_spread, their_us, their_spread)


def summary(values: tuple[float, ...]) -> tuple[float, float]:
    middle = statistics.median(values)
    return middle, (max(values) - min(values)) / 2 / middle * 100


def table(results: list[Result]) -> str:
    lines = [f"{'CPU us per PDU':24} {'octets':>6} {'ours':>14} {'smpplib':>14} {'ratio':>7}"]
    for r in results:
        ours, theirs = f"{r.ours_us:.2f} ±{r.ours_spread:.0f}%", f"{r.smpplib_us:.2f} ±{r.smpplib_spread:.0f}%"
        lines.append(f"{r.what:24} {r.size:6} {ours:>14} {theirs:>14} {r.ratio:6.1f}x")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU microseconds per PDU, ours and smpplib's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--repeats", type=int, default=7, help="rounds per measurement (default 7)")
    options = parser.parse_args()
    results = []
    for case in CASES:
        check(case)
        for verb, ours, theirs in (("decode", decode_ours, decode_smpplib), ("encode", encode_ours, encode_smpplib)):
            results.append(measure(f"{verb} {case.name}", case.size, ours(case), theirs(case), options.repeats))
    print(table(results))
    if options.json:
        python = platform.python_version()
        found = {"python": python, "repeats": options.repeats, "results": [{**r._asdict(), "ratio": r.ratio} for r in results]}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
