"""authenticatorClientPIN, and the uses of a PIN (CTAP 2.3, section 6.5)."""

from collections.abc import Iterator

import pytest
from ctap_client import (
    CLIENT_PIN,
    EXAMPLES,
    GET_INFO,
    MAKE_CREDENTIAL,
    PIN,
    Pins,
    Wire,
    data_of,
    registration,
    wired,
    wrong_types,
)
from software_key import SoftwareKey, plugged_in

WRONG = "not the PIN"
# Points of P-256: x and y of the base point.
BASE_X = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
BASE_Y = bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
KEY = {1: 2, 3: -25, -1: 1, -2: BASE_X, -3: BASE_Y}
SUBCOMMANDS = {
    "getKeyAgreement": {1: 2, 2: 2},
    "setPIN": {1: 2, 2: 3, 3: KEY, 4: bytes(32), 5: bytes(80)},
    "changePIN": {1: 2, 2: 4, 3: KEY, 4: bytes(32), 5: bytes(80), 6: bytes(32)},
    "getPinToken": {1: 2, 2: 5, 3: KEY, 6: bytes(32)},
    "getPinUvAuthTokenUsingPin": {1: 2, 2: 9, 3: KEY, 6: bytes(32), 9: 1},
}


@pytest.fixture
def own(tmp_path) -> Iterator[SoftwareKey]:
    """A key with a PIN that only one test uses."""
    with plugged_in(tmp_path) as key:
        with wired(key) as wire:
            wire.well(CLIENT_PIN, Pins(wire).setting(PIN))
        yield key


def tries(wire: Wire) -> tuple[int, bool]:
    """The number of tries left, and whether the key needs a power cycle before the next one."""
    answer = wire.well(CLIENT_PIN, {1: 2, 2: 1})
    return answer[3], answer.get(4, False)


def try_pin(wire: Wire, pin: str, version: int = 2) -> str:
    return wire.ctap(CLIENT_PIN, Pins(wire, version).asking(pin))[0]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_required_members(wire, with_pin, name):
    for member in SUBCOMMANDS[name]:
        request = {k: v for k, v in SUBCOMMANDS[name].items() if k != member}
        assert wire.ctap(CLIENT_PIN, request)[0] == "MISSING_PARAMETER", member
        # A missing member is reported before the PIN is checked.
        assert with_pin.ctap(CLIENT_PIN, request)[0] == "MISSING_PARAMETER", member
    assert tries(with_pin) == (8, False)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_members_of_another_type_are_refused(wire, name):
    for member, right in SUBCOMMANDS[name].items():
        for wrong in wrong_types(right):
            request = {**SUBCOMMANDS[name], member: EXAMPLES[wrong]}
            assert wire.ctap(CLIENT_PIN, request)[0] == "CBOR_UNEXPECTED_TYPE", (member, wrong)


@pytest.mark.parametrize("label", KEY)
def test_coordinates_of_another_type_are_refused(wire, label):
    for wrong in wrong_types(KEY[label]):
        request = {**SUBCOMMANDS["setPIN"], 3: {**KEY, label: EXAMPLES[wrong]}}
        assert wire.ctap(CLIENT_PIN, request)[0] == "CBOR_UNEXPECTED_TYPE", wrong


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "change",
    [{1: 1}, {3: -7}, {-1: 2}, {-2: BASE_X[1:]}, {-3: BASE_Y + b"\0"}, {-3: BASE_X},
     {-2: bytes(32), -3: bytes(32)}, {-2: b"\xff" * 32}],
    ids=str,
)  # fmt: skip
def test_malformed_keys_are_refused(wire, version, change):
    """6.5.5.5, step 4: an error of decapsulate is CTAP1_ERR_INVALID_PARAMETER."""
    request = {**SUBCOMMANDS["setPIN"], 1: version, 3: {**KEY, **change}}
    assert wire.ctap(CLIENT_PIN, request)[0] == "INVALID_PARAMETER"


