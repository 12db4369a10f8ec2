"""Rules end to end: refused by name over SMPP and HTTP, opted out by reply, explained and kept on the command line."""

import http.client
import json

import pytest
from esme_client import SOURCE, bound
from gateway_process import account, channel, free_port, route, wait_for

from protocol.pdu import DeliverSm
from protocol.status import Status
from protocol.tlv import Tag

TO = "8613912345678"
POLICY = {
    "name": "default",
    "countries": ["86"],
    "keywords": {"words": ["casino"]},
    "signature": {"mode": "add", "text": "品牌", "classes": ["marketing"]},
    "caps": [{"name": "codes", "classes": ["verification"], "limit": 1, "period": "1h"}],
    "opt_out": {"confirmation": "bye"},
    "budget": {"price": 250_000, "prepaid": True, "currency": "EUR"},
}


class Api:
    """Asks the HTTP API with a key."""

    def __init__(self, port, key):
        self.port, self.key = port, key

    def post(self, path, body, **headers):
        """(status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {"authorization": f"Bearer {self.key}", "content-type": "application/json", **headers}
            connection.request("POST", path, json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()


@pytest.fixture
def gateway(start, scripted):
    """One account with money for a hundred messages; its policy is above."""
    port = free_port()
    one = start.gateway(
        secrets=(TO, "casino"),
        http={"listen": f"127.0.0.1:{port}"},
        accounts=[account(source_addresses=[SOURCE, "Shop"], country_code="86"), account("poor", source_addresses=["1"])],
        policies=[POLICY],
        channels=[channel("scripted", scripted.port)],
        routes=[route("scripted")],
    )
    one.carrier = scripted.accept()
    one.wait_channel("scripted")
    made = one.cli("account", "topup", "interop", "25")
    assert (made.returncode, made.stdout) == (0, "25\n"), made.stderr
    one.api_port = port
    return one


@pytest.fixture
def api(gateway):
    made = gateway.cli("key", "create", "--account", "interop")
    assert made.returncode == 0, made.stderr

    def answers():
        try:
            return one.post("/v1/preview", {"to": TO, "text": "x"})[0]
        except OSError:
            return 0

    one = Api(gateway.api_port, made.stdout.strip())
    wait_for(lambda: answers() == 200, "the API")
    return one


def told(answer):
    return dict(answer.tlvs).get(Tag.ADDITIONAL_STATUS_INFO_TEXT, b"").decode()


def test_rules_refuse_over_both_doors_and_what_passes_leaves_as_they_made_it(gateway, scripted, api):
    tlvs = ((0x3E01, b"verification"),)
    with bound(gateway.port) as client:
        refused = client.submit(TO, short_message=b"CA SI NO")
        assert (refused.status, told(refused)) == (Status.RSUBMITFAIL, "keyword: keywords (it says 'casino')\0")
        assert client.submit("0034612345678").status == Status.RINVDSTADR
        assert client.submit(TO, tlvs=tlvs).status == Status.ROK
        again = client.submit(TO, tlvs=tlvs)
        assert (again.status, told(again)) == (Status.RTHROTTLED, "frequency_cap: codes (enough in this period)\0")
        client.unbind()
    code = {"to": f"+{TO}", "from": "Shop", "text": "1234", "class": "verification"}
    status, body = api.post("/v1/messages", code)
    assert (status, body["errors"][0]["pointer"], body["errors"][0]["code"]) == (422, "/to", "frequency_cap")
    status, body = api.post("/v1/messages", {"to": f"+{TO}", "from": "Shop", "text": "ｃａｓｉｎｏ"})
    assert (status, body["errors"][0]["pointer"], body["errors"][0]["code"]) == (422, "/text", "keyword")
    sale = {"to": f"+{TO}", "from": "Shop", "text": "Sale", "class": "marketing"}
    status, shown = api.post("/v1/preview", sale)
    assert (status, shown["allowed"], shown["text"], shown["cost"]) == (200, True, "【品牌】Sale", 250_000)
    assert api.post("/v1/messages", sale)[0] == 202
    scripted.take_submit(gateway.carrier)
    submit, _ = scripted.take_submit(gateway.carrier)
    assert submit.short_message.decode("utf-16-be") == "【品牌】Sale"


def test_a_refused_request_may_be_repeated_with_its_key(gateway, api):
    """Nothing was accepted, so nothing is remembered: the same key works once the reason is gone."""
    sale = {"to": f"+{TO}", "from": "Shop", "text": "Sale", "class": "marketing"}
    assert gateway.cli("optout", "add", TO, "--account", "interop").returncode == 0
    for _ in range(2):
        status, body = api.post("/v1/messages", sale, **{"idempotency-key": "k1"})
        assert (status, body["errors"][0]["code"]) == (422, "opted_out")
    assert gateway.cli("optout", "rm", TO, "--account", "interop").returncode == 0
    first = api.post("/v1/messages", sale, **{"idempotency-key": "k1"})
    again = api.post("/v1/messages", sale, **{"idempotency-key": "k1"})
    assert (first[0], again[0], again[1]["replayed"]) == (202, 202, True)
    assert first[1]["id"] == again[1]["id"]
    batch = {"to": [f"+{TO}", "+34612345678"], "from": "Shop", "text": "Hi", "class": "marketing"}
    answers = [api.post("/v1/batches", batch, **{"idempotency-key": "k2"}) for _ in range(2)]
    assert [(status, body["accepted"], body["errors"][0]["code"]) for status, body in answers] == [(202, 1, "country")] * 2
    assert gateway.ledger()["accepted"] == 2


def test_a_reply_opts_out_and_is_confirmed_once(gateway, scripted, api):
    for _ in range(2):
        reply = DeliverSm(source_addr=TO, source_addr_ton=1, destination_addr=SOURCE, short_message=b"TD")
        assert gateway.carrier.ask(reply).status == Status.ROK
    submit, _ = scripted.take_submit(gateway.carrier)
    assert (submit.source_addr, submit.destination_addr, submit.short_message) == (SOURCE, TO, b"bye")
    status, body = api.post("/v1/messages", {"to": TO, "from": "Shop", "text": "Sale", "class": "marketing"})
    assert (status, body["errors"][0]["code"]) == (422, "opted_out")
    assert gateway.cli("optout", "ls", "--account", "interop").stdout == f"+{TO}\n"
    with bound(gateway.port) as client:
        assert [client.deliver_sm().short_message for _ in range(2)] == [b"TD", b"TD"], "the account hears them all the same"
        back = DeliverSm(source_addr=TO, source_addr_ton=1, destination_addr=SOURCE, short_message=b"start")
        assert gateway.carrier.ask(back).status == Status.ROK
        assert client.deliver_sm().short_message == b"start"
        client.unbind()
    assert api.post("/v1/messages", {"to": TO, "from": "Shop", "text": "Sale", "class": "marketing"})[0] == 202
    submit, _ = scripted.take_submit(gateway.carrier)
    assert submit.short_message.decode("utf-16-be") == "【品牌】Sale", "and no second confirmation before it"
    words = [json.loads(line).get("word") for line in (gateway.data_dir / "audit.jsonl").read_text().splitlines()]
    assert [one for one in words if one] == ["TD", "TD", "start"]


def test_lists_on_the_command_line(gateway, tmp_path):
    numbers = [f"139{at:08d}" for at in range(1_500)]
    file = tmp_path / "in.csv"
    file.write_text("name,number\n" + "".join(f"n,{one}\n" for one in ["nonsense"] * 1_000 + numbers), encoding="utf-8")
    read = gateway.cli("optout", "import", str(file), "--account", "interop")
    assert (read.returncode, read.stdout) == (0, "1500 numbers, 1000 are no numbers\n"), read.stderr
    out = tmp_path / "out.csv"
    assert gateway.cli("optout", "export", str(out), "--account", "interop").returncode == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[1], len(lines)) == ("number", "+8613900000000", 1_501)
    assert gateway.cli("optout", "ls", "--account", "poor").stdout.strip() == ""
    blocked = gateway.cli("optout", "add", f"+{TO}", "--account", "*", "--list", "blocked")
    assert (blocked.returncode, blocked.stdout) == (0, "1 numbers\n"), blocked.stderr
    explained = gateway.cli("explain", "--account", "interop", "--from", "Shop", "--to", TO, "--text", "hi")
    assert explained.returncode == 1
    assert "REFUSED  blacklisted (blocked)" in explained.stdout
    assert gateway.cli("optout", "add", "nonsense", "--account", "interop").returncode == 1
    unknown = gateway.cli("optout", "add", TO, "--account", "nobody")
    assert (unknown.returncode, unknown.stderr) == (1, "tensec: no list optout of nobody\n")


def test_explaining_and_balances_on_the_command_line(gateway):
    explain = ("explain", "--account", "interop", "--from", "Shop", "--to", TO, "--text")
    passed = gateway.cli(*explain, "Sale", "--class", "marketing")
    assert passed.returncode == 0, passed.stderr
    for line in ("text     '【品牌】Sale': 1 segments, ucs2", "cost     0.25 EUR", "route    scripted (weight 1, up)"):
        assert line in passed.stdout
    refused = gateway.cli(*explain, "casino", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["allowed"]) == (1, False)
    assert gateway.cli("explain", "--account", "nobody", "--to", TO, "--text", "x").returncode == 2
    assert gateway.cli("account", "show", "interop").stdout == "balance  25 EUR\n", "nothing was spent"
    with bound(gateway.port) as client, bound(gateway.port, system_id="poor") as poor:
        assert client.submit(TO, short_message=b"a" * 161).status == Status.ROK
        left = gateway.cli("account", "show", "interop").stdout
        assert left == "balance  24.5 EUR\n"
        answer = poor.submit(TO, source_addr="1")
        assert (answer.status, told(answer)) == (Status.RSUBMITFAIL, "quota: balance (the balance does not pay for it)\0")
    assert gateway.cli("account", "topup", "poor", "1234567.891").stdout == "1234567.891\n"
    assert gateway.cli("account", "topup", "nobody", "1").returncode == 2
