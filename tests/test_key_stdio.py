"""The key on standard input and output: one CTAPHID report of 64 bytes after the other."""

import os
import subprocess

import pytest
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor
from gateway_process import hallway
from software_key import PASSPHRASE, SoftwareKey


class PipeConnection(CtapHidConnection):
    """Reports through a program's standard input and output."""

    def __init__(self, program: subprocess.Popen):
        self.program = program

    def read_packet(self) -> bytes:
        return self.program.stdout.read(64)

    def write_packet(self, data: bytes) -> None:
        self.program.stdin.write(data)
        self.program.stdin.flush()

    def close(self) -> None:
        self.program.stdin.close()


@pytest.fixture
def key(tmp_path) -> SoftwareKey:
    return SoftwareKey(tmp_path)


def serve(key: SoftwareKey, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [hallway(), "key", "serve", key.file, "--stdio", *options],
        env={**os.environ, **PASSPHRASE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_client_registers_and_the_end_of_input_ends_the_key(key):
    program = serve(key, "--consent", "always")
    descriptor = HidDescriptor("stdio", 0, 0, 64, 64, "Hallway", None)
    device = CtapHidDevice(descriptor, PipeConnection(program))
    ctap = Ctap2(device)
    made = ctap.make_credential(
        bytes(32), {"id": "gate.example"}, {"id": b"ada"}, [{"type": "public-key", "alg": -7}]
    )
    assert made.auth_data.credential_data is not None
    assert device.ping(b"\7" * 1000) == b"\7" * 1000
    # Half a report, then the end of the input.
    program.stdin.write(bytes(10))
    device.close()
    assert program.wait(10) == 0
    assert program.stdout.read() == b""
    program.stdout.close()
    program.stderr.close()


@pytest.mark.parametrize("options", [[], ["--consent", "ask"], ["--consent", "always", "--json"]])
def test_no_other_option_may_use_the_standard_streams(key, options):
    program = serve(key, *options)
    output, errors = program.communicate(timeout=60)
    assert program.returncode == 2
    assert output == b""
    assert b"--consent" in errors or b"--json" in errors
