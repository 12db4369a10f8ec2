"""The command line on the API's socket: what the core refuses ends it with a word, and is not printed as if it were done."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.schema import Account, Config, Secret
from gateway.calls import messages as calls
from gateway.calls.frames import SOCKET_NAME, Call, Reply, Splitter, calls_of, pack
from gateway.cli import common, key, send
from gateway.store.record import Record
from routing.records import Content, Message, MessageState


@contextmanager
def core(folder: Path, *answers: Any) -> Iterator[list[calls.Ask]]:
    """Answers one connection after the other; octets are said as they are."""
    asked: list[calls.Ask] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET_NAME))
        listener.listen(4)

        def serve() -> None:
            for answer in answers:
                with listener.accept()[0] as sock:
                    splitter, found = Splitter(), list[Call]()
                    while not found:
                        found = [one for body in splitter.feed(sock.recv(65_536)) for one in calls_of(body)]
                    asked.append(found[0].ask)
                    sock.sendall(answer if isinstance(answer, bytes) else pack([Reply(found[0].number, answer)]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    made = Config(data_dir=str(tmp_path), accounts=[Account(system_id="shop", password_hash=Secret("x"))])
    for module in (key, send):
        monkeypatch.setattr(module, "read_config", lambda path: made)
    return made


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (calls.Unable("disk full"), "disk full"),
        (calls.Done("no room"), "no room"),
        (b"\x00\x00\x00\x01\xc1", ""),
        (b"\x00", "closed"),
    ],
)
def test_a_key_that_was_not_kept_is_not_printed(
    settings: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Any, words: str
) -> None:
    with core(tmp_path, answer) as asked, pytest.raises(SystemExit) as end:
        key.create(account="shop")
    assert (end.value.code, len(asked)) == (1, 1)
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err


def test_a_key_is_printed_once_it_is_kept(settings: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with core(tmp_path, calls.Done()) as asked:
        key.create(account="shop", days=1)
    (put,) = asked
    assert isinstance(put, calls.PutDocument)
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("sk_")
    assert secret[10:] not in put.value.decode()


def test_a_message_is_waited_for(settings: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = calls.Taken([calls.Item(7, 0, "8613800138000")])
    ended = Message(7, "shop", destination="8613800138000", content=Content(b"hi"), state=MessageState.DELIVERED)
    ended.arrival_utc = ended.final_utc = 1_800_000_000.0
    with core(tmp_path, taken, calls.Records([Record(ended, [])])) as asked, pytest.raises(SystemExit) as end:
        send.send("+8613800138000", "hi", wait=True)
    assert end.value.code == 0
    assert asked[1] == calls.Find("", 7)
    assert "delivered" in capsys.readouterr().out


def test_a_message_that_has_vanished_is_no_traceback(settings: Config, tmp_path: Path) -> None:
    taken = calls.Taken([calls.Item(7, 0, "8613800138000")])
    with core(tmp_path, taken, calls.Records([])), pytest.raises(SystemExit) as end:
        send.send("+8613800138000", "hi", wait=True)
    assert end.value.code == 1


def test_nobody_there_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        common.call(Config(data_dir=str(tmp_path)), calls.AskHealth())
    assert "tensec serve" in capsys.readouterr().err
