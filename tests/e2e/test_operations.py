"""Running it: start, stop, reload, the command line, TLS."""

import contextlib
import json
import os
import socket
import ssl
import stat
import threading

import pytest
import trustme
from esme_client import Client, bound
from gateway_process import account, channel, free_port, password_hash, route, tensec, wait_for

from protocol.pdu import SubmitSm
from protocol.status import Status

TO = "8613912345678"


# -- stopping


def test_sigterm_finishes_what_is_in_flight(start, scripted):
    gateway = start.gateway(accounts=[account()], channels=[channel("one", scripted.port)], routes=[route("one")])
    carrier = scripted.accept()
    client = bound(gateway.port)
    ids = [client.submit(TO).message_id for _ in range(3)]
    submits = [carrier.take(SubmitSm) for _ in ids]

    gateway.signal(15)
    assert gateway.wait_log("draining")["in_flight"] == 3
    assert client.submit(TO).status == Status.RSYSERR, "nothing new is accepted"
    with pytest.raises(OSError, match="refused"):
        Client(gateway.port)

    carrier.respond(submits[0], message_id="c0")
    scripted.deliver(carrier, submits[0], "c0")  # before the last answer: afterwards nothing is waited for
    for number, submit in enumerate(submits[1:], 1):
        carrier.respond(submit, message_id=f"c{number}")
    assert carrier.wait_end() == "unbind by the peer"
    assert client.receipt().id == ids[0], "receipts go out until the end"
    client.wait_end()
    gateway.wait_log("session ended", account="interop", reason="unbound")
    for peer in (carrier, client):
        peer.close()
    assert gateway.wait() == 0
    # What was in the carrier's hands is still open: said, not hidden.
    assert gateway.log[-1] == {**gateway.log[-1], "event": "stopped", "accepted": 3, "delivered": 1}


def test_sigterm_does_not_wait_for_ever(start, scripted):
    gateway = start.gateway(
        accounts=[account()], channels=[channel("one", scripted.port)], routes=[route("one")], core={"drain_timeout_s": 0.5}
    )
    carrier = scripted.accept()
    with bound(gateway.port, "tx") as client:
        client.submit(TO)
        carrier.take(SubmitSm)
        assert gateway.terminate() == 0
    assert gateway.logged("drain timed out", in_flight=1)


def test_sigterm_sends_what_is_queued_when_the_store_would_forget_it(start):
    """Also when nothing is in flight for a moment, for the channel's pace is slow."""
    carrier = start.carrier("--dlr-timing", "never")
    slow = channel("slow", carrier.port, messages_per_second=20)
    gateway = start.gateway(accounts=[account()], channels=[slow], routes=[route("slow")], store={"kind": "memory"})
    with bound(gateway.port, "tx") as client:
        tokens = [client.send(one) for one in [submit() for _ in range(40)]]
        assert {client.answer(token).status for token in tokens} == {0}
        gateway.signal(15)
        client.wait_end()
    assert gateway.wait() == 0
    counted = carrier.finish()
    assert (counted["submits"], counted["unbinds"], counted["violations"]) == (40, 1, {})


def test_what_is_queued_at_sigterm_goes_on_after_the_next_start(start):
    first, second = (start.carrier("--dlr-timing", "never") for _ in range(2))
    settings = {"accounts": [account()], "routes": [route("slow")]}
    gateway = start.gateway(channels=[channel("slow", first.port, messages_per_second=20)], **settings)
    with bound(gateway.port, "tx") as client:
        tokens = [client.send(one) for one in [submit() for _ in range(100)]]
        assert {client.answer(token).status for token in tokens} == {0}
        assert gateway.terminate() == 0
    again = start.gateway(data_dir=str(gateway.data_dir), channels=[channel("slow", second.port)], **settings)
    wait_for(lambda: again.ledger()["in_flight"] == 100)
    assert (again.ledger()["accepted"], again.ledger()["queued"]) == (100, 0)
    assert again.terminate() == 0
    submits = [first.finish()["submits"], second.finish()["submits"]]
    assert sum(submits) == 100
    assert all(submits)


def submit():
    return SubmitSm(source_addr="10690000", dest_addr_ton=1, dest_addr_npi=1, destination_addr=TO, short_message=b"hi")


