"""Identity: sessions, one-time links, and keys and people that have lost their rights."""

import os

import pytest
from api_caller import Caller, Person, Reply, answered, challenge_of
from gateway_process import Gateway
from soft_webauthn import Credential, PrivateKey, b64


def test_strangers_do_not_learn_which_keys_exist(owner: Person, mia: Person):
    suspended = owner.invite("Sven")
    owner.act("people.suspend", person=suspended.id)
    before = owner.state_of_the_realm()
    nobody = Credential(mia.key.rp_id, mia.origin, os.urandom(16))
    replies = [
        mia.try_to_sign_in(nobody),
        mia.try_to_sign_in(mia.key, signer=PrivateKey()),
        mia.try_to_sign_in(owner.key, signer=PrivateKey()),
        mia.try_to_sign_in(owner.key, origin="https://evil.example"),
        mia.try_to_sign_in(suspended.key),
        mia.try_to_sign_in(suspended.key, signer=PrivateKey()),
        mia.try_to_sign_in(mia.key, counter=0),
    ]
    seen = {(reply.status, reply.body, described(reply)) for reply in replies}
    assert len(seen) == 1, seen
    replies[0].refused(403, "refused")
    assert owner.state_of_the_realm() == before


def described(reply: Reply) -> tuple[tuple[str, str], ...]:
    """The headers without those that differ in every answer."""
    own = {"x-request-id", "date"}
    return tuple(sorted((k, v) for k, v in reply.headers.items() if k.lower() not in own))


def test_a_planted_cookie_does_not_become_a_session(house: Gateway, mia: Person):
    visitor = Caller(house.origin, {"Origin": house.origin})
    ceremony = visitor.post("/api/sign-in/statement").expect()
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "cookie"}
    first = visitor.post("/api/sign-in", body)
    first.expect()
    # A form that a browser sends without an Origin is refused, with or without the cookie.
    formed = Caller(house.origin).post("/api/sign-out", Cookie=first.cookie)
    formed.refused(403, "cross-origin")
    name = first.cookie.split("=")[0]
    assert visitor.get("/api/me", Cookie=first.cookie).expect()["id"] == mia.id
    # An attacker has planted a cookie: first a random token, then the token of a session.
    planted = f"{name}={b64(os.urandom(32))}"
    ceremony = visitor.post("/api/sign-in/statement", Cookie=planted).expect()
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "cookie"}
    second = visitor.post("/api/sign-in", body, Cookie=planted)
    second.expect()
    assert second.cookie not in (planted, first.cookie)
    visitor.get("/api/me", Cookie=planted).refused(401, "sign-in")
    ceremony = visitor.post("/api/sign-in/statement", Cookie=first.cookie).expect()
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "cookie"}
    third = visitor.post("/api/sign-in", body, Cookie=first.cookie)
    third.expect()
    assert third.cookie not in (first.cookie, second.cookie)
    # The earlier session has ended. Signing out ends the new one.
    visitor.get("/api/me", Cookie=first.cookie).refused(401, "sign-in")
    visitor.get("/api/me", Cookie=third.cookie).expect()
    visitor.post("/api/sign-out", Cookie=third.cookie).expect()
    visitor.get("/api/me", Cookie=third.cookie).refused(401, "sign-in")
    attributes = third.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)


def test_requests_of_other_sites_are_refused(house: Gateway, mia: Person, unchanged: None):
    visitor = Caller(house.origin, {"Origin": house.origin})
    ceremony = visitor.post("/api/sign-in/statement").expect()
    for origin in ("https://evil.example", "null", house.origin + ".evil.example", house.origin + "/"):
        for path in ("/api/sign-in/statement", "/api/sign-in", "/api/keys", "/api/acts"):
            Caller(house.origin, {"Origin": origin}).post(path).refused(403, "cross-origin")
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "cookie"}
    stranger = Caller(house.origin, {"Origin": "https://evil.example"})
    stranger.post("/api/sign-in", body).refused(403, "cross-origin")


# Links, keys and people that have lost their rights.


def join(link: str, name: str | None = None) -> Reply:
    """Tries to register a key by a link."""
    origin, token = link.split("/join#")
    caller = Caller(origin)
    reply = caller.post("/api/keys/statement", {"token": token, "label": "key", "name": name})
    if reply.status != 200:
        return reply
    made = Credential.create(reply.json["public_key"], origin).register(challenge_of(reply.json))
    return caller.post("/api/keys", answered(reply.json, made.to_json()) | {"token": token})


