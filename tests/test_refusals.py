"""What people's doors refuse: each time by the right status and code, with nothing changed.

The gateway's clock cannot be set from outside. That a statement expires is therefore shown in two
parts: `seal.rs` and the ceremonies' own tests judge the age by a clock of theirs, and here nobody
can make a statement look younger, because its time of issue is under the seal.
"""

import os
from collections.abc import Callable

import pytest
from api_caller import Caller, Person, Reply, answered, challenge_of
from fido2 import cbor
from soft_webauthn import AT, ED, EDDSA, ES256, RS256, UP, UV, Credential, PrivateKey, b64, unb64
from waiting import eventually


def port_of(origin: str) -> str:
    return origin.rsplit(":", 1)[1]


# What is wrong with an assertion, and the words in which an owner finds it among the refusals.
WRONG_ASSERTIONS: dict[str, Callable[[Person], dict]] = {
    "origin of another site": lambda _: {"origin": "https://evil.example"},
    "origin that ends alike": lambda p: {"origin": f"http://evil-localhost:{port_of(p.origin)}"},
    "origin that begins alike": lambda p: {"origin": p.origin + ".evil.example"},
    "origin below ours": lambda p: {"origin": f"http://sub.localhost:{port_of(p.origin)}"},
    "origin with another scheme": lambda p: {"origin": p.origin.replace("http", "https")},
    "origin with another port": lambda _: {"origin": "http://localhost:1"},
    "origin with a slash": lambda p: {"origin": p.origin + "/"},
    "frame of another site": lambda _: {"cross_origin": True},
    "RP ID of another site": lambda _: {"rp_id": "evil.example"},
    "challenge of somebody's own": lambda _: {"challenge": os.urandom(32)},
    "empty challenge": lambda _: {"challenge": b""},
    "type of a registration": lambda _: {"kind": "webauthn.create"},
    "user not present": lambda _: {"flags": UV},
    "user not verified": lambda _: {"flags": UP},
    "no flags at all": lambda _: {"flags": 0},
    "backed up but not eligible": lambda _: {"flags": UP | UV | 0x10},
    "another key": lambda _: {"signer": PrivateKey()},
    "another algorithm than the key's": lambda _: {"signer": PrivateKey(EDDSA)},
    "an RSA signature by an EC key": lambda _: {"signer": PrivateKey(RS256)},
    "bytes behind the authenticator data": lambda _: {"tail": b"\0"},
    "CBOR behind the authenticator data": lambda _: {"tail": cbor.encode({"a": 1})},
    "authenticator data cut short": lambda _: {"cut": 1},
    "extension flag without extensions": lambda _: {"flags": UP | UV | 0x80},
    "extensions cut short": lambda _: {"flags": UP | UV | 0x80, "tail": b"\xa1\x61a"},
    "attested data that is not there": lambda _: {"flags": UP | UV | AT},
    "user handle of somebody else": lambda _: {"user_handle": os.urandom(16)},
    "credential nobody has": lambda _: {"credential_id": os.urandom(32)},
    "counter that went back": lambda p: {"counter": 0},
}


@pytest.mark.parametrize("fault", WRONG_ASSERTIONS)
def test_sign_in_refuses(fault: str, mia: Person, unchanged: None):
    refused = mia.try_to_sign_in(**WRONG_ASSERTIONS[fault](mia))
    refused.refused(403, "refused")
    assert refused.cookie is None


