"""A partner's hostile gateway attacks the commands of a visitor and the visitor's own gateway: with endless
lists and packs, numbers too large, answers that never come, and people whom it makes up."""

import hashlib
import json
import re
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_place import HALL, Guest, free_port, store
from hostile_host import PROBLEM, Answers, Asked, HostileHost, answer, calling, certificate
from process_memory import MIB
from two_realms import TwoRealms
from waiting import eventually

PACK = "application/vnd.hallway.pack"
# The most memory that a command of a visitor may take in all.
MOST_BYTES = 300 * MIB


class Place:
    """Ada, a person of realm beta, and the partner realm alpha, whose hall listener is hostile."""

    def __init__(self, realms: TwoRealms, host: HostileHost, ada: Guest):
        self.realms, self.host, self.ada = realms, host, ada
        self.hall = f"{realms.alpha.site.realm}/{HALL}"
        self.data = f"{self.hall}:data"

    def open_at_home(self) -> list[dict]:
        return [grant for grant in self.realms.beta.grants() if not grant["ended_ms"]]


@pytest.fixture(scope="module")
def realms(tmp_path_factory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("realms")
    made = TwoRealms(folder, store("data", folder / "files"))
    alpha = made.alpha
    alpha.api.act("hall.create", hall=HALL, title="The laboratory")
    made.join()
    made.share(["read:data"])
    ada = made.beta.person("Ada")
    (folder / "files" / "a.txt").write_text("x")
    assert "a.txt" in ada.run("ls", f"{alpha.site.realm}/{HALL}:data").stdout
    # Alpha's web address and log stay honest; from now on a hostile host answers for its hall listener.
    alpha.kill()
    settings = alpha.data / "hallway.toml"
    here = f'[hall]\nlisten = "{alpha.site.address}:'
    before, after = settings.read_text().split(f"{here}{alpha.site.hall_port}")
    settings.write_text(f"{before}{here}{free_port()}{after}")
    alpha.start(alpha.data)
    host = HostileHost(alpha.data, alpha.site, ["read:data"])
    yield Place(made, host, ada)
    host.close()
    made.close()


@pytest.fixture
def place(realms: Place) -> Iterator[Place]:
    yield realms
    realms.host.forget()
    eventually(lambda: not realms.open_at_home())


def file(name: str, **more: object) -> dict:
    return {"name": name, "kind": "file", "bytes": 1, "modified_ms": 1, "etag": "e"} | more


def listing(*entries: dict) -> Answers:
    """A list that fits on one page."""
    return lambda asked: answer(200, {"entries": entries, "next": None})


def watched(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str, int]:
    """Waits for the end of a command. Returns its exit code, its output, and the most bytes that were
    resident at any time."""
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(process.communicate()))
    reading.start()
    most, end = 0, time.monotonic() + seconds
    while reading.is_alive():
        if time.monotonic() > end:
            process.kill()
            reading.join()
            raise AssertionError(f"the command did not end: {said}")
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            status = ""
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            most = max(most, int(found[1]) * 1024)
        reading.join(0.05)
    return process.returncode, "".join(said), most


def refused(place: Place, *arguments: str | Path, words: str) -> None:
    code, said, most = watched(place.ada.start(*arguments))
    assert code == 1 and words in said and "panicked" not in said, said
    assert most < MOST_BYTES, f"the command took {most / MIB:.0f} MiB"


def test_the_hostile_host_can_also_answer_honestly(place: Place):
    place.host.answers["/files/data/"] = listing(file("a.txt"))
    assert "a.txt" in place.ada.run("ls", place.data).stdout


