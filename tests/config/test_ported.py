"""Files of moved numbers and routes: every mistake is named with its place."""

from pathlib import Path

import pytest

from config.doubts import doubts
from config.loader import ConfigError, load
from config.ported import parse_ported

ROUTE = """
[[channels]]
name = "a"
host = "h"
port = 1
system_id = "s"
password = "p"

[[routes]]
channels = [{ name = "a" }]
"""


def test_numbers_are_read_with_and_without_plus_heads_and_blanks() -> None:
    text = "Number,Operator\n# moved in May\n+8613800138000, cn-unicom\n\n34612345678,es-orange\n"
    assert parse_ported(text) == {"8613800138000": "cn-unicom", "34612345678": "es-orange"}


@pytest.mark.parametrize(
    "line",
    [
        "8613800138000",
        "8613800138000,",
        "13a,x",
        "8613800138000,cn-unicom,2020",
        "1234567,x",
        "1234567890123456,x",
        "８６13800138000,x",
    ],
)
def test_a_line_that_says_nothing_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: NUMBER,OPERATOR is expected"):
        parse_ported(f"8613800138000,cn-unicom\n{line}")


def errors(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return "\n".join(caught.value.errors)


def test_the_file_is_beside_the_configuration_and_checked_with_it(tmp_path: Path) -> None:
    here = tmp_path / "tensec.toml"
    text = 'ported_file = "moved.csv"\n' + ROUTE
    assert "moved.csv': cannot be read: No such file" in errors(here, text)
    (tmp_path / "moved.csv").write_text("8613800138000,cn-unicom\nwhat\n")
    assert "moved.csv': line 2: NUMBER,OPERATOR" in errors(here, text)
    (tmp_path / "moved.csv").write_bytes(b"\xff\xfe")
    assert "moved.csv': 'utf-8' codec" in errors(here, text)
    (tmp_path / "moved.csv").write_text("8613800138000,cn-unicom\n")
    here.write_text(text)
    assert load(here, {}).ported_file == str(tmp_path / "moved.csv")


def test_operators_nobody_has_are_doubted_wherever_they_stand(tmp_path: Path) -> None:
    here = tmp_path / "tensec.toml"
    text = ROUTE + 'operators = ["cn-mobile", "es-orange", "cn-mobil", ""]\n'
    text += '[[policies]]\nname = "default"\n[policies.budget]\nprices = { "34" = 1, "cn-unicom" = 2, "cn-unicorn" = 3 }\n'
    here.write_text(text)
    told = list(doubts(load(here, {}), {"es-orange"}))
    assert [one.split(":")[0] for one in told] == [
        "routes[0].operators = 'cn-mobil'",
        "policies[0].budget.prices = 'cn-unicorn'",
    ]
    assert "there are cn-broadnet, cn-mobile," in told[0]
    assert len(list(doubts(load(here, {}), ()))) == 3


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('hours = ["22:00-06:00"]', "routes[0].hours = '22:00-06:00': ends before it begins"),
        ('timezone = "Mars/Olympus"', "routes[0].timezone = 'Mars/Olympus'"),
        ('timezone = "recipient"', "routes[0].timezone = 'recipient'"),
        ('countries = ["CN"]', "routes[0].countries"),
    ],
)
def test_hours_that_never_come_are_named(tmp_path: Path, line: str, error: str) -> None:
    assert error in errors(tmp_path / "tensec.toml", ROUTE + line + "\n")


def test_a_status_that_is_none_is_named(tmp_path: Path) -> None:
    text = ROUTE.replace('password = "p"', 'password = "p"\nstatus_classes = { "44d" = "throttle", "0x44d" = "later" }')
    found = errors(tmp_path / "tensec.toml", text)
    assert "status_classes" in found
