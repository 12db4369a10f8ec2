"""What is wrong with routes that no single field shows."""

from collections.abc import Iterator

from config.policy_checks import is_zone
from config.schema import Config, Route


def route_errors(config: Config) -> Iterator[str]:
    """Names of channels and accounts nobody has, hours that never come, routes that lead nowhere."""
    channels = {channel.name for channel in config.channels}
    accounts = {account.system_id for account in config.accounts}
    for at, route in enumerate(config.routes):
        for number, one in enumerate(route.channels):
            if one.name not in channels:
                yield f"routes[{at}].channels[{number}].name = {one.name!r}: no channel has this name"
        for name in route.accounts:
            if name not in accounts:
                yield f"routes[{at}].accounts = {name!r}: no account has this system_id"
        if not any(one.weight for one in route.channels):
            yield f"routes[{at}].channels: every weight is 0, so the route leads nowhere"
        yield from (f"routes[{at}].{error}" for error in _of_hours(route))


def _of_hours(route: Route) -> Iterator[str]:
    for interval in route.hours:
        start, end = interval.split("-")
        if start >= end:
            yield f"hours = {interval!r}: ends before it begins; two intervals go over midnight"
    if not is_zone(route.timezone, recipient=False):
        yield f'timezone = {route.timezone!r}: a name such as "Asia/Shanghai"'
