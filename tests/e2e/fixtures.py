"""Fixtures of the tests with real processes; both folders that use them import them into their conftest."""

import pytest
from esme_client import ScriptedCarrier
from gateway_process import Carrier, Child, Gateway


class Started:
    """Starts children; whatever is left is ended, and every gateway's log is looked through."""

    def __init__(self, factory):
        self._factory = factory
        self._children = []

    def gateway(self, *, secrets=(), **settings):
        """A running gateway; `secrets` must never show up in its log."""
        child = Gateway(self._factory.mktemp("gw"), **settings)
        self._children.append((child, secrets))
        return child

    def carrier(self, *options, kind="raw"):
        return self.keep(Carrier(*options, kind=kind))

    def keep(self, child: Child):
        """End this one, too."""
        self._children.append((child, ()))
        return child

    def end(self):
        for child, _ in self._children:
            child.kill()
        for child, secrets in self._children:
            if isinstance(child, Gateway):
                child.check_log("secret", *secrets)


@pytest.fixture
def start(tmp_path_factory):
    """`start.gateway(...)` and `start.carrier(...)` for one test."""
    started = Started(tmp_path_factory)
    yield started
    started.end()


@pytest.fixture(scope="module")
def start_module(tmp_path_factory):
    """The same for all tests of a module."""
    started = Started(tmp_path_factory)
    yield started
    started.end()


@pytest.fixture
def scripted():
    """A carrier the test plays itself."""
    carrier = ScriptedCarrier()
    yield carrier
    carrier.close()


@pytest.fixture
def other_scripted():
    """A second one."""
    carrier = ScriptedCarrier()
    yield carrier
    carrier.close()
