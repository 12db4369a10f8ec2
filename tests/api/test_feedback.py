"""What is told about messages afterwards goes to the core with the message it is about."""

from typing import Any

from fake_core import Api
from test_endpoints import Client, api, record  # noqa: F401 - a fixture

from gateway.calls import messages as calls
from gateway.calls.frames import Call, calls_of, pack

BODY = {"message_id": "7", "event": "converted", "value": 3}


def test_feedback_takes_its_message_along(api: Api, run: Any) -> None:  # noqa: F811
    found = record(7, campaign_id="spring", class_="verification")
    got = run(Client(api)("POST", "/v1/feedback", BODY, calls.Records([found]), calls.Done()))
    assert got.status == 204
    fields = {"event": "converted", "value": "3", "currency": "", "at": ""}
    note = calls.Note("feedback", "shop", 7, "spring", fields, found.message)
    assert api.core.asked == [calls.Find("shop", 7), note]
    assert calls_of(pack([Call(1, note)])[4:])[0].ask == note, "over the socket too"


def test_feedback_about_what_is_no_message_of_the_account_is_told_so(api: Api, run: Any) -> None:  # noqa: F811
    got = run(Client(api)("POST", "/v1/feedback", BODY, calls.Records([])))
    assert got.status == 422
    assert api.core.asked == [calls.Find("shop", 7)]
