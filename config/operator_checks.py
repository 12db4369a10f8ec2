"""Names of operators that nobody's network has: a typo would be a route or a price that never counts."""

from collections.abc import Iterator

from config import operators
from config.ported import read_ported
from config.schema import Config


def operator_errors(config: Config) -> Iterator[str]:
    """A line for each. Nothing while the list of moved numbers cannot be read, which is told by itself."""
    try:
        moved = set(read_ported(config.ported_file).values())
    except (OSError, ValueError):
        return
    shipped = sorted(operators.table())
    for where, name in _named(config):
        if name not in shipped and name not in moved:
            yield f"{where} = {name!r}: no operator is called so; there are {', '.join(shipped)}, and those of ported_file"


def _named(config: Config) -> Iterator[tuple[str, str]]:
    for at, route in enumerate(config.routes):
        yield from ((f"routes[{at}].operators", name) for name in route.operators)
    for at, policy in enumerate(config.policies):
        prices = policy.budget.prices
        yield from ((f"policies[{at}].budget.prices", name) for name in prices if not name.isdigit())  # else a country
