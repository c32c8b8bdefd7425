"""A revoked right stays revoked: everything that depended on it ends, and does not come back."""

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from api_caller import Caller, Person, Reply, answered, challenge_of
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gateway_process import SERVES, Gateway, GatewayAgain, Program
from hall_place import HALL, Guest, Realm, store
from soft_device import Device, Maker
from soft_webauthn import b64

PAYLOAD = b"a thing that a camera saw"

serials = (f"RV-{number:04}" for number in count(1))


def look(link: str) -> Reply:
    """Asks what a one-time link is for, as its holder."""
    origin, token = link.split("/join#")
    return Caller(origin).post("/api/join/look", {"token": token})


def opens_nothing(link: str) -> None:
    origin, token = link.split("/join#")
    caller, body = Caller(origin), {"token": token}
    look(link).refused(403, "link")
    caller.post("/api/join/sign-in", body).refused(403, "link")
    caller.post("/api/keys/statement", body | {"label": "x", "name": "Eve"}).refused(403, "link")


# Links.


def test_links_end_for_good_with_their_makers_suspension(owner: Person):
    boss, rosa = owner.invite("Boss", "owner"), owner.invite("Rosa")
    links = [
        boss.act("people.invite", name="Ida", role="owner")["link"],
        boss.act("people.recover", person=rosa.id)["link"],
        boss.act("web.sign_in_link")["link"],
        boss.act("web.add_key")["link"],
    ]
    others = owner.act("people.invite", name="Max", role="member")["link"]
    owner.act("people.suspend", person=boss.id)
    for link in links:
        opens_nothing(link)
    owner.act("people.reinstate", person=boss.id)
    for link in links:
        opens_nothing(link)
    look(others).expect()
    # Nobody can make a recovery link for a suspended person.
    owner.act("people.suspend", person=boss.id)
    wanted = {"act": "people.recover", "person": boss.id}
    owner.post("/api/acts/statement", wanted).refused(409, "person-suspended")


def test_links_for_a_suspended_person_end(owner: Person):
    rosa = owner.invite("Rosa")
    recovery = owner.act("people.recover", person=rosa.id)["link"]
    owner.act("people.suspend", person=rosa.id)
    opens_nothing(recovery)
    owner.act("people.reinstate", person=rosa.id)
    opens_nothing(recovery)


def test_invitations_end_with_their_makers_role(owner: Person):
    boss = owner.invite("Boss", "owner")
    link = boss.act("people.invite", name="Ida", role="owner")["link"]
    owner.act("people.change_role", person=boss.id, role="operator")
    opens_nothing(link)
    owner.act("people.change_role", person=boss.id, role="owner")
    opens_nothing(link)


def test_a_second_recovery_link_voids_the_first(owner: Person):
    rosa = owner.invite("Rosa")
    first, second = [owner.act("people.recover", person=rosa.id)["link"] for _ in range(2)]
    opens_nothing(first)
    assert Person(rosa.origin, second).id == rosa.id
    opens_nothing(second)


def test_a_recovery_ends_older_sessions_links_and_keys(owner: Person):
    rosa = owner.invite("Rosa", "owner")
    links = [
        rosa.act("web.sign_in_link")["link"],
        rosa.act("web.add_key")["link"],
        rosa.act("people.invite", name="Ida", role="owner")["link"],
    ]
    token = {"token": rosa.act("web.sign_in_link")["link"].split("#")[1]}
    opens_nothing(links[0])
    browser = Caller(rosa.origin).post("/api/join/sign-in", token)
    browser.expect()
    again = Person(rosa.origin, owner.act("people.recover", person=rosa.id)["link"])
    for link in links:
        opens_nothing(link)
    rosa.get("/api/me").refused(401, "sign-in")
    rosa.try_to_sign_in().refused(403, "refused")
    Caller(rosa.origin).get("/api/me", Cookie=browser.cookie).refused(401, "sign-in")
    again.get("/api/me").expect()


