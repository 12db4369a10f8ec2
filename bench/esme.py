"""A client on smpplib, in a thread of its own: submits at a pace and collects the receipts."""

import logging
import re
import threading
import time
import warnings

import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.pdu
import smpplib.smpp

from protocol.segment import split_text
from protocol.udh import UDHI, Concat, concat_header

WINDOW = 50
POLL_S = 0.02
ENROUTE, DELIVERED, ACCEPTED = 1, 2, 6
_RECEIPT_ID = re.compile(rb"id:(\S+)")


class Sender(threading.Thread):
    """Sends `count` messages of one account. A long text goes as parts, each counted as a message of its own.

    `latencies` are seconds from submit to the DELIVRD receipt.
    """

    def __init__(self, name: str, port: int, password: str, source: str, text: str, count: int, rate: float) -> None:
        super().__init__(name=name, daemon=True)
        self.count = count
        self.rate = rate
        self.sent = self.accepted = self.delivered = self.failed = self.refused = 0
        self.latencies: list[float] = []
        self.error = ""
        self.running = True
        self._port = port
        self._password = password
        self._source = source
        self._text = text
        self._ending = threading.Event()
        self._by_sequence: dict[int, float] = {}
        self._by_id: dict[bytes, float] = {}
        self._early: dict[bytes, tuple[int, float]] = {}

    @property
    def complete(self) -> bool:
        """Whether every message was accepted and has had its final receipt."""
        return not self.error and self.sent == self.accepted == self.delivered + self.failed and self.sent >= self.count

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ending.set()
        self.join(10)

    def run(self) -> None:
        logging.getLogger("smpplib").setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore", ResourceWarning)
        client = smpplib.client.Client("127.0.0.1", self._port, timeout=POLL_S, allow_unknown_opt_params=True)
        client.set_message_sent_handler(self._on_response)
        client.set_message_received_handler(self._on_receipt)
        client.set_error_pdu_handler(self._on_response)
        try:
            self._talk(client)
        except (smpplib.exceptions.PDUError, smpplib.exceptions.ConnectionError, OSError) as error:
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.running = False
            client._socket = None  # smpplib has no quiet way to drop a connection that is gone

    def _talk(self, client: smpplib.client.Client) -> None:
        client.connect()
        client._socket.settimeout(5)
        client.bind_transceiver(system_id=self.name, password=self._password)
        client._socket.settimeout(POLL_S)
        started = time.monotonic()
        number = 0
        while not self._ending.is_set() and not (number == self.count and self.complete):
            due = min(self.count, int((time.monotonic() - started) * self.rate) + 1)
            while number < due and len(self._by_sequence) < WINDOW:
                self._submit(client, number)
                number += 1
            try:
                client.read_once(auto_send_enquire_link=False)
            except TimeoutError:
                continue
        client._socket.settimeout(5)
        client.unbind()
        client.disconnect()

    def _submit(self, client: smpplib.client.Client, number: int) -> None:
        cut = split_text(self._text.format(n=number))
        for at, part in enumerate(cut.parts, 1):
            header = concat_header(Concat(number, len(cut.parts), at, 8)) if len(cut.parts) > 1 else b""
            pdu = smpplib.smpp.make_pdu(
                "submit_sm",
                client=client,
                source_addr_ton=0,
                source_addr_npi=1,
                source_addr=self._source,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=f"86138{number:08d}",
                esm_class=UDHI if header else 0,
                data_coding=cut.data_coding,
                short_message=header + part,
                registered_delivery=1,
            )
            self._by_sequence[pdu.sequence] = time.monotonic()
            client.send_pdu(pdu)
            self.sent += 1

    def _on_response(self, pdu: smpplib.pdu.PDU) -> None:
        at = self._by_sequence.pop(pdu.sequence, None)
        if at is None:
            return
        if int(pdu.status):
            self.refused += 1
            self.error = f"submit refused: {smpplib.consts.DESCRIPTIONS.get(int(pdu.status), hex(int(pdu.status)))}"
            return
        self.accepted += 1
        message_id = bytes(pdu.message_id)
        self._by_id[message_id] = at
        early = self._early.pop(message_id, None)
        if early is not None:
            self._settle(message_id, *early)

    def _on_receipt(self, pdu: smpplib.pdu.PDU) -> None:
        found = _RECEIPT_ID.search(pdu.short_message)
        if found is None:
            return
        message_id, state, now = found[1], int(pdu.message_state or 0), time.monotonic()
        if message_id in self._by_id:
            self._settle(message_id, state, now)
        else:
            self._early[message_id] = (state, now)

    def _settle(self, message_id: bytes, state: int, now: float) -> None:
        if state in (ENROUTE, ACCEPTED):
            return
        at = self._by_id.pop(message_id)
        if state == DELIVERED:
            self.delivered += 1
            self.latencies.append(now - at)
        else:
            self.failed += 1
