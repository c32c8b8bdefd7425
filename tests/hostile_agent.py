"""A hostile machine that was invited to a hall: it speaks the agents' protocol, and answers what the test
wants."""

import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import unquote

from api_caller import Caller, Reply
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from soft_webauthn import b64, unb64


@dataclass
class Asked:
    """A request for a file, as the gateway passes it on to the agent."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The path in the store, decoded."""
        path = self.target.split("?")[0].removeprefix("/files/")
        return unquote(path.partition("/")[2])


Answers = Callable[[Asked], bytes]


def answer(status: int, headers: list[tuple[str, str]] = (), body: bytes = b"", **more) -> bytes:
    """An answer with these headers, and its length unless `framed=False`."""
    lines = [f"HTTP/1.1 {status} X"] + [f"{name}: {value}" for name, value in headers]
    if more.get("framed", True):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def with_trailers(body: bytes, trailers: list[tuple[str, str]]) -> bytes:
    """An answer in one chunk, with trailer fields after it."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    head = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, fields.encode())


class Line:
    """A TLS connection after its upgrade."""

    def __init__(self, stream: ssl.SSLSocket, path: str, protocol: str):
        self.stream = stream
        head = f"GET {path} HTTP/1.1\r\nhost: hall\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n"
        stream.sendall(head.encode())
        self.reader = stream.makefile("rb")
        self.status = int(self.reader.readline().split()[1])
        while self.reader.readline() not in (b"\r\n", b""):
            pass


@dataclass
class HostileAgent:
    """Joins by a link. `events` has the gateway's messages to the agent: welcome, refused, ended."""

    link: str
    answers: Answers | None = None
    events: Queue[tuple[str, dict]] = field(default_factory=Queue)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        origin, token = self.link.split("/halls#")
        key = ec.generate_private_key(ec.SECP256R1())
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        wanted = {"token": token, "public_key": b64(spki)}
        self.joined: Reply = Caller(origin).post("/api/hall-agents/join", wanted)
        given = self.joined.expect()
        host, port = given["address"].rsplit(":", 1)
        self.address = host.strip("[]"), int(port)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A hostile agent does not check the gateway's certificate.
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder) / "agent.pem"
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            chain = [x509.load_der_x509_certificate(unb64(der)) for der in given["certificates"]]
            pem.write_bytes(private + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
            self.tls.load_cert_chain(pem)

    def _connect(self) -> ssl.SSLSocket:
        return self.tls.wrap_socket(socket.create_connection(self.address, timeout=60))

    def announce(self, stores: list[str] = (), services: list[str] = (), raw: bytes | None = None):
        """Announces the stores and services that it provides, and serves from then on."""
        self.control = Line(self._connect(), "/agent/control", "hallway-agent")
        assert self.control.status == 101, self.control.status
        hello = json.dumps({"provides": {"stores": list(stores), "services": list(services)}})
        self.control.stream.sendall(raw or hello.encode() + b"\n")
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._ping, daemon=True).start()
        return self

    def heard(self, seconds: float = 30) -> tuple[str, dict]:
        """The gateway's next message about this agent."""
        try:
            return self.events.get(timeout=seconds)
        except Empty as nothing:
            raise AssertionError("the gateway said nothing") from nothing

    def _ping(self) -> None:
        stop = threading.Event()
        try:
            while not stop.wait(20):
                self.control.stream.sendall(b'{"ping":{}}\n')
        except OSError:
            pass

    def _listen(self) -> None:
        try:
            for line in self.control.reader:
                for kind, what in json.loads(line).items():
                    if kind == "dial":
                        threading.Thread(target=self._dial, args=(what,), daemon=True).start()
                    elif kind != "ping":
                        self.events.put((kind, what))
        except OSError:
            pass
        self.events.put(("ended", {}))

    def fail(self, dial: dict, status: int, code: str, detail: str) -> None:
        """Tells the gateway that a stream can't be opened."""
        said = {"failed": {"dial": dial["id"], "status": status, "code": code, "detail": detail}}
        self.control.stream.sendall(json.dumps(said).encode() + b"\n")

    def _dial(self, dial: dict) -> None:
        if "service" in dial["what"]:
            # A refusal with a code and words that the gateway does not know.
            return self.fail(dial, 401, "<script>", "sign in\u001b[2J here")
        line = Line(self._connect(), f"/agent/dial/{dial['id']}", "hallway-stream")
        try:
            while request := self._request(line.reader):
                self.asked.append(request)
                whole = self.answers(request)
                if request.method == "HEAD":
                    whole = whole[: whole.index(b"\r\n\r\n") + 4]
                line.stream.sendall(whole)
        except OSError:
            pass

    @staticmethod
    def _request(reader) -> Asked | None:
        start = reader.readline().split()
        if not start:
            return None
        headers = {}
        while (text := reader.readline()) not in (b"\r\n", b""):
            name, value = text.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        reader.read(int(headers.get("content-length", 0)))
        return Asked(start[0].decode(), start[1].decode(), headers)

    def close(self) -> None:
        self.control.stream.close()
