"""What endpoints make of the core's answers, and what nobody may do with a key."""

import asyncio
from typing import Any

import msgspec
import pytest
from asgi import Got, ask
from fake_core import UTC, Api

from gateway.api import keys as keys_module
from gateway.api import submits
from gateway.api.messages import ID_MAX
from gateway.api.render import event
from gateway.calls import messages as calls
from gateway.calls.making import make_webhook, stored
from gateway.calls.outbound import Events
from gateway.calls.things import KEY, WEBHOOK
from gateway.store.history import SearchTooLongError
from gateway.store.record import Record
from protocol.status import Status
from routing.records import Attempt, AttemptKey, AttemptState, Content, Message, MessageState, Notice

TO = "+8613800138000"


def record(number: int = 7, state: MessageState = MessageState.QUEUED, *attempts: AttemptState, **fields: Any) -> Record:
    made = Message(number, "shop", destination=TO[1:], content=Content(b"hi"), arrival_utc=UTC, state=state, **fields)
    return Record(made, [Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 0, state=one, begun_utc=UTC) for one in attempts])


def taken(*statuses: int, **fields: Any) -> calls.Taken:
    return calls.Taken([calls.Item(0 if one else 100 + at, one, TO[1:]) for at, one in enumerate(statuses)], **fields)


class Client:
    """An account's program."""

    def __init__(self, api: Api, *scopes: Any, account: str = "shop") -> None:
        self.api = api
        self.key, self.secret = api.key(*scopes, account=account)

    async def __call__(self, method: str, path: str, data: Any = None, *answers: Any, **headers: str) -> Got:
        self.api.core.answers = list(answers)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.api.app, method, path, data=data, key=self.secret, headers=named)


@pytest.fixture
def api(run: Any) -> Api:
    async def make() -> Api:
        return Api()

    return run(make())  # type: ignore[no-any-return]


# -- submits


