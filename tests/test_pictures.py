"""Files of every kind, as cameras, phones and drones write them, from the folder to the signed copy.

A picture that a viewer can open is signed as it is, and has its evidence inside or beside it. The viewers
are Pillow and exiftool.
"""

import io
import json
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_caller import Person
from camera import Camera
from gateway_process import ROOT, Gateway, hallway
from PIL import Image

PICTURES = ROOT / "tests/pictures"
#: A camera waits a minute before it sends a file that looks unfinished.
WAIT_SECONDS = 150
CAT = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()
DAY_SECONDS = 86_400


@dataclass
class Studio:
    """A camera, the folder of its signed copies, and its owner."""

    camera: Camera
    kept: Path
    trust: Path
    owner: Person

    def sends(self, files: dict[str, bytes]) -> dict[str, Path]:
        """Puts these files into the camera's folder. Returns the signed copies, once all are accepted."""
        before = set(self.kept.iterdir()) if self.kept.exists() else set()
        for name, file in files.items():
            self.camera.put(name, file)
        for _ in files:
            self.camera.says(re.compile("^accepted "), WAIT_SECONDS)
        made = {path for path in set(self.kept.iterdir()) - before if path.suffix != ".evidence"}
        assert len(made) == len(files)
        named = {path.name: path for path in made}
        return {
            # If the camera had to shorten a name, the last bytes of the file find its copy.
            name: named.get(name) or next(path for path in made if file[-64:] in path.read_bytes())
            for name, file in files.items()
        }

    def verify(self, file: Path, *options: str | Path, compared: bool = True) -> dict:
        command = [hallway(), "verify", file, "--trust", self.trust, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        report = json.loads(done.stdout)
        held = 0 if compared else 3
        assert done.returncode == (held if report["holds"] else 1), done.stderr
        return report

    def holds(self, file: Path) -> None:
        report = self.verify(file)
        assert report["holds"], (file.name, report["failure"])

    def notices(self, file: Path, at: int) -> None:
        """Changes one byte of a file that holds, and checks that the copy does not."""
        changed = bytearray(file.read_bytes())
        changed[at] ^= 1 << (at % 8)
        copy = file.parent.parent / "changed" / file.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(changed)
        if beside(file).exists():
            shutil.copy(beside(file), beside(copy))
        assert not self.verify(copy)["holds"], (file.name, at)
        shutil.rmtree(copy.parent)


def beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.evidence")


def pixels(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as opened:
        return opened.convert("RGB").tobytes()


def exiftool_errors(file: Path) -> str:
    read = subprocess.run(["exiftool", "-Error", "-s3", file], capture_output=True, text=True)
    return read.stdout.strip()


@pytest.fixture(scope="module")
def studio(
    house: Gateway, owner: Person, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    camera = Camera(house, folder / "camera")
    owner.act("maker.add", name="Acme", certificate=camera.maker)
    kept = folder / "kept"
    camera.start("--keep", kept)
    owner.act("device.claim", code=camera.code())
    camera.says(re.compile("^registered"))
    trust = folder / "trust.json"
    trust.write_bytes(house.get("/api/trust"))
    yield Studio(camera, kept, trust, owner)
    camera.stop()


@pytest.mark.parametrize("name", ["bytes-between-segments.jpg", "zero-e1-segment.jpg"])
def test_a_picture_with_format_errors_is_signed(studio: Studio, name: str):
    original = (PICTURES / name).read_bytes()
    copy = studio.sends({name: original})[name]
    studio.holds(copy)
    signed = copy.read_bytes()
    assert b"\xff\xef" in signed and len(signed) > len(original) and not beside(copy).exists()
    assert pixels(signed) == pixels(original)
    assert exiftool_errors(copy) == ""
    dice = random.Random(name)
    for at in [0, 5, len(signed) - 1, *(dice.randrange(len(signed)) for _ in range(10))]:
        studio.notices(copy, at)


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(CAT)) as cat:
        cat.resize((90, 60)).save(out, kind)
    return out.getvalue()


def box(kind: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4) + kind + data


def with_credentials(jpeg: bytes) -> bytes:
    """A JPEG with the outer boxes of a C2PA manifest store."""
    described = box(b"jumd", bytes.fromhex("63327061 0011 0010 8000 00aa00389b71 03") + b"c2pa\0")
    store = b"JP\0\1\0\0\0\1" + box(b"jumb", described)
    return jpeg[:2] + b"\xff\xeb" + (len(store) + 2).to_bytes(2) + store + jpeg[2:]


def test_files_of_every_kind_are_signed_inside_or_beside(studio: Studio):
    films = box(b"ftyp", b"isom\0\0\0\0isom") + box(b"mdat", b"film" * 9) + box(b"moov", b"")
    inside = {
        "a.png": encoded("PNG"),
        "a.avif": encoded("AVIF"),
        "a phone's.jpg": encoded("AVIF"),
        "a.mp4": films,
    }
    outside = {
        "a.tiff": encoded("TIFF"),
        "a.webp": encoded("WEBP"),
        "a.gif": encoded("GIF"),
        "no picture.jpg": b"no picture at all",
        # A file that is signed as a whole by other software keeps its bytes.
        "credentials.jpg": with_credentials(CAT),
        # Viewers find the film in the picture by counting from the end of the file.
        "motion.avif": encoded("AVIF") + box(b"mpvd", films),
        "open.mp4": films + b"\0\0\0\0free and on to the end",
        "half.txt.zip": b"PK\x03\x04 and no more",
        "readings": bytes(range(256)),
        "a.txt.evidence": b"a file that looks like evidence",
    }
    copies = studio.sends(inside | outside)
    dice = random.Random(4)
    for name, original in (inside | outside).items():
        copy = copies[name]
        studio.holds(copy)
        signed = copy.read_bytes()
        assert beside(copy).exists() == (name in outside), name
        assert (signed == original) == (name in outside), name
        if name.rsplit(".")[-1] in ("png", "avif", "tiff", "webp", "gif"):
            assert pixels(signed) == pixels(original), name
            assert exiftool_errors(copy) == "", name
        for at in (0, len(signed) - 1, dice.randrange(len(signed))):
            studio.notices(copy, at)
    said = {row["file_name"]: row["media_type"] for row in studio.owner.pages("/api/transactions")}
    assert said["a phone's.jpg"] == "image/avif"
    assert said["no picture.jpg"] == "application/octet-stream"


def test_evidence_beside_a_file_counts(studio: Studio):
    copies = studio.sends({"inside.jpg": CAT, "other.jpg": encoded("JPEG"), "b.txt": b"a text"})
    signed = copies["inside.jpg"]
    studio.holds(signed)
    # Evidence of another file lies beside a picture with its own evidence inside.
    shutil.copy(beside(copies["b.txt"]), beside(signed))
    assert not studio.verify(signed)["holds"]
    # The picture's own evidence is inside and beside it, as the console gives it.
    rows = {row["file_name"]: row["evidence"] for row in studio.owner.pages("/api/transactions")}
    receipt = studio.owner.get(f"/api/receipts/{rows['inside.jpg']}").expect_bytes(200)
    beside(signed).write_bytes(receipt)
    studio.holds(signed)
    whole = signed.read_bytes()
    signed.write_bytes(whole[:-1])
    assert not studio.verify(signed)["holds"]
    signed.write_bytes(whole)
    # The original bytes, with the evidence beside them.
    plain = signed.with_name("plain.jpg")
    plain.write_bytes(CAT)
    beside(plain).write_bytes(receipt)
    studio.holds(plain)
    # To verify the evidence file is to verify the file beside it.
    assert studio.verify(beside(plain))["holds"]
    for bytes_there, code in ((CAT + b"!", 1), (None, 3)):
        plain.unlink()
        if bytes_there is not None:
            plain.write_bytes(bytes_there)
        command = [hallway(), "verify", beside(plain), "--trust", studio.trust]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, done.stdout
    assert "inside.jpg is not here, so its bytes were not compared" in done.stdout
    # A receipt is recognised by its bytes. For several files the report has a line each.
    elsewhere = signed.with_name("a.receipt")
    elsewhere.write_bytes(receipt)
    plain.write_bytes(CAT)
    command = [hallway(), "verify", plain, copies["b.txt"], elsewhere, "--trust", studio.trust]
    done = subprocess.run(command, capture_output=True, text=True)
    marks = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert marks == ["✓ holds", "✓ holds", "? the evidence holds"], done.stdout
    assert done.returncode == 3
    for at in (0, len(receipt) // 2, len(receipt) - 1):
        changed = bytearray(receipt)
        changed[at] ^= 1
        beside(plain).write_bytes(changed)
        assert not studio.verify(plain)["holds"], at
    beside(signed).unlink()
    studio.holds(signed)
    # A file whose own name ends in .evidence.
    called = signed.with_name("called.evidence")
    called.write_bytes(copies["b.txt"].read_bytes())
    shutil.copy(beside(copies["b.txt"]), beside(called))
    studio.holds(called)
    called.write_bytes(b"another text")
    assert not studio.verify(called)["holds"]
    # An evidence file is also checked with the evidence beside it.
    called.write_bytes(receipt)
    assert not studio.verify(called)["holds"]
    beside(called).unlink()
    assert studio.verify(called, compared=False)["holds"]
    # A picture with evidence can be signed again, without changes.
    again = studio.sends({"again.jpg": signed.read_bytes()})["again.jpg"]
    assert again.read_bytes() == signed.read_bytes() and beside(again).exists()
    studio.holds(again)
    beside(again).unlink()
    studio.holds(again)


def test_files_with_long_names_are_sent(studio: Studio):
    long = [
        "x" * 243 + ".jpg",
        "y" * 251 + ".jpg",
        "z" * 251 + ".txt",
        "q" * 255,
        "ä" * 125 + "a.txt",
        "w" * 242 + ".txt",
    ]
    files = {name: f"{number}: some bytes".encode() for number, name in enumerate(long)}
    files |= {long[0]: encoded("PNG"), long[1]: encoded("JPEG"), "z": b"what comes behind them"}
    copies = studio.sends(files)
    for copy in copies.values():
        assert len(copy.name.encode()) <= 246
        studio.holds(copy)
    assert not [path for path in studio.camera.pictures.iterdir() if path.is_file()]


def test_each_file_has_its_own_time_or_is_set_aside(studio: Studio):
    now = time.time()
    told = {"1-new.txt": now, "2-days.txt": now - 10 * DAY_SECONDS, "3-new.txt": now}
    refused = {"1-months.txt": now - 60 * DAY_SECONDS, "2-1970.txt": 0.0,
               "3-future.txt": now + 2 * DAY_SECONDS, "4-1960.txt": -10 * 365.0 * DAY_SECONDS}
    studio.camera.put("0-first.txt", b"first")
    studio.camera.says(re.compile("^accepted 0-first.txt"))
    for name, taken in (told | refused).items():
        studio.camera.put(name, name.encode(), taken)
    for _ in told:
        studio.camera.says(re.compile("^accepted "))
    rows = {row["file_name"]: row["taken_ms"] for row in studio.owner.pages("/api/transactions")}
    for name, taken in told.items():
        assert abs(rows[name] - taken * 1000) < 2, name
    assert not refused.keys() & rows.keys()
    folder = studio.camera.pictures / "refused"
    for name in refused:
        # Files with times far away are refused by the gateway, maybe after other files.
        if not (folder / name).exists():
            studio.camera.says(re.compile(f"^{name} is not sent"))
        assert (folder / name).read_bytes() == name.encode()
        reason = (folder / f"{name}.reason").read_text()
        assert f"{name} was not sent: " in reason, reason
    assert "1970-01-01" in (folder / "2-1970.txt.reason").read_text()


def segments(jpeg: bytes) -> tuple[list[bytes], bytes]:
    """The segments before the image data, with their markers, and the rest of the file."""
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        found.append(jpeg[at:end])
        at = end
    return found, jpeg[at:]


def mutated(dice: random.Random) -> bytes:
    """A JPEG of real segments, with deviations that real cameras make."""
    parts, rest = segments(CAT)
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(parts) + 1)
        junk = dice.randbytes(dice.randrange(1, 40)).replace(b"\xff", b"\0")
        wrong = bytes([0xFF, dice.choice([0xE0, 0xE1, 0xE2, 0xED, 0xEF, 0xFE])])
        length = dice.choice([0, 1, 2, 3, len(junk), len(junk) + 2, 400]).to_bytes(2)
        parts.insert(
            at,
            dice.choice(
                [
                    junk,
                    b"\xff" * dice.randrange(1, 9),
                    wrong + length + junk,
                    wrong + (len(junk) + 2).to_bytes(2) + junk,
                    b"\xff\xef\0\x0c" + b"other\0\0\0\1\1",
                    dice.choice(parts),
                    b"\xff\xe1" + (8 + len(CAT[:3000])).to_bytes(2) + b"Exif\0\0" + CAT[:3000],
                    b"\xff\xd8" + junk[:2],
                ]
            ),
        )
    trailer = dice.choice([b"", b"", dice.randbytes(30), CAT, b"\xff\xd9", b"\0" * 5000])
    end = dice.choice([len(rest), len(rest), len(rest) - 1])
    return b"\xff\xd8" + b"".join(parts) + rest[:end] + trailer


def opens(picture: bytes) -> bool:
    try:
        pixels(picture)
    except (OSError, SyntaxError, ValueError, IndexError, TypeError):
        return False
    return True


def test_pictures_that_pillow_opens_are_signed_and_still_open(studio: Studio):
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    made: dict[str, bytes] = {}
    while len(made) < 30:
        picture = mutated(dice)
        if opens(picture) and picture not in made.values():
            made[f"{seed}-{len(made):02}.jpg"] = picture
    copies = studio.sends(made)
    for name, original in made.items():
        copy = copies[name]
        studio.holds(copy)
        signed = copy.read_bytes()
        assert pixels(signed) == pixels(original), name
        for at in (dice.randrange(len(signed)), dice.randrange(30)):
            studio.notices(copy, at)
