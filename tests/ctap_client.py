"""A client that sends a key any message that a test wants, well-formed or not: CTAPHID reports, CTAP2
maps and U2F APDUs. Nothing in between repairs or refuses a message."""

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.webauthn import AuthenticatorData
from software_key import SoftwareKey

ERR = CtapError.ERR
BROADCAST = 0xFFFFFFFF
PING, MSG, LOCK, INIT, WINK, CBOR, CANCEL, KEEPALIVE, ERROR = (
    0x01, 0x03, 0x04, 0x06, 0x08, 0x10, 0x11, 0x3B, 0x3F,
)
MAKE_CREDENTIAL, GET_ASSERTION, GET_INFO, CLIENT_PIN, RESET, GET_NEXT_ASSERTION = (
    0x01, 0x02, 0x04, 0x06, 0x07, 0x08,
)
CREDENTIAL_MANAGEMENT, SELECTION, LARGE_BLOBS, CONFIG = 0x0A, 0x0B, 0x0C, 0x0D
DIGEST = sha256(b"client data").digest()
ES256 = {"alg": -7, "type": "public-key"}
PIN = "27182818"
# A value of each CBOR type, to put in place of a value of another type.
EXAMPLES = {
    "integer": 42,
    "bytes": b"\x42",
    "text": "42",
    "array": [42],
    "map": {42: 42},
    "bool": True,
}


def type_of(value: Any) -> str:
    """The name of a value's CBOR type, as in EXAMPLES."""
    kinds = {bool: "bool", int: "integer", bytes: "bytes", str: "text", list: "array", dict: "map"}
    return kinds[type(value)]


def wrong_types(value: Any) -> list[str]:
    """The names of all CBOR types but the value's."""
    return [name for name in EXAMPLES if name != type_of(value)]


def name_of(status: int) -> str:
    """The name of a status byte, for the reader of a failed test."""
    return ERR(status).name if status in set(ERR) else f"{status:#04x}"


class Wire:
    """One channel of a key that is served over UDP."""

    def __init__(self, address: tuple[str, int]):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.channel = BROADCAST
        self.keepalives: list[int] = []
        self.channel = self.init()

    def close(self) -> None:
        self.socket.close()

    def send(self, channel: int, data: bytes) -> None:
        """Sends one report, padded with zeros."""
        self.socket.send(struct.pack(">I", channel) + data.ljust(60, b"\0"))

    def receive(self, within: float = 10) -> tuple[int, int, bytes]:
        """Receives one message: channel, command and payload. Raises TimeoutError if none comes."""
        self.socket.settimeout(within)
        report = self.socket.recv(65)
        assert len(report) == 64
        channel, command, length = struct.unpack(">IBH", report[:7])
        assert command & 0x80, "a message starts with an initialisation packet"
        payload = report[7:]
        for sequence in range(128):
            if len(payload) >= length:
                break
            report = self.socket.recv(65)
            assert struct.unpack(">IB", report[:5]) == (channel, sequence)
            payload += report[5:]
        return channel, command & 0x7F, payload[:length]

    def silent(self, within: float = 0.2) -> bool:
        """Whether the key sends nothing for a while."""
        try:
            self.receive(within)
        except TimeoutError:
            return True
        return False

    def packets(self, command: int, payload: bytes) -> list[bytes]:
        """The reports of a message, without the channel."""
        first = struct.pack(">BH", 0x80 | command, len(payload)) + payload[:57]
        rest = [payload[at : at + 59] for at in range(57, len(payload), 59)]
        return [first] + [bytes([number]) + data for number, data in enumerate(rest)]

    def start(self, command: int, payload: bytes, channel: int | None = None) -> None:
        """Sends a message."""
        for packet in self.packets(command, payload):
            self.send(self.channel if channel is None else channel, packet)

    def finish(self, channel: int | None = None) -> tuple[int, bytes]:
        """Receives the command and payload of the answer, and notes the keepalives before it."""
        while True:
            answering, command, payload = self.receive()
            assert answering == (self.channel if channel is None else channel)
            if command != KEEPALIVE:
                return command, payload
            assert len(payload) == 1
            self.keepalives.append(payload[0])

    def call(self, command: int, payload: bytes = b"", channel: int | None = None):
        """Sends a message and waits for the answer."""
        self.start(command, payload, channel)
        return self.finish(channel)

    def init(self, channel: int | None = None) -> int:
        """Sends INIT, and returns the channel that the key gives."""
        nonce = os.urandom(8)
        command, answer = self.call(INIT, nonce, channel)
        assert command == INIT and answer[:8] == nonce and len(answer) == 17
        return struct.unpack(">I", answer[8:12])[0]

    def ctap(self, command: int, parameters: Mapping | bytes | None = None) -> tuple[str, Any]:
        """Sends a CTAP2 command, and returns the name of its status and its answer."""
        body = parameters if isinstance(parameters, bytes) else b""
        if isinstance(parameters, Mapping):
            body = cbor.encode(dict(sorted(parameters.items())))
        kind, answer = self.call(CBOR, bytes([command]) + body)
        assert kind == CBOR, f"CTAPHID {kind:#x} {answer.hex()}"
        return name_of(answer[0]), cbor.decode(answer[1:]) if len(answer) > 1 else None

    def well(self, command: int, parameters: Mapping | bytes | None = None) -> Any:
        """Sends a CTAP2 command that must succeed, and returns its answer."""
        status, answer = self.ctap(command, parameters)
        assert status == "SUCCESS", status
        return answer

    def apdu(self, apdu: bytes) -> tuple[int, bytes]:
        """Sends a U2F APDU, and returns its status word and its data."""
        kind, answer = self.call(MSG, apdu)
        assert kind == MSG, f"CTAPHID {kind:#x} {answer.hex()}"
        return struct.unpack(">H", answer[-2:])[0], answer[:-2]


