"""authenticatorCredentialManagement, authenticatorLargeBlobs, authenticatorConfig, authenticatorReset
and authenticatorGetInfo, on the wire (CTAP 2.3, sections 6.4, 6.6, 6.8, 6.10 and 6.11)."""

import os
import struct
from collections.abc import Iterator
from hashlib import sha256

import pytest
from ctap_client import (
    CLIENT_PIN,
    CONFIG,
    CREDENTIAL_MANAGEMENT,
    EXAMPLES,
    GET_ASSERTION,
    GET_INFO,
    LARGE_BLOBS,
    MAKE_CREDENTIAL,
    PIN,
    RESET,
    SELECTION,
    Pins,
    Wire,
    assertion,
    data_of,
    descriptor,
    registration,
    wired,
    wrong_types,
)
from fido2 import cbor
from software_key import SoftwareKey, plugged_in

CM, LBW, ACFG, PCMR = 0x04, 0x10, 0x20, 0x40
METADATA, RPS, NEXT_RP, CREDENTIALS, NEXT_CREDENTIAL, DELETE, UPDATE = range(1, 8)
EMPTY = b"\x80" + sha256(b"\x80").digest()[:16]


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    with plugged_in(tmp_path) as key:
        yield key


@pytest.fixture
def bare(key: SoftwareKey) -> Iterator[Wire]:
    """A key without a PIN."""
    with wired(key) as wire:
        yield wire


@pytest.fixture
def wire(bare: Wire) -> Wire:
    """A key with a PIN and three credentials for two relying parties."""
    for rp_id, user in [("a.example", b"ada"), ("b.example", b"ada"), ("a.example", b"bob")]:
        bare.well(MAKE_CREDENTIAL, registration(rp_id, user, options={"rk": True}))
    bare.well(CLIENT_PIN, Pins(bare).setting(PIN))
    return bare


class Manager:
    """credentialManagement with one token."""

    def __init__(self, wire: Wire, permissions=CM, rp_id=None, version=2):
        self.wire = wire
        self.pins = Pins(wire, version)
        self.token = self.pins.token(permissions, rp_id)

    def request(self, subcommand: int, parameters: dict | None = None) -> dict:
        message = bytes([subcommand]) + (cbor.encode(parameters) if parameters else b"")
        more = {2: parameters} if parameters else {}
        return {1: subcommand, **more, 3: self.pins.version, 4: self.pins.tag(message, self.token)}

    def __call__(self, subcommand: int, parameters: dict | None = None):
        return self.wire.ctap(CREDENTIAL_MANAGEMENT, self.request(subcommand, parameters))


def hash_of(rp_id: str) -> bytes:
    return sha256(rp_id.encode()).digest()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("permissions", [CM, PCMR])
def test_credentials_are_listed(wire, version, permissions):
    manage = Manager(wire, permissions, version=version)
    status, metadata = manage(METADATA)
    assert status == "SUCCESS" and metadata[1] == 3
    assert metadata[2] == wire.well(GET_INFO)[0x14]
    status, first = manage(RPS)
    assert (status, first[3]["id"], first[5]) == ("SUCCESS", "a.example", 2)
    status, second = wire.ctap(CREDENTIAL_MANAGEMENT, {1: NEXT_RP})
    assert (status, second[3]["id"], 5 in second) == ("SUCCESS", "b.example", False)
    assert [rp[4] for rp in (first, second)] == [hash_of("a.example"), hash_of("b.example")]
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: NEXT_RP})[0] == "NOT_ALLOWED"
    status, first = manage(CREDENTIALS, {1: hash_of("a.example")})
    assert (status, first[9]) == ("SUCCESS", 2)
    status, second = wire.ctap(CREDENTIAL_MANAGEMENT, {1: NEXT_CREDENTIAL})
    assert status == "SUCCESS" and 9 not in second
    assert {one[6]["id"] for one in (first, second)} == {b"ada", b"bob"}
    for one in (first, second):
        assert one[6]["displayName"] == "Ada" and one[7]["type"] == "public-key"
        assert one[8][3] == -7 and one[0x0A] == 1
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: NEXT_CREDENTIAL})[0] == "NOT_ALLOWED"
    assert manage(CREDENTIALS, {1: hash_of("nobody.example")})[0] == "NO_CREDENTIALS"


