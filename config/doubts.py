"""What may be meant as it is written, and looks like a typo: told by `config check` and in the log, and no error."""

from collections.abc import Collection, Iterator

from config import operators
from config.schema import Config


def doubts(config: Config, moved: Collection[str]) -> Iterator[str]:
    """A line for each name of an operator that nobody's network has now: such a route never matches, such a price never counts.

    `moved`: operators of numbers that are known to have moved, by file or by hand. These come and go while the core runs.
    """
    shipped = operators.table()
    for where, name in _named(config):
        if name and name not in shipped and name not in moved:
            yield f"{where} = {name!r}: no number is known to be with this operator; there are {', '.join(sorted(shipped))}"


def _named(config: Config) -> Iterator[tuple[str, str]]:
    for at, route in enumerate(config.routes):
        yield from ((f"routes[{at}].operators", name) for name in route.operators)
    for at, policy in enumerate(config.policies):
        prices = policy.budget.prices
        yield from ((f"policies[{at}].budget.prices", name) for name in prices if not name.isdigit())  # else a country
