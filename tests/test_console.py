"""The console in a real browser: from a fresh gateway to evidence that the owner has read and checked."""

import re
import subprocess
from pathlib import Path

import pytest
from camera import Camera
from conftest import SCREENSHOTS
from console_visitor import PHONE, Visitor
from gateway_process import Gateway
from playwright.sync_api import Browser, expect


@pytest.fixture
def emily(gateway: Gateway, browser: Browser):
    """The first owner's browser. At the end of each test its pages must have no faults."""
    visitor = Visitor(browser, gateway.origin, SCREENSHOTS)
    yield visitor
    visitor.context.close()
    assert visitor.faults == []


@pytest.fixture
def camera(gateway: Gateway, tmp_path: Path):
    """A camera with a certificate of its maker."""
    made = Camera(gateway, tmp_path / "camera")
    yield made
    made.stop()


def set_up(gateway: Gateway, owner: Visitor) -> None:
    """Uses the one-time link to become the owner, with a first key."""
    owner.keys.plug_in()
    owner.open(gateway.set_up_link)
    owner.page.get_by_label("Your name").fill("Emily Gray")
    owner.page.get_by_role("textbox", name="A name for this key").fill("Blue key")
    owner.keep("01-set-up")
    owner.press("Register my first key")
    owner.agree("Emily Gray", button="Register the key")
    expect(owner.page.get_by_role("heading", name="My keys")).to_be_visible()


def trust(owner: Visitor, certificate: str) -> None:
    """Adds a maker of devices."""
    owner.open("/makers")
    owner.page.get_by_label("Name").fill("Acme Cameras")
    owner.page.get_by_label("Certificate (PEM)").fill(certificate)
    owner.press("Accept its devices")
    owner.agree("Acme Cameras")
    expect(owner.page.get_by_role("heading", name="Acme Cameras")).to_be_visible()


