"""Features that the owner of a software key turns on when serving it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from attestation_maker import MODEL_AAGUID, AttestationMaker
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor
from fido2.attestation import PackedAttestation
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Config, Ctap2
from fido2.ctap2.bio import FPBioEnrollment
from fido2.server import Fido2Server
from fido2.webauthn import AttestationObject
from gateway_process import hallway
from software_key import PASSPHRASE, SoftwareKey

RP = {"id": "gate.example", "name": "Gate"}
USER = {"id": b"ada", "name": "ada"}
HASH = hashlib.sha256(b"client data").digest()
ES256, RS256, ML_DSA = -7, -257, {-48, -49, -50}
PIN = "27182818"
PERMISSION = ClientPin.PERMISSION


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    yield key
    key.unplug()


def listed(ctap: Ctap2) -> set[int]:
    return {parameters["alg"] for parameters in ctap.info.algorithms}


def make(ctap: Ctap2, algorithms: list[int], **more):
    parameters = [{"type": "public-key", "alg": algorithm} for algorithm in algorithms]
    return ctap.make_credential(HASH, RP, USER, parameters, options={"rk": True}, **more)


def test_post_quantum_is_listed_on_demand_and_always_preferred(key):
    ctap = Ctap2(key.plug_in())
    assert not listed(ctap) & ML_DSA
    for offered, chosen in (([ES256, -49], -49), ([-8, ES256], -8), ([ES256, -8], ES256)):
        made = make(ctap, offered).auth_data.credential_data
        assert CoseKey.parse(made.public_key)[3] == chosen
    key.features = ["--post-quantum"]
    assert ML_DSA <= listed(Ctap2(key.replug()))


def test_a_large_blob_is_stored_with_its_passkey(key):
    key.features = ["--large-blobs", "credentials"]
    ctap = Ctap2(key.plug_in())
    assert "largeBlob" in ctap.info.extensions
    assert "largeBlobKey" not in ctap.info.extensions
    assert "largeBlobs" not in ctap.info.options
    made = make(ctap, [ES256], extensions={"largeBlob": {"support": "required"}})
    assert made.unsigned_extension_outputs == {"largeBlob": {"supported": True}}
    allow = [{"type": "public-key", "id": made.auth_data.credential_data.credential_id}]

    def blob(**asked):
        # python-fido2 does not know member 8 of the answer yet, so the test reads it from the raw answer.
        answer = ctap.send_cbor(
            2, {1: "gate.example", 2: HASH, 3: allow, 4: {"largeBlob": asked}}
        )
        return answer.get(8)

    assert blob(read=True) is None
    assert blob(write=b"squeezed", originalSize=30) == {"largeBlob": {"written": True}}
    ctap = Ctap2(key.replug())
    assert blob(read=True) == {"largeBlob": {"blob": b"squeezed", "originalSize": 30}}


KH, ALG, FLAGS, TBS, ARGS = 2, 3, 4, 6, 7
SIG, ATT_OBJ = 6, 7
ESP256, ESP256_SPLIT, ESP256_SPLIT_ARKG = -9, -300, -65539


def signing_key(ctap: Ctap2, algorithm: int, flags: int) -> tuple[dict, AttestationObject]:
    """A credential's descriptor, and the attestation object of its signing key."""
    asked = {"previewSign": {ALG: [algorithm], FLAGS: flags}}
    parameters = [{"type": "public-key", "alg": ES256}]
    made = ctap.make_credential(HASH, RP, USER, parameters, extensions=asked)
    assert made.auth_data.extensions == {"previewSign": {ALG: algorithm}}
    told = cbor.decode(made.unsigned_extension_outputs["previewSign"][ATT_OBJ])
    allow = {"type": "public-key", "id": made.auth_data.credential_data.credential_id}
    return allow, AttestationObject.create(told[1], told[2], told[3])


def sign_data(
    ctap: Ctap2,
    allow: dict,
    attested: AttestationObject,
    data: bytes,
    up: bool,
    args: bytes | None = None,
) -> bytes:
    """The signature by the signing key of `attested`."""
    asked = {KH: attested.auth_data.credential_data.credential_id, TBS: data}
    if args:
        asked[ARGS] = args
    found = ctap.get_assertion(
        "gate.example", HASH, [allow], extensions={"previewSign": asked}, options={"up": up}
    )
    return found.auth_data.extensions["previewSign"][SIG]


