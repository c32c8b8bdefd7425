"""Slow peers, idle peers, too many peers, and an object store that fails."""

import http.client
import http.server
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hall_place import HALL, Echo, Guest, Realm, service, store
from object_store import ObjectStore
from small_disk import MEGABYTE
from test_hall_tls import Pass, opened

# The time that the gateway waits for a handshake or for the head of a request.
HEAD_TIMEOUT_SECONDS = 20
CONNECTIONS = 10_000
# The memory of the gateway for one idle connection, before and after its handshake.
BEFORE_TLS_BYTES, AFTER_TLS_BYTES = 40_000, 80_000


@pytest.fixture(scope="module")
def echo():
    with closing(Echo()) as server:
        yield server


@pytest.fixture(scope="module")
def places():
    """The number of connections that the gateway takes: its configuration, or as many as `ulimit -Hn` allows.
    Raises this program's own limit as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = CONNECTIONS if hard == resource.RLIM_INFINITY else (hard - 512) // 2
    assert allowed > 1000, f"`ulimit -Hn` is {hard}: the test needs more connections"
    yield min(CONNECTIONS, allowed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def realm(echo: Echo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("realm")
    offers = store("data", folder / "data") + service("echo", echo.port)
    with closing(Realm(folder / "realm", offers)) as made:
        made.data = folder / "data"
        yield made


@pytest.fixture(scope="module")
def ada(realm: Realm) -> Guest:
    return realm.guest("Ada", ["read:data", "write:data", "connect:echo"])


@pytest.fixture
def entry(realm: Realm, tmp_path: Path) -> Pass:
    """A grant of the owner, with files for Python's TLS."""
    realm.owner.act("hall.admit", hall=HALL, guest={"person": realm.owner.id},
                    rights=["read:data", "write:data"])  # fmt: skip
    return opened(realm.owner, tmp_path / "pass")


