"""Runs the independent clients, which print a verdict as JSON."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_process import PEERS, Child, node_path

LIBRARIES = ("smpplib", "smpp34", "aiosmpplib")
"""These are locked dependencies: a missing one is a failure, not a reason to skip."""
KINDS = {
    "smpplib": "plain,ext,long7,unicode,longu,flash,binary,payload,sar,emoji",
    "aiosmpplib": "plain,ext,long7,unicode,longu,payload,emoji",
}
"""aiosmpplib cannot express flash, binary and sar."""


def need_peer(name: str) -> None:
    """Skip without the node peers, fail without one of the Python ones."""
    if name in LIBRARIES:
        importlib.import_module(name)
        return
    if shutil.which("node") is None:
        pytest.skip("no node on PATH")
    if not any((Path(folder) / "smpp").is_dir() for folder in node_path().split(":")):
        pytest.skip("node's smpp is not there: `npm ci` in tests/interop/peers, or set NODE_PATH")


def start_client(name: str, port: int, *options: str) -> Child:
    """A client that submits a mix of messages and waits for their receipts."""
    script = PEERS / f"interop_client_{name}"
    command = ["node", f"{script}.js"] if name == "node" else [sys.executable, f"{script}.py"]
    return Child([*command, "--port", str(port), *options])


def verdict(client: Child) -> dict[str, Any]:
    """What the client saw. `ok` when everything matched."""
    try:
        client.wait(60)
    except subprocess.TimeoutExpired:
        client.kill()
    assert client.out.lines, client
    return json.loads(client.out.lines[-1])


def run_client(name: str, port: int, *options: str) -> dict[str, Any]:
    return verdict(start_client(name, port, *options))
