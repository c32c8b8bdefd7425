"""python-fido2 enrols fingers on a software key with a simulated sensor, and uses them."""

from collections.abc import Iterator

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.bio import CaptureError, FPBioEnrollment
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.hid import CtapHidDevice
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity
from software_key import SoftwareKey

PIN = "12345678"
RP = PublicKeyCredentialRpEntity(id="gate.example", name="Gate")
USER = {"id": b"ada", "name": "ada", "displayName": "Ada"}
FEEDBACK = FPBioEnrollment.FEEDBACK


class FingerOnly(UserInteraction):
    """Puts a finger on the sensor, and never types a PIN."""

    def prompt_up(self) -> None:
        pass

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str:
        raise AssertionError("the PIN was asked for")

    def request_uv(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> bool:
        return True


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    yield key
    key.unplug()


@pytest.fixture
def device(key: SoftwareKey) -> CtapHidDevice:
    """A key with a PIN, whose sensor always feels finger 1."""
    key.fingers = "1"
    device = key.plug_in()
    ClientPin(Ctap2(device)).set_pin(PIN)
    return device


def bio_of(device: CtapHidDevice) -> FPBioEnrollment:
    ctap = Ctap2(device)
    pin = ClientPin(ctap)
    token = pin.get_pin_token(PIN, ClientPin.PERMISSION.BIO_ENROLL)
    return FPBioEnrollment(ctap, pin.protocol, token)


def enrol(device: CtapHidDevice) -> bytes:
    enrolment = bio_of(device).enroll()
    while (template := enrolment.capture()) is None:
        pass
    return template


def test_the_sensor_describes_itself(device):
    info = Ctap2(device).info
    assert info.options["bioEnroll"] is False
    assert info.options["uv"] is False
    assert info.uv_modality == 2
    assert info.preferred_platform_uv_attempts == 3
    sensor = bio_of(device).get_fingerprint_sensor_info()
    assert sensor == {1: 1, 2: 1, 3: 3, 8: 64}


def test_a_finger_is_enrolled_named_and_removed(device):
    template = enrol(device)
    bio = bio_of(device)
    assert bio.enumerate_enrollments() == {template: ""}
    bio.set_name(template, "left thumb")
    assert bio.enumerate_enrollments() == {template: "left thumb"}
    assert Ctap2(device).info.options["bioEnroll"] is True
    bio.remove_enrollment(template)
    assert bio.enumerate_enrollments() == {}


def test_a_bad_sample_is_reported_and_can_be_repeated(key):
    key.fingers = "too-fast,1,2,1,1"
    device = key.plug_in()
    ClientPin(Ctap2(device)).set_pin(PIN)
    enrolment = bio_of(device).enroll()
    for expected in (FEEDBACK.FP_TOO_FAST, None, FEEDBACK.FP_MERGE_FAILURE, None):
        if expected is None:
            assert enrolment.capture() is None
        else:
            with pytest.raises(CaptureError) as caught:
                enrolment.capture()
            assert caught.value.code == expected
    assert enrolment.capture() == enrolment.template_id


def test_a_cancelled_enrolment_leaves_nothing(device):
    bio = bio_of(device)
    enrolment = bio.enroll()
    enrolment.capture()
    template = enrolment.template_id
    enrolment.cancel()
    with pytest.raises(CtapError) as caught:
        bio.enroll_capture_next(template)
    assert caught.value.code == CtapError.ERR.INVALID_PARAMETER
    assert bio.enumerate_enrollments() == {}


def test_enrolling_requires_the_pin(device):
    ctap = Ctap2(device)
    with pytest.raises(CtapError) as caught:
        ctap.bio_enrollment(modality=1, sub_cmd=FPBioEnrollment.CMD.ENROLL_BEGIN)
    assert caught.value.code == CtapError.ERR.PUAT_REQUIRED
    enrol(device)
    with pytest.raises(CtapError) as caught:
        ClientPin(ctap).get_uv_token(ClientPin.PERMISSION.BIO_ENROLL)
    assert caught.value.code == CtapError.ERR.UNAUTHORIZED_PERMISSION


@pytest.mark.parametrize("protocol", [PinProtocolV1, PinProtocolV2])
def test_a_finger_gives_a_token(device, protocol):
    enrol(device)
    ctap = Ctap2(device)
    pin = ClientPin(ctap, protocol())
    token = pin.get_uv_token(ClientPin.PERMISSION.CREDENTIAL_MGMT)
    management = CredentialManagement(ctap, pin.protocol, token)
    assert management.get_metadata()[CredentialManagement.RESULT.EXISTING_CRED_COUNT] == 0


def test_a_person_registers_and_signs_in_by_finger(device):
    enrol(device)
    client = Fido2Client(
        device, DefaultClientDataCollector("https://gate.example"), user_interaction=FingerOnly()
    )
    server = Fido2Server(RP)
    options, state = server.register_begin(USER, user_verification="required")
    created = client.make_credential(options.public_key)
    credential = server.register_complete(state, created).credential_data
    options, state = server.authenticate_begin([credential], user_verification="required")
    asserted = client.get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, [credential], asserted)
    assert asserted.response.authenticator_data.is_user_verified()


def test_the_wrong_finger_runs_out_of_tries(device, key):
    enrol(device)
    key.fingers = "2"
    ctap = Ctap2(key.replug())
    pin = ClientPin(ctap)
    assert pin.get_uv_retries() == 5
    for left in (4, 3, 2, 1):
        with pytest.raises(CtapError) as caught:
            pin.get_uv_token(ClientPin.PERMISSION.CREDENTIAL_MGMT)
        assert caught.value.code == CtapError.ERR.UV_INVALID
        assert pin.get_uv_retries() == left
    for _ in range(2):
        with pytest.raises(CtapError) as caught:
            pin.get_uv_token(ClientPin.PERMISSION.CREDENTIAL_MGMT)
        assert caught.value.code == CtapError.ERR.UV_BLOCKED
    pin.get_pin_token(PIN, ClientPin.PERMISSION.CREDENTIAL_MGMT)
    assert pin.get_uv_retries() == 5