# -- reloading


def test_sighup_changes_accounts_and_channels_and_loses_nothing(start):
    carriers = [start.carrier("--dlr-delay-ms", "0") for _ in range(2)]
    old, new = (channel(name, one.port) for name, one in zip(("old", "new"), carriers, strict=True))
    gateway = start.gateway(accounts=[account()], channels=[old], routes=[route("old")])
    client = bound(gateway.port)
    refused = Client(gateway.port)
    assert refused.bind(system_id="later") == Status.RBINDFAIL
    refused.close()

    steps = [
        {"channels": [old, new], "routes": [route("old", "new")]},
        {"accounts": [account(), account("later")]},
        {"channels": [new], "routes": [route("new")]},
        {"channels": [{**new, "window": 3}]},
    ]
    accepted = 0
    for settings in steps:
        tokens = [client.send(submit()) for _ in range(50)]
        since = gateway.hang_up(**settings)
        tokens += [client.send(submit()) for _ in range(50)]
        accepted += sum(client.answer(token).status == 0 for token in tokens)
        gateway.wait_log("configuration taken over", since=since)
    assert accepted == 400
    assert gateway.wait_final() == {"delivered": 400}
    assert list(gateway.channels()) == ["new"]
    assert gateway.channels()["new"].window_size == 3
    with bound(gateway.port, system_id="later"):
        pass

    gateway.hang_up(accounts=[account("later")])
    assert client.wait_end() == "unbind by the peer", "its account is gone"
    client.close()
    assert gateway.terminate() == 0
    counted = [one.finish() for one in carriers]
    assert sum(one["submits"] for one in counted) == 400
    for one in counted:
        # A receipt may cross our unbind; the carrier delivers it again on the next bind.
        one["violations"].pop("receipts never acknowledged: some", None)
        assert one["violations"] == {}


def test_a_bad_file_changes_nothing_and_every_error_is_logged(start, scripted):
    gateway = start.gateway(accounts=[account()], channels=[channel("one", scripted.port)], routes=[route("one")])
    carrier = scripted.accept()
    gateway.wait_channel("one")
    since = gateway.hang_up(
        accounts=[account(window=0)],
        channels=[channel("one", 99999, password="hidden")],
        routes=[route("gone")],
    )
    gateway.wait_log("configuration not taken over", since=since)
    errors = gateway.ask_reload()
    assert [place in text for place, text in zip(("accounts[0].window", "channels[0].port"), errors, strict=True)] == [True] * 2
    logged = [one["error"] for one in gateway.logged("configuration not taken over")]
    assert logged[:2] == errors
    done = gateway.cli("reload")
    assert done.returncode == 2, "it cannot even be read by the command"
    assert "hidden" not in done.stderr + "".join(gateway.err.lines)

    with bound(gateway.port) as client:
        client.submit(TO)
        scripted.take_submit(carrier)
    assert gateway.channels()["one"].state == "up"


def test_reload_from_the_command_line(start):
    gateway = start.gateway(accounts=[account()])
    gateway.write(accounts=[account(), account("later")])
    done = gateway.cli("reload")
    assert (done.returncode, done.stderr) == (0, "")
    with bound(gateway.port, system_id="later"):
        pass


# -- starting


def test_two_gateways_on_one_data_directory(start):
    gateway = start.gateway(accounts=[account()])
    second = start.gateway(started=False, data_dir=str(gateway.data_dir))
    assert second.wait() == 1
    assert "another tensec runs on it" in second.err.lines[-1]
    assert gateway.ledger()["accepted"] == 0, "the first is not disturbed"
    second.err.lines.clear()


def test_a_port_that_is_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        gateway = start.gateway(started=False, smpp={"listen": address})
        assert gateway.wait() == 1
    assert gateway.err.lines == [f"tensec: smpp.listen {address}: Address already in use"]
    gateway.err.lines.clear()


def test_after_a_kill_it_starts_again(start):
    gateway = start.gateway(accounts=[account()])
    gateway.signal(9)
    gateway.wait()
    assert (gateway.data_dir / "control.sock").exists()
    again = start.gateway(data_dir=str(gateway.data_dir), accounts=[account()])
    assert again.ledger()["accepted"] == 0
    assert again.terminate() == 0
    assert not (gateway.data_dir / "control.sock").exists()


