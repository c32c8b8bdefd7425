"""Fixtures that several journeys share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_caller import Person
from ctap_client import CLIENT_PIN, PIN, Pins, Wire, wired
from gateway_process import Gateway
from soft_device import Maker
from playwright.sync_api import Browser, expect, sync_playwright
from software_key import SoftwareKey, plugged_in

# Suites of other projects: `test_foreign_suites.py` runs each in a process of its own.
collect_ignore = ["foreign"]

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"

# Debian's browser, with options that keep it from contacting its maker.
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]

# The time that an expectation waits, in milliseconds. A page may be slow on a busy machine.
expect.set_options(timeout=20_000)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A fresh gateway that nobody has set up yet."""
    running = Gateway(tmp_path / "data")
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests of a file. A refusal in one test must not affect the next."""
    running = Gateway(tmp_path_factory.mktemp("house") / "data")
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture(scope="module")
def owner(house: Gateway) -> Person:
    """The first owner of the shared gateway."""
    return Person.owner(house)


@pytest.fixture(scope="module")
def mia(owner: Person) -> Person:
    """A member who is shared by all tests of a file."""
    return owner.invite("Mia")


@pytest.fixture
def member(owner: Person) -> Person:
    """A new member, who has not tried any device code yet."""
    return owner.invite("Member")


@pytest.fixture(scope="module")
def maker(owner: Person) -> Maker:
    """A maker whose certificate is installed in the realm."""
    made = Maker()
    owner.act("maker.add", name=made.name, certificate=made.pem)
    return made


@pytest.fixture
def unchanged(owner: Person) -> Iterator[None]:
    """Checks that the test does not change the realm."""
    before = owner.state_of_the_realm()
    yield
    assert owner.state_of_the_realm() == before


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareKey]:
    """One software key without a PIN for all tests of a file."""
    with plugged_in(tmp_path_factory.mktemp("key")) as key:
        yield key


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareKey]:
    """A key with a PIN, for tests that neither change it nor enter a wrong PIN."""
    with plugged_in(tmp_path_factory.mktemp("protected")) as key:
        with wired(key) as wire:
            wire.well(CLIENT_PIN, Pins(wire).setting(PIN))
        yield key


@pytest.fixture
def wire(key: SoftwareKey) -> Iterator[Wire]:
    with wired(key) as wire:
        yield wire


@pytest.fixture
def with_pin(protected: SoftwareKey) -> Iterator[Wire]:
    with wired(protected) as wire:
        yield wire
