"""How many bytes, seconds, places and rows one stranger or one person can make a gateway spend."""

import http.client
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api_caller import Caller, Person
from gateway_process import ROOT, Gateway
from http2_peer import CANCEL, CONTINUATION, GOAWAY, HEADERS, PING, RST_STREAM, Peer, frame
from process_memory import MIB, most_bytes
from soft_device import Device, Maker

# Values for the parameters in the paths of the API description. They name nothing that exists.
NO_SUCH_THING = {
    "id": "00000000-0000-7000-8000-000000000000",
    "hash": "00" * 32,
    "name": "none",
    "realm": "none",
    "hall": "none",
    "store": "none",
    "path": "none",
}
#: A body that the gateway reads as a stream once it knows the sender. It refuses other senders first.
STREAMED_PATH = "/api/device/transactions"
LARGE_BYTES = 20 * MIB


@pytest.fixture
def lone_owner(gateway: Gateway) -> Person:
    """The owner of a gateway that no other test uses, so that its memory can be measured."""
    return Person.owner(gateway)


@pytest.fixture
def camera(lone_owner: Person) -> Device:
    maker = Maker()
    lone_owner.act("maker.add", name=maker.name, certificate=maker.pem)
    camera = Device(lone_owner.origin, maker, "CAM-1")
    camera.enrol(lone_owner)
    return camera


def posts(gateway: Gateway) -> list[str]:
    """The path of every POST route in the API description."""
    paths = json.loads(gateway.get("/openapi.json"))["paths"]
    found = [path.format(**NO_SUCH_THING) for path, methods in paths.items() if "post" in methods]
    assert len(found) > 25
    return found


def begin(caller: Caller, path: str, length: int, body: bytes = b"") -> socket.socket:
    """Sends a POST that announces a body of `length` bytes, but sends only `body` of it."""
    place = urlsplit(caller.origin)
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    session = "".join(f"{name}: {value}\r\n" for name, value in caller.headers.items())
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        f"{session}Content-Length: {length}\r\n\r\n".encode()
        + body
    )
    return connection


def answer(connection: socket.socket) -> tuple[int, dict]:
    """The status and the problem that the gateway answers."""
    with closing(connection):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def test_every_post_ends_when_its_body_does_not_come(gateway: Gateway, lone_owner: Person):
    waiting = {path: begin(lone_owner, path, 20, b"{") for path in posts(gateway)}
    for path, connection in waiting.items():
        status, problem = answer(connection)
        if path == STREAMED_PATH:
            assert status == 400, path
        else:
            assert (status, problem["code"]) == (408, "too-slow"), path


def test_every_post_refuses_an_announced_body_of_ten_megabytes(gateway: Gateway, lone_owner: Person):
    for path in posts(gateway):
        status, problem = answer(begin(lone_owner, path, 10 * MIB))
        if path == STREAMED_PATH:
            assert status == 400, path
        else:
            assert (status, problem["code"]) == (413, "too-large"), path


def test_strangers_are_refused_before_their_body_arrives(gateway: Gateway, lone_owner: Person):
    status, problem = answer(begin(Caller(gateway.origin), "/api/acts", 20, b"{"))
    assert (status, problem["code"]) == (401, "sign-in")


#: Request heads close to the bound: one long field, or as many fields as fit.
ONE_FIELD = {"x-long": "x" * 12_000}
LONG_FIELD = {"x-long": "x" * 60_000}
MANY_FIELDS = {f"x-{number}": "x" for number in range(1_500)}


@pytest.mark.parametrize(
    ("path", "signed_in", "peers", "each", "more"),
    [
        ("/devices", True, 200, 60, {}),
        ("/openapi.json", False, 100, 10, {}),
        ("/api/transactions", True, 200, 60, ONE_FIELD),
        ("/api/transactions", True, 200, 60, LONG_FIELD),
        ("/api/transactions", True, 200, 60, MANY_FIELDS),
        ("/healthz", False, 200, 60, ONE_FIELD),
        ("/no-such-page", False, 200, 60, LONG_FIELD),
        ("/api/me", False, 200, 60, MANY_FIELDS),
    ],
    ids=lambda value: f"{len(value)} fields" if isinstance(value, dict) else str(value),
)
def test_unread_answers_take_bounded_memory(
    gateway: Gateway,
    lone_owner: Person,
    path: str,
    signed_in: bool,
    peers: int,
    each: int,
    more: dict[str, str],
):
    """Each stream has a window of 0: the gateway can make an answer, but can't send it.

    Unread answers may take 64 MiB of the bound. The rest is for the connections, for requests being
    handled, and for memory that the allocator keeps.
    """
    gateway.get("/openapi.json")
    before = most_bytes(gateway)
    fields = {"authorization": lone_owner.headers["Authorization"]} if signed_in else {}
    fields |= more
    idle = [Peer(gateway.origin, 0, **fields) for _ in range(peers)]
    for peer in idle:
        # The gateway may have closed the connection.
        with suppress(ConnectionError):
            peer.send(b"".join(peer.asking(path) for _ in range(each)))
    begun = 0
    for peer in idle:
        begun += peer.heads(each)
        # A peer that reads is always served; a peer that asks for too much gets 429.
        assert lone_owner.get("/api/me").status in ((200, 429) if signed_in else (200,))
    assert begun > each, "only one peer was answered"
    grown = most_bytes(gateway) - before
    assert grown < 200 * MIB, f"memory grew by {grown / MIB:.0f} MiB"
    for peer in idle:
        peer.close()


