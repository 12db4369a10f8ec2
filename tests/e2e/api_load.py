"""Clients of the HTTP API that repeat a request, with its Idempotency-Key, until it has an answer that counts."""

import http.client
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from api_client import Answer, Api, ApiGateway
from gateway_process import wait_for

RETRY_S = 0.02
BATCH = 20


@dataclass
class Wish:
    """One request, and what came of it: how often it was sent, which statuses came back, and the answer that counts."""

    key: str
    path: str
    body: dict[str, Any]
    statuses: list[int] = field(default_factory=list)
    broken: int = 0
    answer: Answer | None = None

    @property
    def numbers(self) -> list[str]:
        to = self.body["to"]
        return to if isinstance(to, list) else [to]

    @property
    def ids(self) -> list[str]:
        """Of what was accepted."""
        return ids_of(self.answer.body) if self.answer is not None else []


def ids_of(body: dict[str, Any]) -> list[str]:
    return [one["id"] for one in body.get("messages", [body])]


class Load:
    """Threads with a connection each, that send messages and now and then a batch, until `finish`."""

    def __init__(self, place: ApiGateway, key: str, threads: int = 6, class_: str = "notification") -> None:
        self.wishes: list[Wish] = []
        self.unlike: list[str] = []
        """Answers that no client should see."""
        self._place, self._key, self._class = place, key, class_
        self._numbers = count(8613000000000)
        self._ended, self._given_up = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for one in self._threads:
            one.start()

    def _next(self) -> Wish:
        with self._lock:
            at = len(self.wishes)
            numbers = [f"+{next(self._numbers)}" for _ in range(BATCH if at % 10 == 9 else 1)]
            common = {"text": f"message {at}", "class": self._class}
            batch = len(numbers) > 1
            wish = Wish(
                f"key-{at}", "/v1/batches" if batch else "/v1/messages", {**common, "to": numbers if batch else numbers[0]}
            )
            self.wishes.append(wish)
            return wish

    def _run(self) -> None:
        api = self._place.plain(self._key, keep=True)
        while not self._ended.is_set():
            self._fulfil(api, self._next())
        api.close()

    def _fulfil(self, api: Api, wish: Wish) -> None:
        while not self._given_up.is_set():
            api.port = self._place.port
            try:
                answer = api.post(wish.path, wish.body, Idempotency_Key=wish.key)
            except (OSError, http.client.HTTPException):
                wish.broken += 1
                self._given_up.wait(RETRY_S)
                continue
            wish.statuses.append(answer.status)
            if answer.status == 202:
                wish.answer = answer
                return
            if answer.status not in (409, 503) or "retry-after" not in answer.headers:
                self.unlike.append(f"{wish.key}: {answer}")
            self._given_up.wait(RETRY_S)

    @property
    def answered(self) -> int:
        return sum(one.answer is not None for one in list(self.wishes))

    @property
    def statuses(self) -> "Counter[int]":
        return Counter(status for one in list(self.wishes) for status in list(one.statuses))

    def more(self, count: int) -> None:
        """Until `count` more requests have their answer."""
        before = self.answered
        wait_for(lambda: self.answered >= before + count, lambda: f"{count} more answers: {self.statuses}", 60.0)

    def finish(self) -> None:
        """No new requests; those there are get their answers."""
        self._ended.set()
        try:
            wait_for(lambda: not any(one.is_alive() for one in self._threads), lambda: f"all answers: {self.statuses}", 60.0)
        finally:
            self.close()
        assert not self.unlike, self.unlike[:5]

    def close(self) -> None:
        self._ended.set()
        self._given_up.set()
        for one in self._threads:
            one.join(60.0)

    def must_replay(self, place: ApiGateway) -> None:
        """Every request once more is answered as the first time."""
        api = place.plain(self._key, keep=True)
        for wish in self.wishes:
            again = api.retry(wish.path, wish.body, wish.key)
            assert again.status == 202, (wish.key, again)
            assert ids_of(again.body) == wish.ids, wish.key
            assert again.body["replayed"]
        api.close()

    def numbers(self) -> list[str]:
        """Everybody who is to get a message, as a carrier spells it."""
        return sorted(number.removeprefix("+") for one in self.wishes for number in one.numbers)
