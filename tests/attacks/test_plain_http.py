"""No command speaks plain HTTP with another machine: neither through a disguised name nor through a
redirect."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gateway_process import Gateway, hallway

TOKEN = "A" * 43
KEY = "x/log+00000000+AQ" + "A" * 42 + "="
DISGUISES = [
    "gate.example",
    "GATE.EXAMPLE",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evillocalhost",
    "localhost.",
    "[::ffff:127.0.0.1]",
    "[::ffff:1.2.3.4]",
    "0.0.0.0",
    "128.0.0.1",
    "localhost@evil.example",
    "localhost:80@evil.example",
    "192.0.2.1",
]


def commands(address: str, folder: Path) -> dict[str, list[str | Path]]:
    """The commands that connect to an address from their arguments."""
    device = ["--key", folder / "none.key", "--operator-key", folder / "operator.key"]
    return {
        "trust export": ["trust", "export", "--url", address],
        "log verify": ["log", "verify", address, "--trust", folder / "trust.json"],
        "log export": ["log", "export", address, folder / "copy", "--trust", folder / "trust.json"],
        "join": ["join", f"{address}/join#{TOKEN}"],
        "sign-in": ["sign-in", "--gateway", address],
        "sign-out": ["sign-out", "--gateway", address],
        "open": ["open", "lab", "--gateway", address],
        "ls": ["ls", "lab:data", "--gateway", address],
        "get": ["get", "lab:data/a", folder / "a", "--gateway", address],
        "connect": ["connect", "lab:db", "--gateway", address],
        "hall list": ["hall", "list", "--gateway", address],
        "hall create": ["hall", "create", "kitchen", "--gateway", address],
        "hall agent": ["hall", "agent", "--config", folder / "agent.toml", "--join", f"{address}/halls#{TOKEN}"],
        "hall invite": ["hall", "invite", address, "--gateway", "http://localhost:1"],
        "hall accept": ["hall", "accept", f"{address}/partners#{TOKEN}", "--gateway", "http://localhost:1"],
        "device run": ["device", "run", folder / "spool", *device, "--gateway", address],
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plain")
    gateway = Gateway(folder / "data")
    run(folder, "trust", "export", "--url", gateway.origin, folder / "trust.json", works=True)
    (folder / "operator.key").write_text("07" * 32)
    (folder / "scans").mkdir()
    (folder / "agent.toml").write_text('[[stores]]\nname = "scans"\nfolder = "scans"\n')
    (folder / "spool").mkdir()
    yield folder
    assert gateway.stop() == 0


def run(folder: Path, *arguments: str | Path, works: bool) -> str:
    # A command that looked the name up through the proxy would connect to this socket.
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        spy = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        done = subprocess.run(
            [hallway(), *map(str, arguments)],
            env={**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
                 "XDG_CONFIG_HOME": str(folder / "config"), "XDG_RUNTIME_DIR": str(folder / "run"),
                 "HALLWAY_SECURITY_KEY": "udp:127.0.0.1:9", "http_proxy": spy, "HTTP_PROXY": spy,
                 "all_proxy": spy},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert (done.returncode == 0) == works, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("command", commands("", Path()))
def test_plain_http_is_for_this_machine(place: Path, command: str):
    for disguise in DISGUISES:
        arguments = commands(f"http://{disguise}", place)[command]
        said = run(place, *arguments, works=False)
        told = "plain http is spoken with this machine only" in said or "names a user" in said
        # A partner has one written form of its address, and these are not in it.
        assert told or "a gateway's address is https://" in said, f"{disguise}: {said}"


class Redirecting(BaseHTTPRequestHandler):
    """Redirects every request."""

    to = ""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(307)
        self.send_header("Location", self.to + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.mark.parametrize("to", ["http://192.0.2.1", "http://localhost.evil.example"])
def test_no_command_follows_a_redirect_to_another_machine(place: Path, to: str):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("To", (Redirecting,), {"to": to}))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://localhost:{server.server_address[1]}"
    for name, arguments in commands(address, place).items():
        if name in {"hall invite", "hall accept", "device run", "sign-out"}:
            continue
        server.asked.clear()
        said = run(place, *arguments, works=False)
        # The other commands look for a key first, and find none.
        if name in {"trust export", "log verify", "log export", "hall list", "hall agent"}:
            assert server.asked, f"{name} sent no request: {said}"
    server.shutdown()
    server.server_close()


def test_a_request_to_localhost_uses_no_proxy(gateway: Gateway, tmp_path: Path):
    """`localhost` is loopback, even if the environment names a proxy."""
    run(tmp_path, "trust", "export", "--url", gateway.origin, tmp_path / "t.json", works=True)
    assert json.loads((tmp_path / "t.json").read_text())["realm"] == "localhost"


@pytest.mark.parametrize("host", ["192.0.2.1:3900", "localhost.evil.example", "localhost@evil.example"])
def test_no_bucket_is_reached_over_plain_http(tmp_path: Path, host: str):
    """With plain HTTP, the machines between would see every file."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret").write_text("secret")
    (data / "hallway.toml").write_text(
        'listen = "127.0.0.1:0"\n\n[hall]\nlisten = "127.0.0.1:0"\n'
        '[[hall.stores]]\nhall = "lab"\nname = "data"\n'
        f'bucket = {{ endpoint = "http://{host}", region = "here", name = "b", '
        'access_key = "key", secret_key_file = "secret" }\n'
    )
    said = run(tmp_path, "serve", "--data", data, works=False)
    # The message does not repeat text that may be a password.
    shown = "http://" + host.replace("localhost@", "…@")
    assert "is invalid" in said and shown in said, said
