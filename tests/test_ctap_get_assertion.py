"""authenticatorGetAssertion and getNextAssertion, parameter by parameter (CTAP 2.3, sections 6.2
and 6.3)."""

import copy
from collections.abc import Iterator
from hashlib import sha256

import pytest
from ctap_client import (
    CLIENT_PIN,
    DIGEST,
    EXAMPLES,
    GET_ASSERTION,
    GET_INFO,
    GET_NEXT_ASSERTION,
    MAKE_CREDENTIAL,
    PIN,
    PING,
    Pins,
    Wire,
    assertion,
    data_of,
    descriptor,
    registration,
    verify,
    wired,
    wrong_types,
)
from fido2 import cbor
from software_key import SoftwareKey, plugged_in

FULL = assertion(
    allow=[{"id": b"nobody's", "type": "public-key"}],
    extensions={"credBlob": True},
    options={"up": True, "uv": False},
)
MEMBERS = [
    ([1], "gate.example"),
    ([2], DIGEST),
    ([3], []),
    ([3, 0], {}),
    ([3, 0, "id"], b""),
    ([3, 0, "type"], "public-key"),
    ([4], {}),
    ([4, "credBlob"], True),
    ([4, "hmac-secret"], {}),
    ([4, "largeBlobKey"], True),
    ([4, "thirdPartyPayment"], True),
    ([5], {}),
    ([5, "up"], True),
    ([5, "uv"], True),
    ([6], b""),
    ([7], 2),
]


@pytest.fixture(scope="module")
def protected(tmp_path_factory) -> Iterator[SoftwareKey]:
    """A key with a PIN and a discoverable credential of the user Ada."""
    with plugged_in(tmp_path_factory.mktemp("protected")) as key:
        with wired(key) as wire:
            wire.well(MAKE_CREDENTIAL, registration(options={"rk": True}))
            wire.well(CLIENT_PIN, Pins(wire).setting(PIN))
        yield key


@pytest.fixture(scope="module")
def made(key: SoftwareKey) -> dict:
    """A credential that the key does not store."""
    wire = Wire(key.address)
    made = wire.well(MAKE_CREDENTIAL, registration())
    wire.close()
    return made


@pytest.fixture
def crowd(wire: Wire, request) -> tuple[str, list[dict]]:
    """A relying party with four accounts, and their credentials, the oldest first."""
    rp_id = f"{sha256(request.node.name.encode()).hexdigest()[:16]}.example"
    users = [bytes([n]) for n in range(4)]
    made = [
        wire.well(MAKE_CREDENTIAL, registration(rp_id, user, options={"rk": True}))
        for user in users
    ]
    return rp_id, made


def test_the_members_of_an_assertion(wire, made):
    asserted = wire.well(GET_ASSERTION, assertion(allow=[descriptor(made)]))
    assert set(asserted) == {1, 2, 3}
    assert asserted[1] == descriptor(made)
    assert len(asserted[2]) == 37
    data = data_of(asserted)
    assert data.rp_id_hash == sha256(b"gate.example").digest() and data.flags == 0x01
    verify(made, asserted)


@pytest.mark.parametrize("wrong", [name for name in EXAMPLES if name != "map"])
def test_a_request_of_another_type_is_refused(wire, wrong):
    assert wire.ctap(GET_ASSERTION, cbor.encode(EXAMPLES[wrong]))[0] == "CBOR_UNEXPECTED_TYPE"


@pytest.mark.parametrize("path, right", MEMBERS, ids=[".".join(map(str, p)) for p, _ in MEMBERS])
def test_members_of_another_type_are_refused(wire, path, right):
    for wrong in wrong_types(right):
        request = copy.deepcopy(FULL)
        place = request
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = EXAMPLES[wrong]
        assert wire.ctap(GET_ASSERTION, request)[0] == "CBOR_UNEXPECTED_TYPE", wrong


