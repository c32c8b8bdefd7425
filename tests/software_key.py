"""A software key for one test: a file in a folder, served at a port that the system chooses."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor
from gateway_process import hallway

PASSPHRASE = {"HALLWAY_PASSPHRASE": "correct horse battery staple"}


class UdpConnection(CtapHidConnection):
    """One 64-byte CTAPHID report per datagram."""

    def __init__(self, address: tuple[str, int]):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.socket.settimeout(10)

    def read_packet(self) -> bytes:
        return self.socket.recv(64)

    def write_packet(self, data: bytes) -> None:
        self.socket.send(data)

    def close(self) -> None:
        self.socket.close()


class SoftwareKey:
    """A key file and the program that serves it between `plug_in` and `unplug`."""

    def __init__(self, folder: Path, consent: str = "always", made_with: Sequence[str] = ()):
        self.file = folder / "test.key"
        self.consent = ["--consent", consent]
        self.fingers: str | None = None
        self.features: list[str] = []
        self.errors: int | None = None
        self.process: subprocess.Popen[str] | None = None
        self.devices: list[CtapHidDevice] = []
        self.run("new", self.file, *made_with)

    def run(self, *arguments: str | Path) -> str:
        """Runs `hallway key …` to its end, and returns its standard output."""
        done = subprocess.run(
            [hallway(), "key", *arguments],
            env={**os.environ, **PASSPHRASE},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plug_in(self) -> CtapHidDevice:
        """Starts the key, and connects to it as python-fido2 connects to every key."""
        self.process = subprocess.Popen(
            [hallway(), "key", "serve", self.file, "--udp", "127.0.0.1:0"]
            + [*self.consent, *self.features, "--json"]
            + (["--simulate-fingerprints", self.fingers] if self.fingers else []),
            env={**os.environ, **PASSPHRASE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        host, port = json.loads(self.process.stdout.readline())["udp"].split(":")
        self.address = (host, int(port))
        return self.connect()

    def connect(self) -> CtapHidDevice:
        """Opens a further connection, with its own channel."""
        descriptor = HidDescriptor(f"{self.address}", 0, 0, 64, 64, "Hallway", None)
        device = CtapHidDevice(descriptor, UdpConnection(self.address))
        self.devices.append(device)
        return device

    def unplug(self) -> None:
        """Stops the key."""
        for device in self.devices:
            device.close()
        self.devices.clear()
        if self.process:
            self.process.terminate()
            assert self.process.wait(10) == 0
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def replug(self) -> CtapHidDevice:
        """Stops the key and starts it again."""
        self.unplug()
        return self.plug_in()


@contextmanager
def plugged_in(folder: Path, **options: str) -> Iterator[SoftwareKey]:
    """A new key in this folder, which runs until the end of the `with`."""
    key = SoftwareKey(folder, **options)
    key.plug_in()
    yield key
    key.unplug()
