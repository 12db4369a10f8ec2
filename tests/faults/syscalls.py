"""What a process asked of the kernel, in order: PDUs in and out of its sockets, and the writes it waited for.

`strace` makes the command line, `events` reads the output. `disorder` checks the orders on which everything rests: nothing is
answered, sent or acknowledged before the disk has said that it is stored. A trace holds one message at a time.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from protocol.commands import Command

CALLS = "fsync,fdatasync,sendto,sendmsg,write,recvfrom,recvmsg,read"
_START = re.compile(r"^\d+ +(\w+)\((.*)$")
_RESUMED = re.compile(r"^\d+ +<\.\.\. (\w+) resumed>(.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_RESULT = re.compile(r"= (-?\d+)")
SYNCS = ("fsync", "fdatasync")
OUTS = ("sendto", "sendmsg", "write")
INS = ("recvfrom", "recvmsg", "read")


class Event(NamedTuple):
    """`kind` is in, out or sync; `command` of the PDU."""

    kind: str
    command: Command | None = None


def strace(output: Path, command: Iterable[str]) -> tuple[str, ...]:
    """`command` with its system calls written to `output`."""
    return (
        "strace",
        "-f",
        "-qq",
        "-xx",
        "-s",
        "65536",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(output),
        *command,
    )


def why_not() -> str:
    """Why strace cannot be used here; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-f", "-qq", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()[-200:]}" if done.returncode else ""


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Octets leave when a call starts and have come when it returns; a sync counts when it has returned 0."""
    begun: dict[str, str] = {}
    for line in lines:
        task = line.split(" ", 1)[0]
        start, resumed = _START.match(line), _RESUMED.match(line)
        if start is not None:
            call, rest = start.groups()
            if call in OUTS:
                yield from (Event("out", one) for one in _pdus(rest))
            if rest.endswith("<unfinished ...>"):
                begun[task] = rest
                continue
        elif resumed is not None:
            call, rest = resumed.groups()
            rest = begun.pop(task, "") + rest
        else:
            continue
        result = _RESULT.search(rest[rest.rfind(")") :])
        if result is None or int(result[1]) < 0:
            continue
        if call in SYNCS:
            yield Event("sync")
        elif call in INS:
            yield from (Event("in", one) for one in _pdus(rest))


def _pdus(arguments: str) -> Iterator[Command]:
    """The commands of whole PDUs in a buffer; other octets (files, wake-up pipes, halves) are none."""
    for string in _STRING.findall(arguments):
        octets = bytes.fromhex(string.replace("\\x", ""))
        at = 0
        while at + 16 <= len(octets):
            size, number = int.from_bytes(octets[at : at + 4], "big"), int.from_bytes(octets[at + 4 : at + 8], "big")
            if not 16 <= size <= len(octets) - at or number not in Command._value2member_map_:
                break
            yield Command(number)
            at += size


def disorder(trace: Iterable[Event]) -> list[str]:
    """What was said before it was stored, or never said at all."""
    trace = list(trace)
    found = []
    orders = (
        # since when, until when, how many syncs: admitted; then the attempt; then the receipt (its notice commits with it)
        (("in", Command.SUBMIT_SM), ("out", Command.SUBMIT_SM_RESP), 1),
        (("in", Command.SUBMIT_SM), ("out", Command.SUBMIT_SM), 2),
        (("in", Command.DELIVER_SM), ("out", Command.DELIVER_SM_RESP), 1),
        (("in", Command.DELIVER_SM), ("out", Command.DELIVER_SM), 1),
    )
    for since, until, syncs in orders:
        count = 0
        for at in (at for at, event in enumerate(trace) if event == Event(*until)):
            count += 1
            before = trace[:at]
            if Event(*since) not in before:
                found.append(f"{until} without {since}")
                continue
            began = len(before) - 1 - before[::-1].index(Event(*since))
            waited = before[began:].count(Event("sync"))
            if waited < syncs:
                found.append(f"{waited} syncs between {since} and {until}, {syncs} needed")
        if not count:
            found.append(f"{until} never happened")
    return found
