"""python-fido2 manages the software key: passkeys, large blobs, policy, and the PRF extension."""

import os
from collections.abc import Iterator

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Config, CredentialManagement, Ctap2, LargeBlobs
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.hid import CtapHidDevice
from software_key import SoftwareKey

PIN = "27182818"
DIGEST = b"\7" * 32
ES256 = [{"type": "public-key", "alg": -7}]
PERMISSION = ClientPin.PERMISSION


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    yield key
    key.unplug()


@pytest.fixture
def device(key: SoftwareKey) -> CtapHidDevice:
    return key.plug_in()


def refused(error: CtapError.ERR, call, *arguments, **options) -> None:
    with pytest.raises(CtapError) as caught:
        call(*arguments, **options)
    assert caught.value.code == error


def register(ctap: Ctap2, rp_id: str, user: str, **more):
    """Registers a passkey, with the PIN if one is set."""
    options = {"options": {"rk": True}, **more}
    if ctap.get_info().options["clientPin"]:
        pins = ClientPin(ctap)
        token = pins.get_pin_token(PIN, PERMISSION.MAKE_CREDENTIAL, rp_id)
        options["pin_uv_param"] = pins.protocol.authenticate(token, DIGEST)
        options["pin_uv_protocol"] = pins.protocol.VERSION
    return ctap.make_credential(
        DIGEST, {"id": rp_id}, {"id": user.encode(), "name": user}, ES256, **options
    )


def manager(ctap: Ctap2, protocol=PinProtocolV2, rp_id=None) -> CredentialManagement:
    pins = ClientPin(ctap, protocol())
    token = pins.get_pin_token(PIN, PERMISSION.CREDENTIAL_MGMT, rp_id)
    return CredentialManagement(ctap, pins.protocol, token)


@pytest.mark.parametrize("protocol", [PinProtocolV1, PinProtocolV2])
def test_passkeys_are_listed_renamed_and_deleted(device, protocol):
    ctap = Ctap2(device)
    ClientPin(ctap).set_pin(PIN)
    room = ctap.get_info().remaining_disc_creds
    made = {
        (rp_id, user): register(ctap, rp_id, user).auth_data.credential_data
        for rp_id in ["a.example", "b.example"]
        for user in ["ada", "bob", "cyd"]
    }
    # A second passkey of the same account replaces the first.
    made["a.example", "ada"] = register(ctap, "a.example", "ada").auth_data.credential_data
    passkeys = manager(ctap, protocol)
    metadata = passkeys.get_metadata()
    assert list(metadata.values()) == [6, room - 6]
    rps = passkeys.enumerate_rps()
    assert sorted(rp[CredentialManagement.RESULT.RP]["id"] for rp in rps) == [
        "a.example",
        "b.example",
    ]
    for rp in rps:
        rp_id = rp[CredentialManagement.RESULT.RP]["id"]
        found = passkeys.enumerate_creds(rp[CredentialManagement.RESULT.RP_ID_HASH])
        assert len(found) == 3
        for credential in found:
            user = credential[CredentialManagement.RESULT.USER]
            data = made[rp_id, user["name"]]
            assert credential[CredentialManagement.RESULT.CREDENTIAL_ID]["id"] == (
                data.credential_id
            )
            assert credential[CredentialManagement.RESULT.PUBLIC_KEY] == data.public_key
    ada = {"type": "public-key", "id": made["a.example", "ada"].credential_id}
    passkeys.update_user_info(ada, {"id": b"ada", "name": "Ada Lovelace"})
    refused(
        CtapError.ERR.INVALID_PARAMETER, passkeys.update_user_info, ada, {"id": b"bob"}
    )
    passkeys.delete_cred(ada)
    refused(CtapError.ERR.NO_CREDENTIALS, passkeys.delete_cred, ada)
    refused(CtapError.ERR.NO_CREDENTIALS, ctap.get_assertion, "a.example", DIGEST, [ada])
    assert ctap.get_info().remaining_disc_creds == room - 5
    # After the last passkey the list ends, and without a token it is refused.
    refused(
        CtapError.ERR.NOT_ALLOWED,
        ctap.credential_mgmt,
        CredentialManagement.CMD.ENUMERATE_RPS_NEXT,
    )
    refused(
        CtapError.ERR.PUAT_REQUIRED,
        ctap.credential_mgmt,
        CredentialManagement.CMD.GET_CREDS_METADATA,
    )


def test_a_token_of_one_relying_party_manages_no_other(device):
    ctap = Ctap2(device)
    ClientPin(ctap).set_pin(PIN)
    mine = register(ctap, "a.example", "ada").auth_data.credential_data.credential_id
    other = manager(ctap, rp_id="b.example")
    refused(CtapError.ERR.PIN_AUTH_INVALID, other.get_metadata)
    refused(
        CtapError.ERR.PIN_AUTH_INVALID,
        other.delete_cred,
        {"type": "public-key", "id": mine},
    )


