"""Every record of the conformance corpus holds, read by kind.

`TENSEC_VECTORS` in the environment names another file of the same form. A record that fails prints its id and the
difference. A list where a scalar is expected means: any of these. Kinds that belong to routing and policy are left to
the tests there.
"""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocol import address, gsm7, receipt, text, times, udh
from protocol.codec import HEADER, to_bytes
from protocol.commands import RESPONSE_BIT, Command, command_name
from protocol.errors import ContentError, FramingError, PduError
from protocol.events import Answered, Ended
from protocol.framing import Framer
from protocol.ids import canonical_id
from protocol.pdu import BY_COMMAND, BindTransceiver, DeliverSm, EnquireLink, GenericNack, Pdu, SubmitSm, response_to
from protocol.segment import billing_parts_cn, split_text, utf16_units
from protocol.session import Session
from protocol.states import Role, State
from protocol.validate import submit_status
from routing.failover import STATUS_CLASSES, classify
from tests.protocol.reading import decode_body

FILE = Path(os.environ.get("TENSEC_VECTORS") or Path(__file__).parent.parent / "vectors" / "visible.jsonl")
ELSEWHERE = {"cn_segment", "optout_mo", "cn_signature"}
LISTS = {"pdus", "lengths", "tlvs", "candidates", "network_error", "unsuccess"}


def records() -> list[Any]:
    with FILE.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines if line.strip()]
    return [pytest.param(r, id=r["id"]) for r in found if r["kind"] not in ELSEWHERE]


def same(expected: Any, got: Any, key: str = "") -> bool:
    if isinstance(expected, list) and key not in LISTS:
        return any(same(one, got) for one in expected)
    if isinstance(got, datetime) and isinstance(expected, str):
        return datetime.fromisoformat(expected) == got
    return bool(expected == got)


def check(record: dict[str, Any], got: dict[str, Any]) -> None:
    wrong = {k: (v, got.get(k, "<missing>")) for k, v in record["expect"].items() if not same(v, got.get(k, "<missing>"), k)}
    report = "\n".join(f"  {key}: expected {want!r}, got {have!r}" for key, (want, have) in wrong.items())
    assert not wrong, f"{record['id']} ({record['basis']}; {record.get('note')}):\n{report}"


