"""`bench smpp` and `bench http` as a user runs them, against targets that work, refuse, die and hang."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from carrier_peer import BIND_TX, Peer
from http_sink import HttpSink

BENCH = [sys.executable, "-m", "bench"]


def bench(*words, folder, wait=True, **more):
    process = subprocess.Popen(
        [*BENCH, *map(str, words), "--out", str(folder), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )
    if not wait:
        return process
    out, errors = process.communicate(timeout=100)
    return process.returncode, json.loads(out) if out else None, errors


def smpp(carrier, *words, folder, wait=True, login="load:secret", **more):
    where = ["--target", f"127.0.0.1:{carrier.port}", "--login", login, "--target-pid", carrier.pid]
    return bench("smpp", *where, *words, folder=folder, wait=wait, **more)


def test_a_run_finds_every_message_its_receipts_and_its_files(carrier, tmp_path):
    arrivals = tmp_path / "a.arrivals"
    target = carrier(
        "--arrivals", arrivals, "--resp-latency", "5ms", "--dlr-latency", "20ms", "--stat-mix", "DELIVRD=1,UNDELIV=1"
    )
    words = ["-n", 200, "--rate", 400, "--mix", "verification=1,marketing=3", "--arrivals", f"a={arrivals}", "-c", 4]
    code, result, _ = smpp(target, *words, "--assert", "lost==0", "--assert", "accepted==200", folder=tmp_path / "out")
    assert code == 0
    counts = result["total"]["counts"]
    assert (counts["sent"], counts["accepted"], counts["delivered"] + counts["failed"]) == (200, 200, 200)
    assert [one["counts"]["sent"] for one in result["classes"]] == [50, 150]
    assert result["ledger"]["carried"] == 200
    assert result["total"]["carrier"]["count"] == 200
    assert result["plan"]["mix"] == {"verification": 0.25, "marketing": 0.75}
    assert result["target"]["cpu_us_per_message"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"result.json", "report.html", "latency.hlog"}


def test_receipts_that_come_to_the_other_source_process_are_counted(carrier, tmp_path):
    target = carrier("--dlr-latency", "20ms")
    code, result, _ = smpp(target, "-n", 100, "--rate", 500, "--processes", 2, "-c", 4, folder=tmp_path)
    assert code == 0
    assert result["total"]["counts"]["delivered"] == 100
    assert result["ledger"]["without_receipt"] == 0


@pytest.mark.parametrize("switches", [("--closed",), ("--bind", "tx-rx"), ("--text", "long"), ("--no-receipts",)])
def test_other_ways_to_send(carrier, tmp_path, switches):
    code, result, _ = smpp(carrier(), "-n", 60, "--rate", 300, *switches, folder=tmp_path)
    assert code == 0
    assert result["total"]["counts"]["accepted"] == 60
    assert result["ledger"]["lost"] == 0 or "--no-receipts" in switches


def test_a_closed_run_of_a_number_of_messages_ends_with_the_last_answer_whatever_its_longest_time(carrier, tmp_path):
    switches = ["--closed", "-n", 60, "--duration", "30s", "--rate", 1]  # the closed model has no rate
    code, result, _ = smpp(carrier("--dlr-latency", "300ms"), *switches, folder=tmp_path)
    assert code == 0
    assert result["took_s"] != round(result["took_s"]), "not in the whole seconds of the reports"
    assert result["rate_accepted"] == pytest.approx(60 / result["took_s"])
    assert result["ended_s"] > result["took_s"], "receipts come later"


def test_a_closed_run_of_a_number_of_messages_has_no_rate_that_could_end_it(carrier, tmp_path):
    words = ["--closed", "-n", 30, "-c", 1, "--window", 10, "--drain", "0s", "--no-receipts"]
    code, result, _ = smpp(carrier("--resp-latency", "700ms"), *words, folder=tmp_path)
    assert code == 0
    assert result["total"]["counts"]["accepted"] == 30
    assert (result["plan"]["rate"], result["rate_asked"]) == (None, None)


def test_a_closed_run_without_an_end_does_not_wait_for_ever_for_a_silent_target(carrier, tmp_path):
    code, result, _ = smpp(carrier("--silent-after", 1), "--closed", "-n", 30, "-c", 1, "--drain", "1s", folder=tmp_path)
    assert code == 1
    assert "has answered nothing" in result["failure"]


@pytest.mark.parametrize("processes", [1, 2])
def test_receipts_of_an_earlier_run_neither_end_the_wait_nor_hide(carrier, tmp_path, processes):
    target = carrier("--dlr-latency", "1500ms")
    with Peer(target.port) as before:
        before.bind(BIND_TX, "load")
        for _ in range(20):
            before.submit()
        before.take_many(20)
        before.unbind()
    words = ["-n", 20, "-c", 2, "--rate", 1000, "--processes", processes]
    code, result, _ = smpp(target, *words, folder=tmp_path)
    assert code == 0
    assert result["ledger"]["without_receipt"] == 0
    assert result["total"]["counts"]["receipts_strange"] == 20


def test_repeated_receipts_are_counted_whichever_source_process_has_them(carrier, tmp_path):
    words = ["-n", 40, "--rate", 400, "-c", 4, "--processes", 2]
    code, result, _ = smpp(carrier("--dlr-timing", "twice"), *words, folder=tmp_path)
    assert code == 0
    counts = result["total"]["counts"]
    assert (counts["delivered"], counts["receipts_repeated"], counts["receipts_strange"]) == (40, 40, 0)


def test_a_target_that_refuses_everything_is_exit_code_1(carrier, tmp_path):
    code, result, _ = smpp(carrier("--refuse", ".*=ESME_RINVDSTADR"), "-n", 20, "--rate", 500, folder=tmp_path)
    assert code == 1
    assert result["failure"] == "the target accepted nothing (ESME_RINVDSTADR)"


def test_refusals_are_named_and_a_broken_assertion_is_exit_code_3(carrier, tmp_path):
    target = carrier("--refuse", "(0|1|2|3|4)$=ESME_RINVDSTADR")
    code, result, _ = smpp(target, "-n", 100, "--rate", 500, "--assert", "refused==0", folder=tmp_path)
    assert code == 3
    assert result["errors"] == {"ESME_RINVDSTADR": 50}
    assert [(one["text"], one["value"], one["held"]) for one in result["assertions"]] == [("refused==0", 50.0, False)]


def test_messages_a_carrier_swallows_are_unanswered(carrier, tmp_path):
    code, result, _ = smpp(carrier("--loss", 1), "-n", 5, "--rate", 100, "--drain", "200ms", folder=tmp_path)
    assert code == 0
    assert result["total"]["counts"]["unanswered"] == 5


def test_a_wrong_password_is_said_and_nothing_is_sent(carrier, tmp_path):
    code, result, errors = smpp(carrier("--password", "other"), "-n", 5, folder=tmp_path)
    assert (code, result) == (1, None)
    assert "refused the bind: ESME_RBINDFAIL" in errors


def test_an_unreachable_target_is_said(tmp_path):
    code, _, errors = bench("smpp", "--target", "127.0.0.1:1", folder=tmp_path)
    assert code == 1
    assert "cannot connect to 127.0.0.1:1" in errors


def test_a_target_that_dies_leaves_a_partial_report_and_exit_code_1(carrier, tmp_path):
    target = carrier("--drop-after", 30)
    code, result, _ = smpp(target, "-n", 5000, "--rate", 400, "-c", 2, folder=tmp_path)
    assert code == 1
    assert "closed every connection" in result["failure"]
    assert sum(count for what, count in result["errors"].items() if what.startswith("connection lost: ")) == 2
    assert result["total"]["counts"]["due"] >= result["total"]["counts"]["sent"]
    assert 40 <= result["total"]["counts"]["accepted"] < 5000
    assert (tmp_path / "report.html").exists()


def test_a_broken_connection_is_bound_again_when_that_was_asked_for(carrier, tmp_path):
    target = carrier("--drop-after", 30)
    code, result, _ = smpp(target, "-n", 100, "--rate", 400, "-c", 2, "--reconnect", "--drain", "5s", folder=tmp_path)
    assert code == 0
    counts = result["total"]["counts"]
    assert counts["sent"] == 100
    assert counts["unanswered"] > 0
    assert counts["accepted"] + counts["unanswered"] == 100


def test_ctrl_c_gives_the_report_so_far(carrier, tmp_path):
    process = smpp(carrier(), "-z", "60s", "--rate", 200, folder=tmp_path, wait=False)
    lines = iter(process.stderr.readline, "")
    assert any(" s running" in line for line in lines)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    result = json.loads(out)
    assert process.returncode == 0
    assert result["total"]["counts"]["accepted"] == result["total"]["counts"]["sent"] > 0
    assert any("ended by hand" in warning for warning in result["warnings"])


def test_a_report_that_could_not_be_written_is_known_before_anything_is_sent(carrier, tmp_path):
    (tmp_path / "file").write_text("in the way")
    target = carrier()
    code, _, errors = smpp(target, "-n", 5, folder=tmp_path / "file" / "out")
    assert code == 2
    assert "--out" in errors
    assert target.end()["connections"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_by_hand_while_connecting_it_leaves_nothing_behind(tmp_path, number):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers a bind
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        process = bench("smpp", "--target", target, "-c", 1, folder=tmp_path, wait=False, start_new_session=True)
        accepted, _ = silent.accept()
        with accepted:
            assert accepted.recv(100), "the bind"
            os.killpg(process.pid, number)
            assert accepted.recv(100) == b"", "the source process is gone"
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "ended by hand" in errors
    assert "Traceback" not in errors


def test_a_source_process_does_not_outlive_a_killed_coordinator(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        process = bench("smpp", "--target", target, "-c", 1, folder=tmp_path, wait=False)
        accepted, _ = silent.accept()
        with accepted:
            accepted.settimeout(30)
            assert accepted.recv(100), "the bind"
            process.kill()
            process.communicate()
            assert accepted.recv(100) == b""


def test_signals_to_the_whole_group_give_the_report_so_far(carrier, tmp_path):
    process = smpp(carrier(), "-z", "60s", "--rate", 200, folder=tmp_path, wait=False, start_new_session=True)
    assert any(" s running" in line for line in iter(process.stderr.readline, ""))
    os.killpg(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["failure"] == ""


def test_the_numbers_of_a_run_without_a_known_end_run_out(carrier, tmp_path):
    words = ["--closed", "-z", "60s", "--to", "86138####", "-c", 10, "--window", 100]
    code, result, _ = smpp(carrier(), *words, folder=tmp_path)
    assert code == 1
    assert "--to" in result["failure"]
    assert result["total"]["counts"]["sent"] == 10_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("smpp", "--target", "203.0.113.1:2775"), "--allow-remote"),
        (("smpp", "--target", "localhost"), "HOST:PORT"),
        (("smpp", "--assert", "lost=0"), "such as"),
        (("smpp", "--mix", "a=1", "--login", "b=x:y"), "no class of --mix"),
        (("smpp", "--to", "86138"), "--to"),
        (("http", "--target", "ftp://127.0.0.1/"), "--target"),
        (("http", "--header", "nonsense"), "--header"),
        (("smpp", "-z", "0"), "above 0"),
        (("smpp", "--rate", "inf"), "finite"),
        (("smpp", "--rate", "nan"), "finite"),
        (("smpp", "--source", "1" * 25), "--source"),
        (("smpp", "--login", "me:a-long-password"), "--login"),
        (("smpp", "--find-max", "-z", "5s"), "-z"),
        (("smpp", "--mix", "a=1,b=1", "-c", 1), "-c 1"),
        (("smpp", "--processes", 3, "-c", 2), "--processes"),
        (("smpp", "--to", "86138####", "-n", 10_001), "--to"),
        (("http", "--to", "86138####", "--rate", 1001, "-z", "10s"), "--to"),
        (("smpp", "--arrivals", "a=/nowhere/at/all"), "no such file"),
        (("smpp", "--arrivals", f"a={__file__}"), "no file of arrivals"),
        (("smpp", "--arrivals", "/nowhere/a", "--arrivals", "/there/a"), "a name of its own"),
    ],
)
def test_what_the_user_wrote_wrong_is_said_with_exit_code_2(tmp_path, words, said):
    code, _, errors = bench(*words, folder=tmp_path)
    assert code == 2
    assert said in errors


@pytest.fixture
def sink():
    made = HttpSink()
    yield made
    made.close()


def test_http_sends_the_template_and_counts_by_status(sink, tmp_path):
    target = ["--target", f"http://127.0.0.1:{sink.port}/messages?x=1", "--header", "Authorization: Bearer sk_1"]
    words = ["-n", 100, "--rate", 200, "-c", 5, "--first", 0, "--to", "861380000####", "--timeout", "500ms", "--drain", "3s"]
    code, result, _ = bench("http", *target, *words, "--text", 'say "{code}"', folder=tmp_path)
    assert code == 0
    counts = result["total"]["counts"]
    assert (counts["sent"], counts["accepted"], counts["refused"], counts["unanswered"]) == (100, 80, 10, 10)
    assert result["errors"] == {"HTTP 429": 10, "no answer: nothing within 0.5 s": 10}
    assert sink.seen[0].keys() == {"to", "text"}
    assert all(body["text"].startswith('say "') and body["to"].startswith("+86138") for body in sink.seen)
    assert "POST /messages?x=1 HTTP/1.1" in sink.headers[0]
    assert "Authorization: Bearer sk_1" in sink.headers[0]
    assert sink.connections > 5, "connections that were closed or hung are made again"


def test_an_http_target_that_dies_is_said_with_what_was_measured_and_exit_code_1(sink, tmp_path):
    words = ["--target", f"http://127.0.0.1:{sink.port}/", "-z", "60s", "--rate", 100, "--to", "861380000000####"]
    process = bench("http", *words, folder=tmp_path, wait=False)
    assert any(" s running" in line for line in iter(process.stderr.readline, ""))
    sink.close()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    result = json.loads(out)
    assert "the target is gone" in result["failure"]
    assert result["total"]["counts"]["accepted"] > 0
    assert result["errors"]["cannot connect again"] >= 2
    assert not any("generator" in warning for warning in result["warnings"])
