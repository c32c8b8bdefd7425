"""The CTAP extensions, message by message (CTAP 2.3, section 12)."""

import os

import pytest
from ctap_client import (
    CONFIG,
    CREDENTIAL_MANAGEMENT,
    EXAMPLES,
    GET_ASSERTION,
    GET_INFO,
    GET_NEXT_ASSERTION,
    MAKE_CREDENTIAL,
    Pins,
    Wire,
    assertion,
    data_of,
    descriptor,
    registration,
    verify,
    wrong_types,
)
from fido2 import cbor
from software_key import SoftwareKey

SALTS = [b"\xa5" * 32, b"\x96" * 32]


def salted(pins: Pins, *salts: bytes) -> dict:
    """The input of hmac-secret."""
    sealed = pins.seal(b"".join(salts))
    return {1: pins.key, 2: sealed, 3: pins.tag(sealed), 4: pins.version}


def outputs(pins: Pins, response: dict, name: str = "hmac-secret") -> list[bytes]:
    """The decrypted outputs of hmac-secret."""
    opened = pins.protocol.decrypt(pins.secret, data_of(response).extensions[name])
    return [opened[at : at + 32] for at in range(0, len(opened), 32)]


def secret_of(wire: Wire, made: dict, version: int = 2, salts=SALTS[:1], **more) -> list[bytes]:
    """Evaluates hmac-secret with an assertion."""
    pins = Pins(wire, version)
    request = assertion(
        allow=[descriptor(made)], extensions={"hmac-secret": salted(pins, *salts)}, **more
    )
    return outputs(pins, wire.well(GET_ASSERTION, request))


@pytest.fixture(scope="module")
def made(key: SoftwareKey) -> dict:
    wire = Wire(key.address)
    made = wire.well(MAKE_CREDENTIAL, registration(extensions={"hmac-secret": True}))
    wire.close()
    return made


def test_unknown_extensions_are_ignored(wire):
    made = wire.well(MAKE_CREDENTIAL, registration(extensions={"tetris": True}))
    assert data_of(made).extensions is None and data_of(made).flags == 0x41


def test_make_credential_confirms_hmac_secret(wire, made):
    assert data_of(made).extensions == {"hmac-secret": True}
    assert data_of(made).flags == 0xC1
    refused = wire.well(MAKE_CREDENTIAL, registration(extensions={"hmac-secret": False}))
    assert (data_of(refused).extensions or {}).get("hmac-secret") in [None, False]


@pytest.mark.parametrize("version", [1, 2])
def test_hmac_secret_answers_each_salt(wire, made, version):
    [one] = secret_of(wire, made, version, SALTS[:1])
    assert secret_of(wire, made, version, SALTS) == [one, *secret_of(wire, made, 2, SALTS[1:])]
    assert secret_of(wire, made, version, SALTS[::-1])[1] == one
    assert one not in [*SALTS, secret_of(wire, made, version, SALTS[1:])[0]]
    other = wire.well(MAKE_CREDENTIAL, registration(extensions={"hmac-secret": True}))
    assert secret_of(wire, other, version) != [one]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("length", [0, 16, 31, 33, 48, 63, 80, 96, 128])
def test_salts_of_another_length_are_refused(wire, made, version, length):
    pins = Pins(wire, version)
    sealed = pins.seal(bytes(length)) if length % 16 == 0 else os.urandom(length)
    salts = {1: pins.key, 2: sealed, 3: pins.tag(sealed), 4: version}
    request = assertion(allow=[descriptor(made)], extensions={"hmac-secret": salts})
    assert wire.ctap(GET_ASSERTION, request)[0] == "INVALID_LENGTH"


@pytest.mark.parametrize("version", [1, 2])
def test_a_salt_with_a_wrong_tag_is_refused(wire, made, version):
    pins = Pins(wire, version)
    salts = salted(pins, *SALTS)
    for tag in [bytes(len(salts[3])), salts[3][:-1], b""]:
        request = assertion(
            allow=[descriptor(made)], extensions={"hmac-secret": {**salts, 3: tag}}
        )
        assert wire.ctap(GET_ASSERTION, request)[0] == "PIN_AUTH_INVALID"


@pytest.mark.parametrize("member", [1, 2, 3])
def test_required_members_of_hmac_secret(wire, made, member):
    salts = salted(Pins(wire), *SALTS)
    right = salts.pop(member)
    request = assertion(allow=[descriptor(made)], extensions={"hmac-secret": salts})
    assert wire.ctap(GET_ASSERTION, request)[0] == "MISSING_PARAMETER"
    for wrong in wrong_types(dict(right) if member == 1 else right):
        changed = {**salts, member: EXAMPLES[wrong]}
        request = assertion(
            allow=[descriptor(made)],
            extensions={"hmac-secret": dict(sorted(changed.items()))},
        )
        assert wire.ctap(GET_ASSERTION, request)[0] == "CBOR_UNEXPECTED_TYPE"


