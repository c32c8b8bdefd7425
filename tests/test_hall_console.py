"""Halls in a real browser: from the first hall to moved files and a closed grant."""

import re
from pathlib import Path

import pytest
from conftest import SCREENSHOTS
from console_visitor import DESKTOP, PHONE, Visitor
from gateway_process import Gateway
from playwright.sync_api import Browser, Locator, expect
from test_console import set_up

# A PNG of one red pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)

# Drops files on the page, as a person does with the mouse.
DROP = """(files) => {
  const data = new DataTransfer();
  for (const [name, text] of files) data.items.add(new File([text], name));
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder with a text file, a picture and a subfolder."""
    folder = tmp_path / "files"
    (folder / "older").mkdir(parents=True)
    (folder / "notes.txt").write_text("What the lab said.\n")
    (folder / "red.png").write_bytes(PICTURE)
    (folder / "older" / "first.txt").write_text("1\n")
    return folder


@pytest.fixture
def gateway(tmp_path: Path, store: Path):
    """A gateway that provides the folder as a store."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "hallway.toml").write_text(
        f"""
[hall]
listen = "127.0.0.1:0"
[[hall.stores]]
hall = "backups"
name = "data"
folder = "{store}"
"""
    )
    running = Gateway(data)
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture
def emily(gateway: Gateway, browser: Browser):
    """The first owner's browser. At the end of each test its pages must have no faults."""
    visitor = Visitor(browser, gateway.origin, SCREENSHOTS)
    yield visitor
    visitor.context.close()
    assert visitor.faults == []


def make_hall(owner: Visitor) -> None:
    """Creates the hall and admits everybody to its files."""
    owner.open("/halls")
    expect(owner.page.get_by_text("There is no hall yet.")).to_be_visible()
    owner.keep("30-halls-empty")
    owner.page.get_by_label("What people call it").fill("Backups of the lab")
    owner.page.get_by_label("Its name in commands").fill("backups")
    owner.press("Make it")
    owner.agree("make the hall “backups”, called “Backups of the lab”")
    owner.page.get_by_role("link", name="Backups of the lab").click()
    expect(owner.page.get_by_text("Nobody is admitted yet.")).to_be_visible()
    owner.page.get_by_label("To do what").fill("read:data write:data delete:data")
    owner.press("Admit")
    owner.agree("let everybody of the realm enter the hall “backups” to read “data”, write “data”, delete “data”")


def row(visitor: Visitor, name: str) -> Locator:
    """The row of a file or folder on the page of a store."""
    button = visitor.page.get_by_role("button", name=name, exact=True)
    return visitor.page.get_by_role("row").filter(has=button)


def read_files(visitor: Visitor) -> None:
    """Looks at a list, a text, a picture and a folder, then uses the keyboard alone."""
    page = visitor.page
    expect(row(visitor, "notes.txt")).to_contain_text("19")
    visitor.keep("31-files")
    page.get_by_role("button", name="notes.txt", exact=True).focus()
    page.keyboard.press("Enter")
    preview = page.get_by_role("dialog", name="notes.txt")
    expect(preview).to_contain_text("What the lab said.")
    page.keyboard.press("Escape")
    expect(preview).to_be_hidden()
    page.get_by_role("button", name="red.png", exact=True).click()
    picture = page.get_by_role("dialog", name="red.png").get_by_role("img")
    expect(picture).to_have_js_property("naturalWidth", 1)
    visitor.keep("32-preview")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="older/").click()
    expect(row(visitor, "first.txt")).to_be_visible()
    page.get_by_role("navigation", name="Folder").get_by_role("button", name="All files").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download notes.txt").click()
    assert Path(download.value.path()).read_text() == "What the lab said.\n"