def test_an_empty_key_lists_no_credentials(bare):
    bare.well(CLIENT_PIN, Pins(bare).setting(PIN))
    manage = Manager(bare)
    assert manage(METADATA)[1][1] == 0
    assert manage(RPS)[0] == "NO_CREDENTIALS"


@pytest.mark.parametrize("next_", [NEXT_RP, NEXT_CREDENTIAL])
def test_a_next_command_needs_a_first_one(wire, next_):
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: next_})[0] == "NOT_ALLOWED"
    other = {NEXT_RP: (CREDENTIALS, {1: hash_of("a.example")}), NEXT_CREDENTIAL: (RPS, None)}
    Manager(wire)(*other[next_])
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: next_})[0] == "NOT_ALLOWED"


def test_another_command_ends_a_list(wire):
    Manager(wire)(RPS)
    wire.well(CLIENT_PIN, {1: 2, 2: 2})
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: NEXT_RP})[0] == "NOT_ALLOWED"


@pytest.mark.parametrize("subcommand", [METADATA, RPS, CREDENTIALS, DELETE, UPDATE])
def test_credential_management_needs_the_right_token(wire, subcommand):
    parameters = {
        CREDENTIALS: {1: hash_of("a.example")},
        DELETE: {2: {"id": b"?" * 32, "type": "public-key"}},
        UPDATE: {2: {"id": b"?" * 32, "type": "public-key"}, 3: {"id": b"ada"}},
    }.get(subcommand)
    manage = Manager(wire)
    request = manage.request(subcommand, parameters)
    without = {k: v for k, v in request.items() if k not in (3, 4)}
    assert wire.ctap(CREDENTIAL_MANAGEMENT, without)[0] == "PUAT_REQUIRED"
    no_protocol = {k: v for k, v in request.items() if k != 3}
    assert wire.ctap(CREDENTIAL_MANAGEMENT, no_protocol)[0] == "MISSING_PARAMETER"
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {**request, 3: 9})[0] == "INVALID_PARAMETER"
    wrong = {**request, 4: bytes(32)}
    assert wire.ctap(CREDENTIAL_MANAGEMENT, wrong)[0] == "PIN_AUTH_INVALID"
    for permissions in [0x03, LBW, ACFG]:
        other = Manager(wire, permissions)
        assert other(subcommand, parameters)[0] == "PIN_AUTH_INVALID"


def test_a_read_only_token_changes_nothing(wire):
    found = Manager(wire)(CREDENTIALS, {1: hash_of("b.example")})[1]
    read_only = Manager(wire, PCMR)
    assert read_only(DELETE, {2: found[7]})[0] == "PIN_AUTH_INVALID"
    updated = {2: found[7], 3: {"id": b"ada", "name": "eve"}}
    assert read_only(UPDATE, updated)[0] == "PIN_AUTH_INVALID"
    assert read_only(METADATA)[1][1] == 3


def test_a_read_only_token_ends_only_with_its_pin(key, wire):
    read_only = Manager(wire, PCMR)
    again = Manager(wire, PCMR)
    assert again.token == read_only.token
    Manager(wire)
    assert read_only(METADATA)[0] == "SUCCESS"
    key.replug()
    read_only.wire = Wire(key.address)
    assert read_only(METADATA)[0] == "SUCCESS"
    read_only.wire.well(CLIENT_PIN, Pins(read_only.wire).changing(PIN, "another"))
    assert read_only(METADATA)[0] == "PIN_AUTH_INVALID"
    read_only.wire.close()