@pytest.mark.parametrize("name", SUBCOMMANDS)
@pytest.mark.parametrize("protocol", [0, 3, 255])
def test_unknown_protocols_are_refused(wire, name, protocol):
    request = {**SUBCOMMANDS[name], 1: protocol}
    assert wire.ctap(CLIENT_PIN, request)[0] == "INVALID_PARAMETER"


@pytest.mark.parametrize("subcommand", [0, 8, 10, 255])
def test_unknown_subcommands_are_refused(wire, subcommand):
    assert wire.ctap(CLIENT_PIN, {1: 2, 2: subcommand})[0] == "INVALID_SUBCOMMAND"


@pytest.mark.parametrize("version", [1, 2])
def test_the_key_agreement_key(wire, version):
    answer = wire.well(CLIENT_PIN, {1: version, 2: 2})
    assert set(answer) == {1}
    key = answer[1]
    assert {label: key[label] for label in (1, 3, -1)} == {1: 2, 3: -25, -1: 1}
    assert set(key) == {1, 3, -1, -2, -3}
    assert len(key[-2]) == len(key[-3]) == 32


def test_a_key_without_a_pin_accepts_no_try(wire):
    pins = Pins(wire)
    assert wire.ctap(CLIENT_PIN, pins.asking(PIN))[0] == "PIN_NOT_SET"
    assert wire.ctap(CLIENT_PIN, pins.asking(PIN, 1, "gate.example"))[0] == "PIN_NOT_SET"
    assert wire.ctap(CLIENT_PIN, pins.changing(PIN, "another"))[0] == "PIN_NOT_SET"
    assert wire.ctap(CLIENT_PIN, {1: 2, 2: 1})[0] == "PIN_NOT_SET"
    assert wire.well(GET_INFO)[4]["clientPin"] is False


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "pin", [b"123", "ab日", b"", b"1" * 64, b"\xff\xfe\xfd\xfc", b"ab\xc3"], ids=repr
)
def test_malformed_pins_are_refused(wire, version, pin):
    """A PIN is UTF-8 with at least 4 code points and at most 63 bytes."""
    request = Pins(wire, version).setting(pin)
    assert wire.ctap(CLIENT_PIN, request)[0] == "PIN_POLICY_VIOLATION"
    assert wire.well(GET_INFO)[4]["clientPin"] is False


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("length", [16, 32, 48, 80, 128])
def test_a_pin_must_be_padded_to_64_bytes(wire, version, length):
    """6.5.5.5, step 7."""
    pins = Pins(wire, version)
    sealed = pins.seal(b"1234".ljust(length, b"\0"))
    request = {**pins.setting(PIN), 4: pins.tag(sealed), 5: sealed}
    assert wire.ctap(CLIENT_PIN, request)[0] == "INVALID_PARAMETER"


@pytest.mark.parametrize("version", [1, 2])
def test_a_wrong_tag_is_refused(wire, version):
    pins = Pins(wire, version)
    request = pins.setting(PIN)
    for tag in [bytes(len(request[4])), request[4][:-1], b"", request[4] + b"\0"]:
        assert wire.ctap(CLIENT_PIN, {**request, 4: tag})[0] == "PIN_AUTH_INVALID"


