"""Agents go away and come back. One is in a network that accepts no connections from outside."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from far_network import NEEDS_ROOT, FarNetwork
from gateway_process import Program
from hall_place import HALL, Echo, Guest, Open, Realm
from small_disk import MEGABYTE

RIGHTS = ["connect:echo", "read:scans", "write:scans", "delete:scans"]
CONNECTED = re.compile('"event":"connected"')
LOST = re.compile('"event":"lost"')

# An echo service, which prints its port.
ECHO = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def echo(stream):
    while data := stream.recv(65536):
        stream.sendall(data)
    stream.close()
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""


class Annex:
    """The stores and services of an agent, and its program, which can be started many times."""

    def __init__(self, realm: Realm, folder: Path, port: int, name: str = "annex", **more: str):
        self.folder = folder
        self.scans = folder / "scans"
        self.scans.mkdir(parents=True)
        self.config = folder / "hall-agent.toml"
        self.config.write_text(
            f'[[services]]\nname = "echo"\naddress = "127.0.0.1:{port}"\n'
            '[[stores]]\nname = "scans"\nfolder = "scans"\n'
        )
        named = {"stores": ["scans"], "services": ["echo"], **more}
        self.link = realm.owner.act("hall.invite_agent", hall=HALL, agent=name, **named)["link"]

    def join(self) -> Program:
        agent = Program("hall", "agent", "--config", self.config, "--join", self.link, "--json")
        agent.wait_for(CONNECTED)
        return agent

    def start(self, within: tuple[str, ...] = ()) -> Program:
        agent = Program("hall", "agent", "--config", self.config, "--json", within=within)
        agent.wait_for(CONNECTED)
        return agent


@pytest.fixture(scope="module")
def echo():
    with closing(Echo()) as server:
        yield server


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    with closing(Realm(tmp_path_factory.mktemp("realm") / "realm", "")) as made:
        yield made


@pytest.fixture(scope="module")
def annex(realm: Realm, echo: Echo, tmp_path_factory) -> Annex:
    return Annex(realm, tmp_path_factory.mktemp("annex"), echo.port)


@pytest.fixture(scope="module")
def ada(realm: Realm, annex: Annex) -> Guest:
    return realm.guest("Ada", RIGHTS)


def says(stream: socket.socket, words: bytes) -> None:
    stream.settimeout(60)
    stream.sendall(words)
    assert stream.recv(100) == words


def is_cut(stream: socket.socket) -> bool:
    stream.settimeout(60)
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True


def reach_again(opened: Open, words: bytes) -> None:
    """Opens a new stream, as soon as the service can be reached."""
    until = time.monotonic() + 60
    while True:
        with socket.create_connection(opened.address("echo")) as stream:
            stream.settimeout(60)
            try:
                stream.sendall(words)
                if stream.recv(100) == words:
                    return
            except ConnectionError:
                pass
        assert time.monotonic() < until, "the service did not come back"
        time.sleep(0.2)


def test_transfers_go_on_after_an_agent_was_killed(
    ada: Guest, annex: Annex, tmp_path: Path
):
    agent = annex.join()
    opened = ada.open()
    with socket.create_connection(opened.address("echo")) as stream:
        says(stream, b"before")
        agent.process.kill()
        agent.process.wait()
        assert is_cut(stream)
    missing = ada.refused("ls", f"{HALL}:scans", words="scans")
    assert "agent is not connected" in missing or "agent may be away" in missing, missing
    agent = annex.start()
    reach_again(opened, b"after")

    content = os.urandom(60 * MEGABYTE)
    (annex.scans / "scan").write_bytes(content)
    (tmp_path / "sent").write_bytes(content)
    transfers = [
        (ada.start("get", f"{HALL}:scans/scan", tmp_path / "scan"), lambda: parts(tmp_path)),
        (ada.start("put", tmp_path / "sent", f"{HALL}:scans"),
         lambda: parts(annex.scans / ".hallway/uploads")),
    ]  # fmt: skip
    for _, under_way in transfers:
        while not under_way():
            time.sleep(0.002)
    agent.process.kill()
    agent.process.wait()
    assert not (tmp_path / "scan").exists() and not (annex.scans / "sent").exists()
    agent = annex.start()
    for transfer, _ in transfers:
        said, complained = transfer.communicate(timeout=120)
        assert transfer.returncode == 0, said + complained
    assert (tmp_path / "scan").read_bytes() == content == (annex.scans / "sent").read_bytes()
    assert parts(tmp_path) == [] == parts(annex.scans / ".hallway/uploads")
    opened.close()
    assert agent.stop() == 0


def parts(folder: Path) -> list[Path]:
    """Unfinished files that are not empty."""
    if not folder.exists():
        return []
    found = [path for path in folder.iterdir() if "part" in path.name]
    return [path for path in found if path.stat().st_size > 0]


def test_an_agent_connects_again_after_the_gateway_was_killed(
    realm: Realm, ada: Guest, annex: Annex
):
    agent = annex.start()
    opened = ada.open()
    with socket.create_connection(opened.address("echo")) as stream:
        says(stream, b"before")
        realm.gateway.kill()
        assert is_cut(stream)
    agent.wait_for(LOST)
    realm.gateway.start_again()
    agent.wait_for(CONNECTED, seconds=60)
    reach_again(opened, b"after")
    opened.close()
    assert agent.stop() == 0


def test_one_of_two_agents_serves_while_the_other_is_away(
    realm: Realm, ada: Guest, annex: Annex, echo: Echo, tmp_path: Path
):
    """An owner has signed that both provide the same service. If either goes away, the other serves."""
    first = annex.start()
    other = Annex(realm, tmp_path / "other", echo.port, "other", beside="annex")
    second = other.join()
    opened = ada.open("--rights", "connect:echo")
    for leaving, coming in [(first, annex), (second, other), (None, None)]:
        reach_again(opened, b"somebody is there")
        if leaving:
            leaving.process.kill()
            leaving.process.wait()
            reach_again(opened, b"the other one")
            coming.latest = coming.start()
    for place in (annex, other):
        assert place.latest.stop() == 0
    opened.close()


@NEEDS_ROOT
def test_an_agent_that_only_dials_out_survives_a_pulled_cable(tmp_path: Path):
    with closing(FarNetwork()) as far:
        service = subprocess.Popen(
            [*far.before, sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True
        )
        port = int(service.stdout.readline())
        way = {"listen": "0.0.0.0", "through": lambda hall_port: f"{far.here}:{hall_port}"}
        try:
            with closing(Realm(tmp_path / "realm", "", **way)) as realm:
                annex = Annex(realm, tmp_path / "annex", port)
                assert annex.join().stop() == 0
                agent = annex.start(far.before)
                reach_from_afar(far, annex, realm.guest("Ada", RIGHTS), tmp_path)
                assert agent.stop() == 0
        finally:
            service.kill()
            service.wait()


def reach_from_afar(far: FarNetwork, annex: Annex, ada: Guest, tmp_path: Path) -> None:
    listening = [line for line in far.run("ss", "-Hltn").splitlines() if "127.0.0.1" not in line]
    assert listening == [], "the agent's network has an open port"
    # The kernel's keepalive detects that the other end is away.
    assert far.run("ss", "-Htno", "state", "established").count("timer:(keepalive") >= 1
    opened = ada.open()
    (annex.scans / "scan").write_bytes(os.urandom(60 * MEGABYTE))
    (tmp_path / "sent").write_bytes(os.urandom(60 * MEGABYTE))
    with socket.create_connection(opened.address("echo")) as stream:
        says(stream, b"before")
        transfers = [
            ada.start("get", f"{HALL}:scans/scan", tmp_path / "scan"),
            ada.start("put", tmp_path / "sent", f"{HALL}:scans"),
        ]
        while not parts(tmp_path) or not parts(annex.scans / ".hallway/uploads"):
            time.sleep(0.002)
        far.unplug()
        stream.sendall(b"while it is pulled")
        time.sleep(2)
        assert not (tmp_path / "scan").exists() and not (annex.scans / "sent").exists()
        far.plug_in()
        assert stream.recv(100) == b"while it is pulled"
        for transfer in transfers:
            said, complained = transfer.communicate(timeout=120)
            assert transfer.returncode == 0, said + complained
    assert (tmp_path / "scan").read_bytes() == (annex.scans / "scan").read_bytes()
    assert (annex.scans / "sent").read_bytes() == (tmp_path / "sent").read_bytes()
    opened.close()
    shutil.rmtree(annex.scans)
