"""An attacker between a command and its gateway, who has ended TLS: a proxy that rewrites answers."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fido2 import cbor
from gateway_process import LINK, Program
from hall_place import free_port
from soft_webauthn import b64, unb64

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}

# Changes an answer: from the JSON of the request and the JSON of the gateway's answer it makes the JSON that
# the proxy sends on.
Lie = Callable[[dict, dict], dict]


@dataclass
class Request:
    """A request that went through the proxy."""

    method: str
    path: str
    body: dict


@dataclass
class Proxy:
    """Listens at `http://localhost:PORT`, and changes answers."""

    gateway_port: int = 0
    # By path: changes the gateway's answer.
    lies: dict[str, Lie] = field(default_factory=dict)
    # By path: answers without the gateway.
    inventions: dict[str, Callable[[dict], tuple[int, dict]]] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Logs nothing."""

            def answer(self) -> None:
                proxy.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.origin = f"http://localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        path = handler.path.split("?")[0]
        asked = as_json(body)
        self.seen.append(Request(handler.command, path, asked))
        if path in self.inventions:
            status, invented = self.inventions[path](asked)
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send(handler, status, {"Content-Type": kind}, json.dumps(invented).encode())
            return
        gateway = http.client.HTTPConnection("127.0.0.1", self.gateway_port, timeout=30)
        headers = {name: value for name, value in handler.headers.items()}
        gateway.request(handler.command, handler.path, body or None, headers)
        came = gateway.getresponse()
        content = came.read()
        if path in self.lies and came.status < 400:
            content = json.dumps(self.lies[path](asked, as_json(content))).encode()
        kept = {name: value for name, value in came.headers.items() if name.lower() not in HOP_BY_HOP}
        gateway.close()
        self.send(handler, came.status, kept, content)

    def send(self, handler: BaseHTTPRequestHandler, status: int, headers: dict, body: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def honest(self) -> None:
        """Stops lying, and forgets the requests that it saw."""
        self.lies.clear()
        self.inventions.clear()
        self.seen.clear()

    def went(self, path: str) -> list[Request]:
        """The requests to this path."""
        return [request for request in self.seen if request.path == path]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def as_json(body: bytes) -> dict:
    try:
        return json.loads(body)
    except ValueError:
        return {}


class ProxiedGateway(Program):
    """A gateway behind a proxy, whose origin is the proxy's address."""

    def __init__(self, folder: Path, proxy: Proxy):
        folder.mkdir(parents=True)
        proxy.gateway_port = free_port()
        (folder / "hallway.toml").write_text(
            f'listen = "127.0.0.1:{proxy.gateway_port}"\npublic_url = "{proxy.origin}"\n'
            f'\n[hall]\nlisten = "127.0.0.1:{free_port()}"\n'
            '[[hall.stores]]\nhall = "lab"\nname = "data"\nfolder = "files"\n'
        )
        (folder / "files").mkdir()
        super().__init__("serve", "--data", folder)
        self.origin = proxy.origin
        self.set_up_link = self.wait_for(LINK)[0]


def statement_of(ceremony: dict) -> dict:
    """The decoded statement of a ceremony."""
    return cbor.decode(unb64(ceremony["statement"]))


def with_statement(ceremony: dict, statement: dict) -> dict:
    """The ceremony with another statement and the same sentence, which is now a lie."""
    encoded = cbor.encode(statement)
    options = {**ceremony["public_key"], "challenge": b64(sha256(encoded).digest())}
    return {**ceremony, "statement": b64(encoded), "public_key": options}


def ceremony(act: str, terms: dict, realm: str = "localhost", **other: object) -> dict:
    """A ceremony that no gateway made, with every part well-formed."""
    statement = {
        "hallway": 1, "act": act, "realm": realm, "issued": int(time.time() * 1000),
        "nonce": b"0123456789abcdef", "terms": terms, **other,
    }  # fmt: skip
    blank = {
        "statement": "", "sentence": "At localhost: nothing that matters.", "seal": b64(b"seal"),
        "expires_ms": statement["issued"] + 300_000,
        "public_key": {"rpId": realm, "allowCredentials": [], "userVerification": "required"},
    }  # fmt: skip
    return with_statement(blank, statement)
