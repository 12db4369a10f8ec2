"""What no single field of a policy shows: presets, zones, patterns and files that are not there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2

from config import presets
from config.policy import Policy
from config.schema import Account


def policy_errors(policies: Sequence[Policy], accounts: Sequence[Account]) -> Iterator[str]:
    """A line for each."""
    names = {policy.name for policy in policies}
    for at, account in enumerate(accounts):
        if account.policy and account.policy not in names:
            yield f"accounts[{at}].policy = {account.policy!r}: no policy has this name"
    for at, policy in enumerate(policies):
        for where, what in _errors(policy):
            yield f"policies[{at}].{where}: {what}"


def _errors(policy: Policy) -> Iterator[tuple[str, str]]:
    for at, window in enumerate(policy.windows):
        if window.preset and window.preset not in presets.windows():
            yield f"windows[{at}].preset = {window.preset!r}", f"there are {', '.join(presets.windows())}"
        elif not window.preset and not window.intervals:
            yield f"windows[{at}]", "needs a preset, or intervals"
        for interval in [*window.intervals, *(window.weekend or [])]:
            start, end = interval.split("-")
            if start >= end:
                yield f"windows[{at}] = {interval!r}", "ends before it begins; two intervals go over midnight"
    for at, name in enumerate(policy.cap_presets):
        if name not in presets.caps():
            yield f"cap_presets[{at}] = {name!r}", f"there are {', '.join(presets.caps())}"
    zones = [(f"windows[{at}]", one.timezone) for at, one in enumerate(policy.windows)]
    zones += [(f"caps[{at}]", one.timezone) for at, one in enumerate(policy.caps)]
    for where, zone in [*zones, ("budget", policy.budget.timezone)]:
        if not _is_zone(zone, recipient=where != "budget"):
            yield (
                f"{where}.timezone = {zone!r}",
                'a name such as "Asia/Shanghai"' + (', or "recipient"' if where != "budget" else ""),
            )
    for at, pattern in enumerate(policy.keywords.patterns):
        try:
            re2.compile(pattern)
        except re2.error as error:
            yield f"keywords.patterns[{at}] = {pattern!r}", f"no RE2 pattern: {error}"
    file = policy.keywords.words_file
    if file and not Path(file).is_file():
        yield f"keywords.words_file = {file!r}", "there is no such file"


def _is_zone(name: str, *, recipient: bool) -> bool:
    if name == "recipient":
        return recipient
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