def test_signing_keys_are_offered_on_demand(key):
    """The extension previewSign, version 4. test_foreign_suites.py runs python-fido2's own cases."""
    ctap = Ctap2(key.plug_in())
    assert "previewSign" not in ctap.info.extensions
    ignored = make(ctap, [ES256], extensions={"previewSign": {ALG: [ESP256]}})
    assert not ignored.auth_data.extensions and not ignored.unsigned_extension_outputs

    key.features = ["--preview-sign"]
    ctap = Ctap2(key.replug())
    assert "previewSign" in ctap.info.extensions
    silent, unattended = signing_key(ctap, ESP256, 0b000)
    touched, attended = signing_key(ctap, ESP256_SPLIT, 0b001)
    for attested in (unattended, attended):
        PackedAttestation().verify(attested.att_stmt, attested.auth_data, HASH)

    # With consent "never", only requests that need no consent succeed.
    key.consent = ["--consent", "never"]
    ctap = Ctap2(key.replug())
    signature = sign_data(ctap, silent, unattended, b"message", up=False)
    unattended.auth_data.credential_data.public_key.verify(b"message", signature)
    digest = hashlib.sha256(b"message").digest()
    for up, status in ((False, CtapError.ERR.UP_REQUIRED), (True, CtapError.ERR.OPERATION_DENIED)):
        assert refusal(sign_data, ctap, touched, attended, digest, up=up) == status

    key.consent = ["--consent", "always"]
    ctap = Ctap2(key.replug())
    signature = sign_data(ctap, touched, attended, digest, up=True)
    attended.auth_data.credential_data.public_key.verify(b"message", signature)


def test_a_restored_key_has_the_same_signing_keys(tmp_path):
    """A signing key comes from the secret of its credential, which the seed gives unless it is a passkey."""
    key = SoftwareKey(tmp_path, made_with=["--allow-backup"])
    key.features = ["--preview-sign"]
    allow, attested = signing_key(Ctap2(key.plug_in()), ESP256_SPLIT_ARKG, 0b001)
    key.unplug()
    assert attested.fmt == "none", "a restored signing key has no attestation"
    seed = attested.auth_data.credential_data.public_key
    derived, args = seed.derive_public_key(os.urandom(32), b"context")

    said = key.run("backup", "words", key.file, "--consent", "always", "--json")
    words = tmp_path / "words"
    words.write_text(" ".join(json.loads(said)["words"]))
    key.file = tmp_path / "found.key"
    key.run("restore", "words", key.file, "--words-file", words)
    ctap = Ctap2(key.plug_in())
    digest = hashlib.sha256(b"message").digest()
    signature = sign_data(ctap, allow, attested, digest, up=True, args=cbor.encode(args))
    key.unplug()
    derived.verify(b"message", signature)


def test_the_firmware_s_version_is_the_program_s(key):
    printed = subprocess.run([hallway(), "--version"], capture_output=True, text=True, check=True)
    version = tuple(map(int, printed.stdout.split()[1].split("-")[0].split(".")))
    device = key.plug_in()
    major, minor, patch = version
    assert Ctap2(device).info.firmware_version == major * 1_000_000 + minor * 1000 + patch
    assert device.device_version == version


def test_an_rsa_key_is_the_same_after_a_power_cycle(key):
    """It comes from a seed of 32 bytes, whether or not the key stores the credential."""
    ctap = Ctap2(key.plug_in())
    assert RS256 in listed(ctap)
    kept = make(ctap, [RS256]).auth_data.credential_data
    sealed = ctap.make_credential(
        HASH, RP, {"id": b"bob"}, [{"type": "public-key", "alg": RS256}]
    ).auth_data.credential_data
    assert len(sealed.credential_id) <= ctap.info.max_cred_id_length
    assert kept.public_key != sealed.public_key
    ctap = Ctap2(key.replug())
    for credential in (kept, sealed):
        public = CoseKey.parse(credential.public_key)
        assert (public[3], len(public[-1]), public[-2]) == (RS256, 256, b"\1\0\1")
        allow = [{"type": "public-key", "id": credential.credential_id}]
        asserted = ctap.get_assertion("gate.example", HASH, allow)
        public.verify(asserted.auth_data + HASH, asserted.signature)


