"""Kills of the gateway's processes under load over HTTP: retries with the same key never send twice and never lose.

While the core is killed the channel is paused: what a carrier makes of a kill is not under test here, and so every message must
arrive exactly once when the channel is resumed.
"""

import contextlib
import json
import os
import signal
import socket
from collections import Counter

import pytest
from api_client import Api, ApiGateway, alive, moment, one_carrier, serve, smsc
from api_load import Load
from gateway_process import wait_for
from scene import ROUNDS

KILLS = 2 * ROUNDS


@pytest.fixture
def carrier(start, tmp_path_factory):
    return smsc(start, tmp_path_factory, "--resp-latency", "uniform:1ms-10ms", "--dlr-latency", "uniform:1ms-20ms")


@pytest.fixture
def load():
    """`load(...)` makes clients that end with the test."""
    made = []

    def make(*given, **how):
        made.append(Load(*given, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def cleanup():
    with contextlib.ExitStack() as stack:
        yield stack


def hold(api: Api) -> None:
    assert api.post("/v1/channels/one/pause").status == 200


def go(api: Api) -> None:
    answer = api.retry("/v1/channels/one/resume", None, "x")
    assert answer.status == 200, answer


def must_have_arrived_once(place: ApiGateway, carrier, load: Load) -> None:
    """Ends the gateway and the carrier, and compares: what clients were told, what the gateway says, what the carrier took."""
    numbers = load.numbers()
    assert place.gateway.wait_final(60.0) == {"delivered": len(numbers)}
    assert len({number for one in load.wishes for number in one.ids}) == len(numbers), "an id for everybody"
    assert place.gateway.terminate() == 0
    took = Counter(one["destination"] for one in carrier.took())
    assert sorted(took) == numbers
    assert set(took.values()) == {1}


def kill_core(place: ApiGateway) -> None:
    """SIGKILL, and until another one serves."""
    pid = place.core_pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: place.core_pid != pid, lambda: f"another core: {place.gateway}")


def kill_worker(place: ApiGateway) -> None:
    """SIGKILL of one, and until there is another one."""
    before = place.worker_pids()
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: len(set(place.worker_pids()) - set(before)) == 1, lambda: f"another worker: {place.gateway}")


def test_a_killed_worker_is_started_again_and_the_core_never_notices(start, carrier, load, embedded):
    place = serve(start, http={"workers": 2}, store=embedded, **one_carrier(carrier))
    api = place.api("shop")
    place.gateway.wait_channel("one")
    core = place.core_pid
    clients = load(place, api.key)
    clients.more(20)
    for _ in range(2 * KILLS):
        kill_worker(place)
        clients.more(20)
    clients.finish()
    clients.must_replay(place)
    assert alive(core)
    (bind,) = place.gateway.channels()["one"].binds
    assert (place.core_pid, bind.state) == (core, "bound")
    loud = [one for one in place.gateway.log if one["level"] != "info" and one["event"] != "process ended, another is started"]
    assert not loud
    assert {one["process"] for one in place.gateway.logged("process ended, another is started")} <= {"api 0", "api 1"}
    must_have_arrived_once(place, carrier, clients)
    assert json.loads(carrier.out.lines[-1])["binds"] == 1


def test_what_one_worker_has_made_is_there_at_another(start, cleanup):
    """Also when that one hears of it and is asked for it at the same moment."""
    place = serve(start, http={"workers": 2})
    key = place.key("shop")
    first, second = place.worker_pids()

    def only(one: int, other: int) -> Api:
        """A connection to one of them."""
        os.kill(other, signal.SIGSTOP)
        api = place.plain(key, keep=True)
        wait_for(lambda: api.get("/v1/keys").status == 200, "the worker to know the core")
        os.kill(other, signal.SIGCONT)
        return api

    a = cleanup.enter_context(contextlib.closing(only(first, second)))
    b = cleanup.enter_context(contextlib.closing(only(second, first)))
    for path, body in (("/v1/keys", {"scopes": ["read"]}), ("/v1/webhooks", {"url": "http://127.0.0.1:9/x"})) * 5:
        os.kill(second, signal.SIGSTOP)
        made = a.post(path, body).body["id"]
        assert b.kept is not None
        b.kept.request("DELETE", f"{path}/{made}", headers={"Authorization": f"Bearer {key}"})
        os.kill(second, signal.SIGCONT)
        answer = b.kept.getresponse()
        answer.read()
        assert answer.status == 204, path


