"""A hostile partner. It has its realm's own authority, so the other realm accepts its hall listener, and
it answers what the test wants."""

import base64
import ctypes
import datetime
import json
import os
import socket
import sqlite3
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from two_realms import Site

GRANT = "019a0000-0000-7000-8000-000000000001"
PROBLEM = "application/problem+json"
CLONE_NEWNET = 0x40000000
HOUR_MS = 3600 * 1000


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for to, add, turned, bits in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            state[to] = (state[to] + state[add]) & 0xFFFFFFFF
            mixed = state[turned] ^ state[to]
            state[turned] = ((mixed << bits) | (mixed >> (32 - bits))) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def unsealed(data: Path, name: bytes, sealed: bytes) -> bytes:
    """Decrypts a value that a gateway sealed with its operator key: XChaCha20-Poly1305, after the nonce."""
    key = base64.b64decode((data / "operator.key").read_text())
    nonce, rest = sealed[:24], sealed[24:]
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return cipher.decrypt(bytes(4) + nonce[16:], rest, name)


def certificate(
    data: Path,
    realm: str,
    party: str,
    minutes_old: int = 1,
    usage_of: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    """A key and a certificate for a name of the realm, PEM. The authority in `data` signs the certificate,
    which is valid for years."""
    with closing(sqlite3.connect(data / "hallway.db")) as database:
        row = "SELECT certificate, sealed_key FROM own_authority WHERE stage = 'signing'"
        certificate, sealed = database.execute(row).fetchone()
    authority = x509.load_der_x509_certificate(certificate)
    signer = load_der_private_key(unsealed(data, b"realm-authority-key", sealed), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    names = [
        x509.UniformResourceIdentifier(f"spiffe://{realm}/{party}"),
        x509.DNSName(f"gate.{realm}"),
    ]
    usage = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hallway")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=minutes_old))
        .not_valid_after(min(now + datetime.timedelta(days=3650), authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage_of]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(by, critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + leaf.public_bytes(Encoding.PEM)


@dataclass
class Asked:
    """A request to the hall listener."""

    method: str
    target: str
    body: bytes

    @property
    def path(self) -> str:
        return self.target.split("?")[0]


def answer(status: int, body: object = b"", kind: str = "application/json") -> bytes:
    """An answer with its length. A body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


#: Makes an answer, whole or in parts, or None to use the honest answer.
Answers = Callable[[Asked], bytes | Iterable[bytes] | None]


def made_at(site: Site, make: Callable[[], socket.socket]) -> socket.socket:
    """Makes a socket in an organisation's network. The socket stays in that network."""
    made: Queue[socket.socket] = Queue()

    def enter() -> None:
        if site.within:
            with open(f"/run/netns/{site.within[-1]}") as space:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.setns(space.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        made.put(make())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return made.get_nowait()


def listening(site: Site, port: int) -> socket.socket:
    """A listener in an organisation's network."""
    return made_at(site, lambda: socket.create_server((site.address, port), backlog=200))


def calling(site: Site, to: Site, pem: bytes) -> ssl.SSLSocket:
    """Connects from one organisation to the other's hall listener, with a certificate."""
    there = (to.address, to.hall_port)
    raw = made_at(site, lambda: socket.create_connection(there, timeout=30))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A hostile peer does not check the other side's certificate.
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        tls.load_cert_chain(file.name)
    return tls.wrap_socket(raw)


class HostileHost:
    """Answers at the port of a site's hall listener. `answers` maps a path to the answer that a test wants; a
    path that ends with `*` stands for all paths with that beginning. `asked` has the requests."""

    def __init__(self, data: Path, site: Site, rights: list[str]):
        self.rights = rights
        self.answers: dict[str, Answers] = {}
        self.asked: Queue[Asked] = Queue()
        self.over = threading.Event()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder) / "gateway.pem"
            serving = ExtendedKeyUsageOID.SERVER_AUTH
            pem.write_bytes(certificate(data, site.realm, "gateway", usage_of=serving))
            self.tls.load_cert_chain(pem)
        self.listener = listening(site, site.hall_port)
        threading.Thread(target=self._accept, daemon=True).start()

    def silent(self, _: Asked) -> bytes:
        """An answer that never comes."""
        self.over.wait()
        raise OSError("the test is over")

    def forget(self) -> None:
        """Makes the host honest again."""
        self.answers.clear()
        while not self.asked.empty():
            self.asked.get_nowait()

    def wait_for(self, path: str, seconds: float = 60) -> Asked:
        """Waits for the next request for this path."""
        while True:
            try:
                asked = self.asked.get(timeout=seconds)
            except Empty as nothing:
                raise AssertionError(f"no request for {path} came") from nothing
            if asked.path == path:
                return asked

    def _honest(self, asked: Asked) -> bytes:
        now = int(time.time() * 1000)
        match asked.path:
            case "/partner/halls":
                member = {"role": "member"}
                hall = {"hall": "lab", "title": "The laboratory", "guest": member, "needs": {}}
                halls = [hall | {"rights": self.rights}]
                return answer(200, {"longest_ms": 8 * HOUR_MS, "halls": halls})
            case "/visit":
                return answer(200, {"id": GRANT, "waits": None})
            case "/grant":
                grant = {
                    "hall": "lab",
                    "person": {"id": GRANT, "name": "Ada"},
                    "rights": self.rights,
                    "ends_ms": now + HOUR_MS,
                    "certificate_ends_ms": now + HOUR_MS // 4,
                }
                return answer(200, grant)
            case "/grant/end":
                return answer(204)
        nothing = {"status": 404, "code": "not-found", "detail": "nothing is here"}
        return answer(404, nothing, PROBLEM)

    def _made(self, asked: Asked) -> bytes | Iterable[bytes]:
        for path, make in list(self.answers.items()):
            fits = asked.path.startswith(path[:-1]) if path.endswith("*") else asked.path == path
            if fits and (made := make(asked)) is not None:
                return made
        return self._honest(asked)

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with raw:
            try:
                raw.settimeout(120)
                with self.tls.wrap_socket(raw, server_side=True) as stream:
                    reader = stream.makefile("rb")
                    while asked := self._request(reader):
                        self.asked.put(asked)
                        made = self._made(asked)
                        if isinstance(made, bytes):
                            head = made.index(b"\r\n\r\n") + 4
                            made = [made[:head] if asked.method == "HEAD" else made]
                        for part in made:
                            stream.sendall(part)
            except OSError:
                pass

    @staticmethod
    def _request(reader) -> Asked | None:
        start = reader.readline().split()
        if not start:
            return None
        headers = {}
        while (line := reader.readline()) not in (b"\r\n", b""):
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        return Asked(start[0].decode(), start[1].decode(), body)

    def close(self) -> None:
        self.over.set()
        self.listener.close()
