"""TLS of other projects at the hall listener: the certificates that it accepts and refuses."""

import datetime
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api_caller import Person
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from hall_place import HALL, Realm, store
from soft_webauthn import b64, unb64

URIS = x509.UniformResourceIdentifier


@dataclass
class Pass:
    """A grant opened through the API, with a key made in Python, as PEM files."""

    grant: dict
    certificate: Path
    key: Path
    bundle: Path

    @property
    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())


def pem(ders: list[str]) -> bytes:
    certificates = [x509.load_der_x509_certificate(unb64(der)) for der in ders]
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def write_key(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def opened(person: Person, folder: Path) -> Pass:
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    outcome = person.act("hall.open", hall=HALL, public_key=b64(spki))
    grant = outcome["grant"] | {"evidence": outcome["evidence"]}
    made = Pass(grant, folder / "chain.pem", folder / "key.pem", folder / "bundle.pem")
    made.certificate.write_bytes(pem(grant["certificates"]))
    made.bundle.write_bytes(pem(grant["bundle"]))
    write_key(key, made.key)
    return made


@pytest.fixture(scope="module")
def realm(tmp_path_factory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("realm")
    made = Realm(folder, store("data", folder / "data"))
    (folder / "data/hello").write_text("hello from the store")
    yield made
    made.close()


@pytest.fixture(scope="module")
def ida(realm: Realm) -> Person:
    person = realm.owner.invite("Ida")
    realm.owner.act(
        "hall.admit", hall=HALL, guest={"person": person.id}, rights=["read:data"]
    )
    return person


@pytest.fixture(scope="module")
def entry(ida: Person, tmp_path_factory) -> Pass:
    return opened(ida, tmp_path_factory.mktemp("ida") / "pass")


def curl(realm: Realm, entry: Pass, path: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", entry.bundle, "--cert", entry.certificate,
         "--key", entry.key, *more, f"https://127.0.0.1:{realm.gateway.hall_port}{path}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_curl_goes_in_with_the_certificate(realm: Realm, ida: Person, entry: Pass):
    done = curl(realm, entry, "/files/data/hello")
    assert done.stdout == "hello from the store", done.stderr
    grant = json.loads(curl(realm, entry, "/grant").stdout)
    assert (grant["hall"], grant["person"]["id"]) == (HALL, ida.id)
    refused = curl(realm, entry, "/files/data/new", "--upload-file", str(entry.key))
    assert json.loads(refused.stdout)["status"] == 403


BIG_BYTES = 16 * 1024 * 1024


def put_at_once(stream: socket.socket, path: str) -> str:
    """Sends a whole file before it reads, and returns the answer."""
    head = f"PUT {path} HTTP/1.1\r\nHost: hall\r\nContent-Length: {BIG_BYTES}\r\nConnection: close\r\n\r\n"
    stream.sendall(head.encode() + bytes(BIG_BYTES))
    got = b""
    while piece := stream.recv(65536):
        got += piece
    return got.decode()


def test_a_client_that_sends_before_it_reads_gets_the_refusal(realm: Realm, entry: Pass):
    context = ssl.create_default_context(cafile=entry.bundle)
    context.load_cert_chain(entry.certificate, entry.key)
    with socket.create_connection(("127.0.0.1", realm.gateway.hall_port), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            refused = put_at_once(stream, "/files/data/new")
    assert refused.startswith("HTTP/1.1 403") and "write:data" in refused
    web = urlsplit(realm.gateway.origin)
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as stream:
        refused = put_at_once(stream, f"/api/halls/{HALL}/files/data/new")
    assert refused.startswith("HTTP/1.1 401"), refused


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_curl_gets_the_reason_why_a_large_file_is_refused(
    realm: Realm, entry: Pass, protocol: str, tmp_path: Path
):
    large = tmp_path / "large"
    large.write_bytes(bytes(BIG_BYTES))
    for expects in ["Expect:", "Expect: 100-continue"]:
        refused = curl(
            realm, entry, "/files/data/new", protocol, "--upload-file", str(large), "--header", expects
        )
        assert refused.returncode == 0, refused.stderr
        assert json.loads(refused.stdout)["code"] == "not-granted"


def test_the_certificate_names_the_person_and_the_evidence(ida: Person, entry: Pass):
    leaf = entry.leaf
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"spiffe://localhost/person/{ida.id}"]
    access = leaf.extensions.get_extension_for_class(x509.SubjectInformationAccess).value
    uris = {description.access_location.value for description in access}
    assert f"urn:hallway:evidence:{entry.grant['evidence']}" in uris
    lasts = leaf.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    assert lasts <= datetime.timedelta(minutes=15)


def test_openssl_accepts_the_chain_for_clients_only(entry: Pass):
    def verify(purpose: str) -> int:
        return subprocess.run(
            ["openssl", "verify", "-CAfile", entry.bundle, "-purpose", purpose, entry.certificate],
            capture_output=True,
        ).returncode

    assert verify("sslclient") == 0
    assert verify("sslserver") != 0


def test_the_listener_speaks_tls_1_3_only(realm: Realm, entry: Pass):
    def connect(version: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{realm.gateway.hall_port}", version,
             "-CAfile", entry.bundle, "-verify_return_error", "-verify_ip", "127.0.0.1",
             "-cert", entry.certificate, "-key", entry.key, "-quiet"],
            input=b"GET /grant HTTP/1.1\r\nHost: hall\r\nConnection: close\r\n\r\n",
            capture_output=True, timeout=60,
        )  # fmt: skip

    assert connect("-tls1_2").returncode != 0
    assert connect("-tls1_3").stdout.startswith(b"HTTP/1.1 200")


def forged(folder: Path, name: str) -> Pass:
    """A certificate of the right form, self-signed."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anybody")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([URIS(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Pass({}, folder / "chain.pem", folder / "key.pem", folder / "none.pem")
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    write_key(key, made.key)
    return made


def talk(realm: Realm, entry: Pass | None, bundle: Path) -> bytes:
    """The answer that Python's TLS gets; an alert raises an exception."""
    context = ssl.create_default_context(cafile=bundle)
    if entry:
        context.load_cert_chain(entry.certificate, entry.key)
    address = ("127.0.0.1", realm.gateway.hall_port)
    with socket.create_connection(address, timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            stream.sendall(b"GET /grant HTTP/1.1\r\nHost: hall\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := stream.recv(65536):
                got += piece
            return got


def test_strangers_are_refused_in_the_handshake(
    realm: Realm, ida: Person, entry: Pass, tmp_path: Path
):
    assert talk(realm, entry, entry.bundle).startswith(b"HTTP/1.1 200")
    name = f"spiffe://localhost/person/{ida.id}"
    for stranger in [None, forged(tmp_path / "forged", name)]:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            talk(realm, stranger, entry.bundle)


def test_an_ended_grant_opens_nothing(realm: Realm, ida: Person, tmp_path: Path):
    entry = opened(ida, tmp_path / "pass")
    assert curl(realm, entry, "/files/data/hello").stdout == "hello from the store"
    ida.post(f"/api/grants/{entry.grant['id']}/end").expect()
    refused = json.loads(curl(realm, entry, "/files/data/hello").stdout)
    assert (refused["status"], refused["code"]) == (403, "grant-ended")
