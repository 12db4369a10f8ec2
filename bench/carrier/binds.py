"""Who may bind, and what the others are told."""

from hmac import compare_digest
from typing import TYPE_CHECKING

from bench.carrier.options import Options
from bench.carrier.rules import header_faults
from protocol.pdu import BindRequest, BindTransceiver, GenericNack
from protocol.status import Status

if TYPE_CHECKING:
    from bench.carrier.connection import Connection


def on_bind(connection: "Connection", pdu: BindRequest, now: float) -> None:
    """A bind request in a state that allows it."""
    smsc = connection.smsc
    options = smsc.options
    for fault in header_faults(pdu):
        connection.violation(fault)
    if options.no_trx and isinstance(pdu, BindTransceiver):
        _nack(connection, pdu)
        return
    status = Status.RBINDFAIL if smsc.refuses_binds else bind_status(options, pdu.system_id, pdu.password, smsc.bound)
    if status:
        smsc.counters.binds_refused += 1
        connection.session.refuse_bind(pdu, status)
        connection.hang_up()
        return
    smsc.counters.binds += 1
    smsc.bound += 1
    connection.session.accept_bind(pdu, options.name, now)
    connection.bound_as(pdu.system_id, now)


def bind_status(options: Options, system_id: str, password: str, bound: int) -> Status:
    """ROK, or why this bind is refused while `bound` others are there."""
    if options.system_id not in (None, system_id):
        return Status.RBINDFAIL
    if options.password is not None and not compare_digest(options.password.encode(), password.encode()):
        return Status.RBINDFAIL
    if options.max_binds and bound >= options.max_binds:
        return Status.RALYBND if options.over_max == "ralybnd" else Status.RBINDFAIL
    return Status.ROK


def _nack(connection: "Connection", pdu: BindRequest) -> None:
    """An SMSC that lacks the bind type says generic_nack instead of the bind's own response."""
    connection.smsc.counters.binds_refused += 1
    connection.write()
    connection.session.refuse_bind(pdu, Status.RINVCMDID)
    connection.session.data_to_send()  # dropped: that was the bind's own response
    connection.session.respond(GenericNack(pdu.sequence, Status.RINVCMDID))
