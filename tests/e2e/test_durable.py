"""Accepted means on disk, with real processes: kills, full queues, and files that cannot be used."""

import sqlite3
from contextlib import closing

from esme_client import bound, submit_sm
from gateway_process import account, channel, free_port, route, wait_for

from gateway.store.embedded.journal_file import entries_of, files_of
from protocol.status import Status

TO = "8613912345678"
COUNT = 50


def send(client, count):
    """The ids of `count` accepted messages."""
    tokens = [client.send(submit_sm(TO)) for _ in range(count)]
    answers = [client.answer(token) for token in tokens]
    assert {one.status for one in answers} == {Status.ROK}
    return {one.message_id for one in answers}


def test_what_was_accepted_is_delivered_after_a_kill(start):
    gateway = start.gateway(accounts=[account()], channels=[channel("one", free_port())], routes=[route("one")])
    with bound(gateway.port) as client:
        ids = send(client, COUNT)
        gateway.signal(9)
        gateway.wait()
    carrier = start.carrier("--dlr-delay-ms", "0")
    again = start.gateway(
        data_dir=str(gateway.data_dir),
        accounts=[account()],
        channels=[channel("one", carrier.port)],
        routes=[route("one")],
    )
    with bound(again.port) as client:
        assert {client.receipt().id for _ in ids} == ids
        assert again.wait_final() == {"delivered": COUNT}
    assert again.terminate() == 0
    counted = carrier.finish()
    assert (counted["submits"], counted["violations"]) == (COUNT, {})


def test_receipts_nobody_took_are_told_after_a_kill(start):
    carrier = start.carrier("--dlr-delay-ms", "0")
    settings = {"accounts": [account()], "channels": [channel("one", carrier.port)], "routes": [route("one")]}
    gateway = start.gateway(**settings)
    with bound(gateway.port, "tx") as client:
        ids = send(client, COUNT)
        wait_for(lambda: gateway.finals() == {"delivered": COUNT})
        gateway.signal(9)
        gateway.wait()
    again = start.gateway(data_dir=str(gateway.data_dir), **settings)
    with bound(again.port) as client:
        assert {client.receipt().id for _ in ids} == ids
    assert again.finals() == {"delivered": COUNT}


def test_a_full_queue_refuses_campaigns_first(start):
    gateway = start.gateway(
        accounts=[account(), account("ads", **{"class": "marketing"})],
        channels=[channel("one", free_port())],
        routes=[route("one")],
        core={"queue_size_max": 100},
    )
    with bound(gateway.port, "tx") as client, bound(gateway.port, "tx", "ads") as ads:
        send(client, 90)
        assert ads.submit(TO).status == Status.RMSGQFUL
        send(client, 5)
        assert client.submit(TO).status == Status.RMSGQFUL
        assert gateway.ledger()["queued"] == 95
        gateway.signal(9)
        gateway.wait()
    again = start.gateway(data_dir=str(gateway.data_dir), **{k: gateway.settings[k] for k in ("accounts", "channels", "core")})
    assert again.ledger()["queued"] == 95
    with bound(again.port, "tx", "ads") as ads:
        assert ads.submit(TO).status == Status.RMSGQFUL, "the limit holds after a restart"


def refused(start, gateway):
    """What a start says that cannot use the data."""
    second = start.gateway(started=False, data_dir=str(gateway.data_dir), accounts=[account()])
    assert second.wait() == 1
    said = "\n".join(second.err.lines)
    second.err.lines.clear()
    assert "Traceback" not in said
    assert str(gateway.data_dir / "store.db") in said
    return said


def test_a_damaged_store_is_refused_in_clear_words(start):
    gateway = start.gateway(accounts=[account()], channels=[channel("one", free_port())], routes=[route("one")])
    with bound(gateway.port, "tx") as client:
        send(client, COUNT)
    assert gateway.terminate() == 0
    path = gateway.data_dir / "store.db"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    said = refused(start, gateway)
    assert "restore a backup" in said
    assert path.read_bytes() == data[: len(data) // 2], "it is left for whoever looks at it"
    path.write_bytes(data)
    journal = files_of(gateway.data_dir / "journal")[0][1]
    data = bytearray(journal.read_bytes())
    data[entries_of(journal)[0].at + 9] ^= 1
    journal.write_bytes(data)
    assert "of the journal is damaged" in refused(start, gateway)


def test_a_store_of_a_newer_version_is_refused_in_clear_words(start):
    gateway = start.gateway(accounts=[account()])
    assert gateway.terminate() == 0
    with closing(sqlite3.connect(gateway.data_dir / "store.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "newer Tensec" in refused(start, gateway)
