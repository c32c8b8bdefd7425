"""The gateway's knowledge of models of keys, and the decisions that it bases on it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from api_caller import Caller, Person, Reply, answered, challenge_of
from conftest import SCREENSHOTS
from console_visitor import PHONE, Visitor
from gateway_process import Gateway, GatewayAgain
from metadata_service import (
    NEXT_MONTH,
    PIXEL,
    TODAY,
    TOMORROW,
    YESTERDAY,
    Model,
    Service,
    Web,
    report,
)
from playwright.sync_api import Browser, expect
from soft_device import Device, Maker
from soft_webauthn import AT, BE, UP, UV, Credential
from waiting import eventually

ACME, OTHER = b"acme key model 5", b"another key model"[:16]


class Realm:
    """A gateway with a metadata service of its own, as a file."""

    def __init__(self, folder: Path, config: str = ""):
        self.service, self.acme, self.other = Service(), Model("Acme 5", ACME), Model("Other", OTHER)
        self.file = folder / "blob.jwt"
        (folder / "known").mkdir()
        (folder / "known" / "hallway.toml").write_text(config)
        self.options = ["--metadata-file", self.file]
        self.options += ["--metadata-root", self.service.write_root(folder)]
        self.publish(1)
        self.gateway = Gateway(folder / "known", *self.options)
        self.owner = Person.owner(self.gateway)
        self.look()

    def publish(self, number: int, *reports: dict, next_update=NEXT_MONTH) -> None:
        """Writes a BLOB to the gateway's file. The reports are about the model Acme 5."""
        entries = [self.acme.entry(*reports), self.other.entry()]
        self.file.write_bytes(self.service.blob(number, *entries, next_update=next_update))

    def look(self) -> dict:
        """Makes the gateway look for newer metadata now."""
        return self.owner.post("/api/metadata/refresh").expect()

    def restart(self) -> None:
        """Stops the gateway and starts it on the same folder."""
        assert self.gateway.stop() == 0, "\n".join(self.gateway.lines)
        self.gateway = GatewayAgain(self.gateway, *self.options)


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[Realm]:
    """A realm with the default policies."""
    made = Realm(tmp_path)
    yield made
    assert made.gateway.stop() == 0, "\n".join(made.gateway.lines)


@pytest.fixture
def realm_with(tmp_path: Path) -> Iterator[Callable[[str], Realm]]:
    """A realm with the test's own configuration."""
    made = []

    def start(config: str) -> Realm:
        made.append(Realm(tmp_path, config))
        return made[0]

    yield start
    for one in made:
        assert one.gateway.stop() == 0, "\n".join(one.gateway.lines)


def add_key(person: Person, model: Model) -> Credential:
    """Registers a key of the model."""
    key, reply = person.try_to_add_key(**model.attested)
    reply.expect()
    return key


def details_of_refusals(owner: Person) -> list[str]:
    return [row["detail"] for row in owner.get("/api/refusals").expect()["items"]]


def test_a_key_is_shown_with_its_model(realm: Realm):
    add_key(realm.owner, realm.acme)
    keys = {key["label"]: key for key in realm.owner.get("/api/keys").expect()}
    assert keys["first key"]["model"] is None
    model = keys["second key"]["model"]
    assert (model["name"], model["certification"]) == ("Acme 5", "L1")
    assert model["key_protection"] == ["hardware", "secure_element"]
    assert keys["second key"]["attested_by"] == "Acme 5"
    assert keys["second key"]["refused"] is None

    picture = realm.owner.get(model["icon"])
    assert picture.status == 200
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in picture.headers["Content-Security-Policy"]
    assert picture.body.startswith(b"\x89PNG")


def test_browsers_are_asked_for_attestation_if_metadata_are_configured(realm: Realm, gateway: Gateway):
    def wanted(person: Person) -> str:
        right = person.right_to_a_key()
        asked = person.post("/api/keys/statement", {**right, "label": "a key"}).expect()
        return asked["public_key"]["attestation"]

    assert wanted(realm.owner) == "direct"
    assert wanted(Person.owner(gateway)) == "none"


