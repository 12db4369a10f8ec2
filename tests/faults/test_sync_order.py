"""Accepted, sent and acknowledged only after the disk has confirmed: seen from outside, in the order of the system calls."""

import os
import signal

import pytest
from esme_client import bound
from gateway_process import TENSEC, account, channel, route, wait_for
from mutants import launcher
from syscalls import Event, disorder, events, strace, why_not

from protocol.commands import Command

faults = pytest.mark.faults
TO = "8613912345678"


def line(call, octets=b"", result=1, task=100, tail=", 0, NULL, NULL"):
    """One line of strace."""
    text = "".join(f"\\x{octet:02x}" for octet in octets)
    return f'{task} {call}(3, "{text}", 65536{tail}) = {result}'


def pdu(command):
    return (20).to_bytes(4, "big") + int(command).to_bytes(4, "big") + bytes(12)


def story(*steps):
    """Lines of a trace: a command goes out, -command comes in, None is a sync."""
    for step in steps:
        if step is None:
            yield "101 fdatasync(7) = 0"
        else:
            yield line("sendto", pdu(step)) if step > 0 else line("recvfrom", pdu(-step))


SUBMIT, SUBMITTED, DELIVER, DELIVERED = Command.SUBMIT_SM, Command.SUBMIT_SM_RESP, Command.DELIVER_SM, Command.DELIVER_SM_RESP
ORDERLY = (-SUBMIT, None, SUBMITTED, None, SUBMIT, -SUBMITTED, None, -DELIVER, None, DELIVERED, DELIVER, -DELIVERED)


def test_lines_of_a_trace():
    lines = [
        line("recvfrom", pdu(SUBMIT) + pdu(SUBMIT)),
        "101 fdatasync(7 <unfinished ...>",
        line("sendto", pdu(SUBMIT)),
        "101 <... fdatasync resumed>) = 0",
        "101 fsync(8) = -1 EIO (Input/output error)",
        line("recvfrom", result=-1),
        line("write", b"no PDU at all, but long enough"),
        "100 +++ exited with 0 +++",
    ]
    came = Event("in", SUBMIT)
    assert list(events(lines)) == [came, came, Event("out", SUBMIT), Event("sync")]


def test_order_and_disorder():
    assert disorder(events(story(*ORDERLY))) == []
    for at in (1, 3, 8):
        missing = [step for number, step in enumerate(ORDERLY) if number != at]
        assert disorder(events(story(*missing))), f"without sync {at}"
    assert disorder(events(story(*(step for step in ORDERLY if step is not None))))
    assert len(disorder([])) == 4


def trace(start, scripted, output, store, command):
    """The events of one message's whole life, after a first one has warmed everything up."""
    gateway = start.gateway(
        launcher=strace(output, command),
        accounts=[account()],
        channels=[channel("one", scripted.port)],
        routes=[route("one")],
        store=store,
    )
    core = gateway.wait_log("listening")["pid"]
    try:
        carrier = scripted.accept()
        with bound(gateway.port) as client:
            for done in (1, 2):
                assert client.submit(TO).status == 0
                submit, message_id = scripted.take_submit(carrier)
                assert scripted.deliver(carrier, submit, message_id) == 0
                client.receipt()
                wait_for(lambda done=done: gateway.finals() == {"delivered": done})
    finally:
        os.kill(core, signal.SIGTERM)  # strace passes nothing on; it ends with the core
        scripted.close()
    assert gateway.wait() == 0
    found = list(events(output.read_text(encoding="ascii", errors="replace").splitlines()))
    second = [at for at, event in enumerate(found) if event == Event("in", SUBMIT)][1]
    return found[second:]


@pytest.fixture
def traced(start, scripted, tmp_path, embedded):
    if reason := why_not():
        pytest.skip(reason)
    return lambda command: trace(start, scripted, tmp_path / "strace.out", embedded, command)


@faults
def test_nothing_is_said_before_it_is_stored(traced):
    assert disorder(traced(TENSEC)) == []


@faults
def test_a_store_that_does_not_sync_is_noticed(traced):
    found = disorder(traced(launcher("no-sync")))
    assert found
    assert all("syncs between" in one for one in found), found
