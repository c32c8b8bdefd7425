"""Legal steps that must not add up to an illegal one: a session is as old as the touch behind it."""

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
    """Whoever signs in with a one-time link."""
    origin, token = link.split("/join#")
    done = Caller(origin).post("/api/join/sign-in", {"token": token})
    done.expect()
    return Caller(origin, {"Authorization": f"Bearer {done.cookie.split('=')[1]}"})


def of(person: Person, key: Credential) -> Person:
    """The same person at another place, with another key."""
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
    """However fresh it is: whoever has stolen it has no key to touch."""
    before = owner.state_of_the_realm()
    thief = Caller(rosa.origin, dict(rosa.headers))
    asked = thief.post("/api/keys/statement", {"label": "thief's key"})
    assert asked.status in (400, 422), asked.body
    for token in ("", "A" * 43, rosa.headers["Authorization"].split()[1]):
        thief.post("/api/keys/statement", {"label": "x", "token": token}).refused(403, "link")
    # Neither does a link that it would make for itself.
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
    """The answer to an act's ceremony by a key, handed in by anybody."""
    made = key.sign(**({"challenge": challenge_of(ceremony)} | wrong))
    return caller.post("/api/acts", answered(ceremony, made.to_json()))


def test_a_sign_in_is_no_touch_for_a_link(rosa: Person):
    """What a key signed for one statement allows no other."""
    sign_in = Caller(rosa.origin).post("/api/sign-in/statement").expect()
    made = rosa.key.sign(challenge_of(sign_in)).to_json()
    for name in ("web.add_key", "web.sign_in_link"):
        ceremony = rosa.prepare(name)
        rosa.post("/api/acts", answered(ceremony, made)).refused(403, "bad-assertion")
        rosa.post("/api/acts", answered(sign_in, made)).refused(403, "foreign-challenge")


def test_a_link_hands_on_the_touch_and_no_youth(rosa: Person):
    made = rosa.act("web.sign_in_link")
    touched = rosa.get(f"/api/evidence/{made['evidence']}").expect()["accepted_ms"]
    browser = by_link(made["link"])
    session = this_session(browser)
    assert session["touched_ms"] == touched <= session["created_ms"]
    assert session["credential"] == b64(rosa.key.id)
    # It ends when a session of that touch ends, and no use of it moves that.
    assert session["expires_ms"] == touched + 12 * HOUR_MS
    for _ in range(3):
        browser.get("/api/keys").expect()
        browser.post("/api/join/look", {"token": "A" * 43}).refused(403, "link")
    assert this_session(browser)["expires_ms"] == session["expires_ms"]
    # Links in a row: each is a touch of its own, or there is none.
    for name in ("web.sign_in_link", "web.add_key"):
        ceremony = browser.post("/api/acts/statement", {"act": name}).expect()
        stranger = Credential(rosa.key.rp_id, rosa.origin, os.urandom(16))
        signed(browser, ceremony, stranger).refused(403, "unknown-key")


def test_a_link_that_signs_in_registers_nothing_and_the_reverse(rosa: Person):
    caller = Caller(rosa.origin)
    sign_in = rosa.act("web.sign_in_link")["link"].split("#")[1]
    caller.post("/api/keys/statement", {"token": sign_in, "label": "x"}).refused(403, "link")
    add = rosa.right_to_a_key()["token"]
    caller.post("/api/join/sign-in", {"token": add}).refused(403, "link")
    # Being tried for the wrong thing used neither up.
    caller.post("/api/join/look", {"token": sign_in}).expect()
    assert caller.post("/api/join/look", {"token": add}).expect()["purpose"] == "additional"


def test_a_newer_link_takes_the_place_of_the_older(rosa: Person):
    for name in ("web.sign_in_link", "web.add_key"):
        older, newer = [rosa.act(name)["link"].split("#")[1] for _ in range(2)]
        caller = Caller(rosa.origin)
        caller.post("/api/join/look", {"token": older}).refused(403, "link")
        caller.post("/api/join/look", {"token": newer}).expect()


def test_all_that_came_from_a_key_falls_with_it(owner: Person):
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
    # What the other key opened and handed out stays.
    boss.get("/api/me").expect()
    caller.post("/api/join/look", {"token": kept.split("#")[1]}).expect()


def test_a_ceremony_that_was_begun_before_is_finished_by_no_dead_link(owner: Person):
    """The link is looked up when the key comes, not only when its statement was asked for."""
    boss = owner.invite("Boss", "owner")
    link = boss.act("people.invite", name="Ida", role="owner")["link"]
    token = {"token": link.split("#")[1]}
    begun = Caller(boss.origin).post("/api/keys/statement", token | {"label": "late"}).expect()
    owner.act("people.change_role", person=boss.id, role="member")
    made = Credential.create(begun["public_key"], boss.origin).register(challenge_of(begun))
    late = Caller(boss.origin).post("/api/keys", answered(begun, made.to_json()) | token)
    late.refused(403, "link")


def test_signing_in_by_a_link_ends_the_session_that_was_brought_along(house: Gateway, owner: Person):
    """Nobody plants a session in a browser and waits for it to become somebody's."""
    eve, rosa = owner.invite("Eve"), owner.invite("Rosa")
    planted = Caller(house.origin, dict(eve.headers))
    link = rosa.act("web.sign_in_link")["link"].split("#")[1]
    done = planted.post("/api/join/sign-in", {"token": link})
    assert done.expect()["person"]["id"] == rosa.id
    assert done.cookie.split("=")[1] not in eve.headers["Authorization"]
    is_out(eve)


def test_an_act_in_a_session_that_has_ended_is_not_done(rosa: Person, owner: Person):
    ceremony = rosa.prepare("web.add_key")
    rosa.post("/api/sign-out").expect()
    made = rosa.key.sign(challenge_of(ceremony)).to_json()
    rosa.post("/api/acts", answered(ceremony, made)).refused(401, "sign-in")
    rosa.sign_in()
    rosa.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")


def test_people_see_and_end_their_own_sessions_alone(rosa: Person, owner: Person):
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