class Owner(UserInteraction):
    """Types the PIN when asked, and puts a finger on the sensor."""

    def __init__(self) -> None:
        self.typed = 0

    def prompt_up(self) -> None:
        pass

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str:
        self.typed += 1
        return PIN

    def request_uv(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> bool:
        return True


def refusal(call, *arguments, **more) -> CtapError.ERR:
    with pytest.raises(CtapError) as caught:
        call(*arguments, **more)
    return caught.value.code


def token(ctap: Ctap2, permission: ClientPin.PERMISSION):
    pins = ClientPin(ctap)
    return pins.protocol, pins.get_pin_token(PIN, permission)


def test_a_pin_that_can_only_manage_the_key(key):
    """noMcGaPermissionsWithClientPin (CTAP 2.3, sections 6.4, 6.5.5.7 and 6.1.2, step 7)."""
    assert "noMcGaPermissionsWithClientPin" not in Ctap2(key.plug_in()).info.options
    key.features, key.fingers = ["--pin-for", "management"], "1"
    device = key.replug()
    ctap = Ctap2(device)
    assert ctap.info.options["noMcGaPermissionsWithClientPin"] is True
    pins = ClientPin(ctap)
    pins.set_pin(PIN)
    for permission in (
        PERMISSION.MAKE_CREDENTIAL,
        PERMISSION.GET_ASSERTION,
        PERMISSION.MAKE_CREDENTIAL | PERMISSION.CREDENTIAL_MGMT,
    ):
        refused = refusal(pins.get_pin_token, PIN, permission, "gate.example")
        assert refused == CtapError.ERR.UNAUTHORIZED_PERMISSION
    # The PIN gives no such permission, so the platform is not told to ask for it.
    assert refusal(make, ctap, [ES256]) == CtapError.ERR.OPERATION_DENIED
    # A token requested without permissions has none.
    agreement, secret = pins._get_shared_secret()
    answer = ctap.client_pin(
        pins.protocol.VERSION,
        ClientPin.CMD.GET_TOKEN_USING_PIN_LEGACY,
        key_agreement=agreement,
        pin_hash_enc=pins.protocol.encrypt(secret, hashlib.sha256(PIN.encode()).digest()[:16]),
    )
    legacy = pins.protocol.decrypt(secret, answer[ClientPin.RESULT.PIN_UV_TOKEN])
    proof = {
        "pin_uv_param": pins.protocol.authenticate(legacy, HASH),
        "pin_uv_protocol": pins.protocol.VERSION,
    }
    assert refusal(make, ctap, [ES256], **proof) == CtapError.ERR.PIN_AUTH_INVALID

    # A finger gives both permissions, and the PIN still manages the key.
    enrolment = FPBioEnrollment(ctap, *token(ctap, PERMISSION.BIO_ENROLL)).enroll()
    while enrolment.capture() is None:
        pass
    owner = Owner()
    client = Fido2Client(
        device, DefaultClientDataCollector("https://gate.example"), user_interaction=owner
    )
    server = Fido2Server(RP)
    options, state = server.register_begin(
        {"name": "ada", **USER}, resident_key_requirement="required", user_verification="required"
    )
    made = server.register_complete(state, client.make_credential(options.public_key))
    options, state = server.authenticate_begin(user_verification="required")
    found = client.get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, [made.credential_data], found)
    assert owner.typed == 0
    Config(ctap, *token(ctap, PERMISSION.AUTHENTICATOR_CFG)).set_min_pin_length(5)


def test_a_key_without_large_blobs_gives_no_permission_to_write_them(key):
    """6.5.5.7.2, step 4: the permission lbw needs the option largeBlobs."""
    key.features = ["--large-blobs", "credentials"]
    ctap = Ctap2(key.plug_in())
    pins = ClientPin(ctap)
    pins.set_pin(PIN)
    refused = refusal(pins.get_pin_token, PIN, PERMISSION.LARGE_BLOB_WRITE)
    assert refused == CtapError.ERR.UNAUTHORIZED_PERMISSION


