"""`hallway attest explain` on the specification's own objects."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from gateway_process import ROOT, hallway

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


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_of_the_specification_is_explained(tmp_path: Path, name: str):
    code, found = explain(tmp_path, OBJECTS[name])
    assert found["format"]
    assert found["authenticator_data"]["credential"]["algorithm"]
    assert found["steps"]
    # The android-key vector has empty authorization lists, which its section does not allow.
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
