"""Files of a hall: by `hallway ls`, `get`, `put`, `rm` and `mirror`, and by stock curl and rclone."""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import hallway
from hall_place import HALL, Guest, Open, Realm, store

RIGHTS = ["read:data", "write:data", "delete:data", "read:archive"]


@pytest.fixture(scope="module")
def realm(tmp_path_factory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("realm")
    made = Realm(folder, store("data", folder / "data") + store("archive", folder / "archive"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def ada(realm: Realm) -> Guest:
    return realm.guest("Ada", RIGHTS)


@pytest.fixture(scope="module")
def opened(ada: Guest) -> Iterator[Open]:
    running = ada.open()
    yield running
    running.close()


@pytest.fixture
def data(realm: Realm) -> Path:
    """The store's folder at the gateway."""
    return realm.folder / "data"


def tree(root: Path) -> dict[str, bytes | None]:
    """Every visible file with its content, and every visible folder with None."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if not any(part.startswith(".hallway") for part in path.relative_to(root).parts):
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def plant(root: Path, seed: int, files: int = 40) -> None:
    """Makes folders and files, with names that need care."""
    chance = random.Random(seed)
    for number in range(files):
        folder = root / f"folder {number % 5}" / ("ünïcode" if number % 2 else "a%20b")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}#?.bin").write_bytes(chance.randbytes(chance.randrange(50_000)))
    (root / "empty").mkdir(exist_ok=True)
    (root / "nothing").touch()


def test_standard_input_and_output_stand_for_a_file(ada: Guest, opened: Open, data: Path):
    def piped(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [hallway(), *arguments]
        return subprocess.run(
            command, env=ada.environment, input=given, capture_output=True, timeout=120
        )

    # More than is sent in one piece.
    content = bytes(range(256)) * 40_000
    done = piped("put", "-", f"{HALL}:data/piped/numbers.bin", given=content)
    assert done.returncode == 0, done.stderr
    assert (data / "piped/numbers.bin").read_bytes() == content
    got = piped("get", f"{HALL}:data/piped/numbers.bin", "-")
    assert (got.returncode, got.stdout) == (0, content), got.stderr
    nameless = piped("put", "-", f"{HALL}:data/piped/")
    assert nameless.returncode == 1 and b"has no name" in nameless.stderr, nameless.stderr
    both = piped("get", f"{HALL}:data/piped/numbers.bin", "-", "--json")
    assert (both.returncode, both.stdout) == (1, b""), both.stderr
    (data / "piped/numbers.bin").unlink()
    (data / "piped").rmdir()


def test_put_get_ls_rm(ada: Guest, opened: Open, data: Path, tmp_path: Path):
    file = tmp_path / "report ü.bin"
    file.write_bytes(os.urandom(9_000_000))
    ada.run("put", file, f"{HALL}:data")
    assert (data / file.name).read_bytes() == file.read_bytes()
    [line] = [line for line in ada.json("ls", f"{HALL}:data") if line["name"] == file.name]
    assert (line["kind"], line["bytes"]) == ("file", 9_000_000)
    assert line["modified_ms"] == file.stat().st_mtime_ns // 1_000_000
    ada.refused("put", file, f"{HALL}:data", words="--force")
    got = tmp_path / "got"
    ada.run("get", f"{HALL}:data/{file.name}", got)
    assert got.read_bytes() == file.read_bytes()
    assert got.stat().st_mtime_ns // 1_000_000 == line["modified_ms"]
    ada.refused("get", f"{HALL}:data/{file.name}", got, words="--force")
    ada.refused("get", f"{HALL}:data/nowhere", tmp_path / "x", words="nowhere")
    assert not (tmp_path / "x").exists()
    ada.run("rm", f"{HALL}:data/{file.name}")
    assert not (data / file.name).exists()
    ada.refused("rm", f"{HALL}:data/{file.name}", words="does not exist")
    ada.refused("rm", f"{HALL}:data", words="whole store")
    assert ada.try_to("get", f"{HALL}:data/../secret", tmp_path).returncode == 2
    # The folders on the path are created.
    ada.run("put", file, f"{HALL}:data/2026/reports/")
    ada.run("put", file, f"{HALL}:data/2026/other")
    assert (data / "2026" / "reports" / file.name).read_bytes() == file.read_bytes()
    assert (data / "2026" / "other").stat().st_size == 9_000_000


def test_a_mirror_makes_both_sides_equal_and_copies_only_changes(
    ada: Guest, opened: Open, data: Path, tmp_path: Path
):
    here, back = tmp_path / "here", tmp_path / "back"
    plant(here, 1)
    first = ada.json("mirror", here, f"{HALL}:data/copy")
    assert (first["copied"], first["failed"]) == (41, [])
    assert tree(data / "copy") == tree(here)
    again = ada.json("mirror", here, f"{HALL}:data/copy")
    assert (again["copied"], again["same"]) == (0, 41)
    # A new modification time alone is no change; a changed byte is.
    touched, changed = sorted(here.rglob("*.bin"))[:2]
    os.utime(touched)
    changed.write_bytes(b"changed")
    (here / "nothing").unlink()
    third = ada.json("mirror", here, f"{HALL}:data/copy")
    assert (third["copied"], third["deleted"]) == (1, 0)
    assert (data / "copy/nothing").exists(), "a mirror without --delete deleted a file"
    told = ada.json("mirror", here, f"{HALL}:data/copy", "--delete")
    assert told["deleted"] == 1
    assert tree(data / "copy") == tree(here)
    down = ada.json("mirror", f"{HALL}:data/copy", back)
    assert down["copied"] == 40
    assert tree(back) == tree(here)
    (back / "surplus").mkdir()
    (back / "surplus/file").write_text("x")
    ada.json("mirror", f"{HALL}:data/copy", back)
    assert (back / "surplus/file").exists()
    plan = ada.json("mirror", f"{HALL}:data/copy", back, "--delete", "--dry-run")
    assert plan["delete"] == ["surplus/file", "surplus"]
    ada.json("mirror", f"{HALL}:data/copy", back, "--delete")
    assert tree(back) == tree(here)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_killed_mirror_goes_on_and_shows_no_unfinished_file(
    ada: Guest, opened: Open, data: Path, tmp_path: Path, way: str
):
    here, there = tmp_path / "here", data / f"killed-{way}"
    source, target = (here, there) if way == "up" else (there, here)
    source.mkdir()
    chance = random.Random(7)
    wanted = {}
    for number in range(12):
        content = chance.randbytes(6_000_000)
        (source / f"{number}.bin").write_bytes(content)
        wanted[f"{number}.bin"] = hashlib.sha256(content).digest()
    sides = [here, f"{HALL}:data/killed-{way}"]
    sides = sides if way == "up" else sides[::-1]
    for _ in range(3):
        killed = subprocess.Popen(
            [hallway(), "mirror", *map(str, sides), "--parallel", "2"],
            env=ada.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Wait until the mirror has made at least one further file or folder.
        seen = set(target.rglob("*")) if target.exists() else set()
        while killed.poll() is None:
            now = set(target.rglob("*")) if target.exists() else set()
            if now - seen:
                break
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        for name, content in tree(target).items():
            assert hashlib.sha256(content).digest() == wanted[name], f"{name} is visible unfinished"
    ada.json("mirror", *sides)
    assert {name: hashlib.sha256(content).digest() for name, content in tree(target).items()} == wanted
    left = [path for path in target.rglob("*") if path.name.startswith(".hallway")]
    assert way == "up" or left == [], "an unfinished file stayed"


def test_a_mirror_does_not_follow_links(
    ada: Guest, opened: Open, data: Path, tmp_path: Path
):
    here, outside = tmp_path / "here", tmp_path / "outside"
    here.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (here / "file").write_text("file")
    (here / "link").symlink_to(outside)
    done = ada.json("mirror", here, f"{HALL}:data/links")
    assert done["skipped"] == [str(here / "link")]
    assert tree(data / "links") == {"file": b"file"}
    ada.refused("mirror", here, f"{HALL}:data/links", "--delete", words="link")
    # A link in the target is replaced. The file that it points to does not change.
    back = tmp_path / "back"
    back.mkdir()
    (back / "file").symlink_to(outside / "secret")
    ada.json("mirror", f"{HALL}:data/links", back)
    assert (back / "file").read_text() == "file" and not (back / "file").is_symlink()
    assert (outside / "secret").read_text() == "secret"


def test_rights_are_checked(ada: Guest, opened: Open, realm: Realm, tmp_path: Path):
    (realm.folder / "archive/old").write_text("old")
    ada.run("get", f"{HALL}:archive/old", tmp_path / "old")
    file = tmp_path / "new"
    file.write_text("new")
    ada.refused("put", file, f"{HALL}:archive", words="archive")
    ada.refused("rm", f"{HALL}:archive/old", words="archive")
    assert (realm.folder / "archive/old").read_text() == "old"
    assert not (realm.folder / "archive/new").exists()


def curl(opened: Open, *arguments: str, succeeds: bool = True) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--path-as-is",
         "--user", f"hall:{opened.password}", *arguments],
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return done


def test_curl_reads_and_writes_through_the_local_port(opened: Open, data: Path, tmp_path: Path):
    file = tmp_path / "curl.bin"
    file.write_bytes(os.urandom(2_000_000))
    curl(opened, "--upload-file", str(file), f"{opened.files}data/curl.bin")
    assert (data / "curl.bin").read_bytes() == file.read_bytes()
    got = curl(opened, f"{opened.files}data/curl.bin").stdout
    assert got == file.read_bytes()
    part = curl(opened, "--range", "10-19", f"{opened.files}data/curl.bin").stdout
    assert part == file.read_bytes()[10:20]
    listing = json.loads(curl(opened, f"{opened.files}data/").stdout)
    assert "curl.bin" in [entry["name"] for entry in listing["entries"]]


@pytest.mark.parametrize(
    "path",
    ["data/../../secret", "data/..%2f..%2fsecret", "data/%2e%2e/secret", "data/a%00b",
     "data/" + "x" * 4096, "data/a%5c..%5cb/../../../secret", "nothing/file"],
)  # fmt: skip
def test_no_path_leads_out_of_a_store(opened: Open, realm: Realm, path: str):
    (realm.folder / "secret").write_text("a secret beside the store")
    done = curl(opened, opened.files + path, succeeds=False)
    assert b"a secret" not in done.stdout
    assert json.loads(done.stdout)["detail"]


def test_a_body_that_is_too_short_stores_nothing(opened: Open, data: Path):
    host, port = opened.files.removeprefix("http://").split("/")[0].split(":")
    head = (
        "PUT /files/data/lie HTTP/1.1\r\nHost: hall\r\n"
        f"Authorization: Bearer {opened.password}\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as stream:
        stream.sendall(head.encode() + b"only this")
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(65536):
            pass
    assert not (data / "lie").exists()


def test_a_body_with_a_wrong_checksum_stores_nothing(opened: Open, data: Path, tmp_path: Path):
    file = tmp_path / "wrong"
    file.write_text("these bytes")
    wrong = "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    done = curl(opened, "--header", wrong, "--upload-file", str(file), f"{opened.files}data/wrong",
                succeeds=False)  # fmt: skip
    assert json.loads(done.stdout)["code"] == "digest-mismatch"
    assert not (data / "wrong").exists()


def test_the_local_port_requires_its_password(opened: Open):
    stranger = subprocess.run(
        ["curl", "--silent", "--write-out", "%{http_code}", "--output", "/dev/null",
         f"{opened.files}data/"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert stranger.stdout == "401"


def test_rclone_copies_and_syncs(opened: Open, data: Path, tmp_path: Path):
    here, back = tmp_path / "here", tmp_path / "back"
    plant(here, 2, files=15)
    remote = f":webdav,url='{opened.files}data/',bearer_token='{opened.password}',vendor=other:rclone"

    def rclone(*arguments: str) -> None:
        done = subprocess.run(
            ["rclone", "--config", "/dev/null", *arguments, "--create-empty-src-dirs"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    rclone("copy", str(here), remote)
    assert tree(data / "rclone") == tree(here)
    (here / "nothing").unlink()
    rclone("sync", str(here), remote)
    assert tree(data / "rclone") == tree(here)
    rclone("copy", remote, str(back))
    assert tree(back) == tree(here)
