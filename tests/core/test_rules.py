"""Questions about rules: lists, balances, what would become of a message; answered without anything being sent or counted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clock import START_UTC
from makers import TO, Alerts, account, config
from test_questions import HeldLane

from config.policy import (
    Budget,
    Cap,
    Consent,
    Conversion,
    Dedupe,
    Keywords,
    Policy,
    SegmentsMax,
    Signature,
    Suppression,
    Velocity,
    Window,
)
from config.schema import Config
from gateway.calls import messages as calls
from gateway.core.audit import FILE, Audit
from gateway.core.drafts import Drafts
from gateway.core.pipeline import Pipeline
from gateway.core.rules import CAMPAIGNS_MAX, Rules
from gateway.core.storage import Storage
from gateway.store.base import Admission, Membership
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from routing.ids import IdMaker
from routing.policy.caps import balance_purse, suppressed_set
from routing.records import Message, MessageState
from routing.routes import RouteTable


class Still:
    boot = "still"

    def now(self) -> float:
        return 0.0

    def utc(self) -> float:
        return START_UTC


class Desk:
    """Rules over a store that forgets; two accounts, `shop` and `other`."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        base = config(policies=[Policy(**rules)])
        made = Config(
            accounts=[account("shop", country_code="86"), account("other")],
            policies=base.policies,
            routes=base.routes,
            channels=base.channels,
        )
        clock = Still()
        self.store = MemoryStore("still")
        self.pipeline = Pipeline(made, Storage(Opened(self.store), clock), clock, lambda _: None)
        self.drafts = Drafts(made, IdMaker(0, clock.utc), "still")
        self.rules = Rules(self.pipeline, clock, self.drafts, Audit(folder, clock))
        self.audit_file = folder / FILE

    def draft(self, text: str = "hi", to: str = TO, **fields: Any) -> calls.Draft:
        from protocol.text import encode_text

        data_coding, data = encode_text(text)
        return calls.Draft(to, data, data_coding, 1, "Shop", **fields)

    async def explained(self, *args: Any, **fields: Any) -> dict[str, str]:
        """Refusals by rule."""
        answer = await self.rules.answer(calls.Explain("shop", self.draft(*args, **fields)))
        assert isinstance(answer, calls.Explained)
        return {rule: verdict for rule, verdict, refused in answer.steps if refused}

    def sent(self, *args: Any, **fields: Any) -> str:
        """What really becomes of it: the guard's or the screen's reason."""
        rules = self.pipeline.screens["shop"]
        submit = calls.Submit("shop", [self.draft(*args, **fields)], 0.0, START_UTC)
        (message,) = self.drafts.messages(submit, account("shop", country_code="86"), "", tell=False)
        refusal = rules.check(message, START_UTC)
        if refusal is not None:
            return str(refusal)
        for purse, amount in rules.purses(message, START_UTC).items():
            if not self.store.guards.has_purse(purse):
                self.store.fund(purse, amount)
        from routing.policy.caps import refusal_of

        (guard,) = self.store.admit([Admission(message, rules.guards(message, START_UTC))], START_UTC)
        return "" if guard is None else str(refusal_of(guard))

    def audit(self) -> Iterator[dict[str, Any]]:
        return map(json.loads, self.audit_file.read_text(encoding="utf-8").splitlines())


EVERYTHING: dict[str, Any] = {
    "keywords": Keywords(words=["casino"]),
    "signature": Signature(mode="add", text="品牌"),
    "segments_max": SegmentsMax(notification=1),
    "dedupe": Dedupe(window_s=60),
    "caps": [Cap(name="two", limit=2, period="day")],
    "velocity": Velocity(prefix_limit=3, classes=["notification"]),
    "budget": Budget(price=10, prepaid=True, daily_max=30, currency="EUR"),
    "windows": [Window(preset="daytime", classes=["marketing"])],
}


async def test_explaining_changes_nothing_and_says_what_sending_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path, **EVERYTHING)
    desk.store.fund(balance_purse("shop"), 35)
    guards = desk.store.guards
    story = [
        ("a",),
        ("a",),
        ("b",),
        ("c",),
        ("casino",),
        ("d", "8613800138001"),
        ("e", "8613800138002"),
        ("f", "8613900138002"),
    ]
    for args in story:
        before = dict(guards.held), dict(guards.sums), desk.store.ledger()
        desk.store.changes.take()
        told = [await desk.explained(*args) for _ in range(3)]
        assert told[0] == told[1] == told[2]
        assert (dict(guards.held), dict(guards.sums), desk.store.ledger()) == before
        assert not desk.store.changes
        became = desk.sent(*args)
        assert (became == "") == (not told[0]), (args, told[0], became)
        assert not became or became in told[0].values()


