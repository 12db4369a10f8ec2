"""The running server against its own OpenAPI document, by schemathesis: no 5xx, nothing that the document does not say.

A short run with a fixed seed belongs to the suite. `make fuzz` runs for FUZZ_S seconds with a seed of its own, printed first.
"""

import os
import random
import subprocess
import sys

from api_client import Receiver, serve, smsc
from gateway_process import channel, free_port, route

LONG_S = int(os.environ.get("FUZZ_S", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "1" if not LONG_S else str(random.SystemRandom().randrange(1 << 31))))
STREAMS = "/v1/events"
"""It never ends, so there is nothing to wait for; it has tests of its own."""
LOOSE = "positive_data_acceptance"
"""Left out: whether a number can be dialled and a key may give a scope is more than a schema says."""
SHOWN = 12_000


def fuzz(place, key, *options):
    """What schemathesis says of the server."""
    url = f"http://127.0.0.1:{place.port}/openapi.json"
    told = ["--seed", str(SEED), "--checks", "all", "--exclude-checks", LOOSE, "--exclude-path", STREAMS]
    quiet = ["--no-color", "--warnings", "off", "--no-shrink", "--generation-database", "none", "--request-timeout", "30"]
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        url,
        "-H",
        f"Authorization: Bearer {key}",
        *told,
        *quiet,
        *options,
    ]
    # Its own words for CI are not wanted here, and no configuration of the place it is started in.
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.gateway.folder, timeout=LONG_S + 300)


def test_the_server_does_what_its_document_says(start, tmp_path_factory):
    carrier = smsc(start, tmp_path_factory)
    place = serve(
        start,
        http={"workers": 2 if LONG_S else 1},
        accounts=("shop", "other"),
        channels=[channel("one", carrier.port), channel("gone", free_port())],
        routes=[route("gone", classes=["marketing"]), route("one")],
    )
    shop, receiver = place.api("shop"), Receiver()
    other = place.api("other")
    for api in (shop, other):
        made = api.post("/v1/webhooks", {"url": receiver.url("/hook")})
        assert made.status == 201
        api.send()
    phases = "examples,coverage,fuzzing,stateful" if LONG_S else "examples,coverage,fuzzing"
    length = ["--max-time", str(LONG_S)] if LONG_S else ["--max-examples", "8"]
    print(f"FUZZ_SEED={SEED}")
    try:
        done = fuzz(place, shop.key, "--phases", phases, *length)
    finally:
        receiver.close()
    assert done.returncode == 0, f"FUZZ_SEED={SEED}\n{done.stdout[-SHOWN:]}{done.stderr[-2000:]}"
    assert not [one for one in place.gateway.log if one["level"] in ("error", "critical")]
    assert other.send()["status"] == "accepted", "it is there for others"
    assert place.gateway.ledger()["accepted"] > 2
