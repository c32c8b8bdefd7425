"""`hallway key` manages a key file without a client."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Ctap2
from gateway_process import hallway
from software_key import PASSPHRASE, SoftwareKey

PIN = "27182818"


@pytest.fixture
def key(tmp_path) -> SoftwareKey:
    key = SoftwareKey(tmp_path)
    (tmp_path / "pin").write_text(f"{PIN}\n")
    return key


def command(*arguments: str | Path, pin: str = PIN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [hallway(), "key", *arguments],
        env={**os.environ, **PASSPHRASE, "HALLWAY_PIN": pin},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def done(*arguments: str | Path, pin: str = PIN) -> str:
    result = command(*arguments, pin=pin)
    assert result.returncode == 0, result.stderr
    return result.stdout


def register(key: SoftwareKey, user: str) -> None:
    ctap = Ctap2(key.plug_in())
    pins = ClientPin(ctap)
    token = pins.get_pin_token(PIN, ClientPin.PERMISSION.MAKE_CREDENTIAL, "gate.example")
    digest = bytes(32)
    ctap.make_credential(
        digest,
        {"id": "gate.example"},
        {"id": user.encode(), "name": user},
        [{"type": "public-key", "alg": -7}],
        options={"rk": True},
        pin_uv_param=pins.protocol.authenticate(token, digest),
        pin_uv_protocol=pins.protocol.VERSION,
    )
    key.unplug()


def test_pin_passkeys_policy_and_reset(key, tmp_path):
    done("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    register(key, "ada")
    register(key, "bob\x1b[2J")
    listed = json.loads(done("passkeys", "list", key.file, "--json"))
    assert sorted(passkey["user"] for passkey in listed) == ["ada", "bob\x1b[2J"]
    assert "\x1b" not in done("passkeys", "list", key.file)
    [ada] = [passkey["id"] for passkey in listed if passkey["user"] == "ada"]
    done("passkeys", "rename", key.file, "--id", ada, "--name", "Ada Lovelace")
    listed = json.loads(done("passkeys", "list", key.file, "--json"))
    assert "Ada Lovelace" in [passkey["user"] for passkey in listed]
    done("passkeys", "delete", key.file, "--id", ada)
    assert len(json.loads(done("passkeys", "list", key.file, "--json"))) == 1

    done("config", "always-uv", key.file, "--wanted", "on")
    done("config", "pin-policy", key.file, "--min-length", "10")
    (tmp_path / "longer").write_text("a longer pin\n")
    done("pin", "change", key.file, "--new-pin-file", tmp_path / "longer")
    info = json.loads(done("info", key.file, "--json"))
    assert (info["pin_set"], info["always_uv"], info["min_pin_length"]) == (True, True, 10)
    assert info["backup_allowed"] is False

    refused = command("reset", key.file)
    assert refused.returncode == 1
    done("reset", key.file, "--yes")
    info = json.loads(done("info", key.file, "--json"))
    assert (info["pin_set"], info["credentials"]) == (False, 0)


def test_exit_codes_say_what_is_wrong(key, tmp_path):
    done("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    wrong = command("passkeys", "list", key.file, pin="wrong pin")
    assert wrong.returncode == 5
    assert "the PIN is wrong; 7 tries are left" in wrong.stderr
    assert command("passkeys", "delete", key.file, "--id", "xyz").returncode == 2
    assert command("new", key.file).returncode == 1
    again = command("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    assert again.returncode == 1 and "hallway key pin change" in again.stderr, again.stderr
    wrong = command("pin", "change", key.file, "--new-pin-file", tmp_path / "pin", pin="wrong pin")
    assert wrong.returncode == 5 and "6 tries are left" in wrong.stderr, wrong.stderr
    opened = command("serve", key.file, "--udp", "0.0.0.0:0")
    assert opened.returncode == 2 and "--udp-beyond-loopback" in opened.stderr, opened.stderr
    key.plug_in()
    assert command("info", key.file).returncode == 4
    key.unplug()


def test_an_older_copy_does_not_restore_pin_tries(key, tmp_path):
    witness = ["--witness", tmp_path / "witness"]
    done("pin", "set", key.file, "--new-pin-file", tmp_path / "pin", *witness)
    older = key.file.read_bytes()
    guess = ["passkeys", "list", key.file]
    assert command(*guess, *witness, pin="a guess").returncode == 5
    assert json.loads(done("info", key.file, "--json", *witness))["pin_tries_left"] == 7
    newer = key.file.read_bytes()
    key.file.write_bytes(older)
    refused = command(*guess, *witness, pin="a guess")
    assert refused.returncode == 6
    assert "older copy" in refused.stderr
    key.file.write_bytes(newer)
    assert json.loads(done("info", key.file, "--json", *witness))["pin_tries_left"] == 7


def test_an_older_copy_in_place_of_a_served_key_is_refused(key, tmp_path):
    done("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    older = tmp_path / "older"
    older.write_bytes(key.file.read_bytes())
    pins = ClientPin(Ctap2(key.plug_in()))
    with pytest.raises(CtapError, match="PIN_INVALID"):
        pins.get_pin_token("a guess")
    older.rename(key.file)
    with pytest.raises(CtapError, match="OTHER"):
        pins.get_pin_token("a guess")
    assert pins.get_pin_retries()[0] == 7
    key.unplug()
