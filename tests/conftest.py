"""What several journeys share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Gateway
from playwright.sync_api import Browser, sync_playwright

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"

# Debian's browser, kept from calling home.
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


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