def test_a_token_of_one_relying_party_manages_only_its_credentials(wire):
    manage = Manager(wire, CM, "a.example")
    for subcommand in [METADATA, RPS]:
        assert manage(subcommand)[0] == "PIN_AUTH_INVALID"
    assert manage(CREDENTIALS, {1: hash_of("b.example")})[0] == "PIN_AUTH_INVALID"
    status, found = manage(CREDENTIALS, {1: hash_of("a.example")})
    assert status == "SUCCESS"
    foreign = Manager(wire)(CREDENTIALS, {1: hash_of("b.example")})[1]
    manage = Manager(wire, CM, "a.example")
    unknown = {"id": bytes(32), "type": "public-key"}
    for other in [foreign[7], unknown]:
        assert manage(DELETE, {2: other})[0] == "PIN_AUTH_INVALID"
        renamed = {2: other, 3: {"id": b"ada", "name": "eve"}}
        assert manage(UPDATE, renamed)[0] == "PIN_AUTH_INVALID"
    assert manage(DELETE, {2: found[7]})[0] == "SUCCESS"


def test_credentials_are_deleted(wire):
    manage = Manager(wire)
    [found] = [manage(CREDENTIALS, {1: hash_of("b.example")})[1]]
    room = manage(METADATA)[1][2]
    assert manage(DELETE, {2: found[7]})[0] == "SUCCESS"
    assert manage(DELETE, {2: found[7]})[0] == "NO_CREDENTIALS"
    assert list(manage(METADATA)[1].values()) == [2, room + 1]
    for allow in [{}, {"allow": [dict(found[7])]}]:
        assert wire.ctap(GET_ASSERTION, assertion("b.example", **allow))[0] == "NO_CREDENTIALS"
    # The place can be used again.
    proof = manage.pins.proof(1, "b.example")
    wire.well(MAKE_CREDENTIAL, registration("b.example", options={"rk": True}, **proof))


def test_users_are_renamed(wire):
    manage = Manager(wire)
    found = manage(CREDENTIALS, {1: hash_of("b.example")})[1]
    named = {"id": b"ada", "name": "countess"}
    assert manage(UPDATE, {2: found[7], 3: named})[0] == "SUCCESS"
    # A name that is absent from the update is removed.
    assert dict(manage(CREDENTIALS, {1: hash_of("b.example")})[1][6]) == named
    assert manage(UPDATE, {2: found[7], 3: {"id": b"eve"}})[0] == "INVALID_PARAMETER"
    unknown = {"id": bytes(32), "type": "public-key"}
    assert manage(UPDATE, {2: unknown, 3: named})[0] == "NO_CREDENTIALS"


@pytest.mark.parametrize(
    ("subcommand", "parameters"),
    [(CREDENTIALS, None), (DELETE, None), (UPDATE, None),
     (UPDATE, {2: {"id": bytes(32), "type": "public-key"}}), (UPDATE, {3: {"id": b"ada"}})],
)  # fmt: skip
def test_required_parameters(wire, subcommand, parameters):
    assert Manager(wire)(subcommand, parameters)[0] == "MISSING_PARAMETER"


def test_unknown_management_commands_are_refused(wire):
    assert wire.ctap(CREDENTIAL_MANAGEMENT, {})[0] == "MISSING_PARAMETER"
    for unknown in [0, 8, 255]:
        assert wire.ctap(CREDENTIAL_MANAGEMENT, {1: unknown})[0] == "INVALID_SUBCOMMAND"
    for wrong in wrong_types(1):
        status, _ = wire.ctap(CREDENTIAL_MANAGEMENT, {1: EXAMPLES[wrong]})
        assert status == "CBOR_UNEXPECTED_TYPE"


def test_the_encrypted_state_of_the_store_changes_with_the_store(bare):
    """6.4: encCredStoreState changes with every change of a discoverable credential."""
    pins = Pins(bare)
    bare.well(CLIENT_PIN, pins.setting(PIN))
    first, second = bare.well(GET_INFO), bare.well(GET_INFO)
    # The key encrypts it anew each time, so that a client without the token learns nothing from it.
    for member in [0x19, 0x1E]:
        assert len(first[member]) == 32 and first[member] != second[member]


# Large blobs.


def blob_tag(pins: Pins, token: bytes, offset: int, part: bytes) -> bytes:
    message = b"\xff" * 32 + b"\x0c\x00" + struct.pack("<I", offset) + sha256(part).digest()
    return pins.tag(message, token)


