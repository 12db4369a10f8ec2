"""Hypothesis without deadlines, asserts of the shared contract that show their values, and a Redis server."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from redis_server import redis_prefix, redis_server  # noqa: F401 - fixtures

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
pytest.register_assert_rewrite(
    "contract_admission",
    "contract_sending",
    "contract_receipts",
    "contract_rules",
    "contract_senders",
    "contract_suppression",
    "contract_machine",
    "story",
)
