"""`tensec account`: a new account's section keeps what stands in the file, and a file that would not load is not written."""

from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from test_command_line import core

from config.loader import load
from config.schema import Account, Config, Secret
from gateway.calls import messages as calls
from gateway.cli import account, sections

BEFORE = """# who may send
[[policies]]
name = "trial"   # 200 messages
[policies.budget]
trial_messages = 200

[[accounts]]
system_id = "shop" # the first
password_hash = "file:shop.hash"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "shop.hash").write_text("$argon2-x")
    path = tmp_path / "tensec.toml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    return path


def password_of(said: str) -> str:
    (line,) = [line for line in said.splitlines() if line.startswith("password ")]
    return line.split()[1]


def test_an_account_is_added_and_the_rest_of_the_file_stays(file: Path, capsys: Any) -> None:
    account.add("new", policy="trial", write=file)
    text = file.read_text()
    assert text.startswith(BEFORE + "\n[[accounts]]\n")
    said = capsys.readouterr().out
    made = load(file, {}).accounts[1]
    assert (made.system_id, made.policy, len(password_of(said))) == ("new", "trial", 8)
    assert PasswordHasher().verify(made.password_hash.reveal(), password_of(said))
    assert password_of(said) not in text
    assert "tensec reload" in said
    assert file.stat().st_mode & 0o777 == 0o640
    assert {one.name for one in file.parent.iterdir()} == {"tensec.toml", "shop.hash"}


def test_a_section_alone_goes_to_standard_output_without_its_password(capsys: Any, tmp_path: Path) -> None:
    account.add("new")
    said = capsys.readouterr()
    (tmp_path / "t.toml").write_text(said.out)
    (made,) = load(tmp_path / "t.toml", {}).accounts
    assert PasswordHasher().verify(made.password_hash.reveal(), password_of(said.err))
    assert password_of(said.err) not in said.out


@pytest.mark.parametrize(
    ("name", "policy", "words"),
    [
        ("shop", "", "accounts[1] = 'shop': the name is taken by accounts[0]"),
        ("new", "none", "accounts[1].policy = 'none': no policy has this name"),
        ('a"b\n', "none", "no policy has this name"),
        ("a-name-too-long-", "", "1 to 15 characters"),
        ("", "", "1 to 15 characters"),
    ],
)
def test_what_would_not_load_is_told_and_not_written(file: Path, name: str, policy: str, words: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        account.add(name, policy=policy, write=file)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert words in said.err
    assert (said.out, file.read_text()) == ("", BEFORE)
    assert {one.name for one in file.parent.iterdir()} == {"tensec.toml", "shop.hash"}


def test_a_broken_or_missing_file_stays_as_it_is(file: Path, capsys: Any) -> None:
    file.write_text("[[accounts")
    for path in (file, file.with_name("none.toml")):
        with pytest.raises(SystemExit):
            account.add("new", write=path)
    said = capsys.readouterr()
    assert f"{file}: not TOML" in said.err
    assert "none.toml: No such file" in said.err
    assert file.read_text() == "[[accounts"
    assert len(list(file.parent.iterdir())) == 2


def test_a_disk_that_is_full_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sections.os, "fsync", full)
    with pytest.raises(SystemExit):
        account.add("new", write=file)
    assert file.read_text() == BEFORE
    assert len(list(file.parent.iterdir())) == 2


@pytest.mark.parametrize(("end", "last"), [("\r\n", ""), ("\n", "x"), ("\n", "")])
def test_line_ends_are_the_files_own(tmp_path: Path, end: str, last: str) -> None:
    path = tmp_path / "t.toml"
    before = f'# a{end}data_dir = "d"' + ("" if last else end)
    path.write_bytes(before.encode())
    account.add("new", write=path)
    after = path.read_bytes().decode()
    assert after.startswith(before + (end * 2 if last else end) + "[[accounts]]" + end)
    assert after.count("\n") == after.count(end)
    load(path, {})


def test_a_link_still_leads_to_the_file(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    account.add("new", write=link)
    assert link.is_symlink()
    assert load(file, {}).accounts[1].system_id == "new"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    made = Config(data_dir=str(tmp_path), accounts=[Account(system_id="shop", password_hash=Secret("x"))])
    monkeypatch.setattr(account, "read_config", lambda path: made)
    return made


def test_what_is_left_is_shown_by_name(tmp_path: Path, settings: Config, capsys: Any) -> None:
    several = [calls.Purse("balance", 1_500_000), calls.Purse("trial", 150, 200), calls.Purse("daily", 0, 30_000_000)]
    with core(tmp_path, calls.Purses(several, "EUR"), calls.Purses([])) as asked:
        account.show("shop")
        account.show("shop")
    assert asked == [calls.AskPurses("shop")] * 2
    assert capsys.readouterr().out.splitlines() == [
        "balance  1.5 EUR",
        "trial    150 of 200 messages",
        "daily    0 of 30 EUR",
        "nothing is counted for shop",
    ]


def test_a_trial_is_filled_by_messages_a_balance_by_money(tmp_path: Path, settings: Config, capsys: Any) -> None:
    with core(tmp_path, calls.Done(count=250), calls.Done(count=2_500_000)) as asked:
        account.topup("shop", messages=50)
        account.topup("shop", 2.5)
    assert [(one.amount, one.purse) for one in asked] == [(50, "trial"), (2_500_000, "balance")]  # type: ignore[union-attr]
    said = capsys.readouterr()
    assert said.out == "250\n2.5\n"
    assert said.err == "note: nothing is taken from it, the policy of shop has no budget.prepaid\n"
    for wrong in ({}, {"amount": 1, "messages": 1}):
        with pytest.raises(SystemExit):
            account.topup("shop", **wrong)
