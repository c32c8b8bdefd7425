"""A WebAuthn client with its authenticator, so short that a test can change each byte.

It shares no code with the program under test. An answer is a dataclass: a test replaces one of its
fields, or a part of its finished JSON, and sees how the gateway answers. Section numbers are those
of WebAuthn Level 3.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fido2 import cbor

ES256, EDDSA, RS256 = -7, -8, -257

# 6.1: the flags of authenticator data.
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

NO_MODEL = bytes(16)


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PrivateKey:
    """A key pair of one of the three algorithms that people's keys have."""

    def __init__(self, algorithm: int = ES256):
        self.algorithm = algorithm
        self.key = {
            ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
            EDDSA: ed25519.Ed25519PrivateKey.generate,
            RS256: lambda: rsa.generate_private_key(65537, 2048),
        }[algorithm]()

    def cose(self) -> dict[int, int | bytes]:
        """The public key as a COSE_Key (RFC 9053)."""
        public = self.key.public_key()
        if self.algorithm == ES256:
            point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return {1: 2, 3: ES256, -1: 1, -2: point[1:33], -3: point[33:]}
        if self.algorithm == EDDSA:
            return {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)}
        numbers = public.public_numbers()
        return {1: 3, 3: RS256, -1: numbers.n.to_bytes(256, "big"), -2: b"\1\0\1"}

    def sign(self, message: bytes) -> bytes:
        """A signature in the form of 6.5.5: ECDSA in DER, EdDSA raw, RSA PKCS #1."""
        if self.algorithm == ES256:
            return self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        if self.algorithm == EDDSA:
            return self.key.sign(message)
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class Answer:
    """The parts that every answer has."""

    challenge: bytes
    origin: str
    rp_id: str
    kind: str
    flags: int = UP | UV
    counter: int = 0
    cross_origin: bool = False

    def client_data(self) -> bytes:
        """Client data (5.8.1)."""
        return json.dumps(
            {
                "type": self.kind,
                "challenge": b64(self.challenge),
                "origin": self.origin,
                "crossOrigin": self.cross_origin,
            }
        ).encode()

    def client_data_hash(self) -> bytes:
        return hashlib.sha256(self.client_data()).digest()

    def head(self) -> bytes:
        """The first 37 bytes of authenticator data (6.1)."""
        rp_id_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return rp_id_hash + bytes([self.flags]) + self.counter.to_bytes(4, "big")


@dataclass(frozen=True)
class Assertion(Answer):
    """An answer to `navigator.credentials.get()`."""

    kind: str = "webauthn.get"
    credential_id: bytes = b""
    user_handle: bytes | None = None
    signer: PrivateKey | None = None
    # Bytes to append to the authenticator data before it is signed; a negative number cuts bytes off.
    tail: bytes = b""
    cut: int = 0

    def authenticator_data(self) -> bytes:
        whole = self.head() + self.tail
        return whole[: len(whole) - self.cut]

    def signature(self) -> bytes:
        """The signature (6.3.3)."""
        return self.signer.sign(self.authenticator_data() + self.client_data_hash())

    def to_json(self) -> dict:
        """AuthenticationResponseJSON (5.1)."""
        response = {
            "clientDataJSON": b64(self.client_data()),
            "authenticatorData": b64(self.authenticator_data()),
            "signature": b64(self.signature()),
        }
        if self.user_handle is not None:
            response["userHandle"] = b64(self.user_handle)
        return credential_json(self.credential_id, response)


@dataclass(frozen=True)
class Registration(Answer):
    """An answer to `navigator.credentials.create()`."""

    kind: str = "webauthn.create"
    flags: int = UP | UV | AT
    credential_id: bytes = b""
    aaguid: bytes = NO_MODEL
    cose: dict[int, int | bytes] = field(default_factory=dict)
    # With a chain (DER, leaf first) and its key the attestation is packed, otherwise it is none.
    chain: tuple[bytes, ...] = ()
    attestation_key: PrivateKey | None = None
    # The algorithm in the packed statement.
    attestation_algorithm: int = ES256
    # Further members of the attestation object.
    more: dict = field(default_factory=dict)
    # Bytes after the public key inside the authenticator data.
    inner_tail: bytes = b""
    # Bytes to append to the attestation object; a negative number cuts bytes off.
    tail: bytes = b""
    cut: int = 0

    def authenticator_data(self) -> bytes:
        """Authenticator data with attested credential data (6.5.1)."""
        length = len(self.credential_id).to_bytes(2, "big")
        attested = self.aaguid + length + self.credential_id + cbor.encode(self.cose)
        return self.head() + attested + self.inner_tail

    def statement(self) -> dict:
        """The attestation statement: packed (8.2) or none (8.7)."""
        if self.attestation_key is None:
            return {}
        signed = self.authenticator_data() + self.client_data_hash()
        statement = {"alg": self.attestation_algorithm, "sig": self.attestation_key.sign(signed)}
        return statement | ({"x5c": list(self.chain)} if self.chain else {})

    def attestation_object(self) -> bytes:
        """The attestation object (6.5.4)."""
        statement = self.statement()
        parts = {
            "fmt": "packed" if statement else "none",
            "attStmt": statement,
            "authData": self.authenticator_data(),
            **self.more,
        }
        whole = cbor.encode(parts) + self.tail
        return whole[: len(whole) - self.cut]

    def to_json(self) -> dict:
        """RegistrationResponseJSON (5.1)."""
        response = {
            "clientDataJSON": b64(self.client_data()),
            "attestationObject": b64(self.attestation_object()),
            "transports": ["usb"],
        }
        return credential_json(self.credential_id, response)


def credential_json(credential_id: bytes, response: dict) -> dict:
    return {
        "id": b64(credential_id),
        "rawId": b64(credential_id),
        "type": "public-key",
        "response": response,
        "clientExtensionResults": {},
    }


class Credential:
    """A discoverable credential in a key that is touched and verifies its user at once."""

    def __init__(self, rp_id: str, origin: str, user_handle: bytes, algorithm: int = ES256):
        self.id = os.urandom(32)
        self.key = PrivateKey(algorithm)
        self.rp_id, self.origin, self.user_handle = rp_id, origin, user_handle
        self.counter = 0

    @classmethod
    def create(cls, options: dict, origin: str, algorithm: int = ES256) -> "Credential":
        """Makes a credential for PublicKeyCredentialCreationOptionsJSON."""
        offered = [parameter["alg"] for parameter in options["pubKeyCredParams"]]
        assert algorithm in offered, f"{algorithm} is not among {offered}"
        return cls(options["rp"]["id"], origin, unb64(options["user"]["id"]), algorithm)

    def register(self, challenge: bytes, **wrong: object) -> Registration:
        """The registration, with the values of `wrong` in it."""
        right = Registration(
            challenge=challenge,
            origin=self.origin,
            rp_id=self.rp_id,
            kind="webauthn.create",
            credential_id=self.id,
            cose=self.key.cose(),
        )
        return replace(right, **wrong)

    def sign(self, challenge: bytes, **wrong: object) -> Assertion:
        """An assertion, with the counter raised by one and the values of `wrong` in it."""
        self.counter += 1
        right = Assertion(
            challenge=challenge,
            origin=self.origin,
            rp_id=self.rp_id,
            kind="webauthn.get",
            counter=self.counter,
            credential_id=self.id,
            user_handle=self.user_handle,
            signer=self.key,
        )
        return replace(right, **wrong)
