"""libfido2's own tools use the software key, through a preload library that replaces the USB device."""

import base64
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from software_key import SoftwareKey

DEVICE = "/dev/hidraw-hallway"
PIN = "27182818"
Tool = Callable[..., subprocess.CompletedProcess[str]]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="session")
def preload(tmp_path_factory) -> Path:
    library = tmp_path_factory.mktemp("preload") / "hidraw.so"
    source = Path(__file__).with_name("hidraw_preload.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    key.plug_in()
    yield key
    key.unplug()


@pytest.fixture
def tool(key: SoftwareKey, preload: Path) -> Tool:
    """Runs a tool. `typed` is its standard input: PINs and parameters."""

    def run(*command: str | Path, typed: str = "", succeeds: bool = True):
        done = subprocess.run(
            command,
            input=typed,
            env={
                **os.environ,
                "LD_PRELOAD": str(preload),
                "HALLWAY_UDP_PORT": str(key.address[1]),
            },
            # Without a terminal, the tool reads PINs from standard input, too.
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode == 0) == succeeds, done.stderr
        return done

    return run


def make(tool: Tool, folder: Path, *options: str, kind: str = "es256", pin: bool = False) -> Path:
    """Makes a credential and verifies it. Returns the file with its id and public key."""
    request = folder / "request"
    fields = [b64(b"\1" * 32), "gate.example", "ada", b64(b"ada")]
    request.write_text("\n".join(fields) + "\n")
    attestation = folder / "attestation"
    tool(
        "fido2-cred", "-M", *options, "-i", request, "-o", attestation, DEVICE, kind,
        typed=f"{PIN}\n" if pin else "",
    )
    verified = folder / "credential"
    # The same options tell the verifier what to expect.
    expected = [option for option in options if option in ("-v", "-h")]
    tool("fido2-cred", "-V", *expected, "-i", attestation, "-o", verified, kind)
    return verified


def sign(tool: Tool, folder: Path, credential: Path, *options: str, kind="es256", pin=False):
    """Makes an assertion and verifies it with the public key."""
    identifier, _, public_key = credential.read_text().partition("\n")
    request = folder / "assertion-request"
    fields = [b64(b"\2" * 32), "gate.example"]
    if "-r" not in options:
        fields.append(identifier)
    request.write_text("\n".join(fields) + "\n")
    assertion, pem = folder / "assertion", folder / "public.pem"
    tool(
        "fido2-assert", "-G", *options, "-i", request, "-o", assertion, DEVICE,
        typed=f"{PIN}\n" if pin else "",
    )
    pem.write_text(public_key)
    expected = [option for option in options if option in ("-p", "-v")]
    if "-r" in options:
        # The last line of the answer is the user handle, which the verifier does not accept.
        assertion.write_text("\n".join(assertion.read_text().splitlines()[:4]) + "\n")
    tool("fido2-assert", "-V", *expected, "-i", assertion, pem, kind)


def test_the_key_describes_itself(tool):
    said = tool("fido2-token", "-I", DEVICE).stdout
    assert "version strings: FIDO_2_0, FIDO_2_1, FIDO_2_3, U2F_V2" in said
    assert "noclientPin" in said
    assert "caps: 0x05 (wink, cbor, msg)" in said


@pytest.mark.parametrize("kind", ["es256", "es384", "eddsa"])
def test_register_and_sign_in(tool, tmp_path, kind):
    credential = make(tool, tmp_path, kind=kind)
    sign(tool, tmp_path, credential, "-p", kind=kind)
    # The verifier demands presence, so it refuses an assertion without it.
    sign(tool, tmp_path, credential, "-t", "up=false", kind=kind)


def test_u2f(tool, tmp_path):
    credential = make(tool, tmp_path, "-u")
    sign(tool, tmp_path, credential, "-p", "-u")


def test_with_a_pin(tool, tmp_path):
    tool("fido2-token", "-S", DEVICE, typed=f"{PIN}\n{PIN}\n")
    assert "clientPin" in tool("fido2-token", "-I", DEVICE).stdout
    credential = make(tool, tmp_path, "-r", "-v", pin=True)
    sign(tool, tmp_path, credential, "-r", "-p", "-v", pin=True)
    tool("fido2-token", "-C", DEVICE, typed="wrong pin\n12345678\n12345678\n", succeeds=False)
    assert "pin retries: 7" in tool("fido2-token", "-I", DEVICE).stdout
    tool("fido2-token", "-C", DEVICE, typed=f"{PIN}\n31415926\n31415926\n")


def test_passkeys_are_listed_and_deleted(tool, tmp_path):
    tool("fido2-token", "-S", DEVICE, typed=f"{PIN}\n{PIN}\n")
    identifier = make(tool, tmp_path, "-r", "-v", pin=True).read_text().split("\n")[0]
    typed = f"{PIN}\n"
    assert "gate.example" in tool("fido2-token", "-L", "-r", DEVICE, typed=typed).stdout
    listed = tool("fido2-token", "-L", "-k", "gate.example", DEVICE, typed=typed).stdout
    assert identifier in listed
    assert re.search(r"\bada\b|YWRh", listed)
    tool("fido2-token", "-D", "-i", identifier, DEVICE, typed=typed)
    # CTAP 2.3, section 6.8.3: an empty enumeration is an error.
    none = tool("fido2-token", "-L", "-r", DEVICE, typed=typed, succeeds=False)
    assert "FIDO_ERR_NO_CREDENTIALS" in none.stderr


def test_policy_and_reset(tool, key):
    tool("fido2-token", "-S", DEVICE, typed=f"{PIN}\n{PIN}\n")
    typed = f"{PIN}\n"
    tool("fido2-token", "-S", "-u", DEVICE, typed=typed)
    assert ", alwaysUv" in tool("fido2-token", "-I", DEVICE).stdout
    tool("fido2-token", "-D", "-u", DEVICE, typed=typed)
    tool("fido2-token", "-S", "-l", "10", DEVICE, typed=typed)
    said = tool("fido2-token", "-I", DEVICE).stdout
    assert "minpinlen: 10" in said
    assert "pin change required: true" in said
    key.replug()
    tool("fido2-token", "-R", DEVICE)
    assert "noclientPin" in tool("fido2-token", "-I", DEVICE).stdout
