"""Hypothesis without deadlines: these tests judge values, never time."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
pytest.register_assert_rewrite("door", "makers", "smsc")
