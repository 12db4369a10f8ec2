"""The HTTP API as a client sees it: from a request to what became of the message, with real processes."""

import json
from datetime import datetime
from itertools import count

import pytest
from api_client import TO, Api, moment, serve, smsc
from gateway_process import channel, free_port, route, wait_for

ACCOUNTS = ("shop", "other", "lists", "waits", "stream", "ads", "away")
_numbers = count(8613900000000)


@pytest.fixture(scope="module")
def place(start_module, tmp_path_factory):
    """A gateway with a quick carrier, a dead one for the account `away`, and one that never sends receipts for `waits`."""
    quick = smsc(start_module, tmp_path_factory)
    silent = smsc(start_module, tmp_path_factory, "--dlr", "none")
    return serve(
        start_module,
        accounts=ACCOUNTS,
        channels=[channel("quick", quick.port), channel("silent", silent.port), channel("dead", free_port())],
        routes=[route("dead", accounts=["away"]), route("silent", accounts=["waits"]), route("quick")],
    )


@pytest.fixture(scope="module")
def shop(place):
    return place.api("shop")


def fresh_number():
    return f"+{next(_numbers)}"


def test_a_message_from_request_to_delivered(shop):
    fields = {"class": "verification", "client_ref": "order-7", "tags": ["a", "b"], "campaign_id": "c1", "from": "10690000"}
    answer = shop.post("/v1/messages", {"to": TO, "text": "您的验证码 123456", **fields})
    assert answer.status == 202
    accepted = answer.body
    assert accepted == {
        "id": accepted["id"],
        "status": "accepted",
        "to": TO,
        "segments": 1,
        "encoding": "ucs2",
        "client_ref": "order-7",
    }
    assert answer.headers["location"] == f"/v1/messages/{accepted['id']}"
    found = shop.wait_status(accepted["id"], "delivered")
    assert {name: found[name] for name in fields} == fields
    assert (found["text"], found["channel"], found["stat"]) == ("您的验证码 123456", "quick", "DELIVRD")
    assert found["sla_10s"] is (found["latency_ms"] <= 10_000)
    trail = shop.get(f"/v1/messages/{accepted['id']}/trail").body
    (attempt,) = trail["attempts"]
    assert trail["message"]["status"] == "delivered"
    assert (attempt["channel"], attempt["part"], attempt["parts"], attempt["stat"]) == ("quick", 1, 1, "DELIVRD")
    assert attempt["carrier_id"]


def test_a_long_message_is_one_message_of_several_parts(shop):
    accepted = shop.send(text="x" * 400)
    assert (accepted["segments"], accepted["encoding"]) == (3, "gsm7")
    shop.wait_status(accepted["id"], "delivered")
    trail = shop.get(f"/v1/messages/{accepted['id']}/trail").body
    assert sorted((one["part"], one["parts"]) for one in trail["attempts"]) == [(1, 3), (2, 3), (3, 3)]
    assert trail["message"]["text"] == "x" * 400


def test_what_cannot_be_sent_is_refused_by_field(shop):
    def refused(**fields):
        answer = shop.post("/v1/messages", {"to": TO, "text": "hello", **fields})
        assert (answer.status, answer.code) == (422, "invalid_request"), answer
        return answer.pointers

    assert refused(to="nobody") == ["/to"]
    assert refused(text="") == ["/text"]
    assert refused(text="你好", encoding="gsm7") == ["/text"]
    assert refused(**{"class": "spam"}) == ["/class"]
    assert refused(tags=["x"] * 6) == ["/tags"]
    assert refused(expire_at=moment(-5)) == ["/expire_at"]
    assert refused(send_at=moment(500 * 86_400)) == ["/send_at"]
    assert refused(send_at="2027-01-01T00:00:00") == ["/send_at"], "a moment without offset"
    assert refused(surprise=1) == ["/surprise"]


def test_a_repeat_with_the_same_key_gives_the_first_answer(shop):
    body = {"to": fresh_number(), "text": "once"}
    first = shop.post("/v1/messages", body, Idempotency_Key="k-1")
    again = shop.post("/v1/messages", body, Idempotency_Key="k-1")
    assert (first.status, again.status) == (202, 202)
    assert again.body == {**first.body, "replayed": True}
    other = shop.post("/v1/messages", {**body, "text": "twice"}, Idempotency_Key="k-1")
    assert (other.status, other.code) == (422, "idempotency_mismatch")
    assert len(shop.get("/v1/messages", to=body["to"]).body["data"]) == 1