@pytest.mark.parametrize("pin", ["1234", "a" * 63, "日本語鍵", "пароль", "p4ss wörd"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_pin_is_set_changed_and_used(tmp_path, version, pin):
    key = SoftwareKey(tmp_path)
    key.plug_in()
    wire = Wire(key.address)
    pins = Pins(wire, version)
    wire.well(CLIENT_PIN, pins.setting(pin))
    assert wire.well(GET_INFO)[4]["clientPin"] is True
    pins.token(pin=pin)
    pins.agree()
    wire.well(CLIENT_PIN, pins.changing(pin, PIN))
    assert try_pin(wire, pin, version) == "PIN_INVALID"
    pins.token()
    wire.close()
    key.unplug()


def test_a_set_pin_can_not_be_set_again(with_pin):
    """6.5.5.5, step 3."""
    assert with_pin.ctap(CLIENT_PIN, Pins(with_pin).setting(PIN))[0] == "PIN_AUTH_INVALID"
    Pins(with_pin).token()


@pytest.mark.parametrize("version", [1, 2])
def test_the_right_pin_restores_the_tries(own, version):
    wire = Wire(own.address)
    assert tries(wire) == (8, False)
    assert try_pin(wire, WRONG, version) == "PIN_INVALID"
    assert try_pin(wire, WRONG, version) == "PIN_INVALID"
    assert tries(wire) == (6, False)
    Pins(wire, version).token()
    assert tries(wire) == (8, False)
    wire.close()


@pytest.mark.parametrize("name", ["getPinToken", "getPinUvAuthTokenUsingPin", "changePIN"])
def test_every_subcommand_with_a_wrong_pin_uses_a_try(own, name):
    wire = Wire(own.address)
    pins = Pins(wire)
    request = {
        "getPinToken": lambda: pins.asking(WRONG),
        "getPinUvAuthTokenUsingPin": lambda: pins.asking(WRONG, 1, "gate.example"),
        "changePIN": lambda: pins.changing(WRONG, "another"),
    }[name]
    for expected in ["PIN_INVALID", "PIN_INVALID", "PIN_AUTH_BLOCKED"]:
        pins.agree()
        assert wire.ctap(CLIENT_PIN, request())[0] == expected
    assert tries(wire) == (5, True)
    wire.close()


def test_requests_without_a_pin_hash_use_no_try(own):
    wire = Wire(own.address)
    pins = Pins(wire)
    right = pins.changing(PIN, "another")
    assert wire.ctap(CLIENT_PIN, {**right, 4: bytes(32)})[0] == "PIN_AUTH_INVALID"
    assert wire.ctap(CLIENT_PIN, {**pins.asking(PIN), 1: 3})[0] == "INVALID_PARAMETER"
    assert wire.ctap(CLIENT_PIN, pins.setting(WRONG))[0] == "PIN_AUTH_INVALID"
    assert wire.ctap(MAKE_CREDENTIAL, registration(param=bytes(32), protocol=2))[0] == (
        "PIN_AUTH_INVALID"
    )
    assert tries(wire) == (8, False)
    wire.close()


def test_a_wrong_pin_ends_the_key_agreement(own):
    """6.5.5.7.1, step 9: data encrypted under the old secret is refused."""
    wire = Wire(own.address)
    pins = Pins(wire)
    assert wire.ctap(CLIENT_PIN, pins.asking(WRONG))[0] == "PIN_INVALID"
    assert wire.ctap(CLIENT_PIN, pins.asking(PIN))[0] == "PIN_INVALID"
    assert tries(wire) == (6, False)
    wire.close()


def test_three_wrong_pins_need_a_power_cycle_and_eight_block_the_key(own):
    wire = Wire(own.address)
    left = 8
    while left > 1:
        for in_a_row in range(1, 4):
            left -= 1
            if left == 0:
                break
            expected = "PIN_INVALID" if in_a_row < 3 else "PIN_AUTH_BLOCKED"
            assert try_pin(wire, WRONG) == expected
            assert tries(wire) == (left, in_a_row == 3)
        if left == 0:
            break
        # Until a power cycle the right PIN is refused, too, and uses no try.
        assert try_pin(wire, PIN) == "PIN_AUTH_BLOCKED"
        assert tries(wire) == (left, True)
        wire.close()
        own.replug()
        wire = Wire(own.address)
        assert tries(wire) == (left, False)
    assert try_pin(wire, WRONG) == "PIN_BLOCKED"
    assert tries(wire)[0] == 0
    for attempt in [PIN, WRONG]:
        assert try_pin(wire, attempt) == "PIN_BLOCKED"
    wire.close()
    own.replug()
    wire = Wire(own.address)
    assert try_pin(wire, PIN) == "PIN_BLOCKED"
    assert wire.ctap(CLIENT_PIN, Pins(wire).changing(PIN, "another"))[0] == "PIN_BLOCKED"
    wire.close()


def test_a_power_cycle_gives_the_right_pin_all_tries_back(own):
    wire = Wire(own.address)
    for expected in ["PIN_INVALID", "PIN_INVALID", "PIN_AUTH_BLOCKED"]:
        assert try_pin(wire, WRONG) == expected
    wire.close()
    own.replug()
    wire = Wire(own.address)
    Pins(wire).token()
    assert tries(wire) == (8, False)
    wire.close()


@pytest.mark.parametrize("cause", ["power cycle", "new token", "new PIN"])
def test_a_token_ends(own, cause):
    wire = Wire(own.address)
    pins = Pins(wire)
    proof = pins.proof(1, "gate.example")
    if cause == "power cycle":
        wire.close()
        own.replug()
        wire = Wire(own.address)
    elif cause == "new token":
        pins.token(2, "gate.example")
    else:
        pins.agree()
        wire.well(CLIENT_PIN, pins.changing(PIN, "another"))
    assert wire.ctap(MAKE_CREDENTIAL, registration(**proof))[0] == "PIN_AUTH_INVALID"
    wire.close()


def test_a_refused_request_does_not_end_the_token(with_pin):
    proof = Pins(with_pin).proof(1, "gate.example")
    for refused in [registration(param=bytes(32), protocol=2),
                    registration("other.example", **proof)]:  # fmt: skip
        assert with_pin.ctap(MAKE_CREDENTIAL, refused)[0] == "PIN_AUTH_INVALID"
    with_pin.well(MAKE_CREDENTIAL, registration(**proof))


def test_tokens_differ(with_pin):
    pins = Pins(with_pin)
    tokens = {pins.token(1, "gate.example") for _ in range(4)}
    assert len(tokens) == 4 and {len(token) for token in tokens} == {32}


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (0x00, "INVALID_PARAMETER"),
        (0x01, "SUCCESS"),
        (0x02, "SUCCESS"),
        (0x04, "SUCCESS"),
        (0x10, "SUCCESS"),
        (0x20, "SUCCESS"),
        (0x37, "SUCCESS"),
        # bioEnroll is not supported; pcmr must be alone; other bits are not defined.
        (0x08, "UNAUTHORIZED_PERMISSION"),
        (0x40, "SUCCESS"),
        (0x44, "UNAUTHORIZED_PERMISSION"),
        (0x41, "UNAUTHORIZED_PERMISSION"),
        (0x81, "SUCCESS"),
    ],
)
def test_permissions(with_pin, permissions, status):
    """6.5.5.7.2, steps 3 and 4."""
    request = Pins(with_pin).asking(PIN, permissions, "gate.example")
    assert with_pin.ctap(CLIENT_PIN, request)[0] == status
    assert tries(with_pin) == (8, False)