async def test_an_explanation_has_text_cost_channels_and_the_moment(tmp_path: Path) -> None:
    desk = Desk(tmp_path, **EVERYTHING)
    draft = desk.draft("hi", class_="marketing", due_utc=START_UTC + 10 * 3_600)
    answer = await desk.rules.answer(calls.Explain("shop", draft))
    assert isinstance(answer, calls.Explained)
    message: Message = answer.record.message
    assert message.content.data.decode("utf-16-be") == "【品牌】hi"
    assert (message.price, message.currency, message.state) == (10, "EUR", MessageState.SCHEDULED)
    assert answer.next_send_utc == START_UTC + 16 * 3_600
    assert answer.channels == [("a", 1, "down"), ("b", 1, "down")]
    assert (answer.channel, answer.why) == ("", "no channel of its route is up with room now")
    assert isinstance(await desk.rules.answer(calls.Explain("nobody", draft)), calls.Done)


async def test_an_explanation_names_the_channel_that_would_be_chosen_and_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    lane = HeldLane()
    desk.pipeline.lanes["a"] = lane  # type: ignore[assignment]
    answer = await desk.rules.answer(calls.Explain("shop", desk.draft("hi")))
    assert isinstance(answer, calls.Explained)
    assert (answer.channel, answer.why) == ("a", "a: score 100; b is down")
    assert lane.got == []
    desk.pipeline.dispatch.configure(RouteTable([]))
    answer = await desk.rules.answer(calls.Explain("shop", desk.draft("hi")))
    assert isinstance(answer, calls.Explained)
    assert (answer.channel, answer.why) == ("", "no route")


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("+447911123456", "447911123456"),
        ("0044 7911 123456", "447911123456"),
        ("13800138000", TO),
        (TO, TO),
        ("+12125551234",) * 2,
    ],
)
async def test_a_country_code_is_put_before_local_numbers_once(tmp_path: Path, to: str, number: str) -> None:
    """Before what was international it made another person's number."""
    answer = await Desk(tmp_path).rules.answer(calls.Explain("shop", calls.Draft(to, b"hi", 0, 1, "Shop")))
    assert isinstance(answer, calls.Explained)
    assert answer.record.message.destination == number.removeprefix("+")


@pytest.mark.parametrize("to", ["", "x", "12", "138001380001", "8613800", "+86 138 0013 8000", "34612345678"])
async def test_any_number_can_be_explained(tmp_path: Path, to: str) -> None:
    desk = Desk(tmp_path, countries=["86"], windows=[Window(preset="daytime", classes=[])])
    assert bool(await desk.explained("hi", to)) == bool(desk.sent("hi", to))


async def change(desk: Desk, kind: str = "optout", name: str = "shop", add: Any = (), remove: Any = ()) -> tuple[int, str]:
    done = await desk.rules.answer(calls.ChangeMembers(kind, name, list(add), list(remove), "me", "asked"))
    assert isinstance(done, calls.Done)
    return done.count, done.error


async def listed(desk: Desk, kind: str = "optout", name: str = "shop", after: str = "", limit: int = 10) -> list[str] | str:
    page = await desk.rules.answer(calls.ListMembers(kind, name, after, limit))
    return page.numbers if isinstance(page, calls.MemberPage) else page.error  # type: ignore[union-attr]


