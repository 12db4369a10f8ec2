"""Whatever comes over the API's port is answered or closed, and harms nobody else."""

import contextlib
import json
import re
import socket
from itertools import count

import pytest
from api_client import TO, Api, moment, serve, smsc
from gateway_process import TENSEC, channel, route, wait_for

LIMIT = 20_000
TIMEOUT_S = 30.0
IDLE = 1_000
_numbers = count(8613500000000)


@pytest.fixture(scope="module")
def place(start_module, tmp_path_factory):
    carrier = smsc(start_module, tmp_path_factory)
    return serve(
        start_module,
        accounts=("shop", "other"),
        http={"body_size_max": LIMIT, "body_timeout_s": 1, "keep_alive_s": 60},
        channels=[channel("one", carrier.port)],
        routes=[route("one")],
    )


@pytest.fixture(scope="module")
def shop(place):
    return place.api("shop")


@pytest.fixture(autouse=True)
def unharmed(place, shop):
    """After each test the same worker serves as before, and has told of no bug."""
    workers = place.worker_pids()
    yield
    assert shop.send()["status"] == "accepted"
    assert place.worker_pids() == workers
    assert not [one for one in place.gateway.log if one["level"] != "info"]


class Raw:
    """A connection that says what it likes."""

    def __init__(self, place):
        self.sock = socket.create_connection(("127.0.0.1", place.port), TIMEOUT_S)
        self._data = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def head(self, method="POST", path="/v1/messages", *lines, key=""):
        auth = [f"Authorization: Bearer {key}"] if key else []
        return self.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *auth, *lines]) + "\r\n\r\n")

    def answer(self):
        """(status, headers, body) of the next answer; status 0 when the connection ends instead."""
        while b"\r\n\r\n" not in self._data:
            if not self._more():
                return 0, {}, b""
        head, _, rest = self._data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        size = int(headers.get("content-length", 0))
        while len(rest) < size:
            data = self._more()
            assert data, "cut off"
            rest += data
        self._data = rest[size:]
        return int(lines[0].split()[1]), headers, rest[:size]

    def _more(self):
        try:
            data = self.sock.recv(65_536)
        except ConnectionResetError:
            return b""
        self._data += data
        return data

    def status(self):
        return self.answer()[0]

    def ends(self):
        """Whether the other end closes without another word."""
        return not self._data and not self._more()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def message(text="hello"):
    return json.dumps({"to": f"+{next(_numbers)}", "text": text}).encode()


JSON = "Content-Type: application/json"


