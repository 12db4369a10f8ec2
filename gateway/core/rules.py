"""What is asked of policy, and the lists it goes by: opt-outs, blocks, balances, and what would become of a message."""

from collections.abc import Sequence

from gateway import log
from gateway.calls import messages as calls
from gateway.clock import Clock
from gateway.core.audit import Audit
from gateway.core.drafts import Drafts
from gateway.core.pipeline import Pipeline
from gateway.store.base import Membership
from gateway.store.record import Record
from routing.guards import Spend
from routing.plan import BY_WEIGHT, WAIT
from routing.policy.caps import (
    BLOCKED,
    CONSENT,
    EVERYBODY,
    OPTED_OUT,
    SEPARATOR,
    SUPPRESSED,
    balance_purse,
    blocked_set,
    consent_set,
    optout_set,
    refusal_of,
    suppressed_set,
    trial_purse,
)
from routing.policy.numbers import listed_number
from routing.records import Message, MessageState

SETS = {OPTED_OUT: optout_set, BLOCKED: blocked_set, CONSENT: consent_set, SUPPRESSED: suppressed_set}
COMPLAINTS_SHARE = 0.002
COMPLAINTS_MIN = 5
"""So few say nothing about a share."""
CAMPAIGNS_MAX = 10_000


class Rules:
    """See the module."""

    def __init__(self, pipeline: Pipeline, clock: Clock, drafts: Drafts, audit: Audit) -> None:
        self._pipeline = pipeline
        self._store = pipeline.store
        self._clock = clock
        self._audit = audit
        self._drafts = drafts
        self._log = log.logger()
        self._complaints: dict[tuple[str, str], int] = {}

    async def answer(self, ask: calls.Ask) -> calls.Answer | None:
        """One question; None when it is not about rules."""
        match ask:
            case calls.ChangeMembers():
                return await self._change_members(ask)
            case calls.ListMembers():
                return await self._list_members(ask)
            case calls.Explain():
                return await self._explain(ask)
            case calls.Fund():
                return await self._fund(ask)
            case calls.AskPurses():
                return self._purses(ask)
            case calls.Note():
                return self._note(ask)
        return None

    # -- lists

    async def _change_members(self, ask: calls.ChangeMembers) -> calls.Answer:
        if not self._has_list(ask.account, ask.kind):
            return calls.Done(f"no list {ask.kind} of {ask.account}")
        rules = self._pipeline.screens.get(ask.account)
        code = "" if rules is None else rules.home_code
        add = [number for number in (listed_number(one, code) for one in ask.add) if number]
        remove = [number for number in (listed_number(one, code) for one in ask.remove) if number]
        await self._store.members(SETS[ask.kind](ask.account), add, remove)
        for what, numbers in (("added", add), ("removed", remove)):
            if numbers:
                fields = {"by": ask.by, "account": ask.account, "numbers": numbers, "why": ask.why}
                self._audit.note(f"{ask.kind} {what}", **fields)
        bad = len(ask.add) + len(ask.remove) - len(add) - len(remove)
        return calls.Done(f"{bad} are no numbers" if bad else "", len(add) + len(remove))

    def _has_list(self, account: str, kind: str) -> bool:
        """Accounts have both; what everybody is kept from stands on a list of its own, which is the operator's."""
        return kind in SETS and (account in self._pipeline.screens or (account, kind) == (EVERYBODY, BLOCKED))

    def note_memberships(self, memberships: Sequence[Membership]) -> None:
        """Numbers that receipts put on a list, or took off."""
        by_set: dict[tuple[str, bool], list[str]] = {}
        for one in memberships:
            by_set.setdefault((one.set_name, one.member), []).append(one.key)
        for (name, member), numbers in by_set.items():
            kind, _, account = name.partition(SEPARATOR)
            why = "messages to them failed for good" if member else "a message was delivered"
            what = f"{kind} {'added' if member else 'removed'}"
            self._audit.note(what, by="receipts", account=account, numbers=numbers, why=why)
            self._log.info(what, account=account, numbers=len(numbers))

    async def _list_members(self, ask: calls.ListMembers) -> calls.Answer:
        if not self._has_list(ask.account, ask.kind):
            return calls.Done(f"no list {ask.kind} of {ask.account}")
        numbers, total = await self._store.list_members(SETS[ask.kind](ask.account), ask.after, ask.limit)
        return calls.MemberPage(numbers, total)

    # -- money

    async def _fund(self, ask: calls.Fund) -> calls.Answer:
        if ask.purse == "trial":
            return await self._fund_trial(ask)
        held = await self._store.fund(balance_purse(ask.account), ask.amount)
        if ask.amount:
            self._audit.note("funded", by=ask.by, account=ask.account, amount=ask.amount, balance=held)
        return calls.Done(count=held)

    async def _fund_trial(self, ask: calls.Fund) -> calls.Answer:
        purse = trial_purse(ask.account)
        at_first = self._all_purses(ask.account).get(purse)
        if at_first is None:
            return calls.Done(f"{ask.account} is on no trial: its policy has no budget.trial_messages")
        self._store.open_purse(purse, at_first)
        held = await self._store.fund(purse, ask.amount)
        if ask.amount:
            self._audit.note("trial funded", by=ask.by, account=ask.account, messages=ask.amount, left=held)
        return calls.Done(count=held)

    def _purses(self, ask: calls.AskPurses) -> calls.Answer:
        rules = self._pipeline.screens.get(ask.account)
        if rules is None:
            return calls.Done(f"there is no account {ask.account}")
        guards = self._store.book.guards
        found = {purse: calls.Purse(_kind(purse), limit, limit) for purse, limit in self._all_purses(ask.account).items()}
        if guards.has_purse(balance := balance_purse(ask.account)):
            found.setdefault(balance, calls.Purse(_kind(balance), 0))
        for purse, one in found.items():
            if guards.has_purse(purse):
                one.left = guards.fund(purse, 0)
        return calls.Purses(list(found.values()), rules.policy.budget.currency if rules.policy is not None else "")

    def _all_purses(self, account: str) -> dict[str, int]:
        rules = self._pipeline.screens.get(account)
        return {} if rules is None else rules.all_purses(account, self._clock.utc())

    # -- what would become of a message

    async def _explain(self, ask: calls.Explain) -> calls.Answer:
        pipeline, utc = self._pipeline, self._clock.utc()
        rules = pipeline.screens.get(ask.account)
        account = self._drafts.account(ask.account)
        if rules is None or account is None:
            return calls.Done(f"there is no account {ask.account}")
        submit = calls.Submit(ask.account, [ask.draft], self._clock.now(), utc)
        (message,) = self._drafts.messages(submit, account, "", tell=False)
        steps = [(one.rule, one.told, one.refusal is not None) for one in rules.explain(message, utc)]
        pipeline.operators.stamp([message])
        if not any(refused for _, _, refused in steps):
            guards = rules.guards(message, utc)
            unopened = rules.purses(message, utc)
            for guard, passes in await self._store.would_pass(guards):
                if isinstance(guard, Spend) and guard.purse in unopened and not self._store.book.guards.has_purse(guard.purse):
                    passes = guard.amount <= unopened[guard.purse]  # noqa: PLW2901 - nobody has spent of it yet
                refusal = refusal_of(guard)
                steps.append((f"{refusal.reason} ({refusal.rule})", "passed" if passes else str(refusal), not passes))
        channels = [
            (name, weight, "up" if (lane := pipeline.lanes.get(name)) is not None and lane.up and not lane.held else "down")
            for name, weight, *_ in pipeline.dispatch.routes.candidates(message)
        ]
        next_utc = message.not_before_utc if message.state is MessageState.SCHEDULED else utc
        return calls.Explained(steps, Record(message), channels, next_utc, *self._way(message))

    def _way(self, message: Message) -> tuple[str, str]:
        """The channel it would take now, and why."""
        chosen = self._pipeline.dispatch.would_choose(message)
        if chosen is None:
            return "", "no route"
        if chosen == WAIT:
            return "", "no channel of its route is up with room now"
        return chosen, message.why or BY_WEIGHT

    # -- what is told about messages

    def _note(self, ask: calls.Note) -> calls.Answer:
        self._audit.note(
            ask.what, account=ask.account, message_id=str(ask.message_id or ""), campaign_id=ask.campaign_id, **ask.fields
        )
        if ask.what == "complaint":
            self._count_complaint(ask)
        if ask.what == "feedback" and ask.message is not None:
            self._pipeline.endings.watches.used(ask.message, ask.fields.get("event", ""), self._clock.utc())
        return calls.Done()

    def _count_complaint(self, ask: calls.Note) -> None:
        """An alert when complaints are more than two in a thousand of what the account had delivered since the start."""
        key = (ask.account, ask.campaign_id)
        count = self._complaints[key] = self._complaints.pop(key, 0) + 1
        if len(self._complaints) > CAMPAIGNS_MAX:
            del self._complaints[next(iter(self._complaints))]  # the one nobody complained about for longest
        delivered = self._pipeline.figures.delivered[ask.account]
        if count >= COMPLAINTS_MIN and count > COMPLAINTS_SHARE * delivered:
            campaign = ask.campaign_id
            self._pipeline.alert("complaints", account=ask.account, campaign=campaign, complaints=count, delivered=delivered)


def _kind(purse: str) -> str:
    """The rule a purse is of."""
    return purse.partition(SEPARATOR)[0]
