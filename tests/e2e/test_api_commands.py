"""Commands of operators against a running gateway with an API, the operators' port, and TLS."""

import json
import ssl

import pytest
import trustme
from api_client import TO, Api, serve, smsc
from esme_client import bound, submit_sm
from gateway_process import account, channel, free_port, route, wait_for


@pytest.fixture(scope="module")
def place(start_module, tmp_path_factory):
    """Two channels by weight, and a dead one for codes."""
    carriers = {name: smsc(start_module, tmp_path_factory) for name in ("a", "b")}
    return serve(
        start_module,
        accounts=("shop", "other", account("both")),
        channels=[*(channel(name, one.port) for name, one in carriers.items()), channel("dead", free_port())],
        routes=[route("dead", classes=["verification"]), route("a", accounts=["both"]), route("a", "b")],
        core={"drain_timeout_s": 5},
    )


def said(done):
    assert done.returncode == 0, done
    return done.stdout.strip()


def test_the_first_key_is_made_by_command(place):
    key = said(place.gateway.cli("key", "create", "--account", "shop", "--name", "first"))
    assert key.startswith("sk_")
    api = place.plain(key)
    assert api.send()["status"] == "accepted"
    assert api.get("/v1/channels").status == 403, "send and read, unless scopes are named"
    made = json.loads(said(place.gateway.cli("key", "create", "--account", "shop", "--scope", "ops", "--json")))
    assert place.plain(made["key"]).get("/v1/channels").status == 200
    assert made["id"] in said(place.gateway.cli("key", "ls"))
    assert key not in said(place.gateway.cli("key", "ls", "--json")), "it is shown once"
    said(place.gateway.cli("key", "revoke", made["id"]))
    wait_for(lambda: place.plain(made["key"]).get("/v1/channels").status == 401, "the revoked key to be refused")
    stranger = place.gateway.cli("key", "create", "--account", "nobody")
    assert (stranger.returncode, "nobody" in stranger.stderr) == (2, True)


def test_send_by_command_waits_for_the_receipt(place):
    shown = said(place.gateway.cli("send", TO, "hello", "--wait"))
    assert "accepted" in shown
    assert "planned onto" in shown
    assert "receipt DELIVRD" in shown
    assert shown.splitlines()[-1].endswith("ms after it was due")
    number = said(place.gateway.cli("send", TO, "hello", "--account", "other"))
    found = json.loads(said(place.gateway.cli("message", "get", number, "--json")))
    assert found["message"]["id"] == number
    assert place.api("other").wait_status(number, "delivered")
    assert place.api("shop").get(f"/v1/messages/{number}").status == 404
    wrong = place.gateway.cli("send", "nobody", "hello")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (1, False)
    waiting = place.gateway.cli("send", TO, "code", "--class", "verification", "--wait", "--timeout", "0.5", "--json")
    assert (waiting.returncode, json.loads(waiting.stdout)["message"]["status"]) == (1, "queued")
    message_id = json.loads(waiting.stdout)["message"]["id"]
    assert said(place.gateway.cli("message", "cancel", message_id)) == "cancelled"
    assert place.gateway.cli("message", "cancel", message_id).returncode == 1
    assert place.gateway.cli("message", "get", "12345").returncode == 1


def test_a_message_by_smpp_is_found_by_http(place):
    with bound(place.gateway.port, system_id="both") as client:
        answer = client.ask(submit_sm(TO.removeprefix("+")))
        found = place.api("both").wait_status(answer.message_id, "delivered")
        assert found["to"] == TO
        assert client.receipt().id == answer.message_id


def test_a_webhook_by_command(place):
    made = json.loads(said(place.gateway.cli("webhook", "add", "http://127.0.0.1:9/x", "--account", "other", "--json")))
    assert made["secret"].startswith("whsec_")
    assert made["id"] in said(place.gateway.cli("webhook", "ls"))
    api = place.api("other")
    assert [one["id"] for one in api.get("/v1/webhooks").body["data"]] == [made["id"]]
    said(place.gateway.cli("webhook", "rm", made["id"]))
    wait_for(lambda: api.get("/v1/webhooks").body["data"] == [], "the webhook to go")
    assert place.gateway.cli("webhook", "add", "ftp://x", "--account", "other").returncode == 2


def test_the_operators_port(place):
    ops = Api(place.ops_port)
    assert ops.get("/livez").raw == b"ok\n"
    ready = ops.get("/readyz")
    assert (ready.status, ready.body["ready"]) == (200, True)
    api = place.api("other")
    api.wait_status(api.send()["id"], "delivered")
    metrics = ops.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = metrics.raw.decode()
    assert "tensec_core_up 1.0" in text
    assert 'tensec_channel_state{channel="a",state="up"} 1.0' in text
    assert 'tensec_channel_state{channel="dead",state="down"} 1.0' in text
    final = next(line for line in text.splitlines() if line.startswith('tensec_messages_final_total{status="delivered"}'))
    assert float(final.split()[-1]) >= 1
    assert ops.get("/v1/messages").status == 404
    assert place.plain().get("/metrics").status == 404


