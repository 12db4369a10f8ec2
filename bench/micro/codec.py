"""CPU microseconds per PDU: our codec against smpplib's, in one run, taking turns.

    python -m bench.micro.codec [--quick] [--repeats N] [--figures FILE]

Ours decodes one read holding 50 PDUs and encodes 50 PDUs into one buffer, as the gateway does under load: compiled, where that
was possible, and in Python. smpplib gets one whole PDU at a time, cut out for it beforehand. Encoding includes building it.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from smpplib import smpp as _smpp

from bench.micro.rounds import REPEATS, ROUND_S, Job, as_the_core, figure, in_turn, options_for, plain, spread, write_figures
from protocol import fast, hot, receipt
from protocol.codec import PDU_SIZE_MAX, to_bytes
from protocol.pdu import DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp
from protocol.receipt import MessageState
from protocol.tlv import Tag

smpp: Any = _smpp  # it has no annotations

BATCH = 50
OF = ("codec", "codec.python", "smpplib")
Read: TypeAlias = Callable[[bytes, int, int, list[Any]], int]
Write: TypeAlias = Callable[[Pdu, bytearray], bool]

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


def decode_ours(case: Case, read: Read) -> Callable[[], object]:
    octets = b"".join(to_bytes(case.ours(number)) for number in range(1, BATCH + 1))
    return lambda: read(octets, 0, PDU_SIZE_MAX, [])


def decode_smpplib(case: Case) -> Callable[[], object]:
    whole = [to_bytes(case.ours(number)) for number in range(1, BATCH + 1)]

    def run() -> None:
        for raw in whole:
            smpp.parse_pdu(raw, sequence=0)

    return run


def encode_ours(case: Case, write: Write) -> Callable[[], object]:
    make = case.ours

    def run() -> None:
        out = bytearray()
        for number in range(1, BATCH + 1):
            write(make(number), out)

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


def jobs(case: Case) -> list[tuple[Job, ...]]:
    """For both directions: ours as it is used, the same in Python, smpplib's."""
    decoders = decode_ours(case, hot.read), decode_ours(case, fast.read), decode_smpplib(case)
    encoders = encode_ours(case, hot.write), encode_ours(case, fast.write), encode_smpplib(case)
    return [
        tuple(plain(f"{of}.{verb}.{case.name}", BATCH, run) for of, run in zip(OF, several, strict=True))
        for verb, several in (("decode", decoders), ("encode", encoders))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU microseconds per PDU, ours and smpplib's")
    options_for(parser)
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"rounds per measurement (default {REPEATS})")
    options = parser.parse_args()
    repeats, round_s = (3, ROUND_S / 5) if options.quick else (options.repeats, ROUND_S)
    as_the_core()
    found = []
    columns = ("compiled" if hot.compiled else "ours", "in Python", "smpplib")
    print(f"{'CPU us per PDU':30} {'octets':>6} {' '.join(f'{one:>14}' for one in columns)} {'ratio':>7}")
    for case in CASES:
        check(case)
        for several in jobs(case):
            runs_of = zip(several, in_turn(several, repeats, round_s), strict=True)
            ours, in_python, theirs = (figure(f"{job.name}_us", runs) for job, runs in runs_of)
            found += [ours, in_python]
            row = " ".join(f"{f'{one.value:.2f} ±{spread(one.runs):.0f}%':>14}" for one in (ours, in_python, theirs))
            print(f"{several[0].name:30} {case.size:6} {row} {theirs.value / ours.value:6.1f}x", flush=True)
    write_figures(found, options.figures)


if __name__ == "__main__":
    main()