async def test_a_list_holds_numbers_as_messages_have_them_and_is_its_accounts(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    added = ["13800138000", "+86 138 0013 8000", "013800138000", "+44 (0)7911 123456", "nonsense", "12"]
    assert await change(desk, add=added) == (4, "2 are no numbers")
    assert await listed(desk) == ["447911123456", TO]
    assert await listed(desk, name="other") == []
    assert await listed(desk, kind="blocked") == []
    assert await listed(desk, after="447911123456") == [TO]
    assert await listed(desk, limit=1) == ["447911123456"]
    assert "opted_out" in desk.sent("hi", "+447911123456", class_="marketing")
    assert desk.sent("hi") == ""
    assert await change(desk, remove=[TO]) == (1, "")
    assert await listed(desk) == ["447911123456"]


async def test_who_is_blocked_gets_nothing_at_all(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await change(desk, "blocked", add=[TO])
    assert desk.sent("hi").startswith("blacklisted: blocked")
    assert list(await desk.explained()) == ["blacklisted (blocked)"]


async def test_who_agreed_gets_campaigns_where_consent_is_required(tmp_path: Path) -> None:
    desk = Desk(tmp_path, consent=Consent(required=True))
    assert desk.sent("hi", class_="marketing").startswith("consent: consent")
    assert list(await desk.explained(class_="marketing")) == ["consent (consent)"]
    assert await change(desk, "consent", add=[TO]) == (1, "")
    assert (desk.sent("hi", class_="marketing"), await desk.explained(class_="marketing")) == ("", {})
    assert await change(desk, "consent", remove=[TO]) == (1, "")
    assert desk.sent("hi", class_="marketing").startswith("consent")
    assert desk.sent("hi") == "", "a notice needs none"


async def test_an_operator_blocks_a_number_for_everybody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert await change(desk, "blocked", "*", add=[f"+{TO}"]) == (1, "")
    assert desk.sent("hi").startswith("blacklisted")
    assert await listed(desk, "blocked", "*") == [TO]
    assert (await change(desk, "optout", "*", add=[TO]))[1] == "no list optout of *"


async def test_lists_there_are_not_are_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert await change(desk, "vip", add=[TO]) == (0, "no list vip of shop")
    assert await change(desk, name="nobody", add=[TO]) == (0, "no list optout of nobody")
    assert await listed(desk, name="nobody") == "no list optout of nobody"


async def test_a_balance_is_filled_and_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path, budget=Budget(price=30, prepaid=True))
    assert desk.sent("hi").startswith("quota: balance")
    for amount, held in ((50, 50), (0, 50), (-10, 40)):
        done = await desk.rules.answer(calls.Fund("shop", amount, "me"))
        assert done == calls.Done(count=held)
    assert (desk.sent("hi"), desk.sent("hi")[:14]) == ("", "quota: balance")
    assert [(one["what"], one["amount"], one["balance"]) for one in desk.audit()] == [("funded", 50, 50), ("funded", -10, 40)]


async def test_a_trial_is_opened_filled_and_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path, budget=Budget(trial_messages=2))
    refused = "quota: trial (trial messages are used up)"
    assert await desk.rules.answer(calls.Fund("shop", 1, "me", "trial")) == calls.Done(count=3)
    assert [await desk.explained(), desk.sent("hi"), desk.sent("hi"), desk.sent("hi")] == [{}, "", "", ""]
    assert (await desk.explained(), desk.sent("hi")) == ({"quota (trial)": refused}, refused)
    assert await desk.rules.answer(calls.Fund("shop", 5, "me", "trial")) == calls.Done(count=5)
    assert await desk.rules.answer(calls.Fund("shop", 0, "me", "trial")) == calls.Done(count=5)
    told = [(one["what"], one["messages"], one["left"]) for one in desk.audit()]
    assert told == [("trial funded", 1, 3), ("trial funded", 5, 5)]
    answer = await Desk(tmp_path).rules.answer(calls.Fund("shop", 5, "me", "trial"))
    assert answer == calls.Done("shop is on no trial: its policy has no budget.trial_messages")


async def test_an_account_is_told_what_it_has_left(tmp_path: Path) -> None:
    budget = Budget(price=10, prepaid=True, daily_max=30, monthly_max=1_000, trial_messages=5, currency="EUR")
    desk = Desk(tmp_path, budget=budget)

    async def left() -> list[tuple[str, int, int]]:
        answer = await desk.rules.answer(calls.AskPurses("shop"))
        assert isinstance(answer, calls.Purses)
        assert answer.currency == "EUR"
        return [(one.name, one.left, one.limit) for one in answer.purses]

    assert await left() == [("balance", 0, 0), ("trial", 5, 5), ("daily", 30, 30), ("monthly", 1_000, 1_000)]
    desk.store.fund(balance_purse("shop"), 100)
    assert desk.sent("hi") == ""
    assert await left() == [("balance", 90, 0), ("trial", 4, 5), ("daily", 20, 30), ("monthly", 990, 1_000)]
    desk.pipeline.configure(Config(accounts=[account("shop"), account("other")]))
    assert await desk.rules.answer(calls.AskPurses("shop")) == calls.Purses([calls.Purse("balance", 90)])
    assert await desk.rules.answer(calls.AskPurses("other")) == calls.Purses([])
    assert await desk.rules.answer(calls.AskPurses("nobody")) == calls.Done("there is no account nobody")


