"""The live view: what matters has its own line, whether the target is on this machine or not."""

from rich.console import Console

from bench.load.view import Moment, render


def test_the_bar_has_a_line_of_its_own_and_refusals_are_seen_of_any_target():
    moment = Moment(3.0, 0.5, 10.0, 9, 8, 7, 6, 5, 4, 3, 2, (1.0, 2.0, 3.0), (None, None, None), {}, {})
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(render("title", moment))
    lines = [line.split() for line in captured.get().splitlines()]
    assert ["sent", "8", "of", "10", "/s", "accepted", "7", "/s", "receipts", "5", "/s"] in lines
    assert ["refused", "6", "/s"] in lines
