"""CTAP1/U2F, APDU by APDU (U2F raw messages 1.2; CTAP 2.3, section 7)."""

import os
import struct
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from ctap_client import (
    CLIENT_PIN,
    GET_ASSERTION,
    GET_INFO,
    MAKE_CREDENTIAL,
    PIN,
    RESET,
    Pins,
    Wire,
    assertion,
    data_of,
    descriptor,
    registration,
)
from fido2.ctap1 import RegistrationData, SignatureData
from software_key import SoftwareKey

OK, CONDITIONS, WRONG_DATA, WRONG_LENGTH = 0x9000, 0x6985, 0x6A80, 0x6700
NO_INSTRUCTION, NO_CLASS = 0x6D00, 0x6E00
REGISTER, AUTHENTICATE, VERSION = 1, 2, 3
CHECK_ONLY, ENFORCE, DO_NOT_ENFORCE = 0x07, 0x03, 0x08
CHALLENGE = sha256(b"challenge").digest()
APPLICATION = sha256(b"https://gate.example").digest()


def extended(instruction: int, data: bytes = b"", p1: int = 0, le: bytes = b"\0\0") -> bytes:
    """An extended APDU (ISO 7816-4)."""
    if not data:
        return bytes([0, instruction, p1, 0, 0]) + le
    return bytes([0, instruction, p1, 0, 0]) + struct.pack(">H", len(data)) + data + le


def short(instruction: int, data: bytes = b"", p1: int = 0, le: bytes = b"\0") -> bytes:
    return bytes([0, instruction, p1, 0]) + (bytes([len(data)]) + data if data else b"") + le


def register(wire: Wire, application: bytes = APPLICATION) -> RegistrationData:
    word, answer = wire.apdu(extended(REGISTER, CHALLENGE + application))
    assert word == OK
    return RegistrationData(answer)


def signing(handle: bytes, application: bytes = APPLICATION) -> bytes:
    return CHALLENGE + application + bytes([len(handle)]) + handle


@pytest.fixture(scope="module")
def made(key: SoftwareKey) -> RegistrationData:
    wire = Wire(key.address)
    made = register(wire)
    wire.close()
    return made


def test_a_registration_is_signed_by_its_certificate(wire):
    made = register(wire)
    made.verify(APPLICATION, CHALLENGE)
    assert made.public_key[0] == 4 and len(made.public_key) == 65
    certificate = x509.load_der_x509_certificate(made.certificate)
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert register(wire).key_handle != made.key_handle


@pytest.mark.parametrize("p1", [0x00, 0x03, 0x80])
@pytest.mark.parametrize("encoding", [extended, short])
def test_a_registration_in_either_encoding_with_any_p1(wire, encoding, p1):
    word, answer = wire.apdu(encoding(REGISTER, CHALLENGE + APPLICATION, p1))
    assert word == OK and answer[0] == 5


@pytest.mark.parametrize("le", [b"", b"\0\0", b"\xff\xff"])
def test_an_expected_length_may_be_absent(wire, le):
    assert wire.apdu(extended(REGISTER, CHALLENGE + APPLICATION, le=le))[0] == OK


@pytest.mark.parametrize("apdu", [b"\0\3\0\0", b"\0\3\0\0\0", b"\0\3\0\0\0\0\0"])
def test_the_version(wire, apdu):
    assert wire.apdu(apdu) == (OK, b"U2F_V2")


def test_an_assertion_is_verified(wire, made):
    counters = []
    for _ in range(3):
        word, answer = wire.apdu(extended(AUTHENTICATE, signing(made.key_handle), ENFORCE))
        assert word == OK
        signed = SignatureData(answer)
        signed.verify(APPLICATION, CHALLENGE, made.public_key)
        assert signed.user_presence == 1
        counters.append(signed.counter)
    assert counters == sorted(set(counters))


def test_an_assertion_without_a_touch(wire, made):
    word, answer = wire.apdu(extended(AUTHENTICATE, signing(made.key_handle), DO_NOT_ENFORCE))
    assert word == OK and answer[0] == 0
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), made.public_key)
    public.verify(answer[5:], APPLICATION + answer[:5] + CHALLENGE, ec.ECDSA(SHA256()))


def test_check_only_makes_no_signature(wire, made):
    before = wire.apdu(extended(AUTHENTICATE, signing(made.key_handle), ENFORCE))[1][1:5]
    checking = extended(AUTHENTICATE, signing(made.key_handle), CHECK_ONLY)
    assert wire.apdu(checking) == (CONDITIONS, b"")
    after = wire.apdu(extended(AUTHENTICATE, signing(made.key_handle), ENFORCE))[1][1:5]
    assert struct.unpack(">I", after)[0] == struct.unpack(">I", before)[0] + 1