def test_the_state_of_the_metadata_is_shown(realm: Realm):
    state = realm.owner.get("/api/metadata").expect()
    assert state["configured"] and state["sources"] == [str(realm.file)]
    assert "Soft Metadata Root" in state["signer"]
    assert state["blob"]["number"] == 1 and not state["blob"]["overdue"]
    assert state["problem"] is None and state["models"] == 2

    found = realm.owner.get("/api/metadata/models?q=acme").expect()
    assert [model["name"] for model in found["items"]] == ["Acme 5"]
    by_id = realm.owner.get(f"/api/metadata/models?q={found['items'][0]['id']}").expect()
    assert by_id == found
    first = realm.owner.get("/api/metadata/models?limit=1").expect()
    second = realm.owner.get(f"/api/metadata/models?limit=1&after={first['next']}").expect()
    assert [page["items"][0]["name"] for page in (first, second)] == ["Acme 5", "Other"]
    assert second["next"] is None


def test_a_revoked_model_opens_nothing(realm: Realm):
    owner = realm.owner
    key = add_key(owner, realm.acme)
    owner.try_to_sign_in(key).expect()

    # A revocation that is announced for tomorrow does not count today.
    realm.publish(2, report("REVOKED", TOMORROW))
    realm.look()
    owner.try_to_sign_in(key).expect()

    realm.publish(3, report("REVOKED", YESTERDAY))
    realm.look()
    why = f'"Acme 5" cannot be relied on: its metadata say REVOKED since {YESTERDAY.isoformat()}'
    before = owner.state_of_the_realm()
    refused = owner.try_to_sign_in(key).refused(403, "model-refused")
    assert why in refused["detail"]
    first, owner.key = owner.key, key
    owner.touch(owner.prepare("people.invite", name="Eve", role="owner")).refused(403, "model-refused")
    owner.key = first
    assert owner.state_of_the_realm() == before
    assert sum(why in detail for detail in details_of_refusals(owner)) == 2

    shown = {key["label"]: key for key in owner.get("/api/keys").expect()}["second key"]
    assert shown["model"]["status"] == "REVOKED" and why in shown["refused"]

    # A further key of the model can't be registered; the answer names the failed step.
    _, reply = owner.try_to_add_key(**realm.acme.attested)
    steps = reply.refused(403, "model-refused")["steps"]
    assert [step["number"] for step in steps if step["outcome"] == "failed"] == ["7.1.24"]

    # The owner's other key, of an unknown model, still works, and so do keys of other models.
    owner.sign_in()
    add_key(owner, realm.other)

    # The revocation stays after a restart without any source of metadata.
    realm.file.unlink()
    realm.restart()
    owner.try_to_sign_in(key).refused(403, "model-refused")


def test_only_the_compromised_batch_is_refused(realm: Realm):
    first = add_key(realm.owner, realm.acme)
    compromised = realm.acme.chain[0]
    realm.acme.batch()
    second = add_key(realm.owner, realm.acme)
    realm.publish(2, report("ATTESTATION_KEY_COMPROMISE", YESTERDAY, batch=compromised))
    realm.look()
    realm.owner.try_to_sign_in(first).refused(403, "model-refused")
    realm.owner.try_to_sign_in(second).expect()


def test_a_bad_blob_is_refused(realm: Realm):
    realm.publish(7)
    assert realm.look()["blob"]["number"] == 7

    # A lower number.
    realm.publish(6)
    state = realm.look()
    assert state["blob"]["number"] == 7 and "number 6" in state["problem"]

    # A changed signature, a changed payload, another signer, an empty file, a text.
    good = realm.service.blob(8, realm.acme.entry())
    head, payload, signature = good.split(b".")
    flipped = signature[:10] + (b"A" if signature[10:11] != b"A" else b"B") + signature[11:]
    elsewhere = Service("Somebody Else").blob(9)
    for bad in [
        b".".join([head, payload, flipped]),
        b".".join([head, payload[:-8] + b"AAAAAAAA", signature]),
        elsewhere,
        b"",
        b"not a BLOB",
    ]:
        realm.file.write_bytes(bad)
        state = realm.look()
        assert state["blob"]["number"] == 7 and state["problem"], bad[:40]
        assert state["models"] == 2
    realm.file.unlink()
    assert "cannot be read" in realm.look()["problem"]

    realm.file.write_bytes(good)
    state = realm.look()
    assert state["blob"]["number"] == 8 and state["problem"] is None and state["models"] == 1

    # The number is in the database and survives a restart.
    realm.restart()
    realm.publish(7)
    assert realm.look()["blob"]["number"] == 8


