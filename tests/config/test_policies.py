"""What is wrong with a policy is named when the file is read, never when the first message comes."""

from typing import Any

import pytest

from config.loader import load
from config.policy import Window
from config.presets import window_of

HEAD = '[[policies]]\nname = "p"\n'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            'cap_presets = ["codes", "codes"]',
            "cap_presets[1] = 'codes': its cap 'codes-minute' has the name of one in cap_presets[0]",
        ),
        (
            'caps = [{ name = "weekly", limit = 1, period = "1d" }]\ncap_presets = ["weekly"]',
            "cap_presets[0] = 'weekly': its cap",
        ),
        ('caps = [{ name = "x", limit = 1, period = "1d" }, { name = "x", limit = 2, period = "day" }]', "caps[1].name = 'x'"),
        ('cap_presets = ["monthly"]', "cap_presets[0] = 'monthly': there are three-three, weekly"),
        ('caps = [{ name = "x", limit = 0, period = "1d" }]', "caps[0].limit = 0"),
        ('caps = [{ name = "x", limit = 1, period = "1y" }]', "caps[0].period = '1y'"),
        ('caps = [{ name = "x", limit = 1, period = "day", timezone = "Mars/Base" }]', "caps[0].timezone = 'Mars/Base'"),
        ('windows = [{ preset = "night" }]', "windows[0].preset = 'night': there are retail"),
        ("windows = [{}]", "windows[0]: needs a preset, or intervals"),
        ('windows = [{ intervals = ["22:00-06:00"] }]', "windows[0] = '22:00-06:00': ends before it begins"),
        ('windows = [{ intervals = ["25:00-26:00"] }]', "windows[0].intervals[0] = '25:00-26:00'"),
        (
            'windows = [{ preset = "retail", holidays_extra = ["2027-02-30"] }]',
            "holidays_extra = '2027-02-30': there is no such day",
        ),
        ('windows = [{ preset = "retail", timezone = "CET/" }]', "windows[0].timezone = 'CET/'"),
        ("[policies.velocity.conversion]\nperiod_s = 60\nwait_s = 61", "velocity.conversion.wait_s = 61: more than period_s"),
        ('[policies.budget]\ntimezone = "recipient"', "budget.timezone = 'recipient'"),
        ("[policies.budget]\nprepaid = true", "budget.price = 0: without a price"),
        ("[policies.budget]\ndaily_max = 5", "budget.price = 0: without a price"),
        ('[policies.keywords]\npatterns = ["(?=x)"]', "keywords.patterns[0] = '(?=x)': no RE2 pattern"),
        ('[policies.keywords]\nwords_file = "none.txt"', "none.txt': cannot be read: No such file"),
        ('[policies.keywords]\nwords_file = "."', "cannot be read: Is a directory"),
        ('[policies.keywords]\nwords_file = "latin.txt"', "latin.txt': is not UTF-8"),
        ('[policies.signature]\nmode = "add"\ntext = "【A】"', "signature.text = '【A】': 1 characters, 2 to 18"),
        ('[policies.signature]\nmode = "required"\nlength_min = 20', "signature.length_min = 20: more than length_max"),
        ('[policies.opt_out_hint]\nmode = "add"\ntext = " "', "opt_out_hint.text = '': there is nothing to add"),
        ('countries = ["86", "999"]', "countries[1] = '999': no country has this calling code"),
        ('blacklist = ["+86*"]', "blacklist[0] = '+86*'"),
    ],
)
def test_a_mistake_is_named_by_place_and_value(text: str, where: str, errors: Any, tmp_path: Any) -> None:
    (tmp_path / "latin.txt").write_bytes("lotería".encode("latin-1"))
    found = errors(HEAD + text)
    assert where in found[0]
    assert all("policies[0]." in line for line in found)


def test_policies_have_names_of_their_own_and_accounts_name_one_there_is(errors: Any) -> None:
    account = '[[accounts]]\nsystem_id = "shop"\npassword_hash = ""\npolicy = "q"\n'
    found = "\n".join(errors(HEAD + HEAD + account))
    assert "policies[1] = 'p': the name is taken by policies[0]" in found
    assert "accounts[0].policy = 'q': no policy has this name" in found


def test_words_of_a_file_stand_beside_the_configuration(tmp_path: Any) -> None:
    (tmp_path / "words.txt").write_text("# bad words\n赌博\n\n casino \n", encoding="utf-8")
    file = tmp_path / "t.toml"
    file.write_text(HEAD + '[policies.keywords]\nwords_file = "words.txt"', encoding="utf-8")
    from config.loader import read_words

    (policy,) = load(file, {}).policies
    assert read_words(policy.keywords.words_file) == ["赌博", "casino"]


def test_what_a_window_says_itself_counts_beside_its_preset() -> None:
    found = window_of(Window(preset="finance", weekdays=[], closed="refuse", timezone="Asia/Shanghai"))
    assert (found.weekdays, found.closed, found.timezone) == ([], "refuse", "Asia/Shanghai")
    assert (found.intervals, found.holidays, found.month_days_closed) == (["15:00-17:00"], "closed", [1, 2, 3, -3, -2, -1])
