"""Hypothesis without deadlines: these tests judge values, never time. All of them run in Python and compiled."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from protocol import fast, hot

settings.register_profile("protocol", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("protocol")


@pytest.fixture(scope="module", params=["python", "compiled"], autouse=True)
def _hot_functions(request: pytest.FixtureRequest) -> Iterator[None]:
    """`hot` as it is without and with what was compiled."""
    module: ModuleType = fast
    if request.param == "compiled":
        module = pytest.importorskip("protocol.native", exc_type=ImportError)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read", "write", "ok_with_id", "receipt_words"):
            patch.setattr(hot, name, getattr(module, name))
        yield
