"""GET /v1/sla: what is asked of the core, what comes out, and what is no question."""

from typing import Any

import msgspec
import pytest
from asgi import ask
from fake_core import Api

from gateway import link
from gateway.calls import messages as calls

ROW = link.WindowView("channel", "5m", "verification", "a", "", "", 20, 0.9, None, None, 1.5, 4.0, 9.7)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", calls.AskTallies()),
        ("?by=class,channel&window=5m", calls.AskTallies(("class", "channel"), ("5m",))),
        ("?by=", calls.AskTallies(())),
        ("?account=shop&class=marketing", calls.AskTallies(only={"account": "shop", "class": "marketing"})),
    ],
)
def test_the_question_goes_to_the_core(run: Any, query: str, asked: calls.AskTallies) -> None:
    async def main() -> None:
        api = Api()
        _, secret = api.key("ops")
        api.core.answers = [calls.TallyList(link.Tallies([link.TallyView("verification", "a", 3, 2, 1)], [ROW]))]
        got = await ask(api.app, "GET", f"/v1/sla{query}", key=secret)
        assert got.status == 200
        assert api.core.asked == [asked]
        assert got.json["data"] == [{"class": "verification", "channel": "a", "final": 3, "delivered": 2, "within_10s": 1}]
        row = msgspec.structs.asdict(ROW)
        row["class"] = row.pop("class_")
        assert got.json["windows"] == [{name: value for name, value in row.items() if value != ""}]

    run(main())


@pytest.mark.parametrize("query", ["?by=class,day", "?by=class,", "?window=2m", "?class=urgent", "?minute=1"])
def test_what_is_no_question_is_refused(run: Any, query: str) -> None:
    async def main() -> None:
        api = Api()
        _, secret = api.key("ops")
        assert (await ask(api.app, "GET", f"/v1/sla{query}", key=secret)).status == 422

    run(main())