@pytest.fixture
def maker(tmp_path) -> AttestationMaker:
    return AttestationMaker(tmp_path)


@pytest.mark.parametrize("batch", [False, True])
def test_only_its_organisation_learns_the_serial_number_of_a_key(tmp_path, maker, batch):
    unit = maker.certify("unit", serial=b"0001", together=not batch, traditional=batch)
    shared = maker.certify("batch") if batch else None
    options = ["--enterprise-certificate", str(unit.certificate_file)]
    if batch:
        options += ["--enterprise-key", str(unit.key_file), "--enterprise-for", "work.example"]
        options += ["--batch-certificate", str(shared.certificate_file)]
        options += ["--batch-key", str(shared.key_file)]
    key = SoftwareKey(tmp_path, made_with=options)
    account = json.loads(key.run("info", key.file, "--json"))
    assert account["attestation"] == "enterprise"
    assert account["aaguid"].replace("-", "") == MODEL_AAGUID.hex()
    ctap = Ctap2(key.plug_in())

    def certificate(rp_id: str, kind: int | None):
        """The first certificate that a site with this name gets."""
        made = ctap.make_credential(
            HASH, {"id": rp_id}, USER, [{"type": "public-key", "alg": ES256}],
            enterprise_attestation=kind,
        )  # fmt: skip
        PackedAttestation().verify(made.att_stmt, made.auth_data, HASH)
        assert made.auth_data.credential_data.aaguid == MODEL_AAGUID
        return made.att_stmt.get("x5c", [None])[0], made.ep_att

    everyday = shared and shared.certificate.public_bytes(Encoding.DER)
    told = unit.certificate.public_bytes(Encoding.DER)
    assert ctap.info.options["ep"] is False
    assert certificate("work.example", None) == (everyday, None)
    with pytest.raises(CtapError) as caught:
        certificate("work.example", 2)
    assert caught.value.code == CtapError.ERR.INVALID_PARAMETER
    key.unplug()
    key.run("config", "enterprise-attestation", key.file)
    ctap = Ctap2(key.plug_in())
    assert ctap.info.options["ep"] is True
    assert certificate("work.example", None) == (everyday, None)
    assert certificate("work.example", 2) == (told, True)
    assert certificate("elsewhere.example", 1) == (everyday, None)
    by_the_maker = (told, True) if batch else (everyday, None)
    assert certificate("work.example", 1) == by_the_maker
    key.unplug()


def test_no_key_is_made_with_a_certificate_that_sites_would_refuse(tmp_path, maker):
    unit = maker.certify("unit", serial=b"0001")
    other = maker.certify("other")
    stranger = maker.certify("stranger", model=bytes(16))
    odd = maker.certify("odd", unit="Keys")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no PEM at all")
    pair = ["--enterprise-certificate", unit.certificate_file, "--enterprise-key", unit.key_file]
    for options, sentence in [
        (pair[:2], "there is no private key in it"),
        ([*pair[:3], other.key_file], "the first certificate is not the key's"),
        (["--enterprise-certificate", nothing], "there is no certificate in it"),
        (["--enterprise-certificate", tmp_path / "absent.pem"], "absent.pem"),
        (
            ["--enterprise-certificate", odd.certificate_file, "--enterprise-key", odd.key_file],
            'organizational unit is not "Authenticator Attestation"',
        ),
        (
            [*pair, "--batch-certificate", stranger.certificate_file]
            + ["--batch-key", stranger.key_file],
            "names the model 00000000-0000-0000-0000-000000000000",
        ),
        (
            [*pair, "--batch-certificate", unit.certificate_file, "--batch-key", unit.key_file],
            "everybody would learn",
        ),
        ([*pair, "--attestation", "none"], "cannot be used with"),
        (["--enterprise-for", "work.example"], "--enterprise-certificate"),
    ]:
        made = subprocess.run(
            [hallway(), "key", "new", tmp_path / "bad.key", *options],
            env={**os.environ, **PASSPHRASE},
            capture_output=True,
            text=True,
        )
        assert made.returncode != 0 and sentence in made.stderr, made.stderr
        assert not (tmp_path / "bad.key").exists()
