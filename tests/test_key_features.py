"""What the owner of a software key turns on when serving it."""

import hashlib
from collections.abc import Iterator

import pytest
from fido2.cose import CoseKey
from fido2.ctap2 import Ctap2
from software_key import SoftwareKey

RP = {"id": "gate.example", "name": "Gate"}
USER = {"id": b"ada", "name": "ada"}
HASH = hashlib.sha256(b"client data").digest()
ES256, ML_DSA = -7, {-48, -49, -50}


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


def test_post_quantum_is_listed_only_on_demand_and_preferred_always(key):
    ctap = Ctap2(key.plug_in())
    assert not listed(ctap) & ML_DSA
    for offered, chosen in (([ES256, -49], -49), ([-8, ES256], -8), ([ES256, -8], ES256)):
        made = make(ctap, offered).auth_data.credential_data
        assert CoseKey.parse(made.public_key)[3] == chosen
    key.features = ["--post-quantum"]
    assert ML_DSA <= listed(Ctap2(key.replug()))


def test_large_blobs_are_kept_beside_their_passkey(key):
    key.features = ["--large-blobs", "credentials"]
    ctap = Ctap2(key.plug_in())
    assert "largeBlob" in ctap.info.extensions
    assert "largeBlobKey" not in ctap.info.extensions
    assert "largeBlobs" not in ctap.info.options
    made = make(ctap, [ES256], extensions={"largeBlob": {"support": "required"}})
    assert made.unsigned_extension_outputs == {"largeBlob": {"supported": True}}
    allow = [{"type": "public-key", "id": made.auth_data.credential_data.credential_id}]

    def blob(**asked):
        # python-fido2 does not know the answer's member 8 yet: it is read as it came.
        answer = ctap.send_cbor(
            2, {1: "gate.example", 2: HASH, 3: allow, 4: {"largeBlob": asked}}
        )
        return answer.get(8)

    assert blob(read=True) is None
    assert blob(write=b"squeezed", originalSize=30) == {"largeBlob": {"written": True}}
    ctap = Ctap2(key.replug())
    assert blob(read=True) == {"largeBlob": {"blob": b"squeezed", "originalSize": 30}}
