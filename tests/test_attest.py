"""`hallway attest explain` on the specification's vectors, real objects, and answers to ACME servers."""

import base64
import json
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor
from gateway_process import ROOT, hallway
from soft_device import Maker, certificate, name_of
from soft_webauthn import ES256, PrivateKey, b64

VECTORS = json.loads((ROOT / "crates/webauthn/tests/vectors/webauthn-l3.json").read_text())
ROOT_CERTIFICATE = bytes.fromhex(VECTORS[0]["ceremonies"][0]["attestation_ca_cert"])
OBJECTS = {
    section["id"].removeprefix("sctn-test-vectors-"): section["ceremonies"][0]
    for section in VECTORS
    if "attestationObject" in section["ceremonies"][0]
}


def explain(tmp_path: Path, ceremony: dict, *more: str | Path) -> tuple[int, dict]:
    """The explanation of a registration."""
    object_, client_data = tmp_path / "object", tmp_path / "client-data"
    object_.write_bytes(bytes.fromhex(ceremony["attestationObject"]))
    client_data.write_bytes(bytes.fromhex(ceremony["clientDataJSON"]))
    anchor = tmp_path / "root.pem"
    text = base64.encodebytes(ROOT_CERTIFICATE).decode()
    anchor.write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    ended = subprocess.run(
        [hallway(), "attest", "explain", object_, "--client-data", client_data]
        + ["--anchor", anchor, "--at", "1767225600", "--json", *more],
        capture_output=True,
        text=True,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def values(found: dict, part: str, name: str) -> list[str]:
    """The values of the fields of that name in a part of what was explained."""
    parts = [one for one in found["parts"] if one["id"] == part]
    return [field["value"] for one in parts for field in one["fields"] if field["name"] == name]


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_of_the_specification_is_explained(tmp_path: Path, name: str):
    code, found = explain(tmp_path, OBJECTS[name])
    assert found["format"]
    assert values(found, "authenticator-data", "Public key")[0]
    assert values(found, "client-data", "type") == ["webauthn.create"]
    assert found["steps"]
    # The android-key vector has empty authorization lists, which its section of the specification forbids.
    expected = 1 if name.startswith("android-key") else 0
    assert code == expected, found["summary"]


def test_the_failing_step_is_named(tmp_path: Path):
    ceremony = dict(next(value for name, value in OBJECTS.items() if name.startswith("packed-es256")))
    changed = bytearray(bytes.fromhex(ceremony["clientDataJSON"]))
    changed[-3] ^= 1
    ceremony["clientDataJSON"] = changed.hex()
    code, found = explain(tmp_path, ceremony)
    assert code == 1
    assert [step["outcome"] for step in found["steps"]].count("failed") >= 1


REAL = json.loads((ROOT / "crates/webauthn/tests/data/real/py_webauthn.json").read_text())


def run(tmp_path: Path, content: str | bytes, *more: str) -> tuple[int, dict, str]:
    """Explains a file with any content. Returns the exit code, the explanation and standard error."""
    file = tmp_path / "file"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = subprocess.run(
        [hallway(), "attest", "explain", file, "--json", *more], capture_output=True, text=True
    )
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def a_registration(format_: str) -> dict:
    return next(one for one in REAL["registrations"] if one["format"] == format_)


def test_a_complete_response_is_checked_as_a_whole_ceremony(tmp_path: Path):
    ceremony = a_registration("apple")
    response = {
        "challenge": ceremony["challenge"],
        "origin": ceremony["origin"],
        "at": ceremony["at"],
        "response": {
            "attestationObject": ceremony["attestationObject"],
            "clientDataJSON": ceremony["clientDataJSON"],
        },
    }
    _, found, _ = run(tmp_path, json.dumps(response))
    # No trust anchor is given, so the trust step fails; every step before it holds.
    assert found["conclusion"] == "untrusted"
    held = [step["number"] for step in found["steps"] if step["outcome"] == "held"]
    assert {"7.1.8", "7.1.9", "7.1.14", "8.8/4", "8.8/5", "7.1.22"} <= set(held)
    response["challenge"] = "AAAA"
    code, found, _ = run(tmp_path, json.dumps(response))
    assert code == 1
    assert found["conclusion"] == "invalid"
    assert [s["number"] for s in found["steps"] if s["outcome"] == "failed"][0] == "7.1.8"


def test_a_challenge_may_begin_with_a_dash(tmp_path: Path):
    challenge = "-Yabcdef"
    client_data = {
        "type": "webauthn.get",
        "challenge": challenge,
        "origin": "https://gate.example",
        "crossOrigin": False,
    }
    response = {
        "rawId": "AAAA",
        "publicKey": "pA",
        "response": {
            "clientDataJSON": base64.urlsafe_b64encode(json.dumps(client_data).encode()).decode(),
            "authenticatorData": base64.urlsafe_b64encode(bytes(37)).decode(),
            "signature": "AAAA",
        },
    }
    # An origin is compared in the spelling of browsers, for every spelling on the command line.
    for origin in ("https://gate.example", "HTTPS://Gate.example:0443/"):
        asked = ["--challenge", challenge, "--origin", origin, "--rp-id", "Gate.Example"]
        code, found, said = run(tmp_path, json.dumps(response), *asked)
        assert code == 1, said
        held = {step["number"]: step["outcome"] for step in found["steps"]}
        assert held["7.2.11"] == held["7.2.12"] == "held", found["steps"]
    for flag, value in [("--origin", "https://gate.example:99999"), ("--rp-id", "https://gate.example")]:
        code, _, said = run(tmp_path, json.dumps(response), "--challenge", challenge, flag, value)
        assert code == 2 and flag in said, said


@pytest.mark.parametrize("form", ["hex", "base64", "base64url", "cbor", "json"])
def test_an_object_is_read_in_every_encoding(tmp_path: Path, form: str):
    text = a_registration("tpm")["attestationObject"]
    object_ = base64.urlsafe_b64decode(text + "==")
    content = {
        "hex": object_.hex(),
        "base64": base64.encodebytes(object_),
        "base64url": text,
        "cbor": object_,
        "json": json.dumps({"attestation_object": list(object_)}),
    }[form]
    code, found, _ = run(tmp_path, content)
    assert code == 0
    assert found["format"] == "tpm"
    assert found["conclusion"] == "not_checked"


def test_assertions_are_explained_with_their_key(tmp_path: Path):
    for assertion in REAL["assertions"]:
        code, found, _ = run(tmp_path, json.dumps(assertion))
        verified = assertion["outcome"] == "verified"
        assert code == (0 if verified else 1), found["summary"]
        if verified:
            assert found["conclusion"] == "verified"
    del assertion["publicKey"]
    code, _, told = run(tmp_path, json.dumps(assertion))
    assert code == 2
    assert "publicKey" in told


def test_the_command_says_why_a_file_is_no_object(tmp_path: Path):
    code, _, told = run(tmp_path, "hello, world!")
    assert code == 2
    assert "neither CBOR" in told


TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
KEY_AUTHORIZATION = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def apple_answer(token: str) -> tuple[bytes, str]:
    """The answer of an Apple device to an ACME server, and the root certificate of its maker, PEM."""
    maker, key = Maker("Apple"), PrivateKey(ES256)
    freshness = sha256(token.encode()).digest()
    extensions = {"1.2.840.113635.100.8.9.1": b"C02ABC", "1.2.840.113635.100.8.11.1": freshness}
    leaf = certificate(name_of(("CN", "device")), maker.subject, key)
    for oid, value in extensions.items():
        oid = x509.ObjectIdentifier(oid)
        leaf = leaf.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    leaf = leaf.sign(maker.key.key, hashes.SHA256()).public_bytes(Encoding.DER)
    return cbor.encode({"fmt": "apple", "attStmt": {"x5c": [leaf]}}), maker.pem


@pytest.mark.parametrize("form", ["cbor", "payload", "request"])
def test_the_answer_of_a_device_to_an_acme_server_is_explained(tmp_path: Path, form: str):
    object_, root = apple_answer(TOKEN)
    payload = {"attObj": b64(object_)}
    request = {"protected": "e30", "payload": b64(json.dumps(payload).encode()), "signature": ""}
    content = {"cbor": object_, "payload": json.dumps(payload), "request": json.dumps(request)}[form]
    (tmp_path / "root.pem").write_text(root)
    asked = ["--acme", "--anchor", str(tmp_path / "root.pem")]
    authorized = [*asked, "--key-authorization", KEY_AUTHORIZATION]
    code, found, _ = run(tmp_path, content, *authorized)
    assert (code, found["conclusion"]) == (0, "trusted"), found["summary"]
    assert values(found, "device", "Identifier") == ["C02ABC"]

    code, found, told = run(tmp_path, content, *asked)
    assert (code, found["conclusion"]) == (0, "not_checked") and "--key-authorization" in told
    other, _ = apple_answer("another token")
    code, found, _ = run(tmp_path, other, *authorized)
    assert (code, found["conclusion"]) == (1, "invalid")
    failed = [step["number"] for step in found["steps"] if step["outcome"] == "failed"]
    assert failed == ["apple/2", "device-attest-01/2"]
    code, _, told = run(tmp_path, content, "--acme", "--key-authorization", TOKEN)
    assert code == 2 and "thumbprint" in told