def test_a_person_with_64_keys_can_be_recovered(owner: Person):
    rosa = owner.invite("Rosa")
    for _ in range(63):
        rosa.add_key()
    asked = rosa.post("/api/keys/statement", {**rosa.right_to_a_key(), "label": "one more"})
    assert "64 keys" in asked.refused(409, "too-many-keys")["detail"]
    again = Person(rosa.origin, owner.act("people.recover", person=rosa.id)["link"])
    assert again.id == rosa.id
    assert [row["id"] for row in again.get("/api/keys").expect()] == [b64(again.key.id)]


def test_a_removed_key_can_not_be_registered_again(owner: Person):
    rosa, ida = owner.invite("Rosa"), owner.invite("Ida")
    removed = rosa.add_key()
    rosa.act("web.remove_key", key=b64(removed.id))
    for person in (rosa, ida):
        right = person.right_to_a_key()
        ceremony = person.post("/api/keys/statement", {**right, "label": "again"}).expect()
        made = removed.register(challenge_of(ceremony))
        again = person.post("/api/keys", answered(ceremony, made.to_json()) | right)
        assert "registered here before" in again.refused(409, "known-key")["detail"]
        assert len(person.get("/api/keys").expect()) == 1


DENIED = b"a model denied 0"
DENIES = f"""
[policy.{{of}}]
attestation = "any"
copies = "accepted"
certification = "none"
key_protection = "any"
deny = ["{UUID(bytes=DENIED)}"]
"""


def with_a_key_to_deny(owner: Person) -> Person:
    """A person who is signed in with a key of the model that the policies deny."""
    person = owner.invite("Mia")
    person.key, added = person.try_to_add_key(aaguid=DENIED)
    added.expect()
    person.sign_in()
    person.get("/api/me").expect()
    return person


def until_keys_are_judged(program: Program) -> None:
    """Waits until a gateway with a new policy has ended the sessions and grants of denied keys."""
    until = time.monotonic() + 20
    while not any("ended what a key opened" in line for line in program.lines):
        assert time.monotonic() < until, program.lines
        time.sleep(0.1)


def test_a_session_ended_by_the_policy_of_a_new_role_stays_ended(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "hallway.toml").write_text(DENIES.format(of="operator"))
    gateway = Gateway(folder)
    owner = Person.owner(gateway)
    mia = with_a_key_to_deny(owner)
    for role in ("operator", "member"):
        owner.act("people.change_role", person=mia.id, role=role)
        mia.get("/api/me").refused(401, "sign-in")
    mia.sign_in()
    gateway.stop()