def test_a_damaged_blob_keeps_the_gateway_from_starting(realm: Realm):
    assert realm.gateway.stop() == 0
    database = realm.gateway.folder / "hallway.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        kept = connection.execute("SELECT bytes FROM metadata_blob").fetchone()[0]
        connection.execute("UPDATE metadata_blob SET bytes = ?", (kept[:-1],))
    with pytest.raises(AssertionError, match="BLOB in the database is damaged"):
        GatewayAgain(realm.gateway, *realm.options)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE metadata_blob SET bytes = ?", (kept,))
    realm.gateway = GatewayAgain(realm.gateway, *realm.options)
    assert realm.owner.get("/api/metadata").expect()["blob"]["number"] == 1


STRICT_MEMBERS = """
[policy.member]
copies = "accepted"
"""


def test_overdue_metadata_register_no_key_that_needs_them(realm_with: Callable[[str], Realm]):
    realm = realm_with(STRICT_MEMBERS)
    link = realm.owner.act("people.invite", name="Mia", role="member")["link"]
    mia = register(realm.gateway, link, realm.acme)
    realm.publish(2, next_update=YESTERDAY)
    assert realm.look()["blob"]["overdue"]

    # A first key and a further key need fresh metadata. A registered key can still sign in.
    late = realm.owner.act("people.invite", name="Max", role="member")["link"]
    asked = mia.post("/api/keys/statement", {"token": late.split("#")[1], "label": "late"})
    assert YESTERDAY.isoformat() in asked.refused(403, "model-refused")["detail"]
    mia.sign_in()
    asked = mia.post("/api/keys/statement", {**mia.right_to_a_key(), "label": "late"})
    asked.refused(403, "model-refused")

    # A role whose policy needs no metadata registers keys all the same.
    add_key(realm.owner, realm.acme)

    # A report against a model counts, even in overdue metadata.
    realm.publish(3, report("REVOKED", YESTERDAY), next_update=YESTERDAY)
    realm.look()
    mia.try_to_sign_in().refused(403, "model-refused")


def register(gateway: Gateway, link: str, model: Model, **parts: object) -> Person:
    """Registers a key of the model by a link, and signs in with it."""
    person = object.__new__(Person)
    super(Person, person).__init__(gateway.origin)
    token = {"token": link.split("#")[1]}
    ceremony = person.post("/api/keys/statement", {**token, "label": "first key"}).expect()
    person.key = Credential.create(ceremony["public_key"], gateway.origin)
    made = person.key.register(challenge_of(ceremony), **(model.attested | parts))
    done = person.post("/api/keys", answered(ceremony, made.to_json()) | token).expect()
    person.id, person.name = done["person"]["id"], done["person"]["name"]
    person.sign_in()
    return person


def test_an_empty_policy_is_the_strictest(realm_with: Callable[[str], Realm]):
    realm = realm_with("[policy.member]\n")
    link = realm.owner.act("people.invite", name="Mia", role="member")["link"]

    def attempt(**parts: object) -> Reply:
        token = {"token": link.split("#")[1]}
        ceremony = realm.owner.post("/api/keys/statement", {**token, "label": "key"}).expect()
        key = Credential.create(ceremony["public_key"], realm.owner.origin)
        made = key.register(challenge_of(ceremony), **parts)
        return realm.owner.post("/api/keys", answered(ceremony, made.to_json()) | token)

    # A key without attestation, a key of an unknown maker, a key that can be copied.
    attempt().refused(403, "bad-registration")
    attempt(**Model("Unknown", b"a model unknown!").attested).refused(403, "bad-registration")
    copied = {"flags": UP | UV | AT | BE}
    attempt(**(realm.acme.attested | copied)).refused(403, "bad-registration")
    # A model that keeps its keys in software, and a model that is not certified.
    realm.other.further = {"keyProtection": ["software"]}
    realm.publish(2)
    realm.look()
    attempt(**realm.other.attested).refused(403, "model-refused")
    realm.publish(3, report("NOT_FIDO_CERTIFIED", YESTERDAY))
    realm.look()
    refused = attempt(**realm.acme.attested).refused(403, "model-refused")
    assert "certified none" in refused["detail"]
    realm.publish(4)
    realm.look()
    mia = register(realm.gateway, link, realm.acme)

    # The policy is checked at each signature: a model that loses its certification opens nothing.
    realm.publish(5, report("NOT_FIDO_CERTIFIED", YESTERDAY))
    realm.look()
    mia.try_to_sign_in().refused(403, "model-refused")


