"""An enemy makes a second file from a verified picture, and wants it to hold as well.

Exactly one sequence of bytes is accepted for a picture and its evidence. So a person can compare two
files by their hash, or keep a list of the files already seen.
"""

import itertools
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_caller import Person
from fido2 import cbor
from gateway_process import ROOT, Gateway, hallway
from soft_device import Device, Maker

CAT = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()
MARK = b"hallway\0"
PART_BYTES = 65_535 - 2 - len(MARK) - 2


@dataclass
class Picture:
    """A picture with its evidence, split into its parts."""

    folder: Path
    before: bytes
    receipts: list[bytes]
    after: bytes

    @classmethod
    def read(cls, folder: Path, signed: bytes) -> "Picture":
        start = signed.index(b"\xff\xef")
        end, evidence = start, b""
        while signed[end : end + 2] == b"\xff\xef" and signed[end + 4 : end + 12] == MARK:
            length = 2 + int.from_bytes(signed[end + 2 : end + 4])
            evidence += signed[end + 14 : end + length]
            end += length
        receipts = cbor.decode(evidence)["receipts"]
        return cls(folder, signed[:start], receipts, signed[end:])

    @property
    def run(self) -> bytes:
        return run_of(bundle_of(self.receipts))

    @property
    def whole(self) -> bytes:
        return self.before + self.run + self.after

    def carrying(self, evidence: bytes) -> bytes:
        return self.before + run_of(evidence) + self.after

    def proved(self, change: Callable[[str], str], at: int = 0) -> bytes:
        """The picture with the proof of one receipt changed."""
        receipts = list(self.receipts)
        receipt = cbor.decode(receipts[at])
        changed = change(receipt["proof"])
        assert changed != receipt["proof"]
        receipts[at] = cbor.encode(receipt | {"proof": changed})
        return self.carrying(bundle_of(receipts))

    def verify(self, picture: bytes) -> subprocess.CompletedProcess[str]:
        file = self.folder / "picture.jpg"
        file.write_bytes(picture)
        command = [hallway(), "verify", file, "--trust", self.folder / "trust.json"]
        return subprocess.run(command, capture_output=True, text=True)

    def refuses(self, picture: bytes, *words: str) -> None:
        assert picture != self.whole
        done = self.verify(picture)
        assert done.returncode == 1, done.stdout
        said = done.stdout + done.stderr
        assert "✗ does not hold" in said, said
        for word in words:
            assert word in said, said


def bundle_of(receipts: list[bytes]) -> bytes:
    return cbor.encode({"receipts": receipts})


def run_of(evidence: bytes, sizes: list[int] | None = None) -> bytes:
    """The segments that hold the evidence, cut into parts of these `sizes` if they are given."""
    cuts = [0, *itertools.accumulate(sizes)] if sizes else range(0, len(evidence), PART_BYTES)
    parts = [evidence[cut:end] for cut, end in itertools.pairwise([*cuts, len(evidence)])]
    run = b""
    for number, part in enumerate(parts, 1):
        length = 2 + len(MARK) + 2 + len(part)
        run += b"\xff\xef" + length.to_bytes(2) + MARK + bytes([number, len(parts)]) + part
    return run


@pytest.fixture(scope="module")
def picture(
    house: Gateway, owner: Person, maker: Maker, tmp_path_factory: pytest.TempPathFactory
) -> Picture:
    """A picture of an invited person, so that it rests on six receipts."""
    folder = tmp_path_factory.mktemp("picture")
    mia = owner.invite("Mia")
    camera = Device(house.origin, maker, "SN-ENCODING-1")
    camera.enrol(mia)
    signed = camera.compose(CAT, media_type="image/jpeg", file_name="cat.jpg")
    camera.send(signed, CAT, Content_Type="image/jpeg").expect_bytes(201)
    [row] = mia.get("/api/transactions?limit=1").expect()["items"]
    whole = mia.get(f"/api/transactions/{row['evidence']}/signed").expect_bytes(200)
    (folder / "trust.json").write_bytes(house.get("/api/trust"))
    made = Picture.read(folder, whole)
    # The parts put together give the file, so a test changes only what it means to change.
    assert made.whole == whole and made.before + made.after == CAT
    assert len(made.receipts) == 6
    done = made.verify(whole)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_fill_bytes_before_our_segment_are_refused(picture: Picture):
    for fill in (1, 2, 300):
        enemy = picture.before + b"\xff" * fill + picture.run + picture.after
        picture.refuses(enemy, "one way")


