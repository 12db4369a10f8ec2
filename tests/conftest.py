"""What is compiled must be of the sources that are tested."""

import pytest

from gateway import compiled


def pytest_configure() -> None:
    try:
        compiled.look()
    except compiled.StaleError as error:
        raise pytest.UsageError(str(error)) from None