def as_expected(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [as_expected(one) for one in value]
    return int(value) if isinstance(value, int) else value


def pdu_decode(record: dict[str, Any]) -> dict[str, Any]:
    raw = bytes.fromhex(record["input"]["hex"])
    length, command, status, sequence = HEADER.unpack_from(raw)
    pdu = decode_body(raw, 16, len(raw), command, status, sequence)
    got: dict[str, Any] = {
        "command_length": length,
        "command_id": f"0x{command:08X}",
        "command": command_name(command),
        "status": pdu.status,
        "seq": pdu.sequence,
        "tlvs": [[f"0x{tag:04X}", value.hex()] for tag, value in pdu.tlvs],
        "trailing": len(pdu.trailing),
    }
    wanted = record["expect"].get("fields", {})
    found = {name: as_expected(getattr(pdu, name, None)) for name in wanted}
    if "sm_length" in wanted:
        found["sm_length"] = len(pdu.short_message)  # type: ignore[attr-defined]
    got["fields"] = found
    if "reply_hex" in record["expect"]:
        got["reply_hex"] = to_bytes(response_to(pdu)).hex()
    return got


def session_in(state: str, role: Role, outstanding: tuple[tuple[str, int], ...] = ()) -> Session:
    session = Session(role, 0.0)
    session.state = State[state]
    for command, sequence in outstanding:
        session.window.open(Command[command.upper()], [(sequence, "ours", 0)], 0.0)
    return session


def framed(data: bytes) -> list[Pdu]:
    return [pdu for pdu in Framer().feed(data) if isinstance(pdu, Pdu)]


def malformed(record: dict[str, Any]) -> dict[str, Any]:
    wanted = record["expect"]["reply"]
    deliver = wanted is not None and wanted["command"] == "deliver_sm_resp" and record["expect"].get("role") != "server"
    session = session_in(record["input"]["session_state"], Role.ESME if deliver else Role.SMSC)
    events = session.receive_data(bytes.fromhex(record["input"]["hex"]), 0.0)
    got: dict[str, Any] = {"close": any(isinstance(e, Ended) for e in events), "reply_optional": True, "role": "server"}
    if record["expect"]["close"] is None:
        got["close"] = None if not got["close"] else True
    for event in events:  # what the owner of the session does
        if isinstance(event, SubmitSm):
            session.respond(response_to(event, submit_status(event)))
        elif isinstance(event, DeliverSm):
            parsed = receipt.parse(event.esm_class, event.short_message, event.tlvs)
            assert parsed is not None
            got["receipt"] = {"id": parsed.id, "state": parsed.state.name}
            session.respond(response_to(event))
    sent = framed(session.data_to_send())
    assert len(sent) <= 1, f"{record['id']}: more than one answer: {sent}"
    got["reply"] = None
    if sent:
        reply = {"command": command_name(sent[0].command_id), "status": sent[0].status, "seq": sent[0].sequence}
        agrees = wanted is not None and all(same(wanted[k], reply[k]) or wanted[k] is None for k in wanted)
        got["reply"] = wanted if agrees else reply
    return got


def receipts(record: dict[str, Any]) -> dict[str, Any]:
    given = record["input"]
    raw = (
        bytes.fromhex(given["short_message_hex"]) if "short_message_hex" in given else given["short_message"].encode("latin-1")
    )
    tlvs = tuple((int(tag, 16), bytes.fromhex(value)) for tag, value in given["tlvs"])
    parsed = receipt.parse(given["esm_class"], raw, tlvs)
    if parsed is None:
        return {"is_receipt": False}
    state = parsed.state.name
    return {
        "is_receipt": True,
        "id": parsed.id,
        "candidates": parsed.candidates,
        "state": state,
        "final": None if state == "UNKNOWN" and record["expect"].get("final", 0) is None else parsed.final,
        "err": parsed.err,
        "sub": parsed.sub,
        "dlvrd": parsed.dlvrd,
        "submit_date": parsed.submit_date,
        "done_date": parsed.done_date,
        "text": parsed.text,
        "raw_stat": parsed.raw_stat,
        "network_error": list(parsed.network_error) if parsed.network_error else None,
    }


def id_match(record: dict[str, Any]) -> dict[str, Any]:
    given = record["input"]
    ours = canonical_id(given["resp_id"], given["rule"]["resp"])
    return {"match": ours == canonical_id(given["receipt_id"], given["rule"]["receipt"])}


def stream(record: dict[str, Any]) -> dict[str, Any]:
    framer = Framer()
    got: dict[str, Any] = {"pdus": [], "error": None, "close": False}
    for chunk in record["input"]["chunks"]:
        for item in framer.feed(bytes.fromhex(chunk)):
            if isinstance(item, FramingError):
                got["close"] = True
                got["error"] = "command_length" if "command_length" in item.reason else item.reason
            elif isinstance(item, PduError):
                got["pdus"].append(["unknown", item.sequence])
            else:
                got["pdus"].append([command_name(item.command_id), item.sequence])
    return got


def sequence(record: dict[str, Any]) -> dict[str, Any]:
    given = record["input"]
    if "last" in given:
        session = Session(Role.ESME, 0.0, first_sequence=given["last"])
        session.window.take_sequence()
        for taken in given["in_flight"]:
            session.window.open(Command.SUBMIT_SM, [(taken, None, 0)], 0.0)
        return {"next": session.window.take_sequence()}
    if "received" in given:
        cls = BY_COMMAND[Command[given["command"].upper()]]
        session = session_in("BOUND_TRX", Role.ESME)
        for event in session.receive_data(to_bytes(cls(given["received"])), 0.0):
            if isinstance(event, Pdu):
                session.respond(response_to(event))
        return {"reply_seq": framed(session.data_to_send())[0].sequence}
    session = session_in("BOUND_TRX", Role.ESME, tuple((c, s) for c, s in given["ours_in_flight"]))
    name, number = given["response"]
    pdu = GenericNack(number, 3) if name == "generic_nack" else BY_COMMAND[Command[name.upper()]](number)
    answered = [e for e in session.receive_data(to_bytes(pdu), 0.0) if isinstance(e, Answered)]
    return {"completes": bool(answered), "outcome": "failed" if answered and answered[0].answer.status else "ok"}


def time(record: dict[str, Any]) -> dict[str, Any]:
    now = datetime.fromisoformat(record["input"]["now"])
    raw = record["input"]["smpp_time"]
    try:
        parsed = times.parse_time(raw)
    except ContentError:
        return {"error": True}
    got: dict[str, Any] = {"error": False, "null": parsed is None}
    if isinstance(parsed, times.Relative):
        got["relative"] = parsed._asdict()
    elif parsed is not None:
        utc = times.resolve(raw, now)
        assert utc is not None
        got |= {"absolute": parsed, "utc": utc, "in_past": utc < now}
    return got


def status(record: dict[str, Any]) -> dict[str, Any]:
    kind = classify(int(record["input"]["command_status"], 16))
    rule = STATUS_CLASSES[kind]
    code = int(record["input"]["command_status"], 16)
    return {"class": kind, "retry_same_channel": rule.same_channel(code), "try_other_channel": rule.other_channel}


def content(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except ContentError as error:
        return {"error": "too_long" if "parts, at most" in str(error) else True, "encodable": False}


def text_of(given: dict[str, Any]) -> str:
    if "text_repeat" in given:
        return str(given["text_repeat"][0] * given["text_repeat"][1])
    if "text_hex_utf16" in given:
        return bytes.fromhex(given["text_hex_utf16"]).decode("utf-16-be", "surrogatepass")
    return str(given["text"])


def segment(record: dict[str, Any]) -> dict[str, Any]:
    whole = text_of(record["input"])
    bits = 16 if record["input"]["ref"] == "16bit" else 8

    def cut() -> dict[str, Any]:
        found = split_text(whole, bits)
        header = {8: 6, 16: 7}[bits] if len(found.parts) > 1 else 0
        return {
            "data_coding": found.data_coding,
            "unit": "septets" if found.data_coding == 0 else "octets",
            "parts": len(found.parts),
            "lengths": [len(part) for part in found.parts],
            "udh_octets": header,
            "utf16_units": utf16_units(whole),
            "cn_billing_parts": billing_parts_cn(whole),
        }

    return content(cut)


def user_data_header(record: dict[str, Any]) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        found = udh.parse(bytes.fromhex(record["input"]["hex"]))
        ports = {"dest": found.dest_port, "src": found.source_port} if found.dest_port is not None else None
        return {
            "body": found.body.hex(),
            "concat": found.concat._asdict() if found.concat else None,
            "ports": ports,
            "single_shift": found.single_shift,
            "locking_shift": found.locking_shift,
        }

    return content(read)


def data_coding(record: dict[str, Any]) -> dict[str, Any]:
    found = text.coding(int(record["input"]["data_coding"], 16))
    return {"alphabet": found.alphabet, "class": found.message_class, "flash": found.flash}


def addresses(record: dict[str, Any]) -> dict[str, Any]:
    given = record["input"]
    if "pdu_src" in given:
        pdu = SubmitSm(source_addr=given["pdu_src"], source_addr_ton=given["ton"], destination_addr="8613800138000")
        raw = to_bytes(pdu)
        return {"addr": framed(raw)[0].source_addr}  # type: ignore[attr-defined]
    make = address.international if "raw" in given else address.sender
    return content(lambda: make(given.get("raw", given.get("sender")))._asdict())


KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "pdu_decode": pdu_decode,
    "malformed": malformed,
    "receipt": receipts,
    "id_match": id_match,
    "stream": stream,
    "sequence": sequence,
    "time": time,
    "status": status,
    "segment": segment,
    "udh": user_data_header,
    "data_coding": data_coding,
    "address": addresses,
    "gsm7_encode": lambda r: content(lambda: {"hex": gsm7.encode(r["input"]["text"]).hex(), "encodable": True}),
    "gsm7_decode": lambda r: {"text": gsm7.decode(bytes.fromhex(r["input"]["hex"]))},
    "ucs2_encode": lambda r: content(lambda: {"hex": text.encode_ucs2(text_of(r["input"])).hex()}),
    "ucs2_decode": lambda r: {"text": text.decode_ucs2(bytes.fromhex(r["input"]["hex"]))},
}


@pytest.mark.parametrize("record", [r for r in records() if r.values[0]["kind"] != "session"])
def test_record_holds(record: dict[str, Any]) -> None:
    check(record, KINDS[record["kind"]](record))


def test_every_kind_of_the_corpus_is_read() -> None:
    """A corpus with a kind nobody reads would pass without being looked at. `session` records are stories in words: each has
    a scenario of its own in test_session_vectors.py.
    """
    kinds = {r.values[0]["kind"] for r in records()}
    assert kinds <= KINDS.keys() | {"session"}
    assert BindTransceiver.command_id | RESPONSE_BIT in BY_COMMAND
    assert EnquireLink.command_id in BY_COMMAND