def test_hmac_secret_without_a_protocol_uses_protocol_one(wire, made):
    pins = Pins(wire, 1)
    salts = salted(pins, *SALTS)
    del salts[4]
    request = assertion(allow=[descriptor(made)], extensions={"hmac-secret": salts})
    assert len(outputs(pins, wire.well(GET_ASSERTION, request))) == 2


def test_hmac_secret_requires_a_touch(wire, made):
    """12.7: CTAP2_ERR_UNSUPPORTED_OPTION when "up" is false."""
    request = assertion(
        allow=[descriptor(made)],
        extensions={"hmac-secret": salted(Pins(wire), *SALTS)},
        options={"up": False},
    )
    assert wire.ctap(GET_ASSERTION, request)[0] == "UNSUPPORTED_OPTION"


def test_hmac_secret_comes_with_every_assertion(wire):
    rp_id = "many.example"
    made = [
        wire.well(
            MAKE_CREDENTIAL,
            registration(rp_id, bytes([n]), options={"rk": True}, extensions={"hmac-secret": True}),
        )
        for n in range(3)
    ]
    pins = Pins(wire)
    request = assertion(rp_id, extensions={"hmac-secret": salted(pins, *SALTS)})
    found = [wire.well(GET_ASSERTION, request)]
    found += [wire.well(GET_NEXT_ASSERTION) for _ in made[1:]]
    secrets = [tuple(outputs(pins, one)) for one in found]
    assert len(set(secrets)) == 3
    for registered, asserted in zip(reversed(made), found, strict=True):
        assert data_of(asserted).flags == 0x81
        verify(registered, asserted)


@pytest.mark.parametrize("version", [1, 2])
def test_user_verification_gives_another_secret(with_pin, version):
    made = with_pin.well(MAKE_CREDENTIAL, registration(extensions={"hmac-secret": True}))
    unverified = secret_of(with_pin, made, version)
    proof = Pins(with_pin, version).proof(2, "gate.example")
    assert secret_of(with_pin, made, version, **proof) != unverified


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("salts", [SALTS[:1], SALTS])
def test_hmac_secret_mc_at_registration(wire, version, salts):
    pins = Pins(wire, version)
    extensions = {"hmac-secret": True, "hmac-secret-mc": salted(pins, *salts)}
    made = wire.well(MAKE_CREDENTIAL, registration(extensions=extensions))
    assert data_of(made).extensions["hmac-secret"] is True
    assert outputs(pins, made, "hmac-secret-mc") == secret_of(wire, made, version, salts)


@pytest.mark.parametrize("version", [1, 2])
def test_hmac_secret_mc_at_registration_with_user_verification(with_pin, version):
    pins = Pins(with_pin, version)
    proof = pins.proof(1, "gate.example")
    extensions = {"hmac-secret": True, "hmac-secret-mc": salted(pins, *SALTS)}
    made = with_pin.well(MAKE_CREDENTIAL, registration(extensions=extensions, **proof))
    again = Pins(with_pin, version).proof(2, "gate.example")
    found = outputs(pins, made, "hmac-secret-mc")
    assert found == secret_of(with_pin, made, version, SALTS, **again)
    assert found != secret_of(with_pin, made, version, SALTS)


@pytest.mark.parametrize("also", [{}, {"hmac-secret": False}])
def test_hmac_secret_mc_comes_with_hmac_secret(wire, also):
    extensions = {**also, "hmac-secret-mc": salted(Pins(wire), *SALTS)}
    request = registration(extensions=extensions)
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "MISSING_PARAMETER"


@pytest.mark.parametrize("length", [16, 48, 80])
def test_hmac_secret_mc_has_one_or_two_salts(wire, length):
    pins = Pins(wire)
    extensions = {"hmac-secret": True, "hmac-secret-mc": salted(pins, bytes(length))}
    request = registration(extensions=extensions)
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "INVALID_LENGTH"


@pytest.mark.parametrize("wrong", wrong_types({}))
def test_hmac_secret_mc_of_another_type_is_refused(wire, wrong):
    extensions = {"hmac-secret": True, "hmac-secret-mc": EXAMPLES[wrong]}
    request = registration(extensions=extensions)
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "CBOR_UNEXPECTED_TYPE"


# credProtect.