def test_keys_of_requests_are_an_accounts_own(place, shop):
    other = place.api("other")
    body = {"to": fresh_number(), "text": "once"}
    mine, theirs = (one.post("/v1/messages", body, Idempotency_Key="shared").body for one in (shop, other))
    assert mine["id"] != theirs["id"]


def test_a_batch_says_what_became_of_each_recipient(shop):
    good, greeted = fresh_number(), fresh_number()
    answer = shop.post(
        "/v1/batches",
        {
            "text": "Dear {{ name }}, {{ what | default: 'hello' }}",
            "to": [
                {"number": greeted, "params": {"name": "Li", "what": "good day"}, "client_ref": "r0"},
                {"number": "not-a-number", "params": {"name": "x"}},
                {"number": fresh_number(), "client_ref": "r2"},
                {"number": good, "params": {"name": "Wang"}, "client_ref": "r3"},
            ],
            "campaign_id": "spring",
        },
        Idempotency_Key="batch-1",
    )
    assert answer.status == 202, answer
    body = answer.body
    assert (body["accepted"], body["refused"]) == (2, 2)
    assert [one["client_ref"] for one in body["messages"]] == ["r0", "r3"]
    assert [(one["pointer"], one["code"]) for one in body["errors"]] == [
        ("/to/1", "invalid_number"),
        ("/to/2/params", "invalid_text"),
    ]
    texts = [shop.wait_status(one["id"], "delivered")["text"] for one in body["messages"]]
    assert texts == ["Dear Li, good day", "Dear Wang, hello"]
    batch = wait_for(lambda: (one := shop.get(answer.headers["location"]).body)["done"] and one, "the batch to end")
    assert (batch["size"], batch["refused"], batch["states"]) == (4, 2, {"delivered": 2})
    assert shop.message(body["messages"][0]["id"])["batch_id"] == body["id"]
    nobody = shop.post("/v1/batches", {"text": "hi", "to": ["x", "y"]})
    assert (nobody.status, nobody.pointers) == (422, ["/to/0", "/to/1"])
    assert shop.get("/v1/batches/b1").status == 404


def test_a_repeated_batch_gives_the_first_answer(shop):
    body = {"text": "hello", "to": [fresh_number() for _ in range(1000)]}
    first, again = (shop.post("/v1/batches", body, Idempotency_Key="batch-2") for _ in range(2))
    assert (first.status, first.body["accepted"]) == (202, 1000)
    assert again.body == {**first.body, "replayed": True}


def test_lists_hold_what_lives_and_what_has_ended_in_pages(place):
    lists = place.api("lists")
    ended = [lists.send(fresh_number(), client_ref=f"l{at}")["id"] for at in range(5)]
    for one in ended:
        lists.wait_status(one, "delivered")
    living = [lists.send(fresh_number(), send_at=moment(3600), client_ref="later")["id"] for at in range(4)]
    newest = [*reversed(living), *reversed(ended)]
    pages, cursor = [], ""
    while cursor is not None:
        page = lists.get("/v1/messages", limit=2, cursor=cursor).body
        assert len(page["data"]) <= 2
        pages += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert pages == newest, "each once, newest first"

    def listed(**query):
        return [one["id"] for one in lists.get("/v1/messages", **query).body["data"]]

    assert listed(status="delivered") == [*reversed(ended)]
    assert listed(status="scheduled") == [*reversed(living)]
    assert listed(client_ref="l3") == [ended[3]]
    assert listed(client_ref="later", limit=1) == [living[-1]]
    to = lists.message(ended[0])["to"]
    assert listed(to=to) == [ended[0]]
    assert listed(since=moment(3600)) == []
    assert len(listed(since=moment(-3600))) == 9
    for query, pointer in (
        ({"limit": 0}, "/limit"),
        ({"limit": "x"}, "/limit"),
        ({"status": "lost"}, "/status"),
        ({"x": 1}, "/x"),
    ):
        answer = lists.get("/v1/messages", **query)
        assert (answer.status, answer.pointers) == (422, [pointer])


