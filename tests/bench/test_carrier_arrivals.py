"""The lean ledger: what is written is read, also while it grows, and nothing else is taken for it."""

import struct
import time

import pytest
from carrier_clock import Stage
from carrier_peer import MULTI, tlv
from hypothesis import given
from hypothesis import strategies as st

from bench.carrier.arrivals import ACCEPTED, REFUSED, SWALLOWED, Arrivals, destination_number, read_arrivals
from bench.carrier.options import Options, Refusal
from bench.carrier.parts import part_of
from protocol.pdu import DataSm, SubmitSm

SIZE = 24
octet = st.integers(0, 255)
records = st.lists(
    st.tuples(st.integers(0, 10**20), st.floats(0, 1e9), octet, octet, octet, st.integers(0, 0xFFFF)), max_size=30
)


def written(path, found):
    arrivals = Arrivals(path)
    for destination, *rest in found:
        arrivals.add(str(destination), *rest)
    arrivals.close()
    return [(number if number < 1 << 64 else 0, *rest) for number, *rest in found]


@given(found=records)
def test_what_is_written_is_read(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("arrivals") / "file"
    expected = written(path, found)
    read = read_arrivals(path)
    assert list(read) == expected
    assert len(read) == len(expected)
    assert read.end == path.stat().st_size == SIZE * (1 + len(expected))


@given(found=records, cuts=st.lists(st.integers(0, 800), max_size=6))
def test_a_growing_file_is_read_piece_by_piece(tmp_path_factory, found, cuts):
    folder = tmp_path_factory.mktemp("arrivals")
    expected = written(folder / "whole", found)
    whole = (folder / "whole").read_bytes()
    seen, offset = [], 0
    for cut in [*sorted(cuts), len(whole)]:
        (folder / "growing").write_bytes(whole[:cut])
        read = read_arrivals(folder / "growing", offset)
        assert read.end <= cut
        seen, offset = seen + list(read), read.end
    assert seen == expected


def test_the_layout_on_disk(tmp_path):
    before = time.monotonic()
    written(tmp_path / "file", [(8613800000001, 1.5, SWALLOWED, 2, 3, 0x0102)])
    data = (tmp_path / "file").read_bytes()
    magic, version, size, began = struct.unpack_from("<8sIId", data)
    assert (magic, version, size) == (b"ARRIVALS", 1, SIZE)
    assert before <= began <= time.monotonic()
    assert read_arrivals(tmp_path / "file").began == began
    assert data[SIZE:] == struct.pack("<Qd", 8613800000001, 1.5) + bytes((2, 2, 3, 0, 2, 1, 0, 0))


@pytest.mark.parametrize(
    ("destination", "number"),
    [
        ("8613800000001", 8613800000001),
        ("+8613800000001", 8613800000001),
        ("0049", 49),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 0),
        ("", 0),
        ("+", 0),
        ("++1", 0),
        ("Tensec", 0),
        ("1_000", 0),
        (" 1", 0),
        ("-1", 0),
        ("\xb2", 0),
        ("\u0663", 0),
    ],
)
def test_destinations(destination, number):
    assert destination_number(destination) == number


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"something else altogether", "no file of arrivals"),
        (b"{}", "no file of arrivals"),
        (struct.pack("<8sIId", b"ARRIVALS", 2, SIZE, 0), "version 2"),
        (struct.pack("<8sIId", b"ARRIVALS", 1, 32, 0), "32 octets"),
    ],
)
def test_other_files_are_refused(tmp_path, content, hint):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=hint):
        read_arrivals(tmp_path / "file")


def test_a_carrier_that_starts_again_begins_the_file_anew(tmp_path):
    path = tmp_path / "file"
    written(path, [(1, 1.0, 0, 1, 1)] * 3)
    old = read_arrivals(path)
    written(path, [(2, 2.0, 0, 1, 1)])
    with pytest.raises(ValueError, match="started again"):
        read_arrivals(path, old.end)
    new = read_arrivals(path)
    assert [record[0] for record in new] == [2]
    assert new.began != old.began


def test_an_offset_inside_a_record_is_refused(tmp_path):
    written(tmp_path / "file", [(1, 1.0, 0, 1, 1)])
    with pytest.raises(ValueError, match="no record begins"):
        read_arrivals(tmp_path / "file", SIZE + 1)