@pytest.mark.parametrize("fault", WRONG_ASSERTIONS)
def test_acts_refuse(fault: str, owner: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    reply = owner.touch(ceremony, **WRONG_ASSERTIONS[fault](owner))
    reply.refused(403, "unknown-key" if fault == "credential nobody has" else "bad-assertion")


def test_a_counter_that_stands_still_is_a_copy(owner: Person, mia: Person):
    mia.sign_in()
    before = owner.state_of_the_realm()
    mia.try_to_sign_in(counter=mia.key.counter).refused(403, "refused")
    assert owner.state_of_the_realm() == before
    mia.sign_in()


def with_cose(change: Callable[[dict], dict]) -> Callable[[Credential], dict]:
    return lambda key: {"cose": change(key.key.cose())}


# What is wrong with a registration.
WRONG_REGISTRATIONS: dict[str, Callable[[Credential], dict]] = {
    "origin of another site": lambda _: {"origin": "https://evil.example"},
    "origin that ends alike": lambda key: {"origin": key.origin.replace("//", "//evil-")},
    "frame of another site": lambda _: {"cross_origin": True},
    "RP ID of another site": lambda _: {"rp_id": "evil.example"},
    "challenge of somebody's own": lambda _: {"challenge": os.urandom(32)},
    "type of an assertion": lambda _: {"kind": "webauthn.get"},
    "user not present": lambda _: {"flags": UV | AT},
    "user not verified": lambda _: {"flags": UP | AT},
    "no attested data flag": lambda _: {"flags": UP | UV},
    "algorithm nobody knows": with_cose(lambda cose: cose | {3: -65000}),
    "algorithm of another key type": with_cose(lambda cose: cose | {3: EDDSA}),
    "algorithm that was not offered": with_cose(lambda cose: cose | {3: -36}),
    "curve of another algorithm": with_cose(lambda cose: cose | {-1: 2}),
    "coordinate too short": with_cose(lambda cose: cose | {-2: cose[-2][:31]}),
    "truncated CBOR": lambda _: {"cut": 1},
    "half of the CBOR": lambda _: {"cut": 90},
    "trailing CBOR": lambda _: {"tail": b"\xa0"},
    "CBOR behind the public key": lambda _: {"inner_tail": b"\xa0"},
    "credential id of 1024 bytes": lambda _: {"credential_id": os.urandom(1024)},
    "empty credential id": lambda _: {"credential_id": b""},
    "self attestation by another key": lambda _: {"attestation_key": PrivateKey()},
    "self attestation by another algorithm": lambda key: {
        "attestation_key": key.key,
        "attestation_algorithm": RS256,
    },
}


@pytest.fixture
def right(mia: Person) -> dict[str, str]:
    """A right to register a further key, from before the test."""
    return mia.right_to_a_key()


@pytest.mark.parametrize("fault", WRONG_REGISTRATIONS)
def test_registration_refuses(fault: str, mia: Person, right: dict[str, str], unchanged: None):
    keys = mia.get("/api/keys").expect()
    ceremony = mia.post("/api/keys/statement", {**right, "label": "second"}).expect()
    key = Credential.create(ceremony["public_key"], mia.origin)
    wrong = {"challenge": challenge_of(ceremony)} | WRONG_REGISTRATIONS[fault](key)
    reply = mia.post("/api/keys", answered(ceremony, key.register(**wrong).to_json()) | right)
    reply.refused(403, "bad-registration")
    assert [row["id"] for row in mia.get("/api/keys").expect()] == [row["id"] for row in keys]


def test_a_key_is_registered_once_whoever_tries(
    owner: Person, mia: Person, right: dict[str, str], unchanged: None
):
    for key in (mia.key, owner.key):
        ceremony = mia.post("/api/keys/statement", {**right, "label": "again"}).expect()
        made = key.register(challenge_of(ceremony))
        again = mia.post("/api/keys", answered(ceremony, made.to_json()) | right)
        again.refused(409, "known-key")


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("attestation", ["none", "self"])
def test_every_algorithm_registers_and_signs_in(algorithm: int, attestation: str, mia: Person):
    right = mia.right_to_a_key()
    wanted = {**right, "label": f"{algorithm} {attestation}"}
    ceremony = mia.post("/api/keys/statement", wanted).expect()
    key = Credential.create(ceremony["public_key"], mia.origin, algorithm)
    attested = {"attestation_key": key.key, "attestation_algorithm": algorithm}
    made = key.register(challenge_of(ceremony), **(attested if attestation == "self" else {}))
    added = mia.post("/api/keys", answered(ceremony, made.to_json()) | right).expect()
    assert added["key"]["id"] == b64(key.id)
    signed_in = mia.try_to_sign_in(key).expect()
    assert signed_in["person"]["id"] == mia.id
    mia.try_to_sign_in(key, signer=PrivateKey(algorithm)).refused(403, "refused")


# What an authenticator may write beside what FIDO uses: text labels, other keys, other values.
FURTHER = {
    "text label in the public key": with_cose(lambda cose: cose | {"note": "made by others"}),
    "text label that reads like a number": with_cose(lambda cose: cose | {"3": {"1": False}}),
    "kid and key_ops in the public key": with_cose(lambda cose: cose | {2: b"key 7", 4: [2]}),
    "a label beyond 64 bits": with_cose(lambda cose: cose | {2**64 - 1: -(2**64)}),
    "a label that is no label": with_cose(lambda cose: cose | {b"label": [True, {}]}),
    "members in the attestation object": lambda _: {"more": {"x": [1], 7: True, b"": {}}},
    "extension outputs of every kind": lambda _: {
        "flags": UP | UV | AT | ED,
        "inner_tail": cbor.encode({"x": {"y": []}, 7: b"", b"z": 1}),
    },
}


@pytest.mark.parametrize("further", FURTHER)
def test_what_others_write_beside_it_is_passed_over(further: str, mia: Person):
    right = mia.right_to_a_key()
    ceremony = mia.post("/api/keys/statement", {**right, "label": "theirs"}).expect()
    key = Credential.create(ceremony["public_key"], mia.origin)
    made = key.register(challenge_of(ceremony), **FURTHER[further](key))
    mia.post("/api/keys", answered(ceremony, made.to_json()) | right).expect()
    assert mia.try_to_sign_in(key).expect()["person"]["id"] == mia.id


# Answers and the statements that they belong to.


def sign_in_with(ceremony: dict, key: Credential) -> Reply:
    made = key.sign(challenge_of(ceremony))
    body = answered(ceremony, made.to_json()) | {"grant": "bearer"}
    return Caller(key.origin).post("/api/sign-in", body)


def test_a_replayed_sign_in_opens_nothing(owner: Person, mia: Person):
    ceremony = Caller(mia.origin).post("/api/sign-in/statement").expect()
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "bearer"}
    Caller(mia.origin).post("/api/sign-in", body).expect()
    before = owner.state_of_the_realm()
    # The key's counter stands still in a copy.
    Caller(mia.origin).post("/api/sign-in", body).refused(403, "refused")
    assert owner.state_of_the_realm() == before


