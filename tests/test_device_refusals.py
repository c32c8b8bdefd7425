"""The refusals of the device door: enrolments, status requests, transactions and bodies.

`test_refusals.py` says how expiry is tested: no test can set the gateway's clock, and the time inside a
challenge is under its seal.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from api_caller import Person, answered, challenge_of
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor
from gateway_process import Gateway
from soft_device import MODEL, Device, Maker, now_ms, statement, transaction
from soft_webauthn import EDDSA, UP, UV, PrivateKey, b64, unb64

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

# The largest payload that the gateway takes by default (hallway.toml).
PAYLOAD_LIMIT_BYTES = 64 << 20

serials = (f"SN-{number:04}" for number in count(1))


@pytest.fixture(scope="module")
def camera(house: Gateway, owner: Person, maker: Maker) -> Device:
    """A registered device."""
    device = Device(house.origin, maker, next(serials))
    device.enrol(owner.invite("Camera owner"))
    return device


@pytest.fixture
def newcomer(house: Gateway, maker: Maker) -> Device:
    """A device that the realm does not know yet."""
    return Device(house.origin, maker, next(serials))


@pytest.fixture
def unchanged(owner: Person, maker: Maker, camera: Device) -> Iterator[None]:
    """Checks that the test does not change the realm."""
    before = owner.state_of_the_realm()
    yield
    assert owner.state_of_the_realm() == before


# Enrolment.


WRONG_ENROLMENTS: dict[str, Callable[[Device], dict]] = {
    "origin of another site": lambda _: {"origin": "https://evil.example"},
    "RP ID of another site": lambda _: {"rp_id": "evil.example"},
    "challenge of its own": lambda _: {"challenge": os.urandom(32)},
    "type of an assertion": lambda _: {"kind": "webauthn.get"},
    "no attestation": lambda _: {"attestation_key": None, "chain": ()},
    "self attestation": lambda d: {"attestation_key": d.credential.key, "chain": ()},
    "maker that is not accepted": lambda d: {
        "chain": (Maker("Strangers").certify(d.attestation_key, d.serial),)
    },
    "maker of the same name": lambda d: {
        "chain": (Maker(d.maker.name).certify(d.attestation_key, d.serial),)
    },
    "self-signed leaf": lambda d: {
        "chain": (d.maker.certify(d.attestation_key, d.serial, self_signed=True),)
    },
    "no serial number": lambda d: {"chain": (d.maker.certify(d.attestation_key, None),)},
    "another model in the certificate": lambda d: {
        "chain": (d.maker.certify(d.attestation_key, d.serial, model=b"another model 01"),)
    },
    "model extension of 15 bytes": lambda d: {
        "chain": (d.maker.certify(d.attestation_key, d.serial, model=MODEL[:15]),)
    },
    "another model in the authenticator data": lambda _: {"aaguid": b"another model 01"},
    "attested by a key that is not the certificate's": lambda _: {"attestation_key": PrivateKey()},
    "attested by another algorithm": lambda _: {"attestation_algorithm": EDDSA},
    "attested by an algorithm nobody knows": lambda _: {"attestation_algorithm": -65000},
    "maker's own certificate as a device's": lambda d: {
        "chain": (d.maker.certificate.public_bytes(Encoding.DER),),
        "attestation_key": d.maker.key,
    },
    "truncated CBOR": lambda _: {"cut": 1},
    "trailing CBOR": lambda _: {"tail": b"\xa0"},
    "CBOR behind the public key": lambda _: {"inner_tail": b"\xa0"},
}


@pytest.mark.parametrize("fault", WRONG_ENROLMENTS)
def test_a_wrong_enrolment_is_refused(fault: str, newcomer: Device, unchanged: None):
    newcomer.announce(**WRONG_ENROLMENTS[fault](newcomer)).refused(403, "bad-attestation")
    # The gateway has not even an announcement of the device.
    newcomer.status().refused(403, "unknown-credential")


def test_an_enrolment_can_not_be_announced_twice(newcomer: Device, unchanged: None):
    given = newcomer.post("/api/device/enrolments/statement").expect()
    newcomer.announce(given).expect(201)
    newcomer.announce(given).refused(409, "replayed")
    assert newcomer.status().expect()["state"] == "announced"


def test_an_enrolment_needs_a_statement_of_this_gateway(newcomer: Device, unchanged: None):
    given = newcomer.post("/api/device/enrolments/statement").expect()
    younger = cbor.decode(unb64(given["statement"]))
    younger["issued"] += MINUTE_MS
    own = statement("localhost", "device.enrol", {})
    sign_in = newcomer.post("/api/sign-in/statement").expect()
    for wrong in (
        given | {"statement": b64(cbor.encode(younger))},
        given | {"statement": b64(own)},
        given | {"seal": b64(os.urandom(32))},
        given | {"seal": ""},
        sign_in,
    ):
        newcomer.announce(wrong).refused(403, "foreign-challenge")


def test_a_device_of_a_removed_maker_is_refused(house: Gateway, owner: Person):
    former = Maker("Former")
    owner.act("maker.add", name=former.name, certificate=former.pem)
    known = {row["name"]: row["id"] for row in owner.get("/api/makers").expect()}
    device = Device(house.origin, former, next(serials))
    device.announce().expect(201)
    owner.act("maker.remove", maker=known[former.name])
    device.factory_reset()
    device.announce().refused(403, "bad-attestation")


def test_a_credential_id_in_use_is_refused(
    house: Gateway, owner: Person, camera: Device, newcomer: Device, unchanged: None
):
    """A device with a genuine attestation key makes a credential whose id is in use already."""
    waiting = Device(house.origin, newcomer.maker, next(serials))
    code = waiting.code()
    for taken in (owner.key.id, camera.credential.id, waiting.credential.id):
        newcomer.announce(credential_id=taken).refused(409, "known-key")
    assert camera.status().expect()["state"] == "registered"
    assert waiting.status().expect()["serial"] == waiting.serial
    assert owner.post("/api/devices/code", {"code": code}).expect()["serial"] == waiting.serial


# The signed status request.


WRONG_STATUS_REQUESTS: dict[str, tuple[Callable[[Device], dict], int, str]] = {
    "for another realm": (lambda _: {"realm": "evil.example"}, 403, "other-realm"),
    "for a realm that ends alike": (lambda _: {"realm": "evil-localhost"}, 403, "other-realm"),
    "ten minutes ago": (lambda _: {"issued": now_ms() - 10 * MINUTE_MS}, 403, "clock-skew"),
    "in ten minutes": (lambda _: {"issued": now_ms() + 10 * MINUTE_MS}, 403, "clock-skew"),
    "another act": (lambda _: {"act": "device.enrol"}, 400, "malformed"),
    "an act of a person": (lambda _: {"act": "web.sign_in"}, 400, "malformed"),
    "an act nobody knows": (lambda _: {"act": "device.explode"}, 400, "malformed"),
    "another version": (lambda _: {"hallway": 2}, 400, "malformed"),
    "a member too many": (lambda _: {"more": 1}, 400, "malformed"),
    "a term too many": (lambda _: {"terms": {"more": 1}}, 400, "malformed"),
    "a short nonce": (lambda _: {"nonce": bytes(15)}, 400, "malformed"),
    "text for a time": (lambda _: {"issued": "now"}, 400, "malformed"),
    "after the year 9999": (lambda _: {"issued": 1 << 60}, 400, "malformed"),
}


@pytest.mark.parametrize("fault", WRONG_STATUS_REQUESTS)
def test_a_wrong_status_request_is_refused(fault: str, camera: Device, unchanged: None):
    wrong, status, code = WRONG_STATUS_REQUESTS[fault]
    problem = camera.status(**wrong(camera)).refused(status, code)
    if code == "clock-skew":
        assert abs(problem["now_ms"] - now_ms()) < MINUTE_MS


def test_only_the_device_itself_learns_its_status(camera: Device, unchanged: None):
    said = statement(camera.realm, "device.status", {})
    for wrong in (
        {"signer": PrivateKey()},
        {"challenge": os.urandom(32)},
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"kind": "webauthn.create"},
    ):
        body = {"signed_statement": b64(camera.signed(said, **wrong))}
        camera.post("/api/device/status", body).refused(403, "bad-signature")
    body = {"signed_statement": b64(camera.signed(said, credential_id=os.urandom(32)))}
    camera.post("/api/device/status", body).refused(403, "unknown-credential")


# Transactions. Each entry has the wrong terms and the refusal that they get.

PAYLOAD = b"a thing that a camera saw"

WRONG_TERMS: dict[str, tuple[Callable[[Device], dict], int, str]] = {
    "a sequence number again": (lambda d: {"sequence": d.sequence}, 409, "out-of-order"),
    "sequence number 0": (lambda _: {"sequence": 0}, 409, "out-of-order"),
    "live, ten minutes ago": (lambda _: {"taken": now_ms() - 10 * MINUTE_MS}, 403, "stale"),
    "live, in ten minutes": (lambda _: {"taken": now_ms() + 10 * MINUTE_MS}, 403, "clock-skew"),
    "queued, in ten minutes": (
        lambda _: {"taken": now_ms() + 10 * MINUTE_MS, "delivery": "queued"},
        403,
        "clock-skew",
    ),
    "queued, 31 days ago": (
        lambda _: {"taken": now_ms() - 31 * DAY_MS, "delivery": "queued"},
        403,
        "stale",
    ),
    "another hash": (lambda _: {"sha256": bytes(32)}, 422, "hash-mismatch"),
    "a byte less": (lambda _: {"length": len(PAYLOAD) - 1}, 422, "hash-mismatch"),
    "a byte more": (lambda _: {"length": len(PAYLOAD) + 1}, 422, "hash-mismatch"),
    "a picture that is none": (lambda _: {"media_type": "image/jpeg"}, 422, "not-a-jpeg"),
    "over the limit": (lambda _: {"length": PAYLOAD_LIMIT_BYTES + 1}, 413, "too-large"),
    "another delivery": (lambda _: {"delivery": "soon"}, 400, "malformed"),
    "a name that hides": (lambda _: {"file_name": "a\u202egpj.exe"}, 400, "malformed"),
    "no name": (lambda _: {"file_name": ""}, 400, "malformed"),
    "a challenge of its own": (lambda _: {"challenge": bytes(32)}, 403, "foreign-challenge"),
    "a hash of 31 bytes": (lambda _: {"sha256": bytes(31)}, 400, "malformed"),
    "a negative sequence number": (lambda _: {"sequence": -1}, 400, "malformed"),
}


@pytest.fixture(scope="module")
def sender(camera: Device) -> Device:
    """A device that has sent a transaction."""
    camera.send(camera.compose(b"first"), b"first").expect_bytes(201)
    return camera


@pytest.mark.parametrize("fault", WRONG_TERMS)
def test_a_transaction_with_wrong_terms_is_refused(fault: str, sender: Device, unchanged: None):
    wrong, status, code = WRONG_TERMS[fault]
    sequence = sender.sequence
    terms = wrong(sender)
    signed = sender.compose(PAYLOAD, **terms)
    sender.sequence = sequence
    problem = sender.send(signed, PAYLOAD).refused(status, code)
    if "sequence" in terms and code == "out-of-order":
        assert problem["last_sequence"] == sequence
    if code == "clock-skew" or fault == "live, ten minutes ago":
        assert abs(problem["now_ms"] - now_ms()) < MINUTE_MS
    assert sender.status().expect()["last_sequence"] == sequence


WRONG_SIGNATURES: dict[str, Callable[[], dict]] = {
    "another key": lambda: {"signer": PrivateKey()},
    "another algorithm": lambda: {"signer": PrivateKey(EDDSA)},
    "origin of another site": lambda: {"origin": "https://evil.example"},
    "origin that ends alike": lambda: {"origin": "http://evil-localhost:8080"},
    "RP ID of another site": lambda: {"rp_id": "evil.example"},
    "challenge of another statement": lambda: {"challenge": os.urandom(32)},
    "frame of another site": lambda: {"cross_origin": True},
    "type of a registration": lambda: {"kind": "webauthn.create"},
    "bytes behind the authenticator data": lambda: {"tail": b"\0"},
    "authenticator data cut short": lambda: {"cut": 1},
}


@pytest.mark.parametrize("fault", WRONG_SIGNATURES)
def test_a_transaction_with_a_wrong_signature_is_refused(
    fault: str, sender: Device, unchanged: None
):
    said = statement("localhost", "device.transaction", transaction(PAYLOAD, sender.sequence + 1))
    signed = sender.signed(said, **WRONG_SIGNATURES[fault]())
    sender.send(signed, PAYLOAD).refused(403, "bad-signature")


def test_a_transaction_for_another_realm_or_of_an_unknown_key_is_refused(sender: Device, unchanged: None):
    terms = transaction(PAYLOAD, sender.sequence + 1)
    foreign = sender.signed(statement("evil.example", "device.transaction", terms))
    sender.send(foreign, PAYLOAD).refused(403, "other-realm")
    said = statement("localhost", "device.transaction", terms)
    nobody = sender.signed(said, credential_id=os.urandom(32))
    sender.send(nobody, PAYLOAD).refused(403, "unknown-credential")
    question = sender.signed(statement("localhost", "device.status", {}))
    sender.send(question, PAYLOAD).refused(400, "malformed")


def test_truncated_and_trailing_evidence_is_malformed(sender: Device, unchanged: None):
    said = statement("localhost", "device.transaction", transaction(PAYLOAD, sender.sequence + 1))
    for bent in (said[:-1], said + b"\0", b"", cbor.encode([1]), b"\xbf\xff"):
        sender.send(sender.signed(bent), PAYLOAD).refused(400, "malformed")
    whole = sender.signed(said)
    for bent in (whole[:-1], whole + b"\xa0", b"", whole[:-20], b"\xa0", os.urandom(200)):
        sender.send(bent, PAYLOAD).refused(400, "malformed")
    parts = cbor.decode(whole)
    longer = cbor.encode(parts | {"more": b""})
    sender.send(longer, PAYLOAD).refused(400, "malformed")
    sender.post("/api/device/transactions", {}).refused(400, "malformed")
    sender.call(
        "POST", "/api/device/transactions", PAYLOAD, Hallway_Evidence=b64(whole) + "="
    ).refused(400, "malformed")


def test_a_replay_gets_the_same_receipt_and_adds_no_log_entry(owner: Person, sender: Device):
    signed = sender.compose(PAYLOAD)
    receipt = sender.send(signed, PAYLOAD).expect_bytes(201)
    before = owner.state_of_the_realm()
    for payload in (PAYLOAD, b"other bytes", b""):
        problem = sender.send(signed, payload).refused(409, "already-accepted")
        again = cbor.decode(unb64(problem["receipt"]))
        assert again["evidence"] == cbor.decode(receipt)["evidence"]
    assert owner.state_of_the_realm() == before


def test_an_earlier_transaction_under_a_fresh_signature_is_out_of_order(
    sender: Device, owner: Person
):
    sequence = sender.sequence + 1
    sender.send(sender.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    said = statement("localhost", "device.transaction", transaction(PAYLOAD, sequence))
    before = owner.state_of_the_realm()
    problem = sender.send(sender.signed(said), PAYLOAD).refused(409, "out-of-order")
    assert problem["last_sequence"] == sequence
    assert owner.state_of_the_realm() == before


def test_a_copied_device_key_is_refused(sender: Device, unchanged: None):
    said = statement("localhost", "device.transaction", transaction(PAYLOAD, sender.sequence + 1))
    sender.send(sender.signed(said, counter=1), PAYLOAD).refused(403, "cloned-key")


def test_a_challenge_needs_its_own_seal(owner: Person, sender: Device):
    other = sender.post("/api/device/challenge").expect()
    given = sender.post("/api/device/challenge").expect()
    before = owner.state_of_the_realm()
    younger = (int.from_bytes(unb64(given["challenge"])[:8]) + MINUTE_MS).to_bytes(8)
    for challenge, seal in [
        (unb64(given["challenge"]), other["seal"]),
        (unb64(given["challenge"]), ""),
        (unb64(given["challenge"]), None),
        (younger + unb64(given["challenge"])[8:], given["seal"]),
        (os.urandom(32), given["seal"]),
    ]:
        sequence = sender.sequence
        signed = sender.compose(PAYLOAD, challenge=challenge)
        headers = {} if seal is None else {"Hallway_Seal": seal}
        sender.send(signed, PAYLOAD, **headers).refused(403, "foreign-challenge")
        sender.sequence = sequence
    assert owner.state_of_the_realm() == before
    signed = sender.compose(PAYLOAD, challenge=unb64(given["challenge"]))
    sender.send(signed, PAYLOAD, Hallway_Seal=given["seal"]).expect_bytes(201)


# Bodies. The gateway refuses before it reads: the answer comes although the body does not.


def answer_before_the_body(device: Device, evidence: bytes, length: int | None) -> bytes:
    """Announces a body, sends none of it, and waits for the answer's first bytes."""
    port = int(device.origin.rsplit(":", 1)[1])
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    head = (
        "POST /api/device/transactions HTTP/1.1\r\n"
        f"Host: localhost:{port}\r\nHallway-Evidence: {b64(evidence)}\r\n{framing}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode())
        return connection.recv(16)


def test_a_refusal_comes_before_the_body(sender: Device, unchanged: None):
    def signed(**wrong: object) -> bytes:
        terms = transaction(PAYLOAD, sender.sequence + 1, **wrong)
        return sender.signed(statement("localhost", "device.transaction", terms))

    begun = time.monotonic()
    for evidence, length, status in [
        (signed(length=PAYLOAD_LIMIT_BYTES + 1), PAYLOAD_LIMIT_BYTES + 1, b"413"),
        (signed(length=PAYLOAD_LIMIT_BYTES + 1), None, b"413"),
        (signed(), PAYLOAD_LIMIT_BYTES + 1, b"413"),
        (signed(length=PAYLOAD_LIMIT_BYTES), PAYLOAD_LIMIT_BYTES - 1, b"422"),
        (signed(taken=now_ms() - DAY_MS), len(PAYLOAD), b"403"),
        (b"\0" * 10, PAYLOAD_LIMIT_BYTES, b"400"),
    ]:
        assert answer_before_the_body(sender, evidence, length)[9:12] == status
    assert time.monotonic() - begun < 10


def test_a_body_longer_than_announced_is_refused_at_the_first_byte_too_many(
    sender: Device, unchanged: None
):
    terms = transaction(PAYLOAD, sender.sequence + 1)
    signed = sender.signed(statement("localhost", "device.transaction", terms))
    port = int(sender.origin.rsplit(":", 1)[1])
    head = (
        "POST /api/device/transactions HTTP/1.1\r\n"
        f"Host: localhost:{port}\r\nHallway-Evidence: {b64(signed)}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    longer = PAYLOAD + b"!"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        # The chunks never end, so a gateway that waited for their end would never answer.
        connection.sendall(head.encode() + f"{len(longer):x}\r\n".encode() + longer + b"\r\n")
        assert connection.recv(16)[9:12] == b"422"


def test_a_body_that_is_too_short_stores_nothing(sender: Device, unchanged: None):
    terms = transaction(PAYLOAD, sender.sequence + 1)
    signed = sender.signed(statement("localhost", "device.transaction", terms))
    sender.send(signed, PAYLOAD[:-1]).refused(422, "hash-mismatch")


def test_a_large_payload_of_another_hash_is_not_stored(
    house: Gateway, sender: Device, unchanged: None
):
    """A payload of more than 4096 bytes goes to the object store while it arrives."""
    objects = house.folder / "objects"
    stored = sorted(objects.rglob("*"))
    payload = os.urandom(20_000)
    terms = transaction(payload, sender.sequence + 1)
    signed = sender.signed(statement("localhost", "device.transaction", terms))
    sender.send(signed, os.urandom(20_000)).refused(422, "hash-mismatch")
    left = [path for path in objects.rglob("*") if path not in stored and path.is_file()]
    assert left == []


# A device is not a person, and a person is not a device.


def test_a_device_can_not_sign_in(owner: Person, sender: Device, unchanged: None):
    flags = {"flags": UP | UV}
    owner.try_to_sign_in(sender.credential, **flags).refused(403, "refused")
    owner.try_to_sign_in(sender.credential, flags=0).refused(403, "refused")
    ceremony = owner.prepare("people.invite", name="Eve", role="owner")
    made = sender.credential.sign(challenge_of(ceremony), **flags)
    owner.post("/api/acts", answered(ceremony, made.to_json())).refused(403, "unknown-key")


def test_the_key_of_a_person_sends_no_transaction(owner: Person, sender: Device, unchanged: None):
    impostor = Device(sender.origin, sender.maker, sender.serial)
    impostor.credential = owner.key
    impostor.status().refused(403, "unknown-credential")
    impostor.send(impostor.compose(PAYLOAD), PAYLOAD).refused(403, "unknown-credential")


def test_an_unclaimed_device_is_refused(newcomer: Device, unchanged: None):
    newcomer.announce().expect(201)
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).refused(403, "unknown-credential")