@contextmanager
def wired(key: SoftwareKey) -> Iterator[Wire]:
    """Opens a channel of this key until the end of the `with`."""
    wire = Wire(key.address)
    yield wire
    wire.close()


def registration(rp_id: str = "gate.example", user: bytes = b"ada", **more: Any) -> dict:
    """The parameters of a makeCredential that succeeds, with those of `more`: `options={"rk": True}`."""
    numbers = {
        "exclude": 5, "extensions": 6, "options": 7, "param": 8, "protocol": 9,
        "enterprise": 10, "formats": 11,
    }  # fmt: skip
    return {
        1: DIGEST,
        2: {"id": rp_id, "name": "Gate"},
        3: {"id": user, "name": "ada", "displayName": "Ada"},
        4: [ES256],
        **{numbers[name]: value for name, value in more.items()},
    }


def assertion(rp_id: str = "gate.example", **more: Any) -> dict:
    """The parameters of a getAssertion, with those of `more`: `allow=[…]`."""
    numbers = {"allow": 3, "extensions": 4, "options": 5, "param": 6, "protocol": 7}
    return {1: rp_id, 2: DIGEST, **{numbers[name]: value for name, value in more.items()}}


def data_of(response: Mapping) -> AuthenticatorData:
    """The authenticator data of a makeCredential or getAssertion answer."""
    return AuthenticatorData(response[2])


def descriptor(made: Mapping) -> dict:
    """The descriptor of a credential, as allow and exclude lists have it."""
    return {"id": data_of(made).credential_data.credential_id, "type": "public-key"}


def verify(made: Mapping, asserted: Mapping) -> None:
    """Checks an assertion's signature with the key of a registration."""
    key = CoseKey.parse(data_of(made).credential_data.public_key)
    key.verify(asserted[2] + DIGEST, asserted[3])


class Pins:
    """The platform's side of clientPIN, with one key agreement at a time."""

    def __init__(self, wire: Wire, version: int = 2):
        self.wire = wire
        self.version = version
        self.protocol = {1: PinProtocolV1, 2: PinProtocolV2}[version]()
        self.agree()

    def agree(self) -> None:
        """Agrees with the key on a new shared secret."""
        answer = self.wire.well(CLIENT_PIN, {1: self.version, 2: 2})
        self.key, self.secret = self.protocol.encapsulate(answer[1])

    def seal(self, data: bytes) -> bytes:
        return self.protocol.encrypt(self.secret, data)

    def tag(self, data: bytes, key: bytes | None = None) -> bytes:
        return self.protocol.authenticate(self.secret if key is None else key, data)

    def hashed(self, pin: str | bytes) -> bytes:
        """LEFT(SHA-256(pin), 16), sealed."""
        return self.seal(sha256(pin.encode() if isinstance(pin, str) else pin).digest()[:16])

    def padded(self, pin: str | bytes) -> bytes:
        """The PIN with zeros to 64 bytes, sealed."""
        return self.seal((pin.encode() if isinstance(pin, str) else pin).ljust(64, b"\0"))

    def setting(self, pin: str | bytes) -> dict:
        """The parameters of setPIN."""
        new = self.padded(pin)
        return {1: self.version, 2: 3, 3: self.key, 4: self.tag(new), 5: new}

    def changing(self, old: str | bytes, new: str | bytes) -> dict:
        """The parameters of changePIN."""
        sealed, hashed = self.padded(new), self.hashed(old)
        tag = self.tag(sealed + hashed)
        return {1: self.version, 2: 4, 3: self.key, 4: tag, 5: sealed, 6: hashed}

    def asking(self, pin: str | bytes, permissions: int | None = None, rp_id: str | None = None):
        """The parameters of a request for a token: getPinToken without permissions."""
        asked = {1: self.version, 2: 5, 3: self.key, 6: self.hashed(pin)}
        if permissions is not None:
            asked |= {2: 9, 9: permissions}
        return asked if rp_id is None else asked | {10: rp_id}

    def token(self, permissions: int | None = None, rp_id: str | None = None, pin: str = PIN):
        """Gets a token after a new key agreement."""
        self.agree()
        answer = self.wire.well(CLIENT_PIN, self.asking(pin, permissions, rp_id))
        return self.protocol.decrypt(self.secret, answer[2])

    def proof(self, permissions: int | None = None, rp_id: str | None = None) -> dict:
        """The `param` and `protocol` of a registration or an assertion."""
        token = self.token(permissions, rp_id)
        return {"param": self.tag(DIGEST, token), "protocol": self.version}
