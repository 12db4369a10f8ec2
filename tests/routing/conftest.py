"""Hypothesis without deadlines: these tests judge values, never time."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