def whole(array: bytes) -> bytes:
    return array + sha256(array).digest()[:16]


def write(wire: Wire, blob: bytes, size: int = 500) -> list[str]:
    """Writes an array in parts, without a PIN."""
    statuses = []
    for offset in range(0, len(blob), size):
        part = blob[offset : offset + size]
        length = {4: len(blob)} if offset == 0 else {}
        statuses.append(wire.ctap(LARGE_BLOBS, {2: part, 3: offset, **length})[0])
    return statuses


def read(wire: Wire, size: int = 500) -> bytes:
    found = b""
    while True:
        part = wire.well(LARGE_BLOBS, {1: size, 3: len(found)})[1]
        found += part
        if len(part) < size:
            return found


def test_a_new_key_has_an_empty_array(bare):
    assert bare.well(LARGE_BLOBS, {1: 100, 3: 0}) == {1: EMPTY}
    assert bare.well(LARGE_BLOBS, {1: 0, 3: 0}) == {1: b""}
    assert bare.well(LARGE_BLOBS, {1: 5, 3: 10}) == {1: EMPTY[10:15]}
    assert bare.well(LARGE_BLOBS, {1: 5, 3: 17}) == {1: b""}
    assert bare.ctap(LARGE_BLOBS, {1: 5, 3: 18})[0] == "INVALID_PARAMETER"


@pytest.mark.parametrize("size", [17, 100, 1000, 4096])
@pytest.mark.parametrize("parts", [100, 4096])
def test_a_written_array_is_read_back(key, bare, size, parts):
    blob = whole(os.urandom(size - 16))
    assert set(write(bare, blob, parts)) == {"SUCCESS"}
    assert read(bare, 333) == blob
    key.replug()
    again = Wire(key.address)
    assert read(again) == blob
    again.close()


def test_the_array_has_the_size_that_get_info_states(bare):
    longest = bare.well(GET_INFO)[0x0B]
    assert longest >= 1024
    assert set(write(bare, whole(os.urandom(longest - 16)), 2000)) == {"SUCCESS"}
    too_long = {2: bytes(100), 3: 0, 4: longest + 1}
    assert bare.ctap(LARGE_BLOBS, too_long)[0] == "LARGE_BLOB_STORAGE_FULL"


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, "INVALID_PARAMETER"),
        ({3: 0}, "INVALID_PARAMETER"),
        ({1: 1, 2: b"", 3: 0}, "INVALID_PARAMETER"),
        ({1: 1}, "INVALID_PARAMETER"),
        ({2: EMPTY, 4: 17}, "INVALID_PARAMETER"),
        ({1: 1, 3: 0, 4: 17}, "INVALID_PARAMETER"),
        ({1: 1, 3: 0, 5: bytes(32)}, "INVALID_PARAMETER"),
        ({1: 1, 3: 0, 6: 2}, "INVALID_PARAMETER"),
        ({2: EMPTY, 3: 0}, "INVALID_PARAMETER"),
        ({2: EMPTY, 3: 0, 4: 16}, "INVALID_PARAMETER"),
        ({2: EMPTY, 3: 1, 4: 17}, "INVALID_PARAMETER"),
        ({2: EMPTY + b"\0", 3: 0, 4: 17}, "INVALID_PARAMETER"),
        ({2: EMPTY, 3: 5}, "INVALID_SEQ"),
        ({1: 1 << 20, 3: 0}, "INVALID_LENGTH"),
        ({1: 1, 3: 1 << 40}, "INVALID_PARAMETER"),
    ],
    ids=str,
)
def test_parameters_of_large_blobs(bare, parameters, status):
    """6.10.2, steps 1 to 4."""
    assert bare.ctap(LARGE_BLOBS, parameters)[0] == status


@pytest.mark.parametrize("member, right", [(1, 1), (2, b""), (3, 0), (4, 17), (5, b""), (6, 2)])
def test_members_of_large_blobs_of_another_type(bare, member, right):
    for wrong in wrong_types(right):
        status, _ = bare.ctap(LARGE_BLOBS, {3: 0, member: EXAMPLES[wrong]})
        assert status == "CBOR_UNEXPECTED_TYPE"