@pytest.mark.parametrize("control", [CHECK_ONLY, ENFORCE, DO_NOT_ENFORCE])
def test_unknown_key_handles_are_refused(wire, made, control):
    handle = made.key_handle
    for wrong in [bytes([handle[0] ^ 0x40]) + handle[1:], handle[: len(handle) // 2],
                  handle[:-1] + bytes([handle[-1] ^ 1]), os.urandom(64), b"\0", os.urandom(255)]:  # fmt: skip
        assert wire.apdu(extended(AUTHENTICATE, signing(wrong), control)) == (WRONG_DATA, b"")
    other = bytes([APPLICATION[0] ^ 0x40]) + APPLICATION[1:]
    request = extended(AUTHENTICATE, signing(handle, other), control)
    assert wire.apdu(request) == (WRONG_DATA, b"")


@pytest.mark.parametrize("instruction", [0x00, 0x04, 0x10, 0x3F, 0x40, 0xA4, 0xC0, 0xFF])
def test_unknown_instructions(wire, instruction):
    assert wire.apdu(extended(instruction)) == (NO_INSTRUCTION, b"")


@pytest.mark.parametrize("class_", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("instruction", [REGISTER, VERSION])
def test_other_classes(wire, class_, instruction):
    apdu = bytes([class_, instruction, 0, 0, 0, 0, 3]) + b"abc\0\0"
    assert wire.apdu(apdu) == (NO_CLASS, b"")


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_registrations_of_another_length(wire, length):
    assert wire.apdu(extended(REGISTER, bytes(length))) == (WRONG_LENGTH, b"")


@pytest.mark.parametrize("cut", [0, 32, 64])
def test_assertions_cut_short(wire, made, cut):
    data = signing(made.key_handle)[:cut]
    assert wire.apdu(extended(AUTHENTICATE, data, ENFORCE)) == (WRONG_LENGTH, b"")


@pytest.mark.parametrize("claimed", [0, 10, 255])
def test_a_handle_whose_length_differs_is_refused(wire, made, claimed):
    data = CHALLENGE + APPLICATION + bytes([claimed]) + made.key_handle
    word, _ = wire.apdu(extended(AUTHENTICATE, data, ENFORCE))
    assert word in [WRONG_LENGTH, WRONG_DATA]


@pytest.mark.parametrize("p1", [0x00, 0x01, 0x04, 0xFF])
def test_another_control_byte_is_refused(wire, made, p1):
    word, answer = wire.apdu(extended(AUTHENTICATE, signing(made.key_handle), p1))
    assert word not in [OK, CONDITIONS] and answer == b""


@pytest.mark.parametrize(
    "apdu", [b"\0", b"\0\3", b"\0\3\0", b"\0\1\0\0\0\0\x40" + bytes(10), b"\0\1\0\0\x40" + bytes(10),
             b"\0\1\0\0\0\0\x40" + bytes(64) + b"\0\0\0"],
    ids=lambda apdu: apdu[:8].hex(),
)  # fmt: skip
def test_malformed_apdus_are_refused(wire, apdu):
    assert wire.apdu(apdu) == (WRONG_LENGTH, b"")


def test_a_u2f_registration_signs_with_ctap2(wire, made):
    """CTAP 2.3, section 7.3: the application is the hash of the relying party id."""
    made = register(wire, sha256(b"gate.example").digest())
    allow = [{"id": made.key_handle, "type": "public-key"}]
    asserted = wire.well(GET_ASSERTION, assertion(allow=allow))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), made.public_key)
    signed = asserted[2] + assertion()[2]
    public.verify(asserted[3], signed, ec.ECDSA(SHA256()))


def test_a_ctap2_credential_signs_with_u2f(wire):
    for options in [{}, {"rk": True}]:
        made = wire.well(MAKE_CREDENTIAL, registration(options=options))
        handle = descriptor(made)["id"]
        request = signing(handle, sha256(b"gate.example").digest())
        word, answer = wire.apdu(extended(AUTHENTICATE, request, ENFORCE))
        assert word == OK
        public = data_of(made).credential_data.public_key
        point = b"\4" + public[-2] + public[-3]
        SignatureData(answer).verify(sha256(b"gate.example").digest(), CHALLENGE, point)


@pytest.mark.parametrize(("algorithm", "level"), [(-8, 1), (-35, 1), (-7, 3)])
def test_u2f_finds_only_credentials_that_it_may_use(tmp_path, algorithm, level):
    """U2F finds no credential of another algorithm than ES256, and none that needs the PIN."""
    key = SoftwareKey(tmp_path)
    key.plug_in()
    wire = Wire(key.address)
    request = registration(extensions={"credProtect": level})
    made = wire.well(
        MAKE_CREDENTIAL, {**request, 4: [{"alg": algorithm, "type": "public-key"}]}
    )
    data = signing(descriptor(made)["id"], sha256(b"gate.example").digest())
    for control in [CHECK_ONLY, ENFORCE]:
        assert wire.apdu(extended(AUTHENTICATE, data, control)) == (WRONG_DATA, b"")
    wire.close()
    key.unplug()


def test_u2f_keys_last_until_a_reset(tmp_path):
    key = SoftwareKey(tmp_path)
    key.plug_in()
    wire = Wire(key.address)
    made = [register(wire) for _ in range(3)]
    wire.well(CLIENT_PIN, Pins(wire).setting(PIN))
    wire.close()
    key.replug()
    wire = Wire(key.address)
    assert "U2F_V2" in wire.well(GET_INFO)[1]
    for one in made:
        # U2F signs even if a PIN is set.
        word, answer = wire.apdu(extended(AUTHENTICATE, signing(one.key_handle), ENFORCE))
        assert word == OK
        SignatureData(answer).verify(APPLICATION, CHALLENGE, one.public_key)
    wire.well(RESET)
    for one in made:
        request = extended(AUTHENTICATE, signing(one.key_handle), CHECK_ONLY)
        assert wire.apdu(request) == (WRONG_DATA, b"")
    wire.close()
    key.unplug()