def test_secrets_from_files_and_the_environment(start, scripted, tmp_path):
    (tmp_path / "hash").write_text(password_hash("secret") + "\n", encoding="ascii")
    gateway = start.gateway(
        env={"CARRIER_WORD": "hushhush", "TENSEC_SMPP__SYSTEM_ID": "renamed"},
        secrets=["hushhush"],
        accounts=[{"system_id": "interop", "password_hash": f"file:{tmp_path}/hash"}],
        channels=[channel("one", scripted.port, password="env:CARRIER_WORD")],
        routes=[route("one")],
    )
    sock, _ = scripted.listener.accept()
    with sock:
        assert b"\0hushhush\0" in sock.recv(1000)
    with bound(gateway.port):
        pass


# -- the command line


def test_config_check_names_every_error_and_no_secret(tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(
        """
colour = "red"
[smpp]
listen = "nowhere"
session_init_s = -1
[core]
queue_size_max = "many"
[[accounts]]
system_id = "far-too-long-for-smpp"
password_hash = 4711
window = 0
networks = ["not a network"]
[[accounts]]
system_id = "b"
password_hash = "plain-words"
api_token = "TOPSECRET1"
[[channels]]
name = "a b"
host = "h"
port = 70000
system_id = "t"
password = "env:TENSEC_TEST_NO_SUCH"
resp_id = "octal"
[[channels]]
password = ["TOPSECRET2"]
[[routes]]
classes = ["spam"]
""",
        encoding="utf-8",
    )
    done = tensec("config", "check", str(file))
    assert done.returncode == 2
    assert done.stdout == ""
    places = (
        "colour",
        "smpp.session_init_s",
        "core.queue_size_max",
        "accounts[0].system_id",
        "accounts[0].password_hash",
        "accounts[0].window",
        "accounts[0].networks[0]",
        "accounts[1].api_token",
        "channels[0].name",
        "channels[0].port",
        "channels[0].password",
        "channels[0].resp_id",
        "channels[1].name",
        "channels[1].host",
        "channels[1].port",
        "channels[1].system_id",
        "channels[1].password",
        "routes[0].classes[0]",
        "routes[0].channels",
    )
    lines = done.stderr.splitlines()
    assert [place for place in places if not any(f"{file}: {place}" in line for line in lines)] == []
    assert all(line.startswith(f"{file}: ") for line in lines)
    for secret in ("4711", "TOPSECRET1", "TOPSECRET2", "plain-words"):
        assert secret not in done.stderr


def test_config_check_of_what_contradicts_itself(tmp_path):
    file = tmp_path / "contradicts.toml"
    file.write_text(
        """
[smpp]
listen = "nowhere"
[[accounts]]
system_id = "a"
password_hash = "plain-words"
[[accounts]]
system_id = "a"
password_hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA"
[[channels]]
name = "one"
host = "h"
port = 7000
system_id = "t"
password = "far-too-long"
mo_account = "nobody"
[[routes]]
channels = [{ name = "two" }]
[[routes]]
channels = []
""",
        encoding="utf-8",
    )
    done = tensec("config", "check", str(file))
    assert done.returncode == 2
    for place in (
        "smpp.listen",
        "accounts[1]",
        "accounts[0].password_hash",
        "channels[0].password",
        "channels[0].mo_account",
        "routes[0].channels[0].name",
        "routes[1].channels",
    ):
        assert f"{file}: {place}" in done.stderr
    for secret in ("plain-words", "far-too-long", "argon2id"):
        assert secret not in done.stderr


def test_config_check_of_good_and_of_unreadable_files(tmp_path):
    assert tensec("config", "check", "config/load.toml").returncode == 0
    missing = tensec("config", "check", str(tmp_path / "none.toml"))
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)
    (tmp_path / "broken.toml").write_text("[smpp\n", encoding="ascii")
    broken = tensec("config", "check", str(tmp_path / "broken.toml"))
    assert (broken.returncode, "not TOML" in broken.stderr) == (2, True)


