"""Compiled or not, the hot functions give the same; what could be compiled is used, unless somebody says otherwise."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import fast, hot
from protocol.codec import PDU_SIZE_MAX, encode_by_table
from protocol.errors import LocalProtocolError
from protocol.framing import Framer, Item
from protocol.pdu import DeliverSm, Pdu, SubmitSm, SubmitSmResp
from tests.protocol.strategies import mutated, pdus, streams

ROOT = Path(__file__).parent.parent.parent
SUBMIT = SubmitSm(7, source_addr="10690000123", destination_addr="8613800138000", short_message=b"hello")


@pytest.fixture(scope="module", autouse=True)
def _hot_functions() -> None:
    """As they are: here both kinds are named."""


@pytest.fixture(scope="module")
def native() -> ModuleType:
    return pytest.importorskip("protocol.native", exc_type=ImportError)


def items_of(module: ModuleType, stream: bytes) -> list[Item]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hot, "read", module.read)
        return Framer().feed(stream)


def told(items: list[Item]) -> list[str]:
    return [repr(item) if isinstance(item, Pdu) else f"{type(item).__name__} {item}" for item in items]


@given(mutated(streams) | streams)
@settings(max_examples=500)
def test_a_stream_gives_the_same_compiled_and_in_python(native: ModuleType, stream: bytes) -> None:
    assert told(items_of(native, stream)) == told(items_of(fast, stream))


@given(st.lists(pdus, max_size=4), st.integers(0, 16))
def test_reading_stops_behind_the_last_whole_pdu(native: ModuleType, several: list[Pdu], cut: int) -> None:
    out = bytearray()
    ends = [0, *((native.write(pdu, out), len(out))[1] for pdu in several)]
    for module in (native, fast):
        found: list[Pdu] = []
        stop = module.read(bytes(out)[: len(out) - cut], 0, PDU_SIZE_MAX, found)
        assert stop in ends
        assert stop <= max(len(out) - cut, 0)


@pytest.mark.parametrize("module", ["fast", "native"])
@pytest.mark.parametrize(
    "fields",
    [
        {"source_addr": 5},
        {"source_addr": None},
        {"short_message": "text"},
        {"short_message": bytearray(b"text")},
        {"short_message": bytearray(b"text"), "tlvs": ((5, b"x"),)},
        {"short_message": bytes(255)},
        {"esm_class": 3.5},
        {"esm_class": 10**30},
        {"esm_class": -1},
        {"esm_class": None},
        {"sequence": "7"},
        {"sequence": 1 << 32},
        {"status": 10**20},
        {"validity_period": "1"},
        {"tlvs": ((5, b"x", b"y"),)},
        {"tlvs": ((5, "x"),)},
        {"tlvs": (("5", b"x"),)},
        {"tlvs": ((1 << 16, b"x"),)},
        {"tlvs": ((5, bytes(1 << 16)),)},
    ],
    ids=str,
)
def test_what_no_octets_can_hold_is_left_to_the_table_and_the_buffer_stays(module: str, fields: dict[str, object]) -> None:
    functions = fast if module == "fast" else pytest.importorskip("protocol.native", exc_type=ImportError)
    pdu = msgspec.structs.replace(SUBMIT, **fields)
    out = bytearray(b"before")
    try:
        written = functions.write(pdu, out)
    except (TypeError, AttributeError, ValueError):
        written = False
        assert functions is fast  # it lets Python say so, as the table does
    by_table = bytearray(b"before")
    try:
        encode_by_table(pdu, by_table)
    except (TypeError, AttributeError, LocalProtocolError):
        assert not written
        assert by_table == b"before", "half a PDU would be the end of the stream"
    assert out == (by_table if written else b"before")


@given(
    st.just(int(SubmitSmResp.command_id)) | st.integers(-1, 1 << 33),
    st.integers(-1, 1 << 33),
    st.text(max_size=70) | st.text("0123456789", max_size=70),
)
def test_an_answer_with_an_id_is_the_same(native: ModuleType, command_id: int, sequence: int, message_id: str) -> None:
    answer = native.ok_with_id(command_id, sequence, message_id)
    assert answer == fast.ok_with_id(command_id, sequence, message_id)


def test_pdus_read_by_compiled_code_hold_what_any_other_object_holds(native: ModuleType) -> None:
    """Changing one, comparing and copying it work as ever, and nothing is shared with the octets it came from."""
    octets = bytearray()
    assert native.write(SUBMIT, octets)
    found: list[SubmitSm] = []
    native.read(bytes(octets), 0, PDU_SIZE_MAX, found)
    (pdu,) = found
    assert pdu == SUBMIT
    pdu.destination_addr = "4912345"
    pdu.tlvs = ((5, b"x"),)
    again = bytearray()
    assert native.write(pdu, again)
    assert msgspec.structs.replace(pdu, tlvs=(), destination_addr=SUBMIT.destination_addr) == SUBMIT
    native.read(bytes(again), 0, PDU_SIZE_MAX, found)
    assert found[1] == pdu
    assert not isinstance(found[1], DeliverSm)


def run(code: str, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != hot.PURE_PYTHON} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout


def test_what_could_be_compiled_is_used() -> None:
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    if shutil.which("cc") is None or not headers.exists() or "CC" in os.environ:
        pytest.skip("no C compiler, or no headers of this Python")
    assert run("from protocol import hot; print(hot.compiled, hot.read.__module__)").split() == ["True", "protocol.native"]


def test_nothing_compiled_is_used_when_the_environment_says_so() -> None:
    code = "from protocol import hot; print(hot.compiled, hot.read.__module__)"
    assert run(code, **{hot.PURE_PYTHON: "1"}).split() == ["False", "protocol.fast"]


@given(mutated(st.just(b"id:7f sub:001 dlvrd:001 submit date:2611290800 done date:2611290801 stat:DELIVRD err:000 text:a")))
@settings(max_examples=500)
def test_a_receipt_gives_the_same_words_compiled_and_in_python(native: ModuleType, text: bytes) -> None:
    assert native.receipt_words(text) == fast.receipt_words(text)