def test_a_length_beyond_the_limit_is_refused_unread(place, shop):
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Content-Length: 10000000000", key=shop.key).send(b"{")
        status, headers, body = raw.answer()
        assert (status, json.loads(body)["code"], headers["connection"]) == (413, "too_large", "close")
        assert raw.ends()
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Content-Length: 21000", "Expect: 100-continue", key=shop.key)
        assert raw.status() == 413, "before the body is asked for"


def test_chunks_beyond_the_limit_are_refused_when_it_is_reached(place, shop):
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Transfer-Encoding: chunked", key=shop.key)
        for _ in range(3):
            raw.send(b"%x\r\n%b\r\n" % (LIMIT // 2, b" " * (LIMIT // 2)))
        assert raw.status() == 413
        assert raw.ends()


def test_a_client_in_the_middle_of_a_large_body_still_gets_its_answer(shop):
    for size in (LIMIT + 1, 3_000_000):
        answer = shop.post("/v1/messages", b" " * size)
        assert (answer.status, answer.code) == (413, "too_large")


def test_a_body_that_does_not_come_is_given_up(place, shop):
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Content-Length: 100", key=shop.key).send(b'{"to":')
        status, headers, body = raw.answer()
        assert (status, json.loads(body)["code"], headers["connection"]) == (408, "too_slow", "close")
        assert raw.ends()


def test_a_head_that_does_not_come_is_given_up(place):
    with Raw(place) as silent, Raw(place) as half, Raw(place) as second:
        half.send(b"GET /docs HTTP/1.1\r\nHost: x\r\nX-")
        second.head("GET", "/nothing")
        assert second.status() == 404
        second.send(b"GET /docs HT")
        assert silent.ends()
        assert half.status() == 408
        assert half.ends()
        assert second.status() == 408
        assert second.ends()


def test_a_head_that_never_ends_is_given_up_however_alive_it_is(place):
    with Raw(place) as raw:
        raw.send(b"GET /docs HTTP/1.1\r\nHost: x\r\n")
        for at in count():
            raw.sock.settimeout(0.05)  # what the client waits between its lines
            try:
                raw.send(f"X-{at}: y\r\n")
                if raw.sock.recv(4096).startswith(b"HTTP/1.1 408"):
                    break
            except TimeoutError:
                continue
    with Raw(place) as raw, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        raw.sock.settimeout(0.02)
        while True:
            raw.send(b"\r\n")
            with contextlib.suppress(TimeoutError):
                if not raw.sock.recv(10):
                    break


def test_a_body_nobody_reads_has_its_time_too(place):
    """401 is said before the body has come; what follows is not listened to for ever."""
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Content-Length: 100000")
        assert raw.status() == 401
        raw.sock.settimeout(0.02)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(90_000):
                raw.send(b" ")
                try:
                    if not raw.sock.recv(10):
                        break
                except TimeoutError:
                    continue
            else:
                raise AssertionError("never closed")
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Content-Length: 10").send(b" " * 10)
        assert raw.status() == 401
        raw.head("GET", "/nothing")
        assert raw.status() == 404, "one that is whole keeps its connection"


def test_a_head_without_bounds_is_refused(place):
    with Raw(place) as raw:
        raw.head("GET", "/docs", *(f"X-{at}: y" for at in range(200)))
        status, headers, _ = raw.answer()
        assert (status, headers["connection"]) == (431, "close")
    with Raw(place) as raw:
        raw.send(b"GET /docs HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                raw.send(b"y" * 10_000)
        assert raw.status() in (431, 0)
    with Raw(place) as raw:
        raw.send(b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.status() in (401, 404, 431, 0)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET /docs HTTP/9.9\r\n\r\n",
        b"G\x00T /docs HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /docs HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /docs HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /docs HTTP/1.1\r\nHost: x\r\n X: folded\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x01",
    ],
)
def test_what_is_no_http_is_told_so(place, octets):
    with Raw(place) as raw:
        raw.send(octets)
        status, headers, body = raw.answer()
        assert (status, headers["content-type"], headers["connection"]) == (400, "application/problem+json", "close")
        assert json.loads(body)["code"] == "invalid_request"
        assert raw.ends()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 6", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 6"),
        ("Content-Length: 6", "Content-Length: 0"),
        ("Content-Length: 0", "Content-Length: 6"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: identity, chunked", "Content-Length: 0"),
        ("Transfer-Encoding : chunked",),
        ("Content-Length: +6",),
        ("Content-Length: 0x6",),
    ],
)
def test_no_request_hides_behind_another(place, shop, lines):
    """One that proxies and we might see the end of differently is the last one of its connection, whatever it was answered."""
    before = len(shop.get("/v1/messages", client_ref="smuggled").body["data"])
    hidden = b'{"to":"+8613912345678","text":"x","client_ref":"smuggled"}'
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, *lines, key=shop.key).send(b"0\r\n\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            raw.head("POST", "/v1/messages", JSON, f"Content-Length: {len(hidden)}", key=shop.key).send(hidden)
        assert raw.status() in (400, 0)
        assert raw.ends()
    assert len(shop.get("/v1/messages", client_ref="smuggled").body["data"]) == before == 0


def test_a_broken_chunk_ends_the_request(place, shop):
    with Raw(place) as raw:
        raw.head("POST", "/v1/messages", JSON, "Transfer-Encoding: chunked", key=shop.key).send(b"5\r\nhello\r\nzz\r\n")
        assert raw.status() == 400
        assert raw.ends()


def test_an_upgrade_is_declined(place, shop):
    with Raw(place) as raw:
        raw.head("GET", "/v1/messages", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", key=shop.key)
        assert raw.status() == 200
    with Raw(place) as raw:
        raw.head("GET", "/v1/messages", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key=shop.key)
        assert raw.status() == 200


def test_requests_in_a_row_are_answered_in_order(place, shop):
    bodies = [message(f"text {at}") for at in range(50)]
    with Raw(place) as raw:
        for body in bodies:
            raw.head("POST", "/v1/messages", JSON, f"Content-Length: {len(body)}", key=shop.key).send(body)
        raw.head("GET", "/nothing")
        answers = [raw.answer() for _ in bodies]
        assert [one[0] for one in answers] == [202] * len(bodies)
        assert [json.loads(one[2])["to"] for one in answers] == [json.loads(one)["to"] for one in bodies]
        assert raw.status() == 404
    body = message()
    with Raw(place) as raw:
        head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.key}\r\n{JSON}\r\n"
        raw.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\x00\x01nonsense\r\n\r\n")
        assert raw.status() == 202, "what was whole is answered before the rest is refused"
        assert raw.ends()


def test_json_of_every_bad_kind(shop):
    def status(body):
        answer = shop.post("/v1/messages", body if isinstance(body, bytes) else body.encode())
        assert answer.code
        return answer.status

    to = f'"to":"{TO}"'
    assert status("") == 422
    assert status("[]") == 422
    assert status("nonsense") == 400
    assert status("{" + to) == 400
    assert status('{"a":' * 3_000 + "1" + "}" * 3_000) in (400, 422)
    assert status("[" * (LIMIT - 1)) in (400, 422)
    assert status(f'{{{to},"text":{"[" * 5_000}{"]" * 5_000}}}') in (400, 422)
    assert status(b'{"to":"\xff","text":"x"}') == 400
    assert status(f'{{{to},"text":"\\ud800"}}') in (400, 422), "half a character"
    assert status(f'{{{to},"text":"x","priority":{"9" * 4_000}}}') in (400, 422)
    assert status(f'{{{to},"text":"x","priority":1e400}}') in (400, 422)
    assert status(f'{{{to},"text":"x","priority":NaN}}') == 400
    assert status(f'{{{to},"text":null}}') == 422
    assert status(f'{{{to},"text":"x","send_at":"9999-12-31T23:59:59Z"}}') == 422


def test_moments_at_the_ends_of_time(shop):
    first, last = "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"
    past = shop.send(send_at=first)
    assert shop.wait_status(past["id"], "delivered")["to"] == TO
    answer = shop.post("/v1/messages", {"to": TO, "text": "x", "expire_at": last})
    if answer.status == 202:
        shop.wait_status(answer.body["id"], "delivered")
    else:
        assert (answer.status, answer.pointers) == (422, ["/expire_at"])
    later = shop.send(send_at=moment(3600))["id"]
    near = shop.post(f"/v1/messages/{later}/reschedule", {"send_at": "0001-01-01T00:00:00Z"})
    assert near.status == 200
    shop.wait_status(later, "delivered")
    for since, found in ((first, True), (last, False)):
        assert bool(shop.get("/v1/messages", since=since, limit=1).body["data"]) is found


def test_texts_of_every_odd_kind_arrive_as_they_were(shop):
    for text in ("a\x00b", "\x00", "\x1b\r\n", "\U0001f600" * 10, "\u202eabc", "€^{}[]~|\\", "ﷺ" * 300, " " * 1000):
        accepted = shop.post("/v1/messages", {"to": TO, "text": text, "client_ref": f"odd {text[:50]}"})
        assert accepted.status == 202, accepted
        found = shop.wait_status(accepted.body["id"], "delivered")
        assert (found["text"], found["client_ref"]) == (text, f"odd {text[:50]}")
    found = shop.get("/v1/messages", client_ref="odd a\x00b").body["data"]
    assert [one["text"] for one in found] == ["a\x00b"]


def test_a_batch_that_would_grow_beyond_measure_is_bounded(shop):
    many = shop.post("/v1/batches", {"text": "{{a}}" * 1_000, "to": [TO]})
    assert (many.status, many.pointers) == (422, ["/to/0/params"])
    long = {"number": TO, "params": {"a": "x" * 1_000}}
    answer = shop.post("/v1/batches", {"text": "{{a}}" * 50, "to": [long] * 15})
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert answer.pointers == [f"/to/{at}/params" for at in range(15)]


def test_wrong_methods_are_told_the_right_ones(place, shop):
    for method, path, allowed in (
        ("PUT", "/v1/messages", {"GET", "POST"}),
        ("DELETE", "/v1/messages/1", {"GET"}),
        ("GET", "/v1/messages/1/cancel", {"POST"}),
        ("TRACE", "/v1/ledger", {"GET"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
    ):
        answer = shop.ask(method, path)
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert set(re.split(", *", answer.headers["allow"])) == allowed
    for path in (
        "/",
        "/v1",
        "/v1/messages/",
        "//v1/messages",
        "/v1/messages/1/",
        "/v1/%2e%2e/docs",
        "/v2/messages",
        "/%00",
        "/%ff",
    ):
        answer = shop.get(path)
        assert (answer.status, answer.code) == (404, "not_found"), path


def test_odd_headers_and_queries(place, shop):
    def status(path="/v1/messages", **headers):
        return shop.ask("GET", path, **headers).status

    assert status(Authorization="Bearer") == 401
    assert status(Authorization="Basic c2s6eA==") == 401
    assert status(Authorization=f"Bearer {shop.key} x") == 401
    assert status(Authorization=f"Bearer  {shop.key}") == 200
    assert status(Authorization="Bearer \xff\xfe") == 401
    assert status("/v1/messages?limit=5&limit=6") in (200, 422)
    assert status("/v1/messages?to=%00") == 422
    assert status("/v1/messages?client_ref=%ff%fe") == 200
    assert status("/v1/messages?since=2027-13-01") == 422
    assert status("/v1/messages?since=0.5") == 422
    assert status("/v1/messages?cursor=9999999999999999999") == 200
    assert status("/v1/messages?cursor=x") == 422
    assert status("/v1/messages?" + "&".join(f"a{at}=1" for at in range(2_000))) == 422
    too_long = shop.post("/v1/messages", {"to": TO, "text": "x"}, Idempotency_Key="k" * 256)
    assert (too_long.status, too_long.code) == (400, "invalid_request")
    plain = shop.post("/v1/messages", message(), Content_Type="text/plain")
    assert (plain.status, plain.code) == (415, "unsupported_media_type")


def test_a_thousand_idle_connections_disturb_nobody(place, shop):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Raw(place)) for _ in range(IDLE)]
        for one in idle:
            one.head("GET", "/nothing")
        assert {one.status() for one in idle} == {404}
        kept = Api(place.port, shop.key, keep=True)
        for _ in range(20):
            kept.send()
        kept.close()
        for one in idle:
            one.head("GET", "/nothing")
        assert {one.status() for one in idle} == {404}, "they are kept"


def test_the_hard_limit_of_files_counts_not_the_soft_one(start):
    place = serve(start, launcher=("bash", "-c", 'ulimit -Sn 200; exec "$@"', "x", *TENSEC))
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Raw(place)) for _ in range(400)]
        for one in many:
            one.head("GET", "/nothing")
        assert {one.status() for one in many} == {404}


def test_more_connections_than_allowed_are_told_so(start):
    place = serve(start, http={"connections_max": 10})
    api = place.api("shop")
    with contextlib.ExitStack() as stack:
        for one in [stack.enter_context(Raw(place)) for _ in range(10)]:
            one.head("GET", "/nothing")
            assert one.status() == 404
        refused = api.get("/v1/messages")
        assert (refused.status, refused.code) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) >= 1
    wait_for(lambda: api.get("/v1/messages").status == 200, "room again")
