"""A FIDO metadata service of our own (FIDO Metadata Service 3.1), and makers of the keys in it.

It shares no code with the program under test.
"""

import base64
import json
import threading
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from soft_device import Maker, certificate, name_of
from soft_webauthn import ES256, PrivateKey, b64

# A picture of one pixel, as a data URL.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
YESTERDAY, TODAY = date.today() - timedelta(1), date.today()
TOMORROW, NEXT_MONTH = TODAY + timedelta(1), TODAY + timedelta(30)


class Model:
    """A model of keys. Its maker uses one certificate for a batch of keys."""

    def __init__(self, name: str, aaguid: bytes, **statement: object):
        self.name, self.aaguid = name, aaguid
        self.maker = Maker(f"{name} Maker")
        self.further = statement
        self.batch()

    def batch(self) -> None:
        """Begins a new batch: later keys are attested by another certificate."""
        self.key = PrivateKey(ES256)
        self.chain = (self.maker.certify(self.key, None, self.aaguid),)

    @property
    def attested(self) -> dict:
        """The arguments of `Credential.register` that make a registration of this model."""
        return {"aaguid": self.aaguid, "chain": self.chain, "attestation_key": self.key}

    def statement(self) -> dict:
        """The model's metadata statement."""
        root = self.maker.certificate.public_bytes(Encoding.DER)
        return {
            "aaguid": str(UUID(bytes=self.aaguid)),
            "description": self.name,
            "icon": PIXEL,
            "keyProtection": ["hardware", "secure_element"],
            "matcherProtection": ["on_chip"],
            "attestationRootCertificates": [base64.b64encode(root).decode()],
        } | self.further

    def entry(self, *reports: dict) -> dict:
        """The model's BLOB entry: certified since last year, then these reports."""
        certified = report("FIDO_CERTIFIED_L1", TODAY - timedelta(365))
        return {
            "aaguid": str(UUID(bytes=self.aaguid)),
            "metadataStatement": self.statement(),
            "statusReports": [certified, *reports],
            "timeOfLastStatusChange": TODAY.isoformat(),
        }


def report(status: str, since: date, batch: bytes | None = None) -> dict:
    """A status report, about one batch if its certificate is given."""
    about = {"batchCertificate": base64.b64encode(batch).decode()} if batch else {}
    return {"status": status, "effectiveDate": since.isoformat()} | about


class Service:
    """A metadata service, which signs BLOBs."""

    def __init__(self, name: str = "Soft Metadata"):
        self.root_key, self.key = PrivateKey(ES256), PrivateKey(ES256)
        root = name_of(("O", name), ("CN", f"{name} Root"))
        builder = certificate(root, root, self.root_key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.root = builder.sign(self.root_key.key, hashes.SHA256())
        builder = certificate(name_of(("O", name), ("CN", "mds.soft.example")), root, self.key)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        self.certificate = builder.sign(self.root_key.key, hashes.SHA256())

    def write_root(self, folder: Path) -> Path:
        """Writes the root certificate for the operator of a gateway."""
        path = folder / "metadata-root.pem"
        path.write_bytes(self.root.public_bytes(Encoding.PEM))
        return path

    def blob(self, number: int, *entries: dict, next_update: date = NEXT_MONTH) -> bytes:
        """A BLOB: a JWS in compact form (RFC 7515, 3.1)."""
        leaf = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        payload = {
            "legalHeader": "a test",
            "no": number,
            "nextUpdate": next_update.isoformat(),
            "entries": entries,
        }
        parts = [{"alg": "ES256", "typ": "JWT", "x5c": [leaf]}, payload]
        signed = ".".join(b64(json.dumps(part).encode()) for part in parts).encode()
        r, s = decode_dss_signature(self.key.sign(signed))
        return signed + b"." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")).encode()


class Web:
    """Serves one answer over loopback, and counts the requests."""

    def __init__(self, content: bytes = b"", status: int = 200):
        self.content, self.status = content, status
        self.asked = 0
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked += 1
                self.send_response(web.status)
                self.send_header("Content-Length", str(len(web.content)))
                self.end_headers()
                self.wfile.write(web.content)

            do_CONNECT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
