"""What one stranger, or one person, can make a gateway spend: bytes, time, places, rows."""

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

# Numbers for what stands in braces in the paths of the description.
NOWHERE = {
    "id": "00000000-0000-7000-8000-000000000000",
    "hash": "00" * 32,
    "name": "none",
    "realm": "none",
    "hall": "none",
    "store": "none",
    "path": "none",
}
#: What is read as it comes, once it is known who sends it: others are refused before.
STREAMED = "/api/device/transactions"
LARGE = 20 * MIB


@pytest.fixture
def owner_of(gateway: Gateway) -> Person:
    """The owner of a gateway that nobody else has used: its memory is its own."""
    return Person.owner(gateway)


@pytest.fixture
def camera(owner_of: Person) -> Device:
    maker = Maker()
    owner_of.act("maker.add", name=maker.name, certificate=maker.pem)
    camera = Device(owner_of.origin, maker, "CAM-1")
    camera.enrol(owner_of)
    return camera


def posts(gateway: Gateway) -> list[str]:
    """The path of every POST route that the description has."""
    paths = json.loads(gateway.get("/openapi.json"))["paths"]
    found = [path.format(**NOWHERE) for path, methods in paths.items() if "post" in methods]
    assert len(found) > 25
    return found


def begin(caller: Caller, path: str, length: int, body: bytes = b"") -> socket.socket:
    """A POST whose body is `length` bytes, of which only `body` comes."""
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
    """Status and problem of the answer."""
    with closing(connection):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def test_no_post_waits_for_ever_for_its_body(gateway: Gateway, owner_of: Person):
    waiting = {path: begin(owner_of, path, 20, b"{") for path in posts(gateway)}
    for path, connection in waiting.items():
        status, problem = answer(connection)
        if path == STREAMED:
            assert status == 400, path
        else:
            assert (status, problem["code"]) == (408, "too-slow"), path


def test_no_post_takes_what_it_says_is_ten_megabytes(gateway: Gateway, owner_of: Person):
    for path in posts(gateway):
        status, problem = answer(begin(owner_of, path, 10 * MIB))
        if path == STREAMED:
            assert status == 400, path
        else:
            assert (status, problem["code"]) == (413, "too-large"), path


def test_strangers_are_refused_before_their_body_came(gateway: Gateway, owner_of: Person):
    status, problem = answer(begin(Caller(gateway.origin), "/api/acts", 20, b"{"))
    assert (status, problem["code"]) == (401, "sign-in")


#: Heads as long as they may be: one field, and as many as fit.
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
def test_answers_that_nobody_reads_stay_few_in_memory(
    gateway: Gateway,
    owner_of: Person,
    path: str,
    signed_in: bool,
    peers: int,
    each: int,
    more: dict[str, str],
):
    """A window of 0 for each stream: an answer can be made, and not be sent.

    Of the bound, 64 MiB are what may be unread; the rest is for the connections themselves, for
    requests that are looked at, and for what the allocator keeps.
    """
    gateway.get("/openapi.json")
    before = most_bytes(gateway)
    fields = {"authorization": owner_of.headers["Authorization"]} if signed_in else {}
    fields |= more
    idle = [Peer(gateway.origin, 0, **fields) for _ in range(peers)]
    for peer in idle:
        # The gateway may have ended the connection.
        with suppress(ConnectionError):
            peer.send(b"".join(peer.asking(path) for _ in range(each)))
    begun = 0
    for peer in idle:
        begun += peer.heads(each)
        # Whoever reads is served all the time; one who asks for that much is told to wait.
        assert owner_of.get("/api/me").status in ((200, 429) if signed_in else (200,))
    assert begun > each, "more than one peer was answered"
    grown = most_bytes(gateway) - before
    assert grown < 200 * MIB, f"{grown / MIB:.0f} MiB"
    for peer in idle:
        peer.close()


def test_payloads_that_nobody_reads_are_not_in_memory(
    gateway: Gateway, owner_of: Person, camera: Device
):
    payload = os.urandom(LARGE)
    camera.send(camera.compose(payload), payload).expect_bytes(201)
    hash = owner_of.get("/api/transactions").expect()["items"][0]["evidence"]
    path = f"/api/transactions/{hash}/payload"
    before = most_bytes(gateway)
    place = urlsplit(gateway.origin)
    unread = []
    for _ in range(24):
        connection = socket.create_connection((place.hostname, place.port), timeout=20)
        session = owner_of.headers["Authorization"]
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: {session}\r\n\r\n".encode()
        )
        assert connection.recv(12) == b"HTTP/1.1 200"
        unread.append(connection)
    assert owner_of.get(path).expect_bytes(200) == payload
    grown = most_bytes(gateway) - before
    assert grown < 100 * MIB, f"{grown / MIB:.0f} MiB"
    for connection in unread:
        connection.close()


