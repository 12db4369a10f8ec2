"""What no single field of a policy shows: presets, zones, patterns and files that are not there."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
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
    parts = (_of_times, _of_caps, _of_texts, _of_money, _of_numbers, _of_codes)
    return chain.from_iterable(part(policy) for part in parts)


def _of_times(policy: Policy) -> Iterator[tuple[str, str]]:
    for at, window in enumerate(policy.windows):
        if window.preset and window.preset not in presets.windows():
            yield f"windows[{at}].preset = {window.preset!r}", f"there are {', '.join(presets.windows())}"
        elif not window.preset and not window.intervals:
            yield f"windows[{at}]", "needs a preset, or intervals"
        for interval in [*window.intervals, *(window.weekend or [])]:
            start, end = interval.split("-")
            if start >= end:
                yield f"windows[{at}] = {interval!r}", "ends before it begins; two intervals go over midnight"
        for day in window.holidays_extra:
            try:
                date.fromisoformat(day)
            except ValueError:
                yield f"windows[{at}].holidays_extra = {day!r}", "there is no such day"
    zones = [(f"windows[{at}]", one.timezone) for at, one in enumerate(policy.windows)]
    zones += [(f"caps[{at}]", one.timezone) for at, one in enumerate(policy.caps)]
    for where, zone in [*zones, ("budget", policy.budget.timezone)]:
        if not is_zone(zone, recipient=where != "budget"):
            yield (
                f"{where}.timezone = {zone!r}",
                'a name such as "Asia/Shanghai"' + (', or "recipient"' if where != "budget" else ""),
            )


def _of_caps(policy: Policy) -> Iterator[tuple[str, str]]:
    names: dict[str, str] = {}
    for at, cap in enumerate(policy.caps):
        where = f"caps[{at}].name = {cap.name!r}"
        if cap.name in names:
            yield where, f"the name is taken by {names[cap.name]}: they would count each other's messages"
        names.setdefault(cap.name, f"caps[{at}]")
    for at, preset in enumerate(policy.cap_presets):
        where = f"cap_presets[{at}] = {preset!r}"
        if preset not in presets.caps():
            yield where, f"there are {', '.join(presets.caps())}"
            continue
        for cap in presets.caps()[preset]:
            if cap.name in names:
                yield (
                    where,
                    f"its cap {cap.name!r} has the name of one in {names[cap.name]}: they would count each other's messages",
                )
            names.setdefault(cap.name, f"cap_presets[{at}]")


def _of_money(policy: Policy) -> Iterator[tuple[str, str]]:
    budget = policy.budget
    if not budget.price and (budget.prepaid or budget.daily_max or budget.monthly_max):
        yield "budget.price = 0", "without a price nothing is counted, and no limit is ever reached"


def _of_numbers(policy: Policy) -> Iterator[tuple[str, str]]:
    for at, code in enumerate(policy.countries):
        if phonenumbers.region_code_for_country_code(int(code)) == "ZZ":
            yield f"countries[{at}] = {code!r}", "no country has this calling code"


def _of_codes(policy: Policy) -> Iterator[tuple[str, str]]:
    rule = policy.velocity.conversion
    if rule.wait_s > rule.period_s:
        yield f"velocity.conversion.wait_s = {rule.wait_s:g}", "more than period_s"


def _of_texts(policy: Policy) -> Iterator[tuple[str, str]]:
    signature, hint = policy.signature, policy.opt_out_hint
    name = signature.text.removeprefix("【").removesuffix("】")
    if signature.mode == "add" and name and not signature.length_min <= len(name) <= signature.length_max:
        yield (
            f"signature.text = {signature.text!r}",
            f"{len(name)} characters, {signature.length_min} to {signature.length_max} are allowed",
        )
    if signature.mode != "off" and signature.length_min > signature.length_max:
        yield f"signature.length_min = {signature.length_min}", "more than length_max: no signature fits"
    if hint.mode == "add" and not hint.text.strip():
        yield "opt_out_hint.text = ''", "there is nothing to add"
    options = re2.Options()
    options.log_errors = False
    for at, pattern in enumerate(policy.keywords.patterns):
        try:
            re2.compile(pattern, options)
        except re2.error as error:
            yield f"keywords.patterns[{at}] = {pattern!r}", f"no RE2 pattern: {error}"
    file = policy.keywords.words_file
    if file:
        try:
            Path(file).read_text(encoding="utf-8")
        except OSError as error:
            yield f"keywords.words_file = {file!r}", f"cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            yield f"keywords.words_file = {file!r}", "is not UTF-8"


def is_zone(name: str, *, recipient: bool) -> bool:
    if name == "recipient":
        return recipient
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
