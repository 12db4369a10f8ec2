"""Connections of the generator: what it reads in receipts of every kind, and how it calls what goes wrong."""

import asyncio

import pytest
from test_load_traffic import traffic

from bench.load.smpp import SmppLine
from protocol import codec
from protocol.pdu import BindTransceiver, BindTransceiverResp, DataSm, DataSmResp, SubmitSmResp


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written = b""

    def is_closing(self):
        return False

    def write(self, data):
        self.written += data

    def close(self):
        pass


def octets(*pdus):
    out = bytearray()
    for pdu in pdus:
        codec.encode(pdu, out)
    return bytes(out)


async def bound(made):
    line = SmppLine(made, made.groups[0], 10, BindTransceiver)
    line.connection_made(Wire())
    line.bind(made.order.classes[0].login)
    line.data_received(octets(BindTransceiverResp(1, system_id="x")))
    await line.bound
    return line


def play(scene):
    """Without trio, which the other tests run on."""
    with asyncio.Runner() as runner:
        return runner.run(scene())


TLVS = ((0x001E, b"abc\0"), (0x0427, b"\2"))
TEXT = b"id:abc sub:001 dlvrd:001 submit date:2401010000 done date:2401010000 stat:DELIVRD err:000 text:"


@pytest.mark.parametrize("tlvs", [TLVS, ((0x0424, TEXT),)])
def test_receipts_in_data_sm_are_read_and_acknowledged(tlvs):
    async def scene():
        made = traffic()
        line = await bound(made)
        line._transport.written = b""
        line.data_received(octets(DataSm(7, tlvs=tlvs, esm_class=4)))
        return made, line._transport.written

    made, written = play(scene)
    assert list(made.early) == [b"abc"]
    assert not made.errors
    assert written == octets(DataSmResp(7))


def test_one_kind_of_error_is_one_whatever_its_sequence_number():
    async def scene():
        made = traffic()
        line = await bound(made)
        for sequence in (71, 72, 73):
            line.data_received(octets(SubmitSmResp(sequence, message_id="x")))
        return made.errors

    assert list(play(scene).values()) == [3]
