"""Virtual security keys: Chromium's virtual authenticators (the WebAuthn domain of the DevTools protocol).
They answer like a key with a PIN that is touched at once."""

from playwright.sync_api import CDPSession, Page


class Keys:
    """The keys that are plugged in at one page."""

    def __init__(self, page: Page):
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        self._ids: list[str] = []

    def plug_in(self) -> int:
        """Plugs a new key in, makes it the only key that is touched, and returns its number."""
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "usb",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": False,
        }
        answer = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._ids.append(answer["authenticatorId"])
        self.touch(len(self._ids) - 1)
        return len(self._ids) - 1

    def touch(self, number: int | None) -> None:
        """Touches only this key from now on; -1 means the newest key, None means no key."""
        if number == -1:
            number = len(self._ids) - 1
        for other, identifier in enumerate(self._ids):
            self._session.send(
                "WebAuthn.setAutomaticPresenceSimulation",
                {"authenticatorId": identifier, "enabled": other == number},
            )

    def credentials(self, number: int) -> list[dict]:
        """The credentials on this key."""
        identifier = self._ids[number]
        answer = self._session.send("WebAuthn.getCredentials", {"authenticatorId": identifier})
        return answer["credentials"]