def test_the_persistent_token_only_reads_and_ends_with_its_pin(key, device):
    ctap = Ctap2(device)
    ClientPin(ctap).set_pin(PIN)
    made = register(ctap, "a.example", "ada").auth_data.credential_data.credential_id
    pins = ClientPin(ctap)
    token = pins.get_pin_token(PIN, PERMISSION.PERSISTENT_CREDENTIAL_MGMT)
    before = ctap.get_info()
    ctap = Ctap2(key.replug())
    reader = CredentialManagement(ctap, ClientPin(ctap).protocol, token)
    assert list(reader.get_metadata().values())[0] == 1
    refused(
        CtapError.ERR.PIN_AUTH_INVALID,
        reader.delete_cred,
        {"type": "public-key", "id": made},
    )
    after = ctap.get_info()
    assert before.enc_identifier != after.enc_identifier
    assert before.get_identifier(token) == after.get_identifier(token)
    assert before.get_cred_store_state(token) == after.get_cred_store_state(token)
    register(ctap, "a.example", "bob")
    assert ctap.get_info().get_cred_store_state(token) != after.get_cred_store_state(token)
    ClientPin(ctap).change_pin(PIN, "31415926")
    refused(CtapError.ERR.PIN_AUTH_INVALID, reader.get_metadata)


@pytest.mark.parametrize("pin", [None, PIN])
def test_large_blobs(device, pin):
    ctap = Ctap2(device)
    token, pins = None, ClientPin(ctap)
    if pin:
        pins.set_pin(pin)
    made = register(ctap, "a.example", "ada", extensions={"largeBlobKey": True})
    assert len(made.large_blob_key) == 32
    if pin:
        token = pins.get_pin_token(pin, PERMISSION.LARGE_BLOB_WRITE)
    blobs = LargeBlobs(ctap, pins.protocol, token)
    assert blobs.read_blob_array() == []
    payload = os.urandom(2500)
    blobs.put_blob(made.large_blob_key, payload)
    assert blobs.get_blob(made.large_blob_key) == payload
    found = ctap.get_assertion("a.example", DIGEST, extensions={"largeBlobKey": True})
    assert found.large_blob_key == made.large_blob_key
    assert blobs.get_blob(found.large_blob_key) == payload
    if pin:
        token = pins.get_pin_token(pin, PERMISSION.LARGE_BLOB_WRITE)
        blobs = LargeBlobs(ctap, pins.protocol, token)
    refused(
        CtapError.ERR.LARGE_BLOB_STORAGE_FULL,
        blobs.put_blob,
        made.large_blob_key,
        os.urandom(5000),
    )
    assert blobs.get_blob(made.large_blob_key) == payload
    if not pin:
        refused(
            CtapError.ERR.INTEGRITY_FAILURE, ctap.large_blobs, 0, set=bytes(32), length=32
        )


def test_policy(key, device):
    ctap = Ctap2(device)
    pins = ClientPin(ctap)
    pins.set_pin(PIN)

    def config() -> Config:
        token = pins.get_pin_token(PIN, PERMISSION.AUTHENTICATOR_CFG)
        return Config(ctap, pins.protocol, token)

    refused(CtapError.ERR.PUAT_REQUIRED, ctap.config, Config.CMD.TOGGLE_ALWAYS_UV)
    config().toggle_always_uv()
    info = ctap.get_info()
    assert info.options["alwaysUv"] is True
    assert "U2F_V2" not in info.versions
    made = register(ctap, "a.example", "ada").auth_data.credential_data.credential_id
    allow = [{"type": "public-key", "id": made}]
    refused(CtapError.ERR.PUAT_REQUIRED, ctap.get_assertion, "a.example", DIGEST, allow)
    # alwaysUv makes an exception only for assertions without user presence.
    ctap.get_assertion("a.example", DIGEST, allow, options={"up": False})
    config().toggle_always_uv()
    ctap.get_assertion("a.example", DIGEST, allow)

    config().set_min_pin_length(6, ["a.example"])
    refused(CtapError.ERR.PIN_POLICY_VIOLATION, config().set_min_pin_length, 5)
    told = register(ctap, "a.example", "ada", extensions={"minPinLength": True})
    assert told.auth_data.extensions == {"minPinLength": 6}
    untold = register(ctap, "b.example", "ada", extensions={"minPinLength": True})
    assert not untold.auth_data.extensions
    assert ctap.get_info().force_pin_change is False
    config().set_min_pin_length(8 + 1)
    info = ctap.get_info()
    assert (info.min_pin_length, info.force_pin_change) == (9, True)
    refused(
        CtapError.ERR.PIN_POLICY_VIOLATION, pins.get_pin_token, PIN, PERMISSION.CREDENTIAL_MGMT
    )
    refused(CtapError.ERR.PIN_POLICY_VIOLATION, pins.change_pin, PIN, PIN)
    pins.change_pin(PIN, "a longer pin")
    assert Ctap2(key.replug()).get_info().force_pin_change is False