def test_sent_is_told_from_delivered(place):
    waits = place.api("waits")
    accepted = waits.send(fresh_number())
    waits.wait_status(accepted["id"], "sent")
    assert [one["id"] for one in waits.get("/v1/messages", status="sent").body["data"]] == [accepted["id"]]
    late = waits.post(f"/v1/messages/{accepted['id']}/cancel")
    assert (late.status, late.code) == (409, "too_late")
    late = waits.post(f"/v1/messages/{accepted['id']}/reschedule", {})
    assert (late.status, late.code) == (409, "too_late")


def test_what_waits_can_be_cancelled(place):
    away = place.api("away")
    queued, scheduled = away.send(fresh_number())["id"], away.send(fresh_number(), send_at=moment(3600))["id"]
    assert away.message(queued)["status"] == "queued"
    assert away.message(scheduled)["status"] == "scheduled"
    for one in (queued, scheduled):
        answer = away.post(f"/v1/messages/{one}/cancel")
        assert (answer.status, answer.body["status"]) == (200, "cancelled")
        assert away.post(f"/v1/messages/{one}/cancel").status == 409
        assert away.message(one)["status"] == "cancelled"


def test_a_scheduled_message_goes_when_its_time_comes(shop):
    accepted = shop.send(fresh_number(), send_at=moment(1.5))
    assert accepted["status"] == "scheduled"
    assert shop.wait_status(accepted["id"], "delivered")["send_at"]
    trail = shop.get(f"/v1/messages/{accepted['id']}/trail").body
    assert datetime.fromisoformat(trail["attempts"][0]["at"]) >= datetime.fromisoformat(trail["message"]["send_at"])


def test_a_scheduled_message_can_be_moved(shop):
    accepted = shop.send(fresh_number(), send_at=moment(3600))
    later = shop.post(f"/v1/messages/{accepted['id']}/reschedule", {"send_at": moment(7200)})
    assert (later.status, later.body["status"]) == (200, "scheduled")
    wrong = shop.post(f"/v1/messages/{accepted['id']}/reschedule", {"expire_at": moment(-7200)})
    assert (wrong.status, wrong.pointers) == (422, ["/expire_at"])
    assert shop.post(f"/v1/messages/{accepted['id']}/reschedule", {"send_at": None}).status == 200
    shop.wait_status(accepted["id"], "delivered")


def test_what_expires_before_it_is_sent_is_expired(place):
    away = place.api("away")
    accepted = away.send(fresh_number(), expire_at=moment(1))
    away.wait_status(accepted["id"], "expired")


def test_messages_of_others_are_not_there(place, shop):
    other = place.api("other")
    mine = shop.send(fresh_number())["id"]
    batch = shop.post("/v1/batches", {"text": "hi", "to": [fresh_number()]}).body["id"]
    hook = shop.post("/v1/webhooks", {"url": "http://127.0.0.1:9/x"}).body["id"]
    key = shop.get("/v1/keys").body["data"][0]["id"]
    for method, path, body in (
        ("GET", f"/v1/messages/{mine}", None),
        ("GET", f"/v1/messages/{mine}/trail", None),
        ("POST", f"/v1/messages/{mine}/cancel", None),
        ("POST", f"/v1/messages/{mine}/reschedule", {}),
        ("GET", f"/v1/batches/{batch}", None),
        ("GET", f"/v1/webhooks/{hook}", None),
        ("PATCH", f"/v1/webhooks/{hook}", {"enabled": False}),
        ("DELETE", f"/v1/webhooks/{hook}", None),
        ("GET", f"/v1/webhooks/{hook}/deliveries", None),
        ("POST", f"/v1/webhooks/{hook}/replay", {}),
        ("POST", f"/v1/webhooks/{hook}/test", None),
        ("POST", f"/v1/webhooks/{hook}/rotate", {}),
        ("POST", f"/v1/keys/{key}/rotate", {}),
        ("DELETE", f"/v1/keys/{key}", None),
        ("GET", "/v1/messages/123", None),
        ("GET", "/v1/messages/99999999999999999999999", None),
        ("GET", "/v1/messages/x", None),
    ):
        answer = other.ask(method, path, body)
        assert (answer.status, answer.code) == (404, "not_found"), (method, path)
    assert other.get("/v1/webhooks").body["data"] == []
    assert shop.ask("DELETE", f"/v1/webhooks/{hook}").status == 204


