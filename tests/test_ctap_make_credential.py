"""authenticatorMakeCredential, parameter by parameter (CTAP 2.3, section 6.1)."""

import copy
from hashlib import sha256

import pytest
from ctap_client import (
    DIGEST,
    ES256,
    EXAMPLES,
    GET_ASSERTION,
    GET_INFO,
    MAKE_CREDENTIAL,
    Pins,
    assertion,
    data_of,
    descriptor,
    registration,
    verify,
    wrong_types,
)
from fido2 import cbor
from fido2.cose import CoseKey

FULL = registration(
    exclude=[{"id": b"nobody's", "type": "public-key"}],
    extensions={"credProtect": 1, "hmac-secret": True, "credBlob": b"blob"},
    options={"rk": False, "up": True},
    formats=["packed"],
)
# The path of each member, and a value of its right CBOR type.
MEMBERS = [
    ([1], DIGEST),
    ([2], {}),
    ([2, "id"], "gate.example"),
    ([2, "name"], "Gate"),
    ([2, "icon"], ""),
    ([3], {}),
    ([3, "id"], b"ada"),
    ([3, "name"], "ada"),
    ([3, "displayName"], "Ada"),
    ([3, "icon"], ""),
    ([4], []),
    ([4, 0], {}),
    ([4, 0, "alg"], -7),
    ([4, 0, "type"], "public-key"),
    ([5], []),
    ([5, 0], {}),
    ([5, 0, "id"], b""),
    ([5, 0, "type"], "public-key"),
    ([6], {}),
    ([6, "credProtect"], 1),
    ([6, "hmac-secret"], True),
    ([6, "credBlob"], b""),
    ([6, "largeBlobKey"], True),
    ([6, "minPinLength"], True),
    ([6, "thirdPartyPayment"], True),
    ([7], {}),
    ([7, "rk"], True),
    ([7, "up"], True),
    ([7, "uv"], True),
    ([8], b""),
    ([9], 2),
    ([10], 1),
    ([11], []),
]


def changed(path: list, value) -> dict:
    """The full request with another value in one place."""
    request = copy.deepcopy(FULL)
    place = request
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return request


def test_the_members_of_a_registration(wire):
    made = wire.well(MAKE_CREDENTIAL, registration())
    assert set(made) == {1, 2, 3} and made[1] == "packed"
    data = data_of(made)
    assert data.rp_id_hash == sha256(b"gate.example").digest()
    assert data.flags == 0x41
    assert data.credential_data.aaguid == wire.well(GET_INFO)[3]
    assert set(data.credential_data.public_key) == {1, 3, -1, -2, -3}
    # Self attestation: the credential's own key signs.
    assert set(made[3]) == {"alg", "sig"} and made[3]["alg"] == -7
    public = CoseKey.parse(data.credential_data.public_key)
    public.verify(made[2] + DIGEST, made[3]["sig"])


@pytest.mark.parametrize("wrong", [name for name in EXAMPLES if name != "map"])
def test_a_request_of_another_type_is_refused(wire, wrong):
    body = cbor.encode(EXAMPLES[wrong])
    assert wire.ctap(MAKE_CREDENTIAL, body)[0] == "CBOR_UNEXPECTED_TYPE"


@pytest.mark.parametrize("path, right", MEMBERS, ids=[".".join(map(str, p)) for p, _ in MEMBERS])
def test_members_of_another_type_are_refused(wire, path, right):
    for wrong in wrong_types(right):
        status, _ = wire.ctap(MAKE_CREDENTIAL, changed(path, EXAMPLES[wrong]))
        assert status == "CBOR_UNEXPECTED_TYPE", wrong


@pytest.mark.parametrize(
    "path", [[1], [2], [2, "id"], [3], [3, "id"], [4], [4, 0, "alg"], [4, 0, "type"],
             [5, 0, "id"], [5, 0, "type"]],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_required_members(wire, path):
    request = copy.deepcopy(FULL)
    place = request
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "MISSING_PARAMETER"


@pytest.mark.parametrize("more", [{12: b"?"}, {255: {}}, {-1: 1}])
def test_unknown_members_are_ignored(wire, more):
    # In canonical form, -1 comes after the other keys.
    body = cbor.encode({**registration(), **more})
    wire.well(MAKE_CREDENTIAL, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"\xa1",
        b"\xbf\xff",
        # A repeated key, keys in another order, an integer longer than needed.
        b"\xa2\x01\x40\x01\x40",
        b"\xa2\x02\xa0\x01\x40",
        b"\xa1\x18\x01\x40",
        # A tag, a text with half a UTF-8 character, a byte after the map.
        b"\xa1\x01\xc0\x40",
        b"\xa1\x01\x61\xc3",
        cbor.encode(registration()) + b"\0",
        # Nested deeper than a request may be.
        b"\xa1\x01" + b"\x81" * 40 + b"\0",
    ],
    ids=lambda body: body[:8].hex() or "empty",
)
def test_a_request_that_is_no_canonical_map_is_refused(wire, body):
    expected = "INVALID_CBOR" if body else "MISSING_PARAMETER"
    assert wire.ctap(MAKE_CREDENTIAL, body)[0] == expected


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 64])
def test_a_client_data_hash_of_another_length_is_refused(wire, length):
    assert wire.ctap(MAKE_CREDENTIAL, {**registration(), 1: bytes(length)})[0] == "INVALID_LENGTH"