def test_unread_payloads_are_not_kept_in_memory(
    gateway: Gateway, lone_owner: Person, camera: Device
):
    payload = os.urandom(LARGE_BYTES)
    camera.send(camera.compose(payload), payload).expect_bytes(201)
    hash = lone_owner.get("/api/transactions").expect()["items"][0]["evidence"]
    path = f"/api/transactions/{hash}/payload"
    before = most_bytes(gateway)
    place = urlsplit(gateway.origin)
    unread = []
    for _ in range(24):
        connection = socket.create_connection((place.hostname, place.port), timeout=20)
        session = lone_owner.headers["Authorization"]
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: {session}\r\n\r\n".encode()
        )
        assert connection.recv(12) == b"HTTP/1.1 200"
        unread.append(connection)
    assert lone_owner.get(path).expect_bytes(200) == payload
    grown = most_bytes(gateway) - before
    assert grown < 100 * MIB, f"memory grew by {grown / MIB:.0f} MiB"
    for connection in unread:
        connection.close()


def test_many_thumbnails_of_one_picture_take_the_memory_of_one(
    gateway: Gateway, lone_owner: Person, camera: Device
):
    # Bytes after the end of the JPEG data belong to the file.
    picture = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes() + bytes(LARGE_BYTES)
    signed = camera.compose(picture, media_type="image/jpeg", file_name="cat.jpg")
    camera.send(signed, picture).expect_bytes(201)
    hash = lone_owner.get("/api/transactions").expect()["items"][0]["evidence"]
    before = most_bytes(gateway)
    with ThreadPoolExecutor(16) as together:
        small = list(
            together.map(
                lambda _: lone_owner.get(f"/api/transactions/{hash}/thumbnail").expect_bytes(200),
                range(48),
            )
        )
    assert len(set(small)) == 1 and small[0].startswith(b"\xff\xd8\xff")
    grown = most_bytes(gateway) - before
    assert grown < 100 * MIB, f"memory grew by {grown / MIB:.0f} MiB"
    # The signed file is the picture with the evidence inside.
    carrying = lone_owner.get(f"/api/transactions/{hash}/signed").expect_bytes(200)
    assert len(carrying) > len(picture) and carrying.endswith(bytes(LARGE_BYTES))


def rows(gateway: Gateway, table: str) -> int:
    with closing(sqlite3.connect(gateway.folder / "hallway.db")) as database:
        return database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_repeated_announcements_of_a_device_leave_one_row(
    gateway: Gateway, lone_owner: Person
):
    maker = Maker()
    lone_owner.act("maker.add", name=maker.name, certificate=maker.pem)
    device = Device(lone_owner.origin, maker, "CAM-2")
    codes = []
    for _ in range(50):
        device.factory_reset()
        codes.append(device.code())
    assert rows(gateway, "announcement") == 1
    # Only the newest code works.
    for code in codes[-3:-1]:
        lone_owner.post("/api/devices/code", {"code": code}).refused(404, "not-found")
    device.id = lone_owner.act("device.claim", code=codes[-1])["device"]["id"]
    assert device.status().expect()["state"] == "registered"


class Watch:
    """Tells whether the database of a gateway has changed."""

    def __init__(self, gateway: Gateway):
        self.database = sqlite3.connect(f"file:{gateway.folder}/hallway.db?mode=ro", uri=True)

    def version(self) -> int:
        """SQLite's `data_version`: it changes when another connection commits a change."""
        return self.database.execute("PRAGMA data_version").fetchone()[0]


@pytest.fixture
def watch(gateway: Gateway) -> Iterator[Watch]:
    watch = Watch(gateway)
    yield watch
    watch.database.close()


