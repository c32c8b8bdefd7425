"""Backups of a key as words, shares or a file, and their use in another key."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from fido2.ctap2 import AttestationResponse, Ctap2
from gateway_process import hallway
from shamir_mnemonic import combine_mnemonics, generate_mnemonics
from software_key import PASSPHRASE, SoftwareKey

PIN = "27182818"
CLIENT_DATA_HASH = bytes(range(32))


def command(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    backup = {"HALLWAY_BACKUP_PASSPHRASE": "another horse"}
    return subprocess.run(
        [hallway(), "key", *arguments],
        env={**os.environ, **PASSPHRASE, **backup, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def done(*arguments: str | Path, **variables: str) -> str:
    result = command(*arguments, **variables)
    assert result.returncode == 0, result.stderr
    return result.stdout


def words(file: Path) -> list[str]:
    said = done("backup", "words", file, "--consent", "always", "--json")
    return json.loads(said)["words"]


@pytest.fixture
def key(tmp_path) -> SoftwareKey:
    """A key whose options allow a backup."""
    key = SoftwareKey(tmp_path)
    key.file = tmp_path / "leaving.key"
    done("new", key.file, "--allow-backup")
    return key


def served(key: SoftwareKey, file: Path) -> Ctap2:
    key.unplug()
    key.file = file
    return Ctap2(key.plug_in())


def register(ctap: Ctap2, user: str, discoverable: bool) -> AttestationResponse:
    return ctap.make_credential(
        CLIENT_DATA_HASH,
        {"id": "gate.example"},
        {"id": user.encode(), "name": user},
        [{"type": "public-key", "alg": -7}],
        options={"rk": discoverable},
    )


def sign_in(ctap: Ctap2, registered: AttestationResponse) -> None:
    """Signs in, and verifies the signature with the registered key."""
    credential = registered.auth_data.credential_data
    allowed = [{"type": "public-key", "id": credential.credential_id}]
    assertion = ctap.get_assertion("gate.example", CLIENT_DATA_HASH, allowed)
    assertion.verify(CLIENT_DATA_HASH, credential.public_key)


def test_the_words_of_a_key_restore_its_credentials(key, tmp_path):
    registered = register(Ctap2(key.plug_in()), "ada", False)
    key.unplug()
    written = tmp_path / "words"
    # As a person types them from paper.
    written.write_text("\n".join(word.upper() for word in words(key.file)))
    found = tmp_path / "found.key"
    done("restore", "words", found, "--words-file", written)
    sign_in(served(key, found), registered)
    key.unplug()
    # The restored key was made without --allow-backup.
    refused = command("backup", "words", found, "--consent", "always")
    assert refused.returncode == 1
    assert "--allow-backup" in refused.stderr


def test_shares_are_compatible_with_slip_39(key, tmp_path):
    shared = ["backup", "shares", key.file, "--consent", "always"]
    said = done(*shared, "--shares", "3", "--threshold", "2", "--json")
    shares = json.loads(said)["shares"]
    seeds = {combine_mnemonics(pair) for pair in (shares[:2], shares[1:], shares[::2])}
    [seed] = seeds
    assert len(seed) == 32

    # Two groups are needed: two of three shares of the first, and the only share of the second.
    groups = generate_mnemonics(2, [(2, 3), (1, 1), (3, 5)], seed)
    written = tmp_path / "shares"
    written.write_text("\n".join([groups[0][2], groups[1][0], groups[0][0]]))
    found = tmp_path / "found.key"
    done("restore", "shares", found, "--shares-file", written, "--allow-backup")
    assert words(found) == words(key.file)

    # The printed text can be read back unchanged, with its numbers.
    printed = done(*shared, "--shares", "5", "--threshold", "3")
    written.write_text("\n".join(printed.splitlines()[1:4]))
    again = tmp_path / "again.key"
    done("restore", "shares", again, "--shares-file", written, "--allow-backup")
    assert words(again) == words(key.file)
    written.write_text("\n".join(printed.splitlines()[1:3]))
    refused = command("restore", "shares", tmp_path / "no.key", "--shares-file", written)
    assert refused.returncode == 1
    assert "3 shares are needed, and there are 2" in refused.stderr
    assert not (tmp_path / "no.key").exists()


def test_passkeys_move_to_another_key(key, tmp_path):
    ctap = Ctap2(key.plug_in())
    registered = [register(ctap, user, True) for user in ("ada", "bob")]
    key.unplug()
    file = tmp_path / "passkeys"
    consent = ["--consent", "always", "--json"]
    said = json.loads(done("backup", "passkeys", key.file, "--to", file, *consent))
    assert said["passkeys"] == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"gate.example" not in file.read_bytes()

    other = tmp_path / "other.key"
    done("new", other)
    restore = ["restore", "passkeys", other, "--from", file, *consent]
    wrong = command(*restore, HALLWAY_BACKUP_PASSPHRASE="wrong")
    assert wrong.returncode == 3
    assert json.loads(done(*restore)) == {"added": 2, "kept": 0}
    assert json.loads(done(*restore)) == {"added": 0, "kept": 2}
    ctap = served(key, other)
    for credential in registered:
        sign_in(ctap, credential)
    key.unplug()


def test_a_backup_needs_the_pin_and_the_owners_consent(key, tmp_path):
    (tmp_path / "pin").write_text(f"{PIN}\n")
    done("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    wrong = command("backup", "words", key.file, "--consent", "always", HALLWAY_PIN="wrong pin")
    assert wrong.returncode == 5
    # No person is at the terminal.
    away = command("backup", "words", key.file, HALLWAY_PIN=PIN)
    assert away.returncode == 1
    assert "SEED" in away.stderr and "not confirmed" in away.stderr
    assert away.stdout == ""
    done("backup", "words", key.file, "--consent", "always", HALLWAY_PIN=PIN)
