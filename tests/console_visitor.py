"""A person at the console: a browser window with security keys."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from virtual_key import Keys

DESKTOP = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}

# The largest HTML page that the gateway may send.
PAGE_LIMIT_BYTES = 60_000

# Reports each violation of a page's content security policy to the test.
WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

# The browser makes the request, because it knows names of this machine that the system does not.
WEIGHT = "async () => (await (await fetch(location.href)).arrayBuffer()).byteLength"


class Visitor:
    """A person's browser. `faults` collects the errors of all its pages."""

    def __init__(self, browser: Browser, origin: str, screenshots: Path, **options):
        self.origin = origin
        self.screenshots = screenshots
        self.faults: list[str] = []
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(60_000)
        self.context.add_init_script(WATCH_POLICY)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.keys = Keys(self.page)

    def _heard(self, message) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{self.page.url}: {message.text}")

    def open(self, path: str) -> None:
        """Opens a page."""
        answer = self.page.goto(self.origin + path if path.startswith("/") else path)
        assert answer is None or answer.ok, f"{path} answered {answer.status}"

    def keep(self, name: str) -> None:
        """Saves a screenshot of the whole page. Checks that the page is small and that its width fits the
        window."""
        weight = self.page.evaluate(WEIGHT)
        assert weight < PAGE_LIMIT_BYTES, f"{name} has {weight} bytes"
        self.screenshots.mkdir(exist_ok=True)
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"], f"{name} is {width} pixels wide"

    def press(self, name: str) -> None:
        """Presses the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def agree(self, sentence: str, button: str = "Sign with your key") -> None:
        """Reads the sentence that will be signed, then touches the key."""
        dialog = self.page.get_by_role("dialog", name="You are about to sign")
        expect(dialog.locator(".sentence")).to_contain_text(sentence)
        dialog.get_by_role("button", name=button).click()
        # The dialog is closed, or shows the next sentence.
        expect(dialog.filter(has_text=sentence)).to_be_hidden()

    def register(self, label: str) -> None:
        """Registers the newest key on the page of one's keys; the first key signs for it."""
        self.keys.touch(0)
        self.page.get_by_label("A name for the key").fill(label)
        self.press("Register a key")
        self.agree("register a further key")
        self.keys.touch(-1)
        self.agree(label, button="Register the key")
        expect(self.page.get_by_role("heading", name=label)).to_be_visible()

    def sign_in(self) -> None:
        """Signs in with the key that is touched."""
        self.press("Sign in with a key")
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def handed_over(self) -> str:
        """Returns the one-time link that the page shows."""
        dialog = self.page.get_by_role("dialog", name="Hand over this link")
        link = dialog.get_by_label("One-time link").input_value()
        dialog.get_by_role("button", name="Done").click()
        return link
