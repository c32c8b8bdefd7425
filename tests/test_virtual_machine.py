"""The software key plugged into a computer: uhid in a real kernel, and clients that use only USB keys. The
computer is emulated; all programs are real."""

import base64
import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CHROMIUM
from gateway_process import hallway
from virtual_machine import HERE, Machine, agent
from virtual_machine.website import Website

PIN = "27182818"
DEVICE = "/dev/hidraw0"
# The requests that the key allows without a person.
POLICY = """
select = true

[[allow]]
relying_party = "gate.example"
operations = ["register", "sign-in"]
per_minute = 60

[[allow]]
relying_party = "localhost"
operations = ["register", "sign-in"]
per_minute = 60

[[allow]]
relying_party = "ssh:"
operations = ["register", "sign-in"]
per_minute = 60
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """A machine with the software key plugged in. The tests use the key in their order."""
    folder = tmp_path_factory.mktemp("machine")
    # A program without debug symbols loads faster.
    subprocess.run(["strip", "-o", folder / "hallway", hallway()], check=True)
    for script in ("login.py", "browser.py", "website.py"):
        shutil.copy(HERE / script, folder)
    (folder / "passphrase").write_text("correct horse battery staple\n")
    (folder / "policy.toml").write_text(POLICY)
    running = Machine.boot(folder, within=120)
    try:
        opened = ["--passphrase-file", "/mnt/passphrase"]
        made = running.run("/mnt/hallway", "key", "new", "/run/my.key", *opened, within=120)
        assert made.returncode == 0, made.stderr
        served = ["--uhid", "--json", "--policy", "/mnt/policy.toml"]
        said = running.start("/mnt/hallway", "key", "serve", "/run/my.key", *opened, *served)
        assert json.loads(said)["uhid"] is True, running.said()
        done(running, "sh", "-c", f"until test -c {DEVICE}; do sleep 0.05; done")
        yield running
    finally:
        running.stop()


def done(machine: Machine, *arguments: str | Path, typed: str = "", within: float = 60) -> str:
    result = machine.run(*arguments, typed=typed, within=within)
    assert result.returncode == 0, f"{result.stderr}\nIts console:\n{machine.said()}"
    return result.stdout


def write(machine: Machine, path: str, text: str) -> None:
    done(machine, "dd", "status=none", f"of={path}", typed=text)


def request(*fields: bytes | str) -> str:
    """The input of fido2-cred and fido2-assert: strings unchanged, bytes in base64."""
    lines = [f if isinstance(f, str) else base64.b64encode(f).decode() for f in fields]
    return "\n".join(lines) + "\n"


def test_libfido2_finds_the_key_and_reads_its_info(machine):
    listed = done(machine, "fido2-token", "-L")
    assert listed.startswith(f"{DEVICE}:"), listed
    said = done(machine, "fido2-token", "-I", DEVICE)
    assert "FIDO_2_3" in said
    # The kernel buffers reports for the key, even if the key is slow.
    assert "maxmsgsiz: 1200" in said


def test_libfido2_registers_and_signs_in(machine):
    write(machine, "/run/request", request(b"\1" * 32, "gate.example", "ada", b"ada"))
    done(machine, "fido2-cred", "-M", "-i", "/run/request", "-o", "/run/made", DEVICE)
    done(machine, "fido2-cred", "-V", "-i", "/run/made", "-o", "/run/credential")
    identifier, _, public_key = done(machine, "cat", "/run/credential").partition("\n")
    write(machine, "/run/public.pem", public_key)
    write(machine, "/run/request", request(b"\2" * 32, "gate.example", identifier))
    done(machine, "fido2-assert", "-G", "-i", "/run/request", "-o", "/run/signed", DEVICE)
    done(machine, "fido2-assert", "-V", "-p", "-i", "/run/signed", "/run/public.pem", "es256")


def test_the_policy_refuses_other_requests(machine):
    write(machine, "/run/request", request(b"\1" * 32, "other.example", "ada", b"ada"))
    refused = machine.run("fido2-cred", "-M", "-i", "/run/request", DEVICE)
    assert refused.returncode == 1
    assert "FIDO_ERR_OPERATION_DENIED" in refused.stderr


def test_ssh_keygen_makes_a_key_and_signs_with_its_own_usb_support(machine):
    done(machine, "ssh-keygen", "-q", "-t", "ed25519-sk", "-N", "", "-f", "/run/id")
    write(machine, "/run/message", "open the door")
    done(machine, "ssh-keygen", "-Y", "sign", "-f", "/run/id", "-n", "file", "/run/message")
    public = done(machine, "cat", "/run/id.pub")
    assert public.startswith("sk-ssh-ed25519@openssh.com ")
    write(machine, "/run/signers", f"ada {public}")
    verify = ["ssh-keygen", "-Y", "verify", "-f", "/run/signers", "-I", "ada", "-n", "file"]
    said = done(machine, *verify, "-s", "/run/message.sig", typed="open the door")
    assert "Good" in said
    forged = machine.run(*verify, "-s", "/run/message.sig", typed="open the gate")
    assert forged.returncode != 0


def test_chromium_registers_and_signs_in_at_a_website(machine):
    # It takes about a minute. It ends by itself, and its output says how far the ceremonies came.
    within = 480
    command = [machine.python, "/mnt/browser.py", CHROMIUM, within]
    browsed = machine.run(*command, within=within + 60)
    assert browsed.returncode == 0, browsed.stderr
    found = json.loads(browsed.stdout)
    assert found.get("signed_in") is True, f"{found}\n{browsed.stderr}\n{machine.said()}"
    assert found["transports"] == ["usb"]


def test_an_unused_connection_does_not_block_the_website():
    """A browser may open a connection ahead, and send a request on it only after the answer on another
    connection."""
    site = Website(ceremony_within=10)
    where = ("127.0.0.1", site.server_port)
    try:
        with socket.create_connection(where), socket.create_connection(where):
            with urllib.request.urlopen(f"http://127.0.0.1:{site.server_port}/", timeout=30) as page:
                assert b"navigator.credentials.create" in page.read()
        assert site.found["visited"] == ["/"]
    finally:
        site.shutdown()
        site.server_close()


def test_a_program_that_does_not_end_is_reported_with_its_output():
    request = {"typed": "", "background": False, "within": 1}
    endless = ["sh", "-c", "echo begun; echo trouble >&2; sleep 1000 & wait"]
    answer = agent.carry_out({**request, "arguments": endless})
    assert answer == {"code": None, "output": "begun\n", "errors": "trouble\n"}
    silent = agent.carry_out({**request, "arguments": ["sleep", "1000"], "background": True})
    assert silent["code"] is None


def test_a_pin_is_set_and_python_fido2_signs_in_with_a_passkey(machine):
    done(machine, "fido2-token", "-S", DEVICE, typed=f"{PIN}\n{PIN}\n")
    said = done(machine, "fido2-token", "-I", DEVICE)
    assert "clientPin" in said and "noclientPin" not in said
    found = json.loads(done(machine, machine.python, "/mnt/login.py", "gate.example", PIN))
    assert found["product"] == "Hallway security key"
    # An ML-DSA answer has more reports than the kernel buffers for a client.
    assert found["algorithm"] in (-48, -49, -50)
    assert (found["user"], found["verified"], found["present"]) == ("ada", True, True)
