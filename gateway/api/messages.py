"""Questions and wishes about messages and batches that were accepted."""

import asyncio
from datetime import datetime

from gateway.api.corelink import expect
from gateway.api.operation import Asked, Said
from gateway.api.problems import ProblemError, invalid, not_found
from gateway.api.render import attempt_out, message_out, moment, state_of, status_word, sure_moment
from gateway.api.schemas import BatchOut, MessagePage, MessageQuery, RescheduleIn, StepOut, TrailOut
from gateway.api.times import check_times
from gateway.api.trail import steps
from gateway.calls.messages import AskBatch, Batch, Cancel, Changed, Find, Records, Reschedule, Search
from gateway.store.history import History, SearchTooLongError
from gateway.store.record import Record
from protocol.address import international
from protocol.errors import ContentError
from routing.ids import first_id_of
from routing.records import MessageState

ID_MAX = (1 << 63) - 1
BATCH_PREFIX = "b"


class HistoryReader:
    """The history, read by one thread at a time, so that a long search keeps nobody else from the loop."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._one = asyncio.Lock()

    async def search(self, fields: dict[str, str | int], before: int, since: int, limit: int) -> list[Record]:
        """Raises SearchTooLongError."""
        async with self._one:
            return await asyncio.to_thread(self._history.search, fields, before=before, since=since, limit=limit)


def message_id(text: str) -> int:
    """The id in a path; what can be none belongs to no message."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= ID_MAX):
        not_found("message")
    return int(text)


async def _record(asked: Asked) -> Record:
    found = expect(await asked.services.core.ask(Find(asked.account, message_id(asked.path["id"]))), Records).records
    if not found:
        not_found("message")
    record: Record = found[0]
    return record


async def get_message(asked: Asked) -> Said:
    """One message."""
    return Said(200, message_out(await _record(asked)))


async def get_trail(asked: Asked) -> Said:
    """One message with every attempt."""
    record = await _record(asked)
    told = [StepOut(at=moment(one.at_utc), step=one.what, why=one.why) for one in steps(record)]
    attempts = [attempt_out(one) for one in record.attempts]
    return Said(200, TrailOut(message=message_out(record), steps=told, attempts=attempts))


async def list_messages(asked: Asked) -> Said:
    """Newest first: those that live are the core's to tell, those that have ended are in the history."""
    query: MessageQuery = asked.query
    to = _number(query.to)
    states = () if query.status is None else (int(state_of(query.status)),)
    before = int(query.cursor) if query.cursor else ID_MAX
    since = 0 if query.since is None else min(max(0, first_id_of(query.since.timestamp())), ID_MAX)
    limit = query.limit + 1
    search = Search(asked.account, to, query.client_ref, states, since, min(before, ID_MAX), limit)
    # The core first: what moves to the history meanwhile is then found twice, not never.
    living = expect(await asked.services.core.ask(search), Records).records
    ended = await _ended(asked, search)
    found = {one.message.id: one for one in (*ended, *living)}
    newest = [found[number] for number in sorted(found, reverse=True)]
    page = newest[: query.limit]
    cursor = _cursor(page) if len(newest) > query.limit else None  # of what was looked at, shown or not
    if query.status in ("sending", "sent"):
        page = [one for one in page if status_word(one) == query.status]
    return Said(200, MessagePage(data=[message_out(one) for one in page], next_cursor=cursor))


def _cursor(page: list[Record]) -> str:
    return str(page[-1].message.id)


async def _ended(asked: Asked, search: Search) -> list[Record]:
    states = search.states
    if asked.services.history is None or (states and states[0] < MessageState.DELIVERED):
        return []
    fields: dict[str, str | int] = {"account": search.account}
    fields |= {name: value for name, value in (("destination", search.to), ("client_ref", search.client_ref)) if value}
    if states:
        fields["state"] = states[0]
    try:
        found: list[Record] = await asked.services.history.search(fields, search.before_id, search.since_id, search.limit)
    except SearchTooLongError as error:
        raise ProblemError(503, "search_too_long", str(error), permanent=True) from None
    return found


def _number(text: str) -> str:
    if not text:
        return ""
    try:
        return international(text.replace(" ", "+", 1) if text.startswith(" ") else text).addr  # a + in a query is a blank
    except ContentError as error:
        invalid("/to", "invalid_number", str(error))


async def cancel_message(asked: Asked) -> Said:
    """End it, if it has not left."""
    return _changed(await asked.services.core.ask(Cancel(asked.account, message_id(asked.path["id"]))))


async def reschedule_message(asked: Asked) -> Said:
    """Send it at another time, if it has not left."""
    body: RescheduleIn = asked.body
    due, expires = max(0.0, _time(body.send_at)), _time(body.expire_at)
    check_times(asked.arrival_utc, due, expires)
    if body.expire_at is not None and expires <= max(due, asked.arrival_utc):
        invalid("/expire_at", "too_early", "over before the message can be sent")
    return _changed(await asked.services.core.ask(Reschedule(asked.account, message_id(asked.path["id"]), due, expires)))


def _time(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()


def _changed(answer: object) -> Said:
    assert isinstance(answer, Changed)
    if answer.record is None:
        not_found("message")
    shown = message_out(answer.record)
    if answer.why:
        invalid("/send_at", "refused", answer.why)
    if not answer.possible:
        raise ProblemError(409, "too_late", f"it is {shown.status}")
    return Said(200, shown)


async def get_batch(asked: Asked) -> Said:
    """How far a batch is."""
    name = asked.path["id"]
    if not name.startswith(BATCH_PREFIX):
        not_found("batch")
    message_id(name.removeprefix(BATCH_PREFIX))
    found = expect(await asked.services.core.ask(AskBatch(asked.account, name)), Batch)
    if not found.size:
        not_found("batch")
    states = {MessageState(state).name.lower(): count for state, count in sorted(found.states.items())}
    waiting = any(not MessageState(state).final for state in found.states)
    return Said(
        200,
        BatchOut(
            id=name,
            size=found.size,
            refused=found.refused,
            created_at=sure_moment(found.created_utc),
            states=states,
            done=not waiting,
        ),
    )
