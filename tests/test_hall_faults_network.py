"""The network between a visitor and a hall is cut. Transfers go on later; no unfinished file is visible."""

import hashlib
import os
import random
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hall_place import HALL, Echo, Guest, Realm, service, store
from small_disk import MEGABYTE
from wire import Network

RIGHTS = ["read:data", "write:data", "delete:data", "connect:echo"]
# Slow enough that a test can cut a transfer in the middle.
SPEED_BYTES_PER_SECOND = 20 * MEGABYTE


class Place:
    """A realm whose hall is behind a network that a test can cut."""

    def __init__(self, folder: Path, offers: str):
        self.folder, self.data = folder, folder / "data"
        self.realm = Realm(folder / "realm", offers + store("data", self.data), through=self._way)

    def _way(self, port: int) -> str:
        self.network = Network(("127.0.0.1", port))
        return self.network.address

    def close(self) -> None:
        self.network.mend()
        self.realm.close()
        self.network.close()


@pytest.fixture(scope="module")
def echo():
    with closing(Echo()) as server:
        yield server


@pytest.fixture(scope="module")
def place(echo: Echo, tmp_path_factory):
    with closing(Place(tmp_path_factory.mktemp("place"), service("echo", echo.port))) as made:
        yield made


@pytest.fixture(scope="module")
def ada(place: Place) -> Guest:
    return place.realm.guest("Ada", RIGHTS)


@pytest.fixture
def network(place: Place):
    place.network.mend()
    place.network.slow_to = SPEED_BYTES_PER_SECOND
    yield place.network
    place.network.slow_to = None
    place.network.mend()


@pytest.fixture(params=["alone", "open"])
def visitor(request, ada: Guest, place: Place):
    """A guest whose commands open the hall themselves, or use a running `hallway open`."""
    if request.param == "alone":
        yield ada
        return
    opened = ada.open()
    yield ada
    place.network.mend()
    opened.close()


def ended_well(command: subprocess.Popen) -> str:
    said, complained = command.communicate(timeout=120)
    assert command.returncode == 0, said + complained
    return complained


def test_a_download_goes_on_where_it_was_cut(visitor: Guest, place: Place, network, tmp_path: Path):
    content = os.urandom(40 * MEGABYTE)
    (place.data / "down").write_bytes(content)
    before = network.moved
    getting = visitor.start("get", f"{HALL}:data/down", tmp_path / "down")
    network.wait_until_moved(8 * MEGABYTE)
    network.cut()
    assert not (tmp_path / "down").exists()
    network.mend()
    assert "trying again" in ended_well(getting)
    assert (tmp_path / "down").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["down"]
    assert network.moved - before < 1.6 * len(content), "the download began anew"


def test_an_upload_goes_on_where_it_was_cut(visitor: Guest, place: Place, network, tmp_path: Path):
    (tmp_path / "up").write_bytes(os.urandom(40 * MEGABYTE))
    (place.data / "up").write_text("the older one")
    before = network.moved
    putting = visitor.start("put", "--force", tmp_path / "up", f"{HALL}:data")
    network.wait_until_moved(8 * MEGABYTE)
    network.cut()
    assert (place.data / "up").read_text() == "the older one"
    network.mend()
    assert "trying again" in ended_well(putting)
    assert (place.data / "up").read_bytes() == (tmp_path / "up").read_bytes()
    assert list((place.data / ".hallway/uploads").iterdir()) == []
    assert network.moved - before < 1.6 * 40 * MEGABYTE, "the upload began anew"


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_mirror_survives_cuts(visitor: Guest, place: Place, network, tmp_path: Path, way: str):
    here, there = tmp_path / "here", place.data / tmp_path.name
    source, target = (here, there) if way == "up" else (there, here)
    source.mkdir()
    target.mkdir()
    chance = random.Random(5)
    wanted = {}
    for number in range(14):
        content = chance.randbytes(chance.randrange(1, 6 * MEGABYTE))
        (source / f"{number}.bin").write_bytes(content)
        wanted[f"{number}.bin"] = hashlib.sha256(content).digest()
    sides = [here, f"{HALL}:data/{there.name}"]
    mirroring = visitor.start("mirror", *(sides if way == "up" else sides[::-1]), "--json")
    for _ in range(2):
        network.wait_until_moved(5 * MEGABYTE)
        network.cut()
        for name, digest in digests(target).items():
            assert digest == wanted[name], f"{name} is visible unfinished"
        network.mend()
    ended_well(mirroring)
    assert digests(target) == wanted
    assert not [path for path in target.iterdir() if path.name.startswith(".hallway")]


def digests(folder: Path) -> dict[str, bytes]:
    """The SHA-256 of every visible file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).digest()
        for path in folder.iterdir()
        if not path.name.startswith(".hallway")
    }


def test_a_download_stopped_during_a_cut_goes_on_later(
    ada: Guest, place: Place, network, tmp_path: Path
):
    content = os.urandom(30 * MEGABYTE)
    (place.data / "later").write_bytes(content)
    getting = ada.start("get", f"{HALL}:data/later", tmp_path / "later")
    network.wait_until_moved(8 * MEGABYTE)
    network.cut()
    # The command tries again for half a minute. A person who ends it before loses no bytes.
    for line in getting.stderr:
        if "trying again" in line:
            break
    getting.terminate()
    _, complained = getting.communicate(timeout=60)
    assert getting.returncode == 1 and "goes on from here" in complained, complained
    [part] = tmp_path.iterdir()
    assert part.name.startswith(".hallway-part-") and part.stat().st_size > 0
    refused = ada.try_to("ls", f"{HALL}:data")
    assert refused.returncode == 1 and network.address in refused.stderr, refused.stderr
    network.mend()
    ada.run("get", f"{HALL}:data/later", tmp_path / "later")
    assert [path.name for path in tmp_path.iterdir()] == ["later"]
    assert (tmp_path / "later").read_bytes() == content


def test_a_cut_stream_ends_on_both_sides_and_the_next_one_works(
    ada: Guest, network, echo: Echo
):
    opened = ada.open("--rights", "connect:echo")
    while not echo.ended.empty():
        echo.ended.get()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        stream.sendall(b"before")
        assert stream.recv(100) == b"before"
        network.cut()
        try:
            assert stream.recv(1) == b""
        except ConnectionError:
            pass
    assert echo.ended.get(timeout=30) == len(b"before")
    # While the network is away, the local door reports a problem and stays open.
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(60)
        try:
            assert stream.recv(1) == b""
        except ConnectionError:
            pass
    assert opened.wait_for("problem")["detail"]
    network.mend()
    with socket.create_connection(opened.address("echo")) as stream:
        stream.settimeout(30)
        stream.sendall(b"after")
        assert stream.recv(100) == b"after"
    opened.close()


def test_transfers_go_on_after_the_gateway_was_killed(
    ada: Guest, place: Place, network, tmp_path: Path
):
    opened = ada.open()
    content = os.urandom(30 * MEGABYTE)
    (place.data / "killed").write_bytes(content)
    (tmp_path / "sent").write_bytes(content)
    transfers = [
        ada.start("get", f"{HALL}:data/killed", tmp_path / "killed"),
        ada.start("put", tmp_path / "sent", f"{HALL}:data"),
    ]
    network.wait_until_moved(16 * MEGABYTE)
    place.realm.gateway.kill()
    assert not (tmp_path / "killed").exists() and not (place.data / "sent").exists()
    place.realm.gateway.start_again()
    for transfer in transfers:
        ended_well(transfer)
    assert (tmp_path / "killed").read_bytes() == content
    assert (place.data / "sent").read_bytes() == content
    opened.close()
