"""The micro benches as parts: each a process of its own, so that no garbage and no warm cache of another is in its figures."""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.measure.figures import Figure
from bench.suite.parts import Measured, Part, PartError, Say

LONGEST_S = 600.0
ABOUT = {
    "codec": "CPU of each PDU of the hot path",
    "store": "CPU of a message in each store, and recovery",
    "policy": "CPU of screening and planning",
    "loop": "CPU of mailboxes and wires",
    "figures": "CPU of counting a message",
}
WHOLE = {
    # Rounds and cases such that all of it stays under three minutes; `make bench-micro` takes all there is.
    "store": ["--rounds", "3", "--cases", "plain,guards"],
}


def micro(name: str) -> Part:
    """`python -m bench.micro.NAME`; its table goes to the terminal."""

    def measure(quick: bool, _: Say) -> Measured:
        return Measured(
            figures_of([sys.executable, "-m", f"bench.micro.{name}", *(["--quick"] if quick else WHOLE.get(name, []))])
        )

    return Part(name, name, ABOUT[name], measure)


def figures_of(command: list[str]) -> list[Figure]:
    """What a command writes with `--figures`. Raises PartError."""
    with tempfile.TemporaryDirectory(prefix="tensec-suite-") as folder:
        path = Path(folder) / "figures.json"
        try:
            code = subprocess.run([*command, "--figures", str(path)], check=False, timeout=LONGEST_S).returncode
        except subprocess.TimeoutExpired:
            raise PartError(f"still running after {LONGEST_S:.0f} s") from None
        if code:
            raise PartError(f"ended with {code}")
        return msgspec.json.decode(path.read_bytes(), type=list[Figure])
