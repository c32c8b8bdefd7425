"""Files of a hall, with programs of other projects: litmus, the conformance suite of WebDAV, rclone and
cadaver, over the local port of `hallway open`: in a folder, in a bucket, and behind an agent."""

import json
import os
import random
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from gateway_process import Program
from hall_place import HALL, Guest, Open, Realm, store
from object_store import ObjectStore

STORES = ["data", "cloud", "scans"]
RIGHTS = [f"{right}:{name}" for name in STORES for right in ("read", "write", "delete")]
LONG_AGO, FAR_AHEAD = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 06 Nov 2099 08:49:37 GMT"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def bucket(place: Path) -> Iterator[ObjectStore]:
    running = ObjectStore(place / "objects", "cloud")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def realm(place: Path, bucket: ObjectStore) -> Iterator[Realm]:
    offers = store("data", place / "data") + f'[[hall.stores]]\nhall = "{HALL}"\nname = "cloud"\n'
    offers += bucket.settings("hall.stores.bucket", place / "s3.secret")
    made = Realm(place / "realm", offers)
    yield made
    made.close()


@pytest.fixture(scope="module")
def agent(place: Path, realm: Realm) -> Iterator[Program]:
    (place / "scans").mkdir()
    config = place / "hall-agent.toml"
    config.write_text(f'[[stores]]\nname = "scans"\nfolder = "{place / "scans"}"\n')
    link = realm.owner.act("hall.invite_agent", hall=HALL, agent="annex", stores=["scans"])["link"]
    running = Program("hall", "agent", "--config", config, "--join", link, "--json")
    running.wait_for(re.compile('"event":"connected"'))
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture(scope="module")
def ada(realm: Realm, agent: Program) -> Guest:
    return realm.guest("Ada", RIGHTS)


@pytest.fixture(scope="module")
def opened(ada: Guest) -> Iterator[Open]:
    running = ada.open()
    yield running
    running.close()


@pytest.fixture(scope="module")
def bea(realm: Realm, agent: Program) -> Guest:
    return realm.guest("Bea", RIGHTS)


@pytest.fixture(scope="module")
def beside(bea: Guest) -> Iterator[Open]:
    """The same hall, opened by another guest."""
    running = bea.open()
    yield running
    running.close()


class Answer:
    def __init__(self, status: int, headers, body: bytes):
        self.status, self.headers, self.body = status, headers, body


