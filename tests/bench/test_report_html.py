"""The page and the summaries say what was measured, say what was not and why, and let no name from outside become markup."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from report_samples import bare_result, one_class, percentiles, second, whole_result
from rich.console import Console

from bench.load.run import Run, Setup
from bench.measure.result import Assertion, ChannelResult, ClassResult, Counts, Event, Reconciled
from bench.report.html import render
from bench.report.text import plain, summary
from bench.report.words import GENERATOR

VOID = {"meta"}
HOSTILE = """</title></style></svg><script>alert('x"&')</script><img src=//evil onerror=x>[/red][bold]\x1b[31m\x00\u202e"""
SECTIONS = [
    "Key figures",
    "Every message",
    "Charts",
    "By class",
    "Assertions",
    "What became of the messages",
    "Channels",
    "Errors",
    "Machine",
]


class Page(HTMLParser):
    """Tags, attributes and the text of each section. Raises when tags do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.sections, self.words = [], [], [], {"": []}, []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        if self.open[-1:] == ["h2"] and "section" in self.open:
            self.sections[data] = []
        list(self.sections.values())[-1].append(data)
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    def section(self, name):
        return " ".join(self.sections[name])


def drawings(page):
    return [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def shown(result, width=200):
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(summary(result))
    return captured.get()


def hostile_result():
    result = whole_result(
        classes=[one_class(HOSTILE), one_class("slow")], errors={HOSTILE: 3}, warnings=[HOSTILE], failure=HOSTILE
    )
    result.seconds = [second(at, channels={HOSTILE: 3, "two": 4}) for at in range(5)]
    result.channels = [ChannelResult(HOSTILE, 1, 0, 0, 1.0, 0.5, percentiles(), percentiles())]
    result.events = [Event(1.0, HOSTILE)]
    result.assertions = [Assertion(HOSTILE, None, False)]
    result.plan.mix, result.plan.target, result.plan.texts, result.plan.scenario = {HOSTILE: 1.0}, HOSTILE, HOSTILE, HOSTILE
    result.machine.system = result.machine.python = result.started_utc = HOSTILE
    return result


@pytest.mark.parametrize("result", [whole_result(), whole_result(1), whole_result(4000), bare_result()], ids=str)
def test_the_page_is_well_formed_and_needs_nothing_else(result):
    page = render(result)
    found = Page(page)
    assert list(found.sections)[1:] == SECTIONS
    assert not {"script", "link", "img", "iframe", "object", "base", "a", "form"} & set(found.tags)
    for forbidden in ("http://", "https://", "src=", "<link", "@import", "url(", "href"):
        assert forbidden not in page
    assert all(one.get("role") == "img" and one.get("aria-label") for one in drawings(page))


def test_everything_measured_is_shown():
    page = render(whole_result())
    text = Page(page).text
    assert "not measured" not in text
    assert len(drawings(page)) == 12
    for words in ("Held", "1 of 1 assertion held", "99.5/s", "505 µs", "95 MB", "98.98 %", "ESME_RTHROTTLED", "one stops"):
        assert words in text


def test_what_was_not_measured_is_said_with_the_reason():
    page = render(bare_result())
    found = Page(page)
    assert not drawings(page)
    for name in ("Key figures", "Charts", "By class", "What became of the messages", "Channels", "Machine"):
        assert "not measured" in found.section(name), name
    for reason in ("needs the carriers' arrival files", "the target is not on this machine", "no message was accepted"):
        assert reason in found.section("Key figures"), reason


@pytest.mark.parametrize(
    ("carriers", "receipts", "lost", "duplicated"),
    [
        (2, True, "Lost: 0", "Duplicated: 0"),
        (0, True, "Lost: 0", "Duplicated: not measured (needs the carriers' arrival files)"),
        (0, False, "Lost: not measured (needs the carriers' arrival files, or receipts)", "Duplicated: not measured ("),
    ],
)
def test_a_ledger_says_zero_only_of_what_it_could_see(carriers, receipts, lost, duplicated):
    result = whole_result(ledger=Reconciled(carriers=carriers, accepted=9))
    result.plan.receipts = receipts
    lines = plain(result)
    assert f"\n{lost}" in lines
    assert f"\n{duplicated}" in lines
    assert ("without receipt not measured (no receipts were asked for)" in lines) is not receipts


def test_losses_are_told_by_class():
    result = whole_result(ledger=Reconciled(carriers=1, accepted=9, lost=7), classes=[one_class("fast"), one_class("slow")])
    result.classes[1].lost = 7
    assert ["lost", "7", "0", "7"] in [line.split() for line in shown(result).splitlines()]
    assert "lost" in Page(render(result)).section("By class")
    assert "duplicated" in Page(render(result)).section("By class")
    result.ledger.carriers = 0
    assert "duplicated" not in Page(render(result)).section("By class")


@pytest.mark.parametrize("asked", [True, False])
def test_receipts_are_counted_only_when_they_were_asked_for(asked):
    result = whole_result()
    result.plan.receipts = asked
    result.seconds = [second(at, receipts=0) for at in range(5)]
    page = Page(render(result))
    assert ("receipts: 0" in page.section("Charts")) is asked  # none of those asked for is a finding
    assert ("delivered" in page.section("Every message")) is asked
    assert ("no receipts were asked for" in page.section("Every message")) is not asked


@pytest.mark.parametrize(
    ("more", "title", "reason"),
    [
        ({}, "Held", "1 of 1 assertion held"),
        ({"assertions": []}, "Nothing asserted", "no --assert said what must hold"),
        ({"stopped": "ended by hand after 5 s"}, "Stopped early", "ended by hand after 5 s"),
        ({"stopped": "ended by hand after 5 s", "assertions": []}, "Stopped early", "ended by hand after 5 s"),
        ({"assertions": [Assertion("sla_10s >= 0.999", 0.9989, False)]}, "Broken", "sla_10s >= 0.999: found 0.9989"),
        ({"assertions": [Assertion("lost == 0", None, False)]}, "Broken", "lost == 0: there was nothing to measure"),
        ({"failure": "no answer"}, "Run did not finish", "no answer"),
        (
            {"failure": "no answer", "assertions": [Assertion("lost == 0", 3.0, False)]},
            "Run did not finish",
            "lost == 0: found 3",
        ),
    ],
)
def test_the_verdict_comes_first_with_its_reasons(more, title, reason):
    result = whole_result(**more)
    top = Page(render(result)).section("")
    assert top.index(title) < top.index(reason) < top.index("100 messages a second")
    assert plain(result).startswith(f"verdict: {title}")
    assert shown(result).startswith(title)
    assert reason in plain(result)
    assert reason in shown(result)


def test_losses_and_warnings_are_named_even_when_nothing_was_asserted_about_them():
    result = whole_result(ledger=Reconciled(carriers=1, accepted=9, lost=2), warnings=["the machine was busy"])
    for text in (Page(render(result)).section(""), plain(result), shown(result)):
        assert "2 lost" in text
        assert "the machine was busy" in text


def accounted(due, accepted, refused, unanswered, delivered, failed):
    """A result of one class in which messages went every way there is."""
    counts = Counts(due, accepted + refused + unanswered, accepted, refused, unanswered, delivered, failed, delivered)
    total = ClassResult("all", counts, sla_10s=delivered / accepted)
    return whole_result(total=total, classes=[total], errors={})


def test_every_message_is_accounted_for_and_what_is_missing_is_named_first():
    result = accounted(due=107, accepted=90, refused=7, unanswered=3, delivered=80, failed=6)
    sums = (
        "due 107 = sent 100 + unsent 7",
        "sent 100 = accepted 90 + refused 7 + unanswered 3",
        "accepted 90 = delivered 80 + ended otherwise 6 + no receipt 4",
    )
    for line in sums:
        assert f"account: {line}\n" in plain(result)
    page, screen = Page(render(result)), [line.split() for line in shown(result).splitlines()]
    table = " ".join(page.section("Every message").split())
    words = ("due", "sent", "accepted", "delivered", "ended otherwise", "no receipt", "refused", "unanswered", "unsent")
    for word, count in zip(words, (107, 100, 90, 80, 6, 4, 7, 3, 7), strict=True):
        assert [*word.split(), str(count)] in screen
        assert f"{word} {count} " in table
    for text in (page.section(""), plain(result), shown(result)):
        for bad in ("6 ended otherwise:", "4 no receipt:", "7 refused:", "3 unanswered:", "7 unsent:"):
            assert bad in text
    assert "Held, 5 things to look at" in page.section("")


def test_nothing_asserted_is_no_pass_and_what_is_bad_is_named():
    bad = whole_result(
        assertions=[],
        ledger=Reconciled(carriers=1, accepted=9, lost=2, duplicated=3, parts_again=4),
        errors={"connection lost: reset": 5},
        warnings=["9/s were sent of 10/s asked for: the generator was the limit (use more --processes)"],
    )
    for text in (Page(render(bad)).section(""), plain(bad), shown(bad)):
        assert "Held" not in text
        for words in (
            "2 lost",
            "3 duplicated",
            "4 parts again",
            "5 errors: connection lost: reset 5",
            "the generator was the limit",
        ):
            assert text.count(words) == 1, words
    good = accounted(due=9, accepted=9, refused=0, unanswered=0, delivered=9, failed=0)
    good.assertions = []
    assert plain(good).startswith("verdict: Nothing asserted, nothing bad seen\n")
    good.assertions = [Assertion("lost==0", 0.0, True)]
    assert plain(good).startswith("verdict: Held\nreason: 1 of 1 assertion held.\nplan:")


@pytest.mark.parametrize(("asked", "sent"), [(1000.0, 500.0), (1000.0, 1000.0)])
def test_a_generator_at_its_limit_is_known_by_the_words_of_its_warning(asked, sent):
    order = SimpleNamespace(classes=[1])
    run = Run(Setup(whole_result().plan, [order], None, 1.0), None)
    run._generator_cpu = 1.0
    found = whole_result(rate_asked=asked, rate_sent=sent)
    (warning,) = list(run._warnings(found))
    assert GENERATOR in warning


def test_a_file_of_arrivals_that_is_not_there_is_told_for_everything_seems_lost_without_it(tmp_path):
    run = Run(Setup(whole_result().plan, [SimpleNamespace(classes=[1])], None, 1.0, {"a": tmp_path / "typo"}), None)
    assert any("typo is no file" in warning for warning in run._warnings(whole_result()))


def test_parts_of_a_mix_are_shares_of_their_sum():
    result = whole_result()
    result.plan.mix = {"code": 10.0, "rest": 30.0}
    assert "Mix: code 25 %, rest 75 %." in plain(result)


def test_carriers_that_saw_nothing_are_not_told_to_be_missing():
    result = bare_result(ledger=Reconciled(carriers=1))
    assert "To the carrier, p99: not measured (no accepted message came to a carrier" in plain(result)


def test_a_single_class_is_the_whole_and_told_once():
    page = Page(render(whole_result(classes=[one_class("only")])))
    assert "only" not in page.section("By class")
    assert "only" not in page.section("Every message")


def test_the_ten_seconds_are_told_of_accepted_and_of_due():
    result = accounted(due=200, accepted=100, refused=50, unanswered=10, delivered=90, failed=0)
    assert "Within 10 s, of accepted: 90 %\nWithin 10 s, of due: 45 %\n" in plain(result)
    assert "90 % of accepted, 45 % of due" in plain(result)
    assert "45 %" in Page(render(result)).section("By class")
    assert ["within", "10", "s,", "of", "due", "45", "%"] in [line.split() for line in shown(result).splitlines()]


def test_repeated_and_strange_receipts_are_shown_when_there_are_any():
    assert "repeated" not in Page(render(whole_result())).text
    result = whole_result()
    result.total.counts.receipts_repeated, result.total.counts.receipts_strange = 3, 1
    for text in (Page(render(result)).section(""), plain(result), shown(result)):
        assert "3 receipts repeated" in text
        assert "1 strange receipt:" in text
    assert "receipts repeated" in Page(render(result)).section("What became of the messages")


def test_names_from_outside_stay_text():
    page = render(hostile_result())
    found = Page(page)
    assert not {"script", "img"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href")]
    assert "alert('x\"&')" in found.text
    assert drawings(page)
    for text in (page, plain(hostile_result()), shown(hostile_result())):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
        assert "[/red][bold]" in text


@examples(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_any_name_is_one_piece_of_text(name):
    usual = Page(render(whole_result(3, classes=[one_class("fast"), one_class("slow")], errors={"x": 1})))
    found = Page(render(whole_result(3, classes=[one_class(name), one_class("slow")], errors={name: 1})))
    assert found.tags == usual.tags


def test_a_url_as_target_is_no_link():
    result = whole_result()
    result.plan.kind, result.plan.target = "http", "https://gateway.example:8080/v1"
    found = Page(render(result))
    assert "https://gateway.example:8080/v1" in found.section("")
    assert not [value for _, value in found.attributes if value and "https:" in value]


def test_the_closed_model_asks_for_no_rate():
    result = whole_result(rate_asked=None)
    result.plan.model, result.plan.rate = "closed", None
    found = Page(render(result))
    assert "closed model" in found.section("")
    assert "due: " not in found.section("Charts")


def test_many_channels_keep_their_colours_apart_and_their_messages_together():
    names = [f"channel-{index:02d}" for index in range(40)]
    result = whole_result(2)
    result.channels = [ChannelResult(name, 40 - index, 0, 0, 0.025, 0.9) for index, name in enumerate(names)]
    result.seconds = [second(at, channels=dict.fromkeys(names, 10)) for at in range(2)]
    text = Page(render(result)).text
    assert "33 others: 330" in text
    assert "the other 10" in text


@pytest.mark.parametrize("width", [80, 200])
def test_the_summary_has_a_column_for_each_class_and_no_markup(width):
    lines = shown(whole_result(classes=[one_class("[red]fast[/]"), one_class("slow")]), width).splitlines()
    assert ["all", "[red]fast[/]", "slow"] in [line.split() for line in lines]
    assert ["accepted", "990", "990", "990"] in [line.split() for line in lines]
    assert ["carrier", "p99", "10", "ms", "10", "ms", "10", "ms"] in [line.split() for line in lines]
    assert ["due", "1,000", "1,000", "1,000"] in [line.split() for line in lines]
    assert any(line.startswith("accepted 990, carried 985, lost 0") for line in lines)


def test_the_summary_leaves_out_what_nobody_measured_and_says_so_of_the_ledger():
    text = shown(bare_result())
    assert "carrier p99" not in text
    assert (
        "carried, duplicated, parts again, ended before, unknown, strange not measured (needs the carriers' arrival files)"
        in text
    )