def test_an_array_with_a_wrong_checksum_is_not_stored(bare):
    for bad in [EMPTY[:-1] + b"\0", bytes(17), whole(b"\x81\x01")[:-1] + b"\0"]:
        assert bare.ctap(LARGE_BLOBS, {2: bad, 3: 0, 4: len(bad)})[0] == "INTEGRITY_FAILURE"
    assert read(bare) == EMPTY


def test_half_an_array_is_not_stored(bare):
    blob = whole(os.urandom(200))
    assert bare.ctap(LARGE_BLOBS, {2: blob[:100], 3: 0, 4: len(blob)})[0] == "SUCCESS"
    assert read(bare) == EMPTY
    # The read in between ended the write, so the second half is refused.
    assert bare.ctap(LARGE_BLOBS, {2: blob[100:], 3: 100})[0] == "INVALID_SEQ"


@pytest.mark.parametrize("offset", [0, 99, 101])
def test_parts_must_come_in_order(bare, offset):
    blob = whole(os.urandom(200))
    bare.well(LARGE_BLOBS, {2: blob[:100], 3: 0, 4: len(blob)})
    status, _ = bare.ctap(LARGE_BLOBS, {2: blob[100:], 3: offset})
    assert status == ("INVALID_PARAMETER" if offset == 0 else "INVALID_SEQ")


def test_a_complete_array_takes_no_more_parts(bare):
    bare.well(LARGE_BLOBS, {2: EMPTY, 3: 0, 4: 17})
    assert bare.ctap(LARGE_BLOBS, {2: b"", 3: 17})[0] == "INVALID_SEQ"


@pytest.mark.parametrize("version", [1, 2])
def test_a_key_with_a_pin_needs_a_token_to_write(wire, version):
    pins = Pins(wire, version)
    blob = whole(os.urandom(100))
    plain = {2: blob, 3: 0, 4: len(blob)}
    assert wire.ctap(LARGE_BLOBS, plain)[0] == "PUAT_REQUIRED"
    for permissions in [0x03, CM, ACFG]:
        tag = blob_tag(pins, pins.token(permissions), 0, blob)
        request = {**plain, 5: tag, 6: version}
        assert wire.ctap(LARGE_BLOBS, request)[0] == "PIN_AUTH_INVALID"
    token = pins.token(LBW)
    assert wire.ctap(LARGE_BLOBS, {**plain, 5: bytes(32), 6: version})[0] == "PIN_AUTH_INVALID"
    wrong_place = {**plain, 5: blob_tag(pins, token, 1, blob), 6: version}
    assert wire.ctap(LARGE_BLOBS, wrong_place)[0] == "PIN_AUTH_INVALID"
    assert read(wire) == EMPTY
    wire.well(LARGE_BLOBS, {**plain, 5: blob_tag(pins, token, 0, blob), 6: version})
    assert read(wire) == blob


# Configuration.


def configure(wire: Wire, subcommand: int, parameters: dict | None = None, pin: str = PIN):
    """Sends authenticatorConfig with a token."""
    pins = Pins(wire)
    token = pins.token(ACFG, pin=pin)
    message = b"\xff" * 32 + bytes([CONFIG, subcommand])
    message += cbor.encode(parameters) if parameters else b""
    more = {2: parameters} if parameters else {}
    request = {1: subcommand, **more, 3: 2, 4: pins.tag(message, token)}
    return wire.ctap(CONFIG, request)[0]


