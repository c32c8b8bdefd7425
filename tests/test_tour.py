"""The tour, as a newcomer runs it, and checks of its photographs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gateway_process import Program, hallway


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `hallway` to its end."""
    return subprocess.run(
        [hallway(), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of a finished tour, and its report."""
    folder = tmp_path_factory.mktemp("tour") / "data"
    ended = run("tour", "--once", "--json", "--data", folder)
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout)


def verify(photo: Path, folder: Path) -> tuple[int, dict]:
    """The report of `hallway verify` on a photograph."""
    ended = run("verify", photo, "--trust", folder / "trust.json", "--json")
    return ended.returncode, json.loads(ended.stdout)


def test_the_report_of_the_tour_lists_its_photographs(tour: tuple[Path, dict]):
    folder, account = tour
    assert account["held"] is True
    assert len(account["photographs"]) == 3
    assert sorted(path.name for path in (folder / "photos").iterdir()) == [
        "cat.jpg",
        "coffee.jpg",
        "rocket.jpg",
    ]
    assert "/join#" in account["console"]


def test_the_camera_deletes_accepted_photographs(tour: tuple[Path, dict]):
    folder, _ = tour
    assert [path for path in (folder / "camera").iterdir() if path.suffix == ".jpg"] == []


def test_photographs_hold_offline_with_owner_and_device(tour: tuple[Path, dict]):
    folder, account = tour
    for photograph in account["photographs"]:
        code, report = verify(Path(photograph["file"]), folder)
        assert code == 0 and report["holds"], report["failure"]
        facts = report["conclusion"]["transaction"]
        assert facts["serial"] == "TOUR-0001"
        assert facts["owner_name"] == "Tour Owner"
        assert report["conclusion"]["log_index"] == photograph["log_index"]


def test_other_programs_open_the_pictures(tour: tuple[Path, dict]):
    folder, _ = tour
    for photo in (folder / "photos").iterdir():
        read = subprocess.run(
            ["exiftool", "-validate", "-warning", "-error", "-ImageSize", "-json", photo],
            capture_output=True,
            text=True,
        )
        facts = json.loads(read.stdout)[0]
        assert "Error" not in facts, facts
        assert facts["ImageSize"] in {"451x300", "600x400", "640x427"}


@pytest.mark.parametrize("part", ["first", "middle", "last"])
def test_a_changed_byte_of_the_picture_is_reported(tour: tuple[Path, dict], tmp_path: Path, part: str):
    folder, _ = tour
    picture = bytearray((folder / "photos" / "cat.jpg").read_bytes())
    start = picture.index(b"\xff\xdb")  # the first table behind the evidence
    at = {"first": start + 8, "middle": (start + len(picture)) // 2, "last": len(picture) - 3}[part]
    picture[at] ^= 1
    changed = tmp_path / "changed.jpg"
    changed.write_bytes(picture)
    code, report = verify(changed, folder)
    assert code == 1 and not report["holds"]
    assert "bytes" in report["failure"]["what"]


def test_every_changed_byte_of_the_evidence_is_reported(tour: tuple[Path, dict], tmp_path: Path):
    folder, _ = tour
    picture = (folder / "photos" / "cat.jpg").read_bytes()
    start = picture.index(b"hallway\0")
    length = int.from_bytes(picture[start - 2 : start], "big") - 2
    changed = tmp_path / "changed.jpg"
    for at in range(start, start + length, max(1, length // 40)):
        bytes_ = bytearray(picture)
        bytes_[at] ^= 1
        changed.write_bytes(bytes_)
        code, report = verify(changed, folder)
        assert code == 1, f"the change of byte {at} was not noticed"
        assert report["failure"]["what"], f"the report does not explain the change of byte {at}"


def test_a_picture_without_evidence_is_refused(tour: tuple[Path, dict]):
    folder, _ = tour
    plain = Path(__file__).parent.parent / "crates/cli/photographs/cat.jpg"
    code, report = verify(plain, folder)
    assert code == 1
    assert "no evidence" in report["failure"]["what"]


def test_the_trust_file_of_another_realm_refuses_a_photograph(tour: tuple[Path, dict], tmp_path: Path):
    folder, _ = tour
    ended = run("tour", "--once", "--json", "--data", tmp_path / "other")
    assert ended.returncode == 0, ended.stderr
    code, report = verify(folder / "photos" / "cat.jpg", tmp_path / "other")
    assert code == 1 and report["failure"]


def test_a_second_tour_continues_in_the_same_folder(tour: tuple[Path, dict], tmp_path: Path):
    folder = tmp_path / "again"
    shutil.copytree(tour[0], folder)
    ended = run("tour", "--once", "--json", "--data", folder)
    assert ended.returncode == 0, ended.stderr
    account = json.loads(ended.stdout)
    assert len({photograph["log_index"] for photograph in account["photographs"]}) == 3
    assert len(list((folder / "photos").iterdir())) == 6


def test_a_changed_tile_is_reported(tour: tuple[Path, dict], tmp_path: Path):
    folder = tmp_path / "log"
    shutil.copytree(tour[0], folder)
    gateway = Program("serve", "--data", folder / "gateway")
    served = gateway.wait_for(re.compile(r" at (http\S+)"))[1]
    copy = tmp_path / "copy"
    exported = run("log", "export", served, copy, "--trust", folder / "trust.json")
    assert exported.returncode == 0, exported.stderr
    assert gateway.stop() == 0

    sound = run("log", "verify", copy, "--trust", folder / "trust.json")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    tiles = [path for path in copy.rglob("*") if path.is_file() and "tile" in path.parts]
    assert tiles
    for tile in tiles:
        whole = tile.read_bytes()
        tile.write_bytes(bytes([whole[0], whole[1], whole[2], whole[3] ^ 1]) + whole[4:])
        faulty = run("log", "verify", copy, "--trust", folder / "trust.json")
        assert faulty.returncode == 1
        assert str(tile.relative_to(copy)).split(".p")[0] in faulty.stdout, faulty.stdout
        tile.write_bytes(whole)


def test_a_closed_pipe_causes_no_panic(tour: tuple[Path, dict]):
    folder, _ = tour
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [hallway(), "verify", folder / "photos" / "cat.jpg", "--trust", folder / "trust.json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert "panicked" not in ended.stderr
