"""Webhooks end to end: signed events at receivers that take them, fail, hang, or are gone."""

import threading
from datetime import datetime, timedelta
from itertools import count

import pytest
from api_client import Receiver, moment, serve, smsc
from gateway_process import channel, route, wait_for
from standardwebhooks.webhooks import Webhook as Verifier

ACCOUNTS = ("plain", "fails", "slow", "batch", "gone", "replay", "rotate", "mo", "later")
_numbers = count(8613700000000)


@pytest.fixture(scope="module")
def place(start_module, tmp_path_factory):
    carrier = smsc(start_module, tmp_path_factory, "--mo-every-s", "0.5", "--mo-text", "STOP")
    return serve(
        start_module,
        accounts=ACCOUNTS,
        channels=[channel("one", carrier.port, mo_account="mo")],
        routes=[route("one")],
    )


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


def hook(api, receiver, path="/hook", **fields):
    answer = api.post("/v1/webhooks", {"url": receiver.url(path), **fields})
    assert answer.status == 201, answer
    return answer.body


def send(api, number=1, **fields):
    return [api.send(f"+{next(_numbers)}", **fields)["id"] for _ in range(number)]


def ids(events):
    return [one["data"]["id"] for one in events]


def verified(secret, got):
    return Verifier(secret).verify(got.raw, got.headers)


def test_an_event_is_signed_and_says_everything(place, receiver):
    api = place.api("plain")
    made = hook(api, receiver)
    (sent,) = send(api, client_ref="c-1", tags=["x"], **{"class": "verification"})
    (got,) = receiver.wait("/hook", bool, "an event")
    event = verified(made["secret"], got)
    assert event["type"] == "message.delivered"
    assert got.headers["webhook-id"] == event["id"]
    data = event["data"]
    assert (data["id"], data["client_ref"], data["tags"], data["class"]) == (sent, "c-1", ["x"], "verification")
    assert (data["status"], data["channel"], data["to"]) == ("delivered", "one", api.message(sent)["to"])
    wait_for(lambda: api.get(f"/v1/webhooks/{made['id']}/deliveries").body["waiting"] == 0, "the event to be done")
    (told,) = api.get(f"/v1/webhooks/{made['id']}/deliveries").body["data"]
    assert (told["event_id"], told["http_status"], told["failures"]) == (event["id"], 204, 0)
    assert api.ask("DELETE", f"/v1/webhooks/{made['id']}").status == 204
    send(api)
    only = hook(api, receiver, "/only", events=["message.cancelled"])
    far = send(api, send_at=moment(3600))
    (kept,) = send(api)
    api.wait_status(kept, "delivered")
    assert api.post(f"/v1/messages/{far[0]}/cancel").status == 200
    receiver.wait("/only", bool, "the cancellation")
    assert ids(receiver.events("/only")) == far
    assert len(receiver.at("/hook")) == 1
    tried = api.post(f"/v1/webhooks/{only['id']}/test").body
    assert tried["http_status"] == 204


def test_a_receiver_that_fails_gets_everything_once_it_takes_again(place, receiver):
    api = place.api("fails")
    made = hook(api, receiver)
    receiver.answers["/hook"] = 500
    first = send(api, 3)
    receiver.wait("/hook", lambda got: len(got) >= 3, "three tries")
    deliveries = f"/v1/webhooks/{made['id']}/deliveries"
    wait_for(lambda: len(api.get(deliveries).body["data"]) >= 3, "three failures to be told")
    told = api.get(deliveries).body
    assert told["waiting"] == 3
    assert {(one["http_status"], one["failures"]) for one in told["data"]} == {(500, 1)}
    assert all(one["next_at"] for one in told["data"])
    failed = {one.headers["webhook-id"] for one in receiver.at("/hook")}
    receiver.got.clear()
    receiver.answers.clear()
    second = send(api)
    receiver.wait("/hook", lambda got: len(got) >= 4, "what failed, and the new one")
    assert sorted(ids(receiver.events("/hook"))) == sorted(first + second)
    assert failed < {one.headers["webhook-id"] for one in receiver.at("/hook")}, "a repeat keeps its id"
    wait_for(lambda: api.get(deliveries).body["waiting"] == 0, "nothing to wait")
    assert len(receiver.at("/hook")) == 4, "each once"


