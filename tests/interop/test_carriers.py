"""Our side towards carriers, against ones written elsewhere: every misbehaviour of the hand-made carrier, and two libraries.

Each carrier is a channel of its own, taken into the same running gateway and out again. Whatever the carrier does, it must
not see us break the protocol, every receipt is acknowledged, and the ledger adds up.
"""

import pytest
from gateway_process import account, channel, route, wait_for
from peers_run import KINDS, need_peer, run_client, start_client, verdict

pytestmark = pytest.mark.interop

GENTLE = {
    "none": "",
    "octet by octet": "--chunk 1",
    "pieces of 7 octets": "--chunk 7",
    "coalesced writes": "--coalesce-ms 15",
    "hex answered, dec in receipts": "--resp-id hex8 --dlr-id dec",
    "dec answered, hex in receipts": "--resp-id dec --dlr-id hex",
    "uuid in other case": "--resp-id uuid --dlr-id upper",
    "hex without its zeros": "--resp-id hex8 --dlr-id nozero",
    "receipt without text:": "--dlr notext",
    "receipt with Text:": "--dlr Text",
    "receipt of TLVs alone": "--dlr tlvonly",
    "receipt with esm_class 0": "--dlr esm0",
    "receipt dates with seconds": "--dlr seconds",
    "receipt dates with century": "--dlr yyyy",
    "receipt with hex err": "--dlr errhex",
    "receipt with unknown keys and TLVs": "--dlr extra",
    "receipt without id:": "--dlr noid",
    "receipt ended by NUL": "--dlr nul",
    "receipt in message_payload": "--dlr payload",
    "receipt with data_coding 8": "--dlr dcs8",
    "receipt with a prefix": "--dlr prefix",
    "receipt before the response": "--dlr-timing before-resp",
    "receipt and response in one segment": "--dlr-timing same-segment",
    "receipts twice": "--dlr-timing twice",
    "two responses": "--dupresp-every 4",
    "responses out of order": "--reorder-every 3",
    "unknown PDUs": "--unknownpdu-every 5",
    "enquire_link before the bind response": "--enquire-before-bind-resp",
    "receipt before the bind response": "--dlr-before-bind-resp",
    "sequence numbers that wrap": "--first-seq 0x7FFFFFFE",
    "sequence numbers out of range": "--first-seq 0x80000001",
    "no sc_interface_version": "--no-sc-version",
    "throttled": "--throttle-every 5",
    "queue full": "--qful-every 5",
    "generic_nack for a submit": "--nack-every 6",
}
"""After these every message is delivered, without sending anything twice."""

ID_RULES = {
    "hex answered, dec in receipts": {"resp_id": "hex", "receipt_id": "dec"},
    "dec answered, hex in receipts": {"resp_id": "dec", "receipt_id": "hex"},
    "uuid in other case": {"resp_id": "opaque-nocase", "receipt_id": "opaque-nocase"},
    "hex without its zeros": {"resp_id": "hex", "receipt_id": "hex"},
}
RESENT = {"throttled": "throttled", "queue full": "throttled"}

ROUGH = {
    "no answer": "--noresp-every 7",
    "generic_nack without sequence": "--nack0-every 6",
    "connection reset": "--drop-after 6 --dlr-delay-ms 0",
    "a length out of this world": "--oversize-after 6 --dlr-delay-ms 0",
}
"""After these a submit's outcome is unknown: a code is sent once more after three seconds."""

UNBINDS = "unbind in the middle"


@pytest.fixture(scope="module")
def gateway(start_module):
    return start_module.gateway(accounts=[account()])


class Way:
    """One carrier as one channel of the gateway."""

    def __init__(self, gateway, carrier, name, **fields):
        self.gateway = gateway
        self.carrier = carrier
        self.name = name
        assert gateway.take_over(channels=[channel(name, carrier.port, **fields)], routes=[route(name)]) == []

    @property
    def view(self):
        return self.gateway.channels()[self.name]

    def close(self):
        """Take the channel out: the gateway unbinds, and the carrier tells what it saw."""
        wait_for(lambda: self.view.window_used == 0)
        assert self.gateway.take_over(channels=[], routes=[]) == []
        return self.carrier.finish()


@pytest.fixture
def way(gateway, start):
    ways = []

    def make(name, *options, kind="raw", **fields):
        ways.append(Way(gateway, start.carrier(*options, kind=kind), name, **fields))
        return ways[-1]

    yield make
    gateway.take_over(channels=[], routes=[])