def test_allowed_and_denied_models(realm_with: Callable[[str], Realm]):
    config = """
[policy.owner]
attestation = "any"
copies = "accepted"
certification = "none"
key_protection = "any"
deny = ["{denied}"]

[policy.member]
certification = "none"
key_protection = "any"
allow = ["{allowed}"]
"""
    acme, other = Model("", ACME), Model("", OTHER)
    realm = realm_with(
        config.format(
            denied=other.statement()["aaguid"],
            allowed=acme.statement()["aaguid"],
        )
    )
    add_key(realm.owner, realm.acme)
    _, refused = realm.owner.try_to_add_key(**realm.other.attested)
    refused.refused(403, "model-refused")
    # Without attestation the model is only a claim. A key that claims a denied model is denied.
    _, refused = realm.owner.try_to_add_key(aaguid=OTHER)
    refused.refused(403, "model-refused")

    link = realm.owner.act("people.invite", name="Mia", role="member")["link"]
    mia = register(realm.gateway, link, realm.acme)
    _, refused = mia.try_to_add_key(**realm.other.attested)
    refused.refused(403, "model-refused")
    # A key that only claims an allowed model is not allowed.
    _, refused = mia.try_to_add_key(aaguid=ACME)
    refused.refused(403, "bad-registration")


def test_a_new_role_applies_its_policy_to_old_keys(realm_with: Callable[[str], Realm]):
    realm = realm_with("[policy.operator]\n")
    mia = realm.owner.invite("Mia")
    realm.owner.act("people.change_role", person=mia.id, role="operator")
    mia.try_to_sign_in().refused(403, "model-refused")


def test_a_gateway_with_an_unsatisfiable_policy_does_not_start(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "hallway.toml").write_text("[policy.owner]\n")
    with pytest.raises(AssertionError, match="only metadata tell"):
        Gateway(folder)


def test_local_statements(tmp_path: Path):
    statements = tmp_path / "statements"
    statements.mkdir()
    acme, local = Model("Acme 5", ACME), Model("House key", b"a key of ours 00")
    (statements / "house.json").write_text(json.dumps(local.statement()))
    (statements / "broken.json").write_text("{")
    gateway = Gateway(tmp_path / "data", "--metadata-statements", statements)
    owner = Person.owner(gateway)
    state = owner.get("/api/metadata").expect()
    assert state["configured"] and not state["sources"] and state["blob"] is None
    assert [model["name"] for model in owner.get("/api/metadata/models").expect()["items"]] == [
        "House key"
    ]
    problems = {row["name"]: row["problem"] for row in state["statements"]}
    assert problems["house.json"] is None and problems["broken.json"]
    add_key(owner, local)
    key = owner.get("/api/keys").expect()[0]
    assert (key["model"]["name"], key["attested_by"]) == ("House key", "House key")

    # The folder is read again while the gateway runs.
    (statements / "acme.json").write_text(json.dumps(acme.statement()))
    state = owner.post("/api/metadata/refresh").expect()
    assert state["models"] == 2
    assert gateway.stop() == 0


def test_sessions_end_with_the_model_of_their_key(realm: Realm):
    owner = realm.owner
    token = owner.try_to_sign_in(add_key(owner, realm.acme)).expect()["token"]
    by_acme = Caller(owner.origin, {"Authorization": f"Bearer {token}"})
    by_acme.get("/api/keys").expect()
    realm.publish(2, report("REVOKED", YESTERDAY))
    realm.look()
    by_acme.get("/api/keys").refused(401, "sign-in")
    # A session of another key stays open.
    owner.get("/api/keys").expect()


def test_a_model_whose_entry_cannot_be_read_opens_nothing(realm: Realm):
    owner = realm.owner
    key = add_key(owner, realm.acme)
    broken = realm.acme.entry({"status": "REVOKED", "effectiveDate": "soon"})
    realm.file.write_bytes(realm.service.blob(2, broken, realm.other.entry()))
    assert realm.look()["unreadable"] == 1
    refused = owner.try_to_sign_in(key).refused(403, "model-refused")
    assert "cannot be read" in refused["detail"]
    _, reply = owner.try_to_add_key(**realm.acme.attested)
    assert "cannot be read" in reply.refused(403, "model-refused")["detail"]
    # The other entries of the BLOB count.
    add_key(owner, realm.other)


def test_a_local_statement_does_not_undo_a_revocation(realm: Realm, tmp_path: Path):
    statements = tmp_path / "statements"
    statements.mkdir()
    renamed = Model("Acme, as we call it", ACME)
    renamed.maker, renamed.chain, renamed.key = (
        realm.acme.maker,
        realm.acme.chain,
        realm.acme.key,
    )
    (statements / "acme.json").write_text(json.dumps(renamed.statement()))
    realm.options += ["--metadata-statements", statements]
    realm.restart()
    realm.publish(2, report("REVOKED", YESTERDAY))
    assert realm.look()["models"] == 2
    _, refused = realm.owner.try_to_add_key(**realm.acme.attested)
    assert "as we call it" in refused.refused(403, "model-refused")["detail"]