def test_a_slow_receiver_delays_nobody_else(place, receiver):
    api = place.api("slow")
    receiver.held["/slow"] = threading.Event()
    slow, quick = hook(api, receiver, "/slow"), hook(api, receiver, "/quick")
    sent = send(api, 30)
    receiver.wait("/quick", lambda got: len(got) >= 30, "all at the quick one")
    assert sorted(ids(receiver.events("/quick"))) == sorted(sent)
    assert len(receiver.at("/slow")) <= 8, "requests of its own at a time"
    waiting = api.get(f"/v1/webhooks/{slow['id']}/deliveries").body["waiting"]
    assert waiting == 30
    receiver.held["/slow"].set()
    receiver.wait("/slow", lambda got: len({one.headers["webhook-id"] for one in got}) >= 30, "all at the slow one")
    for one in (slow, quick):
        assert api.ask("DELETE", f"/v1/webhooks/{one['id']}").status == 204


def test_batches_carry_several_events(place, receiver):
    api = place.api("batch")
    made = hook(api, receiver, batch=True)
    answer = api.post("/v1/batches", {"text": "hello", "to": [f"+{next(_numbers)}" for _ in range(500)]})
    sent = [one["id"] for one in answer.body["messages"]]
    receiver.wait("/hook", lambda got: sum(len(one.events) for one in got) >= 500, "all events")
    requests = receiver.at("/hook")
    assert sorted(ids(receiver.events("/hook"))) == sorted(sent)
    assert len(requests) < 100
    assert all(len(one.raw) <= 20_000 for one in requests)
    assert all(verified(made["secret"], one)["type"] == "message.status.batch" for one in requests)


def test_a_receiver_that_is_gone_is_left_alone(place, receiver):
    api = place.api("gone")
    made = hook(api, receiver)
    receiver.answers["/hook"] = 410
    (sent,) = send(api)
    wait_for(lambda: not api.get(f"/v1/webhooks/{made['id']}").body["enabled"], "the webhook to be disabled")
    assert "410" in api.get(f"/v1/webhooks/{made['id']}").body["disabled_because"]
    receiver.answers.clear()
    assert api.ask("PATCH", f"/v1/webhooks/{made['id']}", {"enabled": True}).status == 200
    receiver.wait("/hook", lambda got: len(got) >= 2, "the event, once it is enabled again")
    assert set(ids(receiver.events("/hook"))) == {sent}


def test_events_are_replayed_on_request(place, receiver):
    api = place.api("replay")
    made = hook(api, receiver)
    (sent,) = send(api)
    receiver.wait("/hook", bool, "the event")
    path = f"/v1/webhooks/{made['id']}/deliveries"
    wait_for(lambda: api.get(path).body["waiting"] == 0 and api.get(path).body["data"], "it to be done")
    answer = api.post(f"/v1/webhooks/{made['id']}/replay", {"message_ids": [sent]})
    assert (answer.status, answer.body["replayed"]) == (202, 1)
    first, again = receiver.wait("/hook", lambda got: len(got) >= 2, "it once more")
    assert first.headers["webhook-id"] == again.headers["webhook-id"]


def test_both_secrets_sign_while_one_is_rotated(place, receiver):
    api = place.api("rotate")
    made = hook(api, receiver)
    turned = api.post(f"/v1/webhooks/{made['id']}/rotate", {"overlap_s": 600}).body
    assert turned["secret"] != made["secret"]
    send(api)
    (got,) = receiver.wait("/hook", bool, "an event")
    assert len(got.headers["webhook-signature"].split()) == 2
    for secret in (made["secret"], turned["secret"]):
        assert verified(secret, got)


def test_what_subscribers_write_is_an_event(place, receiver):
    api = place.api("mo")
    hook(api, receiver, events=["message.received"])
    got = receiver.wait("/hook", bool, "a subscriber's message")[0]
    event = got.body
    assert event["type"] == "message.received"
    assert (event["data"]["text"], event["data"]["from"]) == ("STOP", "+8613800000000")


def test_retry_after_of_a_receiver_is_honoured(place, receiver):
    api = place.api("later")
    made = hook(api, receiver)
    receiver.answers["/hook"] = 503
    receiver.headers["/hook"] = {"Retry-After": "3600"}
    send(api)
    path = f"/v1/webhooks/{made['id']}/deliveries"
    (told,) = wait_for(lambda: api.get(path).body["data"], "the failure to be told")
    at, next_at = (datetime.fromisoformat(told[name]) for name in ("at", "next_at"))
    assert timedelta(seconds=3590) < next_at - at < timedelta(seconds=3610)


def test_urls_that_are_not_allowed_are_refused(start):
    place = serve(start, http={"webhooks": {}})
    api = place.api("shop")
    for url in ("http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"):
        answer = api.post("/v1/webhooks", {"url": url})
        assert (answer.status, answer.pointers) == (422, ["/url"]), url
    named = api.post("/v1/webhooks", {"url": "https://localhost/"})
    assert named.status == 201, "what a name resolves to is looked at when it is used"
    tried = api.post(f"/v1/webhooks/{named.body['id']}/test").body
    assert (tried["http_status"], "not a public address" in tried["detail"]) == (0, True)