@pytest.mark.parametrize("options", [{}, {"rk": True}])
@pytest.mark.parametrize(
    ("level", "by_id", "discovered"), [(1, True, True), (2, True, False), (3, False, False)]
)
def test_a_cred_protect_level_hides_a_credential(with_pin, level, by_id, discovered, options):
    rp_id = f"level{level}.example"
    with_pin_made = registration(
        rp_id, options=options, extensions={"credProtect": level},
        **Pins(with_pin).proof(1, rp_id),
    )  # fmt: skip
    made = with_pin.well(MAKE_CREDENTIAL, with_pin_made)
    assert data_of(made).extensions == {"credProtect": level}
    kept = options == {"rk": True}
    mine = [descriptor(made)]
    for up in [True, False]:
        seen = with_pin.ctap(GET_ASSERTION, assertion(rp_id, allow=mine, options={"up": up}))[0]
        assert seen == ("SUCCESS" if by_id else "NO_CREDENTIALS")
        if kept:
            seen = with_pin.ctap(GET_ASSERTION, assertion(rp_id, options={"up": up}))[0]
            assert seen == ("SUCCESS" if discovered else "NO_CREDENTIALS")
    # A credential that an allow list finds is found by an exclude list, too.
    excluded = with_pin.ctap(MAKE_CREDENTIAL, registration(rp_id, exclude=mine))[0]
    assert excluded == ("CREDENTIAL_EXCLUDED" if by_id else "SUCCESS")
    proof = Pins(with_pin).proof(1, rp_id)
    excluded = with_pin.ctap(MAKE_CREDENTIAL, registration(rp_id, exclude=mine, **proof))[0]
    assert excluded == "CREDENTIAL_EXCLUDED"
    # With user verification all credentials are found.
    for allow in [{"allow": mine}, {}] if kept else [{"allow": mine}]:
        proof = Pins(with_pin).proof(2, rp_id)
        verify(made, with_pin.well(GET_ASSERTION, assertion(rp_id, **allow, **proof)))


@pytest.mark.parametrize("level", [0, 4, 255])
def test_unknown_cred_protect_levels_are_ignored(wire, level):
    request = registration(extensions={"credProtect": level})
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] in ["INVALID_OPTION", "INVALID_PARAMETER"]


def test_without_cred_protect_the_answer_has_no_level(wire):
    assert data_of(wire.well(MAKE_CREDENTIAL, registration())).extensions is None


def test_hidden_credentials_are_not_counted(with_pin):
    rp_id = "crowd.example"
    for user, level in [(b"a", 1), (b"b", 2), (b"c", 3), (b"d", 1)]:
        extensions = {"credProtect": level}
        proof = Pins(with_pin).proof(1, rp_id)
        with_pin.well(
            MAKE_CREDENTIAL,
            registration(rp_id, user, options={"rk": True}, extensions=extensions, **proof),
        )
    asserted = with_pin.well(GET_ASSERTION, assertion(rp_id))
    assert asserted[5] == 2
    users = [asserted[4]["id"], with_pin.well(GET_NEXT_ASSERTION)[4]["id"]]
    assert users == [b"d", b"a"]
    proof = Pins(with_pin).proof(2, rp_id)
    assert with_pin.well(GET_ASSERTION, assertion(rp_id, **proof))[5] == 4


# credBlob.


@pytest.mark.parametrize("options", [{}, {"rk": True}])
@pytest.mark.parametrize("length", [0, 1, 31, 32])
def test_a_blob_is_stored(wire, options, length):
    blob = os.urandom(length)
    made = wire.well(
        MAKE_CREDENTIAL, registration(options=options, extensions={"credBlob": blob})
    )
    assert data_of(made).extensions == {"credBlob": True}
    request = assertion(allow=[descriptor(made)], extensions={"credBlob": True})
    assert data_of(wire.well(GET_ASSERTION, request)).extensions == {"credBlob": blob}


def test_a_blob_that_is_too_long_is_not_stored(wire):
    longest = wire.well(GET_INFO)[0x0F]
    assert longest >= 32
    extensions = {"credBlob": bytes(longest + 1)}
    made = wire.well(MAKE_CREDENTIAL, registration(options={"rk": True}, extensions=extensions))
    assert data_of(made).extensions == {"credBlob": False}
    request = assertion(allow=[descriptor(made)], extensions={"credBlob": True})
    assert data_of(wire.well(GET_ASSERTION, request)).extensions == {"credBlob": b""}


def test_a_credential_without_a_blob_returns_an_empty_one(wire):
    made = wire.well(MAKE_CREDENTIAL, registration())
    for asked, expected in [(True, {"credBlob": b""}), (False, None)]:
        request = assertion(allow=[descriptor(made)], extensions={"credBlob": asked})
        assert data_of(wire.well(GET_ASSERTION, request)).extensions == expected


# largeBlobKey, thirdPartyPayment, minPinLength, pinComplexityPolicy.


