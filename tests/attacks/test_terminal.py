"""What others say reaches a terminal as text and as nothing else: no control character, no mark that
turns or hides what stands around it, no line of its own."""

import http.client
import json
import os
import pty
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest
from api_caller import Person
from camera import Camera
from gateway_process import Gateway, hallway
from hall_place import Guest
from lying_proxy import ProxiedGateway, Proxy

# Clears the screen, in one byte and in two; turns the direction; hides; ends the line in six ways;
# and says what our own program would say.
EVIL = (
    "a\x1b[2J\x1b]0;title\x07\x9b31m\u202egpj\u2066x\u2069\u061c\u200b\u200d\ufeff\xad\u2028b\u2029"
    "\x85\x0b\x0c\r\x7f\x00\U000e0041\nhallway: done"
)
RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


def clean(said: str) -> str:
    """What was said, which must have nothing raw in it, and no line that somebody else made."""
    assert not RAW.search(said), ascii(said)
    assert not re.search(r"^hallway: done", said, re.MULTILINE), said
    return said


class Shell:
    """A person whose gateway says whatever the test wants."""

    def __init__(self, folder: Path):
        self.proxy = Proxy()
        self.gateway = ProxiedGateway(folder / "gateway", self.proxy)
        boss = Person(self.gateway.origin, self.gateway.set_up_link, "Boss")
        boss.act("hall.create", hall="lab", title="The laboratory")
        link = boss.act("people.invite", name="Olga", role="owner")["link"]
        self.olga = Guest(folder / "olga", self.gateway.origin, link)

    def hears(self, *arguments: str | Path, code: int | None = None) -> str:
        done = self.olga.try_to(*arguments)
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return clean(done.stdout) + clean(done.stderr)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("shell"))
    yield made
    assert made.gateway.stop() == 0
    made.proxy.close()


@pytest.fixture(autouse=True)
def honest(shell: Shell) -> Iterator[None]:
    shell.proxy.honest()
    yield
    shell.proxy.honest()


