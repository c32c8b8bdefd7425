"""Writes seeds out of real objects: `real_seeds.py FOLDER`.

The registrations and assertions of crates/webauthn/tests/data/real, cut into what each target
reads. They are made when a run starts, so that the repository holds them once.
"""

import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "crates/webauthn/tests/data/real"
# The order of hallway_webauthn::Format::ALL: its index is the first byte of a statement's seed.
FORMATS = ["none", "packed", "tpm", "android-key", "android-safetynet", "fido-u2f", "apple", "compound"]


def head(data, at):
    """Major type, argument and end of the CBOR head at `at`."""
    major, short = data[at] >> 5, data[at] & 31
    if short < 24:
        return major, short, at + 1
    length = 1 << (short - 24)
    return major, int.from_bytes(data[at + 1 : at + 1 + length]), at + 1 + length


def skip(data, at):
    """The end of the CBOR item of definite length at `at`."""
    major, argument, at = head(data, at)
    if major in (2, 3):
        return at + argument
    if major == 6:
        return skip(data, at)
    for _ in range({4: argument, 5: 2 * argument}.get(major, 0)):
        at = skip(data, at)
    return at


def items(data, at=0):
    """Start and end of each item of the map or array at `at`."""
    major, count, at = head(data, at)
    for _ in range(count * (2 if major == 5 else 1)):
        end = skip(data, at)
        yield at, end
        at = end


def content(data, start):
    """The bytes of the string at `start`."""
    _, length, at = head(data, start)
    return data[at : at + length]


def members(data):
    """The members of a map with text keys, as CBOR."""
    parts = [data[start:end] for start, end in items(data)]
    return {content(name, 0).decode(): value for name, value in zip(parts[::2], parts[1::2])}


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seeds():
    """Target and bytes of every seed."""
    anchors = [decode(anchor["certificate"]) for anchor in json.loads((DATA / "anchors.json").read_text())]
    for anchor in anchors:
        yield "certificate", anchor
    for path in sorted(DATA.glob("*.json")):
        objects = json.loads(path.read_text())
        if isinstance(objects, list):
            continue
        for assertion in objects["assertions"]:
            yield "client_data", decode(assertion["clientDataJSON"])
            yield "authenticator_data", decode(assertion["authenticatorData"])
        for registration in objects["registrations"]:
            if "clientDataJSON" in registration:
                yield "client_data", decode(registration["clientDataJSON"])
            attestation = decode(registration["attestationObject"])
            yield "attestation_object", attestation
            parts = members(attestation)
            yield "authenticator_data", content(parts["authData"], 0)
            form = content(parts["fmt"], 0).decode()
            yield "attestation_statement", bytes([FORMATS.index(form)]) + parts["attStmt"]
            x5c = members(parts["attStmt"]).get("x5c")
            if x5c:
                chain = [content(x5c, start) for start, _ in items(x5c)]
                for certificate in chain:
                    yield "certificate", certificate
                for anchor in anchors:
                    # A certificate contains the name of its issuer, which finds the anchor of the chain.
                    if subject(anchor) in chain[-1]:
                        lengths = (struct.pack(">H", len(link)) + link for link in [*chain, anchor])
                        yield "certificate_path", struct.pack(">I", registration["at"]) + b"".join(lengths)


def subject(der):
    """The DER of a certificate's subject: the sixth part of what is signed (RFC 5280, 4.1)."""
    _, at, _ = element(der, 0)
    _, at, _ = element(der, at)
    tag, _, end = element(der, at)
    for _ in range(5 if tag == 0xA0 else 4):
        at = end
        _, _, end = element(der, at)
    return der[at:end]


def element(der, at):
    """Tag, start of the content and end of the DER element at `at`."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start])
    return tag, start, start + length


def main():
    counts = {}
    for target, seed in seeds():
        folder = Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"real-{hashlib.sha256(seed).hexdigest()[:12]}").write_bytes(seed)
        counts[target] = len(list(folder.iterdir()))
    print(", ".join(f"{count} of {target}" for target, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
