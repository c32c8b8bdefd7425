"""People sign in by a command, with a key behind every transport."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from gateway_process import Gateway, hallway
from software_key import PASSPHRASE, SoftwareKey

PIN = "27182818"


@pytest.mark.parametrize("transport", ["file", "udp", "usb"])
def test_join_and_sign_in_keep_a_private_session(gateway: Gateway, tmp_path: Path, transport: str):
    key = SoftwareKey(tmp_path)
    (tmp_path / "pin").write_text(PIN)
    key.run("pin", "set", key.file, "--new-pin-file", tmp_path / "pin")
    variables = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path)}
    chosen = str(key.file)
    if transport != "file":
        key.plug_in()
        chosen = "udp:{}:{}".format(*key.address)
    if transport == "usb":
        # Without USB: a preload passes the device's calls on to the socket, as for libfido2.
        library = tmp_path / "hidraw.so"
        source = Path(__file__).with_name("hidraw_preload.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        variables |= {"LD_PRELOAD": str(library), "HALLWAY_UDP_PORT": str(key.address[1])}
        chosen = "usb:/dev/hidraw-hallway"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [hallway(), *arguments],
            env={**os.environ, **PASSPHRASE, **variables, "HALLWAY_PIN": PIN},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wrong(*arguments: str, spoiled: str) -> str:
        session.write_text(spoiled)
        done = subprocess.run(
            [hallway(), *arguments], env={**os.environ, **PASSPHRASE, **variables},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout
        return done.stderr

    joined = run("join", gateway.set_up_link, "--name", "Olga", "--key", chosen, "--json")
    assert json.loads(joined)["person"]["name"] == "Olga"
    [session] = (tmp_path / "state/hallway").glob("session-*.json")
    assert session.stat().st_mode & 0o777 == 0o600
    # While the session is valid, commands need no touch.
    at = ["--gateway", gateway.origin]
    assert json.loads(run("hall", "list", *at, "--key", "udp:127.0.0.1:9", "--json")) == []
    run("sign-out", *at)
    assert not session.exists()
    run("sign-in", *at, "--key", chosen)
    assert session.exists()
    # A person edits the file.
    whole = session.read_text()
    told = wrong("hall", "list", *at, spoiled=whole.replace('"token":"', '"token":"\\n'))
    assert f"{session}: " in told and "`hallway sign-in`" in told and "builder" not in told
    told = wrong("sign-out", *at, spoiled="{")
    assert f"{session}: " in told and not session.exists()
    session.write_text("{")
    session.chmod(0o600)
    run("sign-in", *at, "--key", chosen)
    run("hall", "list", *at)
    key.unplug()
