"""Makes the certificates of a maker of security keys, for packed attestation."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MODEL_OID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
SERIAL_OID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.2")
MODEL_AAGUID = bytes.fromhex("5ecde1ca11ab4b6c9d1f0c0ffee0cafe")
UNIT = "Authenticator Attestation"


@dataclass
class Identity:
    """A certificate and its key, as files."""

    certificate: x509.Certificate
    certificate_file: Path
    key_file: Path


class AttestationMaker:
    """A maker with a root certificate."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(self._name("Root"), self.key, authority=True)

    def _name(self, common: str, unit: str = UNIT) -> x509.Name:
        parts = {
            NameOID.COUNTRY_NAME: "NL",
            NameOID.ORGANIZATION_NAME: "Maker",
            NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
            NameOID.COMMON_NAME: common,
        }
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])

    def _sign(self, subject, key, authority: bool, extensions=()) -> x509.Certificate:
        start = datetime.datetime(2026, 1, 1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name("Root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=36500))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certify(
        self,
        name: str,
        serial: bytes | None = None,
        model: bytes | None = MODEL_AAGUID,
        unit: str = UNIT,
        together: bool = False,
        traditional: bool = False,
    ) -> Identity:
        """A certificate of a model, and of one key of it if `serial` is given. The private key is in a file
        of its own or in the certificate's file, as PKCS #8 or in OpenSSL's older form."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = {MODEL_OID: model, SERIAL_OID: serial}
        extensions = [
            x509.UnrecognizedExtension(oid, bytes([4, len(value)]) + value)
            for oid, value in named.items()
            if value is not None
        ]
        certificate = self._sign(self._name(name, unit), key, False, extensions)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        form = serialization.PrivateFormat
        key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            form.TraditionalOpenSSL if traditional else form.PKCS8,
            serialization.NoEncryption(),
        )
        certificate_file = self.folder / f"{name}.pem"
        key_file = certificate_file if together else self.folder / f"{name}.key"
        certificate_file.write_bytes(pem + key_pem if together else pem)
        if not together:
            key_file.write_bytes(key_pem)
        return Identity(certificate, certificate_file, key_file)