def test_thumbnails_of_one_picture_cost_as_much_as_one(
    gateway: Gateway, owner_of: Person, camera: Device
):
    # What follows a picture belongs to its bytes.
    picture = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes() + bytes(LARGE)
    signed = camera.compose(picture, media_type="image/jpeg", file_name="cat.jpg")
    camera.send(signed, picture).expect_bytes(201)
    hash = owner_of.get("/api/transactions").expect()["items"][0]["evidence"]
    before = most_bytes(gateway)
    with ThreadPoolExecutor(16) as together:
        small = list(
            together.map(
                lambda _: owner_of.get(f"/api/transactions/{hash}/thumbnail").expect_bytes(200),
                range(48),
            )
        )
    assert len(set(small)) == 1 and small[0].startswith(b"\xff\xd8\xff")
    grown = most_bytes(gateway) - before
    assert grown < 100 * MIB, f"{grown / MIB:.0f} MiB"
    # The picture with its evidence is the picture, and the evidence.
    carrying = owner_of.get(f"/api/transactions/{hash}/signed").expect_bytes(200)
    assert len(carrying) > len(picture) and carrying.endswith(bytes(LARGE))


def rows(gateway: Gateway, table: str) -> int:
    with closing(sqlite3.connect(gateway.folder / "hallway.db")) as database:
        return database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_a_device_that_announces_itself_again_and_again_leaves_one_row(
    gateway: Gateway, owner_of: Person
):
    maker = Maker()
    owner_of.act("maker.add", name=maker.name, certificate=maker.pem)
    device = Device(owner_of.origin, maker, "CAM-2")
    codes = []
    for _ in range(50):
        device.factory_reset()
        codes.append(device.code())
    assert rows(gateway, "announcement") == 1
    # The code that it shows now is good, and no other.
    for code in codes[-3:-1]:
        owner_of.post("/api/devices/code", {"code": code}).refused(404, "not-found")
    device.id = owner_of.act("device.claim", code=codes[-1])["device"]["id"]
    assert device.status().expect()["state"] == "registered"


class Watch:
    """Tells whether anything was written to the database of a gateway."""

    def __init__(self, gateway: Gateway):
        self.database = sqlite3.connect(f"file:{gateway.folder}/hallway.db?mode=ro", uri=True)

    def version(self) -> int:
        """Another one after each commit of another connection that changed something."""
        return self.database.execute("PRAGMA data_version").fetchone()[0]


@pytest.fixture
def watch(gateway: Gateway) -> Iterator[Watch]:
    watch = Watch(gateway)
    yield watch
    watch.database.close()


def test_a_device_that_may_send_nothing_writes_nothing_by_asking(
    owner_of: Person, camera: Device, watch: Watch
):
    for change, state in [
        ("suspend", "suspended"),
        ("reinstate", "registered"),
        ("report_stolen", "stolen"),
        ("retire", "retired"),
    ]:
        owner_of.act(f"device.{change}", device=camera.id)
        camera.status().expect()
        before = watch.version()
        for _ in range(30):
            assert camera.status().expect()["state"] == state
        assert watch.version() == before, state


def test_a_number_that_was_used_is_refused_before_its_payload_is_stored(
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
    """Whether the connection was ended by the other side."""
    try:
        while got := peer.read():
            if got[0] == GOAWAY:
                return True
    except OSError:
        pass
    return True


def send_all(peer: Peer, frames: Iterator[bytes]) -> None:
    """Sends as long as the other side takes it."""
    try:
        for each in frames:
            peer.send(each)
    except OSError:
        pass


def test_requests_that_are_reset_at_once_end_the_connection(gateway: Gateway):
    """CVE-2023-44487."""
    peer = Peer(gateway.origin)
    reset = CANCEL.to_bytes(4)
    send_all(
        peer,
        (peer.asking("/") + frame(RST_STREAM, 0, peer.stream, reset) for _ in range(5000)),
    )
    assert ended(peer)
    assert gateway.get("/healthz") == b"ok\n"


@pytest.mark.parametrize("kind", ["continuation", "ping", "long head"])
def test_a_flood_of_frames_costs_little(gateway: Gateway, kind: str):
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
    assert grown < 40 * MIB, f"{grown / MIB:.0f} MiB"
    assert gateway.get("/healthz") == b"ok\n"


def follow(caller: Caller) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(caller.origin).netloc, timeout=30)
    connection.request("GET", "/api/events", headers=caller.headers)
    return connection, connection.getresponse()


def test_one_person_follows_so_many_streams_and_leaves_room_for_others(owner_of: Person):
    mia = owner_of.invite("Mia")
    followed = [follow(owner_of) for _ in range(16)]
    assert {answer.status for _, answer in followed} == {200}
    connection, refused = follow(owner_of)
    assert (refused.status, json.loads(refused.read())["code"]) == (429, "too-many")
    assert int(refused.headers["Retry-After"]) > 0
    connection.close()
    others, answer = follow(mia)
    assert answer.status == 200
    others.close()
    # A place is free again when its stream ends.
    for connection, _ in followed:
        connection.close()
    while True:
        connection, answer = follow(owner_of)
        connection.close()
        if answer.status == 200:
            break


def test_everything_in_the_description_states_its_bounds(gateway: Gateway):
    paths = json.loads(gateway.get("/openapi.json"))["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert {"413", "429", "503"} <= operation["responses"].keys(), f"{method} {path}"
            assert "at a time" in operation["description"], f"{method} {path}"
