"""Stock OpenSSH uses the software key through the middleware: enrol, log in, download."""

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fido2.ctap2 import ClientPin, Ctap2
from gateway_process import ROOT
from software_key import SoftwareKey

MIDDLEWARE = ROOT / "target/debug/libhallway_sk.so"
PIN = "27182818"
KINDS = ["ed25519-sk", "ecdsa-sk"]


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    assert MIDDLEWARE.is_file(), "build it with: cargo build --package hallway-softkey-openssh"
    key = SoftwareKey(tmp_path)
    key.plug_in()
    yield key
    key.unplug()


class Ssh:
    """OpenSSH's programs, with the key connected and a PIN that an askpass program types."""

    def __init__(self, key: SoftwareKey, folder: Path):
        self.folder = folder
        self.askpass = folder / "askpass"
        self.askpass.write_text(f"#!/bin/sh\necho {PIN}\n")
        self.askpass.chmod(0o700)
        self.environment = {
            **os.environ,
            "HALLWAY_KEY": "{}:{}".format(*key.address),
            "SSH_SK_PROVIDER": str(MIDDLEWARE),
        }

    def run(self, *command: str | Path, pin=False, succeeds=True, folder: Path | None = None):
        typed = {"SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force"} if pin else {}
        done = subprocess.run(
            command,
            env={**self.environment, **typed, "DISPLAY": ":none" if pin else ""},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done

    def keygen(self, name: str, kind: str, *options: str, **how) -> Path:
        file = self.folder / name
        arguments = [part for option in options for part in ("-O", option)]
        self.run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file, *arguments, **how)
        return file


@pytest.fixture
def ssh(key, tmp_path) -> Ssh:
    return Ssh(key, tmp_path)


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[int, Path]]:
    """A loopback sshd: its port, and the file of the public keys that it accepts."""
    host_key, allowed, config = tmp_path / "host", tmp_path / "allowed", tmp_path / "config"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    allowed.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nAuthorizedKeysFile {allowed}\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with open(tmp_path / "sshd.log", "w") as log:
        daemon = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        subprocess.run(["sleep", "0.05"])
    yield port, allowed
    daemon.terminate()
    daemon.wait(10)


def log_in(ssh: Ssh, server, identity: Path, **how):
    port, _ = server
    return ssh.run(
        "ssh", "-F", "none", "-p", str(port), "-i", identity, "-o", "IdentitiesOnly=yes",
        "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={ssh.folder}/known",
        "-o", f"SecurityKeyProvider={MIDDLEWARE}", "-o", "IdentityAgent=none",
        f"{getpass.getuser()}@127.0.0.1", "echo", "in",
        **how,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_enrol_and_log_in(ssh, server, kind):
    identity = ssh.keygen("id", kind)
    _, allowed = server
    assert log_in(ssh, server, identity, succeeds=False).stdout == ""
    allowed.write_text(identity.with_suffix(".pub").read_text())
    assert log_in(ssh, server, identity).stdout == "in\n"


@pytest.mark.parametrize("kind", KINDS)
def test_no_touch_required_works_only_if_the_server_allows_it(ssh, server, kind):
    identity = ssh.keygen("id", kind, "no-touch-required")
    _, allowed = server
    public = identity.with_suffix(".pub").read_text()
    allowed.write_text(public)
    assert log_in(ssh, server, identity, succeeds=False).stdout == ""
    allowed.write_text(f"no-touch-required {public}")
    assert log_in(ssh, server, identity).stdout == "in\n"


def test_verify_required_is_refused_without_the_pin(key, ssh, server):
    ClientPin(Ctap2(key.connect())).set_pin(PIN)
    identity = ssh.keygen("id", "ed25519-sk", "verify-required", pin=True)
    _, allowed = server
    allowed.write_text(f"verify-required {identity.with_suffix('.pub').read_text()}")
    assert log_in(ssh, server, identity, succeeds=False).stdout == ""
    assert log_in(ssh, server, identity, pin=True).stdout == "in\n"


@pytest.mark.parametrize("kind", KINDS)
def test_resident_keys_are_downloaded(key, ssh, server, tmp_path, kind):
    ClientPin(Ctap2(key.connect())).set_pin(PIN)
    identity = ssh.keygen("id", kind, "resident", "application=ssh:work", pin=True)
    downloaded = tmp_path / "downloaded"
    downloaded.mkdir()
    download = ["ssh-keygen", "-q", "-K", "-N", "", "-w", MIDDLEWARE]
    ssh.run(*download, pin=True, folder=downloaded)
    [public] = downloaded.glob("*.pub")
    made = identity.with_suffix(".pub").read_text().split()[:2]
    assert public.read_text().split()[:2] == made
    _, allowed = server
    allowed.write_text(public.read_text())
    assert log_in(ssh, server, public.with_suffix("")).stdout == "in\n"


def test_the_attestation_is_written(ssh, tmp_path):
    attestation = tmp_path / "attestation"
    ssh.keygen("id", "ecdsa-sk", f"write-attestation={attestation}")
    written = attestation.read_bytes()
    assert written[4:].startswith(b"ssh-sk-attest-v")


def test_a_missing_key_is_reported(ssh):
    ssh.environment["HALLWAY_KEY"] = "/nonexistent/key.sock"
    refused = ssh.run(
        "ssh-keygen", "-q", "-t", "ed25519-sk", "-N", "", "-f", ssh.folder / "id", succeeds=False
    )
    assert "device not found" in refused.stderr