def test_metadata_are_fetched_from_the_configured_address(tmp_path: Path):
    service, acme = Service(), Model("Acme 5", ACME)
    web = Web(service.blob(1, acme.entry()))
    root = service.write_root(tmp_path)
    options = ["--metadata-url", f"{web.address}/blob", "--metadata-root", root]
    gateway = Gateway(tmp_path / "data", *options)
    owner = Person.owner(gateway)
    # The gateway fetches them by itself as soon as it serves.
    eventually(lambda: owner.get("/api/metadata").expect()["blob"])
    state = owner.get("/api/metadata").expect()
    assert state["sources"] == [f"{web.address}/blob"] and web.asked == 1

    web.status = 503
    state = owner.post("/api/metadata/refresh").expect()
    assert "503" in state["problem"] and state["blob"]["number"] == 1
    web.status, web.content = 200, b"x" * (64 * 1024 * 1024 + 1)
    assert "longer than" in owner.post("/api/metadata/refresh").expect()["problem"]
    web.close()
    assert owner.post("/api/metadata/refresh").expect()["blob"]["number"] == 1
    assert gateway.stop() == 0


def test_without_configuration_nothing_is_fetched(tmp_path: Path):
    proxy = Web()
    everything = {name: proxy.address for name in ("http_proxy", "https_proxy", "all_proxy")}
    quiet = Gateway(tmp_path / "quiet", **everything)
    owner = Person.owner(quiet)
    assert not owner.post("/api/metadata/refresh").expect()["configured"]
    assert quiet.stop() == 0
    assert proxy.asked == 0
    # The proxy would see every request.
    options = ["--metadata-url", "https://mds.invalid/"]
    loud = Gateway(tmp_path / "loud", *options, **everything)
    assert Person.owner(loud).post("/api/metadata/refresh").expect()["problem"]
    assert loud.stop() == 0
    assert proxy.asked > 0
    proxy.close()


def test_plain_http_is_for_this_machine_only(tmp_path: Path):
    with pytest.raises(AssertionError, match="must be https"):
        Gateway(tmp_path / "data", "--metadata-url", "http://mds.example/")


DEVICES = """
[policy.device]
certification = "none"
key_protection = "any"
serial_numbers = ["CAM-"]
"""


def test_devices_have_a_policy_of_their_own(realm_with: Callable[[str], Realm]):
    realm = realm_with(DEVICES)
    maker = Maker()
    realm.owner.act("maker.add", name=maker.name, certificate=maker.pem)
    Device(realm.owner.origin, maker, "OTHER-1").announce().refused(403, "model-refused")
    camera = Device(realm.owner.origin, maker, "CAM-1")
    camera.enrol(realm.owner)
    camera.send(camera.compose(b"a picture"), b"a picture").expect_bytes(201)

    # The model is revoked, so even a transaction that was signed before is refused.
    entry = Model("Soft Camera", b"soft test camera").entry(report("REVOKED", YESTERDAY))
    realm.file.write_bytes(realm.service.blob(2, entry))
    realm.look()
    camera.send(camera.compose(b"another"), b"another").refused(403, "model-refused")
    Device(realm.owner.origin, maker, "CAM-2").announce().refused(403, "model-refused")


