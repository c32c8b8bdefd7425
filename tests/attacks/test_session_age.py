"""Allowed steps must not add up to a forbidden one: a session is as old as the touch that it rests on."""

import os

import pytest
from api_caller import Caller, Person, Reply, answered, challenge_of
from gateway_process import Gateway
from soft_webauthn import Credential, PrivateKey, b64

HOUR_MS = 3_600_000


@pytest.fixture
def rosa(owner: Person) -> Person:
    """A member with a key and a session."""
    return owner.invite("Rosa")


def by_link(link: str) -> Caller:
    """Signs in with a one-time link."""
    origin, token = link.split("/join#")
    done = Caller(origin).post("/api/join/sign-in", {"token": token})
    done.expect()
    return Caller(origin, {"Authorization": f"Bearer {done.cookie.split('=')[1]}"})


def of(person: Person, key: Credential) -> Person:
    """The same person, signed in at another place with another key."""
    other = object.__new__(Person)
    Caller.__init__(other, person.origin)
    other.key, other.id, other.name = key, person.id, person.name
    other.sign_in()
    return other


def this_session(caller: Caller) -> dict:
    [session] = [row for row in caller.get("/api/sessions").expect() if row["current"]]
    return session


def is_out(caller: Caller) -> None:
    caller.get("/api/me").refused(401, "sign-in")


def test_a_session_alone_registers_no_key(rosa: Person, owner: Person):
    """Not even a fresh one: a thief who has stolen the session can't touch the key."""
    before = owner.state_of_the_realm()
    thief = Caller(rosa.origin, dict(rosa.headers))
    asked = thief.post("/api/keys/statement", {"label": "thief's key"})
    assert asked.status in (400, 422), asked.body
    for token in ("", "A" * 43, rosa.headers["Authorization"].split()[1]):
        thief.post("/api/keys/statement", {"label": "x", "token": token}).refused(403, "link")
    # The session can't make itself a link either.
    assert thief.post("/api/sign-in/link").status in (404, 405)
    for name in ("web.add_key", "web.sign_in_link"):
        ceremony = rosa.prepare(name)
        stranger = Credential(rosa.key.rp_id, rosa.origin, os.urandom(16))
        answers: list[tuple[Reply, str]] = [
            (signed(thief, ceremony, stranger), "unknown-key"),
            (signed(thief, ceremony, rosa.key, signer=PrivateKey()), "bad-assertion"),
            (signed(thief, ceremony, owner.key), "other-person"),
            (signed(thief, ceremony, rosa.key, challenge=os.urandom(32)), "bad-assertion"),
            (signed(thief, ceremony, rosa.key, flags=0), "bad-assertion"),
        ]
        for reply, code in answers:
            reply.refused(403, code)
    assert owner.state_of_the_realm() == before
    assert rosa.get("/api/links").expect() == []


def signed(caller: Caller, ceremony: dict, key: Credential, **wrong: object) -> Reply:
    """A key signs the ceremony of an act, and `caller` hands it in."""
    made = key.sign(**({"challenge": challenge_of(ceremony)} | wrong))
    return caller.post("/api/acts", answered(ceremony, made.to_json()))


def test_the_touch_of_a_sign_in_makes_no_link(rosa: Person):
    """A signature over one statement allows no other statement."""
    sign_in = Caller(rosa.origin).post("/api/sign-in/statement").expect()
    made = rosa.key.sign(challenge_of(sign_in)).to_json()
    for name in ("web.add_key", "web.sign_in_link"):
        ceremony = rosa.prepare(name)
        rosa.post("/api/acts", answered(ceremony, made)).refused(403, "bad-assertion")
        rosa.post("/api/acts", answered(sign_in, made)).refused(403, "foreign-challenge")


def test_a_session_from_a_link_is_as_old_as_the_links_touch(rosa: Person):
    made = rosa.act("web.sign_in_link")
    touched = rosa.get(f"/api/evidence/{made['evidence']}").expect()["accepted_ms"]
    browser = by_link(made["link"])
    session = this_session(browser)
    assert session["touched_ms"] == touched <= session["created_ms"]
    assert session["credential"] == b64(rosa.key.id)
    # The session ends twelve hours after that touch. Using it moves the end no further.
    assert session["expires_ms"] == touched + 12 * HOUR_MS
    for _ in range(3):
        browser.get("/api/keys").expect()
        browser.post("/api/join/look", {"token": "A" * 43}).refused(403, "link")
    assert this_session(browser)["expires_ms"] == session["expires_ms"]
    # A session from a link makes no link without a touch of its own.
    for name in ("web.sign_in_link", "web.add_key"):
        ceremony = browser.post("/api/acts/statement", {"act": name}).expect()
        stranger = Credential(rosa.key.rp_id, rosa.origin, os.urandom(16))
        signed(browser, ceremony, stranger).refused(403, "unknown-key")