def memory_of(realm: Realm) -> int:
    """The bytes of the gateway's resident memory."""
    status = Path(f"/proc/{realm.gateway.program.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def knock(realm: Realm) -> socket.socket:
    return socket.create_connection(("127.0.0.1", realm.gateway.hall_port), timeout=60)


def visit_console(realm: Realm) -> socket.socket:
    return socket.create_connection(("127.0.0.1", realm.gateway.port), timeout=60)


def enter(realm: Realm, entry: Pass, context: ssl.SSLContext | None = None, **how) -> ssl.SSLSocket:
    """A TLS connection to the hall listener."""
    return (context or tls(entry)).wrap_socket(knock(realm), **how)


def tls(entry: Pass) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(entry.bundle))
    context.check_hostname = False
    context.load_cert_chain(entry.certificate, entry.key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def ended_after(stream: socket.socket, began: float, ended: dict, name: str) -> None:
    """Reads to the end of the stream, and notes the seconds until then."""
    stream.settimeout(4 * HEAD_TIMEOUT_SECONDS)
    try:
        while stream.recv(65536):
            pass
    except TimeoutError:
        return
    except (ConnectionError, ssl.SSLError):
        pass
    ended[name] = time.monotonic() - began


def drip(stream: socket.socket, data: bytes) -> None:
    """Sends a byte each second, until the peer closes the connection."""
    try:
        for byte in data:
            stream.send(bytes([byte]))
            time.sleep(1)
    except OSError:
        pass


def test_slow_peers_are_disconnected_and_delay_nobody(
    realm: Realm, ada: Guest, entry: Pass
):
    """All at the same time, some send nothing and some send slowly: before, during and after TLS."""
    (realm.data / "hello").write_text("hello")
    head = b"GET /files/data/hello HTTP/1.1\r\nHost: hall\r\nX-Slow: " + b"x" * 1000
    client_hello = bytes.fromhex("160301020001")
    began, ended = time.monotonic(), {}
    slow = {
        "silent before TLS": (knock(realm), b""),
        "dripping a handshake": (knock(realm), client_hello + bytes(500)),
        "silent after TLS": (enter(realm, entry), b""),
        "half of HTTP/2": (enter(realm, entry), b"PRI * HTT"),
        "silent at the console": (visit_console(realm), b""),
        "dripping a head": (enter(realm, entry), head),
    }
    threads = []
    for name, (stream, data) in slow.items():
        threads.append(threading.Thread(target=ended_after, args=(stream, began, ended, name)))
        if data:
            threads.append(threading.Thread(target=drip, args=(stream, data), daemon=True))
    for thread in threads:
        thread.start()
    # Other people are served meanwhile.
    assert ada.run("get", f"{HALL}:data/hello", ada.home / "hello")
    for thread in threads:
        if not thread.daemon:
            thread.join(4 * HEAD_TIMEOUT_SECONDS)
    assert set(ended) == set(slow), "a slow peer is still connected"


def test_an_endless_head_and_a_malformed_head_are_refused(realm: Realm, entry: Pass):
    for data, answer in [
        (b"GET /" + b"x" * 200_000, b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000, b"431"),
        (b"\x00\x01\x02\r\n\r\n", b"400"),
    ]:
        with enter(realm, entry) as stream:
            try:
                stream.sendall(data)
            except OSError:
                pass
            got = b""
            try:
                while more := stream.recv(65536):
                    got += more
            except (ConnectionError, ssl.SSLError):
                pass
            assert got == b"" or answer in got.split(b"\r\n")[0], got


def test_readers_that_stop_reading_take_bounded_memory(realm: Realm, entry: Pass):
    with open(realm.data / "long", "wb") as file:
        file.truncate(2000 * MEGABYTE)
    before, readers = memory_of(realm), []
    context = tls(entry)
    for _ in range(40):
        reader = enter(realm, entry, context)
        reader.sendall(b"GET /files/data/long HTTP/1.1\r\nHost: hall\r\n\r\n")
        assert reader.recv(1)
        readers.append(reader)
    # The memory stops growing once the buffers of the gateway and of the kernel are full.
    last = 0
    while (now := memory_of(realm)) > last + MEGABYTE:
        last = now
        time.sleep(0.5)
    each = (now - before) / len(readers)
    print(f"{each / 1024:.0f} KiB for each reader that has stopped")
    assert each < 2 * MEGABYTE
    for reader in readers:
        reader.close()
    (realm.data / "long").unlink()


def test_ten_thousand_silent_strangers_leave_room_for_others(
    realm: Realm, ada: Guest, places: int
):
    """None begins a handshake. The gateway ends each after a while, so the machine's speed decides how
    many are connected at once."""
    inside = ada.open()
    with socket.create_connection(inside.address("echo")) as stream:
        stream.settimeout(60)
        stream.sendall(b"before")
        assert stream.recv(100) == b"before"
        before, idle, peak = memory_of(realm), [], 1
        try:
            for number in range(places):
                idle.append(knock(realm))
                if number % 500 == 0:
                    peak = max(peak, open_files(realm))
            peak = max(peak, open_files(realm))
            each = (memory_of(realm) - before) / peak
            print(f"{each:.0f} bytes for each of {peak} connections that were idle at once")
            assert each < BEFORE_TLS_BYTES
            # The open grant and the console go on.
            stream.sendall(b"meanwhile")
            assert stream.recv(100) == b"meanwhile"
            assert realm.owner.get("/api/me").expect()["id"] == realm.owner.id
            # The gateway has ended the silent connections, so there is room.
            idle[-1].settimeout(4 * HEAD_TIMEOUT_SECONDS)
            assert idle[-1].recv(1) == b""
            ada.run("connect", f"{HALL}:echo")
        finally:
            for connection in idle:
                connection.close()
    inside.close()
    assert "panicked" not in "\n".join(realm.gateway.program.lines)


def open_files(realm: Realm) -> int:
    """The number of files and connections that the gateway has open."""
    return len(list(Path(f"/proc/{realm.gateway.program.process.pid}/fd").iterdir()))


class Holder:
    """A separate program that holds idle connections."""

    def __init__(self, realm: Realm, entry: Pass, count: int):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("idle_connections.py"),
             str(realm.gateway.hall_port), str(count), entry.bundle, entry.certificate, entry.key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until_all_are_held(self) -> None:
        assert self.process.stdout.readline() == "held\n", "an idle connection was ended"

    def end(self) -> list[str]:
        """Ends the program and returns its further lines: none, if no connection was lost."""
        said = self.process.communicate(timeout=60)[0].splitlines()
        assert self.process.returncode == 0
        return said


def test_ten_thousand_idle_guests_stay_and_one_more_is_refused(
    echo: Echo, tmp_path: Path
):
    """Each of the ten thousand connections has done its handshake and got an answer."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = CONNECTIONS + 2000
    assert hard == resource.RLIM_INFINITY or hard >= needed, (
        f"`ulimit -Hn` is {hard}: a gateway with {CONNECTIONS} connections needs {needed}"
    )
    room = CONNECTIONS + 40
    folder = tmp_path / "realm"
    offers = f"connections = {room}\n" + store("data", tmp_path / "data") + service("echo", echo.port)
    with closing(Realm(folder, offers + "[limits]\nconnections = 1000\n")) as realm:
        realm.owner.act("hall.admit", hall=HALL, guest={"person": realm.owner.id},
                        rights=["read:data"])  # fmt: skip
        entry = opened(realm.owner, tmp_path / "pass")
        bob = realm.guest("Bob", ["connect:echo"])
        inside = bob.open()
        with socket.create_connection(inside.address("echo")) as stream:
            stream.settimeout(60)
            stream.sendall(b"before")
            assert stream.recv(100) == b"before"
            before = memory_of(realm)
            holders = [Holder(realm, entry, CONNECTIONS // 2) for _ in range(2)]
            for holder in holders:
                holder.wait_until_all_are_held()
            assert open_files(realm) > CONNECTIONS
            each = (memory_of(realm) - before) / CONNECTIONS
            print(f"{each:.0f} bytes for each of {CONNECTIONS} idle connections inside")
            assert each < AFTER_TLS_BYTES
            # A few places are left. After them, the next connection is refused.
            heads, context, late = [], tls(entry), []
            for _ in range(room - CONNECTIONS + 1):
                late.append(enter(realm, entry, context))
                late[-1].sendall(b"GET /grant HTTP/1.1\r\nHost: hall\r\n\r\n")
                heads.append(late[-1].recv(65536).split(b"\r\n")[0])
            assert heads[0].startswith(b"HTTP/1.1 200") and heads[-1].startswith(b"HTTP/1.1 503")
            # The open grant and the console go on.
            stream.sendall(b"meanwhile")
            assert stream.recv(100) == b"meanwhile"
            assert realm.owner.get("/api/me").expect()["id"] == realm.owner.id
            assert [holder.end() for holder in holders] == [[], []], "an idle connection was lost"
            for connection in late:
                connection.close()
        while bob.try_to("connect", f"{HALL}:echo").returncode != 0:
            time.sleep(0.1)
        inside.close()
        assert "panicked" not in "\n".join(realm.gateway.program.lines)


def test_one_connection_too_many_is_refused_with_a_reason(echo: Echo, tmp_path: Path):
    few = 30
    offers = service("echo", echo.port) + f"[limits]\nconnections = {few}\n"
    with closing(Realm(tmp_path / "realm", offers)) as realm:
        bob = realm.guest("Bob", ["connect:echo"])
        inside = bob.open()
        realm.owner.act("hall.admit", hall=HALL, guest={"person": realm.owner.id},
                        rights=["connect:echo"])  # fmt: skip
        entry = opened(realm.owner, tmp_path / "pass")
        with socket.create_connection(inside.address("echo")) as stream:
            stream.settimeout(60)
            stream.sendall(b"before")
            assert stream.recv(100) == b"before"
            idle = [knock(realm) for _ in range(few)]
            with enter(realm, entry) as surplus:
                surplus.sendall(b"GET /grant HTTP/1.1\r\nHost: hall\r\n\r\n")
                head, _, body = read_to_end(surplus).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503") and b"retry-after" in head, head
            assert json.loads(body)["code"] == "full"
            refused = bob.try_to("connect", f"{HALL}:echo")
            assert refused.returncode == 1, refused.stdout
            assert "too many connections open" in refused.stderr, refused.stderr
            stream.sendall(b"meanwhile")
            assert stream.recv(100) == b"meanwhile"
            assert realm.owner.get("/api/me").expect()["id"] == realm.owner.id
            for connection in idle:
                connection.close()
        while bob.try_to("connect", f"{HALL}:echo").returncode != 0:
            time.sleep(0.1)
        inside.close()


def read_to_end(stream: socket.socket) -> bytes:
    got = b""
    while more := stream.recv(65536):
        got += more
    return got


def test_idle_guests_take_little_memory(realm: Realm, entry: Pass):
    (realm.data / "hello").write_text("hello")
    context, guests = tls(entry), []
    session = None
    before = memory_of(realm)
    for _ in range(500):
        guest = enter(realm, entry, context, session=session)
        guest.sendall(b"GET /files/data/hello HTTP/1.1\r\nHost: hall\r\n\r\n")
        assert guest.recv(65536).startswith(b"HTTP/1.1 200")
        session = session or guest.session
        guests.append(guest)
    each = (memory_of(realm) - before) / len(guests)
    print(f"{each:.0f} bytes for each idle guest")
    assert each < AFTER_TLS_BYTES
    for guest in guests:
        guest.close()


class Moody(http.server.BaseHTTPRequestHandler):
    """A proxy before an object store, which answers 503 while a test wants it."""

    protocol_version = "HTTP/1.1"

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        with server.lock:
            server.asked += 1
            if server.down_after is not None:
                server.down_after -= 1
                server.is_down |= server.down_after < 0
            fails = server.is_down or (server.flaky and server.asked % 3 == 0)
            server.refused += fails
        if fails:
            self.send_response(503, "Slow Down")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        behind = http.client.HTTPConnection(*server.target, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        length = answer.headers["Content-Length"] if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(content)
        behind.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def moody(tmp_path: Path):
    """An object store that a test can make fail; returns the proxy."""
    store = ObjectStore(tmp_path / "objects", "lab")
    front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    front.target, front.lock = ("127.0.0.1", store.port), threading.Lock()
    front.asked, front.refused, front.is_down, front.flaky = 0, 0, False, False
    front.down_after = None
    front.address = f"http://127.0.0.1:{front.server_port}"
    front.store = store
    threading.Thread(target=front.serve_forever, daemon=True).start()
    yield front
    front.shutdown()
    store.stop()


def test_requests_to_a_failing_bucket_are_repeated_for_a_while(
    moody, tmp_path: Path
):
    store, secret = moody.store, tmp_path / "s3.secret"
    offers = f'[[hall.stores]]\nhall = "{HALL}"\nname = "data"\n'
    offers += store.settings("hall.stores.bucket", secret, moody.address)
    with closing(Realm(tmp_path / "realm", offers)) as realm:
        bob = realm.guest("Bob", ["read:data", "write:data"])
        session = bob.open()
        big, back = tmp_path / "big", tmp_path / "back"
        big.write_bytes(os.urandom(20 * MEGABYTE))
        # Every third request fails. The commands succeed, and take longer.
        moody.flaky = True
        bob.run("put", big, f"{HALL}:data")
        bob.run("get", f"{HALL}:data/big", back)
        assert back.read_bytes() == big.read_bytes() and moody.refused > 3
        moody.flaky, moody.is_down = False, True
        listed = bob.try_to("ls", f"{HALL}:data")
        assert listed.returncode == 1 and "store is out of order" in listed.stderr, listed.stderr
        # An upload keeps its parts while the store is down, and goes on afterwards.
        moody.is_down, moody.down_after = False, 4
        putting = bob.start("put", "--force", big, f"{HALL}:data/again")
        assert any("trying again" in line for line in putting.stderr)
        assert "again" not in store.names()
        moody.is_down, moody.down_after = False, None
        said, complained = putting.communicate(timeout=120)
        assert putting.returncode == 0, said + complained
        assert store.read("again") == big.read_bytes()
        assert store.names() == {"big", "again"}
        session.close()