def test_always_uv(wire):
    assert configure(wire, 2) == "SUCCESS"
    info = wire.well(GET_INFO)
    assert info[4]["alwaysUv"] is True and info[4]["makeCredUvNotRqd"] is False
    assert "U2F_V2" not in info[1]
    for options in [{}, {"rk": True}]:
        request = registration(options=options)
        assert wire.ctap(MAKE_CREDENTIAL, request)[0] == "PUAT_REQUIRED"
    assert wire.ctap(GET_ASSERTION, assertion("a.example"))[0] == "PUAT_REQUIRED"
    silent = assertion("a.example", options={"up": False})
    assert data_of(wire.well(GET_ASSERTION, silent)).flags == 0
    # 7.2.4: U2F can't verify its user, so it is off.
    assert wire.apdu(bytes([0, 1, 0, 0, 0, 0, 64]) + bytes(64) + b"\0\0")[0] == 0x6986
    assert configure(wire, 2) == "SUCCESS"
    assert wire.well(GET_INFO)[4]["alwaysUv"] is False
    wire.well(MAKE_CREDENTIAL, registration())


def test_a_longer_minimum_for_the_pin(wire):
    assert wire.well(GET_INFO)[0x0D] == 4
    assert configure(wire, 3, {1: 8}) == "SUCCESS"
    info = wire.well(GET_INFO)
    assert info[0x0D] == 8 and info[0x0C] is False
    assert configure(wire, 3, {1: 7}) == "PIN_POLICY_VIOLATION"
    assert configure(wire, 3, {1: 64}) == "PIN_POLICY_VIOLATION"
    pins = Pins(wire)
    assert wire.ctap(CLIENT_PIN, pins.changing(PIN, "1234567"))[0] == "PIN_POLICY_VIOLATION"
    # The PIN is shorter than the new minimum, so it must be changed.
    assert configure(wire, 3, {1: 9}) == "SUCCESS"
    assert wire.well(GET_INFO)[0x0C] is True


def test_a_forced_change_of_the_pin(wire):
    assert configure(wire, 3, {3: True}) == "SUCCESS"
    assert wire.well(GET_INFO)[0x0C] is True
    pins = Pins(wire)
    # 6.5.5.7.1, step 11; 6.5.5.7.2, step 11.
    assert wire.ctap(CLIENT_PIN, pins.asking(PIN))[0] == "PIN_INVALID"
    assert wire.ctap(CLIENT_PIN, pins.asking(PIN, CM))[0] == "PIN_POLICY_VIOLATION"
    assert wire.well(CLIENT_PIN, {1: 2, 2: 1})[3] == 8
    # 6.5.5.6, step 13: the new PIN must differ.
    assert wire.ctap(CLIENT_PIN, pins.changing(PIN, PIN))[0] == "PIN_POLICY_VIOLATION"
    pins.agree()
    wire.well(CLIENT_PIN, pins.changing(PIN, "31415926"))
    assert wire.well(GET_INFO)[0x0C] is False
    pins.token(CM, pin="31415926")


def test_a_key_without_a_pin_forces_no_change(bare):
    assert bare.ctap(CONFIG, {1: 3, 2: {3: True}})[0] == "PIN_NOT_SET"


def test_more_relying_parties_than_fit(wire):
    most = wire.well(GET_INFO)[0x10]
    rp_ids = [f"rp{n}.example" for n in range(most)]
    assert configure(wire, 3, {2: rp_ids}) == "SUCCESS"
    assert configure(wire, 3, {2: [*rp_ids, "one.more.example"]}) == "KEY_STORE_FULL"
    assert configure(wire, 3, {2: [f"rp{n}.example" for n in range(121)]}) == "KEY_STORE_FULL"


def test_config_needs_the_right_token(wire):
    pins = Pins(wire)
    assert wire.ctap(CONFIG, {1: 2})[0] == "PUAT_REQUIRED"
    message = b"\xff" * 32 + bytes([CONFIG, 2])
    for permissions in [0x03, CM, LBW]:
        tag = pins.tag(message, pins.token(permissions))
        assert wire.ctap(CONFIG, {1: 2, 3: 2, 4: tag})[0] == "PIN_AUTH_INVALID"
    tag = pins.tag(message, pins.token(ACFG))
    assert wire.ctap(CONFIG, {1: 2, 4: tag})[0] == "MISSING_PARAMETER"
    assert wire.ctap(CONFIG, {1: 2, 3: 5, 4: tag})[0] == "INVALID_PARAMETER"
    assert wire.ctap(CONFIG, {1: 2, 3: 2, 4: tag[:-1]})[0] == "PIN_AUTH_INVALID"
    assert wire.well(GET_INFO)[4]["alwaysUv"] is False


