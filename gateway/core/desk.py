"""query_sm, cancel_sm and replace_sm: questions and wishes about messages that were accepted (SMPP 3.4 sections 4.8 to 4.10).

A message that has left us cannot be cancelled or replaced: the answer is the failure status of the command.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from config.schema import Account
from gateway.clock import Clock
from gateway.core.notices import spoken_state
from gateway.core.reader import moments, parts_of
from gateway.core.storage import Storage
from gateway.store.base import Change, Settled
from protocol.pdu import CancelSm, CancelSmResp, Pdu, QuerySm, QuerySmResp, ReplaceSm, ReplaceSmResp, response_to
from protocol.status import Status
from protocol.times import absolute
from protocol.validate import submit_status, user_data
from routing.policy.numbers import normal_number
from routing.policy.screen import Screen
from routing.policy.verdict import Refusal
from routing.records import Message


class Desk:
    """`spread` takes what a change brings about (notices of cancelled messages); `screens` are the rules of accounts."""

    def __init__(
        self,
        store: Storage,
        clock: Clock,
        spread: Callable[[Settled], None],
        screens: Callable[[], Mapping[str, Screen]] = dict,
    ) -> None:
        self._screens = screens
        self._store = store
        self._clock = clock
        self._spread = spread

    async def answer(self, pdu: QuerySm | CancelSm | ReplaceSm, account: Account) -> Pdu:
        """The response to one request of `account`."""
        if isinstance(pdu, QuerySm):
            return await self._query(pdu, account)
        if isinstance(pdu, CancelSm):
            return await self._cancel(pdu, account)
        return await self._replace(pdu, account)

    async def _own(self, account: Account, public_id: str, source: str) -> list[Message]:
        """Messages of the account by id; the source address must be theirs (section 4.8.1)."""
        return [message for message in await self._store.resolve(account.system_id, public_id) if message.source == source]

    async def _query(self, pdu: QuerySm, account: Account) -> Pdu:
        found = await self._own(account, pdu.message_id, pdu.source_addr)
        if not found:
            return response_to(pdu, Status.RQUERYFAIL)
        # Of a submit_multi the least advanced tells most.
        message = min(found, key=lambda one: one.state)
        done = absolute(datetime.fromtimestamp(message.final_utc, UTC)) if message.state.final else ""
        return QuerySmResp(
            pdu.sequence,
            message_id=pdu.message_id,
            final_date=done,
            message_state=spoken_state(message.state),
            error_code=message.err & 0xFF,
        )

    async def _cancel(self, pdu: CancelSm, account: Account) -> Pdu:
        if pdu.message_id:
            ids = [message.id for message in await self._own(account, pdu.message_id, pdu.source_addr)]
        else:
            number = normal_number(pdu.destination_addr, account.country_code)
            to = number or pdu.destination_addr
            ids = await self._store.matching(account.system_id, pdu.service_type, pdu.source_addr, to)
        done, settled = await self._store.change([Change(message_id) for message_id in ids])
        self._spread(settled)
        return CancelSmResp(pdu.sequence, 0 if any(done) else Status.RCANCELFAIL)

    async def _replace(self, pdu: ReplaceSm, account: Account) -> Pdu:
        status = submit_status(pdu)
        not_before, expires, bad_time = moments(pdu.schedule_delivery_time, pdu.validity_period, self._clock.utc())
        if status or bad_time:
            return response_to(pdu, status or bad_time)
        changes = []
        for message in await self._own(account, pdu.message_id, pdu.source_addr):
            old = message.content
            data = user_data(pdu)
            parts = parts_of(data, old.data_coding, old.esm_class)
            fields: dict[str, object] = {
                "content": msgspec.structs.replace(old, data=data, parts=parts),
                "registered_delivery": pdu.registered_delivery,
            }
            if not_before:
                fields["not_before_utc"] = fields["due_utc"] = not_before
            if expires:
                fields["expires_utc"] = expires
            if parts == 0:
                return response_to(pdu, Status.RINVMSGLEN)
            if (expires or message.expires_utc) <= (not_before or message.due_utc):
                return response_to(pdu, Status.RINVEXPIRY)
            rules = self._screens().get(message.account)
            judged = fields if rules is None else rules.changed(message, fields, self._clock.utc())
            if isinstance(judged, Refusal):
                return response_to(pdu, Status.RREPLACEFAIL)
            changes.append(Change(message.id, judged))
        done, settled = await self._store.change(changes)
        self._spread(settled)
        return ReplaceSmResp(pdu.sequence, 0 if any(done) else Status.RREPLACEFAIL)