def channel_name(quirk):
    return "".join(letter if letter.isalnum() else "_" for letter in quirk)


def check_counts(counted):
    """What holds whatever the carrier did."""
    assert counted["violations"] == {}, counted
    assert counted["dlr_nacked"] == 0, counted


@pytest.mark.parametrize("quirk", GENTLE)
def test_everything_arrives_in_spite_of(gateway, way, quirk):
    before = gateway.finals().get("delivered", 0)
    one = way(channel_name(quirk), *GENTLE[quirk].split(), "--window", "10", window=10, **ID_RULES.get(quirk, {}))
    seen = run_client("smpplib", gateway.port, "--count", "10", "--kinds", KINDS["smpplib"], "--timeout", "15")

    assert seen["ok"], seen
    assert seen["stats"] == {"DELIVRD": seen["pdus"]}
    assert seen["receipts_duplicate"] == 0, "a carrier that repeats receipts is not passed on"
    # The sender may have its receipt before the carrier repeats one.
    assert gateway.wait_final().get("delivered") == before + seen["pdus"]
    submitted = one.view.submitted
    assert one.view.delivered == one.view.final == seen["pdus"]
    counted = one.close()
    check_counts(counted)
    assert counted["dlr_acked"] == counted["dlr_sent"]
    assert "unacked" not in counted
    assert counted["submits"] == submitted
    if quirk in RESENT:
        assert counted["throttled"] > 0
    assert counted["unbinds"] == counted["binds"] == 1


@pytest.mark.parametrize("kind", ["udh8", "udh16", "sar", "payload"])
def test_long_messages_are_cut_as_the_channel_wants(gateway, way, kind):
    one = way(f"long-{kind}", long_messages=kind)
    seen = run_client("smpplib", gateway.port, "--count", "4", "--kinds", "payload,plain", "--timeout", "15")
    assert seen["ok"], seen
    gateway.wait_final()
    counted = one.close()
    check_counts(counted)
    assert counted["submits"] == (4 if kind == "payload" else 2 + 2 * 4), "240 characters of UCS-2 are 4 parts"


def test_refused_for_good_is_rejected(gateway, way):
    before = gateway.finals()
    one = way("refuses", "--errbody-every", "6")
    seen = run_client("smpplib", gateway.port, "--count", "12", "--kinds", "plain,unicode")
    assert seen["ok"], "a message the carrier refuses has a receipt too"
    assert seen["stats"] == {"DELIVRD": 10, "REJECTD": 2}
    after = gateway.wait_final()
    assert after["rejected"] == before.get("rejected", 0) + 2
    assert one.view.refused == 2
    check_counts(one.close())


@pytest.mark.parametrize(
    ("stat", "final", "told"),
    [
        ("UNDELIV", "undelivered", "UNDELIV"),
        ("EXPIRED", "expired", "EXPIRED"),
        ("REJECTD", "rejected", "REJECTD"),
        ("DELETED", "undelivered", "UNDELIV"),
    ],
)
def test_failure_receipts_reach_the_sender(gateway, way, stat, final, told):
    before = gateway.finals()
    one = way(f"stat-{stat}", "--stat", stat)
    seen = run_client("smpplib", gateway.port, "--count", "3", "--kinds", "plain")
    assert seen["ok"], seen
    assert seen["stats"] == {told: 3}
    assert gateway.wait_final()[final] == before.get(final, 0) + 3
    check_counts(one.close())


@pytest.fixture(scope="module")
def rough(start_module):
    """All the rough carriers at once, for each costs a wait of three seconds: what clients and carriers saw, by quirk."""
    quirks = {**ROUGH, UNBINDS: "--unbind-after 6 --dlr-delay-ms 0"}
    carriers = {quirk: start_module.carrier(*options.split()) for quirk, options in quirks.items()}
    names = {quirk: f"rough{at}" for at, quirk in enumerate(quirks)}
    # A window of one keeps it clear which message was in flight when the carrier failed.
    channels = [
        channel(names[quirk], carrier.port, window=1, response_timeout_s=1, enquire_link_timeout_s=1)
        for quirk, carrier in carriers.items()
    ]
    gateway = start_module.gateway(
        accounts=[account(name, **{"class": "verification"}) for name in names.values()],
        channels=channels,
        routes=[route(name, accounts=[name]) for name in names.values()],
    )
    options = ("--count", "10", "--kinds", "plain,unicode", "--timeout", "8")
    clients = {
        quirk: start_module.keep(start_client("smpplib", gateway.port, *options, "--system-id", names[quirk]))
        for quirk in quirks
    }
    seen = {quirk: verdict(client) for quirk, client in clients.items()}
    views = gateway.channels()
    gateway.terminate()
    counted = {quirk: carrier.finish() for quirk, carrier in carriers.items()}
    return {quirk: (seen[quirk], counted[quirk], views[names[quirk]]) for quirk in quirks}, gateway


