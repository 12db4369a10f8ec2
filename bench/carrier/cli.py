"""The carrier as a process: `{"listening": port}` first, the counters last, one JSON line each."""

import asyncio
import gc
import json
import signal
import ssl
import sys
from collections.abc import Callable
from typing import Any

from bench.carrier.ledger import Ledger
from bench.carrier.options import Options
from bench.carrier.smsc import Smsc

DEFAULTS = Options()
_BACKLOG = 4096


def carrier(options: Options = DEFAULTS) -> None:
    """Simulate one carrier's SMSC until SIGTERM, SIGINT or --max-seconds.

    The first line printed is {"listening": PORT, "name": NAME}, the last one the counters and the client's violations.
    Spans are 20ms, uniform:5ms-50ms, normal:2s,500ms, lognormal:800ms,0.6 (median, sigma) or exp:200ms.
    """
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(options))
    except OSError as error:
        sys.exit(f"carrier {options.name}: {error}")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no wheel for this platform: slower, otherwise the same
        return None
    return uvloop.new_event_loop


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context


async def _run(options: Options) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    smsc = Smsc(options, loop, Ledger(options.ledger))
    server = await loop.create_server(smsc.factory, options.host, options.port, backlog=_BACKLOG, ssl=_tls(options))
    # Millions of small objects come and go, none in cycles.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    _say({"listening": server.sockets[0].getsockname()[1], "name": options.name})
    if options.max_seconds:
        loop.call_later(options.max_seconds, ended.set)
    if options.report_every:
        _report(smsc, options.report_every)
    await ended.wait()
    server.close()
    smsc.finish()
    await asyncio.sleep(0)  # let the closed connections go
    _say({"name": options.name, **smsc.counters.as_dict()})


def _report(smsc: Smsc, every_s: float) -> None:
    _say({"progress": smsc.counters.as_dict()})
    smsc.loop.call_later(every_s, _report, smsc, every_s)
