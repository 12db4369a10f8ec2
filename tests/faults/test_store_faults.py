"""Faults of the store itself under load: a Redis that dies, stands still or is full, a disk without space; and vague evidence.

Meanwhile new messages are refused, what was accepted is kept, and when the store is back everything goes on by itself.
"""

import contextlib
import os
import shutil
import signal
import subprocess

import pytest
from gateway_process import wait_for
from redis_server import started
from scene import CARRIERS, ROUNDS, WINDOW

from gateway.store.redis.opening import FILE
from protocol.commands import Command
from protocol.status import Status

pytestmark = pytest.mark.faults

MOMENTS = (Command.SUBMIT_SM, Command.SUBMIT_SM_RESP, Command.DELIVER_SM, Command.DELIVER_SM_RESP)
TROUBLE = "nothing can be stored: new messages are refused, sending stops"
DISK = "64m"
"""More than the store takes by itself: its log alone grows to 16 MB before it begins again."""
BALLAST_CHUNK = 1 << 16
NOTICED_S = 30.0
"""Most until the core gives up waiting for an answer of its store, and says so."""
long_runs = pytest.mark.skipif(ROUNDS == 1, reason="only in long runs: make faults")


@pytest.fixture
def server():
    """A Redis of the test's own."""
    with started() as one:
        yield one


@pytest.fixture
def own_redis(server):
    """The [store] table for it."""
    return {"kind": "redis", "redis": {"url": server.url, "prefix": "t"}}


class Disk:
    """A small file system; `fill` leaves no octet of it, `free` gives them back."""

    def __init__(self, folder):
        self.folder = folder
        self.data_dir = folder / "data"
        self._ballast = folder / "ballast"

    def fill(self):
        """The gateway writes meanwhile: what it leaves is taken, the last octet too."""
        size = BALLAST_CHUNK
        number = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while size:
                try:
                    os.write(number, bytes(size))
                except OSError:
                    size //= 2
        finally:
            os.close(number)

    def free(self):
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path):
    """To be asked for before `scene`: what uses it has ended when it is unmounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount the small disk of this test")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tensec-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def at_some_moment(one, action, places=()):
    """Do it while some PDU passes, the seed says which: anywhere, or at one of `places`."""
    place, command = one.random.choice(
        places or [(place, command) for place in (one.front, *one.proxies.values()) for command in MOMENTS]
    )
    done = place.watch(command, one.random.randint(1, 40), action)
    wait_for(done.is_set, lambda: f"the moment to come: {one}")


@contextlib.contextmanager
def trouble(one):
    """What is done in the beginning of it keeps the core from storing anything: until then, and once more, it refuses."""
    since = one.gateway.log_size
    yield
    one.gateway.wait_log(TROUBLE, since=since, timeout_s=NOTICED_S)
    refused = len(one.fates("refused"))
    wait_for(lambda: len(one.fates("refused")) > refused, lambda: f"a refusal: {one}")


def must_go_on(one):
    """New messages are accepted again, and those that were not were refused for this reason alone."""
    accepted = len(one.fates("ok"))
    wait_for(lambda: len(one.fates("ok")) > accepted + 30, lambda: f"messages to be accepted again: {one}")
    assert {submission.status for submission in one.fates("refused")} <= {Status.RSYSERR}


# -- Redis


def test_redis_killed(scene, own_redis, server):
    """Back after the core has seen that it is away, or so soon that it may not see it."""
    one = scene(own_redis)
    for _ in range(ROUNDS):
        with trouble(one):
            at_some_moment(one, server.kill)
        server.start()
        must_go_on(one)
        at_some_moment(one, server.kill)
        server.start()
        must_go_on(one)
    one.must_be_right(ambiguous=0)


@long_runs
def test_redis_stands_still(scene, own_redis, server):
    """Longer than an answer may take: what it was asked to do last may be done, then or when it goes on."""
    one = scene(own_redis)
    for _ in range(max(1, ROUNDS // 2)):
        with trouble(one):
            at_some_moment(one, lambda: server.signal(signal.SIGSTOP))
        server.signal(signal.SIGCONT)
        must_go_on(one)
    one.must_be_right(ambiguous=0)


@long_runs
def test_redis_out_of_memory(scene, own_redis, server):
    one = scene(own_redis)
    with server.client() as client:
        for _ in range(2 * ROUNDS):
            with trouble(one):
                at_some_moment(one, lambda: client.config_set("maxmemory", "1"))
            client.config_set("maxmemory", "1gb")
            must_go_on(one)
    one.must_be_right(ambiguous=0)


def test_killed_while_redis_is_away(scene, own_redis, server):
    """Receipts were acknowledged on the word of the file in which writes wait; a new core makes these writes first."""
    one = scene(own_redis)
    for _ in range(ROUNDS):
        for proxy in one.proxies.values():  # what carriers repeat after a kill may have to be looked up in Redis
            one.pass_by(proxy, Command.DELIVER_SM_RESP, 30)
        for proxy in one.proxies.values():
            proxy.hold_receipts = True
        for proxy in one.proxies.values():
            one.pass_by(proxy, Command.DELIVER_SM, 15)
        with trouble(one):
            at_some_moment(one, server.kill, [(one.front, Command.SUBMIT_SM), (one.front, Command.SUBMIT_SM_RESP)])
        place = one.proxies[one.random.choice(CARRIERS)]
        died = place.watch(Command.DELIVER_SM_RESP, one.random.randint(1, 15), one.kill)
        for proxy in one.proxies.values():
            proxy.heal()
        wait_for(died.is_set, lambda: f"receipts to be acknowledged: {one}")
        one.gateway.wait()
        assert (one.gateway.data_dir / FILE).stat().st_size > 0
        server.start()
        one.restart()
        must_go_on(one)
    one.must_be_right()


# -- the disk


def test_disk_full(disk, scene, embedded):
    one = scene(embedded, data_dir=disk.data_dir)
    for _ in range(ROUNDS):
        with trouble(one):
            at_some_moment(one, disk.fill)
        disk.free()
        must_go_on(one)
    one.must_be_right(ambiguous=0)


@long_runs
def test_killed_while_the_disk_is_full(disk, scene, embedded):
    one = scene(embedded, data_dir=disk.data_dir)
    for _ in range(ROUNDS):
        with trouble(one):
            at_some_moment(one, disk.fill)
        one.kill()
        disk.free()
        one.restart()
        must_go_on(one)
    one.must_be_right()


# -- evidence


def lose(one, proxy, unanswered):
    """The answers to so many submits, with the line."""
    proxy.drop = 1.0
    wait_for(lambda: proxy.open >= unanswered, lambda: f"{unanswered} without an answer: {one}")
    proxy.reset()
    proxy.heal()


@pytest.mark.parametrize("timing", ["after", "before-resp"])
def test_campaigns_that_share_recipients(scene, store, timing):
    """Receipts whose id nobody knows, and several messages they fit: none is guessed, and none is sent again."""
    options = f"--dlr text --dlr-timing {timing} --stat-mix DELIVRD=1,UNDELIV=1"
    one = scene(store, sharing=3, carrier_options=options)
    for _ in range(4 * ROUNDS):
        proxy = one.proxies[one.random.choice(CARRIERS)]
        lose(one, proxy, one.random.randint(4, WINDOW - 1))
        one.pass_by(proxy, Command.SUBMIT_SM_RESP, one.random.randint(1, 20))
    one.must_be_right()
