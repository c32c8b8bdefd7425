"""pyu2f, which knows only U2F and accepts no report but the answer, uses the software key while its owner
answers late."""

import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

import pytest
from fido2.ctap1 import RegistrationData, SignatureData
from pyu2f import hardware, hidtransport, model, u2f
from software_key import SoftwareKey

APPLICATION = "https://gate.example"


class HidDevice:
    """The reports of a key over UDP, as pyu2f reads them from its own HID devices."""

    def __init__(self, address: tuple[str, int]):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.socket.settimeout(10)
        # Whether the key has said that it must be touched.
        self.unanswered = Event()

    def GetInReportDataLength(self) -> int:
        return 64

    def GetOutReportDataLength(self) -> int:
        return 64

    def Write(self, packet: list[int]) -> None:
        self.socket.send(bytes(packet).ljust(64, b"\0"))

    def Read(self) -> list[int]:
        report = self.socket.recv(64)
        if report[4:9] == b"\x83\0\2\x69\x85":
            self.unanswered.set()
        return list(report)


class Owner:
    """The consent command's person. It answers after the client was told to ask again."""

    def __init__(self, folder: Path):
        self.asked, self.answer, self.program = (
            folder / name for name in ["asked", "answer", "ask"]
        )
        os.mkfifo(self.answer)
        self.program.write_text(
            f"#!/bin/sh\necho >> '{self.asked}'\nread -r answer < '{self.answer}'\n"
        )
        self.program.chmod(0o700)

    def answers(self, device: HidDevice) -> Thread:
        """Says yes once, after the client has heard that the owner must answer first."""

        def answer() -> None:
            if device.unanswered.wait(10):
                self.answer.write_text("yes\n")

        device.unanswered.clear()
        thread = Thread(target=answer, daemon=True)
        thread.start()
        return thread

    def questions(self) -> int:
        return len(self.asked.read_text())


@pytest.fixture
def owner(tmp_path) -> Owner:
    return Owner(tmp_path)


@pytest.fixture
def key(tmp_path, owner) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    key.consent = ["--consent-command", str(owner.program)]
    key.plug_in()
    yield key
    key.unplug()


def test_registration_and_sign_in_with_a_slow_owner(key, owner):
    device = HidDevice(key.address)
    transport = hidtransport.UsbHidTransport(device)
    client = u2f.U2FInterface(hardware.SecurityKey(transport), origin=APPLICATION)
    application = sha256(APPLICATION.encode()).digest()

    answering = owner.answers(device)
    registered = client.Register(APPLICATION, b"challenge", [])
    answering.join(10)
    made = RegistrationData(registered.registration_data)
    made.verify(application, sha256(registered.client_data.GetJson().encode()).digest())
    assert owner.questions() == 1

    answering = owner.answers(device)
    mine = model.RegisteredKey(made.key_handle)
    signed = client.Authenticate(APPLICATION, b"another challenge", [mine])
    answering.join(10)
    SignatureData(signed.signature_data).verify(
        application, sha256(signed.client_data.GetJson().encode()).digest(), made.public_key
    )
    assert owner.questions() == 2
    device.socket.close()
