"""A bind whose carrier cannot even be named says so, and goes on trying: it never ends the others."""

from typing import Any

import msgspec
import pytest
import trio
from makers import channel

from config.schema import ClientTls
from gateway.clock import SystemClock
from gateway.core.bind import Bind


class Owner:
    """Waits for the first failure."""

    def __init__(self) -> None:
        self.failed = trio.Event()

    def on_events(self, *_: Any) -> None: ...

    def on_lost(self, *_: Any) -> None: ...

    def on_state(self, bind: Bind) -> None:
        if bind.state == "down" and bind.last_error:
            self.failed.set()


async def failure_of(**fields: Any) -> str:
    owner = Owner()
    bind = Bind(msgspec.structs.replace(channel(), **fields), 0, "trx", owner, SystemClock())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bind.run)
        with trio.fail_after(20):
            await owner.failed.wait()
        bind.leave()
    return bind.last_error


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "\u0131.example..", ""])
async def test_a_host_that_is_no_name_is_an_error_like_others(host: str) -> None:
    assert "cannot connect" in await failure_of(host=host, port=1)


async def test_a_server_name_that_is_no_name_is_an_error_like_others() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    assert "cannot connect" in await failure_of(host="127.0.0.1", port=port, tls=ClientTls(server_name=".x"))
    await listeners[0].aclose()
