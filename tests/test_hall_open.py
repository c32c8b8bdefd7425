"""`hallway open`: one touch opens local doors to services; and how the doors close."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_caller import Person
from gateway_process import hallway
from hall_place import HALL, Echo, Guest, Realm, free_port, service

CERTIFICATE_SECONDS = 5


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture(scope="module")
def realm(echo: Echo, tmp_path_factory) -> Iterator[Realm]:
    offers = service("echo", echo.port) + service("other", echo.port) + service("away", free_port())
    # Certificates last a few seconds, so every longer test includes renewals.
    made = Realm(tmp_path_factory.mktemp("realm"), offers, certificate_seconds=CERTIFICATE_SECONDS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ada(realm: Realm) -> Guest:
    return realm.guest("Ada", ["connect:echo", "connect:away"])


def exchange(stream: socket.socket, data: bytes) -> bytes:
    """Sends the data and the end of the stream, and reads to the end at the same time."""
    stream.settimeout(30)

    def send() -> None:
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send)
    sending.start()
    got = b""
    while piece := stream.recv(65536):
        got += piece
    sending.join()
    return got


def is_cut(stream: socket.socket) -> bool:
    """Whether the other side ends the stream within seconds."""
    stream.settimeout(10)
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True


def test_a_touch_binds_services_to_ports_and_sockets(realm: Realm, ada: Guest):
    path = ada.home / "echo.sock"
    opened = ada.open("--rights", "connect:echo", "--bind", f"echo=unix:{path}", "--for", "30m")
    assert opened.doors["rights"] == ["connect:echo"]
    assert path.stat().st_mode & 0o777 == 0o600
    data = os.urandom(3_000_000)
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(path))
        assert exchange(stream, data) == data
    opened.close()
    assert not path.exists()
    opened = ada.open()
    assert opened.doors["rights"] == ["connect:away", "connect:echo"]
    host, port = opened.address("echo")
    assert host == "127.0.0.1"
    with socket.create_connection((host, port)) as stream:
        assert exchange(stream, b"hello") == b"hello"
    # A service that does not answer does not disturb the other services.
    with socket.create_connection(opened.address("away")) as stream:
        assert is_cut(stream)
    assert "away" in opened.wait_for("problem")["detail"]
    opened.close()
    grants = ada.json("hall", "grants")["items"]
    assert grants and all(grant["ended_ms"] for grant in grants)


def test_connect_uses_the_open_grant_or_opens_one(realm: Realm, ada: Guest):
    def connect(data: bytes) -> bytes:
        done = subprocess.run(
            [hallway(), "connect", f"{HALL}:echo"],
            env=ada.environment,
            input=data,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = os.urandom(1_000_000)
    before = realm.log_size()
    assert connect(data) == data
    assert realm.log_size() == before + 1, "connect must open the hall by one touch"
    opened = ada.open("--rights", "connect:echo")
    before = realm.log_size()
    assert connect(data) == data
    assert realm.log_size() == before, "connect must use the open grant without a touch"
    ada.refused("connect", f"{HALL}:other", words="other")
    opened.close()


def test_one_command_at_a_time_opens_a_hall_and_its_socket_is_private(ada: Guest):
    opened = ada.open("--rights", "connect:echo")
    path = Path(opened.doors["socket"].removeprefix("unix:"))
    assert path == ada.runtime / "hallway" / f"{HALL}.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    ada.refused("open", HALL, words="is open already")
    opened.close()
    # A killed command leaves its socket. The next one replaces it.
    opened = ada.open("--rights", "connect:echo")
    opened.process.kill()
    opened.process.wait()
    assert path.exists()
    ada.open("--rights", "connect:echo").close()


def test_only_admitted_rights_can_be_opened(realm: Realm, ada: Guest):
    before = realm.log_size()
    ada.refused("open", HALL, "--rights", "connect:other", words="connect to “other”")
    ada.refused("open", "cellar", words="cellar")
    stranger = realm.guest("Eve", [])
    ada.refused("open", HALL, "--rights", "connect:echo", "--bind", "away=0", words="away")
    stranger.refused("open", HALL, words=HALL)
    assert ada.try_to("open", HALL, "--rights", "read:*").returncode == 2
    assert ada.try_to("open", HALL, "--for", "soon").returncode == 2
    assert realm.log_size() >= before


def test_a_certificate_is_renewed_and_streams_go_on(realm: Realm, ada: Guest):
    opened = ada.open("--rights", "connect:echo")
    before = realm.log_size()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        first = opened.wait_for("renewed")["certificate_ends_ms"]
        second = opened.wait_for("renewed")["certificate_ends_ms"]
        assert first < second <= opened.doors["ends_ms"]
        # By now the first certificate has expired.
        stream.sendall(b"still here")
        assert stream.recv(100) == b"still here"
    with socket.create_connection(opened.address("echo")) as stream:
        assert exchange(stream, b"new") == b"new"
    assert realm.log_size() == before, "a renewal must need no touch"
    opened.close()


def lose_the_key(realm: Realm, guest: Guest) -> None:
    """Recovers the person with a new key, which removes the lost one."""
    link = realm.owner.act("people.recover", person=guest.id)["link"]
    Person(realm.gateway.origin, link)


def dismiss(realm: Realm, guest: Guest) -> None:
    realm.owner.act("hall.dismiss", hall=HALL, guest={"person": guest.id})


ENDS = {
    "ended": lambda realm, guest, grant: realm.owner.act("hall.end", grant=grant),
    "dismissed": lambda realm, guest, grant: dismiss(realm, guest),
    "suspended": lambda realm, guest, grant: realm.owner.act("people.suspend", person=guest.id),
    "key-lost": lambda realm, guest, grant: lose_the_key(realm, guest),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_end_of_a_grant_cuts_its_streams(realm: Realm, how: str):
    guest = realm.guest(f"Bob-{how}", ["connect:echo"])
    opened = guest.open()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        ENDS[how](realm, guest, opened.doors["grant"])
        assert is_cut(stream)
    reason = opened.wait_for("ended")["reason"]
    assert not any(word in reason for word in ("Alert", "rustls", "certificate_")), reason
    assert opened.process.wait(30) == 1
    if how == "ended":
        guest.open().close()
    else:
        assert guest.try_to("open", HALL).returncode == 1


def test_a_hall_closes_at_the_end_of_its_time(ada: Guest):
    opened = ada.open("--rights", "connect:echo", "--for", "6s")
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        assert stream.recv(1) == b""
    reason = opened.wait_for("ended")["reason"]
    assert reason == f"its time of 6 seconds is over. Open it again with hallway open {HALL}.", reason
    assert opened.process.wait(30) == 0, "".join(opened.said)


def test_a_killed_client_leaves_no_open_stream(realm: Realm, echo: Echo, ada: Guest):
    opened = ada.open("--rights", "connect:echo")
    while not echo.ended.empty():
        echo.ended.get()
    stream = socket.create_connection(opened.address("echo"))
    stream.sendall(b"1234")
    stream.settimeout(30)
    stream.recv(4)
    opened.process.send_signal(signal.SIGKILL)
    opened.process.wait()
    assert echo.ended.get(timeout=30) == 4, "the service did not see the end of the stream"
    stream.close()


def test_an_opening_survives_a_kill_of_the_gateway(echo: Echo, tmp_path: Path):
    # The certificates last as long as usual: one that expired during the kill could not be renewed.
    realm = Realm(tmp_path / "realm", service("echo", echo.port))
    opened = realm.guest("Ada", ["connect:echo"]).open()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        realm.gateway.kill()
        assert is_cut(stream)
    assert opened.wait_for("problem")["detail"]
    realm.gateway.start_again()
    with socket.create_connection(opened.address("echo")) as stream:
        assert exchange(stream, b"again") == b"again"
    opened.close()
    realm.close()


def test_a_gateway_that_stops_cuts_the_streams_of_its_guests(echo: Echo, tmp_path: Path):
    realm = Realm(tmp_path / "realm", service("echo", echo.port))
    opened = realm.guest("Ada", ["connect:echo"]).open()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        realm.gateway.stop()
        assert is_cut(stream)
    realm.gateway.start_again()
    opened.close()
    realm.close()


def test_lists_and_json_output_show_halls_and_grants(realm: Realm, ada: Guest):
    [hall] = ada.json("hall", "list")
    assert (hall["name"], hall["title"]) == (HALL, "The laboratory")
    shown = ada.json("hall", "show", HALL)
    assert {offer["name"] for offer in shown["services"]} == {"echo", "away"}, "Ada may use these two"
    assert "The laboratory" in ada.run("hall", "list").stdout
    told = ada.run("hall", "show", HALL).stdout
    assert "title     The laboratory\n" in told and "\nSERVICE\n" in told
    assert ada.try_to("hall", "end", "no-grant").returncode == 2
    grants = json.loads(ada.run("hall", "grants", "--json").stdout)
    assert all(row["person"] == ada.id for row in grants["items"])