async def test_every_change_of_a_list_is_in_the_audit(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await change(desk, add=[TO, "x"])
    await change(desk, "blocked", remove=[TO])
    first, second = desk.audit()
    assert first == {
        "at": "2027-01-15T08:00:00Z",
        "what": "optout added",
        "by": "me",
        "account": "shop",
        "numbers": [TO],
        "why": "asked",
    }
    assert (second["what"], second["numbers"]) == ("blocked removed", [TO])


async def test_what_receipts_change_of_a_list_is_in_the_audit_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path, suppression=Suppression(failures=2))
    name = suppressed_set("shop")
    changes = [(TO, True), ("34612345678", True), (TO, False)]
    desk.rules.note_memberships([Membership(name, number, member) for number, member in changes])
    told = [(one["what"], one["by"], one["account"], one["numbers"]) for one in desk.audit()]
    assert told == [
        ("suppressed added", "receipts", "shop", [TO, "34612345678"]),
        ("suppressed removed", "receipts", "shop", [TO]),
    ]


async def test_an_operator_changes_the_list_of_numbers_nothing_arrives_at(tmp_path: Path) -> None:
    desk = Desk(tmp_path, suppression=Suppression(failures=2))
    assert await change(desk, "suppressed", add=[TO]) == (1, "")
    assert await listed(desk, "suppressed") == [TO]
    assert desk.sent("hi").startswith("suppressed: suppressed")
    assert list(await desk.explained()) == ["suppressed (suppressed)"]
    assert await change(desk, "suppressed", remove=[TO]) == (1, "")
    assert desk.sent("hi") == ""


async def test_feedback_is_noted_and_counts_as_use_of_its_code(tmp_path: Path) -> None:
    rule = Conversion(share_min=0.2, codes_min=1, action="block", without_feedback=True)
    desk = Desk(tmp_path, velocity=Velocity(conversion=rule))
    submit = calls.Submit("shop", [desk.draft(class_="verification")], 0.0, START_UTC)
    (message,) = desk.drafts.messages(submit, account("shop", country_code="86"), "", tell=False)
    message.accepted_utc = START_UTC - 1_000
    desk.pipeline.endings.watches.by_account["shop"].sent(message, START_UTC)
    assert list(await desk.explained(class_="verification")) == ["velocity.conversion"]
    assert desk.sent(class_="verification").startswith("velocity: velocity.conversion (of 1 codes to 861380013 0 were used)")
    await desk.rules.answer(calls.Note("feedback", "shop", message.id, "", {"event": "opened"}, message))
    assert list(await desk.explained(class_="verification")) == ["velocity.conversion"]
    await desk.rules.answer(calls.Note("feedback", "shop", message.id, "", {"event": "converted"}, message))
    assert await desk.explained(class_="verification") == {}
    assert [one["event"] for one in desk.audit()] == ["opened", "converted"]


async def test_complaints_are_noted_and_too_many_raise_an_alert(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    alerts = desk.pipeline._log = Alerts()
    desk.pipeline.figures.delivered["shop"] = 2_500
    for _ in range(6):
        await desk.rules.answer(calls.Note("complaint", "shop", 7, "spring", {"source": "carrier"}))
    values = {"account": "shop", "campaign": "spring", "complaints": 6, "delivered": 2_500}
    assert alerts.seen == [("complaints", values)], "2 in a thousand are five"
    lines = list(desk.audit())
    assert len(lines) == 6
    assert (lines[0]["what"], lines[0]["message_id"], lines[0]["source"]) == ("complaint", "7", "carrier")


async def test_names_of_campaigns_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setattr(desk.rules._audit, "note", lambda *_, **__: None)
    for number in range(CAMPAIGNS_MAX + 50):
        await desk.rules.answer(calls.Note("complaint", "shop", 0, f"c{number}"))
    assert len(desk.rules._complaints) == CAMPAIGNS_MAX