# Lists that never end, or whose next page is not where they say.
ENDLESS: dict[str, Callable[[int], dict]] = {
    "empty pages": lambda number: {"entries": [], "next": f"n{number:09}"},
    "the same page": lambda number: {"entries": [file("a")], "next": "a"},
    "another name": lambda number: {"entries": [file(f"n{number:09}")], "next": f"n{number:09}x"},
    "names out of order": lambda number: {"entries": [file("b"), file("a")], "next": "a"},
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_command_stops_at_an_endless_list(place: Place, kind: str):
    asked: list[Asked] = []

    def pages(request: Asked) -> bytes:
        asked.append(request)
        return answer(200, ENDLESS[kind](len(asked)))

    place.host.answers["/files/data/"] = pages
    refused(place, "ls", place.data, words="what the far side lists there cannot be used")
    assert len(asked) <= 2, f"asked for {len(asked)} pages"


def test_long_etags_take_bounded_memory(place: Place):
    number = 0

    def pages(_: Asked) -> bytes:
        nonlocal number
        number += 1
        name = f"f{number:05}"
        return answer(200, {"entries": [file(name, etag="e" * 4_000_000)], "next": name})

    place.host.answers["/files/data/"] = pages
    refused(place, "ls", place.data, words="it takes more than 512 MiB")


def test_an_etag_that_is_too_long_is_left_out(place: Place):
    place.host.answers["/files/data/"] = listing(file("a", etag="e" * 257), file("b", etag="e" * 256))
    rows = place.ada.json("ls", place.data)
    assert [row.get("etag") for row in rows] == [None, "e" * 256]


def test_a_mirror_stops_at_an_endless_tree(place: Place, tmp_path: Path):
    folder = {"name": "d", "kind": "folder", "bytes": 0, "modified_ms": 0}
    place.host.answers["/files/data/*"] = listing(folder)
    refused(place, "mirror", place.data, tmp_path / "copy", words="a path there that is too long")


def packed(path: str, content: bytes) -> bytes:
    sha256 = hashlib.sha256(content).hexdigest()
    head = json.dumps({"path": path, "bytes": len(content), "sha256": sha256}).encode()
    return len(head).to_bytes(4, "big") + head + content


def chunked(parts: Iterator[bytes]) -> Iterator[bytes]:
    yield f"HTTP/1.1 200 X\r\ncontent-type: {PACK}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    for part in parts:
        yield b"%x\r\n%s\r\n" % (len(part), part)


@pytest.mark.parametrize("first", [[], ["a"], ["a", "b"]])
def test_a_pack_with_other_files_is_refused(
    place: Place, tmp_path: Path, first: list[str]
):
    def parts() -> Iterator[bytes]:
        for name in first:
            yield packed(name, b"x")
        while True:
            yield packed("zzz", bytes(60_000))

    def store_of_two(asked: Asked) -> bytes | Iterator[bytes]:
        if asked.method == "POST":
            return chunked(parts())
        return answer(200, {"entries": [file("a"), file("b")], "next": None})

    place.host.answers["/files/data/"] = store_of_two
    copy = tmp_path / "copy"
    refused(place, "mirror", place.data, copy, words="zzz: the far side sends this file")
    assert list(copy.iterdir()) == []


@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
@pytest.mark.parametrize("command", ["ls", "get", "mirror"])
def test_an_impossible_file_length_is_refused(
    place: Place, tmp_path: Path, command: str, length: int
):
    files = [file("a", bytes=length), file("b", bytes=length)]
    place.host.answers["/files/data/"] = listing(*files)
    arguments = {
        "ls": [place.data],
        "get": [f"{place.data}/a", tmp_path / "a"],
        "mirror": [place.data, tmp_path / "copy"],
    }
    refused(place, command, *arguments[command], words="no file can be so long")


def test_lengths_whose_sum_overflows_cause_no_panic(place: Place, tmp_path: Path):
    longest = 2**63 - 1
    files = [file(name, bytes=longest) for name in "abc"]
    place.host.answers["/files/data/"] = listing(*files)
    refused(place, "mirror", place.data, tmp_path / "copy", words="files failed")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["open", "ls"])
def test_a_signal_ends_a_command_while_the_host_is_silent(
    place: Place, command: str, sent: signal.Signals
):
    place.host.answers["/visit"] = place.host.silent
    target = place.hall if command == "open" else place.data
    process = place.ada.start(command, target)
    place.host.wait_for("/visit")
    assert place.open_at_home()
    process.send_signal(sent)
    code, said, _ = watched(process, seconds=30)
    assert code == (0 if command == "open" else 1), said
    assert ("given up" if command == "open" else "stopped") in said
    assert not place.open_at_home()


