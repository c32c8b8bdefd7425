"""Two programs at one software key, each on its own CTAPHID channel: a sequence of commands goes on only on
the channel that began it (CTAP 2.3, section 6). Both programs are python-fido2."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ctap_client import GET_ASSERTION, GET_NEXT_ASSERTION, SELECTION, assertion, wired
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.bio import FPBioEnrollment
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor
from software_key import SoftwareKey

PIN = "27182818"
RP = "gate.example"
DIGEST = hashlib.sha256(b"client data").digest()
ES256 = [{"type": "public-key", "alg": -7}]
ERR, CMD, PERMISSION = CtapError.ERR, CredentialManagement.CMD, ClientPin.PERMISSION


class UnixConnection(CtapHidConnection):
    """Reports on a Unix socket, one after the other."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.settimeout(10)

    def read_packet(self) -> bytes:
        return self.socket.recv(64, socket.MSG_WAITALL)

    def write_packet(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def key(tmp_path: Path) -> Iterator[SoftwareKey]:
    """A key with passkeys of three accounts at one site and of one at another site, a PIN and a sensor."""
    key = SoftwareKey(tmp_path)
    key.fingers = "1"
    key.features = ["--unix", str(tmp_path / "key.sock")]
    ctap = Ctap2(key.plug_in())
    for rp_id, user in [(RP, b"ada"), (RP, b"bob"), (RP, b"cyd"), ("other.example", b"ada")]:
        ctap.make_credential(DIGEST, {"id": rp_id}, {"id": user}, ES256, options={"rk": True})
    ClientPin(ctap).set_pin(PIN)
    yield key
    key.unplug()


Next = Callable[[Ctap2], object]


def token_for(ctap: Ctap2, permission: ClientPin.PERMISSION) -> tuple[ClientPin, bytes]:
    pins = ClientPin(ctap)
    return pins, pins.get_pin_token(PIN, permission)


def list_begins(ctap: Ctap2, command: int, parameters: dict | None = None) -> None:
    pins, token = token_for(ctap, PERMISSION.CREDENTIAL_MGMT)
    CredentialManagement(ctap, pins.protocol, token)._call(command, parameters)


def assertions(ctap: Ctap2) -> Next:
    assert ctap.get_assertion(RP, DIGEST).number_of_credentials == 3
    return lambda ctap: ctap.get_next_assertion()


def relying_parties(ctap: Ctap2) -> Next:
    list_begins(ctap, CMD.ENUMERATE_RPS_BEGIN)
    return lambda ctap: ctap.credential_mgmt(CMD.ENUMERATE_RPS_NEXT)


def credentials(ctap: Ctap2) -> Next:
    rp_id_hash = hashlib.sha256(RP.encode()).digest()
    list_begins(ctap, CMD.ENUMERATE_CREDS_BEGIN, {1: rp_id_hash})
    return lambda ctap: ctap.credential_mgmt(CMD.ENUMERATE_CREDS_NEXT)


def large_blobs(ctap: Ctap2) -> Next:
    pins, token = token_for(ctap, PERMISSION.LARGE_BLOB_WRITE)

    def write(ctap: Ctap2, offset: int, length: int | None = None) -> object:
        part = b"\x42" * 20
        covered = b"\xff" * 32 + b"\x0c\x00" + offset.to_bytes(4, "little")
        tag = pins.protocol.authenticate(token, covered + hashlib.sha256(part).digest())
        return ctap.large_blobs(
            offset,
            set=part,
            length=length,
            pin_uv_param=tag,
            pin_uv_protocol=pins.protocol.VERSION,
        )

    write(ctap, 0, 100)
    return lambda ctap: write(ctap, 20)


def fingerprints(ctap: Ctap2) -> Next:
    pins, token = token_for(ctap, PERMISSION.BIO_ENROLL)
    bio = FPBioEnrollment(ctap, pins.protocol, token)
    template, *_ = bio.enroll_begin()

    def capture(ctap: Ctap2) -> object:
        # A further `FPBioEnrollment` would first ask for the modality, which ends an enrolment.
        bio.ctap = ctap
        return bio.enroll_capture_next(template)

    return capture


SEQUENCES = {
    assertions: ERR.NOT_ALLOWED,
    relying_parties: ERR.NOT_ALLOWED,
    credentials: ERR.NOT_ALLOWED,
    large_blobs: ERR.INVALID_SEQ,
    fingerprints: ERR.INVALID_PARAMETER,
}


@pytest.mark.parametrize("begin", SEQUENCES, ids=lambda begin: begin.__name__)
def test_a_sequence_goes_on_only_on_its_channel(key, begin):
    ada, eve = Ctap2(key.connect()), Ctap2(key.connect())
    next_ = begin(ada)
    with pytest.raises(CtapError) as caught:
        next_(eve)
    assert caught.value.code == SEQUENCES[begin]
    next_(ada)


@pytest.mark.parametrize("begin", SEQUENCES, ids=lambda begin: begin.__name__)
def test_the_same_number_on_another_socket_is_another_channel(key, begin):
    descriptor = HidDescriptor("", 0, 0, 64, 64, "Hallway", None)
    path = Path(key.features[-1])
    devices = [CtapHidDevice(descriptor, UnixConnection(path)) for _ in range(2)]
    key.devices.extend(devices)
    assert devices[0]._channel_id == devices[1]._channel_id
    ada, eve = map(Ctap2, devices)
    next_ = begin(ada)
    with pytest.raises(CtapError) as caught:
        next_(eve)
    assert caught.value.code == SEQUENCES[begin]
    next_(ada)


def test_init_ends_the_sequences_of_its_channel(key):
    """CTAPHID_INIT discards the state of its channel (11.2.9.1.3), and of no other."""
    with wired(key) as ada, wired(key) as eve:
        assert ada.well(GET_ASSERTION, assertion(RP))[5] == 3
        eve.init(eve.channel)
        ada.well(GET_NEXT_ASSERTION)
        ada.init(ada.channel)
        assert ada.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"


def test_a_command_of_another_program_ends_a_sequence(key):
    """One sequence at a time: another program may have changed what is listed."""
    with wired(key) as ada, wired(key) as eve:
        ada.well(GET_ASSERTION, assertion(RP))
        eve.well(SELECTION)
        assert ada.ctap(GET_NEXT_ASSERTION)[0] == "NOT_ALLOWED"
