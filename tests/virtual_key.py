"""Security keys that are not there: Chromium's virtual authenticators (the DevTools protocol's
WebAuthn domain), which answer as a key with a PIN does when it is touched at once."""

from playwright.sync_api import CDPSession, Page


class Keys:
    """The keys that are plugged in at one page."""

    def __init__(self, page: Page):
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        self._ids: list[str] = []

    def plug_in(self) -> int:
        """Plugs a new key in; only this one is touched from now on. Gives its number."""
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
        """Lets this key be touched whenever one is asked for, and no other; -1: the newest; None: none."""
        if number == -1:
            number = len(self._ids) - 1
        for other, identifier in enumerate(self._ids):
            self._session.send(
                "WebAuthn.setAutomaticPresenceSimulation",
                {"authenticatorId": identifier, "enabled": other == number},
            )

    def credentials(self, number: int) -> list[dict]:
        """What this key holds."""
        identifier = self._ids[number]
        answer = self._session.send("WebAuthn.getCredentials", {"authenticatorId": identifier})
        return answer["credentials"]
