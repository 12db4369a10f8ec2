"""What is asked about messages, or sent to many at once: submit_multi, query_sm, cancel_sm, replace_sm."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.carrier.ledger import Entry
from protocol.fields import Unsuccess
from protocol.pdu import (
    CancelSm,
    CancelSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
)
from protocol.receipt import MessageState
from protocol.status import Status
from protocol.times import absolute

if TYPE_CHECKING:
    from bench.carrier.behaviour import Plan
    from bench.carrier.connection import Connection


def submit_multi(connection: "Connection", pdu: SubmitMulti, now: float) -> None:
    """One response for all; each destination has its own fate, all accepted ones share the first one's id."""
    smsc = connection.smsc
    decided: list[tuple[Entry, Plan]] = []
    unsuccess = []
    for dest in pdu.destinations:
        if dest.dl_name:
            unsuccess.append(Unsuccess(0, 0, "", Status.RINVDLNAME))
            continue
        plan = smsc.behaviour.decide(dest.addr, pdu.registered_delivery, now)
        entry = smsc.enter(connection, pdu, (dest.ton, dest.npi, dest.addr), plan)
        if plan.status:
            unsuccess.append(Unsuccess(dest.ton, dest.npi, dest.addr, plan.status))
        decided.append((entry, plan))
    accepted = [(entry, plan) for entry, plan in decided if entry.fate == "accepted"]
    if not accepted and not unsuccess:
        return  # swallowed
    status = 0 if accepted else unsuccess[0].status
    for entry, _ in accepted:
        entry.id, entry.receipt_id = accepted[0][0].id, accepted[0][0].receipt_id
    message_id = accepted[0][0].id if accepted else ""
    response = SubmitMultiResp(pdu.sequence, status, message_id=message_id, unsuccess=() if status else tuple(unsuccess))
    delay = max((plan.resp_delay or 0.0 for _, plan in decided), default=0.0)
    connection.unanswered.add(pdu.sequence)

    def answer(_a: None, _b: None, now: float) -> None:
        connection.respond_with(response, [entry for entry, _ in decided if entry.fate != "swallowed"])
        for entry, plan in accepted:
            smsc.resolve_later(entry, plan, now)

    if delay:
        smsc.wheel.add(now + delay, answer)
    else:
        answer(None, None, now)


def query_sm(connection: "Connection", pdu: QuerySm, _now: float) -> None:
    """The state of a message as the ledger has it; its sender must be named (SMPP 3.4 section 4.8.1)."""
    connection.smsc.counters.queries += 1
    entry = connection.smsc.ledger.find(pdu.message_id)
    if entry is None or (pdu.source_addr and pdu.source_addr != entry.source):
        connection.session.respond(QuerySmResp(pdu.sequence, Status.RQUERYFAIL))
        return
    final = entry.state is not MessageState.ENROUTE
    date = absolute(datetime.now(UTC)) if final else ""
    connection.session.respond(QuerySmResp(pdu.sequence, 0, (), b"", entry.id, date, int(entry.state)))


def cancel_sm(connection: "Connection", pdu: CancelSm, now: float) -> None:
    """Cancel what is still on its way; without an id everything from that source to that destination."""
    connection.smsc.counters.cancels += 1
    ledger = connection.smsc.ledger
    if pdu.message_id:
        found = ledger.find(pdu.message_id)
        entries = [found] if found is not None else []
    else:
        entries = [one for one in ledger.recent() if (one.source, one.destination) == (pdu.source_addr, pdu.destination_addr)]
    open_ones = [one for one in entries if one.fate == "accepted" and one.state is MessageState.ENROUTE]
    connection.session.respond(CancelSmResp(pdu.sequence, 0 if open_ones else Status.RCANCELFAIL))
    for entry in open_ones:
        entry.stat = "DELETED"
        connection.smsc.resolve(entry, MessageState.DELETED, now)


def replace_sm(connection: "Connection", pdu: ReplaceSm, _now: float) -> None:
    """Nothing can be replaced here."""
    connection.session.respond(ReplaceSmResp(pdu.sequence, Status.RREPLACEFAIL))
