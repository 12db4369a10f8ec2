"""What every store must do, as tests. A store runs them all by this line and a fixture `fresh_store`, which makes empty ones:

    from contract import *  # noqa: F403

Times are the caller's, so no test waits.
"""

from collections.abc import Callable

import pytest
from contract_admission import *  # noqa: F403
from contract_machine import *  # noqa: F403
from contract_notes import *  # noqa: F403
from contract_receipts import *  # noqa: F403
from contract_rules import *  # noqa: F403
from contract_senders import *  # noqa: F403
from contract_sending import *  # noqa: F403
from contract_suppression import *  # noqa: F403

from gateway.store.base import Store


@pytest.fixture
def store(fresh_store: Callable[[], Store]) -> Store:
    """An empty store."""
    return fresh_store()


LIMITS: dict[str, dict[str, float]] = {
    "roomy": {},
    "forgetful": {
        "fold_after_s": 0,
        "stay_s": 0,
        "clean_max": 0,
        "finals_max": 2,
        "guards_max": 0,
        "notices_max": 0,
    },
}


@pytest.fixture(params=list(LIMITS))
def limits(request: pytest.FixtureRequest) -> dict[str, float]:
    """How much stays in memory."""
    return LIMITS[request.param]