def test_a_session_ended_by_a_changed_policy_stays_ended(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    configuration = folder / "hallway.toml"
    configuration.write_text("")
    gateway = Gateway(folder)
    mia = with_a_key_to_deny(Person.owner(gateway))
    gateway.stop()
    configuration.write_text(DENIES.format(of="member"))
    gateway = GatewayAgain(gateway)
    until_keys_are_judged(gateway)
    mia.get("/api/me").refused(401, "sign-in")
    gateway.stop()
    configuration.write_text("")
    gateway = GatewayAgain(gateway)
    mia.get("/api/me").refused(401, "sign-in")
    mia.sign_in()
    gateway.stop()


def at(origin: str, link: str) -> str:
    """The same link at another gateway of the realm, or at another port."""
    return f"{origin}/join#{link.split('#')[1]}"


def test_only_the_newest_set_up_link_works_until_there_is_an_owner(tmp_path: Path):
    gateway = Gateway(tmp_path / "data")
    first = gateway.set_up_link
    assert gateway.stop() == 0
    gateway = Gateway(tmp_path / "data")
    second = gateway.set_up_link
    opens_nothing(at(gateway.origin, first))
    look(second).expect()
    # Another gateway of the same realm prints a newer link.
    other = Gateway(tmp_path / "data")
    third = at(gateway.origin, other.set_up_link)
    opens_nothing(second)
    owner = Person(gateway.origin, third, "Olga")
    links = [at(gateway.origin, link) for link in (first, second, third)]
    for link in links:
        opens_nothing(link)
    assert other.stop() == 0
    assert gateway.stop() == 0
    again = GatewayAgain(gateway)
    assert not any("/join#" in line for line in again.lines)
    for link in links:
        opens_nothing(link)
    owner.get("/api/me").expect()
    assert again.stop() == 0


def test_links_and_sessions_end_at_all_gateways(tmp_path: Path):
    one = Gateway(tmp_path / "data")
    owner = Person.owner(one)
    other = Program("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    origin = other.wait_for(SERVES)[1]
    rosa = owner.invite("Rosa")
    there = Caller(origin, dict(rosa.headers))
    there.get("/api/me").expect()
    link = at(origin, owner.act("people.invite", name="Ida", role="member")["link"])
    look(link).expect()
    [row] = owner.get("/api/links").expect()
    owner.act("web.withdraw_link", link=row["id"])
    opens_nothing(link)
    owner.act("people.sign_out", person=rosa.id)
    there.get("/api/me").refused(401, "sign-in")
    assert other.stop() == 0
    assert one.stop() == 0


def test_only_their_maker_their_person_and_owners_see_open_links(owner: Person):
    rosa, mona = owner.invite("Rosa"), owner.invite("Mona", "operator")
    recovery = owner.act("people.recover", person=rosa.id)["link"]
    own = rosa.act("web.add_key")["link"]
    hers = {row["purpose"]: row for row in rosa.get("/api/links").expect()}
    assert set(hers) == {"recovery", "additional"}
    assert hers["recovery"]["made_by"] == owner.name
    assert mona.get("/api/links").expect() == []
    everybodys = [row["id"] for row in owner.get("/api/links").expect()]
    assert {row["id"] for row in hers.values()} <= set(everybodys)
    # The list does not contain the tokens of the links.
    assert recovery.split("#")[1] not in json.dumps(owner.get("/api/links").expect())
    for row in hers.values():
        wanted = {"act": "web.withdraw_link", "link": row["id"]}
        mona.post("/api/acts/statement", wanted).refused(404, "not-found")
    done = rosa.act("web.withdraw_link", link=hers["recovery"]["id"])
    said = owner.get(f"/api/evidence/{done['evidence']}").expect()["sentence"]
    assert "withdraw the one-time link that recovers the access of Rosa" in said
    opens_nothing(recovery)
    look(own).expect()
    owner.act("web.withdraw_link", link=hers["additional"]["id"])
    opens_nothing(own)
    wanted = {"act": "web.withdraw_link", "link": hers["additional"]["id"]}
    owner.post("/api/acts/statement", wanted).refused(404, "not-found")


# Grants.


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("realm")
    made = Realm(folder, store("data", folder / "data"))
    (folder / "data/hello").write_text("hello")
    yield made
    made.close()


FILE = f"/api/halls/{HALL}/files/data/hello"


@pytest.fixture
def ida(realm: Realm) -> Person:
    person = realm.owner.invite("Ida", "operator")
    admit(realm, person)
    return person


def admit(realm: Realm, person: Person) -> None:
    guest, rights = {"person": person.id}, ["read:data"]
    realm.owner.act("hall.admit", hall=HALL, guest=guest, rights=rights)


def inside(person: Person) -> None:
    """Opens the hall in the person's session, and reads a file."""
    person.act("hall.open", hall=HALL)
    assert person.get(FILE).expect_bytes(200) == b"hello"


def newest(person: Person) -> dict:
    return person.get("/api/grants").expect()["items"][0]


def test_a_grant_does_not_come_back_with_its_person(realm: Realm, ida: Person):
    inside(ida)
    grant = newest(realm.owner)["id"]
    realm.owner.act("people.suspend", person=ida.id)
    realm.owner.act("people.reinstate", person=ida.id)
    ida.sign_in()
    ida.get(FILE).refused(403, "not-open")
    row = newest(realm.owner)
    assert (row["id"], row["state"], row["ended_why"]) == (grant, "ended", "suspended")
    # The suspension ended the grant and bans nobody: a touch opens a new one.
    inside(ida)


def test_a_grant_does_not_come_back_with_its_admission(realm: Realm, ida: Person):
    inside(ida)
    realm.owner.act("hall.dismiss", hall=HALL, guest={"person": ida.id})
    admit(realm, ida)
    ida.get(FILE).refused(403, "not-open")
    assert newest(realm.owner)["ended_why"] == "not-admitted"


def test_a_grant_does_not_come_back_with_a_wider_admission(realm: Realm, ida: Person):
    guest = {"person": ida.id}
    both = ["read:data", "write:data"]
    realm.owner.act("hall.admit", hall=HALL, guest=guest, rights=both)
    inside(ida)
    ida.call("PUT", f"/api/halls/{HALL}/files/data/new", b"x").expect_bytes(201)
    admit(realm, ida)
    realm.owner.act("hall.admit", hall=HALL, guest=guest, rights=both)
    assert ida.get(FILE).expect_bytes(200) == b"hello"
    assert ida.call("PUT", f"/api/halls/{HALL}/files/data/new", b"y").status == 403
    assert newest(realm.owner)["rights"] == ["read:data"]


def test_a_grant_does_not_come_back_with_its_role(realm: Realm):
    mona = realm.owner.invite("Mona", "operator")
    guest = {"role": "operator"}
    realm.owner.act("hall.admit", hall=HALL, guest=guest, rights=["read:data"])
    inside(mona)
    for role in ("member", "operator"):
        realm.owner.act("people.change_role", person=mona.id, role=role)
    mona.get(FILE).refused(403, "not-open")
    realm.owner.act("hall.dismiss", hall=HALL, guest=guest)


def test_a_grant_ended_by_the_hall_doors_policy_stays_ended(tmp_path: Path):
    realm = Realm(tmp_path, store("data", tmp_path / "data"))
    (tmp_path / "data/hello").write_text("hello")
    mia = with_a_key_to_deny(realm.owner)
    admit(realm, mia)
    inside(mia)
    configuration = realm.gateway.folder / "hallway.toml"
    before = configuration.read_text()
    realm.gateway.stop()
    configuration.write_text(before + DENIES.format(of="doors.hall"))
    realm.gateway.start_again()
    until_keys_are_judged(realm.gateway.program)
    assert newest(realm.owner)["ended_why"] == "model-refused"
    mia.get("/api/me").expect()
    realm.gateway.stop()
    configuration.write_text(before)
    realm.gateway.start_again()
    mia.get(FILE).refused(403, "not-open")
    inside(mia)
    realm.close()


def test_a_grant_ends_with_its_session_or_key(realm: Realm, ida: Person):
    inside(ida)
    token = dict(ida.headers)
    ida.post("/api/sign-out").expect()
    assert newest(realm.owner)["ended_why"] == "signed-out"
    ida.sign_in()
    assert ida.headers != token
    ida.get(FILE).refused(403, "not-open")
    inside(ida)
    key = ida.add_key()
    first, ida.key = ida.key, key
    ida.act("web.remove_key", key=b64(first.id))
    assert newest(realm.owner)["ended_why"] == "key-removed"
    ida.sign_in()
    inside(ida)
    realm.owner.act("people.sign_out", person=ida.id)
    ida.get("/api/me").refused(401, "sign-in")
    assert newest(realm.owner)["ended_why"] == "signed-out"


def test_an_approval_ends_with_its_approvers_suspension(realm: Realm):
    mona, ida = realm.owner.invite("Mona", "operator"), realm.owner.invite("Ida")
    guest = {"person": ida.id}
    realm.owner.act(
        "hall.admit", hall=HALL, guest=guest, rights=["read:data"],
        needs={"approval": "operator"},
    )  # fmt: skip
    waiting = ida.act("hall.open", hall=HALL)["grant"]["id"]
    mona.act("hall.approve", grant=waiting)
    ida.get(FILE).expect_bytes(200)
    realm.owner.act("people.suspend", person=mona.id)
    ida.get(FILE).refused(403, "not-open")
    realm.owner.act("people.reinstate", person=mona.id)
    ida.get(FILE).refused(403, "not-open")
    # A suspension also ends a grant that waits for approval.
    waiting = ida.act("hall.open", hall=HALL)["grant"]["id"]
    realm.owner.act("people.suspend", person=ida.id)
    realm.owner.act("people.reinstate", person=ida.id)
    wanted = {"act": "hall.approve", "grant": waiting}
    realm.owner.post("/api/acts/statement", wanted).refused(409, "not-waiting")


def test_an_invitation_of_an_agent_ends_with_its_makers_role(realm: Realm):
    boss = realm.owner.invite("Boss", "owner")
    link = boss.act("hall.invite_agent", hall=HALL, agent="rack", stores=["scans"])["link"]
    realm.owner.act("people.change_role", person=boss.id, role="member")
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = {"token": link.split("#")[1], "public_key": b64(spki)}
    Caller(boss.origin).post("/api/hall-agents/join", body).refused(403, "token")


# Devices.


@pytest.fixture
def camera(house: Gateway, maker: Maker) -> Device:
    return Device(house.origin, maker, next(serials))


def send(device: Device) -> Reply:
    return device.send(device.compose(PAYLOAD), PAYLOAD)


def test_devices_of_a_suspended_person_are_refused_until_the_reinstatement(
    owner: Person, member: Person, camera: Device
):
    camera.enrol(member)
    send(camera).expect_bytes(201)
    owner.act("people.suspend", person=member.id)
    send(camera).refused(403, "owner-suspended")
    camera.sequence -= 1
    owner.act("people.reinstate", person=member.id)
    send(camera).expect_bytes(201)


@pytest.mark.parametrize("way", ["reinstate", "release", "enrol anew", "stolen and found", "transfer"])
def test_a_devices_owner_can_not_undo_an_operators_suspension(
    way: str, owner: Person, member: Person, camera: Device
):
    camera.enrol(member)
    operator = owner.invite("Mona", "operator")
    changed = operator.act("device.suspend", device=camera.id)
    assert changed["device"]["suspended_by"] == "operator"

    def change(person: Person, to: str) -> Reply:
        act = {"act": f"device.{to}", "device": camera.id}
        return person.post("/api/acts/statement", act)

    if way == "enrol anew":
        camera.factory_reset()
        wanted = {"act": "device.claim", "code": camera.code()}
        member.post("/api/acts/statement", wanted).refused(403, "suspended-by-operator")
        return
    if way == "stolen and found":
        member.act("device.report_stolen", device=camera.id)
        found = member.act("device.reinstate", device=camera.id)
        assert found["device"]["state"] == "suspended"
    if way == "transfer":
        heir = owner.invite("Heir")
        member.act("device.transfer", device=camera.id, person=heir.id)
        member = heir
    to = "release" if way == "release" else "reinstate"
    change(member, to).refused(403, "suspended-by-operator")
    send(camera).refused(403, "suspended")
    # The owner can't replace it by a suspension of their own.
    suspend = member.prepare("device.suspend", device=camera.id)
    member.touch(suspend).refused(409, "state")
    change(member, "reinstate").refused(403, "suspended-by-operator")
    # A reinstatement that was prepared before the operator's suspension is refused, too.
    operator.act("device.reinstate", device=camera.id)
    member.act("device.suspend", device=camera.id)
    early = member.prepare("device.reinstate", device=camera.id)
    operator.act("device.suspend", device=camera.id)
    member.touch(early).refused(403, "suspended-by-operator")
    operator.act("device.reinstate", device=camera.id)
    camera.sequence = 0
    send(camera).expect_bytes(201)


# Commands.


def test_commands_add_a_key_and_withdraw_links(
    house: Gateway, owner: Person, tmp_path: Path
):
    link = owner.act("people.invite", name="Cora", role="owner")["link"]
    cora = Guest(tmp_path / "cora", house.origin, link)
    spare = cora.home / "spare.key"
    cora.run("key", "new", spare)
    cora.run("key", "pin", "set", spare, "--new-pin-file", cora.home / "pin")
    made = cora.json("link", "add-key")
    joined = cora.json("join", made["link"], "--key", spare, "--label", "spare")
    assert joined["person"]["id"] == cora.id
    cora.refused("join", made["link"], "--key", spare, words="link")
    browser = cora.run("link", "sign-in").stdout.strip()
    assert look(browser).expect()["purpose"] == "sign-in"
    invitation = owner.act("people.invite", name="Gaston", role="member")["link"]
    listed = cora.json("link", "list")
    [row] = [row for row in listed if row["name"] == "Gaston"]
    assert row["id"][:12] in cora.run("link", "list").stdout
    cora.json("link", "withdraw", row["id"][:12])
    opens_nothing(invitation)
    cora.refused("link", "withdraw", row["id"], words="no open link")
    cora.refused("link", "withdraw", "", words="no open link")
    look(browser).expect()
