"""Two organisations become partners in two browsers, share a hall and part again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SCREENSHOTS
from console_visitor import DESKTOP, PHONE, Visitor
from gateway_process import Gateway
from hall_place import free_port
from playwright.sync_api import Browser, expect
from test_console import set_up


class Office(Gateway):
    """A gateway under a name of its own on this machine."""

    def __init__(self, folder: Path, name: str, offered: str = ""):
        port = free_port()
        folder.mkdir()
        (folder / "hallway.toml").write_text(
            f'realm = "{name}.localhost"\n'
            f'public_url = "http://gate.{name}.localhost:{port}"\n'
            f'[hall]\nlisten = "127.0.0.1:0"\n{offered}'
        )
        super().__init__(folder, "--listen", f"127.0.0.1:{port}")


@pytest.fixture
def offices(tmp_path: Path) -> Iterator[tuple[Office, Office]]:
    (tmp_path / "files").mkdir()
    offers = f'[[hall.stores]]\nhall = "backups"\nname = "data"\nfolder = "{tmp_path / "files"}"\n'
    both = Office(tmp_path / "alpha", "alpha", offers), Office(tmp_path / "beta", "beta")
    yield both
    for office in both:
        assert office.stop() == 0, "\n".join(office.lines)


def owner(browser: Browser, office: Office) -> Visitor:
    visitor = Visitor(browser, office.origin, SCREENSHOTS)
    set_up(office, visitor)
    return visitor


def sign(visitor: Visitor, sentence: str) -> None:
    """Reads the sentence, touches the key, and waits until the act is done."""
    visitor.agree(sentence)
    expect(visitor.page.get_by_text("Signed, and in the log.")).to_be_visible()


def join(ada: Visitor, ben: Visitor) -> None:
    """Ada invites Ben's realm, and he accepts."""
    ada.open("/partners")
    ada.keep("partners-none")
    expect(ada.page.get_by_text("There is no partner yet.")).to_be_visible()
    ada.page.get_by_label("Its gateway’s address").fill(ben.origin)
    ada.press("Invite")
    ada.agree("the realm beta.localhost at " + ben.origin)
    link = ada.handed_over()
    expect(ada.page.get_by_text("Invited", exact=True)).to_be_visible()
    ada.keep("partners-invited")

    ben.open("/partners")
    ben.page.get_by_label("The link you were sent").fill(link)
    ben.press("Accept")
    sign(ben, "become a partner of the realm alpha.localhost")
    # Ben's gateway tells Ada's a moment later.
    partner = ben.page.get_by_text("Partner", exact=True)
    while not partner.is_visible():
        ben.page.reload()
    ada.open("/partners")
    expect(ada.page.get_by_text("Partner", exact=True)).to_be_visible()


def share(ada: Visitor, rights: str) -> None:
    """Ada creates a hall and admits everybody of Ben's realm."""
    ada.open("/halls")
    ada.page.get_by_label("What people call it").fill("Backups of the lab")
    ada.page.get_by_label("Its name in commands").fill("backups")
    ada.press("Make it")
    sign(ada, "make the hall “backups”")
    ada.open("/halls/backups")
    ada.page.get_by_label("Who", exact=True).select_option("everybody of beta.localhost")
    ada.page.get_by_label("To do what").fill(rights)
    ada.press("Admit")
    sign(ada, "let everybody of the partner beta.localhost enter the hall “backups”")


def test_two_owners_join_share_and_part(browser: Browser, offices: tuple[Office, Office]):
    alpha, beta = offices
    ada, ben = owner(browser, alpha), owner(browser, beta)
    join(ada, ben)
    share(ada, "read:data")
    ada.open("/partners")
    expect(ada.page.get_by_role("cell", name="everybody of beta.localhost")).to_be_visible()
    with ada.page.expect_navigation():
        ada.press("Look at beta.localhost now")
    expect(ada.page.get_by_text("Partner", exact=True)).to_be_visible()
    ada.keep("partners")
    ada.page.set_viewport_size(PHONE)
    ada.keep("partners-phone")
    ada.page.set_viewport_size(DESKTOP)

    ada.open("/halls/backups")
    ada.press("Dismiss everybody of beta.localhost")
    sign(ada, "no longer let everybody of the partner beta.localhost enter")
    expect(ada.page.get_by_text("everybody of beta.localhost enter")).to_have_count(0)

    ben.open("/partners")
    ben.press("Leave alpha.localhost")
    sign(ben, "be a partner of alpha.localhost no longer")
    expect(ben.page.get_by_text("We left")).to_be_visible()
    left = ada.page.get_by_text("They left")
    ada.open("/partners")
    while not left.is_visible():
        ada.page.reload()
    ada.keep("partners-left")

    # A realm's next authority is in its bundle before it signs.
    for stage in ["Signs", "Next"]:
        expect(ada.page.get_by_text(stage, exact=True)).to_be_visible()
    ada.press("Have the next one sign now")
    sign(ada, "what that one signed is good until it ends")
    expect(ada.page.get_by_text("Retires", exact=True)).to_be_visible()
    ada.page.get_by_text("A key has leaked").click()
    ada.keep("partners-own-authorities")
    ada.page.set_viewport_size(PHONE)
    ada.keep("partners-own-authorities-phone")
    ada.page.set_viewport_size(DESKTOP)
    ada.press("Withdraw all but the next")
    sign(ada, "withdraw at once, because its key may have leaked")
    expect(ada.page.get_by_text("Retires", exact=True)).to_have_count(0)
    assert not ada.faults and not ben.faults, ada.faults + ben.faults