@pytest.mark.parametrize(("length", "status"), [(1, "SUCCESS"), (64, "SUCCESS"),
                                                (0, "INVALID_LENGTH"), (65, "INVALID_LENGTH")])  # fmt: skip
def test_user_handles_have_1_to_64_bytes(wire, length, status):
    request = registration(user=bytes(length), options={"rk": True})
    assert wire.ctap(MAKE_CREDENTIAL, request)[0] == status


@pytest.mark.parametrize("icon", ["https://gate.example/icon.png", "", "data:," + "A" * 200])
def test_the_icons_of_ctap_2_0_are_ignored(wire, icon):
    request = registration(options={"rk": True})
    request[2]["icon"] = icon
    request[3]["icon"] = icon
    wire.well(MAKE_CREDENTIAL, request)


@pytest.mark.parametrize("members", [["id"], ["id", "name"], ["id", "displayName"]])
def test_names_may_be_absent(wire, members):
    request = registration(options={"rk": True})
    request[3] = {name: request[3][name] for name in members}
    request[2] = {"id": "gate.example"}
    wire.well(MAKE_CREDENTIAL, request)


@pytest.mark.parametrize("algorithm", [-7, -8, -35, -36, -47, -9, -19, -51, -52, -48, -49, -50])
def test_algorithms(wire, algorithm):
    made = wire.well(
        MAKE_CREDENTIAL, {**registration(), 4: [{"alg": algorithm, "type": "public-key"}]}
    )
    public = data_of(made).credential_data.public_key
    assert public[3] == algorithm
    asserted = wire.well(GET_ASSERTION, assertion(allow=[descriptor(made)]))
    if algorithm in CoseKey.supported_algorithms():
        verify(made, asserted)
    else:
        assert len(asserted[3]) >= 64


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([-8, -7], -8),
        ([-7, -8], -7),
        ([-1, 1337, -35, -7], -35),
        ([-37, -7, -257], -7),
        ([-37, -257, -7], -257),
        ([-7, -7], -7),
    ],
)
def test_the_first_known_algorithm_is_used(wire, offered, chosen):
    params = [{"alg": alg, "type": "public-key"} for alg in offered]
    made = wire.well(MAKE_CREDENTIAL, {**registration(), 4: params})
    assert data_of(made).credential_data.public_key[3] == chosen


@pytest.mark.parametrize(
    "params",
    [
        [],
        [{"alg": -1, "type": "public-key"}],
        [{"alg": 1337, "type": "public-key"}],
        [{"alg": -37, "type": "public-key"}],
        [{"alg": -65535, "type": "public-key"}],
        [{"alg": -7, "type": "private-key"}],
    ],
)
def test_a_registration_without_a_known_algorithm_is_refused(wire, params):
    assert wire.ctap(MAKE_CREDENTIAL, {**registration(), 4: params})[0] == "UNSUPPORTED_ALGORITHM"


@pytest.mark.parametrize("bad", [{"alg": -7}, {"type": "public-key"}, {"alg": "7", "type": "x"}])
def test_a_malformed_algorithm_after_a_good_one_is_refused(wire, bad):
    """6.1.2, step 3: every element is validated, also those after the chosen one."""
    assert wire.ctap(MAKE_CREDENTIAL, {**registration(), 4: [ES256, bad]})[0] in [
        "MISSING_PARAMETER",
        "CBOR_UNEXPECTED_TYPE",
    ]


@pytest.mark.parametrize("kind", ["rot13", "Public-Key", ""])
def test_excluded_credentials_of_other_types_are_ignored(wire, kind):
    made = wire.well(MAKE_CREDENTIAL, registration())
    excluded = [{"id": descriptor(made)["id"], "type": kind}]
    wire.well(MAKE_CREDENTIAL, registration(exclude=excluded))


