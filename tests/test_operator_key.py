"""The operator key, locked under security keys: the gateway starts only after a touch."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Gateway, Program, hallway
from software_key import SoftwareKey

PIN = "135790"
TOUCH = re.compile(r"Touch your security key \((.*)\): unlock the operator key in (.*)")
SERVES = re.compile(r"Hallway serves \S+ at (http\S+)")


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[list[SoftwareKey]]:
    """Two security keys with a PIN."""
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    made = []
    for name in ("desk", "safe"):
        (tmp_path / name).mkdir()
        key = SoftwareKey(tmp_path / name)
        key.run("pin", "set", key.file, "--new-pin-file", pin)
        key.plug_in()
        made.append(key)
    yield made
    for key in made:
        key.unplug()


@pytest.fixture
def realm(tmp_path: Path) -> Path:
    """The data folder of a gateway that was set up and stopped."""
    gateway = Gateway(tmp_path / "realm")
    assert gateway.stop() == 0
    return gateway.folder


def at(key: SoftwareKey) -> str:
    return "udp:{}:{}".format(*key.address)


def run(realm: Path, *arguments: str | Path, pin: str = PIN) -> subprocess.CompletedProcess:
    return subprocess.run(
        [hallway(), *map(str, arguments), "--data", realm],
        env={**os.environ, "HALLWAY_PIN": pin},
        capture_output=True,
        text=True,
        timeout=60,
    )


def succeed(realm: Path, *arguments: str | Path) -> str:
    done = run(realm, *arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


def fail(realm: Path, *arguments: str | Path, pin: str = PIN) -> str:
    done = run(realm, *arguments, pin=pin)
    assert done.returncode == 1, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stderr


def lock(realm: Path, keys: list[SoftwareKey]) -> None:
    """Locks the operator key under all of these keys, and removes its file."""
    for key, label in zip(keys, ("desk", "safe")):
        succeed(realm, "operator-key", "lock", "--key", at(key), "--label", label)
    succeed(realm, "operator-key", "remove-file", "--unlock-with", at(keys[0]))


def test_each_registered_key_unlocks_and_no_other_does(
    tmp_path: Path, realm: Path, keys: list[SoftwareKey]
):
    was = (realm / "operator.key").read_text()
    said = succeed(realm, "operator-key", "lock", "--key", at(keys[0]), "--label", "desk")
    assert "still lies open" in said and "Only this key" in said
    assert "already" in fail(realm, "operator-key", "lock", "--key", at(keys[1]), "--label", "desk")
    said = succeed(realm, "operator-key", "lock", "--key", at(keys[1]), "--label", "safe")
    assert "Only this key" not in said
    assert "is removed" in succeed(realm, "operator-key", "remove-file", "--unlock-with", at(keys[1]))
    assert not (realm / "operator.key").exists()
    assert json.loads(succeed(realm, "operator-key", "list", "--json")) == {
        "keys": ["desk", "safe"],
        "file": False,
    }
    held = b"".join(path.read_bytes() for path in realm.rglob("*") if path.is_file())
    assert was.strip().encode() not in held

    for key in keys:
        gateway = Program(
            *("serve", "--data", realm, "--listen", "127.0.0.1:0", "--unlock-with", at(key)),
            HALLWAY_PIN=PIN,
        )
        assert gateway.wait_for(TOUCH).groups() == ("desk or safe", str(realm))
        gateway.wait_for(SERVES)
        assert gateway.stop() == 0

    listen = ("serve", "--listen", "127.0.0.1:0", "--unlock-with")
    assert "PIN" in fail(realm, *listen, at(keys[0]), pin="000000")
    other = SoftwareKey(tmp_path)
    other.run("pin", "set", other.file, "--new-pin-file", tmp_path / "pin")
    other.plug_in()
    assert "does not unlock" in fail(realm, *listen, at(other))
    other.unplug()
    assert "would lock nothing" in fail(realm, *listen, keys[0].file)
    # The gateway makes no new operator key for an existing realm.
    assert not (realm / "operator.key").exists()

    succeed(realm, "operator-key", "write-file", "--unlock-with", at(keys[0]))
    assert (realm / "operator.key").read_text().strip() == was.strip()
    assert (realm / "operator.key").stat().st_mode & 0o777 == 0o600


def test_a_forgotten_or_reset_key_unlocks_no_more(realm: Path, keys: list[SoftwareKey]):
    lock(realm, keys)
    succeed(realm, "operator-key", "forget", "desk")
    assert "does not unlock" in fail(
        realm, "operator-key", "write-file", "--unlock-with", at(keys[0])
    )
    assert "only security key" in fail(realm, "operator-key", "forget", "safe")
    keys[1].unplug()
    keys[1].run("reset", keys[1].file, "--yes")
    keys[1].run("pin", "set", keys[1].file, "--new-pin-file", keys[1].file.parent.parent / "pin")
    keys[1].plug_in()
    assert "does not unlock" in fail(
        realm, "operator-key", "write-file", "--unlock-with", at(keys[1])
    )


def test_a_changed_file_is_refused(realm: Path, keys: list[SoftwareKey]):
    lock(realm, keys)
    path = realm / "operator.key.locked"
    locked = json.loads(path.read_text())
    first, second = locked["keys"]
    first["sealed"], second["sealed"] = second["sealed"], first["sealed"]
    path.write_text(json.dumps(locked))
    refused = fail(realm, "operator-key", "write-file", "--unlock-with", at(keys[0]))
    assert "does not unlock the operator key" in refused
    path.write_text("{")
    assert "damaged" in fail(realm, "operator-key", "list")


def test_a_backup_of_a_locked_realm_is_made_and_read_with_a_touch(
    tmp_path: Path, realm: Path, keys: list[SoftwareKey]
):
    lock(realm, keys)
    file = tmp_path / "realm.backup"
    succeed(realm, "backup", file, "--unlock-with", at(keys[0]))
    again = tmp_path / "again"
    again.mkdir()
    (again / "operator.key.locked").write_text((realm / "operator.key.locked").read_text())
    succeed(again, "restore", file, "--unlock-with", at(keys[1]))


def test_an_unreachable_key_is_named(realm: Path, keys: list[SoftwareKey]):
    lock(realm, keys)
    missing = realm.parent / "no.socket"
    said = fail(realm, "serve", "--listen", "127.0.0.1:0", "--unlock-with", f"unix:{missing}")
    assert str(missing) in said
