"""A gateway under load between proxies: two simulated carriers that keep ledgers, three senders that keep theirs, one seed.

    senders --> front proxy --> gateway --> proxies, one for each carrier --> carriers a and b

A scene is made, faults happen while it is under load (`crash`, `proxies`, `front`), and `verdict` waits until it is quiet, ends
everything and gives what the checker found. FAULTS_ROUNDS says how long (1 in the usual suite), FAULTS_SEED replays a failure.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from checker import Case, Limits, Own, check, read_ledger
from gateway_process import TENSEC, Child, account, channel, route, wait_for
from load_client import CLASSES, Sender, Submission, query
from proxy import Proxy

from protocol.commands import Command

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "1"))
CARRIERS = ("a", "b")
WINDOW = 10
STILL_S = 1.0
CODE_REPEATED_S = 4.5
"""After so long without evidence a code has been sent again."""
VALIDITY_S = 45.0
"""In long runs: what was repeated after 30 s has had its time, and what stays unknown is told so a minute later."""
QUIET_TIMEOUT_S = 150.0
LOADED_KB = 150_000
"""Most a core takes for a load of this size."""


def fresh_seed() -> int:
    """The seed that was asked for, else a new one."""
    given = os.environ.get("FAULTS_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)


class Scene:
    """See the module. `store` is the [store] table, {} for none; `carrier_options` go to every carrier.

    `data_dir`: an empty folder to use; `sharing`: so many campaign messages in a row go to the same recipient.
    """

    def __init__(
        self,
        start: Any,
        folder: Path,
        seed: int,
        store: dict[str, Any],
        *,
        carrier_options: str = "",
        launcher: tuple[str, ...] = TENSEC,
        rate: float = 60.0,
        data_dir: Path | None = None,
        sharing: int = 1,
        **channel_fields: Any,
    ) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.kills = 0
        self._start = start
        self._launcher = launcher
        self._folder = folder
        self._resident_kb = 0
        self._stopped = threading.Event()
        folder.mkdir(exist_ok=True)
        self._carriers = {name: self._carrier(name, carrier_options) for name in CARRIERS}
        self.proxies = {name: Proxy(self._listening(child), seed) for name, child in self._carriers.items()}
        self.front = Proxy(None, seed)
        channels = [channel(name, proxy.port, window=WINDOW, **channel_fields) for name, proxy in self.proxies.items()]
        self._settings: dict[str, Any] = {
            "accounts": [account(name, **{"class": name, "window": 50}) for name in CLASSES],
            "channels": channels,
            "routes": [route(*CARRIERS)],
            **({"store": store} if store else {}),
            **({"data_dir": str(data_dir)} if data_dir else {}),
            **({"classes": {name: {"validity_s": VALIDITY_S} for name in CLASSES}} if ROUNDS > 1 else {}),
        }
        self.gateway = start.gateway(launcher=launcher, **self._settings)
        self._settings |= {"data_dir": str(self.gateway.data_dir), "smpp": {"listen": f"127.0.0.1:{self.gateway.port}"}}
        self.front.target_port = self.gateway.port
        self.senders = [Sender(name, self.front.port, rate, sharing if name == "marketing" else 1) for name in CLASSES]
        for sender in self.senders:
            sender.start()

    def _carrier(self, name: str, options: str) -> Child:
        told = ["--system-id", "tensec", "--password", "secret", "--seed", str(self.seed), "--name", name]
        usual = {
            "--resp-latency": "uniform:1ms-20ms",
            "--dlr-latency": "uniform:5ms-60ms",
            "--stat-mix": "DELIVRD=19,UNDELIV=1",
        }
        given = options.split()
        spans = [word for option, span in usual.items() if option not in given for word in (option, span)]
        ledger = ["--ledger", str(self._ledger(name)), "--max-seconds", "3600"]
        return self._start.keep(Child([sys.executable, "-m", "bench", "carrier", *told, *spans, *ledger, *given]))

    def _ledger(self, name: str) -> Path:
        return self._folder / f"carrier-{name}.jsonl"

    @staticmethod
    def _listening(child: Child) -> int:
        line = child.out.wait(lambda line: "listening" in line)
        assert line is not None, child
        return int(line.split('"listening": ')[1].split(",")[0])

    # -- what happens to the gateway

    def kill(self) -> None:
        """SIGKILL, at once: also called from a proxy's thread."""
        self.front.target_port = None
        self.gateway.signal(signal.SIGKILL)

    def restart(self, **how: Any) -> None:
        """The core again, on the same data and port."""
        self.gateway.wait()
        self.kills += 1
        self.gateway = self._start.gateway(launcher=self._launcher, **self._settings, **how)
        self.front.target_port = self.gateway.port or None

    def crash(self, place: Proxy, command: Command, count: int) -> None:
        """Kill the core at the `count`-th PDU of `command` that passes `place` from now on, and start it again."""
        self._measure()
        died = place.watch(command, count, self.kill)
        wait_for(died.is_set, lambda: f"{count} x {command!r} to pass: {self}")
        self.restart()

    def crash_twice(self, place: Proxy, command: Command, count: int, again: Proxy) -> None:
        """The same, and once more when the new core binds at the proxy `again`."""
        died = place.watch(command, count, self.kill)
        wait_for(died.is_set, lambda: f"{count} x {command!r} to pass: {self}")
        died = again.watch(Command.BIND_TRANSCEIVER, 1, self.kill)
        self.restart(started=False)
        wait_for(died.is_set, lambda: f"a bind of the new core: {self}")
        self.restart()

    def pass_by(self, place: Proxy, command: Command, count: int, timeout_s: float = 20.0) -> None:
        """Until `count` more PDUs of `command` have passed `place`."""
        passed = place.watch(command, count, lambda: None)
        wait_for(passed.is_set, lambda: f"{count} x {command!r} to pass: {self}", timeout_s)

    def fates(self, fate: str) -> list[Submission]:
        """What has had this fate so far: ok, refused, unanswered or open."""
        return [one for sender in self.senders for one in list(sender.submissions.values()) if one.fate == fate]

    def stop_for(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a time that is the fault itself."""
        self.gateway.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.gateway.signal(signal.SIGCONT)

    def _measure(self) -> None:
        self._resident_kb = max(self._resident_kb, self.gateway.resident_kb())

    # -- the end

    def must_be_right(self, **how: Any) -> None:
        """Fails with what the checker found, and how to see it again."""
        found = self.verdict(**how)
        assert not found, "\n".join([f"replay with FAULTS_SEED={self.seed} FAULTS_ROUNDS={ROUNDS}", *found])

    def verdict(self, *, ambiguous: int | None = None, patient: bool = ROUNDS > 1, codes: bool = True) -> list[str]:
        """What the checker finds once it is quiet, or once nothing is open if we are `patient`.

        `ambiguous` is counted by the proxies and kills unless given; `codes`: whether to wait for their repetition.
        """
        for sender in self.senders:
            sender.pause()
        wait_for(lambda: all(one.idle for one in self.senders), lambda: f"answers to all: {self}", 60.0)
        self._wait_quiet(patient, codes)
        self._measure()
        own = self._own_word()
        for sender in self.senders:
            sender.end()
            assert not sender.error, sender.error
            assert not sender.strangers, sender.strangers
        if ambiguous is None:
            # A kill or reset also loses what no proxy has read yet, and answers that were read and not stored.
            proxies = self.proxies.values()
            breaks = self.kills * len(CARRIERS) + sum(proxy.cuts + proxy.resets for proxy in proxies)
            ambiguous = sum(proxy.ambiguous for proxy in proxies) + breaks * WINDOW
        assert self.gateway.terminate() == 0, self.gateway
        for child in self._carriers.values():
            child.signal(signal.SIGTERM)
            assert child.wait() == 0, child
        must_arrive = ("verification", "notification") if patient else ("verification",)
        return check(self._case(own, Limits(ambiguous, LOADED_KB, must_arrive)))

    def _case(self, own: Own, limits: Limits) -> Case:
        return Case(
            [one for sender in self.senders for one in sender.submissions.values()],
            [one for name in CARRIERS for one in read_ledger(self._ledger(name))],
            own,
            limits,
            {sender.class_: sender.ended_at for sender in self.senders},
        )

    def _wait_quiet(self, patient: bool, codes: bool) -> None:
        """Until nothing is open, or nothing has moved for as long as a code's repetition takes: the checker judges the rest."""
        before: Any = None
        began = since = time.monotonic()
        while (now := time.monotonic()) < began + QUIET_TIMEOUT_S:
            sums = self.gateway.ledger()
            told = sum(len(one.told) for sender in self.senders for one in list(sender.submissions.values()))
            untold = {one.class_ for one in self.fates("ok") if not one.told}
            if (sums, told) != before:
                before, since = (sums, told), now
            if not untold and sums["open"] == 0:
                return
            if not patient and now - since > (CODE_REPEATED_S if codes and "verification" in untold else STILL_S):
                return
            time.sleep(0.05)

    def _own_word(self) -> Own:
        sums = self.gateway.ledger()
        states: dict[str, int | None] = {}
        for class_ in CLASSES:
            states |= query(self.gateway.port, class_, [one.id for one in self.fates("ok") if one.class_ == class_])
        in_windows = sum(one.window_used + one.queued for one in self.gateway.channels().values())
        return Own(sums, sums["final"], states, in_windows, self._resident_kb)

    def close(self) -> None:
        """End what runs in this process; `start` ends the others."""
        for sender in self.senders:
            sender.end()
        for proxy in (self.front, *self.proxies.values()):
            proxy.close()

    def __repr__(self) -> str:
        fates = {sender.class_: len(sender.submissions) for sender in self.senders}
        return f"seed {self.seed}, {fates}, {self.gateway}"
