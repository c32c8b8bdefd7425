"""The refusals of people's requests: each has the right status and code, and changes nothing.

No test can set the gateway's clock. So the expiry of a statement is tested in two parts: `seal.rs` and the
ceremonies' own tests judge its age by a clock of theirs, and here no change makes a statement look younger,
because its time of issue is under the seal.
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


# Wrong assertions, with the words that an owner sees in the list of refusals.
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
def test_a_wrong_sign_in_is_refused(fault: str, mia: Person, unchanged: None):
    refused = mia.try_to_sign_in(**WRONG_ASSERTIONS[fault](mia))
    refused.refused(403, "refused")
    assert refused.cookie is None


@pytest.mark.parametrize("fault", WRONG_ASSERTIONS)
def test_a_wrong_assertion_for_an_act_is_refused(fault: str, owner: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    reply = owner.touch(ceremony, **WRONG_ASSERTIONS[fault](owner))
    reply.refused(403, "unknown-key" if fault == "credential nobody has" else "bad-assertion")


def test_a_counter_that_does_not_rise_is_refused_as_a_copy(owner: Person, mia: Person):
    mia.sign_in()
    before = owner.state_of_the_realm()
    mia.try_to_sign_in(counter=mia.key.counter).refused(403, "refused")
    assert owner.state_of_the_realm() == before
    mia.sign_in()


def with_cose(change: Callable[[dict], dict]) -> Callable[[Credential], dict]:
    return lambda key: {"cose": change(key.key.cose())}


# Wrong registrations.
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
    """The fields of a one-time link for a further key, made before the test."""
    return mia.right_to_a_key()


@pytest.mark.parametrize("fault", WRONG_REGISTRATIONS)
def test_a_wrong_registration_is_refused(fault: str, mia: Person, right: dict[str, str], unchanged: None):
    keys = mia.get("/api/keys").expect()
    ceremony = mia.post("/api/keys/statement", {**right, "label": "second"}).expect()
    key = Credential.create(ceremony["public_key"], mia.origin)
    wrong = {"challenge": challenge_of(ceremony)} | WRONG_REGISTRATIONS[fault](key)
    reply = mia.post("/api/keys", answered(ceremony, key.register(**wrong).to_json()) | right)
    reply.refused(403, "bad-registration")
    assert [row["id"] for row in mia.get("/api/keys").expect()] == [row["id"] for row in keys]


def test_a_registered_key_can_not_be_registered_again(
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


# Further data that an authenticator may write: text labels, other keys, other values.
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
def test_further_data_of_an_authenticator_is_ignored(further: str, mia: Person):
    right = mia.right_to_a_key()
    ceremony = mia.post("/api/keys/statement", {**right, "label": "theirs"}).expect()
    key = Credential.create(ceremony["public_key"], mia.origin)
    made = key.register(challenge_of(ceremony), **FURTHER[further](key))
    mia.post("/api/keys", answered(ceremony, made.to_json()) | right).expect()
    assert mia.try_to_sign_in(key).expect()["person"]["id"] == mia.id


# Each answer belongs to one statement.


def sign_in_with(ceremony: dict, key: Credential) -> Reply:
    made = key.sign(challenge_of(ceremony))
    body = answered(ceremony, made.to_json()) | {"grant": "bearer"}
    return Caller(key.origin).post("/api/sign-in", body)


def test_a_replayed_sign_in_opens_nothing(owner: Person, mia: Person):
    ceremony = Caller(mia.origin).post("/api/sign-in/statement").expect()
    body = answered(ceremony, mia.key.sign(challenge_of(ceremony)).to_json()) | {"grant": "bearer"}
    Caller(mia.origin).post("/api/sign-in", body).expect()
    before = owner.state_of_the_realm()
    # In a copied answer the counter has not risen.
    Caller(mia.origin).post("/api/sign-in", body).refused(403, "refused")
    assert owner.state_of_the_realm() == before


def test_a_second_touch_for_the_same_statement_is_refused(owner: Person, mia: Person):
    ceremony = Caller(mia.origin).post("/api/sign-in/statement").expect()
    sign_in_with(ceremony, mia.key).expect()
    before = owner.state_of_the_realm()
    sign_in_with(ceremony, mia.key).refused(409, "replayed")
    assert owner.state_of_the_realm() == before


def test_a_replayed_act_is_refused(owner: Person):
    ceremony = owner.prepare("people.invite", name="Ann", role="member")
    made = owner.key.sign(challenge_of(ceremony)).to_json()
    owner.post("/api/acts", answered(ceremony, made)).expect()
    before = owner.state_of_the_realm()
    owner.post("/api/acts", answered(ceremony, made)).refused(403, "bad-assertion")
    owner.touch(ceremony).refused(409, "replayed")
    assert owner.state_of_the_realm() == before


def test_an_answer_is_refused_in_another_session(owner: Person):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    made = owner.key.sign(challenge_of(ceremony)).to_json()
    other = Caller(owner.origin)
    token = owner.try_to_sign_in().expect()["token"]
    before = owner.state_of_the_realm()
    other.headers = {"Authorization": f"Bearer {token}"}
    other.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")
    Caller(owner.origin).post("/api/acts", answered(ceremony, made)).refused(401, "sign-in")
    assert owner.state_of_the_realm() == before


def test_a_statement_for_one_purpose_is_refused_for_others(
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
def test_a_changed_statement_is_refused_as_foreign(change: str, owner: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="member")
    parts = cbor.decode(unb64(ceremony["statement"]))
    seal = unb64(ceremony["seal"])
    if change == "issued":
        # A later time of issue would keep an expired statement alive.
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
def test_truncated_and_longer_statements_are_refused_as_foreign(
    cut: int, tail: bytes, owner: Person, unchanged: None
):
    ceremony = owner.prepare("people.invite", name="Eve", role="member")
    said = unb64(ceremony["statement"])
    bent = ceremony | {"statement": b64(said[: len(said) - cut] + tail)}
    owner.touch(bent).refused(403, "foreign-challenge")


def test_the_key_of_another_person_signs_no_act(owner: Person, mia: Person, unchanged: None):
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    # From Mia: the statement is not of her session. From the owner: the key is not the owner's.
    made = mia.key.sign(challenge_of(ceremony)).to_json()
    mia.post("/api/acts", answered(ceremony, made)).refused(403, "foreign-challenge")
    made = mia.key.sign(challenge_of(ceremony)).to_json()
    owner.post("/api/acts", answered(ceremony, made)).refused(403, "other-person")


def test_a_member_can_not_prepare_acts_of_an_owner(mia: Person, unchanged: None):
    for act in (
        {"act": "people.invite", "name": "Eve", "role": "owner"},
        {"act": "people.change_role", "person": mia.id, "role": "owner"},
        {"act": "people.suspend", "person": mia.id},
    ):
        mia.post("/api/acts/statement", act).refused(403, "role")


def test_an_act_is_refused_if_the_role_was_lost_meanwhile(owner: Person):
    second = owner.invite("Otto", "owner")
    ceremony = second.prepare("people.invite", name="Eve", role="owner")
    owner.act("people.change_role", person=second.id, role="member")
    before = owner.state_of_the_realm()
    second.touch(ceremony).refused(403, "role")
    assert owner.state_of_the_realm() == before


def test_a_role_is_not_given_to_a_person_who_has_it(owner: Person):
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
def test_malformed_bodies_are_refused(body: bytes, status: int, owner: Person, unchanged: None):
    for path in ("/api/sign-in", "/api/keys", "/api/acts"):
        reply = owner.call("POST", path, body, Content_Type="application/json")
        reply.refused(status, "malformed" if status == 400 else "invalid")
    owner.call("POST", "/api/acts", b"a=b", Content_Type="text/plain").refused(415, "not-json")


def test_a_long_body_is_refused(owner: Person, unchanged: None):
    owner.post("/api/acts", {"statement": "A" * 70_000}).refused(413, "too-large")


def refusals(owner: Person, code: str) -> list[dict]:
    return [row for row in owner.pages("/api/refusals") if row["code"] == code]


# Requests of a stranger without a key, and the code by which an owner finds each.
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
def test_requests_of_strangers_are_in_the_list_of_refusals(tried: str, owner: Person):
    attempt, code = TRIED_BY_STRANGERS[tried]
    counted = sum(1 + row["more"] for row in refusals(owner, code))
    attempt(Caller(owner.origin), b64(os.urandom(32))).refused(403, code)

    def noted() -> bool:
        # The gateway writes the number of equal refusals once a second.
        return sum(1 + row["more"] for row in refusals(owner, code)) == counted + 1

    eventually(noted)


def test_a_refused_role_is_recorded_with_the_person(owner: Person):
    nosy = owner.invite("Nosy", "member")
    nosy.get("/api/refusals").refused(403, "role")
    assert nosy.id in [row["person"] for row in refusals(owner, "role")]