def test_a_sign_in_link_registers_no_key_and_the_reverse(rosa: Person):
    caller = Caller(rosa.origin)
    sign_in = rosa.act("web.sign_in_link")["link"].split("#")[1]
    caller.post("/api/keys/statement", {"token": sign_in, "label": "x"}).refused(403, "link")
    add = rosa.right_to_a_key()["token"]
    caller.post("/api/join/sign-in", {"token": add}).refused(403, "link")
    # The wrong use did not use the links up.
    caller.post("/api/join/look", {"token": sign_in}).expect()
    assert caller.post("/api/join/look", {"token": add}).expect()["purpose"] == "additional"


def test_a_newer_link_replaces_the_older_one(rosa: Person):
    for name in ("web.sign_in_link", "web.add_key"):
        older, newer = [rosa.act(name)["link"].split("#")[1] for _ in range(2)]
        caller = Caller(rosa.origin)
        caller.post("/api/join/look", {"token": older}).refused(403, "link")
        caller.post("/api/join/look", {"token": newer}).expect()


def test_sessions_and_links_of_a_key_end_with_the_key(owner: Person):
    boss = owner.invite("Boss", "owner")
    other = of(boss, boss.add_key())
    session = Caller(boss.origin, dict(other.headers))
    browser = by_link(other.act("web.sign_in_link")["link"])
    links = {
        "sign in": other.act("web.sign_in_link")["link"],
        "a further key": other.act("web.add_key")["link"],
        "an invitation": other.act("people.invite", name="Ida", role="owner")["link"],
    }
    kept = boss.act("people.invite", name="Max", role="member")["link"]
    caller = Caller(boss.origin)
    for link in (*links.values(), kept):
        caller.post("/api/join/look", {"token": link.split("#")[1]}).expect()
    boss.act("web.remove_key", key=b64(other.key.id))
    is_out(session)
    is_out(browser)
    for name, link in links.items():
        token = {"token": link.split("#")[1]}
        caller.post("/api/join/look", token).refused(403, "link")
        caller.post("/api/join/sign-in", token).refused(403, "link")
        caller.post("/api/keys/statement", token | {"label": name}).refused(403, "link")
    # The sessions and links of the other key stay.
    boss.get("/api/me").expect()
    caller.post("/api/join/look", {"token": kept.split("#")[1]}).expect()


def test_a_registration_begun_before_its_link_ended_is_refused(owner: Person):
    """The gateway looks the link up again when the key's answer comes."""
    boss = owner.invite("Boss", "owner")
    link = boss.act("people.invite", name="Ida", role="owner")["link"]
    token = {"token": link.split("#")[1]}
    begun = Caller(boss.origin).post("/api/keys/statement", token | {"label": "late"}).expect()
    owner.act("people.change_role", person=boss.id, role="member")
    made = Credential.create(begun["public_key"], boss.origin).register(challenge_of(begun))
    late = Caller(boss.origin).post("/api/keys", answered(begun, made.to_json()) | token)
    late.refused(403, "link")


def test_signing_in_by_a_link_ends_the_earlier_session(house: Gateway, owner: Person):
    """An attacker can't plant a session in a browser that another person signs in with."""
    eve, rosa = owner.invite("Eve"), owner.invite("Rosa")
    planted = Caller(house.origin, dict(eve.headers))
    link = rosa.act("web.sign_in_link")["link"].split("#")[1]
    done = planted.post("/api/join/sign-in", {"token": link})
    assert done.expect()["person"]["id"] == rosa.id
    assert done.cookie.split("=")[1] not in eve.headers["Authorization"]
    is_out(eve)


def test_an_act_in_an_ended_session_is_refused(rosa: Person, owner: Person):
    ceremony = rosa.prepare("web.add_key")
    rosa.post("/api/sign-out").expect()
    made = rosa.key.sign(challenge_of(ceremony)).to_json()
    rosa.post("/api/acts", answered(ceremony, made)).refused(401, "sign-in")
    rosa.sign_in()
    rosa.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")


def test_people_see_and_end_only_their_own_sessions(rosa: Person, owner: Person):
    elsewhere = of(rosa, rosa.key)
    rows = rosa.get("/api/sessions").expect()
    assert [row["current"] for row in rows].count(True) == 1
    assert {row["credential"] for row in rows} == {b64(rosa.key.id)}
    other = this_session(elsewhere)["id"]
    owner.post(f"/api/sessions/{other}/end").refused(404, "not-found")
    rosa.post("/api/sessions/none/end").refused(404, "not-found")
    left = rosa.post(f"/api/sessions/{other}/end").expect()
    assert other not in [row["id"] for row in left]
    is_out(elsewhere)
    rosa.get("/api/me").expect()
