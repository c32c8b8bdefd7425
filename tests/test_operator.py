"""The tasks of an operator: to back up a realm, to restore it, and to watch the gateway."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from api_caller import Caller, Person
from gateway_process import METRICS, Gateway, GatewayAgain, hallway
from soft_device import Device, Maker

# Larger than the payloads that are stored in the database.
PICTURE = bytes(range(256)) * 4000


def run(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Runs a `hallway` command."""
    return subprocess.run(
        [hallway(), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def succeed(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


def fail(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.returncode == 1, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stderr


def verify_log(gateway: Gateway, trust: Path, *options: str | Path) -> str:
    return succeed("log", "verify", gateway.origin, "--trust", trust, *options)


@pytest.fixture
def backed_up(tmp_path: Path, gateway: Gateway) -> tuple[Gateway, Person, Device, Path]:
    """A realm with an owner and a camera, and its backup, made while the gateway served."""
    owner = Person.owner(gateway)
    maker = Maker()
    owner.act("maker.add", name=maker.name, certificate=maker.pem)
    camera = Device(owner.origin, maker, "CAM-1")
    camera.enrol(owner)
    camera.send(camera.compose(PICTURE), PICTURE).expect_bytes(201)
    camera.send(camera.compose(b"small"), b"small").expect_bytes(201)
    file = tmp_path / "realm.backup"
    done = json.loads(succeed("backup", file, "--data", gateway.folder, "--json"))
    assert done["payloads"] == 1 and done["rows"] > 10
    return gateway, owner, camera, file


def place(tmp_path: Path, source: Gateway, name: str = "restored") -> Path:
    """A folder with only the operator's key in it."""
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy2(source.folder / "operator.key", folder)
    return folder


def test_a_restored_realm_is_complete(tmp_path: Path, backed_up: tuple):
    gateway, owner, camera, file = backed_up
    assert oct(file.stat().st_mode)[-3:] == "600"
    trust = tmp_path / "trust.json"
    succeed("trust", "export", "--url", gateway.origin, trust)
    before = owner.state_of_the_realm()
    listed = owner.get("/api/transactions").expect()["items"]
    invitation = owner.act("people.invite", name="Late", role="member")["link"]

    folder = place(tmp_path, gateway)
    succeed("restore", file, "--data", folder)
    # At the address that keys and statements have; the first gateway stops before.
    assert gateway.stop() == 0
    gateway.folder, first = folder, gateway.folder
    restored = GatewayAgain(gateway)
    try:
        # Sessions and later changes are gone; keys still work.
        assert owner.get("/api/me").status == 401
        Caller(owner.origin).post(
            "/api/join/look", {"token": invitation.split("#")[1]}
        ).refused(403, "link")
        owner.sign_in()
        after = owner.state_of_the_realm()
        assert {**after, "log": None} == {**before, "log": None}
        assert int(after["log"]) == int(before["log"]) + 1
        for row in listed:
            payload = owner.get(f"/api/transactions/{row['evidence']}/payload")
            assert payload.expect_bytes(200) in (PICTURE, b"small")
        # The log continues under the same key.
        verify_log(restored, trust)
        camera.send(camera.compose(b"more"), b"more").expect_bytes(201)
        verify_log(restored, trust)
    finally:
        assert restored.stop() == 0
        gateway.folder = first


def test_a_refused_restore_changes_nothing(tmp_path: Path, backed_up: tuple):
    gateway, owner, _, file = backed_up
    before = owner.state_of_the_realm()
    assert "holds a realm already" in fail("restore", file, "--data", gateway.folder)
    assert owner.state_of_the_realm() == before
    assert "is there already" in fail("backup", file, "--data", gateway.folder)
    assert "no realm" in fail("backup", tmp_path / "x", "--data", place(tmp_path, gateway, "empty"))

    # Without the operator key, with another one, or with a damaged backup.
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    assert "no operator key" in fail("restore", file, "--data", nowhere)
    other = Gateway(tmp_path / "other")
    assert other.stop() == 0
    stranger = place(tmp_path, other, "stranger")
    assert "another operator key" in fail("restore", file, "--data", stranger)
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    target = place(tmp_path, gateway, "damaged")
    assert "damaged" in fail("restore", file, "--data", target)
    file.write_bytes(damaged[:-100])
    again = place(tmp_path, gateway, "cut")
    assert "damaged" in fail("restore", file, "--data", again)


def test_metrics_count_without_names(tmp_path: Path):
    gateway = Gateway(tmp_path / "data", "--metrics-listen", "127.0.0.1:0")
    owner = Person.owner(gateway)
    owner.try_to_sign_in(counter=0).refused(403, "refused")
    told = METRICS.search("\n".join(gateway.lines)) or gateway.wait_for(METRICS)
    with urllib.request.urlopen(told[1], timeout=10) as answer:
        text = answer.read().decode()
    counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    route = 'method="POST",route="/api/sign-in"'
    assert counted[f'hallway_requests_total{{{route},status="200"}}'] == "1"
    assert counted[f'hallway_requests_total{{{route},status="403"}}'] == "1"
    assert counted['hallway_refusals_total{door="web",code="bad-assertion"}'] == "1"
    assert counted["hallway_log_entries"] == "2" and counted["hallway_database_up"] == "1"
    assert owner.name not in text and owner.id not in text
    # The gateway's own address has no metrics.
    assert Caller(owner.origin).get("/metrics").status == 404
    assert gateway.stop() == 0


def test_the_metrics_listener_is_bounded_like_the_others(tmp_path: Path):
    gateway = Gateway(tmp_path / "data", "--metrics-listen", "127.0.0.1:0")
    Person.owner(gateway)
    told = METRICS.search("\n".join(gateway.lines)) or gateway.wait_for(METRICS)
    where = urllib.parse.urlsplit(told[1])

    def connect() -> socket.socket:
        return socket.create_connection((where.hostname, where.port), timeout=60)

    # As many connections as the listener takes, all of them silent.
    idle = [connect() for _ in range(32)]
    try:
        with pytest.raises(urllib.error.HTTPError) as full:
            urllib.request.urlopen(told[1], timeout=10)
        assert full.value.code == 503 and json.load(full.value)["code"] == "full"
        # The listener ends them after a while, and then has room again.
        assert [each.recv(1) for each in idle] == [b""] * 32
    finally:
        for each in idle:
            each.close()
    with urllib.request.urlopen(told[1], timeout=10) as answer:
        assert answer.status == 200
    with connect() as long_winded:
        long_winded.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 200_000)
        assert long_winded.recv(65536).startswith(b"HTTP/1.1 431")
    assert gateway.stop() == 0


def test_no_metrics_unless_configured(gateway: Gateway):
    Person.owner(gateway)
    assert not any("metrics at" in line for line in gateway.lines)