def test_fill_bytes_elsewhere_are_refused(picture: Picture):
    # Behind SOI, and before the segment that follows the evidence.
    picture.refuses(b"\xff\xd8\xff" + picture.whole[2:], "outside the evidence")
    enemy = picture.before + picture.run + b"\xff" + picture.after
    picture.refuses(enemy, "outside the evidence")


def test_the_evidence_has_one_place_and_one_division(picture: Picture):
    evidence = bundle_of(picture.receipts)
    end = b"\xff\xd9"
    first = picture.after.index(b"\xff\xda")
    for enemy in [
        picture.before + picture.run * 2 + picture.after,
        b"\xff\xd8" + picture.run + picture.before[2:] + picture.after,
        picture.before + picture.after[:first] + picture.run + picture.after[first:],
        picture.before + picture.run + picture.after[:first] + picture.run + picture.after[first:],
        picture.before + picture.after + picture.run,
        picture.whole + picture.run,
        picture.whole + picture.whole,
        picture.whole + end,
        picture.before + run_of(evidence, [9]) + picture.after,
        picture.before + run_of(evidence, [len(evidence)]) + picture.after,
        picture.before + run_of(b"") + picture.after,
    ]:
        picture.refuses(enemy)


def test_other_segments_carry_no_second_evidence(picture: Picture):
    """In a thumbnail, in a list of further pictures (MPF), in a comment, in another APP15."""
    small = picture.run[:60_000]
    for marker, head in [(0xE1, b"Exif\0\0"), (0xE2, b"MPF\0"), (0xFE, b""), (0xEF, b"other\0")]:
        data = head + small
        segment = bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2) + data
        for at in (2, len(picture.before), len(picture.before) + len(picture.run)):
            picture.refuses(picture.whole[:at] + segment + picture.whole[at:])


def test_receipts_have_one_order_and_none_is_repeated(picture: Picture):
    numbers = range(len(picture.receipts))
    for one, other in itertools.combinations(numbers, 2):
        shuffled = list(picture.receipts)
        shuffled[one], shuffled[other] = shuffled[other], shuffled[one]
        picture.refuses(picture.carrying(bundle_of(shuffled)))
    picture.refuses(
        picture.carrying(bundle_of([picture.receipts[0], *reversed(picture.receipts[1:])])),
        "out of order",
    )
    for at, place in itertools.product(numbers, numbers):
        doubled = list(picture.receipts)
        doubled.insert(place, picture.receipts[at])
        picture.refuses(picture.carrying(bundle_of(doubled)), "out of order")
    for at in numbers:
        fewer = picture.receipts[:at] + picture.receipts[at + 1 :]
        picture.refuses(picture.carrying(bundle_of(fewer)))


def test_receipts_that_the_picture_does_not_rest_on_are_refused(
    picture: Picture, house: Gateway, owner: Person, maker: Maker
):
    """Receipts from the same realm's log, each of which holds by itself."""
    rows = owner.pages("/api/evidence")
    known = {index_of(receipt) for receipt in picture.receipts}
    top = index_of(picture.receipts[0])
    spare = [row for row in rows if row["log_index"] not in known and row["log_index"] < top]
    assert spare
    for row in spare:
        bundle = owner.get(f"/api/receipts/{row['hash']}").expect_bytes(200)
        receipt = cbor.decode(bundle)["receipts"][0]
        more = sorted([*picture.receipts, receipt], key=index_of, reverse=True)
        picture.refuses(picture.carrying(bundle_of(more)), "does not rest on receipt")


def index_of(receipt: bytes) -> int:
    return int(cbor.decode(receipt)["proof"].split("\n")[1].removeprefix("index "))