def test_ledger_channels_and_sla(start):
    carrier = start.carrier("--dlr-delay-ms", "0")
    gateway = start.gateway(
        accounts=[account()],
        channels=[channel("good", carrier.port, window=7, messages_per_second=500), channel("dead", free_port())],
        routes=[route("good")],
    )
    with bound(gateway.port) as client:
        for _ in range(5):
            client.submit(TO)
        client.submit(TO, schedule_delivery_time="000000000100000R")
        wait_for(lambda: gateway.finals() == {"delivered": 5})
        wait_for(lambda: gateway.channels()["dead"].last_error)

        said = json.loads(gateway.cli("ledger", "--json").stdout)
        assert said["balanced"] is True
        assert (said["ledger"]["accepted"], said["ledger"]["scheduled"]) == (6, 1)
        assert said["ledger"]["final"]["delivered"] == 5
        human = gateway.cli("ledger")
        assert human.returncode == 0
        assert human.stdout.splitlines()[0].split() == ["accepted", "6"]
        assert human.stdout.splitlines()[-1] == "balanced"

        good, dead = json.loads(gateway.cli("channel", "ls", "--json").stdout)
        assert (good["name"], good["state"], good["window_size"], good["submitted"], good["delivered"]) == (
            "good",
            "up",
            7,
            5,
            5,
        )
        assert (dead["name"], dead["state"]) == ("dead", "down")
        assert "cannot connect" in dead["last_error"]
        table = gateway.cli("channel", "ls").stdout
        assert "good" in table
        assert "500/s" in table
        assert "cannot connect" in table
        assert "secret" not in table

        tallies = json.loads(gateway.cli("sla", "--json").stdout)["tallies"]
        assert [(one["class_"], one["channel"], one["delivered"]) for one in tallies] == [("notification", "good", 5)]
        assert "within 10 s 100.00%" in gateway.cli("sla").stdout
        sliced = ("sla", "--by", "class,channel,account", "--window", "5m", "--only", "class=notification", "--json")
        windows = json.loads(gateway.cli(*sliced).stdout)["windows"]
        assert {(one["clock"], one["window"], one["class_"]) for one in windows} == {
            ("user", "5m", "notification"),
            ("channel", "5m", "notification"),
        }
        assert {one["channel"] for one in windows if one["clock"] == "channel"} == {"good"}


def test_the_control_socket_is_the_owners_alone(start):
    gateway = start.gateway(accounts=[account()])
    place = gateway.data_dir / "control.sock"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(place))
        sock.sendall(b"\0\0\0\5hello")
        assert sock.recv(10) == b"", "what is not understood ends the connection"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(place))
        sock.sendall(b"\xff\xff\xff\xff")
        assert sock.recv(10) == b""
    assert gateway.ledger()["accepted"] == 0


def test_questions_to_no_gateway(start, tmp_path):
    file = tmp_path / "idle.toml"
    file.write_text(f'data_dir = "{tmp_path}/idle"\n', encoding="utf-8")
    for command in (("ledger",), ("channel", "ls"), ("sla",), ("reload",)):
        done = tensec(*command, "--config", str(file))
        assert done.returncode == 1
        assert "no tensec runs on data_dir" in done.stderr


def test_account_hash():
    done = tensec("account", "hash", stdin="secret\n")
    assert done.returncode == 0
    assert done.stdout.startswith("$argon2id$")
    assert tensec("account", "hash", stdin="\n").returncode == 2
    assert tensec("account", "hash", stdin="longer than eight\n").returncode == 2


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        (("--password", "secret"), 0, "Both work: the channel is fine."),
        (("--password", "other"), 1, "Neither gets a bind"),
        (("--errbody-every", "1"), 1, "Both bind and neither can submit"),
        (None, 1, "Neither gets a bind"),
    ],
    ids=["good", "wrong password", "refuses", "none"],
)
def test_doctor(start, tmp_path, options, code, verdict):
    port = free_port() if options is None else start.carrier(*options).port
    file = tmp_path / "doctor.toml"
    one = channel("one", port)
    file.write_text(
        "[[channels]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in one.items()), encoding="utf-8"
    )
    done = tensec("doctor", "channel", "one", "--to", "+8613912345678", "--config", str(file))
    assert done.returncode == code, done
    peer, ours, said = done.stdout.splitlines()
    assert peer.startswith("smpplib")
    assert ours.startswith("tensec")
    assert said.startswith(verdict)
    assert "secret" not in done.stdout + done.stderr
    unknown = tensec("doctor", "channel", "two", "--to", "8613912345678", "--config", str(file))
    assert (unknown.returncode, unknown.stdout) == (2, "")