def test_held_channels_stay_held_over_a_restart(start, tmp_path_factory):
    a, b = (smsc(start, tmp_path_factory) for _ in "ab")
    place = serve(start, channels=[channel("a", a.port), channel("b", b.port)], routes=[route("a", "b")])
    api = place.api("shop")

    def state(name):
        return next(one["state"] for one in api.get("/v1/channels").body["data"] if one["name"] == name)

    def ways(count):
        ids = [api.send(f"+86139{at:08}")["id"] for at in range(count)]
        return {api.wait_status(one, "delivered")["channel"] for one in ids}

    place.gateway.wait_channel("a")
    place.gateway.wait_channel("b")
    said(place.gateway.cli("channel", "pause", "a"))
    assert state("a") == "paused"
    assert ways(20) == {"b"}
    assert place.gateway.cli("channel", "pause", "c").returncode == 1
    assert place.gateway.terminate() == 0
    place = place.again(start)
    api = place.api("shop")
    place.gateway.wait_channel("b")
    assert state("a") == "paused", "a hold outlives the process"
    assert ways(20) == {"b"}
    assert api.post("/v1/channels/a/drain").status == 200
    wait_for(lambda: state("a") == "drained", "the channel to leave")
    said(place.gateway.cli("channel", "resume", "a"))
    wait_for(lambda: state("a") == "up", "the channel to come back")
    said(place.gateway.cli("channel", "drain", "b"))
    wait_for(lambda: state("b") == "drained", "the other to leave")
    assert ways(20) == {"a"}
    assert api.post("/v1/channels/b/resume").status == 200
    assert api.post("/v1/channels/c/resume").status == 404
    assert place.gateway.terminate() == 0


def test_weights_rates_and_moved_numbers_by_command_stay_over_a_restart(start, tmp_path_factory):
    a, b = (smsc(start, tmp_path_factory) for _ in "ab")
    only_unicom = {**route("b"), "operators": ["cn-unicom"]}
    place = serve(start, channels=[channel("a", a.port), channel("b", b.port)], routes=[only_unicom, route("a")])

    def view(name):
        return next(one for one in place.api("shop").get("/v1/channels").body["data"] if one["name"] == name)

    def way(number):
        return place.api("shop").wait_status(place.api("shop").send(number)["id"], "delivered")["channel"]

    for name in "ab":
        place.gateway.wait_channel(name)
    cli = place.gateway.cli
    said(cli("channel", "weight", "a", "7", "--why", "cheaper tonight"))
    said(cli("channel", "rate", "a", "120"))
    assert (view("a")["weight"], view("a")["rate_max"]) == (7, 120)
    assert "weight 7 in all routes" in said(cli("channel", "ls"))
    refused = cli("channel", "weight", "a", "0")
    assert (refused.returncode, "pause" in refused.stderr) == (1, True)
    moved = "+8613800138000"
    assert way(moved) == "a"
    said(cli("number", "move", moved, "cn-unicom"))
    assert "cn-unicom  country 86  moved" in said(cli("number", "show", moved))
    assert way(moved) == "b"
    assert cli("number", "move", "nonsense", "cn-unicom").returncode == 1
    assert place.gateway.terminate() == 0
    place = place.again(start)
    for name in "ab":
        place.gateway.wait_channel(name)
    cli = place.gateway.cli
    assert (view("a")["weight"], view("a")["rate_max"]) == (7, 120)
    assert way(moved) == "b"
    assert place.api("shop").ask("PATCH", "/v1/channels/a", {"weight": None, "messages_per_second": None}).status == 200
    assert ("weight" in view("a"), view("a")["rate_max"]) == (False, 0)
    said(cli("number", "back", moved))
    assert way(moved) == "a"
    lines = [json.loads(line) for line in (place.gateway.data_dir / "audit.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["channel tuned"] * 2 + ["numbers moved", "channel tuned", "numbers moved"]
    assert place.gateway.terminate() == 0


def test_an_api_with_tls(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(folder / "key.pem")
    pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    place = serve(start, http={"tls": {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}})
    place.tls = ssl.create_default_context()
    authority.configure_trust(place.tls)
    assert place.api("shop").send()["status"] == "accepted"
    assert place.gateway.terminate() == 0


@pytest.mark.parametrize("ops", [False, True])
def test_a_port_that_is_taken_is_named(start, ops):
    first = serve(start)
    taken = first.ops_port if ops else first.port
    http = {"listen": "127.0.0.1:0", "ops_listen": f"127.0.0.1:{taken}"} if ops else {"listen": f"127.0.0.1:{taken}"}
    second = start.gateway(started=False, http=http, accounts=[{"system_id": "shop"}])
    assert second.wait() == 1
    (line,) = second.err.lines
    second.err.lines.clear()
    assert line.startswith(f"tensec: http.{'ops_' if ops else ''}listen 127.0.0.1:{taken}:")