def test_get_pin_token_takes_no_permissions(with_pin):
    """6.5.5.7.1, steps 3 and 4."""
    request = Pins(with_pin).asking(PIN)
    assert with_pin.ctap(CLIENT_PIN, {**request, 9: 1})[0] == "INVALID_PARAMETER"
    assert with_pin.ctap(CLIENT_PIN, {**request, 10: "gate.example"})[0] == "INVALID_PARAMETER"


def test_there_is_no_built_in_verification(with_pin):
    request = {1: 2, 2: 6, 3: KEY, 9: 1, 10: "gate.example"}
    assert with_pin.ctap(CLIENT_PIN, request)[0] in ["INVALID_SUBCOMMAND", "NOT_ALLOWED"]
    assert with_pin.ctap(CLIENT_PIN, {1: 2, 2: 7})[0] == "INVALID_SUBCOMMAND"


def test_protocols_share_one_token(with_pin):
    """6.5.5.7: a new token ends the tokens of all protocols."""
    first = Pins(with_pin, 1).proof(1, "gate.example")
    second = Pins(with_pin, 2).proof(1, "gate.example")
    assert with_pin.ctap(MAKE_CREDENTIAL, registration(**first))[0] == "PIN_AUTH_INVALID"
    made = with_pin.well(MAKE_CREDENTIAL, registration(**second))
    assert data_of(made).flags & 0x04
