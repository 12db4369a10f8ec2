"""Messages that wait are looked at again when their route, or what of it can be used, has become another."""

from datetime import datetime
from typing import Any

from makers import message
from test_pipeline import FakeLane

from config.schema import Route, RouteChannel
from gateway.core.dispatch import Dispatch
from routing.routes import RouteTable


class Clock:
    boot = "still"

    def __init__(self, text: str) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.at = datetime.fromisoformat(text + "+00:00").timestamp()

    def now(self) -> float:
        return self.at

    def utc(self) -> float:
        return self.at


def test_a_question_between_does_not_keep_what_waits_from_seeing_that_its_route_has_gone() -> None:
    clock, ended = Clock("2026-03-02 05:59:59"), []
    night = Route(channels=[RouteChannel(name="a")], hours=["00:00-06:00"])
    lanes: dict[str, Any] = {"a": FakeLane("a", up=False), "b": FakeLane("b")}
    routes = RouteTable([night, Route(channels=[RouteChannel(name="b")])])
    dispatch = Dispatch(lanes, routes, clock, lambda: True, ended.extend)
    dispatch.add([message(1)])
    dispatch.plan_ready()
    assert dispatch.waiting()["notification"] == 1
    assert lanes["b"].take() == []
    clock.set("2026-03-02 06:00:00")
    assert dispatch.would_choose(message(2)) == "b"
    dispatch.plan_ready()
    assert lanes["b"].take() == [1]
    assert ended == []