@pytest.mark.parametrize("subcommand", [0, 6, 0xFE, 0xFF])
def test_unknown_config_subcommands_are_refused(wire, subcommand):
    assert wire.ctap(CONFIG, {1: subcommand})[0] == "INVALID_SUBCOMMAND"
    assert wire.ctap(CONFIG, {})[0] == "MISSING_PARAMETER"


# Info, selection, reset.


def test_get_info_states_the_features_of_the_key(bare):
    info = bare.well(GET_INFO)
    assert {"FIDO_2_0", "FIDO_2_1", "FIDO_2_3", "U2F_V2"} <= set(info[1])
    assert "FIDO_2_2" not in info[1]
    assert len(info[3]) == 16
    assert all(isinstance(value, bool) for value in info[4].values())
    assert info[4]["rk"] and info[4]["clientPin"] is False and info[4]["pinUvAuthToken"]
    assert info[5] >= 1024
    assert info[6] == [2, 1]
    assert info[7] > 0 and info[8] > 0
    assert set(info[9]) and len(info[9]) == len(set(info[9]))
    algorithms = [parameter["alg"] for parameter in info[0x0A]]
    assert algorithms[0] == -7 and len(algorithms) == len(set(algorithms))
    assert all(parameter["type"] == "public-key" for parameter in info[0x0A])
    # Each algorithm in the list can make a credential.
    for algorithm in algorithms:
        parameters = [{"alg": algorithm, "type": "public-key"}]
        bare.well(MAKE_CREDENTIAL, {**registration(), 4: parameters})


@pytest.mark.parametrize("command", [GET_INFO, SELECTION])
def test_commands_without_parameters(bare, command):
    assert bare.ctap(command)[0] == "SUCCESS"
    assert bare.ctap(command, b"\xa1")[0] == "INVALID_CBOR"


@pytest.mark.parametrize("command", [0x00, 0x03, 0x05, 0x0F, 0x3F, 0x42, 0x7F, 0xBF, 0xFF])
def test_unknown_commands_are_refused(bare, command):
    assert bare.ctap(command)[0] == "INVALID_COMMAND"
    assert bare.ctap(command, b"\xa0")[0] == "INVALID_COMMAND"


def test_a_reset_ends_all_credentials(wire):
    sealed = wire.well(MAKE_CREDENTIAL, registration())
    wire.ctap(LARGE_BLOBS, {2: EMPTY, 3: 0, 4: 17})
    assert configure(wire, 3, {1: 8, 2: ["gate.example"]}) == "SUCCESS"
    before = wire.well(GET_INFO)
    counter = data_of(sealed).counter
    wire.well(RESET)
    info = wire.well(GET_INFO)
    assert info[4]["clientPin"] is False and info[0x0D] == 4
    assert info[0x14] == before[0x14] + 3
    for request in [assertion(allow=[descriptor(sealed)]), assertion("a.example")]:
        assert wire.ctap(GET_ASSERTION, request)[0] == "NO_CREDENTIALS"
    assert read(wire) == EMPTY
    # The signature counter goes on.
    assert data_of(wire.well(MAKE_CREDENTIAL, registration())).counter > counter
    wire.well(CLIENT_PIN, Pins(wire).setting("1234"))


def test_a_reset_ends_tokens_and_sequences(wire):
    pins = Pins(wire)
    proof = pins.proof(1, "gate.example")
    assert wire.well(GET_ASSERTION, assertion("a.example"))[5] == 2
    wire.well(RESET)
    assert wire.ctap(0x08)[0] == "NOT_ALLOWED"
    assert wire.ctap(MAKE_CREDENTIAL, registration(**proof))[0] == "PIN_AUTH_INVALID"
    # The old key agreement has ended, too.
    assert wire.ctap(CLIENT_PIN, pins.setting(PIN))[0] == "PIN_AUTH_INVALID"
