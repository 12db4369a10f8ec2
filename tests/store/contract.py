"""What every store must do, as tests. A store runs them all by this line and a fixture `fresh_store`, which makes empty ones:

    from contract import *  # noqa: F403

Times are the caller's, so no test waits.
"""

from collections.abc import Callable

import pytest
from contract_admission import *  # noqa: F403
from contract_machine import *  # noqa: F403
from contract_receipts import *  # noqa: F403
from contract_senders import *  # noqa: F403
from contract_sending import *  # noqa: F403

from gateway.store.base import Store


@pytest.fixture
def store(fresh_store: Callable[[], Store]) -> Store:
    """An empty store."""
    return fresh_store()
