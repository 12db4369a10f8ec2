"""A core as a worker sees it: by function, or over a real Unix socket."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from config.schema import Http, Webhooks
from gateway.api.corelink import CoreAwayError
from gateway.api.directory import Directory
from gateway.api.dispatch import application
from gateway.api.events import Watchers
from gateway.api.operation import Services
from gateway.api.operations import OPERATIONS
from gateway.api.pages import PAGES
from gateway.calls import messages as calls
from gateway.calls.frames import PUSHED, Call, Reply, Splitter, calls_of, pack
from gateway.calls.making import make_key, stored
from gateway.calls.outbound import Documents, Push
from gateway.calls.things import KEY, SCOPES, WEBHOOK, ApiKey, Scope

UTC = 1_800_000_000.0


class FakeLink:
    """Stands in for CoreLink: `answer` says what the core would; documents are kept, and told at once."""

    def __init__(self, directory: Directory) -> None:
        self.asked: list[calls.Ask] = []
        self.answers: list[Any] = []
        self.connected = asyncio.Event()
        self.connected.set()
        self.watches: list[tuple[str, bool]] = []
        self.tries: list[calls.Try] = []
        self.meanwhile: tuple[str, str, bytes] | None = None
        """What another worker puts before the next document comes."""
        self._directory = directory

    async def heard(self) -> None:
        """Everything is known at once here."""

    def ask(self, what: calls.Ask) -> "asyncio.Future[Any]":
        self.asked.append(what)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer: Any = self.answers.pop(0) if self.answers else None
        if isinstance(what, calls.PutDocument) and answer is None:
            if self.meanwhile is not None:
                self._directory.take(Documents([self.meanwhile]))
                self.meanwhile = None
            kept = self._directory.webhook("", what.name) or self._directory.key("", what.name)
            if what.instead_of and (kept is None or stored(kept) != what.instead_of):
                answer = calls.Done(calls.CHANGED)
            else:
                self._directory.take(Documents([(what.kind, what.name, what.value)]))
                answer = calls.Done()
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise CoreAwayError("nobody said what to answer")
        future.set_result(answer)
        return future

    def watch(self, account: str, *, on: bool) -> None:
        self.watches.append((account, on))

    def tried(self, tries: calls.Tried) -> None:
        self.tries += tries.tries


class Api:
    """The application of a worker, asked without a socket."""

    def __init__(self, settings: Http | None = None, history: Any = None) -> None:
        self.settings = settings or Http(webhooks=Webhooks())
        self.utc = UTC
        self.directory = Directory()
        self.core = FakeLink(self.directory)
        self.watchers = Watchers()
        self.tested: list[Any] = []
        self.services = Services(
            self.settings,
            self.core,  # type: ignore[arg-type]
            self.directory,
            lambda: 5.0,
            lambda: self.utc,
            self._try,
            history=history,
            watchers=self.watchers,
        )
        self.app: Starlette = application(OPERATIONS, self.services, PAGES)

    async def _try(self, hook: Any, event: Any) -> tuple[int, str, float]:
        self.tested.append((hook, event))
        return 200, "", 0.01

    def key(self, *scopes: Scope, account: str = "shop", **fields: Any) -> tuple[ApiKey, str]:
        kept, secret = make_key(account, scopes or SCOPES, UTC, **fields)
        self.put(KEY, kept.id, stored(kept))
        return kept, secret

    def put(self, kind: str, name: str, value: bytes) -> None:
        self.directory.take(Documents([(kind, name, value)]))

    def hook(self, hook: Any) -> Any:
        self.put(WEBHOOK, hook.id, stored(hook))
        return hook


class FakeCore:
    """The core's end of a real socket. `answer` gives what is answered to an ask; None: nothing, for now."""

    def __init__(self, path: Path, answer: Callable[[calls.Ask], Any]) -> None:
        self.path = path
        self.answer = answer
        self.heard: list[calls.Ask] = []
        self.documents: list[tuple[str, str, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.changed = asyncio.Event()

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.writers:
            writer.close()
        self.writers = []
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        splitter = Splitter()
        try:
            while data := await reader.read(65_536):
                for body in splitter.feed(data):
                    self._handle(writer, calls_of(body))
        except OSError:
            pass
        finally:
            writer.close()

    def _handle(self, writer: asyncio.StreamWriter, several: list[Call]) -> None:
        for call in several:
            self.heard.append(call.ask)
            if isinstance(call.ask, calls.Watch) and not call.ask.account:
                writer.write(pack([Reply(PUSHED, Documents(self.documents, all=True))]))
            elif call.number and (answer := self.answer(call.ask)) is not None:
                writer.write(pack([Reply(call.number, answer)]))
        self.changed.set()

    def push(self, what: Push) -> None:
        for writer in self.writers:
            writer.write(pack([Reply(PUSHED, what)]))

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()