@pytest.mark.parametrize("path", [[1], [2], [3, 0, "id"], [3, 0, "type"]])
def test_required_members(wire, path):
    request = copy.deepcopy(FULL)
    place = request
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert wire.ctap(GET_ASSERTION, request)[0] == "MISSING_PARAMETER"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_client_data_hash_of_another_length_is_refused(wire, length):
    assert wire.ctap(GET_ASSERTION, {**assertion(), 2: bytes(length)})[0] == "INVALID_LENGTH"


def test_unknown_members_and_extensions_are_ignored(wire, made):
    request = assertion(allow=[descriptor(made)], extensions={"tetris": True})
    asserted = wire.well(GET_ASSERTION, {**request, 8: b"?", 200: []})
    assert len(asserted[2]) == 37


@pytest.mark.parametrize(
    ("options", "status", "flags"),
    [
        ({}, "SUCCESS", 0x01),
        ({"up": True}, "SUCCESS", 0x01),
        ({"up": False}, "SUCCESS", 0x00),
        ({"uv": False}, "SUCCESS", 0x01),
        ({"up": False, "uv": False}, "SUCCESS", 0x00),
        ({"unknown": True}, "SUCCESS", 0x01),
        ({"unknown": False}, "SUCCESS", 0x01),
        ({"uv": True}, "INVALID_OPTION", None),
        ({"rk": True}, "UNSUPPORTED_OPTION", None),
        ({"rk": False}, "UNSUPPORTED_OPTION", None),
    ],
)
def test_options(wire, made, options, status, flags):
    request = assertion(allow=[descriptor(made)], options=options)
    answered, asserted = wire.ctap(GET_ASSERTION, request)
    assert answered == status
    if asserted:
        assert data_of(asserted).flags == flags
        verify(made, asserted)


def test_the_allow_list(wire, made):
    mine = descriptor(made)
    strange = [{"id": bytes([n]) * 60, "type": "public-key"} for n in range(10)]
    for allow in [[mine], strange + [mine], [mine] + strange, [mine, mine],
                  [{**mine, "transports": ["usb"]}], [{"id": b"?", "type": "rot13"}, mine]]:  # fmt: skip
        asserted = wire.well(GET_ASSERTION, assertion(allow=allow))
        assert asserted[1] == mine
        verify(made, asserted)
    for allow in [strange, [{**mine, "type": "rot13"}], [{"id": b"", "type": "public-key"}]]:
        assert wire.ctap(GET_ASSERTION, assertion(allow=allow))[0] == "NO_CREDENTIALS"


def test_an_empty_allow_list_counts_as_absent(wire, crowd):
    rp_id, made = crowd
    assert wire.well(GET_ASSERTION, assertion(rp_id, allow=[]))[5] == len(made)
    assert wire.ctap(GET_ASSERTION, assertion("nobody.example", allow=[]))[0] == "NO_CREDENTIALS"


def test_an_allow_list_of_unknown_types_allows_no_credential(wire, crowd):
    """w3c/webauthn#1748: such a list is not the same as no list, which would let any passkey sign."""
    rp_id, made = crowd
    for kinds in [["rot13"], ["rot13", ""], ["Public-Key"]]:
        allow = [{**descriptor(made[0]), "type": kind} for kind in kinds]
        for options in [{}, {"up": False}]:
            request = assertion(rp_id, allow=allow, options=options)
            assert wire.ctap(GET_ASSERTION, request)[0] == "NO_CREDENTIALS", kinds