def test_a_proof_has_one_encoding(picture: Picture):
    def own(text: str) -> str:
        return text.rsplit("\n\n", 1)[1]

    for at in range(len(picture.receipts)):
        for change in [
            lambda text: text + own(text),
            lambda text: text + "— mallory AAAAAAAA\n",
            lambda text: text + "— localhost/log AAAAAAAA\n",
            lambda text: text[: -len(own(text))] + "— mallory AAAAAAAA\n" + own(text),
            lambda text: text + "\n",
            lambda text: text[:-1],
            lambda text: text.replace("index ", "index 0", 1),
            lambda text: text.replace("index ", "extra AA==\nindex ", 1),
            lambda text: text.replace("\n\n", "\nAAAA\n\n", 1),
            lambda text: text.replace("\n\n", "\n\n\n", 1),
        ]:
            picture.refuses(picture.proved(change, at))
    picture.refuses(
        picture.proved(lambda text: text + "— mallory AAAAAAAA\n"), "mallory", "no witness"
    )


def test_cbor_has_one_encoding(picture: Picture):
    evidence = bundle_of(picture.receipts)
    assert evidence[:10] == b"\xa1\x68receipts"
    count = evidence[10] & 0x1F
    for other in [
        b"\xb8\x01" + evidence[1:],
        b"\xbf" + evidence[1:] + b"\xff",
        evidence[:10] + b"\x9f" + evidence[11:] + b"\xff",
        evidence[:10] + bytes([0x98, count]) + evidence[11:],
        b"\xd9\xd9\xf7" + evidence,
        evidence + b"\0",
        cbor.encode({"receipts": picture.receipts, "x": 1}),
    ]:
        picture.refuses(picture.carrying(other))
    # Inside a receipt and its evidence, too.
    receipt = cbor.decode(picture.receipts[0])
    for inner in [
        cbor.encode(receipt | {"x": 1}),
        picture.receipts[0] + b"\0",
        cbor.encode(receipt | {"evidence": receipt["evidence"] + b"\0"}),
        cbor.encode(receipt | {"evidence": cbor.encode(cbor.decode(receipt["evidence"]) | {"x": 1})}),
    ]:
        picture.refuses(picture.carrying(bundle_of([inner, *picture.receipts[1:]])))


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_a_signature_has_the_encoding_that_was_logged(picture: Picture):
    """ECDSA accepts n - s in place of s, and DER can be padded; the log has one of these encodings."""
    from cryptography.hazmat.primitives.asymmetric.utils import (
        decode_dss_signature,
        encode_dss_signature,
    )

    receipt = cbor.decode(picture.receipts[0])
    evidence = cbor.decode(receipt["evidence"])
    signed = cbor.decode(evidence["signed"])
    assertion = signed["assertion"]
    r, s = decode_dss_signature(assertion["signature"])
    other = encode_dss_signature(r, P256_ORDER - s)
    der = assertion["signature"]
    for change in [
        {"signature": other},
        {"signature": der + b"\0"},
        {"signature": b"\x30\x81" + der[1:]},
        {"signature": der[:2] + bytes([2, der[3] + 1, 0]) + der[4:]},
        {"authenticator_data": assertion["authenticator_data"] + b"\0"},
        {"client_data": assertion["client_data"].replace(b"}", b" }")},
        {"client_data": assertion["client_data"] + b" "},
    ]:
        changed = cbor.encode(signed | {"assertion": assertion | change})
        hidden = cbor.encode(evidence | {"signed": changed})
        enemy = [cbor.encode(receipt | {"evidence": hidden}), *picture.receipts[1:]]
        picture.refuses(picture.carrying(bundle_of(enemy)), "log.2")


def test_every_changed_removed_or_doubled_byte_is_refused(picture: Picture):
    dice = random.Random(7)
    start, end = len(picture.before), len(picture.before) + len(picture.run)
    places = [*range(start, start + 20), *(dice.randrange(start, end) for _ in range(60)), 0, 1, 2]
    places += [dice.randrange(end, len(picture.whole)) for _ in range(10)]
    for at in places:
        head, byte, tail = picture.whole[:at], picture.whole[at : at + 1], picture.whole[at + 1 :]
        changed = bytes([byte[0] ^ (1 << dice.randrange(8))])
        for enemy in (head + changed + tail, head + tail, head + byte + byte + tail):
            if enemy != picture.whole:
                picture.refuses(enemy)
