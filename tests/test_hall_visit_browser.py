"""A person uses the files of another organisation in a browser, after a touch at home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_visitor import DESKTOP, PHONE, Visitor
from playwright.sync_api import Browser, expect
from test_hall_console import read_files, row, store, write_files  # noqa: F401
from test_partners_console import Office, join, owner, share, sign

STORE = """
[[hall.stores]]
hall = "backups"
name = "data"
folder = "{}"
[[hall.services]]
hall = "backups"
name = "db"
address = "127.0.0.1:9"
"""


@pytest.fixture
def offices(tmp_path: Path, store: Path) -> Iterator[tuple[Office, Office]]:
    both = Office(tmp_path / "alpha", "alpha", STORE.format(store)), Office(tmp_path / "beta", "beta")
    yield both
    for office in both:
        assert office.stop() == 0, "\n".join(office.lines)


def test_a_partners_files_are_used_in_a_browser(
    browser: Browser, offices: tuple[Office, Office], store: Path, tmp_path: Path
):
    ada, ben = (owner(browser, office) for office in offices)
    join(ada, ben)
    share(ada, "read:data write:data delete:data connect:db")
    page = ben.page

    # From the list of partners' halls to the files, by one touch at home.
    ben.open("/halls")
    ben.keep("40-halls-with-partner")
    page.get_by_role("link", name="alpha.localhost").click()
    ben.keep("41-halls-of-partner")
    page.get_by_role("link", name="Backups of the lab").click()
    ben.keep("41-hall-of-partner")
    expect(page.get_by_text("hallway connect alpha.localhost/backups:db")).to_be_visible()
    page.get_by_role("link", name="data", exact=True).click()
    ben.press("Open it with a touch")
    ben.agree("open the hall “backups” of alpha.localhost to")
    expect(row(ben, "notes.txt")).to_contain_text("19")
    ben.keep("42-files-of-partner")
    read_files(ben)
    write_files(ben, store, tmp_path)
    page.set_viewport_size(PHONE)
    ben.keep("42-files-of-partner-phone")
    page.set_viewport_size(DESKTOP)

    # Both gateways show the visit, and the host ends it.
    ben.open("/halls")
    expect(page.get_by_role("link", name="alpha.localhost/backups")).to_be_visible()
    ben.keep("43-open-at-partners")
    ada.open("/halls/backups")
    inside = ada.page.get_by_role("row", name="of beta.localhost")
    expect(inside.first).to_be_visible()
    ada.page.get_by_role("button", name="End the grant of").first.click()
    sign(ada, "of Emily Gray of beta.localhost in the hall “backups”")
    ben.open("/partners/alpha.localhost/halls/backups")
    expect(page.get_by_text("alpha.localhost says:")).to_be_visible()
    ben.keep("44-ended-by-partner")
    page.set_viewport_size(PHONE)
    ben.keep("44-ended-by-partner-phone")
    expect(page.get_by_role("button", name="Open it with a touch")).to_be_visible()

    assert not ada.faults, ada.faults

    # If the partner is away, the page says so.
    assert offices[0].stop() == 0
    answer = page.goto(f"{ben.origin}/partners/alpha.localhost/halls")
    assert answer.status == 502
    expect(page.get_by_text("alpha.localhost")).to_be_visible()
    ben.keep("45-partner-away")
    assert all("502" in fault for fault in ben.faults), ben.faults