LISTS: dict[str, tuple[list[str], str, object]] = {
    "halls": (
        ["hall", "list"], "/api/halls",
        [{"name": EVIL, "title": EVIL, "rights": [EVIL], "inside": 1}],
    ),
    "halls of a partner": (
        ["hall", "list", "--at", "beta.example"], "/api/partners/beta.example/halls",
        [{"name": EVIL, "title": EVIL, "rights": [EVIL]}],
    ),
    "a hall": (
        ["hall", "show", "lab"], "/api/halls/lab",
        {"name": EVIL, "title": EVIL, "rights": [EVIL], "inside": EVIL,
         "stores": [{"name": EVIL, "agent": EVIL}],
         "guests": [{"guest": {EVIL: EVIL}, "rights": [EVIL], "needs": {EVIL: [EVIL]}}]},
    ),
    "grants": (
        ["hall", "grants"], "/api/grants",
        {"items": [{"id": EVIL, "state": EVIL, "hall": EVIL, "host": EVIL, "name": EVIL}]},
    ),
    "approvals": (
        ["hall", "approvals"], "/api/approvals", [{"id": EVIL, "name": EVIL, "home": EVIL}],
    ),
    "partners": (
        ["hall", "partners"], "/api/partners",
        [{"realm": EVIL, "state": EVIL, "origin": EVIL, "log": EVIL, "problem": EVIL,
          "ended_by": EVIL, "shared": [{"hall": EVIL, "guest": EVIL, "rights": [EVIL]}]}],
    ),
    "authorities": (
        ["hall", "authorities"], "/api/hall/authorities", [{"sha256": EVIL, "stage": EVIL}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_what_a_gateway_lists_steers_nothing(shell: Shell, name: str):
    arguments, path, answer = LISTS[name]
    shell.proxy.inventions[path] = lambda _: (200, answer)
    said = shell.hears(*arguments, code=0)
    assert r"a\u001b[2J" in said, said
    # As JSON it is what it was, and as harmless.
    done = shell.olga.run(*arguments, "--json")
    assert not RAW.search(done.stdout), ascii(done.stdout)
    assert json.loads(done.stdout) == answer


@pytest.mark.parametrize("status", [400, 403, 409, 500])
def test_what_a_gateway_refuses_with_steers_nothing(shell: Shell, status: int):
    problem = {"code": EVIL, "detail": EVIL}
    for path in ["/api/halls", "/api/acts/statement", "/api/sign-in/statement"]:
        shell.proxy.inventions[path] = lambda _: (status, problem)
    for arguments in [
        ["hall", "list"], ["hall", "create", "kitchen"], ["sign-in"], ["open", "lab"],
        ["open", "lab", "--json"], ["ls", "lab:data"],
    ]:  # fmt: skip
        said = shell.hears(*arguments, code=1)
        assert r"\u001b[2J" in said and said.count("\n") <= 2, said


def test_a_name_of_a_person_steers_nothing(shell: Shell):
    # A session that is told so is not kept, and the name is not believed.
    shell.proxy.lies["/api/sign-in"] = lambda _asked, came: {
        **came, "person": {**came["person"], "name": EVIL},
    }  # fmt: skip
    shell.hears("sign-in", code=1)


def test_what_a_gateway_answers_in_place_of_json_steers_nothing(shell: Shell):
    shell.proxy.inventions["/api/halls"] = lambda _: (200, EVIL)
    shell.hears("hall", "list")
    shell.proxy.inventions["/api/acts/statement"] = lambda _: (200, {"statement": EVIL})
    shell.hears("hall", "create", "kitchen", code=1)


class Socket(BaseHTTPRequestHandler):
    """The socket of a `hallway open`, behind which another far side is."""

    def do_GET(self) -> None:
        listing = {"entries": [
            {"name": name, "kind": "file", "bytes": 1, "modified_ms": 1, "etag": EVIL}
            for name in self.server.names
        ]}  # fmt: skip
        grant = {"hall": "lab", "person": {"id": "1", "name": EVIL}, "rights": ["read:data"],
                 "ends_ms": 1, "certificate_ends_ms": 1}  # fmt: skip
        body = json.dumps(grant if self.path == "/grant" else listing).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "here"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_file_names_of_the_far_side_steer_nothing(shell: Shell):
    path = shell.olga.runtime / "hallway" / "lab.sock"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    server = ThreadingUnixStreamServer(str(path), Socket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for name in [EVIL.replace("\x00", ""), EVIL, "gpj\u202eexe", "a\nb"]:
            server.names = [name]
            shell.hears("ls", "lab:data")
            shell.hears("mirror", "lab:data", shell.olga.home / "copy", "--dry-run")
            done = shell.olga.try_to("ls", "lab:data", "--json")
            assert not RAW.search(done.stdout), ascii(done.stdout)
    finally:
        server.shutdown()
        server.server_close()
        path.unlink()


def test_what_a_gateway_tells_a_device_steers_nothing(shell: Shell, tmp_path: Path):
    shell.proxy.inventions["/api/device/enrolments"] = lambda _: (
        201, {"user_code": EVIL, "expires_ms": 1, "interval_ms": 60_000, "console": EVIL},
    )  # fmt: skip
    camera = Camera(shell.proxy, tmp_path)
    camera.start()
    line = camera.says(re.compile("to claim this device, type .*"))
    assert r"\u001b[2J" in line[0] and "hallway: done" in line[0], line[0]
    camera.stop()
    clean("\n".join(camera.lines))
    shell.proxy.honest()
    shell.proxy.inventions["/api/device/enrolments/statement"] = lambda _: (
        403, {"code": EVIL, "detail": EVIL},
    )  # fmt: skip
    again = Camera(shell.proxy, tmp_path / "again")
    again.start()
    again.says(re.compile("trouble: .*"))
    again.stop()
    clean("\n".join(again.lines))


def test_files_that_others_made_steer_nothing(shell: Shell, tmp_path: Path):
    trust = tmp_path / "trust.json"
    shell.olga.run("trust", "export", "--url", shell.proxy.origin, trust)
    evil = tmp_path / "evil.json"
    evil.write_text(json.dumps({"format": EVIL, "realm": EVIL, EVIL: EVIL}))
    (tmp_path / "evil.evidence").write_text(EVIL)
    (tmp_path / "note").write_text(EVIL)
    for arguments in [
        ["verify", tmp_path / "evil.evidence", "--trust", trust],
        ["verify", evil, "--trust", evil],
        ["log", "verify", tmp_path, "--trust", evil],
        ["log", "verify", tmp_path, "--trust", trust, "--since", tmp_path / "note"],
        ["log", "fork", evil, "--trust", trust],
        ["attest", "explain", evil],
        ["key", "info", evil],
    ]:
        shell.hears(*arguments)
    (tmp_path / "checkpoint").write_text(EVIL)
    shell.hears("log", "verify", tmp_path, "--trust", trust, code=1)
    twice = tmp_path / "a\x1b[2J\u202e.json"
    evil.rename(twice)
    shell.hears("verify", twice, "--trust", trust)


def at_a_terminal(shell: Shell, *arguments: str | Path) -> str:
    """What a command writes on a terminal that has colours."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in shell.olga.environment.items() if name != "NO_COLOR"}
    command = subprocess.Popen(
        [hallway(), *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    command.wait(60)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_a_file_name_begins_no_line(shell: Shell, tmp_path: Path):
    trust = tmp_path / "trust.json"
    shell.olga.run("trust", "export", "--url", shell.proxy.origin, trust)
    lie = tmp_path / "a\n✓ holds: b\nhallway: done"
    lie.write_text("no picture")
    for more in [[], ["--steps", "--parts"]]:
        done = shell.olga.try_to("verify", lie, "--trust", trust, *more)
        assert done.returncode == 1 and r"a\n✓ holds: b\nhallway: done" in done.stdout, done.stdout
        assert not re.search("^✓ holds", clean(done.stdout), re.MULTILINE), done.stdout
    made = shell.olga.run("key", "new", tmp_path / "k\nhallway: done")
    clean(made.stdout + made.stderr)
    assert made.stdout.count("\n") == 1, made.stdout


def test_no_character_of_others_is_a_style(shell: Shell, tmp_path: Path):
    trust = tmp_path / "trust.json"
    shell.olga.run("trust", "export", "--url", shell.proxy.origin, trust)
    painted = tmp_path / "\ufdd0red\ufdd1\ufdd2\ufdd3"
    painted.write_text("no picture")
    said = at_a_terminal(shell, "verify", painted, "--trust", trust, "--json")
    assert "\x1b" not in said and r"\ufdd0red\ufdd1\ufdd2\ufdd3" in said, ascii(said)
    assert json.loads(said)["file"] == str(painted)
    said = at_a_terminal(shell, "verify", painted, "--trust", trust)
    assert "\x1b[31m✗ does not hold:\x1b[0m" in said, ascii(said)
    assert said.count("\x1b") == 2 and r"\ufdd0red" in said, ascii(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--" + EVIL.replace("\x00", "")],
        [EVIL.replace("\x00", "")],
        ["hall", EVIL.replace("\x00", "")],
        ["verify", "a", "--" + EVIL.replace("\x00", "")],
        ["open", EVIL.replace("\x00", "")],
        ["link", "list", "--json=" + EVIL.replace("\x00", "")],
    ],
)
def test_arguments_that_are_wrong_steer_nothing(shell: Shell, arguments: list[str]):
    done = shell.olga.try_to(*arguments)
    assert done.returncode == 2 and done.stdout == "", done.stdout
    assert r"a\u001b[2J" in clean(done.stderr), done.stderr
    clean(at_a_terminal(shell, *arguments))


def test_help_goes_where_it_went(shell: Shell):
    for arguments in [["--help"], ["hall", "--help"], ["--version"], ["help", "verify"]]:
        done = shell.olga.try_to(*arguments)
        assert done.returncode == 0 and done.stderr == "" and "hallway" in done.stdout, done
    done = shell.olga.try_to("verify")
    assert done.returncode == 2 and done.stdout == "" and "Usage:" in done.stderr, done


def strange_requests(origin: str, link: str) -> None:
    """`link` sets the gateway up."""
    port = int(origin.rsplit(":", 1)[1])
    for path, headers in [
        # A path may have any byte beyond ASCII. It may also have secrets, so the log has only the route.
        ("/elsewhere\u202e\x9b2J\x85\u2028\x7f", {}),
        ("/elsewhere", {"User-Agent": "2J\u202e\x9b2J\x85", "Origin": "http://evil\u202e"}),
    ]:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            lines = [f"POST {path} HTTP/1.1", f"Host: localhost:{port}", "Content-Length: 2", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            raw.sendall(("\r\n".join(lines) + "\r\n\r\n{}").encode())
            while raw.recv(4096):
                pass
    caller = http.client.HTTPConnection("127.0.0.1", port)
    for path in ["/api/join", "/api/keys/statement", "/api/hall-agents/join", "/api/device/status"]:
        body = json.dumps({"token": EVIL, "label": EVIL, "name": EVIL, EVIL: EVIL})
        caller.request("POST", path, body, {"Content-Type": "application/json"})
        caller.getresponse().read()
    caller.close()
    # The log says which origin was refused.
    Person(origin, link, "Olga").try_to_sign_in(origin=EVIL).refused(403, "refused")


@pytest.mark.parametrize("how", [[], ["--log-json"]])
def test_log_lines_steer_nothing(tmp_path: Path, how: list[str]):
    gateway = Gateway(tmp_path / "data", *how, HALLWAY_LOG="trace")
    strange_requests(gateway.origin, gateway.set_up_link)
    assert gateway.stop() == 0
    said = clean("\n".join(gateway.lines))
    assert "2J" in said, "nothing of it was logged, so nothing was tried"
    assert "/elsewhere" not in said


def test_colours_of_log_lines_are_our_own(tmp_path: Path):
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    server = subprocess.Popen(
        [hallway(), "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE, stderr=theirs, text=True, env={**variables, "HALLWAY_LOG": "trace"},
    )  # fmt: skip
    os.close(theirs)
    said: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                return
            if not part:
                return
            said.append(part)

    reading = threading.Thread(target=read)
    reading.start()
    serving = json.loads(server.stdout.readline())
    strange_requests(serving["origin"], serving["setup_link"])
    server.terminate()
    assert server.wait(30) == 0
    reading.join(30)
    os.close(ours)
    text = b"".join(said).decode().replace("\r\n", "\n")
    assert "\x1b[" in text, "there are no colours"
    clean(re.sub(r"\x1b\[[0-9;]*m", "", text))
    # What somebody else sent is not among them.
    assert "\x1b[31m\u202e" not in text and "\x1b[2J" not in text