SAR = ((0x020C, b"\0\1"), (0x020E, b"\2"), (0x020F, b"\1"))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"short_message": b"\5\0\3\1\2\1"}, (1, 1, 0)),
        ({"esm_class": 0x40, "short_message": b"\5\0\3\1\2\1h"}, (1, 2, 1)),
        ({"esm_class": 0x40, "short_message": b"\6\x08\4\1\1\3\2h"}, (2, 3, 0x0101)),
        ({"esm_class": 0x40, "short_message": b"\x0b\5\4\1\1\1\1\0\3\1\2\2h"}, (2, 2, 1)),
        ({"esm_class": 0x40, "tlvs": ((0x0424, b"\5\0\3\1\2\2h"),)}, (2, 2, 1)),
        ({"esm_class": 0x40, "short_message": b"\5\0\3\1\2\3h"}, (1, 1, 0)),
        ({"esm_class": 0x40, "short_message": b"\5\0\3\1\2\0h"}, (1, 1, 0)),
        ({"esm_class": 0x40, "short_message": b"\5\0\3\1"}, (1, 1, 0)),
        ({"esm_class": 0x40, "short_message": b""}, (1, 1, 0)),
        ({"tlvs": SAR}, (1, 2, 1)),
        ({"tlvs": SAR[:2]}, (1, 1, 0)),
        ({"tlvs": ((0x020E, b"\1\1"), (0x020F, b"\1\1"))}, (1, 1, 0)),
    ],
)
def test_parts(fields, part):
    assert part_of(SubmitSm(destination_addr="1", **fields)) == part
    payload = fields.get("tlvs", ()) + (((0x0424, fields["short_message"]),) if "short_message" in fields else ())
    assert part_of(DataSm(esm_class=fields.get("esm_class", 0), destination_addr="1", tlvs=payload)) == part


@given(st.binary(max_size=20))
def test_any_header_gives_parts_that_make_sense(data):
    part, parts, reference = part_of(SubmitSm(destination_addr="1", esm_class=0x40, short_message=data))
    assert 1 <= part <= parts <= 255
    assert 0 <= reference <= 0xFFFF


def test_the_carrier_writes_one_record_for_each_destination(tmp_path):
    stage = Stage(options=Options(refuse=(Refusal.parse("^86170=0x0B"),)))
    stage.smsc.arrivals = Arrivals(tmp_path / "file")
    client = stage.client()
    before = time.monotonic()
    client.submit("8613800000001", b"\5\0\3\1\2\2h", esm_class=0x40)
    client.submit("8613800000001", tlvs=tlv(0x020C, b"\0\1") + tlv(0x020E, b"\4") + tlv(0x020F, b"\3"))
    client.submit("+8617000000001")
    client.submit("8617000000001")
    dests = b"".join(b"\1\1\1" + number + b"\0" for number in (b"8613800000005", b"8617000000006"))
    client.send(MULTI, b"\0\0\x0110690000\0\2" + dests + b"\0\0\0\0\0\1\0\0\0\2hi")
    assert len(read_arrivals(tmp_path / "file")) == 0
    stage.clock.advance(0.3)  # a sweep
    found = list(read_arrivals(tmp_path / "file"))
    assert [(number, *rest) for number, _, *rest in found] == [
        (8613800000001, ACCEPTED, 2, 2, 1),
        (8613800000001, ACCEPTED, 3, 4, 1),
        (8617000000001, ACCEPTED, 1, 1, 0),
        (8617000000001, REFUSED, 1, 1, 0),
        (8613800000005, ACCEPTED, 1, 1, 0),
        (8617000000006, REFUSED, 1, 1, 0),
    ]
    times = [record[1] for record in found]
    assert before <= times[0] <= times[-1] <= time.monotonic()
    assert times == sorted(times)
    stage.smsc.finish()


def test_swallowed_submits_and_the_end_are_in_it(tmp_path):
    stage = Stage(options=Options(loss=1.0))
    stage.smsc.arrivals = Arrivals(tmp_path / "file")
    stage.client().submit()
    stage.smsc.finish()
    assert [record[2] for record in read_arrivals(tmp_path / "file")] == [SWALLOWED]
