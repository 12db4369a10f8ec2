"""Numbers that are with another operator than their prefix says. The whole gateway's, so they need the scope `ops`."""

from gateway.api.corelink import expect
from gateway.api.operating_schemas import NumberMove, NumberMoves, NumberOut, NumbersMoved
from gateway.api.operation import Asked, Said
from gateway.api.problems import not_found
from gateway.calls.messages import AskNetwork, Done, Network, Port


async def get_number(asked: Asked) -> Said:
    """Whose network it is on."""
    return Said(200, await _network(asked))


async def move_number(asked: Asked) -> Said:
    """Say with which operator it is."""
    body: NumberMove = asked.body
    await _port(asked, body.operator, body.why)
    return Said(200, await _network(asked))


async def move_back(asked: Asked) -> Said:
    """Forget what was said of it: the list of moved numbers counts, or its prefix."""
    await _port(asked, "")
    return Said(204)


async def move_numbers(asked: Asked) -> Said:
    """The same of many."""
    body: NumberMoves = asked.body
    moves = [(_plus(one.number), one.operator) for one in body.data]
    done = expect(await asked.services.core.ask(Port(moves, f"key {asked.key.id}", body.why)), Done)
    return Said(200, NumbersMoved(changed=done.count, detail=done.error))


async def _port(asked: Asked, operator: str, why: str = "") -> None:
    number = _plus(asked.path["number"])
    done = expect(await asked.services.core.ask(Port([(number, operator)], f"key {asked.key.id}", why)), Done)
    if done.error:
        not_found("number")


async def _network(asked: Asked) -> NumberOut:
    found = await asked.services.core.ask(AskNetwork(_plus(asked.path["number"])))
    if isinstance(found, Done):
        not_found("number")
    network = expect(found, Network)
    return NumberOut(
        number=f"+{network.number}",
        operator=network.operator,
        country=network.country,
        virtual=network.virtual,
        moved=network.moved,
    )


def _plus(number: str) -> str:
    """Numbers of these endpoints are international, with or without the plus."""
    return f"+{number.removeprefix('+')}"