def test_the_pages_of_models_and_keys(realm: Realm, browser: Browser, tmp_path: Path):
    # The model that Chromium's virtual keys claim, and the root of their maker.
    statements = tmp_path / "statements"
    statements.mkdir()
    chromium = {
        "aaguid": "01020304-0506-0708-0102-030405060708",
        "description": "Virtual key",
        "icon": PIXEL,
        "keyProtection": ["software"],
    }
    (statements / "chromium.json").write_text(json.dumps(chromium))
    (statements / "broken.json").write_text("{")
    realm.options += ["--metadata-statements", statements]
    realm.restart()
    realm.look()
    link = realm.owner.act("people.invite", name="Emily", role="operator")["link"]
    emily = Visitor(browser, realm.gateway.origin, SCREENSHOTS)
    page = emily.page
    emily.keys.plug_in()
    emily.open(link)
    page.get_by_role("textbox", name="A name for this key").fill("Blue key")
    emily.press("Register my key")
    emily.agree("Emily", button="Register the key")
    expect(page.get_by_text("Virtual key")).to_be_visible()
    expect(page.get_by_text("Not FIDO certified · keys in software")).to_be_visible()
    emily.keep("metadata-keys")

    emily.open("/metadata")
    expect(page.get_by_text("Current")).to_be_visible()
    expect(page.get_by_text("broken.json")).to_be_visible()
    emily.keep("metadata")
    page.get_by_label("Name or AAGUID").fill("acme")
    emily.press("Search")
    expect(page.get_by_text("Acme 5")).to_be_visible()
    expect(page.get_by_text("Virtual key")).to_be_hidden()

    # Olga also has a key of this model, and signed in with another one.
    olga = signed_in_browser(realm.owner, browser)
    olga.keys.plug_in()
    register_by_link(realm.owner, olga, "Red key")
    expect(olga.page.get_by_role("heading", name="Red key")).to_be_visible()

    # After the revocation the page says so, and names the step at which a further key fails.
    revoked = {
        "aaguid": chromium["aaguid"],
        "metadataStatement": chromium,
        "statusReports": [report("REVOKED", YESTERDAY)],
    }
    realm.file.write_bytes(realm.service.blob(2, realm.acme.entry(), revoked))
    olga.open("/metadata")
    olga.press("Look for newer ones now")
    expect(olga.page.get_by_text("REVOKED", exact=True)).to_be_visible()
    olga.keep("metadata-revoked")

    # The session of Emily's key has ended, and the key opens no new one.
    emily.open("/keys")
    emily.press("Sign in with a key")
    expect(page.get_by_text("cannot be relied on")).to_be_visible()
    emily.keep("metadata-signed-out")
    emily.context.close()

    page = olga.page
    olga.open("/keys")
    expect(page.get_by_text("It opens nothing as long as that is so")).to_be_visible()
    olga.keep("metadata-keys-revoked")
    olga.keys.plug_in()
    register_by_link(realm.owner, olga, "Spare key")
    expect(page.get_by_text("cannot be relied on").last).to_be_visible()
    page.get_by_text("Each step of the check").click()
    expect(page.get_by_text("The authenticator's model is acceptable")).to_be_visible()
    olga.keep("metadata-steps")
    page.set_viewport_size(PHONE)
    olga.keep("metadata-steps-phone")
    olga.open("/metadata")
    olga.keep("metadata-phone")
    olga.context.close()
    # A browser reports a 403 answer as an error of the page.
    assert [fault for fault in emily.faults + olga.faults if "403" not in fault] == []


def register_by_link(owner: Person, visitor: Visitor, label: str) -> None:
    """Registers the key in a browser. The person's own key, which is not in the browser, allows it."""
    visitor.open(owner.act("web.add_key")["link"])
    visitor.page.get_by_role("textbox", name="A name for this key").fill(label)
    visitor.press("Register a further key")
    visitor.agree(label, button="Register the key")


def signed_in_browser(person: Person, browser: Browser) -> Visitor:
    """A browser with a session of the person's own key."""
    ceremony = Caller(person.origin).post("/api/sign-in/statement").expect()
    made = person.key.sign(challenge=challenge_of(ceremony))
    caller = Caller(person.origin, {"Origin": person.origin})
    body = answered(ceremony, made.to_json()) | {"grant": "cookie"}
    answer = caller.post("/api/sign-in", body)
    assert answer.cookie, answer.body
    name, value = answer.cookie.split("=", 1)
    visitor = Visitor(browser, person.origin, SCREENSHOTS)
    visitor.context.add_cookies([{"name": name, "value": value, "url": person.origin}])
    return visitor


def test_the_page_of_a_realm_without_metadata(gateway: Gateway, browser: Browser):
    owner = Person.owner(gateway)
    link = owner.act("people.invite", name="Emily", role="operator")["link"]
    emily = Visitor(browser, gateway.origin, SCREENSHOTS)
    emily.keys.plug_in()
    emily.open(link)
    emily.page.get_by_role("textbox", name="A name for this key").fill("Blue key")
    emily.press("Register my key")
    emily.agree("Emily", button="Register the key")
    expect(emily.page.get_by_role("heading", name="My keys")).to_be_visible()
    emily.open("/metadata")
    expect(emily.page.get_by_text("Nothing is known about models.")).to_be_visible()
    emily.keep("metadata-nothing")
    emily.context.close()
    assert emily.faults == []