@pytest.mark.parametrize("options", [{}, {"rk": True}])
def test_the_exclude_list(wire, options):
    made = wire.well(MAKE_CREDENTIAL, registration(user=b"excluded", options=options))
    mine = descriptor(made)
    strange = [{"id": bytes([n]) * 40, "type": "public-key"} for n in range(10)]
    for exclude in [[mine], strange + [mine], [mine] + strange, [mine, mine]]:
        status, _ = wire.ctap(MAKE_CREDENTIAL, registration(exclude=exclude))
        assert status == "CREDENTIAL_EXCLUDED"
    wire.well(MAKE_CREDENTIAL, registration(exclude=[]))
    wire.well(MAKE_CREDENTIAL, registration(exclude=strange))
    wire.well(MAKE_CREDENTIAL, registration("other.example", exclude=[mine]))
    transports = {**mine, "transports": ["usb"]}
    assert wire.ctap(MAKE_CREDENTIAL, registration(exclude=[transports]))[0] == (
        "CREDENTIAL_EXCLUDED"
    )


@pytest.mark.parametrize("id_", [b"", b"\0", b"\xff" * 1023])
def test_unknown_ids_exclude_no_registration(wire, id_):
    wire.well(MAKE_CREDENTIAL, registration(exclude=[{"id": id_, "type": "public-key"}]))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, "SUCCESS"),
        ({"rk": False}, "SUCCESS"),
        ({"rk": True}, "SUCCESS"),
        ({"up": True}, "SUCCESS"),
        ({"uv": False}, "SUCCESS"),
        ({"unknown": False}, "SUCCESS"),
        ({"unknown": True, "rk": True}, "SUCCESS"),
        ({"up": False}, "INVALID_OPTION"),
        ({"up": False, "rk": True}, "INVALID_OPTION"),
        ({"uv": True}, "INVALID_OPTION"),
    ],
)
def test_options(wire, options, status):
    answered, made = wire.ctap(MAKE_CREDENTIAL, registration(options=options))
    assert answered == status
    if made:
        assert data_of(made).flags & 0x05 == 0x01


def test_an_account_has_one_discoverable_credential(wire):
    rp_id = "once.example"
    first = wire.well(MAKE_CREDENTIAL, registration(rp_id, options={"rk": True}))
    second = wire.well(MAKE_CREDENTIAL, registration(rp_id, options={"rk": True}))
    assert descriptor(first) != descriptor(second)
    found = wire.well(GET_ASSERTION, assertion(rp_id))
    assert found[1] == descriptor(second) and 5 not in found
    gone = assertion(rp_id, allow=[descriptor(first)])
    assert wire.ctap(GET_ASSERTION, gone)[0] == "NO_CREDENTIALS"
    # A credential that the key does not store replaces no other.
    wire.well(MAKE_CREDENTIAL, registration(rp_id))
    assert wire.well(GET_ASSERTION, assertion(rp_id))[1] == descriptor(second)


@pytest.mark.parametrize("formats", [["packed"], ["none"], ["fido-u2f", "packed"], [], ["?"]])
def test_attestation_formats(wire, formats):
    made = wire.well(MAKE_CREDENTIAL, registration(formats=formats))
    if formats == ["none"]:
        assert made[1] == "none" and not made.get(3)
    else:
        assert made[1] == "packed"


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_enterprise_attestation_that_is_not_enabled_is_refused(wire, kind):
    assert wire.ctap(MAKE_CREDENTIAL, registration(enterprise=kind))[0] == "INVALID_PARAMETER"


def test_counters_grow(wire):
    made = [wire.well(MAKE_CREDENTIAL, registration()) for _ in range(3)]
    counters = [data_of(one).counter for one in made]
    assert counters == sorted(set(counters))


def test_an_empty_pin_auth_param_tells_after_a_touch_if_a_pin_is_set(wire, with_pin):
    for protocol in [1, 2]:
        request = registration(param=b"", protocol=protocol)
        assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "PIN_NOT_SET"
        assert with_pin.ctap(MAKE_CREDENTIAL, request)[0] == "PIN_INVALID"
    without = registration(param=b"")
    assert wire.ctap(MAKE_CREDENTIAL, without)[0] == "PIN_NOT_SET"


@pytest.mark.parametrize("version", [1, 2])
def test_with_a_token_the_user_is_verified(with_pin, version):
    pins = Pins(with_pin, version)
    for options in [{}, {"rk": True}, {"uv": True}]:
        proof = pins.proof(1, "gate.example")
        made = with_pin.well(MAKE_CREDENTIAL, registration(options=options, **proof))
        assert data_of(made).flags & 0x05 == 0x05


