"""python-fido2 uses the software key as it uses a USB key."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap1 import ApduError, Ctap1
from fido2.ctap2 import ClientPin, Ctap2
from fido2.hid import CTAPHID, CtapHidDevice
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity
from gateway_process import hallway
from software_key import SoftwareKey

PIN = "12345678"
RP = PublicKeyCredentialRpEntity(id="gate.example", name="Gate")
USER = {"id": b"ada", "name": "ada", "displayName": "Ada"}


class Typist(UserInteraction):
    """Types the PIN when asked, and touches the key at once."""

    def prompt_up(self) -> None:
        pass

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str:
        return PIN

    def request_uv(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> bool:
        return True


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    yield key
    key.unplug()


@pytest.fixture
def device(key: SoftwareKey) -> CtapHidDevice:
    return key.plug_in()


def refused(error: type[CtapError.ERR] | CtapError.ERR, call, *arguments, **options) -> None:
    with pytest.raises(CtapError) as caught:
        call(*arguments, **options)
    assert caught.value.code == error


def client_of(device: CtapHidDevice) -> Fido2Client:
    return Fido2Client(
        device, DefaultClientDataCollector("https://gate.example"), user_interaction=Typist()
    )


@pytest.mark.parametrize("pin", [None, PIN])
@pytest.mark.parametrize("resident", ["required", "discouraged"])
@pytest.mark.parametrize("algorithm", [-7, -8, -35, -36, -47, -257])
def test_register_and_sign_in(device, pin, resident, algorithm):
    if pin:
        ClientPin(Ctap2(device)).set_pin(pin)
    verification = "required" if pin else "discouraged"
    server = Fido2Server(RP, attestation="direct")
    server.allowed_algorithms = [
        parameter for parameter in server.allowed_algorithms if parameter.alg == algorithm
    ]
    if not server.allowed_algorithms:
        pytest.fail(f"python-fido2 no longer knows algorithm {algorithm}")
    client = client_of(device)
    options, state = server.register_begin(
        USER, resident_key_requirement=resident, user_verification=verification
    )
    registered = server.register_complete(state, client.make_credential(options.public_key))
    credential = registered.credential_data
    assert CoseKey.parse(credential.public_key).ALGORITHM == algorithm
    assert bool(registered.is_user_verified()) == bool(pin)

    known = [] if resident == "required" else [credential]
    options, state = server.authenticate_begin(known, user_verification=verification)
    selection = client.get_assertion(options.public_key)
    response = selection.get_response(0)
    server.authenticate_complete(state, [credential], response)
    if resident == "required":
        assert response.response.user_handle == USER["id"]


def test_an_excluded_credential_is_not_made_again(device):
    server = Fido2Server(RP)
    client = client_of(device)
    options, state = server.register_begin(USER, user_verification="discouraged")
    made = server.register_complete(state, client.make_credential(options.public_key))
    options, _ = server.register_begin(
        USER, [made.credential_data], user_verification="discouraged"
    )
    with pytest.raises(Exception) as caught:
        client.make_credential(options.public_key)
    assert caught.value.cause.code == CtapError.ERR.CREDENTIAL_EXCLUDED


def test_several_accounts_are_offered_the_newest_first(device):
    ctap = Ctap2(device)
    for number in range(4):
        ctap.make_credential(
            b"\0" * 32,
            {"id": RP.id},
            {"id": bytes([number]), "name": f"account {number}"},
            [{"type": "public-key", "alg": -7}],
            options={"rk": True},
        )
    found = ctap.get_assertions(RP.id, b"\1" * 32)
    assert [assertion.user["id"] for assertion in found] == [b"\3", b"\2", b"\1", b"\0"]
    assert found[0].number_of_credentials == 4
    # Without user verification, the answer has no names.
    assert all(set(assertion.user) == {"id"} for assertion in found)
    refused(CtapError.ERR.NOT_ALLOWED, ctap.get_next_assertion)


def set_unpadded(pins: ClientPin, pin: bytes) -> None:
    """Sets a PIN that python-fido2's own check would refuse."""
    agreement, secret = pins._get_shared_secret()
    sealed = pins.protocol.encrypt(secret, pin.ljust(64, b"\0"))
    pins.ctap.client_pin(
        pins.protocol.VERSION,
        ClientPin.CMD.SET_PIN,
        key_agreement=agreement,
        new_pin_enc=sealed,
        pin_uv_param=pins.protocol.authenticate(secret, sealed),
    )


@pytest.mark.parametrize("protocol", [1, 2])
def test_pin_set_change_and_wrong(key, device, protocol):
    ctap = Ctap2(device)
    protocols = {cls.VERSION: cls for cls in ClientPin.PROTOCOLS}
    pins = ClientPin(ctap, protocols[protocol]())
    assert ctap.info.options["clientPin"] is False
    refused(CtapError.ERR.PIN_NOT_SET, pins.get_pin_token, PIN)
    refused(CtapError.ERR.PIN_POLICY_VIOLATION, set_unpadded, pins, b"123")
    refused(CtapError.ERR.PIN_POLICY_VIOLATION, set_unpadded, pins, b"1" * 64)
    pins.set_pin(PIN)
    assert ctap.get_info().options["clientPin"] is True
    refused(CtapError.ERR.PIN_AUTH_INVALID, pins.set_pin, PIN)
    pins.change_pin(PIN, "quite another")
    refused(CtapError.ERR.PIN_INVALID, pins.get_pin_token, PIN)
    assert pins.get_pin_retries()[0] == 7
    pins.get_pin_token("quite another")
    assert pins.get_pin_retries()[0] == 8

    # After three wrong PINs in a row the key needs a power cycle; after eight in all it is blocked.
    refused(CtapError.ERR.PIN_INVALID, pins.get_pin_token, PIN)
    refused(CtapError.ERR.PIN_INVALID, pins.get_pin_token, PIN)
    refused(CtapError.ERR.PIN_AUTH_BLOCKED, pins.get_pin_token, PIN)
    refused(CtapError.ERR.PIN_AUTH_BLOCKED, pins.get_pin_token, "quite another")
    assert pins.get_pin_retries() == (5, 1)
    for wrong in [3, 2]:
        pins = ClientPin(Ctap2(key.replug()), protocols[protocol]())
        for _ in range(wrong - 1):
            refused(CtapError.ERR.PIN_INVALID, pins.get_pin_token, PIN)
        last = CtapError.ERR.PIN_AUTH_BLOCKED if wrong == 3 else CtapError.ERR.PIN_BLOCKED
        refused(last, pins.get_pin_token, PIN)
    pins = ClientPin(Ctap2(key.replug()), protocols[protocol]())
    assert pins.get_pin_retries()[0] == 0
    refused(CtapError.ERR.PIN_BLOCKED, pins.get_pin_token, "quite another")


