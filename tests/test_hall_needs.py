"""The demands of an admission: a kind of key, hours of the week, and the approval of a second person."""

import base64
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import SCREENSHOTS
from console_visitor import DESKTOP, PHONE, Visitor
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from gateway_process import hallway
from hall_place import HALL, PASSPHRASE, Echo, Guest, Realm, service, store
from metadata_service import Model, Service
from playwright.sync_api import Browser, expect
from test_hall_open import exchange, is_cut
from uuid import UUID

AAGUID = b"hallway test key"
ALWAYS = "mon-sun 00:00-24:00 Europe/Berlin"
# A day three days from now, so that it is not today in any time zone.
OTHER_DAY = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> tuple[Path, Path]:
    """A software key whose maker attests it, and the maker's certificate."""
    folder = tmp_path_factory.mktemp("maker")
    key = folder / "certified.key"
    done = subprocess.run(
        [hallway(), "device", "provision", key, "--serial", "1", "--aaguid", str(UUID(bytes=AAGUID))]
        + ["--maker", folder / "maker"],
        env={**os.environ, "HALLWAY_PASSPHRASE": PASSPHRASE},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return key, folder / "maker" / "maker.pem"


@pytest.fixture(scope="module")
def realm(echo: Echo, certified: tuple[Path, Path], tmp_path_factory) -> Iterator[Realm]:
    """A realm whose metadata list the model of the certified key."""
    folder = tmp_path_factory.mktemp("place")
    root = x509.load_pem_x509_certificate(certified[1].read_bytes()).public_bytes(Encoding.DER)
    model = Model("Test key", AAGUID, attestationRootCertificates=[base64.b64encode(root).decode()])
    metadata, blob = Service(), folder / "blob.jwt"
    blob.write_bytes(metadata.blob(1, model.entry()))
    known = f'[metadata]\nfile = "{blob}"\nroot = "{metadata.write_root(folder)}"\n'
    offers = service("echo", echo.port) + store("data", folder / "files") + known
    made = Realm(folder / "realm", offers)
    made.owner.post("/api/metadata/refresh").expect()
    yield made
    made.close()


def join(realm: Realm, name: str, role: str, key: Path | None = None) -> Guest:
    link = realm.owner.act("people.invite", name=name, role=role)["link"]
    guest = Guest(realm.folder / name, realm.gateway.origin, link, key)
    realm.guests.append(guest)
    return guest


@pytest.fixture(scope="module")
def cleo(realm: Realm) -> Guest:
    """An owner at a shell."""
    return join(realm, "Cleo", "owner")


@pytest.fixture(scope="module")
def ada(realm: Realm, certified: tuple[Path, Path]) -> Guest:
    """A member whose key is certified."""
    return join(realm, "Ada", "member", certified[0])


@pytest.fixture(scope="module")
def bob(realm: Realm) -> Guest:
    """A member whose key is not certified."""
    return join(realm, "Bob", "member")


def admit(owner: Guest, *demands: str) -> str:
    """Admits everybody with these demands. Returns the sentence that the command shows."""
    admission = ["hall", "admit", HALL, "--role", "member", "--rights", "connect:echo,read:data"]
    return owner.run(*admission, *demands).stderr


def speaks(opened) -> None:
    with socket.create_connection(opened.address("echo")) as stream:
        assert exchange(stream, b"hello") == b"hello"


def test_a_certified_key_within_the_hours(realm: Realm, cleo: Guest, ada: Guest, bob: Guest):
    said = admit(cleo, "--needs-key", "certified", "--hours", ALWAYS)
    assert "only with a certified hardware key, every day, 00:00 to 24:00 Europe/Berlin" in said
    shown = cleo.json("hall", "show", HALL)
    assert shown["guests"][0]["needs"] == {"key": "L1", "hours": ALWAYS}
    assert f"hours {ALWAYS}, key L1" in cleo.run("hall", "show", HALL).stdout

    bob.refused("open", HALL, words="it opens with a certified hardware key, and")
    missing = bob.json("hall", "show", HALL)["demands"][0]["missing"]
    assert len(missing) == 1 and "certified hardware key" in missing[0]
    assert ada.json("hall", "show", HALL)["demands"][0]["missing"] == []
    opened = ada.open("--rights", "connect:echo")
    stream = socket.create_connection(opened.address("echo"))
    stream.sendall(b"x")
    assert stream.recv(1) == b"x"

    # An opening ends when the new hours exclude the present.
    admit(cleo, "--needs-key", "hardware", "--hours", f"{OTHER_DAY} 08:00-18:00 UTC")
    assert is_cut(stream)
    assert opened.process.wait(30) == 1
    ada.refused("open", HALL, words="08:00 to 18:00 UTC, and there it is")
    ada.refused("ls", f"{HALL}:data", words="there it is")


def test_malformed_demands_are_refused(cleo: Guest):
    admission = ["hall", "admit", HALL, "--role", "member", "--rights", "read:data"]
    for demand, words in [
        (["--hours", "always"], "mon-fri 08:00-18:00 Europe/Berlin"),
        (["--needs-key", "gold"], "hardware, certified, or a level"),
        (["--needs-approval", "king"], "member, operator or owner"),
    ]:
        done = cleo.try_to(*admission, *demand)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    mars = [*admission, "--hours", "mon-fri 08:00-18:00 Mars/Olympus"]
    cleo.refused(*mars, words="there is no time zone “Mars/Olympus”")


def test_an_opening_waits_for_a_second_person(realm: Realm, cleo: Guest, ada: Guest, bob: Guest):
    assert "each time approved by an operator" in admit(cleo, "--needs-approval", "operator")
    opened = bob.open("--rights", "connect:echo", until="waiting")
    grant = opened.first["grant"]
    assert opened.first["role"] == "operator"
    assert opened.first["approvers"] == ["Cleo", "Olga"]
    bob.refused("hall", "approve", grant, words="another person has to approve")
    ada.refused("hall", "approve", grant, words="this needs the role operator")
    assert [row["id"] for row in cleo.json("hall", "approvals")] == [grant]
    assert bob.json("hall", "approvals") == []

    said = cleo.run("hall", "approve", grant).stderr
    assert f"approve that Bob opens the hall “{HALL}” to connect to “echo”" in said
    opened.enter()
    speaks(opened)
    mine = [row for row in bob.json("hall", "grants")["items"] if row["id"] == grant]
    assert mine[0]["approved_by"] == cleo.id and mine[0]["state"] == "open"
    cleo.refused("hall", "approve", grant, words="does not wait")

    # When the approver is suspended the grant ends. A reinstatement does not bring it back.
    realm.owner.act("people.suspend", person=cleo.id)
    assert opened.process.wait(30) == 1
    realm.owner.act("people.reinstate", person=cleo.id)
    ended = [row for row in bob.json("hall", "grants")["items"] if row["id"] == grant]
    assert ended[0]["state"] == "ended"


def test_only_a_waiting_grant_can_be_approved(cleo: Guest, bob: Guest):
    admit(cleo, "--needs-approval", "operator")
    opened = bob.open("--rights", "connect:echo", until="waiting")
    opened.process.send_signal(signal.SIGINT)
    assert opened.process.wait(30) == 0, "".join(opened.said)
    assert opened.wait_for("ended")["reason"] == "given up"
    assert cleo.json("hall", "approvals") == []
    cleo.refused("hall", "approve", opened.first["grant"], words="does not wait")
    # If an operator refuses, the grant ends, and the waiting command says so.
    opened = bob.open("--rights", "connect:echo", until="waiting")
    cleo.run("hall", "end", opened.first["grant"])
    assert opened.process.wait(30) == 1
    assert "ended" in "".join(opened.said)


def test_ls_waits_for_an_approval_too(cleo: Guest, bob: Guest, realm: Realm):
    admit(cleo, "--needs-approval", "owner")
    (realm.folder.parent / "files" / "notes.txt").write_text("notes")
    listing = subprocess.Popen(
        [hallway(), "ls", f"{HALL}:data"],
        env=bob.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "hallway hall approve" not in said:
        line = listing.stderr.readline()
        assert line, said
        said += line
    assert "a second person who is an owner approves it: Cleo, Olga" in said
    grant = said.split("hallway hall approve ")[1].split("`")[0]
    cleo.run("hall", "approve", grant)
    out, rest = listing.communicate(timeout=60)
    assert listing.returncode == 0, rest
    assert "notes.txt" in out


@pytest.fixture
def dora(realm: Realm, browser: Browser) -> Iterator[Visitor]:
    """An operator at the console. At the end of each test its pages must have no faults."""
    visitor = Visitor(browser, realm.gateway.origin, SCREENSHOTS)
    visitor.keys.plug_in()
    visitor.open(realm.owner.act("people.invite", name="Dora", role="operator")["link"])
    visitor.page.get_by_role("textbox", name="A name for this key").fill("Key")
    visitor.press("Register my key")
    visitor.agree("Dora", button="Register the key")
    expect(visitor.page.get_by_role("heading", name="My keys")).to_be_visible()
    yield visitor
    visitor.context.close()
    assert visitor.faults == []


def test_the_console_approves_and_waits_for_approval(realm: Realm, cleo: Guest, bob: Guest, dora: Visitor):
    page = dora.page
    (realm.folder.parent / "files" / "notes.txt").write_text("notes")
    admit(cleo, "--needs-approval", "operator", "--hours", ALWAYS)
    opened = bob.open("--rights", "connect:echo", until="waiting")
    dora.open("/")
    figure = page.locator(".figures div").filter(has_text="Waiting for approval")
    expect(figure.get_by_role("definition")).to_have_text("1")
    dora.keep("50-overview-approvals")
    figure.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Waiting for approval")).to_be_visible()
    dora.keep("51-halls-approvals")
    dora.press("Approve the opening of Bob")
    dora.agree(f"approve that Bob opens the hall “{HALL}” to connect to “echo”")
    expect(page.get_by_role("heading", name="Waiting for approval")).to_be_hidden()
    opened.enter()
    speaks(opened)
    opened.close()

    # Dora's own opening waits on the page until another person approves it.
    dora.open(f"/halls/{HALL}")
    expect(page.get_by_text("Asks", exact=True)).to_be_visible()
    dora.press("Open it with a touch")
    dora.agree(f"open the hall “{HALL}” of localhost to Dora")
    waiting = page.locator("[data-waits]")
    expect(waiting).to_contain_text("until an operator approves it: Cleo, Olga.")
    dora.keep("52-hall-waiting")
    page.set_viewport_size(PHONE)
    dora.keep("53-hall-waiting-phone")
    page.set_viewport_size(DESKTOP)
    grant = cleo.json("hall", "approvals")[0]["id"]
    cleo.run("hall", "approve", grant)
    expect(page.get_by_text("in this browser. It closes")).to_be_visible()
    page.get_by_role("link", name="data", exact=True).click()
    expect(page.get_by_role("button", name="notes.txt", exact=True)).to_be_visible()


def test_an_owner_sets_demands_in_the_console(realm: Realm, browser: Browser):
    owner = Visitor(browser, realm.gateway.origin, SCREENSHOTS)
    page = owner.page
    owner.keys.plug_in()
    owner.open(realm.owner.act("people.invite", name="Otto", role="owner")["link"])
    page.get_by_role("textbox", name="A name for this key").fill("Key")
    owner.press("Register my key")
    owner.agree("Otto", button="Register the key")
    expect(page.get_by_role("heading", name="My keys")).to_be_visible()
    owner.open(f"/halls/{HALL}")
    page.get_by_label("To do what").fill("connect:echo read:data")
    page.get_by_text("Add conditions").click()
    page.get_by_label("The key").select_option("L1")
    page.get_by_label("Approved each time by").select_option("operator")
    page.get_by_label("Only in these hours").fill("always")
    owner.keep("54-hall-demand")
    owner.press("Admit")
    expect(page.get_by_text("hours are days, times and a time zone")).to_be_visible()
    page.get_by_label("Only in these hours").fill(ALWAYS)
    owner.press("Admit")
    owner.agree(
        "let everybody of the realm enter the hall “lab” to read “data”, connect to “echo”, only with a "
        "certified hardware key, every day, 00:00 to 24:00 Europe/Berlin, each time approved by an operator"
    )
    expect(page.get_by_text("Missing").first).to_be_visible()
    owner.keep("55-hall-demands")
    page.set_viewport_size(PHONE)
    owner.keep("56-hall-demands-phone")
    page.set_viewport_size(DESKTOP)
    # The page refuses the browser's key before the touch, and says what the key lacks.
    owner.press("Open it with a touch")
    refusal = page.locator("[data-act='hall.open'] .status")
    expect(refusal).to_contain_text("it opens with a certified hardware key, and")
    owner.context.close()
