"""Somebody uses the files of another organisation in a browser, after a touch at home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_visitor import DESKTOP, PHONE, Visitor
from playwright.sync_api import Browser, expect
from test_hall_console import DROP, PICTURE
from test_partners_console import Office, join, owner, share, sign

STORE = """
[[hall.stores]]
hall = "backups"
name = "data"
folder = "{}"
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "notes.txt").write_text("What the lab said.\n")
    (folder / "red.png").write_bytes(PICTURE)
    return folder


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

    # From what partners share to the files, by one touch at home.
    ben.open("/halls")
    ben.keep("34-halls-with-partner")
    page.get_by_role("link", name="alpha.localhost").click()
    ben.keep("35-halls-of-partner")
    page.get_by_role("link", name="Backups of the lab").click()
    ben.keep("36-hall-of-partner")
    expect(page.get_by_text("hallway connect alpha.localhost/backups:db")).to_be_visible()
    page.get_by_role("link", name="data", exact=True).click()
    ben.press("Open it with a touch")
    ben.agree("open the hall “backups” of alpha.localhost to")
    row = lambda name: page.get_by_role("row").filter(has=page.get_by_role("button", name=name, exact=True))
    expect(row("notes.txt")).to_contain_text("19")
    ben.keep("37-files-of-partner")
    page.get_by_role("button", name="notes.txt", exact=True).click()
    preview = page.get_by_role("dialog", name="notes.txt")
    expect(preview).to_contain_text("What the lab said.")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="red.png", exact=True).click()
    picture = page.get_by_role("dialog", name="red.png").get_by_role("img")
    expect(picture).to_have_js_property("naturalWidth", 1)
    page.get_by_role("button", name="Close").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download notes.txt").click()
    assert Path(download.value.path()).read_text() == "What the lab said.\n"

    page.evaluate(DROP, [["dropped ü.txt", "dropped"]])
    expect(row("dropped ü.txt")).to_be_visible()
    assert (store / "dropped ü.txt").read_text() == "dropped"
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 40_000)
    page.get_by_label("Upload files").set_input_files(large)
    expect(page.get_by_text("large.bin is there.")).to_be_visible()
    assert (store / "large.bin").read_bytes() == large.read_bytes()
    ben.press("New folder")
    page.get_by_label("Its name").fill("newer")
    ben.press("Make it")
    expect(row("newer/")).to_be_visible()
    ben.press("Rename large.bin")
    page.get_by_label("New name").fill("renamed.bin")
    ben.press("Rename")
    expect(row("renamed.bin")).to_be_visible()
    ben.press("Delete renamed.bin")
    page.get_by_role("dialog", name="Delete renamed.bin?").get_by_role("button", name="Delete").click()
    expect(row("renamed.bin")).to_have_count(0)
    assert not (store / "renamed.bin").exists()
    page.set_viewport_size(PHONE)
    ben.keep("38-files-of-partner-phone")
    page.set_viewport_size(DESKTOP)

    # Each side sees it, and the host ends it.
    ben.open("/halls")
    expect(page.get_by_role("link", name="alpha.localhost/backups")).to_be_visible()
    ben.keep("39-open-at-partners")
    ada.open("/halls/backups")
    inside = ada.page.get_by_role("row", name="of beta.localhost")
    expect(inside.first).to_be_visible()
    ada.page.get_by_role("button", name="End the grant of").first.click()
    sign(ada, "of Emily Gray of beta.localhost in the hall “backups”")
    ben.open("/partners/alpha.localhost/halls/backups")
    expect(page.get_by_text("alpha.localhost says:")).to_be_visible()
    ben.keep("40-ended-by-partner")
    page.set_viewport_size(PHONE)
    ben.keep("40-ended-by-partner-phone")
    expect(page.get_by_role("button", name="Open it with a touch")).to_be_visible()

    assert not ada.faults, ada.faults

    # A partner that is away is said to be.
    assert offices[0].stop() == 0
    answer = page.goto(f"{ben.origin}/partners/alpha.localhost/halls")
    assert answer.status == 502
    expect(page.get_by_text("alpha.localhost")).to_be_visible()
    ben.keep("41-partner-away")
    assert all("502" in fault for fault in ben.faults), ben.faults