def test_a_statement_is_answered_once_even_by_a_fresh_touch(owner: Person, mia: Person):
    ceremony = Caller(mia.origin).post("/api/sign-in/statement").expect()
    sign_in_with(ceremony, mia.key).expect()
    before = owner.state_of_the_realm()
    sign_in_with(ceremony, mia.key).refused(409, "replayed")
    assert owner.state_of_the_realm() == before


def test_a_replayed_act_is_not_done_again(owner: Person):
    ceremony = owner.prepare("people.invite", name="Ann", role="member")
    made = owner.key.sign(challenge_of(ceremony)).to_json()
    owner.post("/api/acts", answered(ceremony, made)).expect()
    before = owner.state_of_the_realm()
    owner.post("/api/acts", answered(ceremony, made)).refused(403, "bad-assertion")
    owner.touch(ceremony).refused(409, "replayed")
    assert owner.state_of_the_realm() == before


def test_an_answer_is_worth_nothing_in_another_session(owner: Person):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    made = owner.key.sign(challenge_of(ceremony)).to_json()
    other = Caller(owner.origin)
    token = owner.try_to_sign_in().expect()["token"]
    before = owner.state_of_the_realm()
    other.headers = {"Authorization": f"Bearer {token}"}
    other.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")
    Caller(owner.origin).post("/api/acts", answered(ceremony, made)).refused(401, "sign-in")
    assert owner.state_of_the_realm() == before


def test_a_statement_for_one_purpose_serves_no_other(
    owner: Person, right: dict[str, str], unchanged: None
):
    act = owner.prepare("people.invite", name="Eve", role="owner")
    sign_in = Caller(owner.origin).post("/api/sign-in/statement").expect()
    device = Caller(owner.origin).post("/api/device/enrolments/statement").expect()
    key = owner.post("/api/keys/statement", {**right, "label": "second"}).expect()
    for ceremony in (act, device, key):
        sign_in_with(ceremony, owner.key).refused(403, "foreign-challenge")
    for ceremony in (sign_in, device, key):
        owner.touch(ceremony).refused(403, "foreign-challenge")
    made = Credential(owner.key.rp_id, owner.origin, b"x" * 16)
    for ceremony in (act, sign_in, device):
        body = answered(ceremony, made.register(challenge_of(ceremony)).to_json()) | right
        owner.post("/api/keys", body).refused(403, "foreign-challenge")


@pytest.mark.parametrize("change", ["issued", "nonce", "terms", "realm", "seal", "no seal", "own"])
def test_a_statement_that_was_tampered_with_is_foreign(change: str, owner: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="member")
    parts = cbor.decode(unb64(ceremony["statement"]))
    seal = unb64(ceremony["seal"])
    if change == "issued":
        # Younger than it is: this is how an expired one would be kept alive.
        parts["issued"] += 60_000
    elif change == "nonce":
        parts["nonce"] = os.urandom(16)
    elif change == "terms":
        parts["terms"]["role"] = "owner"
    elif change == "realm":
        parts["realm"] = "evil.example"
    elif change == "seal":
        seal = bytes([seal[0] ^ 1]) + seal[1:]
    elif change == "no seal":
        seal = b""
    else:
        seal = os.urandom(len(seal))
    tampered = {"statement": b64(cbor.encode(parts)), "seal": b64(seal)}
    owner.touch(tampered).refused(403, "foreign-challenge")


