"""A device and its maker, independent of the program under test. A test can change every part of them.

Statements, signed statements and receipts are deterministic CBOR maps with text keys (RFC 8949,
4.2.1). `fido2.cbor` sorts such keys in the right order.
"""

import os
import time
from datetime import UTC, datetime
from hashlib import sha256

from api_caller import Caller, Person, Reply
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from fido2 import cbor
from soft_webauthn import AT, ES256, Credential, PrivateKey, Registration, b64, unb64

MODEL = b"soft test camera"
# id-fido-gen-ce-aaguid
AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Maker:
    """A maker and its attestation authority, with certificates as in WebAuthn Level 3, 8.2.1.

    With the key of another maker it is that maker with a renewed certificate; with the name of another
    maker it is that maker with a new key. `above` signs its certificate, if given; otherwise the
    maker signs it. `kind` is the ASN.1 type of its name.
    """

    def __init__(
        self,
        name: str = "Soft Maker",
        key: PrivateKey | None = None,
        above: "Maker | None" = None,
        kind: _ASN1Type | None = None,
    ):
        self.name = name
        self.key = key or PrivateKey(ES256)
        written = [(NameOID.ORGANIZATION_NAME, name), (NameOID.COMMON_NAME, f"{name} attestation")]
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "NL")
        self.subject = x509.Name(
            [country, *(x509.NameAttribute(oid, text, kind) for oid, text in written)]
        )
        issuer = above or self
        builder = certificate(self.subject, issuer.subject, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = builder.sign(issuer.key.key, hashes.SHA256())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def certify(
        self,
        key: PrivateKey,
        serial: str | None,
        model: bytes | None = MODEL,
        self_signed: bool = False,
    ) -> bytes:
        """A device's certificate, DER. A part that is None is left out."""
        parts = [("C", "NL"), ("O", self.name), ("OU", "Authenticator Attestation"), ("CN", "Camera")]
        subject = name_of(*parts, *([("SERIAL", serial)] if serial else []))
        builder = certificate(subject, subject if self_signed else self.subject, key)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        if model is not None:
            value = x509.UnrecognizedExtension(AAGUID_EXTENSION, b"\x04\x10" + model)
            builder = builder.add_extension(value, critical=False)
        signer = key if self_signed else self.key
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def name_of(*parts: tuple[str, str]) -> x509.Name:
    oids = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "CN": NameOID.COMMON_NAME,
        "SERIAL": NameOID.SERIAL_NUMBER,
    }

    def attribute(short: str, text: str) -> x509.NameAttribute:
        plain = text.isascii() and text.isprintable()
        return x509.NameAttribute(oids[short], text, None if plain else _ASN1Type.UTF8String)

    return x509.Name([attribute(short, text) for short, text in parts])


def certificate(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ALWAYS[0])
        .not_valid_after(ALWAYS[1])
    )


def statement(realm: str, act: str, terms: dict, /, **wrong: object) -> bytes:
    """A statement, with the values of `wrong` in it."""
    parts = {
        "hallway": 1,
        "act": act,
        "realm": realm,
        "issued": now_ms(),
        "nonce": os.urandom(16),
        "terms": terms,
    }
    return cbor.encode(parts | wrong)


def transaction(payload: bytes, sequence: int, /, **wrong: object) -> dict:
    """The terms of a live transaction, with the values of `wrong` in them."""
    terms = {
        "sequence": sequence,
        "taken": now_ms(),
        "delivery": "live",
        "sha256": sha256(payload).digest(),
        "length": len(payload),
        "media_type": "text/plain",
        "file_name": f"{sequence}.txt",
    } | wrong
    payload_terms = ("sha256", "length", "media_type", "file_name")
    described = {name: terms.pop(name) for name in payload_terms if name in terms}
    return terms | {"payload": described}


class Device(Caller):
    """A device with a certified key. It makes a new credential for each enrolment."""

    def __init__(self, origin: str, maker: Maker, serial: str):
        super().__init__(origin)
        self.maker, self.serial = maker, serial
        self.realm = "localhost"
        self.attestation_key = PrivateKey(ES256)
        self.chain = (maker.certify(self.attestation_key, serial),)
        self.id = ""
        self.factory_reset()

    def factory_reset(self) -> None:
        """Forgets the credential and the sequence number. The certified key stays."""
        self.credential = Credential(self.realm, self.origin, os.urandom(16))
        self.sequence = 0

    def registration(self, challenge: bytes, **wrong: object) -> Registration:
        """An attested registration without user presence."""
        right = {
            "challenge": challenge,
            "flags": AT,
            "aaguid": MODEL,
            "chain": self.chain,
            "attestation_key": self.attestation_key,
        }
        return self.credential.register(**(right | wrong))

    def announce(self, given: dict | None = None, **wrong: object) -> Reply:
        """Does the device's part of an enrolment."""
        given = given or self.post("/api/device/enrolments/statement").expect()
        said = unb64(given["statement"])
        made = self.registration(**({"challenge": sha256(said).digest()} | wrong))
        signed = {
            "statement": said,
            "credential": made.credential_id,
            "registration": {
                "client_data": made.client_data(),
                "attestation_object": made.attestation_object(),
            },
        }
        body = {"signed_statement": b64(cbor.encode(signed)), "seal": given["seal"]}
        return self.post("/api/device/enrolments", body)

    def code(self) -> str:
        """Announces the device and returns the code that it shows."""
        return self.announce().expect(201)["user_code"]

    def enrol(self, owner: Person) -> None:
        """`owner` claims the device, and the device asks for its status, which makes it registered."""
        self.id = owner.act("device.claim", code=self.code())["device"]["id"]
        assert self.status().expect()["state"] == "registered"

    def signed(self, said: bytes, **wrong: object) -> bytes:
        """A statement, signed without user presence."""
        right = {"challenge": sha256(said).digest(), "flags": 0}
        made = self.credential.sign(**(right | wrong))
        assertion = {
            "client_data": made.client_data(),
            "authenticator_data": made.authenticator_data(),
            "signature": made.signature(),
        }
        return cbor.encode(
            {"statement": said, "credential": made.credential_id, "assertion": assertion}
        )

    def status(self, **wrong: object) -> Reply:
        """Asks the gateway for the status of the registration."""
        signed = self.signed(statement(self.realm, "device.status", {}, **wrong))
        return self.post("/api/device/status", {"signed_statement": b64(signed)})

    def compose(self, payload: bytes, **wrong: object) -> bytes:
        """The next transaction, signed, with the values of `wrong` in its terms."""
        self.sequence += 1
        terms = transaction(payload, self.sequence, **wrong)
        return self.signed(statement(self.realm, "device.transaction", terms))

    def send(self, signed: bytes, payload: bytes, **headers: str) -> Reply:
        """Sends a signed transaction."""
        headers = {"Hallway_Evidence": b64(signed), "Content_Type": "text/plain"} | headers
        return self.call("POST", "/api/device/transactions", payload, **headers)