def write_files(visitor: Visitor, store: Path, tmp_path: Path) -> None:
    """Uploads by drag and by choice, makes a folder, renames it, and deletes it."""
    page = visitor.page
    page.evaluate(DROP, [["dropped ü.txt", "dropped"], ["second.txt", "second"]])
    expect(row(visitor, "dropped ü.txt")).to_be_visible()
    expect(row(visitor, "second.txt")).to_be_visible()
    assert (store / "dropped ü.txt").read_text() == "dropped"
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 40_000)
    page.get_by_label("Upload files").set_input_files(large)
    expect(page.get_by_text("large.bin is there.")).to_be_visible()
    assert (store / "large.bin").read_bytes() == large.read_bytes()
    visitor.press("New folder")
    page.get_by_label("Its name").fill("newer")
    visitor.press("Make it")
    expect(row(visitor, "newer/")).to_be_visible()
    visitor.press("Rename second.txt")
    page.get_by_label("New name").fill("renamed.txt")
    visitor.press("Rename")
    expect(row(visitor, "renamed.txt")).to_be_visible()
    assert (store / "renamed.txt").read_text() == "second"
    visitor.press("Delete renamed.txt")
    page.get_by_role("dialog", name="Delete renamed.txt?").get_by_role("button", name="Delete").click()
    expect(row(visitor, "renamed.txt")).to_be_hidden()
    assert not (store / "renamed.txt").exists()


def test_a_hall_is_created_opened_used_and_closed(
    gateway: Gateway, emily: Visitor, store: Path, tmp_path: Path
):
    page = emily.page
    set_up(gateway, emily)
    make_hall(emily)

    # The files are closed until a touch opens the hall.
    page.get_by_role("link", name="data", exact=True).click()
    expect(page.get_by_text("The hall is not open in this browser.")).to_be_visible()
    emily.press("Open it with a touch")
    emily.agree("open the hall “backups” of localhost to Emily Gray for 8 hours, in the browser that asks")

    read_files(emily)
    write_files(emily, store, tmp_path)
    emily.keep("33-files-changed")
    page.set_viewport_size(PHONE)
    emily.keep("34-files-phone")

    # The content of a file never runs as a page of the gateway.
    (store / "trick.html").write_text("<script>document.title = 'tricked'</script>")
    emily.open("/api/halls/backups/files/data/trick.html")
    assert page.title() != "tricked"
    # The browser reports that it ran no script of the file.
    emily.faults[:] = [fault for fault in emily.faults if "trick.html" not in fault]

    # The page shows the open grant with its evidence; then the owner ends it.
    emily.open("/halls/backups")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    inside = page.locator("[data-inside] tbody tr")
    expect(inside).to_have_count(1)
    expect(inside).to_contain_text("Emily Gray")
    expect(page.locator("[data-part=rate-out]")).to_have_text(re.compile("B/s"))
    emily.keep("35-hall-phone")
    page.set_viewport_size(DESKTOP)
    emily.keep("36-hall")
    page.get_by_role("link", name="Read the evidence").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Open the hall")
    expect(page.get_by_text("The person who is let in is the one who signed")).to_be_visible()
    emily.keep("37-hall-evidence")
    emily.open("/halls/backups")
    emily.press("Close it now")
    expect(page.get_by_role("button", name="Open it with a touch")).to_be_visible()
    refused = page.request.get(f"{gateway.origin}/api/halls/backups/files/data")
    assert (refused.status, refused.json()["code"]) == (403, "not-open")


def test_an_agent_is_invited_and_dismissed(gateway: Gateway, emily: Visitor):
    page = emily.page
    set_up(gateway, emily)
    make_hall(emily)
    page.get_by_label("Its name").fill("lab")
    page.get_by_label("Its stores").fill("scans logs")
    page.get_by_label("Its services").fill("db")
    emily.press("Invite an agent")
    emily.agree(
        "let a machine join the hall “backups” as the agent “lab” and provide the stores “logs” and "
        "“scans” and the service “db”"
    )
    assert re.fullmatch(r"http://localhost:\d+/halls#[\w-]{43}", emily.handed_over())
    expect(page.get_by_role("row").filter(has_text="lab").filter(has_text="Invited")).to_be_visible()
    emily.keep("38-agent-invited")
    # A store of the gateway can't be given to an agent.
    page.get_by_label("Its name").fill("second")
    page.get_by_label("Its stores").fill("data")
    emily.press("Invite an agent")
    expect(page.get_by_text("The store “data” of the hall “backups” is provided by")).to_be_visible()
    emily.keep("38-agent-name-taken")
    emily.faults[:] = [fault for fault in emily.faults if "409" not in fault]
    emily.press("Dismiss lab")
    emily.agree("put the agent “lab” out of the hall “backups”")
    expect(page.get_by_text("No machine is invited.")).to_be_visible()
    emily.press("Remove the hall")
    emily.agree("remove the hall “backups”")
    expect(page.get_by_text("There is no hall yet.")).to_be_visible()
