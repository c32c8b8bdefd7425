"""Only their own user can read the files of a gateway and a device, whatever the umask is."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from api_caller import Person
from gateway_process import Gateway, GatewayAgain, Program, hallway
from soft_device import Device, Maker

#: Runs a program with umask 000.
WITH_UMASK_000 = ("sh", "-c", 'umask 000; exec "$@"', "sh")
PAYLOAD = bytes(range(256)) * 4000


def run(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [*WITH_UMASK_000, hallway(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def succeed(*arguments: str | Path) -> None:
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"


def open_to_others(folder: Path) -> dict[str, str]:
    """The files and folders that others can read, write or enter, with their modes."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found[str(path.relative_to(folder))] = stat.filemode(mode)
    return found


@pytest.fixture
def used_gateway(tmp_path: Path):
    """A gateway that was started with umask 000 and then used: people, a device, payloads."""
    gateway = Gateway(tmp_path / "data", within=WITH_UMASK_000)
    owner = Person.owner(gateway)
    maker = Maker()
    owner.act("maker.add", name=maker.name, certificate=maker.pem)
    camera = Device(owner.origin, maker, "CAM-1")
    camera.enrol(owner)
    camera.send(camera.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    yield gateway
    if gateway.process.poll() is None:
        assert gateway.stop() == 0


def test_no_file_of_a_gateway_is_open_to_others(tmp_path: Path, used_gateway: Gateway):
    assert any((used_gateway.folder / "objects").rglob("*")), "no payload was stored"
    assert (used_gateway.folder / "hallway.db-wal").exists()
    assert open_to_others(used_gateway.folder) == {}
    file = tmp_path / "realm.backup"
    succeed("backup", file, "--data", used_gateway.folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert used_gateway.stop() == 0
    assert open_to_others(used_gateway.folder) == {}
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy2(used_gateway.folder / "operator.key", restored)
    succeed("restore", file, "--data", restored)
    assert {name for name in open_to_others(restored) if name != "."} == set()
    again = Gateway.__new__(GatewayAgain)
    again.folder, again.origin = restored, used_gateway.origin
    serving = GatewayAgain(again, within=WITH_UMASK_000)
    assert open_to_others(restored) == {}, "others can enter the restored folder"
    assert serving.stop() == 0


def test_a_start_closes_files_that_were_open_to_others(used_gateway: Gateway):
    assert used_gateway.stop() == 0
    for path in [used_gateway.folder, *used_gateway.folder.rglob("*")]:
        if path.name != "operator.key":
            path.chmod(0o777 if path.is_dir() else 0o666)
    again = GatewayAgain(used_gateway, within=WITH_UMASK_000)
    assert open_to_others(used_gateway.folder) == {}
    assert again.stop() == 0


def test_a_key_that_others_could_read_is_refused(used_gateway: Gateway):
    assert used_gateway.stop() == 0
    key = used_gateway.folder / "operator.key"
    key.chmod(0o644)
    done = run("serve", "--data", used_gateway.folder, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "operator.key" in done.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o644, "the gateway must not hide that the key was open"


def test_a_database_and_payloads_elsewhere_are_closed(tmp_path: Path, used_gateway: Gateway):
    assert used_gateway.stop() == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(used_gateway.folder / "hallway.db", elsewhere / "realm.db")
    shutil.move(used_gateway.folder / "objects", elsewhere / "objects")
    configuration = used_gateway.folder / "hallway.toml"
    text = configuration.read_text().replace("sqlite:hallway.db", f"sqlite:{elsewhere}/realm.db")
    configuration.write_text(text.replace('objects = "objects"', f'objects = "{elsewhere}/objects"'))
    for path in elsewhere.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    again = GatewayAgain(used_gateway, within=WITH_UMASK_000)
    assert {name for name in open_to_others(elsewhere) if name != "."} == set()
    assert (elsewhere / "realm.db-wal").exists(), "the database is not in use"
    assert again.stop() == 0


def test_files_of_a_device_are_for_its_user(tmp_path: Path, used_gateway: Gateway):
    key, maker, pictures = tmp_path / "camera.key", tmp_path / "maker", tmp_path / "pictures"
    secret = tmp_path / "secret"
    secret.write_text("07" * 32)
    pictures.mkdir()
    succeed(
        "device", "provision", key, "--serial", "CAM-9", "--maker", maker,
        "--operator-key", secret,
    )
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(maker.stat().st_mode) == 0o700
    assert stat.S_IMODE((maker / "maker.key").stat().st_mode) == 0o600
    running = Program(
        "device", "run", pictures, "--key", key, "--operator-key", secret,
        "--gateway", used_gateway.origin, within=WITH_UMASK_000,
    )
    spool = pictures / ".hallway"
    # The gateway does not know the maker and refuses the device; by then the spool exists.
    running.wait_for(re.compile("attestation|maker|refused", re.IGNORECASE))
    assert open_to_others(spool) == {}
    running.stop()