@pytest.mark.parametrize("version", [1, 2])
def test_a_token_serves_one_registration(with_pin, version):
    """6.1.2, step 14: the touch uses the permissions up."""
    proof = Pins(with_pin, version).proof(1, "gate.example")
    with_pin.well(MAKE_CREDENTIAL, registration(**proof))
    assert with_pin.ctap(MAKE_CREDENTIAL, registration(**proof))[0] == "PIN_AUTH_INVALID"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("damage", ["flipped", "short", "long", "random"])
def test_a_wrong_pin_auth_param_is_refused(with_pin, version, damage):
    proof = Pins(with_pin, version).proof(1, "gate.example")
    right = proof["param"]
    proof["param"] = {
        "flipped": bytes([right[0] ^ 1]) + right[1:],
        "short": right[:-1],
        "long": right + b"\0",
        "random": b"\x9a" * len(right),
    }[damage]
    assert with_pin.ctap(MAKE_CREDENTIAL, registration(**proof))[0] == "PIN_AUTH_INVALID"


def test_the_protocol_of_a_pin_auth_param(with_pin):
    proof = Pins(with_pin).proof(1, "gate.example")
    for protocol, status in [(0, "INVALID_PARAMETER"), (3, "INVALID_PARAMETER"),
                             (123456, "INVALID_PARAMETER"), (1, "PIN_AUTH_INVALID")]:  # fmt: skip
        request = registration(param=proof["param"], protocol=protocol)
        assert with_pin.ctap(MAKE_CREDENTIAL, request)[0] == status
    without = registration(param=proof["param"])
    assert with_pin.ctap(MAKE_CREDENTIAL, without)[0] == "MISSING_PARAMETER"


@pytest.mark.parametrize(
    ("permissions", "rp_id", "status"),
    [
        (1, "gate.example", "SUCCESS"),
        (3, "gate.example", "SUCCESS"),
        # A token is bound to the first relying party that it is used for.
        (1, None, "SUCCESS"),
        (None, None, "SUCCESS"),
        (1, "other.example", "PIN_AUTH_INVALID"),
        (2, "gate.example", "PIN_AUTH_INVALID"),
        (4, None, "PIN_AUTH_INVALID"),
        (0x10, None, "PIN_AUTH_INVALID"),
        (0x20, None, "PIN_AUTH_INVALID"),
        (0x40, None, "PIN_AUTH_INVALID"),
    ],
)
def test_the_permissions_that_a_registration_needs(with_pin, permissions, rp_id, status):
    proof = Pins(with_pin).proof(permissions, rp_id)
    assert with_pin.ctap(MAKE_CREDENTIAL, registration(**proof))[0] == status


def test_a_key_with_a_pin_stores_no_passkey_without_it(with_pin):
    assert with_pin.well(GET_INFO)[4]["makeCredUvNotRqd"] is True
    made = with_pin.well(MAKE_CREDENTIAL, registration())
    assert data_of(made).flags & 0x05 == 0x01
    request = registration(options={"rk": True})
    assert with_pin.ctap(MAKE_CREDENTIAL, request)[0] == "PUAT_REQUIRED"
    assert with_pin.ctap(MAKE_CREDENTIAL, {**request, 9: 2})[0] == "PUAT_REQUIRED"


def test_a_pin_auth_param_without_a_pin_is_refused(wire):
    for protocol in [1, 2]:
        request = registration(param=b"\x9a" * 16, protocol=protocol)
        assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "PIN_AUTH_INVALID"


def test_long_names_are_cut_between_characters(with_pin):
    """WebAuthn Level 3, 6.4.1.2: an authenticator may cut names at 64 bytes, but not inside a character."""
    user = {"id": b"long", "name": "é" * 40, "displayName": "a" + "日本" * 20}
    proof = Pins(with_pin).proof(1, "long.example")
    request = registration("long.example", options={"rk": True}, **proof)
    with_pin.well(MAKE_CREDENTIAL, {**request, 3: user})
    proof = Pins(with_pin).proof(2, "long.example")
    kept = with_pin.well(GET_ASSERTION, assertion("long.example", **proof))[4]
    assert kept["id"] == user["id"]
    for name in ["name", "displayName"]:
        assert user[name].startswith(kept[name])
        assert 61 <= len(kept[name].encode()) <= 64


@pytest.mark.parametrize("length", [253, 255])
def test_long_relying_party_ids_are_stored_whole(wire, length):
    rp_id = "a" * (length - 8) + ".example"
    wire.well(MAKE_CREDENTIAL, registration(rp_id, options={"rk": True}))
    found = wire.well(GET_ASSERTION, assertion(rp_id))
    assert data_of(found).rp_id_hash == sha256(rp_id.encode()).digest()
