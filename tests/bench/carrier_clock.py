"""A carrier without sockets and without waiting: the clock is set by hand, clients are octets in and octets out."""

import heapq

from carrier_peer import BIND_TRX, HEADER, SUBMIT, Pdu, Peer

from bench.carrier.control import Control
from bench.carrier.ledger import Ledger
from bench.carrier.scenario import Scenario
from bench.carrier.smsc import Smsc
from bench.carrier.timeline import TimeLine


class Handle:
    def __init__(self, action):
        self.action = action

    def cancel(self):
        self.action = None


class Clock:
    """As much of an event loop as the carrier asks for."""

    def __init__(self):
        self.now = 1000.0
        self._waiting = []

    def time(self):
        return self.now

    def call_at(self, when, action):
        handle = Handle(action)
        heapq.heappush(self._waiting, (when, id(handle), handle))
        return handle

    def advance(self, seconds):
        """Let time pass; what is due happens at its time."""
        end = self.now + seconds
        while self._waiting and self._waiting[0][0] <= end:
            when, _, handle = heapq.heappop(self._waiting)
            self.now = max(self.now, when + 1e-6)  # a real clock moves on, too
            if handle.action is not None:
                handle.action()
        self.now = end


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written, self.ended, self.reading = b"", "", True

    def write(self, data):
        self.written += data

    def close(self):
        self.ended = self.ended or "closed"

    def abort(self):
        self.ended = "reset"

    def is_reading(self):
        return self.reading

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def get_extra_info(self, _name):
        return self

    def setsockopt(self, *_args):
        pass

    def getsockopt(self, *_args):
        return b"\1"  # ESTABLISHED


class Client(Peer):
    """A peer whose line is the carrier's connection itself. What it says before the line reads again is lost to nobody."""

    def __init__(self, smsc):
        self._sequence, self._buffer, self._unread = 0, b"", b""
        self.line = Wire()
        self.socket = self
        self.connection = smsc.factory()
        self.connection.connection_made(self.line)

    def sendall(self, data):
        self._unread += data
        self.look()

    def look(self):
        """The carrier reads what it may."""
        if self._unread and self.line.reading and not self.line.ended:
            data, self._unread = self._unread, b""
            self.connection.data_received(data)

    def heard(self):
        """Every PDU since the last question."""
        data, self.line.written = self.line.written, b""
        pdus = []
        while data:
            size = HEADER.unpack_from(data)[0]
            pdus.append(Pdu(data[:size]))
            data = data[size:]
        return pdus

    def bound(self):
        self.send(BIND_TRX, b"client\0secret\0\0\x34\0\0\0")
        answer = self.heard()[0]
        assert answer.status == 0
        return self

    def answers(self):
        """(statuses of submit_sm_resp) since the last question."""
        return [pdu.status for pdu in self.heard() if pdu.command == 0x80000000 | SUBMIT]


class Port:
    def __init__(self):
        self.open = True

    def close(self):
        self.open = False

    def listen(self):
        self.open = True


class Stage:
    """A carrier in a scenario, its clock, and the lines it said."""

    def __init__(self, scenario=None, options=None):
        scenario = scenario or Scenario()
        self.clock, self.said = Clock(), []
        self.smsc = Smsc(options or scenario.options, self.clock, Ledger(None))
        self.smsc.port = Port()
        self.timeline = TimeLine(self.smsc, scenario, self.said.append)
        self.smsc.flush()

    def client(self):
        return Client(self.smsc).bound()

    def tell(self, line):
        """A command on stdin."""
        Control(self.smsc, self.timeline, self.said.append).data_received(line.encode() + b"\n")

    @property
    def counters(self):
        return self.smsc.counters

    @property
    def events(self):
        return [(line["at"], line["event"]) for line in self.said]