def test_a_message_is_accepted_with_its_place(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        got = await client("POST", "/v1/messages", {"to": TO, "text": "hi", "client_ref": "r"}, taken(0))
        assert (got.status, got.headers["location"]) == (202, "/v1/messages/100")
        assert got.json == {"id": "100", "status": "accepted", "to": TO, "segments": 1, "encoding": "gsm7", "client_ref": "r"}

    run(main())


@pytest.mark.parametrize(
    ("status", "http", "code", "pointer"),
    [
        (Status.RTHROTTLED, 429, "rate_limited", None),
        (Status.RMSGQFUL, 503, "unavailable", None),
        (Status.RSYSERR, 503, "unavailable", None),
        (Status.RINVDSTADR, 422, "invalid_request", "/to"),
        (Status.RINVSRCADR, 422, "invalid_request", "/from"),
        (Status.RINVEXPIRY, 422, "invalid_request", "/expire_at"),
        (Status.RSUBMITFAIL, 422, "invalid_request", ""),
    ],
)
def test_what_the_core_refuses(api: Api, run: Any, status: int, http: int, code: str, pointer: str | None) -> None:
    async def main() -> None:
        client = Client(api)
        for path, data in (
            ("/v1/messages", {"to": TO, "text": "x"}),
            ("/v1/batches", {"to": [TO], "text": "x"}),
        ):
            got = await client("POST", path, data, taken(status, retry_after_s=2.0))
            assert (got.status, got.json["code"]) == (http, code)
            assert ("retry-after" in got.headers) == (http in (429, 503)) != got.json["permanent"]
            if pointer is not None and path == "/v1/messages":
                assert got.json["errors"][0]["pointer"] == pointer

    run(main())


def test_one_digest_for_one_request_and_never_two_endpoints(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        one, other = {"to": TO, "text": "x"}, {"to": TO, "text": "y"}
        await client("POST", "/v1/messages", one, taken(0), Idempotency_Key="k")
        await client("POST", "/v1/messages", one, taken(0), Idempotency_Key='"k"')
        await client("POST", "/v1/messages", other, taken(0), Idempotency_Key="k")
        await client("POST", "/v1/messages", one, taken(0))
        first, same, changed, plain = (asked for asked in api.core.asked if isinstance(asked, calls.Submit))
        assert (first.key, first.digest) == (same.key, same.digest)
        assert (changed.key, changed.digest != first.digest) == ("k", True)
        assert (plain.key, plain.digest) == ("", "")
        raw = b'{"to":["1"],"text":"x"}'
        api.core.asked.clear()
        for path in ("/v1/messages", "/v1/batches"):
            api.core.answers = [taken(0)]
            await ask(api.app, "POST", path, raw, key=client.secret, headers={"idempotency-key": "k"})
        assert len(api.core.asked) == 1, "as a message it does not even fit"

    run(main())


@pytest.mark.parametrize("key", ["x" * 256, "a\x1fb", "a\tb"])
def test_a_key_that_is_none(api: Api, run: Any, key: str) -> None:
    async def main() -> None:
        got = await Client(api)("POST", "/v1/messages", {"to": TO, "text": "x"}, Idempotency_Key=key)
        assert got.status == 400

    run(main())


def test_conflicts(api: Api, run: Any) -> None:
    async def main() -> None:
        client, data = Client(api), {"to": TO, "text": "x"}
        got = await client("POST", "/v1/messages", data, calls.Conflict(running=True), Idempotency_Key="k")
        assert (got.status, got.json["permanent"], got.headers["retry-after"]) == (409, False, "1")
        got = await client("POST", "/v1/messages", data, calls.Conflict(running=False), Idempotency_Key="k")
        assert (got.status, got.json["code"]) == (422, "idempotency_mismatch")

    run(main())


def test_a_batch_keeps_nobody_back_for_another(api: Api, run: Any) -> None:
    async def main() -> None:
        data = {
            "to": [{"number": TO, "params": {"n": "Li"}}, TO, {"number": "x", "params": {"n": "y"}}],
            "text": "Hi {{ n }}",
        }
        got = await Client(api)("POST", "/v1/batches", data, taken(0, Status.RINVDSTADR, batch_id="b5"))
        assert (got.status, got.headers["location"]) == (202, "/v1/batches/b5")
        assert (got.json["accepted"], got.json["refused"]) == (1, 2)
        assert [(one["pointer"], one["code"]) for one in got.json["errors"]] == [
            ("/to/1/params", "invalid_text"),
            ("/to/2", "invalid_number"),
        ]
        (submit,) = api.core.asked
        assert [one.data for one in submit.drafts] == [b"Hi Li", b"Hi y"]  # type: ignore[union-attr]

    run(main())


def test_a_batch_whose_texts_are_too_much_together(api: Api, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(submits, "BATCH_OCTETS_MAX", 1_000)
        got = await Client(api)("POST", "/v1/batches", {"to": [TO] * 11, "text": "x" * 100})
        assert (got.status, api.core.asked) == (413, [])

    run(main())


@pytest.mark.parametrize(
    ("field", "moment", "pointer"),
    [
        ("send_at", "2999-01-01T00:00:00Z", "/send_at"),
        ("expire_at", "9999-12-31T23:59:59-23:59", "/expire_at"),
        ("send_at", "9999-12-31T23:59:59-23:59", "/send_at"),
    ],
)
def test_moments_that_could_not_be_shown_again(api: Api, run: Any, field: str, moment: str, pointer: str) -> None:
    async def main() -> None:
        client = Client(api)
        for path, data in (("/v1/messages", {"to": TO, "text": "x"}), ("/v1/messages/5/reschedule", {})):
            got = await client("POST", path, {**data, field: moment})
            assert (got.status, got.json["errors"][0]["pointer"]) == (422, pointer)
        if field == "expire_at":
            got = await client("POST", "/v1/keys", {"scopes": ["read"], "expire_at": moment})
            assert got.status == 422
        assert api.core.asked == []

    run(main())


def test_a_repeat_after_its_validity_is_the_core_s_to_judge(api: Api, run: Any) -> None:
    async def main() -> None:
        for moment in ("2001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"):
            data = {"to": TO, "text": "x", "expire_at": moment}
            got = await Client(api)("POST", "/v1/messages", data, taken(0, replayed=True), Idempotency_Key="k")
            assert (got.status, got.json["replayed"]) == (202, True)
            assert api.core.asked[-1].drafts[0].expires_utc > 0  # type: ignore[union-attr]

    run(main())


def test_a_core_that_is_away_is_503_and_a_bug_is_500_without_a_word(api: Api, run: Any) -> None:
    async def main() -> None:
        client, data = Client(api), {"to": TO, "text": "very secret"}
        got = await client("POST", "/v1/messages", data)
        assert (got.status, got.headers["retry-after"], got.json["code"]) == (503, "1", "unavailable")
        got = await client("POST", "/v1/messages", data, ValueError("very secret"))
        assert (got.status, got.json["code"]) == (500, "internal")
        assert b"secret" not in got.body
        api.core.connected.clear()
        got = await client("GET", "/v1/messages/5")
        assert got.status == 503, "a good key must not be called a bad one"

    run(main())


# -- questions


@pytest.mark.parametrize("name", ["x", "-1", "1" * 20, str(ID_MAX + 1), "%00", "\u0661"])
def test_what_can_be_no_id_is_nobody_s(api: Api, run: Any, name: str) -> None:
    async def main() -> None:
        client = Client(api)
        for path in (f"/v1/messages/{name}", f"/v1/messages/{name}/trail", f"/v1/batches/{name}", f"/v1/batches/b{name}"):
            assert (await client("GET", path)).status == 404
        assert (await client("POST", f"/v1/messages/{name}/cancel")).status == 404
        assert api.core.asked == []

    run(main())


def test_other_accounts_things_are_not_there(api: Api, run: Any) -> None:
    async def main() -> None:
        hook = api.hook(make_webhook("shop", "https://a.test/", UTC))
        mine = Client(api)
        theirs = Client(api, account="other")
        for method, path in (
            ("GET", f"/v1/webhooks/{hook.id}"),
            ("DELETE", f"/v1/webhooks/{hook.id}"),
            ("GET", f"/v1/webhooks/{hook.id}/deliveries"),
            ("POST", f"/v1/webhooks/{hook.id}/test"),
            ("DELETE", f"/v1/keys/{mine.key.id}"),
        ):
            assert (await theirs(method, path)).status == 404
        for path in (f"/v1/webhooks/{hook.id}/rotate", f"/v1/webhooks/{hook.id}/replay", f"/v1/keys/{mine.key.id}/rotate"):
            assert (await theirs("POST", path, {})).status == 404
        assert (await theirs("PATCH", f"/v1/webhooks/{hook.id}", {"enabled": False})).status == 404
        assert (await theirs("GET", "/v1/webhooks")).json == {"data": []}
        assert [one["id"] for one in (await theirs("GET", "/v1/keys")).json["data"]] == [theirs.key.id]
        assert (await theirs("GET", "/v1/messages/7", None, calls.Records([]))).status == 404
        assert api.core.asked == [calls.Find("other", 7)]
        assert api.directory.webhook("shop", hook.id) == hook

    run(main())


def test_pages_go_on_until_there_is_no_more(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        living = [record(number) for number in (9, 8, 7)]
        got = await client("GET", "/v1/messages?limit=2", None, calls.Records(living))
        assert ([one["id"] for one in got.json["data"]], got.json["next_cursor"]) == (["9", "8"], "8")
        got = await client("GET", "/v1/messages?limit=2&cursor=8&to=%2B8613800138000", None, calls.Records(living[2:]))
        assert ([one["id"] for one in got.json["data"]], got.json["next_cursor"]) == (["7"], None)
        assert api.core.asked[-1] == calls.Search("shop", TO[1:], "", (), 0, 8, 3)

    run(main())


def test_a_page_of_what_is_sent_goes_on_behind_what_is_only_sending(api: Api, run: Any) -> None:
    """The core tells both apart no further than the state: a page may be short, but is not the last."""

    async def main() -> None:
        sending = [record(number, MessageState.IN_FLIGHT, AttemptState.SENDING) for number in (9, 8, 7)]
        got = await Client(api)("GET", "/v1/messages?limit=2&status=sent", None, calls.Records(sending))
        assert (got.json["data"], got.json["next_cursor"]) == ([], "8")

    run(main())


def test_the_history_and_the_living_are_one_list(run: Any) -> None:
    class History:
        async def search(self, fields: Any, before: int, since: int, limit: int) -> list[Record]:
            if fields.get("client_ref") == "slow":
                raise SearchTooLongError("name a recipient")
            assert fields["account"] == "shop"
            return [record(8, MessageState.DELIVERED), record(6, MessageState.DELIVERED)]

    async def main() -> None:
        client = Client(Api(history=History()))
        living = [record(9), record(8, MessageState.UNKNOWN)]
        got = await client("GET", "/v1/messages", None, calls.Records(living))
        assert [(one["id"], one["status"]) for one in got.json["data"]] == [
            ("9", "queued"),
            ("8", "unknown"),
            ("6", "delivered"),
        ]
        got = await client("GET", "/v1/messages?client_ref=slow", None, calls.Records([]))
        assert (got.status, got.json["code"]) == (503, "search_too_long")

    run(main())


def test_too_late_to_cancel(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        got = await client("POST", "/v1/messages/7/cancel", None, calls.Changed(False, record(7, MessageState.DELIVERED)))
        assert (got.status, got.json["code"]) == (409, "too_late")
        assert (await client("POST", "/v1/messages/7/cancel", None, calls.Changed(False))).status == 404
        got = await client("POST", "/v1/messages/7/cancel", None, calls.Changed(True, record(7, MessageState.CANCELLED)))
        assert (got.status, got.json["status"]) == (200, "cancelled")

    run(main())


# -- keys


def test_nobody_gives_a_scope_they_do_not_have(api: Api, run: Any) -> None:
    async def main() -> None:
        _, boss = api.key("ops", "admin")
        client = Client(api, "admin", "read")
        assert (await client("POST", "/v1/keys", {"scopes": ["read", "ops"]})).status == 403
        strong = next(one for one in api.directory.keys("shop") if "ops" in one.scopes)
        assert (await client("POST", f"/v1/keys/{strong.id}/rotate", {})).status == 403
        got = await client("POST", "/v1/keys", {"scopes": ["read"], "name": "n"})
        assert (got.status, got.json["scopes"]) == (201, ["read"])
        assert api.directory.key_of(got.json["key"], UTC) is not None
        assert got.json["key"] not in (await client("GET", "/v1/keys")).body.decode()
        assert (await Client(api, "send", "read", "ops")("GET", "/v1/keys")).status == 403
        assert boss

    run(main())


def test_a_rotated_key_works_a_while_longer_and_no_longer_than_it_would_have(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        old, secret = api.key("read", expires_utc=UTC + 100)
        got = await client("POST", f"/v1/keys/{old.id}/rotate", {"overlap_s": 60})
        assert got.status == 201
        assert api.directory.key_of(secret, UTC + 59) is not None
        assert api.directory.key_of(secret, UTC + 60) is None
        assert api.directory.key_of(got.json["key"], UTC + 99) is not None
        assert api.directory.key_of(got.json["key"], UTC + 100) is None
        other, secret = api.key("read", expires_utc=UTC + 10)
        await client("POST", f"/v1/keys/{other.id}/rotate", {})
        assert api.directory.key_of(secret, UTC + 10) is None

    run(main())


def test_keys_that_are_over_go_and_those_that_work_are_bounded(api: Api, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(keys_module, "KEYS_MAX", 3)
        client = Client(api)
        over, _ = api.key("read", expires_utc=UTC - 1)
        for _ in range(2):
            assert (await client("POST", "/v1/keys", {"scopes": ["read"]})).status == 201
        assert api.directory.key("shop", over.id) is None
        assert (await client("POST", "/v1/keys", {"scopes": ["read"]})).status == 422
        assert (await client("POST", "/v1/keys", {"scopes": ["read"], "expire_at": "2001-01-01T00:00:00Z"})).status == 422

    run(main())


def test_a_key_that_could_not_be_kept_is_not_shown(api: Api, run: Any) -> None:
    async def main() -> None:
        for answer in (calls.Done("disk full"), None):
            if answer is None:
                api.core.connected.clear()
            got = await Client(api)("POST", "/v1/keys", {"scopes": ["read"]}, *([answer] if answer else []))
            assert got.status == 503
            assert b"sk_" not in got.body

    run(main())


def test_a_revoked_key_works_no_longer(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        kept, secret = api.key("admin")
        assert (await client("DELETE", f"/v1/keys/{kept.id}")).status == 204
        assert (await ask(api.app, "GET", "/v1/keys", key=secret)).status == 401
        assert (await client("DELETE", f"/v1/keys/{kept.id}")).status == 404

    run(main())


# -- webhooks


def test_a_webhook_is_made_changed_rotated_and_taken_away(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        got = await client("POST", "/v1/webhooks", {"url": "https://a.test/x", "events": ["message.delivered"] * 2})
        name, secret = got.json["id"], got.json["secret"]
        assert (got.status, got.json["events"]) == (201, ["message.delivered"])
        place = f"/v1/webhooks/{name}"
        assert "secret" not in (await client("GET", place)).json
        got = await client("PATCH", place, {"enabled": False, "batch": True})
        assert (got.json["enabled"], got.json["batch"], got.json["disabled_because"]) == (False, True, "switched off")
        got = await client("POST", f"{place}/rotate", {"overlap_s": 60})
        hook = api.directory.webhook("shop", name)
        assert hook is not None
        assert hook.secrets == (got.json["secret"], secret)
        assert hook.signing(UTC + 59) == (got.json["secret"], secret)
        assert hook.signing(UTC + 60) == (got.json["secret"],)
        got = await client("POST", f"{place}/test")
        assert (got.json["http_status"], api.tested[0][0]) == (200, hook)
        assert (await client("DELETE", place)).status == 204
        assert (await client("GET", place)).status == 404

    run(main())


@pytest.mark.parametrize("url", ["http://a.test/", "https://127.0.0.1/", "https://a.test/\r\nX: y", "https://169.254.169.254/"])
def test_a_webhook_s_place_is_looked_at_when_it_is_made_and_when_it_changes(api: Api, run: Any, url: str) -> None:
    async def main() -> None:
        client = Client(api)
        hook = api.hook(make_webhook("shop", "https://a.test/", UTC))
        for method, path in (("POST", "/v1/webhooks"), ("PATCH", f"/v1/webhooks/{hook.id}")):
            got = await client(method, path, {"url": url})
            assert (got.status, got.json["errors"][0]["pointer"]) == (422, "/url")
        assert api.core.asked == []

    run(main())


def test_what_another_worker_does_at_the_same_time_is_not_undone(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        hook = api.hook(make_webhook("shop", "https://a.test/", UTC))
        place = f"/v1/webhooks/{hook.id}"
        rotated = msgspec.structs.replace(hook, secrets=("whsec_new", hook.secrets[0]))
        api.core.meanwhile = (WEBHOOK, hook.id, stored(rotated))
        assert (await client("PATCH", place, {"batch": True})).status == 200
        found = api.directory.webhook("shop", hook.id)
        assert found is not None
        assert (found.secrets[0], found.batch) == ("whsec_new", True)
        api.core.meanwhile = (WEBHOOK, hook.id, b"")
        assert (await client("PATCH", place, {"batch": False})).status == 404
        assert api.directory.webhook("shop", hook.id) is None, "taken away is taken away"
        old, secret = api.key("read")
        api.core.meanwhile = None
        before = len(list(api.directory.keys("shop")))
        real = api.core.ask

        def revoked_before_the_second(what: Any) -> Any:
            if isinstance(what, calls.PutDocument) and what.instead_of:
                api.core.meanwhile = (KEY, old.id, b"")
            return real(what)

        api.core.ask = revoked_before_the_second  # type: ignore[method-assign]
        assert (await client("POST", f"/v1/keys/{old.id}/rotate", {})).status == 404
        assert api.directory.key_of(secret, UTC) is None, "revoked is revoked"
        assert len(list(api.directory.keys("shop"))) == before - 1

    run(main())


def test_deliveries_and_replays_are_the_core_s(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        hook = api.hook(make_webhook("shop", "https://a.test/", UTC))
        tries = [calls.PastTry(7, 503, "busy", UTC, 0.1, 1, UTC + 5), calls.PastTry(-7, 200, "", UTC, 0.1, 0, 0.0)]
        got = await client("GET", f"/v1/webhooks/{hook.id}/deliveries", None, calls.Deliveries(tries, 4))
        assert [one["event_id"] for one in got.json["data"]] == ["evt_7", "evt_7c"]
        assert got.json["waiting"] == 4
        data = {"message_ids": ["7", "9" * 19]}
        got = await client("POST", f"/v1/webhooks/{hook.id}/replay", data, calls.Done(count=1))
        assert (got.status, got.json) == (202, {"replayed": 1})
        assert api.core.asked[-1] == calls.Replay("shop", hook.id, (7,), False)

    run(main())


# -- operators


def test_a_channel_nobody_knows_is_not_found(api: Api, run: Any) -> None:
    async def main() -> None:
        got = await Client(api, "ops")("POST", "/v1/channels/x/drain", None, calls.Done("there is no channel x"))
        assert got.status == 404

    run(main())


def test_weights_and_rates_are_changed_alone_and_given_back_with_null(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api, "ops")
        path, gone = "/v1/channels/x", calls.Done("there is no channel x")
        assert (await client("PATCH", path, {"weight": 5, "why": "night"}, gone)).status == 404
        assert api.core.asked[-1] == calls.Tune("x", ("weight",), 5, None, f"key {client.key.id}", "night")
        await client("PATCH", path, {"messages_per_second": None}, gone)
        assert api.core.asked[-1] == calls.Tune("x", ("rate",), None, None, f"key {client.key.id}", "")
        for data, pointer in (
            ({"weight": 0}, "/weight"),
            ({"messages_per_second": -1}, "/messages_per_second"),
            ({"w": 1}, "/w"),
        ):
            got = await client("PATCH", path, data)
            assert (got.status, got.json["errors"][0]["pointer"]) == (422, pointer)
        assert (await Client(api, "send")("PATCH", path, {"weight": 5})).status == 403

    run(main())


def test_numbers_that_have_moved(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api, "ops")
        network = calls.Network("8613800138000", "cn-unicom", "86", False, True)
        shown = {"number": "+8613800138000", "operator": "cn-unicom", "country": "86", "virtual": False, "moved": True}
        got = await client("PUT", "/v1/numbers/8613800138000", {"operator": "cn-unicom"}, calls.Done(count=1), network)
        assert (got.status, got.json) == (200, shown)
        assert api.core.asked[-2] == calls.Port([("+8613800138000", "cn-unicom")], f"key {client.key.id}", "")
        got = await client("GET", "/v1/numbers/%2B8613800138000", None, network)
        assert (got.status, got.json) == (200, shown)
        assert (await client("GET", "/v1/numbers/0", None, calls.Done("+0 is no number"))).status == 404
        assert (await client("DELETE", "/v1/numbers/8613800138000", None, calls.Done(count=1))).status == 204
        assert api.core.asked[-1].numbers == [("+8613800138000", "")]
        data = {"data": [{"number": "8613800138000", "operator": "cn-unicom"}, {"number": "?", "operator": "x"}]}
        got = await client("POST", "/v1/numbers", data, calls.Done("1 are no numbers", 1))
        assert (got.status, got.json) == (200, {"changed": 1, "detail": "1 are no numbers"})

    run(main())


# -- the stream


def test_a_stream_tells_one_s_own_events_and_ends_with_its_key(api: Api, run: Any) -> None:
    async def main() -> None:
        client = Client(api)
        notice = Notice(7, "shop", public_id="7", state=MessageState.DELIVERED, created_utc=UTC)
        task = asyncio.create_task(stream(api, client.secret))
        while not api.core.watches:  # noqa: ASYNC110
            await asyncio.sleep(0)
        api.watchers.take(Events([msgspec.structs.replace(notice, account="other"), notice]))
        await asyncio.sleep(0)
        api.directory.take(api_gone(client))
        api.watchers.take(Events([msgspec.structs.replace(notice, id=8)]))
        lines = await task
        assert lines.count(b"event: message.delivered") == 1
        assert event(notice).id.encode() in lines
        assert api.core.watches == [("shop", True), ("shop", False)]
        assert api.watchers._queues == {}

    run(main())


def api_gone(client: Client) -> Any:
    from gateway.calls.outbound import Documents

    return Documents([("key", client.key.id, b"")])


async def stream(api: Api, secret: str, target: str = "/v1/events") -> bytes:
    said: list[bytes] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        said.append(message.get("body", b""))

    path, _, query = target.partition("?")
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    await api.app({**scope, "asgi": {"version": "3.0", "spec_version": "2.3"}, "scheme": "http"}, receive, send)
    return b"".join(said)


def test_other_accounts_streams_need_ops(api: Api, run: Any) -> None:
    async def main() -> None:
        for account in ("other", "*"):
            got = await Client(api, "read")("GET", f"/v1/events?account={account}")
            assert got.status == 403

    run(main())


def test_a_stream_that_is_not_read_ends_and_takes_no_more_memory(api: Api, run: Any) -> None:
    async def main() -> None:
        queue = api.watchers.join("shop")
        notice = Notice(7, "shop")
        api.watchers.take(Events([notice] * 20_000))
        assert queue.qsize() == 10_001
        found = [queue.get_nowait() for _ in range(10_001)]
        assert found[-1] is None
        api.watchers.end()
        assert queue.get_nowait() is None

    run(main())