def test_a_killed_core_is_started_again_and_retries_complete(start, carrier, load, durable):
    place = serve(start, store=durable, **one_carrier(carrier))
    api = place.api("shop")
    hold(api)
    clients = load(place, api.key)
    clients.more(20)
    workers = place.worker_pids()
    for _ in range(KILLS):
        kill_core(place)
        clients.more(30)
    clients.finish()
    assert clients.statuses[503], "while it was away"
    assert not sum(one.broken for one in clients.wishes), "the workers were there all the time"
    assert place.worker_pids() == workers
    assert place.gateway.finals() == {}
    clients.must_replay(place)
    go(api)
    must_have_arrived_once(place, carrier, clients)


def test_while_the_core_is_away_everybody_is_told_so(start, embedded):
    place = serve(start, store=embedded)
    api, ops = place.api("shop"), Api(place.ops_port)
    core = place.core_pid
    os.kill(place.gateway.pid, signal.SIGSTOP)  # else there is another one before we have asked
    os.kill(core, signal.SIGKILL)
    wait_for(lambda: ops.get("/readyz").status == 503, "the worker to notice")
    for method, path in (("POST", "/v1/messages"), ("GET", "/v1/messages/1"), ("GET", "/v1/keys"), ("GET", "/v1/ledger")):
        answer = api.ask(method, path, {"to": "+8613912345678", "text": "x"} if method == "POST" else None)
        assert (answer.status, answer.code, answer.body["permanent"]) == (503, "unavailable", False)
        assert int(answer.headers["retry-after"]) >= 1
    assert ops.get("/livez").status == 200
    assert not ops.get("/readyz").body["ready"]
    assert "tensec_core_up 0.0" in ops.get("/metrics").raw.decode()
    assert api.get("/openapi.json").status == 200
    os.kill(place.gateway.pid, signal.SIGCONT)
    wait_for(lambda: ops.get("/readyz").status == 200, "the next core")
    assert api.send()["status"] == "accepted"


def test_campaigns_arrive_at_most_once_whatever_is_killed(start, carrier, load, durable):
    """The channel is open here: what was on its way to the carrier when the core died is not sent again."""
    place = serve(start, store=durable, **one_carrier(carrier))
    api = place.api("shop")
    clients = load(place, api.key, class_="marketing")
    clients.more(20)
    for _ in range(KILLS):
        kill_core(place)
        clients.more(20)
    clients.finish()
    clients.must_replay(place)
    numbers = clients.numbers()
    assert place.gateway.ledger()["accepted"] == len(numbers)
    wait_for(lambda: place.gateway.ledger()["queued"] == 0, lambda: f"nothing queued: {place.gateway.ledger()}")
    assert place.gateway.terminate() == 0
    took = Counter(one["destination"] for one in carrier.took())
    assert set(took) <= set(numbers)
    assert set(took.values()) == {1}


def test_a_killed_parent_ends_everything_and_the_next_one_goes_on(start, carrier, load, embedded):
    place = serve(start, store=embedded, **one_carrier(carrier))
    api = place.api("shop")
    hold(api)
    later = api.send("+8613700000000", send_at=moment(3600))["id"]
    clients = load(place, api.key)
    clients.more(30)
    children = [place.core_pid, *place.worker_pids()]
    os.kill(place.gateway.pid, signal.SIGKILL)
    place.gateway.wait()
    wait_for(lambda: not any(map(alive, children)), "everything to end")
    again = place.again(start)
    place.port = again.port  # where the clients go
    clients.more(30)
    clients.finish()
    fresh = again.plain(api.key)
    clients.must_replay(again)
    assert fresh.post(f"/v1/messages/{later}/cancel").body["status"] == "cancelled"
    go(fresh)
    again.gateway.wait_final(60.0)
    assert again.gateway.finals() == {"cancelled": 1, "delivered": len(clients.numbers())}
    assert again.gateway.terminate() == 0
    assert Counter(one["destination"] for one in carrier.took()) == Counter(clients.numbers())