def test_without_a_key_nothing_is_answered(place):
    nobody, wrong = place.plain(), place.plain("sk_wrong")
    for method, path in (("GET", "/v1/messages"), ("POST", "/v1/messages"), ("GET", "/v1/ledger"), ("GET", "/v1/events")):
        for one in (nobody, wrong):
            answer = one.ask(method, path)
            assert (answer.status, answer.code) == (401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert nobody.get("/openapi.json").status == 200
    assert "<title>Tensec API</title>" in nobody.get("/docs").raw.decode()


def test_a_key_does_what_its_scopes_say(place):
    paths = {
        "send": ("POST", "/v1/messages"),
        "read": ("GET", "/v1/messages"),
        "ops": ("GET", "/v1/channels"),
        "admin": ("GET", "/v1/keys"),
    }
    for mine in paths:
        api = place.api("other", mine)
        for scope, (method, path) in paths.items():
            answer = api.ask(method, path, {"to": fresh_number(), "text": "x"} if method == "POST" else None)
            assert (answer.status < 300) is (scope == mine), (mine, scope, answer)
            if scope != mine:
                assert (answer.status, answer.code) == (403, "forbidden")


def test_keys_by_http(place):
    admin = place.api("other", "admin", "read")
    assert admin.post("/v1/keys", {"scopes": ["ops"]}).status == 403, "nobody gives what they do not have"
    made = admin.post("/v1/keys", {"scopes": ["read"], "name": "report"})
    assert made.status == 201
    reader = place.plain(made.body["key"])
    wait_for(lambda: reader.get("/v1/messages").status == 200, "the new key to work")
    listed = {one["id"]: one for one in admin.get("/v1/keys").body["data"]}
    assert listed[made.body["id"]]["name"] == "report"
    assert "key" not in listed[made.body["id"]]
    turned = admin.post(f"/v1/keys/{made.body['id']}/rotate", {"overlap_s": 3600})
    assert turned.status == 201
    newer = place.plain(turned.body["key"])
    wait_for(lambda: newer.get("/v1/messages").status == 200, "the newer key to work")
    assert reader.get("/v1/messages").status == 200, "both work for a while"
    assert admin.ask("DELETE", f"/v1/keys/{made.body['id']}").status == 204
    wait_for(lambda: reader.get("/v1/messages").status == 401, "the revoked key to be refused")
    assert newer.get("/v1/messages").status == 200
    soon = admin.post("/v1/keys", {"scopes": ["read"], "expire_at": moment(1)})
    short = place.plain(soon.body["key"])
    wait_for(lambda: short.get("/v1/messages").status == 401, "the key to expire")


def test_the_stream_of_events_tells_finals(place):
    stream = place.api("stream")
    with Events(stream) as events:
        other = place.api("other").send(fresh_number())
        sent = stream.send(fresh_number(), client_ref="s1")
        kind, event = events.next()
        assert kind == "message.delivered"
        assert (event["data"]["id"], event["data"]["client_ref"], event["data"]["status"]) == (sent["id"], "s1", "delivered")
        assert event["data"]["to"] == sent["to"]
    everybody = place.plain(stream.key)
    with Events(everybody, "?account=*") as events:
        other = place.api("other").send(fresh_number())
        assert events.next()[1]["data"]["id"] == other["id"]
    narrow = place.api("stream", "read")
    assert narrow.get("/v1/events", account="other").status == 403


def test_ledger_and_sums(place, shop):
    accepted = shop.send(fresh_number())
    shop.wait_status(accepted["id"], "delivered")
    ledger = shop.get("/v1/ledger").body
    assert ledger["balanced"]
    assert ledger["final"]["delivered"] >= 1
    assert any(one["channel"] == "quick" for one in shop.get("/v1/sla").body["data"])


class Events:
    """GET /v1/events, read as it comes."""

    def __init__(self, api: Api, query: str = "") -> None:
        self._connection = api._connect()
        self._connection.request("GET", f"/v1/events{query}", headers={"Authorization": f"Bearer {api.key}"})
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        assert self._response.headers["content-type"].startswith("text/event-stream")
        assert self._response.readline() == b": connected\n"

    def next(self):
        """(type, event)"""
        fields = {}
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if not line:
                if fields:
                    return fields["event"], json.loads(fields["data"])
                continue
            name, _, value = line.partition(": ")
            fields[name] = value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._response.close()
        self._connection.close()
