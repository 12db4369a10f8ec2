"""Client libraries written elsewhere, against our door: every kind of message, a receipt for each."""

import pytest
from gateway_process import account, channel, route, wait_for
from peers_run import KINDS, need_peer, run_client

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def gateway(start_module):
    """One gateway for all clients. Each has a carrier of its own, so that violations show whose messages caused them."""
    return start_module.gateway(accounts=[account()])


@pytest.mark.parametrize("name", ["smpplib", "smpp34", "aiosmpplib", "node"])
@pytest.mark.parametrize(
    ("receipts", "options"), [("later", "--dlr-delay-ms 20"), ("early", "--dlr-timing same-segment --chunk 7")]
)
def test_client_gets_ids_and_receipts(gateway, start, name, receipts, options):
    need_peer(name)
    carrier = start.carrier(*options.split(), "--window", "10", "--password", "secret")
    way = f"{name}-{receipts}"
    assert gateway.take_over(channels=[channel(way, carrier.port, window=10)], routes=[route(way)]) == []
    before = gateway.finals()

    kinds = KINDS.get(name, KINDS["smpplib"])
    count = 2 * len(kinds.split(","))
    seen = run_client(name, gateway.port, "--kinds", kinds, "--count", str(count))

    assert seen["ok"], seen
    assert seen["receipts_duplicate"] == 0, seen
    assert seen["stats"] == {"DELIVRD": seen["pdus"]}
    assert seen.get("lib_receipt_errors", []) == []
    if name == "aiosmpplib":
        # Its own parser must read what we write; of a message in parts it hands out one receipt.
        assert seen["lib_receipts"] == count
    after = gateway.wait_final()
    assert after == {"delivered": before.get("delivered", 0) + seen["pdus"]}
    wait_for(lambda: gateway.channels()[way].window_used == 0)

    assert gateway.take_over(channels=[], routes=[]) == []
    counted = carrier.finish()
    assert counted["violations"] == {}, counted
    assert counted["dlr_acked"] == counted["dlr_sent"]
    # What clients sent as one message may be several on the way to the carrier, never fewer.
    assert counted["submits"] >= seen["pdus"]
    assert counted["unbinds"] == 1
