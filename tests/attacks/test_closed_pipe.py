"""If the reader of a pipe goes away, a command ends quietly and a server goes on."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import GatewayAgain, Gateway, hallway
from hall_place import Realm, store
from software_key import PASSPHRASE

# The exit codes of a program after SIGPIPE; a shell adds 128.
QUIET_EXITS = {0, -signal.SIGPIPE, 128 + signal.SIGPIPE}


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("realm")
    files = folder / "files"
    made = Realm(folder, store("data", files))
    for number in range(300):
        (files / f"file-{number:03}").write_text("x")
    made.mia = made.guest("mia", ["read:data"])
    made.mia.run("trust", "export", "--url", made.gateway.origin, folder / "trust.json")
    yield made
    made.close()


def without_reader(*arguments: str | Path, env: dict[str, str], both: bool = False) -> tuple[int, str]:
    """Runs a command whose output pipe has no reader; returns its exit code and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [hallway(), *map(str, arguments)], env=env, stdin=subprocess.DEVNULL, stdout=writer,
            stderr=writer if both else subprocess.PIPE, timeout=120,
        )  # fmt: skip
    finally:
        os.close(writer)
    return done.returncode, (done.stderr or b"").decode()


def prints(folder: Path, origin: str, key: Path, data: Path) -> dict[str, list[str | Path]]:
    """Commands that print: at least one of each kind."""
    trust = folder / "trust.json"
    return {
        "help": ["--help"],
        "long help": ["help", "open"],
        "version": ["--version"],
        "completions": ["completions", "bash"],
        "key info": ["key", "info", key],
        "key info as JSON": ["key", "info", key, "--json"],
        "passkeys": ["key", "passkeys", "list", key],
        "ls": ["ls", "lab:data"],
        "ls as JSON": ["ls", "lab:data", "--json"],
        "hall list": ["hall", "list"],
        "hall show": ["hall", "show", "lab"],
        "grants": ["hall", "grants"],
        "grants as JSON": ["hall", "grants", "--json"],
        "sign-in": ["sign-in"],
        "sign-in as JSON": ["sign-in", "--json"],
        "mirror": ["mirror", "lab:data", folder / "copy", "--dry-run"],
        "trust export": ["trust", "export", "--url", origin],
        "log verify": ["log", "verify", origin, "--trust", trust],
        "log verify as JSON": ["log", "verify", origin, "--trust", trust, "--json"],
        "log export": ["log", "export", origin, folder / "log", "--trust", trust],
        "attest explain": ["attest", "explain", trust],
        "verify": ["verify", trust, "--trust", trust],
        "operator-key list": ["operator-key", "list", "--data", data],
        "backup": ["backup", folder / "realm.backup", "--data", data],
    }


NAMES = list(prints(Path(), "", Path(), Path()))


@pytest.mark.parametrize("name", NAMES)
def test_a_command_without_a_reader_ends_quietly(realm: Realm, name: str):
    where = realm.folder, realm.gateway.origin, realm.mia.key, realm.gateway.folder
    arguments = prints(*where)[name]
    code, said = without_reader(*arguments, env=realm.mia.environment)
    assert "panicked" not in said and "Broken pipe" not in said, said
    if name in {"attest explain", "verify"}:
        # The trust file is no evidence, so these commands fail with a reader, too.
        assert code in QUIET_EXITS | {1, 2}
    else:
        assert code in QUIET_EXITS, said
    # The same, with no reader of standard error.
    (realm.folder / "realm.backup").unlink(missing_ok=True)
    code, _ = without_reader(*arguments, env=realm.mia.environment, both=True)
    assert code in QUIET_EXITS | {1, 2}, "exit code 101 means a panic"


def test_a_command_whose_output_is_read_in_part_ends_by_sigpipe(realm: Realm):
    shell = f'"{hallway()}" ls lab:data | head -1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", shell], env=realm.mia.environment, capture_output=True, text=True, timeout=60
    )
    first, code = done.stdout.splitlines()
    assert "file-000" in first and int(code) in {0, 141}, done.stdout + done.stderr
    assert "panicked" not in done.stderr
    # The command's grant has ended, as after a normal exit.
    grants = realm.mia.json("hall", "grants")
    rows = grants["items"] if isinstance(grants, dict) else grants
    assert all(row["state"] != "open" for row in rows), rows


def test_a_command_reports_a_full_disk(realm: Realm):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [hallway(), "key", "info", realm.mia.key], env=realm.mia.environment, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1 and "standard output" in done.stderr, done.stderr


def test_man_pages_and_completions_are_written(tmp_path: Path):
    env = {**os.environ}
    subprocess.run([hallway(), "manual", tmp_path], env=env, check=True, timeout=60)
    assert (tmp_path / "hallway.1").is_file()
    script = subprocess.run(
        [hallway(), "completions", "bash"], env=env, check=True, capture_output=True, timeout=60
    )
    assert b"hallway" in script.stdout and script.stdout.endswith(b"\n")


def test_a_gateway_outlives_the_reader_of_its_log(tmp_path: Path):
    first = Gateway(tmp_path / "data")
    assert first.stop() == 0
    reader, writer = os.pipe()
    port = first.origin.rsplit(":", 1)[1]
    server = subprocess.Popen(
        [hallway(), "serve", "--data", first.folder, "--listen", f"127.0.0.1:{port}"],
        stdout=writer, stderr=writer, env={**os.environ, "HALLWAY_LOG": "trace"},
    )  # fmt: skip
    os.close(writer)
    said = b""
    while not re.search(rb"Hallway serves", said):
        part = os.read(reader, 65536)
        assert part, said
        said += part
    os.close(reader)
    # Each request logs a line that has no reader any more.
    again = type("Again", (GatewayAgain,), {"__init__": lambda self: None})()
    again.origin = first.origin
    for _ in range(20):
        assert b"localhost" in again.get("/api/trust")
    assert server.poll() is None
    server.terminate()
    assert server.wait(30) == 0


def test_a_served_key_outlives_the_reader_of_its_output(tmp_path: Path):
    env = {**os.environ, **PASSPHRASE}
    subprocess.run([hallway(), "key", "new", tmp_path / "k"], env=env, check=True, capture_output=True)
    reader, writer = os.pipe()
    os.close(reader)
    socket = tmp_path / "key.sock"
    server = subprocess.Popen(
        [hallway(), "key", "serve", tmp_path / "k", "--unix", socket, "--consent", "always"],
        stdout=writer, stderr=writer, stdin=subprocess.DEVNULL, env=env,
    )  # fmt: skip
    os.close(writer)
    while not socket.exists():
        assert server.poll() is None
    assert server.poll() is None
    server.terminate()
    # The signal may come before the program handles it.
    assert server.wait(30) in QUIET_EXITS | {-signal.SIGTERM}