def test_refused_requests_of_a_device_write_nothing(
    lone_owner: Person, camera: Device, watch: Watch
):
    for change, state in [
        ("suspend", "suspended"),
        ("reinstate", "registered"),
        ("report_stolen", "stolen"),
        ("retire", "retired"),
    ]:
        lone_owner.act(f"device.{change}", device=camera.id)
        camera.status().expect()
        before = watch.version()
        for _ in range(30):
            assert camera.status().expect()["state"] == state
        assert watch.version() == before, state


def test_a_used_sequence_number_is_refused_before_the_payload_is_stored(
    gateway: Gateway, camera: Device
):
    first = os.urandom(20_000)
    camera.send(camera.compose(first), first).expect_bytes(201)
    stored = sorted((gateway.folder / "objects").rglob("*"))
    for _ in range(10):
        camera.sequence = 0
        payload = os.urandom(20_000)
        camera.send(camera.compose(payload), payload).refused(409, "out-of-order")
    assert sorted((gateway.folder / "objects").rglob("*")) == stored


def ended(peer: Peer) -> bool:
    """Whether the gateway has closed the connection."""
    try:
        while got := peer.read():
            if got[0] == GOAWAY:
                return True
    except OSError:
        pass
    return True


def send_all(peer: Peer, frames: Iterator[bytes]) -> None:
    """Sends frames until the gateway takes no more."""
    try:
        for each in frames:
            peer.send(each)
    except OSError:
        pass


def test_a_flood_of_reset_requests_ends_the_connection(gateway: Gateway):
    """Rapid reset, CVE-2023-44487."""
    peer = Peer(gateway.origin)
    reset = CANCEL.to_bytes(4)
    send_all(
        peer,
        (peer.asking("/") + frame(RST_STREAM, 0, peer.stream, reset) for _ in range(5000)),
    )
    assert ended(peer)
    assert gateway.get("/healthz") == b"ok\n"


@pytest.mark.parametrize("kind", ["continuation", "ping", "long head"])
def test_a_flood_of_frames_takes_little_memory(gateway: Gateway, kind: str):
    before = most_bytes(gateway)
    peer = Peer(gateway.origin)
    peer.socket.settimeout(3)
    if kind == "ping":
        send_all(peer, (frame(PING, 0, 0, bytes(8)) * 100 for _ in range(2000)))
    elif kind == "continuation":
        # A head that never ends.
        peer.send(frame(HEADERS, 0, 1, peer.head("/")))
        field = b"\0\x01x\x7f\x81\x7f" + bytes(16_000)
        send_all(peer, (frame(CONTINUATION, 0, 1, field[:16_000]) for _ in range(4000)))
        assert ended(peer)
    else:
        peer.headers = {f"x-{number}": "y" * 100 for number in range(2000)}
        head = peer.head("/")
        parts = [head[at : at + 16_000] for at in range(0, len(head), 16_000)]
        peer.send(frame(HEADERS, 0, 1, parts[0]))
        send_all(peer, (frame(CONTINUATION, 0, 1, part) for part in parts[1:]))
        assert ended(peer) or peer.heads(1) == 1
    peer.close()
    grown = most_bytes(gateway) - before
    assert grown < 40 * MIB, f"memory grew by {grown / MIB:.0f} MiB"
    assert gateway.get("/healthz") == b"ok\n"


def follow(caller: Caller) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(caller.origin).netloc, timeout=30)
    connection.request("GET", "/api/events", headers=caller.headers)
    return connection, connection.getresponse()


def test_one_person_follows_at_most_sixteen_streams(lone_owner: Person):
    mia = lone_owner.invite("Mia")
    followed = [follow(lone_owner) for _ in range(16)]
    assert {answer.status for _, answer in followed} == {200}
    connection, refused = follow(lone_owner)
    assert (refused.status, json.loads(refused.read())["code"]) == (429, "too-many")
    assert int(refused.headers["Retry-After"]) > 0
    connection.close()
    others, answer = follow(mia)
    assert answer.status == 200
    others.close()
    # The place is free again when the stream ends.
    for connection, _ in followed:
        connection.close()
    while True:
        connection, answer = follow(lone_owner)
        connection.close()
        if answer.status == 200:
            break


def test_every_operation_of_the_description_states_its_bounds(gateway: Gateway):
    paths = json.loads(gateway.get("/openapi.json"))["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert {"413", "429", "503"} <= operation["responses"].keys(), f"{method} {path}"
            assert "at a time" in operation["description"], f"{method} {path}"