def ask(opened: Open, method: str, path: str, body=None, **headers: str) -> Answer:
    """A request to the local port, with bytes or chunks as its body; `if_match` becomes `If-Match`."""
    request = urllib.request.Request(opened.files + path, method=method, data=body)
    request.add_header("Authorization", f"Bearer {opened.password}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, response.headers, response.read())
    except HTTPError as refused:
        return Answer(refused.code, refused.headers, refused.read())


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("suite", ["basic", "copymove", "props", "locks", "http"])
def test_litmus_passes_without_skips(opened: Open, tmp_path: Path, name: str, suite: str):
    done = subprocess.run(
        ["litmus", f"{opened.files}{name}/", "hall", opened.password],
        env={**os.environ, "TESTS": suite}, cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    [(ran, passed)] = re.findall(r"of (\d+) tests run: (\d+) passed, 0 failed", done.stdout)
    assert int(ran) == int(passed) > 0
    assert "SKIPPED" not in done.stdout, done.stdout


@pytest.mark.parametrize("name", STORES)
def test_conditions_hold_for_every_method(opened: Open, name: str):
    def at(path: str) -> str:
        return f"{name}/conditions/{path}"

    assert ask(opened, "MKCOL", at("")).status == 201
    assert ask(opened, "MKCOL", at("folder")).status == 201
    assert ask(opened, "PUT", at("folder/inner"), b"inner").status == 201
    etag = ask(opened, "PUT", at("file"), b"one").headers["ETag"]
    of_other = ask(opened, "PUT", at("other"), b"other").headers["ETag"]
    to = opened.files + at("to")
    failing = [
        {"if_unmodified_since": LONG_AGO},
        {"if_match": '"another"'},
        {"if_match": f"W/{etag}"},
        {"if_none_match": "*"},
        {"if": '(["another"])'},
        {"if": "(<opaquelocktoken:gone>)"},
        {"if": f'<{opened.files}{at("other")}> (["another"])'},
        {"if": f'<{opened.files}{at("file")}> ([{of_other}])'},
    ]
    for condition in failing:
        for method, path, extra in [
            ("PUT", "file", {}),
            ("COPY", "file", {"destination": to}),
            ("MOVE", "file", {"destination": to}),
            ("DELETE", "file", {}),
            ("COPY", "folder", {"destination": to}),
            ("MOVE", "folder", {"destination": to}),
            ("DELETE", "folder", {}),
        ]:
            body = b"two" if method == "PUT" else None
            answer = ask(opened, method, at(path), body, **extra, **condition)
            assert answer.status == 412, (method, path, condition, answer.body)
    listed = json.loads(ask(opened, "GET", at("")).body)["entries"]
    assert [entry["name"] for entry in listed] == ["file", "folder", "other"]
    assert ask(opened, "GET", at("file")).body == b"one"
    assert ask(opened, "GET", at("folder/inner")).body == b"inner"
    assert ask(opened, "GET", at("file"), if_modified_since=FAR_AHEAD).status == 304
    assert ask(opened, "GET", at("file"), if_unmodified_since=LONG_AGO).status == 412

    assert ask(opened, "PUT", at("file"), b"two", if_match=f'"another", {etag}').status == 204
    holding = [
        {"if_unmodified_since": FAR_AHEAD},
        {"if_match": "*"},
        {"if": "(<opaquelocktoken:gone>) (Not <DAV:no-lock>)"},
        {"if": f'<{opened.files}{at("other")}> ([{of_other}])'},
        {"if": f'<{opened.files}{at("other")}> (["another"]) <{opened.files}{at("none")}> (Not ["x"])'},
    ]
    for condition in holding:
        answer = ask(opened, "COPY", at("folder"), destination=to, overwrite="T", **condition)
        assert answer.status in (201, 204), (condition, answer.body)
    # A copied folder replaces the whole target folder.
    assert ask(opened, "PUT", at("to/surplus"), b"x").status == 201
    assert ask(opened, "COPY", at("folder"), destination=to, overwrite="F").status == 412
    assert ask(opened, "COPY", at("folder"), destination=to, overwrite="T").status == 204
    listed = json.loads(ask(opened, "GET", at("to")).body)["entries"]
    assert [entry["name"] for entry in listed] == ["inner"]


@pytest.mark.parametrize("name", STORES)
def test_rclone_sync_copies_nothing_the_second_time(opened: Open, tmp_path: Path, name: str):
    # A bucket stores no modification times. rclone asks for them if the server is an ownCloud.
    for vendor in ["other"] if name == "cloud" else ["other", "owncloud"]:
        remote = f":webdav,url='{opened.files}{name}/',bearer_token='{opened.password}',vendor={vendor}:"
        top = f"sync {vendor}"
        here, back = tmp_path / vendor / "here", tmp_path / vendor / "back"
        chance = random.Random(5)
        for number in range(12):
            folder = here / f"a {number % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"ü{number}#?%.bin"
            file.write_bytes(chance.randbytes(chance.randrange(30_000)))
            os.utime(file, (1_500_000_000 + number * 86_400, 1_500_000_000.123 + number * 86_400))
        (here / "empty").mkdir()
        assert sync(here, f"{remote}{top}/one") == 12
        assert sync(here, f"{remote}{top}/one") == 0
        assert sync(f"{remote}{top}/one", f"{remote}{top}/two") == 12
        assert sync(f"{remote}{top}/one", f"{remote}{top}/two") == 0
        assert sync(f"{remote}{top}/two", back) == 12
        assert sync(f"{remote}{top}/two", back) == 0
        assert sync(back, f"{remote}{top}/one") == 0
        assert contents(back) == contents(here)
        if vendor == "owncloud":
            assert times(back) == times(here)
        changed = here / "a 1" / "ü1#?%.bin"
        changed.write_bytes(b"changed, and of another length")
        (here / "a 2" / "ü2#?%.bin").unlink()
        # Before version 1.63 rclone asks the server to copy without overwriting (rclone #6964).
        for source, target in [
            (here, f"{remote}{top}/one"),
            (f"{remote}{top}/one", f"{remote}{top}/two"),
            (f"{remote}{top}/two", back),
        ]:
            assert sync(source, target, "--disable", "copy") == 1
            assert sync(source, target) == 0
        assert contents(back) == contents(here)


def sync(source: Path | str, target: Path | str, *arguments: str) -> int:
    """Runs rclone sync, which must succeed. Returns the number of files copied."""
    done = subprocess.run(
        ["rclone", "--config", "/dev/null", "sync", str(source), str(target), "--create-empty-src-dirs",
         "--use-json-log", "--verbose", "--retries", "1", *arguments],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 0 and not [line for line in said if line["level"] == "error"], said
    return sum(line["msg"].startswith("Copied") for line in said)


def contents(root: Path) -> dict[str, bytes | None]:
    found = {path.relative_to(root): path for path in root.rglob("*")}
    return {str(name): None if path.is_dir() else path.read_bytes() for name, path in found.items()}


def times(root: Path) -> dict[str, int]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): int(path.stat().st_mtime) for path in files}


def test_foreign_properties_stay_with_a_file_behind_an_agent(opened: Open, place: Path):
    assert ask(opened, "PUT", "scans/said", b"x").status == 201
    update = (
        b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><who xmlns="urn:x">&lt;Ada&gt;</who>'
        b"</D:prop></D:set></D:propertyupdate>"
    )
    assert ask(opened, "PROPPATCH", "scans/said", update, if_match='"another"').status == 412
    assert ask(opened, "PROPPATCH", "scans/said", update).status == 207
    assert ask(opened, "MOVE", "scans/said", destination=f"{opened.files}scans/moved").status == 201
    listed = ask(opened, "PROPFIND", "scans/", depth="1").body.decode()
    assert '<who xmlns="urn:x">&lt;Ada&gt;</who>' in listed
    assert (place / "scans" / "moved").read_bytes() == b"x"


def listed(opened: Open, folder: str) -> set[str]:
    """The names in a folder, from WebDAV's list."""
    answer = ask(opened, "PROPFIND", folder, depth="1")
    assert answer.status == 207, answer.body
    places = re.findall("<D:href>/files/([^<]*)</D:href>", answer.body.decode())
    assert places[0] == folder
    return {place.removeprefix(folder) for place in places[1:]}


def test_objects_with_impossible_file_names_are_left_out(
    bucket: ObjectStore, ada: Guest, opened: Open, tmp_path: Path
):
    odd = ["odd/a//b", "odd/./c", "odd/tab\tname", "../out", "nul\x01x"]
    for key in [*odd, "odd/good", "odd/sub/fine"]:
        bucket.s3.put_object(Bucket=bucket.bucket, Key=key, Body=b"x")
    top = listed(opened, "cloud/")
    assert "odd/" in top and not [name for name in top if re.search("out|nul", name)]
    assert listed(opened, "cloud/odd/") == {"a/", "good", "sub/"}
    assert listed(opened, "cloud/odd/a/") == set()
    whole = {"good": b"x", "sub": None, "sub/fine": b"x"}
    remote = f":webdav,url='{opened.files}cloud/odd/',bearer_token='{opened.password}',vendor=other:"
    assert sync(remote, tmp_path / "rclone") == 2
    ada.run("mirror", f"{HALL}:cloud/odd", tmp_path / "mirror")
    for copied in ["rclone", "mirror"]:
        assert contents(tmp_path / copied) == whole | {"a": None}
    to = f"{opened.files}cloud/even"
    before = bucket.names()
    for method in ["MOVE", "DELETE"]:
        kept = ask(opened, method, "cloud/odd/", destination=to)
        assert (kept.status, json.loads(kept.body)["code"]) == (409, "store-cannot")
        assert b"a//b" in kept.body
    assert bucket.names() == before
    assert ask(opened, "COPY", "cloud/odd/", destination=to).status == 201
    assert bucket.names() - before == {"even/good", "even/sub/fine"}
    for key in odd:
        bucket.s3.delete_object(Bucket=bucket.bucket, Key=key)
    for folder in ["cloud/odd/", "cloud/even/"]:
        assert ask(opened, "DELETE", folder).status == 204
    assert not [key for key in bucket.names() if key.startswith(("odd", "even"))]


def test_folder_objects_of_other_programs_are_shown_as_folders(
    bucket: ObjectStore, opened: Open, tmp_path: Path
):
    """S3 consoles, Cyberduck and s3fs represent a folder by an empty object `photos/`."""
    for key in ["photos/", "photos/a.jpg", "photos/sub/", "empty/"]:
        bucket.s3.put_object(Bucket=bucket.bucket, Key=key, Body=b"" if key[-1] == "/" else b"x")
    assert listed(opened, "cloud/") >= {"photos/", "empty/"}
    assert listed(opened, "cloud/photos/") == {"a.jpg", "sub/"}
    assert listed(opened, "cloud/empty/") == listed(opened, "cloud/photos/sub/") == set()
    assert ask(opened, "GET", "cloud/photos/photos").status == 404
    remote = f":webdav,url='{opened.files}cloud/photos/',bearer_token='{opened.password}',vendor=other:"
    assert sync(remote, tmp_path / "rclone") == 1

    def below(*folders: str) -> set[str]:
        return {key for key in bucket.names() if key.startswith(folders)}

    to = f"{opened.files}cloud/pics/"
    assert ask(opened, "MOVE", "cloud/photos/", destination=to).status == 201
    assert below("photos", "pics") == {"pics/", "pics/a.jpg", "pics/sub/"}
    again = f"{opened.files}cloud/again"
    assert ask(opened, "COPY", "cloud/pics", destination=again).status == 201
    assert ask(opened, "COPY", "cloud/pics/sub", destination=again, overwrite="T").status == 204
    assert below("again") == {"again/"}
    for folder in ["empty/", "pics/sub", "pics", "again"]:
        assert ask(opened, "DELETE", f"cloud/{folder}").status == 204
        assert ask(opened, "PROPFIND", f"cloud/{folder}", depth="0").status == 404
    assert below("empty", "pics", "again") == set()


def test_the_top_folder_lists_every_store(opened: Open):
    assert listed(opened, "") == {f"{name}/" for name in STORES}
    assert ask(opened, "PUT", "data/top", b"x").status == 201
    remote = f":webdav,url='{opened.files}',bearer_token='{opened.password}',vendor=other:"
    for folder, found in [("", {f"{name}/" for name in STORES}), ("data", {"top"})]:
        done = subprocess.run(
            ["rclone", "--config", "/dev/null", "lsf", "--retries", "1", remote + folder],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert found <= set(done.stdout.splitlines())
    for method in ["PUT", "DELETE", "MKCOL"]:
        refused = ask(opened, method, "")
        assert (refused.status, refused.headers["Allow"]) == (405, "OPTIONS, GET, HEAD, PROPFIND")


@pytest.mark.parametrize("name", STORES)
def test_unusual_requests_of_clients_are_accepted(opened: Open, name: str):
    folder = f"{name}/as-written"
    assert ask(opened, "MKCOL", folder, iter(()), transfer_encoding="chunked").status == 201
    assert ask(opened, "MKCOL", f"{folder}/x", iter([b"x"]), transfer_encoding="chunked").status == 415
    file = f"{folder}/file"
    assert ask(opened, "PUT", file, b"12345").status == 201
    assert ask(opened, "PUT", f"{folder}/empty", b"").status == 201
    head = ask(opened, "HEAD", file, range="bytes=1-2")
    assert (head.status, head.headers["Content-Length"]) == (200, "5")
    empty = ask(opened, "GET", f"{folder}/empty", range="bytes=0-99")
    assert (empty.status, empty.body) == (200, b"")
    for depth in [{}, {"depth": "infinity"}, {"depth": "1,noroot"}]:
        found = ask(opened, "PROPFIND", file, **depth)
        assert (found.status, found.body.count(b"<D:href>")) == (207, 1), depth
    assert ask(opened, "PROPFIND", folder).status == 403
    for body in [
        "<?xml version='1.0' encoding='utf-16'?><propfind xmlns='DAV:'><allprop/></propfind>".encode("utf-16"),
        b" \r\n",
    ]:
        found = ask(opened, "PROPFIND", file, body, depth="0")
        assert found.status == 207 and b"getcontentlength>5<" in found.body
    nothing = ask(opened, "PROPFIND", file, b'<propfind xmlns="DAV:"><prop/></propfind>', depth="0")
    assert b"<D:status>HTTP/1.1 200 OK</D:status>" in nothing.body
    assert ask(opened, "PUT", f"{file}/", b"x").status == 409
    top = opened.files.replace("127.0.0.1", "localhost")
    assert top != opened.files
    assert ask(opened, "COPY", file, destination=f"{top}{folder}/copy").status == 201
    raw = f"{opened.files}{folder}/ü".encode().decode("latin-1")
    assert ask(opened, "COPY", file, destination=raw).status == 201
    assert ask(opened, "COPY", file, destination=f"{opened.files}{folder}/a b").status == 400
    assert listed(opened, f"{folder}/") == {"copy", "empty", "file", "%C3%BC"}
    assert ask(opened, "DELETE", folder).status == 204


def test_times_before_1970_are_kept(ada: Guest, place: Path, tmp_path: Path):
    old, begin = tmp_path / "old", tmp_path / "begin"
    for file, time in [(old, -86_400.5), (begin, 0)]:
        file.write_bytes(b"x")
        os.utime(file, (time, time))
        ada.run("put", file, f"{HALL}:data")
        ada.run("get", f"{HALL}:data/{file.name}", tmp_path / f"{file.name}-back")
        for copy in [place / "data" / file.name, tmp_path / f"{file.name}-back"]:
            assert copy.stat().st_mtime == time
    shown = {line["name"]: line.get("modified_ms") for line in ada.json("ls", f"{HALL}:data")}
    assert (shown["old"], shown["begin"]) == (-86_400_500, 0)
    assert "1969" in ada.run("ls", f"{HALL}:data/old").stdout
    # The same in a pack of files.
    (tmp_path / "many").mkdir()
    for file in [old, begin]:
        file.rename(tmp_path / "many" / file.name)
    ada.run("mirror", tmp_path / "many", f"{HALL}:data/many")
    ada.run("mirror", f"{HALL}:data/many", tmp_path / "many-back")
    for top in [place / "data" / "many", tmp_path / "many-back"]:
        assert [(top / name).stat().st_mtime for name in ["old", "begin"]] == [-86_400.5, 0]


LOCK = (
    b'<?xml version="1.0" encoding="utf-8"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/>'
    b"</D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>Ada</D:href></D:owner></D:lockinfo>"
)


def lock(opened: Open, path: str, status: int = 200, depth: str = "0") -> str:
    """Takes a lock, and returns its token in angle brackets."""
    answer = ask(opened, "LOCK", path, LOCK, depth=depth, timeout="Second-600")
    assert answer.status == status, answer.body
    return answer.headers["Lock-Token"]


def named(path: str, answer: Answer) -> bool:
    """Whether the refusal names `path`, at the port that was asked, as the locked file."""
    return f"<D:lock-token-submitted><D:href>/files/{path}</D:href>" in answer.body.decode()


@pytest.mark.parametrize("name", STORES)
def test_a_lock_refuses_changes_by_others(
    opened: Open, beside: Open, bea: Guest, tmp_path: Path, name: str
):
    top = f"{name}/locked"
    assert ask(opened, "MKCOL", f"{top}/").status == 201
    assert ask(opened, "PUT", f"{top}/file", b"one").status == 201
    assert ask(opened, "PUT", f"{top}/other", b"one").status == 201
    token = lock(opened, f"{top}/file")
    update = (
        b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><who xmlns="urn:x">Bea</who></D:prop></D:set>'
        b"</D:propertyupdate>"
    )
    to = beside.files + f"{top}/moved"
    on_it = beside.files + f"{top}/file"
    for condition in [{}, {"if": f"<{beside.files}{top}/file> ({token}) (Not <DAV:no-lock>)"}]:
        for method, path, body, extra in [
            ("PUT", "/file", b"two", {}),
            ("PROPPATCH", "/file", update, {}),
            ("DELETE", "/file", None, {}),
            ("DELETE", "", None, {}),
            ("MOVE", "/file", None, {"destination": to}),
            ("MOVE", "", None, {"destination": beside.files + f"{name}/away"}),
            ("COPY", "/other", None, {"destination": on_it, "overwrite": "T"}),
            ("MOVE", "/other", None, {"destination": on_it, "overwrite": "T"}),
        ]:
            answer = ask(beside, method, top + path, body, **extra, **condition)
            assert answer.status == 423 and named(f"{top}/file", answer), (method, path, answer.body)
    assert ask(beside, "UNLOCK", f"{top}/file", lock_token=token).status == 403
    assert ask(beside, "LOCK", f"{top}/file", LOCK).status == 423
    above = ask(beside, "LOCK", top, LOCK, depth="infinity")
    assert above.status == 207 and b"424 Failed Dependency" in above.body

    # Commands report the lock in a sentence, also for a pack of files.
    (tmp_path / "file").write_bytes(b"two")
    (tmp_path / "new").write_bytes(b"two")
    bea.refused("put", "--force", tmp_path / "file", f"{HALL}:{top}/file", words="is locked")
    bea.refused("rm", f"{HALL}:{top}/file", words="is locked")
    bea.refused("mirror", tmp_path, f"{HALL}:{top}", words="is locked")
    assert ask(opened, "GET", f"{top}/file").body == b"one"
    assert ask(opened, "GET", f"{top}/new").body == b"two"
    seen = ask(beside, "PROPFIND", f"{top}/", depth="1").body.decode()
    assert seen.count("<D:activelock>") == 1 and token.strip("<>") in seen, seen

    assert ask(opened, "PUT", f"{top}/file", b"two", **{"if": f"({token})"}).status == 204
    assert ask(opened, "UNLOCK", f"{top}/file", lock_token=token).status == 204
    assert ask(beside, "PUT", f"{top}/file", b"three").status == 204
    bea.run("mirror", tmp_path, f"{HALL}:{top}")


def test_locks_end_with_their_grant(ada: Guest, realm: Realm, beside: Open):
    assert ask(beside, "PUT", "data/leaving", b"one").status == 201
    guest = realm.guest("Cleo", RIGHTS)
    leaving = guest.open()
    lock(leaving, "data/leaving")
    assert ask(beside, "PUT", "data/leaving", b"two").status == 423
    leaving.close()
    assert ask(beside, "PUT", "data/leaving", b"two").status == 204


@pytest.mark.parametrize("name", STORES)
def test_windows_office_programs_can_write(opened: Open, name: str):
    """Windows and its programs write only if the server says class 2. They make a file by locking it, and send
    the lock token with every request."""
    path = f"{name}/Report.docx"
    options = ask(opened, "OPTIONS", f"{name}/")
    assert "2" in options.headers["DAV"] and "LOCK" in options.headers["Allow"]
    assert ask(opened, "PROPFIND", path, depth="0").status == 404
    token = lock(opened, path, status=201)
    assert ask(opened, "HEAD", path, **{"if": f"({token})"}).status == 200
    assert ask(opened, "PUT", path, b"first", **{"if": f"({token})"}).status == 204
    stamps = (
        b'<?xml version="1.0" encoding="utf-8"?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-'
        b'microsoft-com:"><D:set><D:prop><Z:Win32LastModifiedTime>Mon, 30 Nov 2026 10:00:00 GMT'
        b"</Z:Win32LastModifiedTime></D:prop></D:set></D:propertyupdate>"
    )
    assert ask(opened, "PROPPATCH", path, stamps, **{"if": f"({token})"}).status == 207
    refreshed = ask(opened, "LOCK", path, timeout="Second-3600", **{"if": f"({token})"})
    assert refreshed.status == 200 and "Lock-Token" not in refreshed.headers
    assert b"Second-3600" in refreshed.body
    assert ask(opened, "PUT", path, b"second", **{"if": f"({token})"}).status == 204
    assert ask(opened, "UNLOCK", path, lock_token=token).status == 204
    assert ask(opened, "GET", path).body == b"second"


@pytest.mark.parametrize("name", STORES)
def test_macos_finder_can_write(opened: Open, name: str):
    """macOS sends an empty file, its lock, its content, and its times."""
    path = f"{name}/finder.txt"
    assert ask(opened, "PUT", path, b"").status == 201
    token = lock(opened, path)
    assert ask(opened, "PUT", path, b"content", **{"if": f"({token})"}).status == 204
    update = (
        b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><creationdate xmlns="DAV:x">2026</creationdate>'
        b"</D:prop></D:set></D:propertyupdate>"
    )
    assert ask(opened, "PROPPATCH", path, update, **{"if": f"({token})"}).status == 207
    assert ask(opened, "UNLOCK", path, lock_token=token).status == 204
    wanted = (
        b'<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/><D:supportedlock/></D:prop></D:propfind>'
    )
    seen = ask(opened, "PROPFIND", path, wanted, depth="0").body
    assert b"<D:lockdiscovery></D:lockdiscovery>" in seen and b"<D:exclusive/>" in seen
    assert ask(opened, "DELETE", path).status == 204


@pytest.mark.parametrize("name", STORES)
def test_cadaver_locks_the_file_that_it_edits(opened: Open, tmp_path: Path, name: str):
    assert ask(opened, "PUT", f"{name}/edited.txt", b"one\n").status == 201
    place = opened.files.removeprefix("http://").split("/")[0].split(":")[0]
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {place} login hall password {opened.password}\n")
    netrc.chmod(0o600)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsleep 1.1\necho two >> "$1"\n')  # cadaver compares times in seconds
    editor.chmod(0o755)
    done = subprocess.run(
        ["cadaver", f"{opened.files}{name}/"],
        input="edit edited.txt\nlock edited.txt\ndiscover edited.txt\nshowlocks\nunlock edited.txt\nquit\n",
        env={**os.environ, "HOME": str(tmp_path), "EDITOR": str(editor), "VISUAL": str(editor)},
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("succeeded") >= 4 and "failed" not in done.stdout, done.stdout
    assert ask(opened, "GET", f"{name}/edited.txt").body == b"one\ntwo\n"
    seen = ask(opened, "PROPFIND", f"{name}/edited.txt", depth="0").body
    assert b"<D:activelock>" not in seen