def test_a_core_that_cannot_start_ends_everything_in_one_line(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        gateway = start.gateway(
            started=False, http={"listen": "127.0.0.1:0"}, smpp={"listen": address}, accounts=[{"system_id": "shop"}]
        )
        assert gateway.wait() == 1
    plain = [line for line in gateway.err.lines if not line.startswith("{")]
    gateway.err.lines[:] = [line for line in gateway.err.lines if line.startswith("{")]
    assert plain == [f"tensec: smpp.listen {address}: Address already in use"]
    assert [one["event"] for one in gateway.log] == ["api listening"]


def test_a_second_gateway_on_the_same_data_is_refused(start):
    place = serve(start)
    second = start.gateway(
        started=False, data_dir=str(place.gateway.data_dir), http={"listen": "127.0.0.1:0"}, accounts=[{"system_id": "shop"}]
    )
    assert second.wait() == 1
    plain = [line for line in second.err.lines if not line.startswith("{")]
    second.err.lines[:] = [line for line in second.err.lines if line.startswith("{")]
    assert len(plain) == 1
    assert plain[0].startswith("tensec: ")
    assert place.api("shop").send()["status"] == "accepted", "the first one goes on"


def test_requests_in_flight_are_answered_before_the_end(start, carrier):
    place = serve(start, **one_carrier(carrier))
    api = place.api("shop")
    body = json.dumps({"to": "+8613912345678", "text": "the last one"}).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", place.port), 20) as late, idle(place.port) as quiet:
        late.sendall(f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert late.recv(1000).startswith(b"HTTP/1.1 100"), "the request is under way"
        place.gateway.signal(signal.SIGTERM)
        assert quiet.recv(1000) == b"", "idle connections are closed"
        late.sendall(body)
        answer = b""
        while data := late.recv(65_536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 202"), answer
    assert b"connection: close" in answer
    assert place.gateway.wait() == 0
    again = place.again(start)
    message_id = json.loads(answer.rpartition(b"\r\n\r\n")[2])["id"]
    again.plain(api.key).wait_status(message_id, "delivered")


def idle(port: int) -> socket.socket:
    """A connection kept alive after a request."""
    sock = socket.create_connection(("127.0.0.1", port), 20)
    sock.sendall(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while b"</html>" not in data:
        data += sock.recv(65_536)
    return sock


def test_a_reload_takes_accounts_over_for_the_api(start, carrier):
    place = serve(start, **one_carrier(carrier))
    api = place.api("shop")
    since = place.gateway.hang_up(accounts=[{"system_id": "shop", "messages_per_second": 1}, {"system_id": "new"}])
    place.gateway.wait_log("configuration taken over", since=since)
    made = place.gateway.cli("key", "create", "--account", "new")
    assert place.plain(made.stdout.strip()).send()["status"] == "accepted"
    answers = [api.post("/v1/messages", {"to": "+8613912345678", "text": "x"}) for _ in range(20)]
    slowed = [one for one in answers if one.status == 429]
    assert slowed, "so are their limits"
    assert all(one.code == "rate_limited" and int(one.headers["retry-after"]) >= 1 for one in slowed)
    since = place.gateway.hang_up(accounts=[{"system_id": "new"}])
    place.gateway.wait_log("configuration taken over", since=since)
    gone = api.post("/v1/messages", {"to": "+8613912345678", "text": "x"})
    assert gone.status in (401, 403, 422), gone
    place.gateway.file.write_text("nonsense = [", encoding="utf-8")
    place.gateway.signal(signal.SIGHUP)
    place.gateway.wait_log("configuration not taken over")
    assert place.plain(made.stdout.strip()).send()["status"] == "accepted"
