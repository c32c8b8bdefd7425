"""The network cuts a browser's upload, which then goes on."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from console_visitor import Visitor
from gateway_process import Gateway
from hall_place import free_port
from playwright.sync_api import Browser, Page, expect
from small_disk import MEGABYTE
from test_console import set_up
from test_hall_console import make_hall
from wire import Network

SIZE_BYTES = 30 * MEGABYTE


@pytest.fixture
def network():
    with closing(Network(("127.0.0.1", free_port()))) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def gateway(tmp_path: Path, files: Path, network: Network):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hallway.toml").write_text(
        f'public_url = "http://localhost:{network.port}"\n[hall]\nlisten = "127.0.0.1:0"\n'
        f'[[hall.stores]]\nhall = "backups"\nname = "data"\nfolder = "{files}"\n'
    )
    running = Gateway(data, "--listen", f"127.0.0.1:{network.target[1]}")
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture
def page(gateway: Gateway, network: Network, browser: Browser, tmp_path: Path):
    """The page of the store, opened by a touch."""
    visitor = Visitor(browser, gateway.origin, tmp_path / "pictures")
    set_up(gateway, visitor)
    make_hall(visitor)
    visitor.page.get_by_role("link", name="data", exact=True).click()
    visitor.press("Open it with a touch")
    visitor.agree("open the hall “backups”")
    expect(visitor.page.get_by_label("Upload files")).to_be_attached()
    network.slow_to = 8 * MEGABYTE
    yield visitor.page
    visitor.context.close()
    # The browser reports the cut connections itself. There is no other fault.
    assert [fault for fault in visitor.faults if "net::ERR_" not in fault] == []


def begin(page: Page, network: Network, tmp_path: Path) -> bytes:
    """Chooses a big file, and returns when some of it has been sent."""
    content = os.urandom(SIZE_BYTES)
    (tmp_path / "large.bin").write_bytes(content)
    page.get_by_label("Upload files").set_input_files(tmp_path / "large.bin")
    network.wait_until_moved(10 * MEGABYTE)
    return content


def test_an_upload_goes_on_after_the_network_was_cut(
    page: Page, network: Network, files: Path, tmp_path: Path
):
    before = network.moved
    content = begin(page, network, tmp_path)
    network.cut()
    expect(page.get_by_text("The connection was lost. Trying again.")).to_be_visible()
    assert [path.name for path in files.iterdir()] == [".hallway"], "an unfinished file is visible"
    network.mend()
    expect(page.get_by_text("large.bin is there.")).to_be_visible(timeout=60_000)
    assert (files / "large.bin").read_bytes() == content
    assert network.moved - before < 1.6 * SIZE_BYTES, "the upload began anew"
    assert list((files / ".hallway/uploads").iterdir()) == []


def test_a_stopped_upload_can_be_resumed(
    page: Page, network: Network, files: Path, tmp_path: Path
):
    before = network.moved
    content = begin(page, network, tmp_path)
    page.get_by_role("button", name="Stop large.bin").click()
    expect(page.get_by_text("Stopped. What was sent is kept for a while.")).to_be_visible()
    assert not (files / "large.bin").exists()
    page.get_by_text("Resume", exact=True).click()
    expect(page.get_by_text("large.bin is there.")).to_be_visible(timeout=60_000)
    assert (files / "large.bin").read_bytes() == content
    assert network.moved - before < 1.6 * SIZE_BYTES, "the upload began anew"