def test_a_token_is_for_one_relying_party_and_one_ceremony(device):
    ctap = Ctap2(device)
    pins = ClientPin(ctap)
    pins.set_pin(PIN)
    make = ClientPin.PERMISSION.MAKE_CREDENTIAL
    sign = ClientPin.PERMISSION.GET_ASSERTION
    digest = b"\7" * 32

    def register(token, rp_id):
        return ctap.make_credential(
            digest,
            {"id": rp_id},
            USER,
            [{"type": "public-key", "alg": -7}],
            pin_uv_param=pins.protocol.authenticate(token, digest),
            pin_uv_protocol=pins.protocol.VERSION,
        )

    token = pins.get_pin_token(PIN, make, "gate.example")
    refused(CtapError.ERR.PIN_AUTH_INVALID, register, token, "evil.example")
    assert register(token, "gate.example").auth_data.is_user_verified()
    refused(CtapError.ERR.PIN_AUTH_INVALID, register, token, "gate.example")
    token = pins.get_pin_token(PIN, sign, "gate.example")
    refused(CtapError.ERR.PIN_AUTH_INVALID, register, token, "gate.example")
    without = [digest, {"id": "a"}, USER, [{"type": "public-key", "alg": -7}]]
    refused(CtapError.ERR.PUAT_REQUIRED, ctap.make_credential, *without, options={"rk": True})
    # For a credential that the key does not store, a touch is enough (makeCredUvNotRqd).
    assert not ctap.make_credential(*without).auth_data.is_user_verified()


def test_reset_works_only_after_power_up_and_forgets_everything(key, device):
    ctap = Ctap2(device)
    ClientPin(ctap).set_pin(PIN)
    made = Ctap2(key.replug())
    token = ClientPin(made).get_pin_token(PIN, ClientPin.PERMISSION.MAKE_CREDENTIAL, RP.id)
    protocol = ClientPin(made).protocol
    credential = made.make_credential(
        b"\0" * 32,
        {"id": RP.id},
        USER,
        [{"type": "public-key", "alg": -7}],
        pin_uv_param=protocol.authenticate(token, b"\0" * 32),
        pin_uv_protocol=protocol.VERSION,
    ).auth_data.credential_data.credential_id
    allow = [{"type": "public-key", "id": credential}]
    made.get_assertion(RP.id, b"\0" * 32, allow)
    made.reset()
    assert made.get_info().options["clientPin"] is False
    refused(CtapError.ERR.NO_CREDENTIALS, made.get_assertion, RP.id, b"\0" * 32, allow)
    again = Ctap2(key.replug())
    assert again.info.options["clientPin"] is False


def test_u2f(device):
    ctap = Ctap1(device)
    assert ctap.get_version() == "U2F_V2"
    registration = ctap.register(b"\1" * 32, b"\2" * 32)
    registration.verify(b"\2" * 32, b"\1" * 32)
    first = ctap.authenticate(b"\3" * 32, b"\2" * 32, registration.key_handle)
    first.verify(b"\2" * 32, b"\3" * 32, registration.public_key)
    second = ctap.authenticate(b"\3" * 32, b"\2" * 32, registration.key_handle)
    assert second.counter > first.counter
    with pytest.raises(ApduError) as caught:
        ctap.authenticate(b"\3" * 32, b"\4" * 32, registration.key_handle)
    assert caught.value.code == 0x6A80
    with pytest.raises(ApduError) as caught:
        ctap.authenticate(b"\3" * 32, b"\2" * 32, registration.key_handle, check_only=True)
    assert caught.value.code == 0x6985


def test_the_transport(device):
    for length in [0, 1, 57, 58, 1024, 7609]:
        payload = os.urandom(length)
        assert device.ping(payload) == payload
    device.wink()
    refused(CtapError.ERR.INVALID_COMMAND, device.call, 0x3A, b"")
    refused(CtapError.ERR.INVALID_LENGTH, device.call, CTAPHID.CBOR, b"")


def test_a_key_that_never_consents(tmp_path):
    key = SoftwareKey(tmp_path, consent="never")
    ctap = Ctap2(key.plug_in())
    refused(CtapError.ERR.OPERATION_DENIED, ctap.selection)
    key.unplug()


def test_info_as_json_and_a_wrong_passphrase(key):
    account = json.loads(key.run("info", key.file, "--json"))
    assert account["attestation"] == "self"
    assert account["pin_set"] is False
    assert "U2F_V2" in account["versions"]
    wrong = subprocess.run(
        [hallway(), "key", "info", key.file],
        env={**os.environ, "HALLWAY_PASSPHRASE": "wrong"},
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 3
    assert "does not open this file" in wrong.stderr