# -- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and files for a server called localhost."""
    ca = trustme.CA()
    folder = tmp_path_factory.mktemp("tls")
    served = ca.issue_cert("localhost")
    served.private_key_pem.write_to_path(str(folder / "key.pem"))
    os.chmod(folder / "key.pem", 0o600)
    for at, blob in enumerate(served.cert_chain_pems):
        blob.write_to_path(str(folder / "cert.pem"), append=at > 0)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "stranger.pem"))
    return folder


class TlsDoor:
    """TLS in front of a plain carrier: a thread for each direction of each connection."""

    def __init__(self, folder, inner_port):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._inner_port = inner_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self._sockets = []

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(plain)
            try:
                outer = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            inner = socket.create_connection(("127.0.0.1", self._inner_port))
            self._sockets += [outer, inner]
            for source, target in ((outer, inner), (inner, outer)):
                thread = threading.Thread(target=self._pump, args=(source, target), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in self._sockets:
            sock.close()


@pytest.fixture
def tls_carrier(start, authority):
    carrier = start.carrier("--dlr-delay-ms", "0")
    door = TlsDoor(authority, carrier.port)
    yield door
    door.close()


def test_tls_on_both_sides(start, authority, tls_carrier):
    ca = str(authority / "ca.pem")
    gateway = start.gateway(
        accounts=[account()],
        smpp={"tls": {"cert": str(authority / "cert.pem"), "key": str(authority / "key.pem")}},
        channels=[channel("safe", tls_carrier.port, tls={"ca": ca, "server_name": "localhost"})],
        routes=[route("safe")],
    )
    assert gateway.logged("listening", tls=True)
    with Client(gateway.port, tls=ssl.create_default_context(cafile=ca)) as client:
        assert client.bind() == 0
        tokens = [client.send(submit_long(at)) for at in range(60)]
        ids = {client.answer(token).message_id for token in tokens}
        assert {client.receipt().id for _ in ids} == ids
        client.unbind()
    assert gateway.finals() == {"delivered": 60}

    # Someone who speaks no TLS is turned away, and so is one who goes away in the handshake.
    for words in (b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1", b""):
        with socket.create_connection(("127.0.0.1", gateway.port), 15) as plain:
            plain.sendall(words)
            plain.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while plain.recv(1000):
                    pass
    wait_for(lambda: len(gateway.logged("connection failed")) == 2)
    assert gateway.terminate() == 0


def submit_long(number):
    pdu = submit()
    pdu.registered_delivery = 1
    pdu.short_message = b"%d " % number * 30
    return pdu


@pytest.mark.parametrize(
    ("tls", "reason"),
    [
        ({"ca": "stranger.pem", "server_name": "localhost"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"ca": "ca.pem", "server_name": "elsewhere.example"}, "CERTIFICATE_VERIFY_FAILED"),
    ],
    ids=["stranger", "other name"],
)
def test_a_carrier_with_a_wrong_certificate_is_not_trusted(start, authority, tls_carrier, tls, reason):
    checked = {**tls, "ca": str(authority / tls["ca"])}
    gateway = start.gateway(accounts=[account()], channels=[channel("unsafe", tls_carrier.port, tls=checked)])
    wait_for(lambda: reason in gateway.channels()["unsafe"].last_error, lambda: str(gateway.channels()))
    assert gateway.take_over(channels=[channel("unsafe", tls_carrier.port, tls={"verify": False})]) == []
    gateway.wait_channel("unsafe")


def test_tls_files_that_do_not_fit(start, authority):
    gateway = start.gateway(accounts=[account()])
    wrong = {"cert": str(authority / "cert.pem"), "key": str(authority / "none.pem")}
    assert "smpp.tls" in gateway.take_over(smpp={"tls": wrong})[0]
    with bound(gateway.port):
        pass
    second = start.gateway(started=False, smpp={"tls": wrong})
    assert second.wait() == 1
    assert not any("Traceback" in line for line in second.err.lines)
    second.err.lines.clear()