def test_a_command_gives_up_a_host_that_never_answers(place: Place):
    place.host.answers["/visit"] = place.host.silent
    # Asking for the grant finds none either.
    place.host.answers["/grant"] = lambda asked: answer(403, {"code": "not-open"}, PROBLEM)
    code, said, _ = watched(place.ada.start("ls", place.data))
    assert code == 1 and "did not answer within" in said, said
    assert not place.open_at_home()


def test_a_hall_is_closed_at_home_while_the_host_is_silent(place: Place):
    opened = place.ada.open(hall=place.hall)
    assert place.open_at_home()
    place.host.answers["/grant/end"] = place.host.silent
    opened.process.send_signal(signal.SIGINT)
    place.host.wait_for("/grant/end")
    # The home gateway closes it before the command's wait for the host ends.
    eventually(lambda: not place.open_at_home(), seconds=20)
    assert opened.process.wait(30) == 0, "".join(opened.said)


def shared_halls(place: Place, *halls: dict) -> None:
    """Makes the partner say that it shares these halls."""
    hall = {"hall": "lab", "title": "Lab", "guest": {"role": "member"}, "rights": ["read:data"]}
    body = {"longest_ms": 1000, "halls": [hall | more for more in halls]}
    place.host.answers["/partner/halls"] = lambda _: answer(200, body)


@pytest.mark.parametrize("title", ["a\u202eb\x1b[2J\u2800", "x" * 1_000_000, ""])
def test_the_title_of_a_partners_hall_becomes_one_short_line(place: Place, title: str):
    shared_halls(place, {"title": title})
    home, realm = place.realms.beta.api, place.realms.alpha.site.realm
    [hall] = home.get(f"/api/partners/{realm}/halls").expect()
    assert 0 < len(hall["title"].encode()) <= 255
    page = home.get(f"/partners/{realm}/halls").expect_text(200)
    for text in (hall["title"], page):
        assert not {"\u202e", "\x1b", "\u2800"} & set(text)


def test_a_partner_shares_at_most_256_halls(place: Place):
    home, realm = place.realms.beta.api, place.realms.alpha.site.realm
    shared_halls(place, *({"hall": f"h{number}"} for number in range(256)))
    assert len(home.get(f"/api/partners/{realm}/halls").expect()) == 256
    shared_halls(place, *({"hall": f"h{number}"} for number in range(257)))
    refused = home.get(f"/api/partners/{realm}/halls")
    assert (refused.status, refused.json["code"]) == (502, "partner-away")


def begun_visit(place: Place, number: int, minutes_old: int = 1) -> ssl.SSLSocket:
    """Connects as a person whom alpha made up, and announces evidence that does not come."""
    alpha, beta = place.realms.alpha, place.realms.beta
    person = f"person/019a0000-0000-7000-8000-{number:012x}"
    pem = certificate(alpha.data, alpha.site.realm, person, minutes_old)
    stream = calling(alpha.site, beta.site, pem)
    head = "POST /visit HTTP/1.1\r\nhost: h\r\ncontent-type: application/cbor\r\ncontent-length: 5000\r\n\r\n"
    stream.sendall(head.encode())
    return stream


def test_invented_people_of_a_partner_take_a_fourth_of_the_places(place: Place):
    held = [begun_visit(place, number) for number in range(40)]
    refused = 0
    for stream in held[8:]:
        refused += stream.recv(12) == b"HTTP/1.1 429"
    # One realm may take a fourth of all places of the route.
    assert refused == 32
    for stream in held:
        stream.close()


def test_a_certificate_for_years_counts_no_longer_than_others(place: Place):
    stream = begun_visit(place, 41, minutes_old=16)
    said = stream.recv(4096)
    assert b"certificate-too-old" in said, said
    stream.close()