@pytest.mark.parametrize("protocol", [PinProtocolV1, PinProtocolV2])
def test_hmac_secret_at_sign_in_and_at_creation(device, protocol):
    ctap = Ctap2(device)
    pins = ClientPin(ctap, protocol())
    pins.set_pin(PIN)

    def salted(first: bytes, second: bytes = b""):
        agreement, secret = pins._get_shared_secret()
        sealed = pins.protocol.encrypt(secret, first + second)
        tag = pins.protocol.authenticate(secret, sealed)
        return secret, {1: agreement, 2: sealed, 3: tag, 4: pins.protocol.VERSION}

    one, two = b"\1" * 32, b"\2" * 32
    secret, both = salted(one, two)
    made = register(
        ctap, "a.example", "ada", extensions={"hmac-secret": True, "hmac-secret-mc": both}
    )
    outputs = made.auth_data.extensions
    assert outputs["hmac-secret"] is True
    created = pins.protocol.decrypt(secret, outputs["hmac-secret-mc"])
    assert len(created) == 64

    def evaluate(salts, uv: bool):
        secret, value = salted(*salts)
        more = {}
        if uv:
            token = pins.get_pin_token(PIN, PERMISSION.GET_ASSERTION, "a.example")
            more["pin_uv_param"] = pins.protocol.authenticate(token, DIGEST)
            more["pin_uv_protocol"] = pins.protocol.VERSION
        found = ctap.get_assertion("a.example", DIGEST, extensions={"hmac-secret": value}, **more)
        return pins.protocol.decrypt(secret, found.auth_data.extensions["hmac-secret"])

    assert evaluate([one, two], uv=True) == created
    assert evaluate([two], uv=True) == created[32:]
    # Without user verification the secret is another one.
    assert evaluate([one], uv=False) not in (created[:32], created[32:])
    secret, bad = salted(one)
    bad[3] = bytes(len(bad[3]))
    refused(
        CtapError.ERR.PIN_AUTH_INVALID,
        ctap.get_assertion,
        "a.example",
        DIGEST,
        extensions={"hmac-secret": bad},
    )


def test_cred_protect_hides_a_credential_and_cred_blob_is_stored(device):
    ctap = Ctap2(device)
    pins = ClientPin(ctap)
    for level in [1, 2, 3]:
        made = register(
            ctap,
            f"{level}.example",
            "ada",
            extensions={"credProtect": level, "credBlob": b"blob"},
        )
        assert made.auth_data.extensions == {"credProtect": level, "credBlob": True}
    too_long = register(ctap, "4.example", "ada", extensions={"credBlob": bytes(33)})
    assert too_long.auth_data.extensions == {"credBlob": False}
    found = ctap.get_assertion("1.example", DIGEST, extensions={"credBlob": True})
    assert found.auth_data.extensions == {"credBlob": b"blob"}
    refused(CtapError.ERR.NO_CREDENTIALS, ctap.get_assertion, "2.example", DIGEST)
    refused(CtapError.ERR.NO_CREDENTIALS, ctap.get_assertion, "3.example", DIGEST)
    pins.set_pin(PIN)
    for level in [2, 3]:
        rp_id = f"{level}.example"
        token = pins.get_pin_token(PIN, PERMISSION.GET_ASSERTION, rp_id)
        ctap.get_assertion(
            rp_id,
            DIGEST,
            pin_uv_param=pins.protocol.authenticate(token, DIGEST),
            pin_uv_protocol=pins.protocol.VERSION,
        )


@pytest.mark.parametrize("algorithm", [-48, -49, -50])
def test_post_quantum_is_preferred_when_it_is_listed(device, algorithm):
    ctap = Ctap2(device)
    assert not {offered["alg"] for offered in ctap.info.algorithms} & {-48, -49, -50}
    made = ctap.make_credential(
        DIGEST,
        {"id": "a.example"},
        {"id": b"ada"},
        [*ES256, {"type": "public-key", "alg": algorithm}],
    )
    public = made.auth_data.credential_data.public_key
    assert public[3] == algorithm
    length = {-48: 2420, -49: 3309, -50: 4627}[algorithm]
    assert len(made.att_stmt["sig"]) == length
    allow = [{"type": "public-key", "id": made.auth_data.credential_data.credential_id}]
    assert len(ctap.get_assertion("a.example", DIGEST, allow).signature) == length
