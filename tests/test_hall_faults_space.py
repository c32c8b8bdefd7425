"""The disk of a store, of a visitor and of the gateway is full. Each reports it, and works again later."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from api_caller import Person
from gateway_process import hallway
from hall_place import HALL, Guest, Realm, store
from small_disk import MEGABYTE, ON_EVERY_KIND
from soft_device import Device, Maker

RIGHTS = ["read:data", "write:data", "delete:data"]
FULL = ("No space left", "File too large")


@pytest.fixture
def disk(kind, tmp_path: Path):
    made = kind(tmp_path / "disk", 16)
    yield made
    made.close()


@ON_EVERY_KIND
def test_a_full_store_refuses_and_works_again_when_there_is_room(
    kind, disk, tmp_path: Path
):
    data = disk.folder / "data"
    with closing(Realm(tmp_path / "realm", store("data", data))) as realm:
        disk.applies_to(realm.gateway.program.process)
        fill_a_store(disk, data, realm.guest("Ada", RIGHTS), tmp_path)


def fill_a_store(disk, data: Path, ada: Guest, tmp_path: Path) -> None:
    (data / "kept").write_text("as it was")
    big, small = tmp_path / "big", tmp_path / "kept"
    big.write_bytes(os.urandom(9 * MEGABYTE))
    small.write_bytes(os.urandom(3 * MEGABYTE))
    opened = ada.open()
    disk.fill(leaving=2 * MEGABYTE)
    # A small file is sent in one request: the new bytes are removed, and the old file stays.
    said = ada.refused("put", "--force", small, f"{HALL}:data", words="store is full")
    assert (data / "kept").read_text() == "as it was"
    assert list((data / ".hallway/uploads").iterdir()) == []
    # A big upload can be resumed: the bytes that arrived stay, invisible, until the rest comes.
    said = ada.refused("put", big, f"{HALL}:data", words="store is full")
    assert "panicked" not in said and said.count("\n") < 4, said
    seen = [entry["name"] for entry in ada.json("ls", f"{HALL}:data")]
    assert "big" not in seen and "kept" in seen
    assert ada.run("get", f"{HALL}:data/kept", tmp_path / "back")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "first").write_bytes(os.urandom(3 * MEGABYTE))
    (mirror / "second").write_bytes(os.urandom(3 * MEGABYTE))
    failed = ada.try_to("mirror", mirror, f"{HALL}:data/mirror", "--json")
    assert failed.returncode == 1 and "store is full" in failed.stdout + failed.stderr, failed
    disk.free()
    ada.run("put", big, f"{HALL}:data")
    assert (data / "big").read_bytes() == big.read_bytes()
    ada.run("put", "--force", small, f"{HALL}:data")
    assert (data / "kept").read_bytes() == small.read_bytes()
    (data / "big").unlink()
    ada.run("mirror", mirror, f"{HALL}:data/mirror")
    assert (data / "mirror/second").read_bytes() == (mirror / "second").read_bytes()
    assert list((data / ".hallway/uploads").iterdir()) == []
    opened.close()


@ON_EVERY_KIND
def test_a_download_to_a_full_disk_goes_on_when_there_is_room(kind, disk, tmp_path: Path):
    with closing(Realm(tmp_path / "realm", store("data", tmp_path / "data"))) as realm:
        fill_a_visitor(disk, realm.guest("Ada", RIGHTS), tmp_path)


def fill_a_visitor(disk, ada: Guest, tmp_path: Path) -> None:
    content = os.urandom(9 * MEGABYTE)
    (tmp_path / "data/big").write_bytes(content)
    many = tmp_path / "data/many"
    many.mkdir()
    for number in range(5):
        (many / str(number)).write_bytes(os.urandom((number + 1) * MEGABYTE))
    opened = ada.open()
    here = disk.folder / "here"
    here.mkdir()
    (here / "big").write_text("an older one")
    disk.fill(leaving=3 * MEGABYTE)

    def fails(*arguments: str | Path) -> str:
        done = ada.try_to(*arguments, **disk.around())
        assert done.returncode == 1, done.stdout + done.stderr
        said = done.stdout + done.stderr
        assert any(words in said for words in FULL), said
        return said

    said = fails("get", "--force", f"{HALL}:data/big", here)
    assert str(here / "big") in said, said
    assert (here / "big").read_text() == "an older one"
    [part] = [path for path in here.iterdir() if path.name.startswith(".hallway-part-")]
    assert 0 < part.stat().st_size < len(content)
    disk.free()
    ada.run("get", "--force", f"{HALL}:data/big", here)
    assert (here / "big").read_bytes() == content and not part.exists()

    (here / "big").unlink()
    disk.fill(leaving=3 * MEGABYTE)
    fails("mirror", f"{HALL}:data/many", here / "many")
    for path in (here / "many").iterdir():
        is_part = path.name.startswith(".hallway-part-")
        assert is_part or path.read_bytes() == (many / path.name).read_bytes(), f"{path} is unfinished"
    disk.free()
    done = ada.json("mirror", f"{HALL}:data/many", here / "many")
    assert done["failed"] == []
    found = {path.name: path.read_bytes() for path in (here / "many").iterdir()}
    assert found == {path.name: path.read_bytes() for path in many.iterdir()}
    opened.close()


@ON_EVERY_KIND
def test_a_gateway_with_a_full_disk_keeps_every_acknowledged_act(kind, disk, tmp_path: Path):
    with closing(Realm(disk.folder / "realm", "")) as realm:
        fill_a_gateway(disk, realm, tmp_path)


def fill_a_gateway(disk, realm: Realm, tmp_path: Path) -> None:
    owner = realm.owner
    disk.applies_to(realm.gateway.program.process)
    maker = Maker()
    owner.act("maker.add", name=maker.name, certificate=maker.pem)
    device = Device(realm.gateway.origin, maker, "FULL-1")
    device.enrol(owner)
    before = owner.get("/log/checkpoint").body
    disk.fill(leaving=MEGABYTE // 2)

    acknowledged, refusal = [HALL], None
    payloads = []
    for number in range(400):
        name = f"hall-{number}"
        answer = owner.touch(owner.prepare("hall.create", hall=name, title="x" * 80))
        if answer.status != 200:
            refusal = answer
            break
        acknowledged.append(name)
        payload = os.urandom(20_000)
        answer = device.send(device.compose(payload), payload)
        if answer.status != 201:
            refusal = answer
            break
        payloads.append(payload)
    assert refusal, "the disk did not become full"
    refusal.refused(503, "no-space")
    assert "disk" in refusal.json["detail"]
    # The gateway can still be read.
    assert names(owner) == sorted(acknowledged)
    disk.free()
    owner.act("hall.create", hall="afterwards", title="There is room again")
    payload = os.urandom(20_000)
    after = device.send(device.compose(payload), payload)
    assert after.status == 201, after.body
    # The same after a kill, in a log that extends the earlier one.
    realm.gateway.kill()
    realm.gateway.start_again()
    assert names(owner) == sorted([*acknowledged, "afterwards"])
    rows = owner.pages("/api/transactions")
    assert len(rows) == len(payloads) + 1
    trust, shown = tmp_path / "trust.json", tmp_path / "checkpoint"
    trust.write_bytes(owner.get("/api/trust").body)
    shown.write_bytes(before)
    checked = subprocess.run(
        [hallway(), "log", "verify", owner.origin, "--trust", trust, "--since", shown],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def names(owner: Person) -> list[str]:
    return sorted(hall["name"] for hall in owner.get("/api/halls").expect())