def test_a_changed_credential_id_is_unknown(wire, made):
    id_ = descriptor(made)["id"]
    for at in range(len(id_)):
        changed = bytearray(id_)
        changed[at] ^= 1
        allow = [{"id": bytes(changed), "type": "public-key"}]
        assert wire.ctap(GET_ASSERTION, assertion(allow=allow))[0] == "NO_CREDENTIALS", at
    for cut in [id_[:-1], id_[: len(id_) // 2], id_ + b"\0"]:
        allow = [{"id": cut, "type": "public-key"}]
        assert wire.ctap(GET_ASSERTION, assertion(allow=allow))[0] == "NO_CREDENTIALS"


@pytest.mark.parametrize("options", [{}, {"rk": True}])
def test_a_credential_belongs_to_its_relying_party(wire, options):
    made = wire.well(MAKE_CREDENTIAL, registration("mine.example", options=options))
    for rp_id in ["mine.example.com", "yours.example", "Mine.example", ""]:
        request = assertion(rp_id, allow=[descriptor(made)])
        assert wire.ctap(GET_ASSERTION, request)[0] == "NO_CREDENTIALS"


def test_counters_grow(wire, made):
    request = assertion(allow=[descriptor(made)])
    counters = [data_of(wire.well(GET_ASSERTION, request)).counter for _ in range(5)]
    assert counters == sorted(set(counters))


def test_several_credentials_the_newest_first(wire, crowd):
    rp_id, made = crowd
    first = wire.well(GET_ASSERTION, assertion(rp_id))
    assert first[5] == len(made)
    found = [first] + [wire.well(GET_NEXT_ASSERTION) for _ in made[1:]]
    assert all(5 not in later for later in found[1:])
    for registered, asserted in zip(reversed(made), found, strict=True):
        assert asserted[1] == descriptor(registered)
        verify(registered, asserted)
        # Without user verification, the answer has no names.
        assert set(asserted[4]) == {"id"}
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_the_answer_for_one_credential_has_no_count(wire):
    wire.well(MAKE_CREDENTIAL, registration("one.example", options={"rk": True}))
    asserted = wire.well(GET_ASSERTION, assertion("one.example"))
    assert 5 not in asserted and asserted[4] == {"id": b"ada"}
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_only_one_credential_of_an_allow_list_signs(wire, crowd):
    """6.2.2, step 11: with an allow list, numberOfCredentials is omitted."""
    rp_id, made = crowd
    allow = [descriptor(one) for one in made]
    asserted = wire.well(GET_ASSERTION, assertion(rp_id, allow=allow))
    assert 5 not in asserted and asserted[1] in allow
    assert set(asserted[4]) == {"id"}
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_get_next_assertion_needs_an_assertion_before_it(wire):
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_a_refused_assertion_begins_no_sequence(wire, crowd):
    rp_id, _ = crowd
    wire.well(GET_ASSERTION, assertion(rp_id))
    assert wire.ctap(GET_ASSERTION, assertion("nobody.example"))[0] == "NO_CREDENTIALS"
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        (MAKE_CREDENTIAL, registration("between.example")),
        (CLIENT_PIN, {1: 2, 2: 2}),
        (0x0B, None),
        (0x0C, {1: 17, 3: 0}),
    ],
    ids=["makeCredential", "clientPIN", "selection", "largeBlobs"],
)
def test_another_command_ends_the_sequence(wire, crowd, command, parameters):
    wire.well(GET_ASSERTION, assertion(crowd[0]))
    wire.well(command, parameters)
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_ping_and_get_info_do_not_end_the_sequence(wire, crowd):
    wire.well(GET_ASSERTION, assertion(crowd[0]))
    assert wire.call(PING, b"!") == (PING, b"!")
    wire.well(GET_INFO)
    wire.well(GET_NEXT_ASSERTION)


def test_silent_assertions_of_several_credentials(wire, crowd):
    rp_id, made = crowd
    first = wire.well(GET_ASSERTION, assertion(rp_id, options={"up": False}))
    second = wire.well(GET_NEXT_ASSERTION)
    assert data_of(first).flags == data_of(second).flags == 0
    # The key asked its owner for each registration, and not for the silent assertions.
    assert wire.keepalives.count(2) == len(made)


@pytest.mark.parametrize("version", [1, 2])
def test_with_a_token_the_user_is_verified_and_named(with_pin, version):
    proof = Pins(with_pin, version).proof(2, "gate.example")
    asserted = with_pin.well(GET_ASSERTION, assertion(**proof))
    assert data_of(asserted).flags == 0x05
    assert asserted[4]["id"] == b"ada"


