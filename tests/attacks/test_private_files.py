"""What a gateway and a device keep is for their own user, whatever the umask."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from api_caller import Person
from gateway_process import Gateway, GatewayAgain, Program, hallway
from soft_device import Device, Maker

#: Runs a program as if nobody cared.
CARELESS = ("sh", "-c", 'umask 000; exec "$@"', "sh")
LARGE = bytes(range(256)) * 4000


def run(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [*CARELESS, hallway(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def succeed(*arguments: str | Path) -> None:
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"


def open_to_others(folder: Path) -> dict[str, str]:
    """What others can read, write or enter in a folder, and its mode."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found[str(path.relative_to(folder))] = stat.filemode(mode)
    return found


@pytest.fixture
def lived(tmp_path: Path):
    """A gateway that was started carelessly and has lived: people, a device, payloads."""
    gateway = Gateway(tmp_path / "data", within=CARELESS)
    owner = Person.owner(gateway)
    maker = Maker()
    owner.act("maker.add", name=maker.name, certificate=maker.pem)
    camera = Device(owner.origin, maker, "CAM-1")
    camera.enrol(owner)
    camera.send(camera.compose(LARGE), LARGE).expect_bytes(201)
    yield gateway
    if gateway.process.poll() is None:
        assert gateway.stop() == 0


def test_a_whole_life_leaves_nothing_open(tmp_path: Path, lived: Gateway):
    assert any((lived.folder / "objects").rglob("*")), "a payload lies there"
    assert (lived.folder / "hallway.db-wal").exists()
    assert open_to_others(lived.folder) == {}
    file = tmp_path / "realm.backup"
    succeed("backup", file, "--data", lived.folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert lived.stop() == 0
    assert open_to_others(lived.folder) == {}
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy2(lived.folder / "operator.key", restored)
    succeed("restore", file, "--data", restored)
    assert {name for name in open_to_others(restored) if name != "."} == set()
    again = Gateway.__new__(GatewayAgain)
    again.folder, again.origin = restored, lived.origin
    serving = GatewayAgain(again, within=CARELESS)
    assert open_to_others(restored) == {}, "the folder itself, too"
    assert serving.stop() == 0


def test_what_was_open_before_is_closed_at_the_next_start(lived: Gateway):
    assert lived.stop() == 0
    for path in [lived.folder, *lived.folder.rglob("*")]:
        if path.name != "operator.key":
            path.chmod(0o777 if path.is_dir() else 0o666)
    again = GatewayAgain(lived, within=CARELESS)
    assert open_to_others(lived.folder) == {}
    assert again.stop() == 0


def test_a_key_that_others_could_read_is_refused(lived: Gateway):
    assert lived.stop() == 0
    key = lived.folder / "operator.key"
    key.chmod(0o644)
    done = run("serve", "--data", lived.folder, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "operator.key" in done.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o644, "it is not made to look as if nothing was"


def test_a_database_and_payloads_elsewhere_are_closed_too(tmp_path: Path, lived: Gateway):
    assert lived.stop() == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(lived.folder / "hallway.db", elsewhere / "realm.db")
    shutil.move(lived.folder / "objects", elsewhere / "objects")
    configuration = lived.folder / "hallway.toml"
    text = configuration.read_text().replace("sqlite:hallway.db", f"sqlite:{elsewhere}/realm.db")
    configuration.write_text(text.replace('objects = "objects"', f'objects = "{elsewhere}/objects"'))
    for path in elsewhere.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    again = GatewayAgain(lived, within=CARELESS)
    assert {name for name in open_to_others(elsewhere) if name != "."} == set()
    assert (elsewhere / "realm.db-wal").exists(), "it is in use"
    assert again.stop() == 0


def test_what_a_device_keeps_is_for_its_user(tmp_path: Path, lived: Gateway):
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
        "--gateway", lived.origin, within=CARELESS,
    )
    spool = pictures / ".hallway"
    # The gateway does not know its maker, and says so; by then the spool is there.
    running.wait_for(re.compile("attestation|maker|refused", re.IGNORECASE))
    assert open_to_others(spool) == {}
    running.stop()