@pytest.mark.parametrize("cut,tail", [(1, b""), (0, b"\0"), (0, b"\xa0")])
def test_truncated_and_trailing_statements_are_foreign(
    cut: int, tail: bytes, owner: Person, unchanged: None
):
    ceremony = owner.prepare("people.invite", name="Eve", role="member")
    said = unb64(ceremony["statement"])
    bent = ceremony | {"statement": b64(said[: len(said) - cut] + tail)}
    owner.touch(bent).refused(403, "foreign-challenge")


def test_somebody_elses_key_does_not_sign_my_acts(owner: Person, mia: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    # As Mia hands it in: it is not her session's. As the owner does: it is not the owner's key.
    made = mia.key.sign(challenge_of(ceremony)).to_json()
    mia.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")
    made = mia.key.sign(challenge_of(ceremony)).to_json()
    owner.post("/api/acts", answered(ceremony, made)).refused(403, "other-person")


def test_a_lesser_role_prepares_and_does_no_act_of_an_owner(mia: Person, unchanged: None):
    for act in (
        {"act": "people.invite", "name": "Eve", "role": "owner"},
        {"act": "people.change_role", "person": mia.id, "role": "owner"},
        {"act": "people.suspend", "person": mia.id},
    ):
        mia.post("/api/acts/statement", act).refused(403, "role")


def test_a_role_that_was_taken_away_meanwhile_does_not_count(owner: Person):
    second = owner.invite("Otto", "owner")
    ceremony = second.prepare("people.invite", name="Eve", role="owner")
    owner.act("people.change_role", person=second.id, role="member")
    before = owner.state_of_the_realm()
    second.touch(ceremony).refused(403, "role")
    assert owner.state_of_the_realm() == before


def test_a_role_is_not_given_to_whom_has_it(owner: Person):
    ada = owner.invite("Ada", "operator")
    again = {"act": "people.change_role", "person": ada.id, "role": "operator"}
    said = owner.post("/api/acts/statement", again).refused(409, "same-role")
    assert said["detail"] == "Ada has the role operator already; choose another"
    ceremony = owner.prepare("people.change_role", person=ada.id, role="member")
    owner.act("people.change_role", person=ada.id, role="member")
    before = owner.state_of_the_realm()
    owner.touch(ceremony).refused(409, "same-role")
    assert owner.state_of_the_realm() == before


@pytest.mark.parametrize(
    "body,status",
    [(b"", 400), (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"statement": 1}', 422), (b"\xff", 400)],
)
def test_bodies_that_are_no_answers(body: bytes, status: int, owner: Person, unchanged: None):
    for path in ("/api/sign-in", "/api/keys", "/api/acts"):
        reply = owner.call("POST", path, body, Content_Type="application/json")
        reply.refused(status, "malformed" if status == 400 else "invalid")
    owner.call("POST", "/api/acts", b"a=b", Content_Type="text/plain").refused(415, "not-json")


def test_a_long_body_is_refused(owner: Person, unchanged: None):
    owner.post("/api/acts", {"statement": "A" * 70_000}).refused(413, "too-large")


def refusals(owner: Person, code: str) -> list[dict]:
    return [row for row in owner.pages("/api/refusals") if row["code"] == code]


# What somebody tries who holds nothing of the realm's, and the code under which an owner finds it.
TRIED_BY_STRANGERS: dict[str, tuple[Callable[[Caller, str], Reply], str]] = {
    "looking for a link": (lambda c, token: c.post("/api/join/look", {"token": token}), "link"),
    "signing in with a link": (lambda c, token: c.post("/api/join/sign-in", {"token": token}), "link"),
    "a key for a link": (
        lambda c, token: c.post("/api/keys/statement", {"token": token, "label": "mine"}),
        "link",
    ),
    "a form of another site": (
        lambda c, _: c.post("/api/sign-in/statement", Origin="https://evil.example"),
        "cross-origin",
    ),
}


@pytest.mark.parametrize("tried", TRIED_BY_STRANGERS)
def test_what_strangers_try_is_found_among_the_refusals(tried: str, owner: Person):
    attempt, code = TRIED_BY_STRANGERS[tried]
    counted = sum(1 + row["more"] for row in refusals(owner, code))
    attempt(Caller(owner.origin), b64(os.urandom(32))).refused(403, code)

    def noted() -> bool:
        # How many more there were is written once a second.
        return sum(1 + row["more"] for row in refusals(owner, code)) == counted + 1

    eventually(noted)


def test_who_lacks_a_role_is_named_among_the_refusals(owner: Person):
    nosy = owner.invite("Nosy", "member")
    nosy.get("/api/refusals").refused(403, "role")
    assert nosy.id in [row["person"] for row in refusals(owner, "role")]
