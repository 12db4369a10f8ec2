"""Hypothesis without deadlines, and asserts of the shared contract that show their values."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
pytest.register_assert_rewrite(
    "contract_admission", "contract_sending", "contract_receipts", "contract_senders", "contract_machine", "story"
)
