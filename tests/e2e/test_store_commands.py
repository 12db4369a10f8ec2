"""The store in an operator's hands: sums without a core, backup while it runs and the way back, what nobody took."""

import json
import shutil

from esme_client import bound
from gateway_process import Gateway, account, channel, free_port, route, tensec, wait_for

from protocol.pdu import SubmitSm

TO = "8613912345678"


def settings():
    return {"accounts": [account()], "channels": [channel("dead", free_port())], "routes": [route("dead")]}


def submit(gateway, count):
    with bound(gateway.port, "tx") as client:
        pdu = SubmitSm(source_addr="10690000", dest_addr_ton=1, dest_addr_npi=1, destination_addr=TO, short_message=b"hi")
        tokens = [client.send(pdu) for _ in range(count)]
        return [client.answer(token).message_id for token in tokens]


def stored_ledger(gateway):
    said = gateway.cli("ledger", "--json")
    assert said.returncode == 0, said
    return json.loads(said.stdout)["ledger"]


def test_the_ledger_is_read_from_the_store_when_no_core_runs(start):
    gateway = start.gateway(**settings())
    submit(gateway, 20)
    running = stored_ledger(gateway)
    gateway.signal(9)
    gateway.wait()
    assert stored_ledger(gateway) == running
    assert (running["accepted"], running["queued"]) == (20, 20)


def test_a_backup_made_while_it_runs_brings_everything_back(start, tmp_path):
    gateway = start.gateway(**settings())
    submit(gateway, 20)
    said = gateway.cli("backup", str(tmp_path / "backup.tar"))
    assert said.returncode == 0, said
    submit(gateway, 5)
    gateway.terminate()
    other = Gateway(tmp_path, started=False, **settings())
    other.wait_log("listening")
    assert other.terminate() == 0
    refused = other.cli("restore", str(tmp_path / "backup.tar"))
    assert (refused.returncode, "exists; move" in refused.stderr) == (1, True)
    (other.data_dir / "store.db").unlink()
    shutil.rmtree(other.data_dir / "journal", ignore_errors=True)
    assert other.cli("restore", str(tmp_path / "backup.tar")).returncode == 0
    assert stored_ledger(other)["queued"] == 20
    again = start.gateway(data_dir=str(other.data_dir), **settings())
    assert again.ledger()["queued"] == 20


def test_what_is_no_backup_is_refused(start, tmp_path):
    gateway = start.gateway(**settings())
    gateway.terminate()
    (gateway.data_dir / "store.db").unlink()
    (tmp_path / "no.tar").write_bytes(b"no backup")
    refused = gateway.cli("restore", str(tmp_path / "no.tar"))
    assert refused.returncode == 1
    assert "no.tar" in refused.stderr
    assert not (gateway.data_dir / "store.db").exists()


def test_a_restore_while_a_core_runs_is_refused(start, tmp_path):
    gateway = start.gateway(**settings())
    refused = gateway.cli("restore", str(tmp_path / "any.tar"))
    assert refused.returncode == 1
    assert "another tensec runs" in refused.stderr


def test_dead_letters_are_listed(start):
    gateway = start.gateway(**settings())
    said = gateway.cli("dead-letters")
    assert (said.returncode, said.stdout) == (0, "none\n")
    assert json.loads(gateway.cli("dead-letters", "--json").stdout) == []


def test_a_memory_store_has_no_sums_without_a_core(start):
    gateway = start.gateway(**settings(), store={"kind": "memory"})
    wait_for(lambda: gateway.ledger()["accepted"] == 0)
    gateway.terminate()
    said = tensec("ledger", "--config", str(gateway.file))
    assert said.returncode == 1
    assert "no tensec runs" in said.stderr
