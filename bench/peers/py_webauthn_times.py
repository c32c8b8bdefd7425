"""Times py_webauthn on the specification's vectors: see README.md."""

import json
import statistics
import sys
import time
from pathlib import Path

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import bytes_to_base64url

VECTORS = Path(__file__).parents[2] / "crates/webauthn/tests/vectors/webauthn-l3.json"
SECTIONS = ["none-es256", "packed-es256", "packed-rs256", "packed-eddsa"]


def median_microseconds(work, turns=21, calls=50):
    times = []
    for _ in range(turns):
        start = time.thread_time()
        for _ in range(calls):
            work()
        times.append((time.thread_time() - start) * 1e6 / calls)
    return statistics.median(times)


def main():
    sections = {s["id"].removeprefix("sctn-test-vectors-"): s for s in json.loads(VECTORS.read_text())}
    for name in SECTIONS:
        registration, assertion = sections[name]["ceremonies"][:2]
        field = lambda ceremony, key: bytes.fromhex(ceremony[key])
        identifier = bytes_to_base64url(field(registration, "credential_id"))
        envelope = {"id": identifier, "rawId": identifier, "type": "public-key"}
        created = envelope | {
            "response": {
                "clientDataJSON": bytes_to_base64url(field(registration, "clientDataJSON")),
                "attestationObject": bytes_to_base64url(field(registration, "attestationObject")),
            }
        }
        register = lambda: verify_registration_response(
            credential=created,
            expected_challenge=field(registration, "challenge"),
            expected_rp_id="example.org",
            expected_origin="https://example.org",
        )
        verified = register()
        asserted = envelope | {
            "response": {
                "clientDataJSON": bytes_to_base64url(field(assertion, "clientDataJSON")),
                "authenticatorData": bytes_to_base64url(field(assertion, "authenticatorData")),
                "signature": bytes_to_base64url(field(assertion, "signature")),
            }
        }
        authenticate = lambda: verify_authentication_response(
            credential=asserted,
            expected_challenge=field(assertion, "challenge"),
            expected_rp_id="example.org",
            expected_origin="https://example.org",
            credential_public_key=verified.credential_public_key,
            credential_current_sign_count=0,
        )
        authenticate()
        print(
            f"vector {name:<14} registration {median_microseconds(register):9.2f} us"
            f"   assertion {median_microseconds(authenticate):9.2f} us"
        )


if __name__ == "__main__":
    sys.exit(main())