@pytest.mark.parametrize("quirk", ROUGH)
def test_a_code_without_answer_is_sent_once_more(rough, quirk):
    runs, _ = rough
    seen, counted, view = runs[quirk]
    assert seen["ok"], seen
    assert seen["stats"] == {"DELIVRD": 10}
    assert view.delivered == 10
    if quirk in ("a length out of this world", "connection reset"):
        # A receipt that stood behind the wrong length cannot be read any more; one that was being stored when the connection
        # went cannot be acknowledged on it.
        counted["violations"].pop("receipts never acknowledged: some", None)
    check_counts(counted)
    assert counted["submits"] == view.submitted == 11, "the one without answer, once"


def test_links_are_restored(rough):
    runs, gateway = rough
    binds = {quirk: counted["binds"] for quirk, (_, counted, _) in runs.items()}
    assert binds == {
        "no answer": 1,  # the carrier answers enquire_link: the link is good
        "generic_nack without sequence": 1,
        "connection reset": 2,
        "a length out of this world": 2,
        UNBINDS: 2,
    }
    oversize = runs["a length out of this world"][2].name
    assert gateway.logged("carrier broke the protocol", channel=oversize)


def test_a_carriers_unbind_repeats_nothing(rough):
    """It answers the submit after its unbind: that answer counts. Its receipt after the unbind is against the rules."""
    seen, counted, view = rough[0][UNBINDS]
    assert seen["resp_ok"] == 10
    assert counted["submits"] == view.submitted == 10
    assert view.delivered >= 9
    assert set(counted["violations"]) <= {"receipts never acknowledged: some"}


def test_only_codes_are_resent_soon_and_marketing_never(start):
    """With a carrier that answers nothing: the code goes out again, the others wait for evidence."""
    carrier = start.carrier("--noresp-every", "1")
    accounts = [account(), account("codes", **{"class": "verification"}), account("ads", **{"class": "marketing"})]
    mute = channel("mute", carrier.port, response_timeout_s=1)
    gateway = start.gateway(accounts=accounts, channels=[mute], routes=[route("mute")])
    once = ("--count", "1", "--kinds", "plain", "--timeout", "0.5")
    for client in [start_client("smpplib", gateway.port, "--system-id", name, *once) for name in ("ads", "interop")]:
        verdict(client)
    wait_for(lambda: gateway.channels()["mute"].submitted == 2)
    run_client("smpplib", gateway.port, "--system-id", "codes", *once)
    wait_for(lambda: gateway.channels()["mute"].submitted == 4)
    wait_for(lambda: gateway.channels()["mute"].window_used == 0)
    sums = gateway.ledger()
    assert (sums["accepted"], sums["in_flight"]) == (3, 3), "nobody knows: open until evidence comes or validity is over"
    assert gateway.terminate() == 0
    counted = carrier.finish()
    assert counted["submits"] == 4
    check_counts(counted)


@pytest.mark.parametrize("kind", ["smpp34", "node"])
@pytest.mark.parametrize("throttle", ["0", "4"])
def test_library_as_carrier(gateway, way, kind, throttle):
    need_peer(kind)
    extra = ("--id-format", "hex") if kind == "node" else ()
    rules = {"resp_id": "hex", "receipt_id": "dec"} if kind == "node" else {}
    one = way(f"{kind}-{throttle}", "--throttle-every", throttle, *extra, kind=kind, **rules)
    seen = run_client("smpplib", gateway.port, "--count", "10", "--kinds", KINDS["smpplib"])
    assert seen["ok"], seen
    assert seen["stats"] == {"DELIVRD": seen["pdus"]}
    assert one.view.delivered == seen["pdus"]
    counted = one.close()
    assert counted["binds"] == 1
    assert counted["dlr_sent"] == counted["dlr_acked"] == counted["submits"] - counted["throttled"]
    assert bool(counted["throttled"]) == (throttle != "0")
    assert counted.get("errors", []) == []