def test_large_blob_keys(wire):
    asked = registration(options={"rk": True}, extensions={"largeBlobKey": True})
    first, second = wire.well(MAKE_CREDENTIAL, asked), wire.well(MAKE_CREDENTIAL, asked)
    assert len(first[5]) == len(second[5]) == 32 and first[5] != second[5]
    request = assertion(allow=[descriptor(second)], extensions={"largeBlobKey": True})
    assert wire.well(GET_ASSERTION, request)[7] == second[5]
    assert 7 not in wire.well(GET_ASSERTION, assertion(allow=[descriptor(second)]))
    without = wire.well(MAKE_CREDENTIAL, registration(user=b"bob", options={"rk": True}))
    request = assertion(allow=[descriptor(without)], extensions={"largeBlobKey": True})
    assert 7 not in wire.well(GET_ASSERTION, request)


@pytest.mark.parametrize(
    ("options", "value", "status"),
    [
        ({"rk": True}, False, "INVALID_OPTION"),
        ({}, True, "INVALID_OPTION"),
        ({"rk": False}, True, "INVALID_OPTION"),
    ],
)
def test_large_blob_keys_are_for_discoverable_credentials(wire, options, value, status):
    request = registration(options=options, extensions={"largeBlobKey": value})
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == status


def test_large_blob_key_takes_only_true(wire):
    request = assertion(extensions={"largeBlobKey": False})
    assert wire.ctap(GET_ASSERTION, request)[0] == "INVALID_OPTION"


@pytest.mark.parametrize("options", [{}, {"rk": True}])
@pytest.mark.parametrize("agreed", [True, False, None])
def test_third_party_payment(wire, options, agreed):
    extensions = {} if agreed is None else {"thirdPartyPayment": agreed}
    made = wire.well(MAKE_CREDENTIAL, registration(options=options, extensions=extensions))
    # 12.9: makeCredential has no output.
    assert data_of(made).extensions is None
    request = assertion(allow=[descriptor(made)], extensions={"thirdPartyPayment": True})
    answered = data_of(wire.well(GET_ASSERTION, request)).extensions
    assert answered == {"thirdPartyPayment": agreed is True}


def test_several_extensions_in_one_canonical_map(wire):
    pins = Pins(wire)
    made = wire.well(
        MAKE_CREDENTIAL,
        registration(
            options={"rk": True},
            extensions={"credBlob": b"blob", "credProtect": 1, "hmac-secret": True},
        ),
    )
    assert list(data_of(made).extensions) == ["credBlob", "credProtect", "hmac-secret"]
    extensions = {"credBlob": True, "hmac-secret": salted(pins, *SALTS), "thirdPartyPayment": True}
    asserted = wire.well(
        GET_ASSERTION, assertion(allow=[descriptor(made)], extensions=extensions)
    )
    found = data_of(asserted).extensions
    assert list(found) == ["credBlob", "hmac-secret", "thirdPartyPayment"]
    assert asserted[2][37:] == cbor.encode(dict(found))
    verify(made, asserted)


def test_only_listed_relying_parties_learn_the_pin_policy(tmp_path):
    key = SoftwareKey(tmp_path)
    key.plug_in()
    wire = Wire(key.address)
    wire.well(CONFIG, {1: 3, 2: {1: 6, 2: ["gate.example"]}})
    extensions = {"minPinLength": True, "pinComplexityPolicy": True}
    made = wire.well(MAKE_CREDENTIAL, registration(extensions=extensions))
    assert data_of(made).extensions == {"minPinLength": 6, "pinComplexityPolicy": False}
    made = wire.well(MAKE_CREDENTIAL, registration("other.example", extensions=extensions))
    assert data_of(made).extensions is None
    declined = {"minPinLength": False, "pinComplexityPolicy": False}
    made = wire.well(MAKE_CREDENTIAL, registration(extensions=declined))
    assert data_of(made).extensions is None
    wire.close()
    key.unplug()


def test_levels_are_listed(with_pin):
    for level in [1, 2, 3]:
        rp_id = f"listed{level}.example"
        proof = Pins(with_pin).proof(1, rp_id)
        extensions = {"credProtect": level, "largeBlobKey": True, "thirdPartyPayment": True}
        made = with_pin.well(
            MAKE_CREDENTIAL,
            registration(rp_id, options={"rk": True}, extensions=extensions, **proof),
        )
        pins = Pins(with_pin)
        token = pins.token(4)
        parameters = {1: data_of(made).rp_id_hash}
        tag = pins.tag(b"\x04" + cbor.encode(parameters), token)
        listed = with_pin.well(CREDENTIAL_MANAGEMENT, {1: 4, 2: parameters, 3: 2, 4: tag})
        assert (listed[0x0A], listed[0x0B], listed[0x0C]) == (level, made[5], True)
