"""People who call the gateway's API, with the keys of `soft_webauthn`."""

import http.client
import json
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

from gateway_process import Gateway
from soft_webauthn import ES256, Credential, unb64


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    def expect(self, status: int = 200) -> dict:
        """Checks the status and returns the JSON."""
        assert self.status == status, f"{self.status}: {self.body[:2000]}"
        return self.json

    def expect_bytes(self, status: int) -> bytes:
        """Checks the status and returns the bytes."""
        assert self.status == status, f"{self.status}: {self.body[:2000]}"
        return self.body

    def expect_text(self, status: int) -> str:
        """Checks the status and returns the text."""
        return self.expect_bytes(status).decode()

    def refused(self, status: int, code: str | None) -> dict:
        """Checks the status and the code of a refusal, and returns its problem details (RFC 9457)."""
        assert self.status == status, f"not {status} {code} but {self.status}: {self.body[:2000]}"
        assert self.headers["Content-Type"] == "application/problem+json"
        problem = self.json
        assert (problem["status"], problem.get("code")) == (status, code), problem
        assert problem["detail"] and problem["title"]
        return problem

    @property
    def cookie(self) -> str | None:
        """NAME=VALUE of the cookie that the answer sets."""
        text = self.headers["Set-Cookie"]
        return text.split(";")[0] if text else None


@dataclass
class Caller:
    """A client of the gateway, with or without a session."""

    origin: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Sends one request, whose body is JSON unless it is bytes."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(urlsplit(self.origin).netloc, timeout=30)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return self.call("POST", path, {} if body is None else body, **headers)

    def pages(self, path: str) -> list[dict]:
        """All items of a list, read page by page."""
        items: list[dict] = []
        after = ""
        while True:
            page = self.get(f"{path}?limit=100&after={after}").expect()
            items += page["items"]
            if not (after := page["next"]):
                return items


def challenge_of(ceremony: dict) -> bytes:
    """The challenge of a ceremony: the SHA-256 of its statement."""
    return sha256(unb64(ceremony["statement"])).digest()


def answered(ceremony: dict, credential: dict) -> dict:
    """The request body that answers a ceremony."""
    parts = {"statement": ceremony["statement"], "seal": ceremony["seal"], "credential": credential}
    if "attachment" in ceremony:
        parts["attachment"] = ceremony["attachment"]
    return parts


class Person(Caller):
    """A person with a key and a session."""

    def __init__(self, origin: str, link: str, name: str | None = None, algorithm: int = ES256):
        """Registers a key by a one-time link, then signs in with it."""
        super().__init__(origin)
        token = {"token": link.split("#")[1]}
        wanted = {**token, "label": "first key"} | ({"name": name} if name else {})
        ceremony = self.post("/api/keys/statement", wanted).expect()
        self.key = Credential.create(ceremony["public_key"], origin, algorithm)
        made = self.key.register(challenge_of(ceremony))
        done = self.post("/api/keys", answered(ceremony, made.to_json()) | token).expect()
        self.id, self.name = done["person"]["id"], done["person"]["name"]
        self.sign_in()

    @classmethod
    def owner(cls, gateway: Gateway) -> "Person":
        """Sets up a fresh gateway as its first owner."""
        return cls(gateway.origin, gateway.set_up_link, "Olga")

    def sign_in(self) -> None:
        """Opens a session, whose token every later call sends."""
        signed = self.try_to_sign_in()
        self.headers = {"Authorization": f"Bearer {signed.expect()['token']}"}

    def try_to_sign_in(self, key: Credential | None = None, **wrong: object) -> Reply:
        """Signs in once, with the values of `wrong` in the assertion."""
        ceremony = Caller(self.origin).post("/api/sign-in/statement").expect()
        made = (key or self.key).sign(**({"challenge": challenge_of(ceremony)} | wrong))
        body = answered(ceremony, made.to_json()) | {"grant": "bearer"}
        return Caller(self.origin).post("/api/sign-in", body)

    def prepare(self, act: str, **fields: object) -> dict:
        """The ceremony of an act. `act` is the name of its statement."""
        return self.post("/api/acts/statement", {"act": act, **fields}).expect()

    def touch(self, ceremony: dict, **wrong: object) -> Reply:
        """Answers a ceremony with the key, with the values of `wrong` in the assertion."""
        made = self.key.sign(**({"challenge": challenge_of(ceremony)} | wrong))
        return self.post("/api/acts", answered(ceremony, made.to_json()))

    def act(self, act: str, **fields: object) -> dict:
        """Prepares an act, touches the key, and returns the gateway's answer."""
        return self.touch(self.prepare(act, **fields)).expect()

    def invite(self, name: str, role: str = "member", algorithm: int = ES256) -> "Person":
        """Invites a new person, who registers a key at once."""
        link = self.act("people.invite", name=name, role=role)["link"]
        return Person(self.origin, link, algorithm=algorithm)

    def right_to_a_key(self) -> dict[str, str]:
        """Makes a link for a further key, by a touch. Returns the fields for the registration."""
        return {"token": self.act("web.add_key")["link"].split("#")[1]}

    def try_to_add_key(
        self,
        label: str = "second key",
        algorithm: int = ES256,
        right: dict[str, str] | None = None,
        **wrong: object,
    ) -> tuple[Credential, Reply]:
        """Tries to register a further key, with the values of `wrong` in the registration."""
        right = right or self.right_to_a_key()
        ceremony = self.post("/api/keys/statement", {**right, "label": label}).expect()
        key = Credential.create(ceremony["public_key"], self.origin, algorithm)
        made = key.register(**({"challenge": challenge_of(ceremony)} | wrong))
        return key, self.post("/api/keys", answered(ceremony, made.to_json()) | right)

    def add_key(self, label: str = "second key", algorithm: int = ES256) -> Credential:
        """Registers a further key."""
        key, reply = self.try_to_add_key(label, algorithm)
        reply.expect()
        return key

    def state_of_the_realm(self) -> dict:
        """Everything, as an owner sees it, that a refusal must not change."""
        checkpoint = self.get("/log/checkpoint").body.split(b"\n")
        transactions = self.pages("/api/transactions")
        return {
            "log": checkpoint[1],
            "people": self.pages("/api/people"),
            "devices": [without(row, "last_seen_ms") for row in self.pages("/api/devices")],
            "keys": [without(row, "last_used_ms") for row in self.get("/api/keys").expect()],
            "makers": self.get("/api/makers").expect(),
            "transactions": transactions,
        }


def without(row: dict, name: str) -> dict:
    return {key: value for key, value in row.items() if key != name}