def test_from_set_up_to_evidence(
    gateway: Gateway, browser: Browser, emily: Visitor, camera: Camera, tmp_path: Path
):
    page = emily.page

    # Set up as owner, register two keys.
    set_up(gateway, emily)
    expect(page.get_by_text("You have only one key.")).to_be_visible()
    expect(page.get_by_text("Your last key cannot be removed.")).to_be_visible()
    emily.keep("02-one-key")
    emily.keys.plug_in()
    emily.register("Spare key")
    expect(page.get_by_text("You have only one key.")).to_be_hidden()
    emily.keep("03-two-keys")

    # Sign out and sign in with the second key. Nobody types a name.
    emily.press("Sign out")
    expect(page.get_by_role("heading", name="Sign in to localhost")).to_be_visible()
    emily.keep("04-sign-in")
    emily.sign_in()
    emily.keep("05-overview-empty")

    # Invite a second person, who registers a key of their own.
    emily.open("/people")
    page.get_by_label("Name").fill("Lachlan")
    page.get_by_label("Role").last.select_option("operator")
    emily.press("Invite")
    emily.agree("invite Lachlan")
    link = emily.handed_over()
    page.get_by_role("link", name="Read the evidence").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Invite Lachlan")
    expect(page.get_by_text("It holds", exact=True)).to_be_visible()
    lachlan = Visitor(browser, gateway.origin, SCREENSHOTS, viewport=PHONE, has_touch=True)
    lachlan.keys.plug_in()
    lachlan.open(link)
    expect(lachlan.page.get_by_role("heading", name="Welcome, Lachlan")).to_be_visible()
    lachlan.page.get_by_role("textbox", name="A name for this key").fill("Phone")
    lachlan.keep("06-invitation-phone")
    lachlan.press("Register my key")
    lachlan.agree("Lachlan", button="Register the key")
    expect(lachlan.page.get_by_role("heading", name="My keys")).to_be_visible()
    emily.open("/people")
    expect(page.get_by_role("cell", name="Lachlan")).to_be_visible()
    emily.keep("07-people")

    # The link works only once.
    lachlan.open(link)
    expect(lachlan.page.get_by_role("heading", name="This link opens nothing")).to_be_visible()
    # The browser reports the refusal of the link itself. There is no other fault.
    assert [fault for fault in lachlan.faults if "403" not in fault] == []
    lachlan.context.close()

    # Claim a camera by the code that it shows.
    trust(emily, camera.maker)
    emily.keep("08-makers")
    camera.start()
    emily.open("/claim")
    page.get_by_label("Code").fill(camera.code())
    emily.press("Look it up")
    found = page.locator("#found")
    expect(found).to_contain_text(camera.serial)
    expect(found).to_contain_text("Acme Cameras")
    page.get_by_label("A name for it").fill("Camera at the gate")
    emily.keep("09-claim")
    emily.press("Agree with a touch")
    emily.agree(camera.serial)
    expect(page.get_by_role("heading", name="Camera at the gate")).to_be_visible()

    # Watch a transaction arrive.
    emily.open("/transactions")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture = camera.take_picture("gate.jpg")
    row = page.get_by_role("row").filter(has_text="gate.jpg")
    expect(row).to_be_visible(timeout=30_000)
    expect(row).to_contain_text("Camera at the gate")
    expect(row.locator("img")).to_have_js_property("complete", True)
    assert row.locator("img").evaluate("image => image.naturalWidth") > 0
    emily.keep("10-transaction-arrived")

    # Read its explanation.
    row.get_by_role("link", name="gate.jpg").click()
    expect(page.get_by_text("It holds", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{len(picture)} bytes")
    expect(page.get_by_role("table").get_by_text("Nobody touched the key.")).to_be_visible()
    expect(page.get_by_role("heading", name="Attestation certificate")).to_be_visible()
    assert page.locator(".steps .mark.good").count() > 20
    assert page.locator(".steps .mark.bad").count() == 0
    bytes_checked = page.get_by_role("listitem").filter(has_text="The bytes are those that were signed")
    expect(bytes_checked).to_contain_text("holds")
    emily.keep("11-explanation")

    # Save the signed picture, and check it without the server.
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Picture with evidence inside").click()
    signed = tmp_path / "signed.jpg"
    downloading.value.save_as(signed)
    assert picture not in signed.read_bytes()
    camera.stop()
    check(gateway, signed, tmp_path)

    # Look at the pages of the devices and the overview.
    emily.open("/devices")
    expect(page.get_by_role("row").filter(has_text=camera.serial)).to_contain_text("Registered")
    emily.keep("12-devices")
    page.get_by_role("link", name="Camera at the gate").click()
    emily.keep("13-device")
    emily.press("Report stolen")
    emily.agree("stolen")
    expect(page.locator(".mark.bad")).to_have_text("Reported stolen")
    emily.open("/")
    emily.keep("14-overview")


def check(gateway: Gateway, signed: Path, folder: Path) -> None:
    """`hallway verify` agrees with the console."""
    from gateway_process import hallway

    trusted = folder / "trust.json"
    trusted.write_bytes(gateway.get("/api/trust"))
    done = subprocess.run(
        [hallway(), "verify", signed, "--trust", trusted], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_on_a_phone_in_the_dark(gateway: Gateway, browser: Browser):
    visitor = Visitor(
        browser, gateway.origin, SCREENSHOTS, viewport=PHONE, has_touch=True, color_scheme="dark"
    )
    set_up(gateway, visitor)
    for path in ["/", "/transactions", "/devices", "/claim", "/evidence", "/keys", "/people",
                 "/makers", "/refusals"]:
        visitor.open(path)
        visitor.keep(f"phone{path.replace('/', '-')}")
    # The menu folds away, and opens by touch.
    menu = visitor.page.get_by_role("navigation", name="Console")
    expect(menu).to_be_hidden()
    visitor.page.get_by_role("button", name="Menu").tap()
    expect(menu).to_be_visible()
    visitor.keep("phone-menu")
    menu.get_by_role("link", name="Evidence").tap()
    visitor.page.locator(".ledger a").first.tap()
    expect(visitor.page.get_by_text("It holds", exact=True)).to_be_visible()
    visitor.keep("phone-explanation")
    visitor.context.close()
    assert visitor.faults == []


def test_everything_works_without_a_mouse(gateway: Gateway, emily: Visitor):
    set_up(gateway, emily)
    emily.press("Sign out")
    page = emily.page
    expect(page.get_by_role("button", name="Sign in with a key")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    # The first Tab stop is the link that skips the navigation.
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    # The dialog takes the focus. Escape closes it, and nothing is signed.
    emily.open("/people")
    page.get_by_label("Name").fill("Nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign with your key")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    emily.open("/evidence")
    expect(page.get_by_text("Nobody")).to_be_hidden()


def test_a_key_that_is_not_touched_leaves_nothing_behind(gateway: Gateway, emily: Visitor):
    set_up(gateway, emily)
    page = emily.page
    page.get_by_label("A name for the key").fill("Other key")
    emily.press("Register a key")
    emily.agree("register a further key")
    # The only key that is plugged in is registered already.
    page.get_by_role("button", name="Register the key").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile("registered already|No key was"))
    emily.keep("refused-key")
    dialog.get_by_role("button", name="Don’t sign").click()
    expect(page.get_by_text("You have only one key.")).to_be_visible()


def test_a_visitor_without_a_session_signs_in_and_returns_to_the_page(gateway: Gateway, emily: Visitor):
    set_up(gateway, emily)
    emily.press("Sign out")
    expect(emily.page.get_by_role("heading", name="Sign in to localhost")).to_be_visible()
    emily.open("/devices")
    expect(emily.page.get_by_role("heading", name="Sign in to localhost")).to_be_visible()
    emily.press("Sign in with a key")
    expect(emily.page.get_by_role("heading", name="Devices", exact=True)).to_be_visible()


def test_errors_are_shown_as_pages(gateway: Gateway, browser: Browser):
    visitor = Visitor(browser, gateway.origin, SCREENSHOTS)
    set_up(gateway, visitor)
    for path in ["/evidence/" + "00" * 32, "/devices/nothing", "/nowhere"]:
        answer = visitor.page.goto(gateway.origin + path)
        assert answer.status == 404
        expect(visitor.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    visitor.keep("nothing-here")
    visitor.context.close()


def test_pages_can_be_read_without_scripts(gateway: Gateway, browser: Browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(gateway.origin)
    expect(page.get_by_role("heading", name="Sign in to localhost")).to_be_visible()
    context.close()


def test_keys_are_renamed_and_removed_but_never_the_last(gateway: Gateway, emily: Visitor):
    page = emily.page
    set_up(gateway, emily)
    emily.keys.plug_in()
    emily.register("Spare key")
    # From here on she uses the spare key, because a session ends with the key that opened it.
    emily.press("Sign out")
    emily.sign_in()
    emily.open("/keys")
    blue = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Blue key"))
    blue.locator("summary").click()
    blue.get_by_label("New name").fill("Old key")
    blue.get_by_role("button", name="Rename").click()
    old = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Old key"))
    old.get_by_role("button", name="Remove").click()
    emily.agree("remove the key “Old key”")
    expect(page.get_by_text("You have only one key.")).to_be_visible()
    expect(page.get_by_role("heading", name="Old key")).to_be_hidden()
    expect(page.get_by_role("button", name="Remove")).to_be_hidden()
    # The removed key opens no session; the other key does.
    emily.press("Sign out")
    emily.keys.touch(0)
    emily.press("Sign in with a key")
    expect(page.get_by_text("This key does not open this realm")).to_be_visible()
    emily.keep("removed-key")
    emily.keys.touch(1)
    emily.sign_in()
    # The browser reports the refusal of the link itself. There is no other fault.
    emily.faults = [fault for fault in emily.faults if "403" not in fault]


def test_a_person_without_keys_returns_by_a_recovery_link(gateway: Gateway, browser: Browser, emily: Visitor):
    set_up(gateway, emily)
    emily.open("/people")
    emily.page.get_by_label("Name").fill("Ruth")
    emily.press("Invite")
    emily.agree("invite Ruth")
    ruth = Visitor(browser, gateway.origin, SCREENSHOTS)
    ruth.keys.plug_in()
    ruth.open(emily.handed_over())
    ruth.page.get_by_role("textbox", name="A name for this key").fill("Lost key")
    ruth.press("Register my key")
    ruth.agree("Ruth", button="Register the key")
    expect(ruth.page.get_by_role("heading", name="My keys")).to_be_visible()
    # A member's navigation has no pages that only an owner may see.
    expect(ruth.page.get_by_role("link", name="People")).to_be_hidden()

    emily.open("/people")
    emily.page.get_by_label("Change Ruth").click()
    emily.press("Make a recovery link")
    emily.agree("Ruth")
    emily.keep("recovery")
    link = emily.handed_over()

    again = Visitor(browser, gateway.origin, SCREENSHOTS)
    again.keys.plug_in()
    again.open(link)
    expect(again.page.get_by_role("heading", name="Welcome back, Ruth")).to_be_visible()
    again.page.get_by_role("textbox", name="A name for this key").fill("New key")
    again.press("Register my new key")
    again.agree("Ruth", button="Register the key")
    expect(again.page.get_by_role("heading", name="New key")).to_be_visible()
    expect(again.page.get_by_role("heading", name="Lost key")).to_be_hidden()
    # The session that the lost key opened has ended.
    ruth.open("/keys")
    expect(ruth.page.get_by_role("heading", name="Sign in to localhost")).to_be_visible()
    for visitor in (ruth, again):
        visitor.context.close()
        assert visitor.faults == []


def test_a_wrong_code_gets_an_answer_that_helps(gateway: Gateway, browser: Browser):
    visitor = Visitor(browser, gateway.origin, SCREENSHOTS)
    set_up(gateway, visitor)
    visitor.open("/claim")
    visitor.page.get_by_label("Code").fill("BCDF-GHJK")
    visitor.press("Look it up")
    expect(visitor.page.get_by_text("look at the device again")).to_be_visible()
    expect(visitor.page.locator("#found")).to_be_hidden()
    visitor.keep("wrong-code")
    visitor.context.close()
