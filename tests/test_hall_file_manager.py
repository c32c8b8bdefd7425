"""GNOME's file manager uses a hall: GVfs, by the command gio, over the local port of `hallway open`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hall_place import HALL, Open, Realm, store

RIGHTS = ["read:data", "write:data", "delete:data"]

#: The steps that a person takes with the mouse, in a separate desktop session.
MOUSE = """
set -e
printf '%s\\n' "$PASSWORD" | gio mount "$URL" >&2
gio list "$URL"
gio cat "$URL/there.txt"
gio copy "$HERE" "$URL/a b ü.txt"
gio mkdir "$URL/new"
gio move "$URL/a%20b%20%C3%BC.txt" "$URL/new/moved.txt"
gio rename "$URL/new/moved.txt" renamed.txt >&2
gio list "$URL/new"
gio remove "$URL/there.txt"
gio mount -u "$URL"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opened(tmp_path: Path, data: Path) -> Iterator[Open]:
    realm = Realm(tmp_path / "realm", store("data", data))
    yield realm.guest("Ada", RIGHTS).open()
    realm.close()


def test_a_file_manager_reads_writes_moves_and_deletes(opened: Open, data: Path, tmp_path: Path):
    (data / "there.txt").write_text("was there\n")
    here, runtime = tmp_path / "here.txt", tmp_path / "run"
    here.write_text("dropped")
    runtime.mkdir(mode=0o700)
    address = urlsplit(opened.files)
    environment = {
        **os.environ,
        "HERE": str(here),
        "HOME": str(tmp_path),
        "PASSWORD": opened.password,
        "URL": f"dav://{opened.doors['webdav']['user']}@{address.netloc}{address.path}data",
        "XDG_RUNTIME_DIR": str(runtime),
    }
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", MOUSE],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["there.txt", "was there", "renamed.txt"]
    assert (data / "new" / "renamed.txt").read_text() == "dropped"
    assert {path.name for path in data.iterdir() if path.name != ".hallway"} == {"new"}