@pytest.mark.parametrize("version", [1, 2])
def test_a_token_serves_one_assertion(with_pin, version):
    proof = Pins(with_pin, version).proof(2, "gate.example")
    with_pin.well(GET_ASSERTION, assertion(**proof))
    assert with_pin.ctap(GET_ASSERTION, assertion(**proof))[0] == "PIN_AUTH_INVALID"


def test_a_silent_assertion_spends_no_token(with_pin):
    """6.2.2, step 9: only a touch uses the permissions up."""
    proof = Pins(with_pin).proof(2, "gate.example")
    for _ in range(2):
        asserted = with_pin.well(GET_ASSERTION, assertion(options={"up": False}, **proof))
        assert data_of(asserted).flags == 0x04


@pytest.mark.parametrize(
    ("permissions", "rp_id", "status"),
    [
        (2, "gate.example", "SUCCESS"),
        (3, "gate.example", "SUCCESS"),
        (2, None, "SUCCESS"),
        (None, None, "SUCCESS"),
        (2, "other.example", "PIN_AUTH_INVALID"),
        (1, "gate.example", "PIN_AUTH_INVALID"),
        (4, None, "PIN_AUTH_INVALID"),
        (0x40, None, "PIN_AUTH_INVALID"),
    ],
)
def test_the_permissions_that_an_assertion_needs(with_pin, permissions, rp_id, status):
    proof = Pins(with_pin).proof(permissions, rp_id)
    assert with_pin.ctap(GET_ASSERTION, assertion(**proof))[0] == status


@pytest.mark.parametrize("damage", ["flipped", "short", "random"])
def test_a_wrong_pin_auth_param_is_refused(with_pin, damage):
    proof = Pins(with_pin).proof(2, "gate.example")
    right = proof["param"]
    proof["param"] = {
        "flipped": right[:-1] + bytes([right[-1] ^ 1]),
        "short": right[:16],
        "random": b"\x9a" * 32,
    }[damage]
    assert with_pin.ctap(GET_ASSERTION, assertion(**proof))[0] == "PIN_AUTH_INVALID"


def test_the_protocol_of_a_pin_auth_param(with_pin):
    proof = Pins(with_pin).proof(2, "gate.example")
    for protocol, status in [(0, "INVALID_PARAMETER"), (3, "INVALID_PARAMETER"),
                             (1, "PIN_AUTH_INVALID")]:  # fmt: skip
        request = assertion(param=proof["param"], protocol=protocol)
        assert with_pin.ctap(GET_ASSERTION, request)[0] == status
    assert with_pin.ctap(GET_ASSERTION, assertion(param=proof["param"]))[0] == "MISSING_PARAMETER"


def test_an_empty_pin_auth_param_tells_after_a_touch_if_a_pin_is_set(wire, with_pin):
    request = assertion("nobody.example", param=b"", protocol=2)
    assert wire.ctap(GET_ASSERTION, request)[0] == "PIN_NOT_SET"
    assert with_pin.ctap(GET_ASSERTION, request)[0] == "PIN_INVALID"


def test_an_assertion_without_the_pin_needs_only_a_touch(with_pin):
    asserted = with_pin.well(GET_ASSERTION, assertion())
    assert data_of(asserted).flags == 0x01 and set(asserted[4]) == {"id"}


def test_credentials_outlive_a_power_cycle(tmp_path):
    key = SoftwareKey(tmp_path)
    key.plug_in()
    wire = Wire(key.address)
    kept = wire.well(MAKE_CREDENTIAL, registration("kept.example", options={"rk": True}))
    sealed = wire.well(MAKE_CREDENTIAL, registration("sealed.example"))
    before = data_of(wire.well(GET_ASSERTION, assertion("kept.example"))).counter
    wire.close()
    key.replug()
    wire = Wire(key.address)
    asserted = wire.well(GET_ASSERTION, assertion("kept.example"))
    verify(kept, asserted)
    assert data_of(asserted).counter > before
    allow = [descriptor(sealed)]
    verify(sealed, wire.well(GET_ASSERTION, assertion("sealed.example", allow=allow)))
    assert wire.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"
    wire.close()
    key.unplug()