def test_one_time_links_work_once(house: Gateway, owner: Person):
    link = owner.act("people.invite", name="Ida", role="member")["link"]
    token = link.split("#")[1]
    caller = Caller(house.origin)
    # Two ceremonies begin while the link works, and one of them is finished.
    late = caller.post("/api/keys/statement", {"token": token, "label": "late"}).expect()
    ida = join(link).expect()["person"]
    before = owner.state_of_the_realm()
    made = Credential.create(late["public_key"], house.origin).register(challenge_of(late))
    caller.post("/api/keys", answered(late, made.to_json()) | {"token": token}).refused(403, "link")
    join(link).refused(403, "link")
    caller.post("/api/join/look", {"token": token}).refused(403, "link")
    join(house.set_up_link, name="Eve").refused(403, "link")
    assert owner.state_of_the_realm() == before
    recovery = owner.act("people.recover", person=ida["id"])["link"]
    assert join(recovery).expect()["person"]["id"] == ida["id"]
    join(recovery).refused(403, "link")
    sign_in = owner.act("web.sign_in_link")["link"].split("#")[1]
    # A sign-in link registers no key.
    join(f"{house.origin}/join#{sign_in}").refused(403, "link")
    caller.post("/api/join/sign-in", {"token": sign_in}).expect()
    caller.post("/api/join/sign-in", {"token": sign_in}).refused(403, "link")


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 100_0, "ü" * 43])
def test_guessed_links_are_refused(token: str, house: Gateway, unchanged: None):
    caller = Caller(house.origin)
    for path, more in (("join/look", {}), ("join/sign-in", {}), ("keys/statement", {"label": "x"})):
        caller.post(f"/api/{path}", {"token": token, **more}).refused(403, "link")


def test_a_recovery_removes_the_lost_key(owner: Person):
    rosa = owner.invite("Rosa")
    link = owner.act("people.recover", person=rosa.id)["link"]
    again = Person(rosa.origin, link)
    assert again.id == rosa.id
    rosa.try_to_sign_in().refused(403, "refused")
    rosa.get("/api/me").refused(401, "sign-in")


def test_the_last_key_can_not_be_removed(owner: Person):
    lars = owner.invite("Lars")
    before = owner.state_of_the_realm()
    first = b64(lars.key.id)
    wanted = {"act": "web.remove_key", "key": first}
    lars.post("/api/acts/statement", wanted).refused(409, "last-key")
    wanted = {"act": "web.remove_key", "key": b64(owner.key.id)}
    assert owner.state_of_the_realm() == before
    second = lars.add_key()
    lars.post("/api/acts/statement", wanted).refused(404, "not-found")
    # Two removals are prepared while there are two keys, and one of them is done.
    removals = [lars.prepare("web.remove_key", key=key) for key in (b64(second.id), first)]
    lars.touch(removals[0]).expect()
    before = owner.state_of_the_realm()
    lars.touch(removals[1]).refused(409, "last-key")
    assert owner.state_of_the_realm() == before
    lars.try_to_sign_in(second).refused(403, "refused")


def test_a_suspended_person_is_refused_until_the_reinstatement(owner: Person):
    nina = owner.invite("Nina", "operator")
    right = nina.right_to_a_key()
    ceremony = nina.post("/api/keys/statement", {**right, "label": "second"}).expect()
    owner.act("people.suspend", person=nina.id)
    nina.get("/api/me").refused(401, "sign-in")
    nina.try_to_sign_in().refused(403, "refused")
    made = Credential.create(ceremony["public_key"], nina.origin).register(challenge_of(ceremony))
    nina.post("/api/keys", answered(ceremony, made.to_json()) | right).refused(403, "link")
    owner.act("people.reinstate", person=nina.id)
    nina.get("/api/me").refused(401, "sign-in")
    nina.sign_in()
    assert nina.get("/api/me").expect()["id"] == nina.id


def test_the_last_owner_can_not_lose_the_role(owner: Person, unchanged: None):
    for act in ({"act": "people.suspend"}, {"act": "people.change_role", "role": "member"}):
        ceremony = owner.prepare(person=owner.id, **act)
        owner.touch(ceremony).refused(409, "last-owner")


def test_an_error_page_keeps_the_navigation(owner: Person, mia: Person):
    for person, path, status in [
        (owner, "/devices/none", 404),
        (owner, "/nowhere", 404),
        (mia, "/people", 403),
    ]:
        page = person.get(path, Accept="text/html")
        assert page.status == status
        assert b'href="/transactions"' in page.body, path
    # Without a session, the error page shows no navigation.
    stranger = Caller(owner.origin).get("/nowhere", Accept="text/html")
    assert stranger.status == 404 and b'href="/transactions"' not in stranger.body
