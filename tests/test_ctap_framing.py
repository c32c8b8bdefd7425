"""CTAPHID, report by report: the reports that a key answers, and those that it ignores (CTAP 2.3, section
11.2)."""

import os
import time
from collections.abc import Iterator

import pytest
from ctap_client import (
    BROADCAST,
    CANCEL,
    CBOR,
    DIGEST,
    ERROR,
    INIT,
    LOCK,
    MSG,
    PING,
    WINK,
    Wire,
    registration,
    wired,
)
from fido2 import cbor
from software_key import SoftwareKey, plugged_in

INVALID_COMMAND, INVALID_PARAMETER, INVALID_LENGTH, INVALID_SEQUENCE = b"\1", b"\2", b"\3", b"\4"
TIMEOUT, BUSY, INVALID_CHANNEL = b"\5", b"\6", b"\x0b"
GET_INFO = b"\4"
MAX_MESSAGE_BYTES = 57 + 128 * 59


@pytest.fixture(scope="module")
def asking(tmp_path_factory) -> Iterator[SoftwareKey]:
    """A key that asks its owner at a terminal. The owner never answers."""
    with plugged_in(tmp_path_factory.mktemp("asking"), consent="ask") as key:
        yield key


@pytest.fixture
def other(key: SoftwareKey) -> Iterator[Wire]:
    """A channel of another program."""
    with wired(key) as wire:
        yield wire


@pytest.fixture
def waiting(asking: SoftwareKey) -> Iterator[Wire]:
    with wired(asking) as wire:
        yield wire


def test_init_names_channel_version_and_capabilities(wire):
    nonce = os.urandom(8)
    wire.start(INIT, nonce, BROADCAST)
    channel, command, answer = wire.receive()
    assert (channel, command, len(answer)) == (BROADCAST, INIT, 17)
    assert answer[:8] == nonce
    assert answer[8:12] not in [b"\0" * 4, b"\xff" * 4]
    assert answer[12] == 2
    # The bits for WINK and CBOR are set; the bit for "no MSG" and the reserved bits are not.
    assert answer[16] == 0x01 | 0x04


def test_channels_are_unique(wire):
    channels = [wire.init(BROADCAST) for _ in range(20)]
    assert len(set(channels)) == 20


def test_init_on_a_channel_gives_the_same_channel(wire):
    assert wire.init() == wire.channel


def test_a_channel_from_before_a_power_cycle_can_be_used_again(wire):
    assert wire.call(PING, b"?", 0x11223344) == (ERROR, INVALID_CHANNEL)
    assert wire.init(0x11223344) == 0x11223344
    assert wire.call(PING, b"?", 0x11223344) == (PING, b"?")


@pytest.mark.parametrize("length", [0, 7, 9, 57, 58])
def test_init_of_another_length_is_refused(wire, length):
    assert wire.call(INIT, b"\7" * length) == (ERROR, INVALID_LENGTH)


@pytest.mark.parametrize("length", [0, 1, 56, 57, 58, 115, 116, 117, 512, 1024, MAX_MESSAGE_BYTES])
def test_ping_is_echoed(wire, length):
    data = os.urandom(length)
    assert wire.call(PING, data) == (PING, data)


def test_ping_is_echoed_with_its_leading_zeros(wire):
    assert wire.call(PING, b"\0\0\0hall") == (PING, b"\0\0\0hall")


@pytest.mark.parametrize("length", [MAX_MESSAGE_BYTES + 1, 0xFFFF])
def test_a_message_with_an_impossible_length_is_refused_at_once(wire, length):
    wire.send(wire.channel, bytes([0x80 | PING]) + length.to_bytes(2, "big"))
    assert wire.finish() == (ERROR, INVALID_LENGTH)


@pytest.mark.parametrize("command", [0x00, 0x02, 0x05, 0x07, 0x09, 0x3B, 0x3F, 0x40, 0x66, 0x7F])
def test_unknown_commands_are_refused(wire, command):
    assert wire.call(command, b"\1") == (ERROR, INVALID_COMMAND)


@pytest.mark.parametrize("command", [PING, CBOR, MSG, WINK])
@pytest.mark.parametrize("channel", [0, BROADCAST, 0xDEADBEEF])
def test_unknown_channels_are_refused(wire, channel, command):
    assert wire.call(command, b"\4", channel) == (ERROR, INVALID_CHANNEL)


def test_channel_zero_is_never_given(wire):
    assert wire.call(INIT, b"\7" * 8, 0) == (ERROR, INVALID_CHANNEL)


@pytest.mark.parametrize("command", [CBOR, MSG])
def test_a_request_of_no_bytes_is_refused(wire, command):
    assert wire.call(command) == (ERROR, INVALID_LENGTH)


def test_wink_is_answered_with_nothing(wire):
    assert wire.call(WINK) == (WINK, b"")
    assert wire.call(WINK, b"\1") == (ERROR, INVALID_LENGTH)


def test_a_lost_packet_is_an_error(wire):
    packets = wire.packets(PING, bytes(400))
    for packet in [*packets[:3], packets[4]]:
        wire.send(wire.channel, packet)
    assert wire.finish() == (ERROR, INVALID_SEQUENCE)
    assert wire.call(PING, b"!") == (PING, b"!")


def test_a_repeated_packet_is_an_error(wire):
    packets = wire.packets(PING, bytes(400))
    for packet in [*packets[:3], packets[2]]:
        wire.send(wire.channel, packet)
    assert wire.finish() == (ERROR, INVALID_SEQUENCE)


def test_a_new_message_in_the_middle_of_one_is_refused(wire):
    wire.send(wire.channel, wire.packets(PING, bytes(400))[0])
    assert wire.call(PING, b"?") == (ERROR, INVALID_SEQUENCE)
    assert wire.call(PING, b"!") == (PING, b"!")


def test_init_in_the_middle_of_a_message_aborts_it(wire):
    packets = wire.packets(PING, bytes(400))
    for packet in packets[:-1]:
        wire.send(wire.channel, packet)
    assert wire.init() == wire.channel
    wire.send(wire.channel, packets[-1])
    assert wire.silent()
    assert wire.call(PING, b"!") == (PING, b"!")


def test_init_on_another_channel_does_not_disturb_a_message(wire, other):
    packets = wire.packets(PING, bytes(100))
    wire.send(wire.channel, packets[0])
    assert other.init(BROADCAST) != wire.channel
    wire.send(wire.channel, packets[1])
    assert wire.finish() == (PING, bytes(100))


def test_stray_continuation_packets_are_ignored(wire, other):
    wire.send(wire.channel, b"\0stray")
    wire.send(0xDEADBEEF, b"\x05stray")
    assert wire.silent()
    # They do not disturb the message of another channel either.
    packets = wire.packets(PING, bytes(100))
    wire.send(wire.channel, packets[0])
    other.send(other.channel, b"\0stray")
    wire.send(wire.channel, packets[1])
    assert wire.finish() == (PING, bytes(100))


def test_the_key_sends_nothing_without_a_request(wire):
    assert wire.silent(1.0)


def test_an_unfinished_message_times_out(wire):
    started = time.monotonic()
    wire.send(wire.channel, wire.packets(PING, bytes(400))[0])
    assert wire.finish() == (ERROR, TIMEOUT)
    assert time.monotonic() - started > 0.4
    assert wire.call(PING, b"!") == (PING, b"!")


def test_other_channels_are_busy_during_a_message(wire, other):
    packets = wire.packets(PING, bytes(100))
    wire.send(wire.channel, packets[0])
    assert other.call(PING, b"?") == (ERROR, BUSY)
    wire.send(wire.channel, packets[1])
    assert wire.finish() == (PING, bytes(100))
    assert other.call(PING, b"!") == (PING, b"!")


@pytest.mark.parametrize("length", [0, 1, 32, 65, 200])
def test_datagrams_of_another_length_are_ignored(wire, length):
    wire.socket.send(bytes(length))
    assert wire.silent()
    assert wire.call(PING, b"!") == (PING, b"!")


def test_a_lock_keeps_other_channels_out_until_it_is_released(wire, other):
    assert wire.call(LOCK, b"\x0a") == (LOCK, b"")
    assert other.call(PING, b"?") == (ERROR, BUSY)
    assert other.call(INIT, b"\7" * 8) == (ERROR, BUSY)
    assert other.call(INIT, b"\7" * 8, BROADCAST) == (ERROR, BUSY)
    assert other.call(LOCK, b"\1") == (ERROR, BUSY)
    assert wire.call(PING, b"!") == (PING, b"!")
    assert wire.call(LOCK, b"\0") == (LOCK, b"")
    assert other.call(PING, b"!") == (PING, b"!")


def test_a_lock_expires(wire, other):
    assert wire.call(LOCK, b"\1") == (LOCK, b"")
    deadline = time.monotonic() + 10
    while other.call(PING, b"?") == (ERROR, BUSY):
        assert time.monotonic() < deadline, "the lock of one second did not expire"


@pytest.mark.parametrize(
    ("payload", "error"),
    [(b"\x0b", INVALID_PARAMETER), (b"\xff", INVALID_PARAMETER), (b"", INVALID_LENGTH),
     (b"\1\1", INVALID_LENGTH)],
)  # fmt: skip
def test_a_lock_of_another_length_is_refused(wire, payload, error):
    assert wire.call(LOCK, payload) == (ERROR, error)


def test_cancel_without_a_request_is_ignored(wire):
    wire.start(CANCEL, b"")
    assert wire.silent()
    assert wire.call(CBOR, GET_INFO)[1][0] == 0


def test_a_keepalive_says_that_the_key_waits_for_a_touch(wire):
    request = b"\1" + cbor.encode(registration())
    command, answer = wire.call(CBOR, request)
    assert (command, answer[0]) == (CBOR, 0)
    assert 2 in wire.keepalives


def test_keepalives_until_the_client_cancels(waiting):
    waiting.start(CBOR, b"\1" + cbor.encode(registration()))
    while len(waiting.keepalives) < 3:
        _, command, payload = waiting.receive(1.0)
        assert (command, len(payload)) == (0x3B, 1)
        waiting.keepalives.append(payload[0])
    assert set(waiting.keepalives[1:]) == {2}
    waiting.start(CANCEL, b"")
    assert waiting.finish() == (CBOR, b"\x2d")
    waiting.start(CANCEL, b"")
    assert waiting.silent()


@pytest.mark.parametrize(
    "request_",
    [
        b"\x0b",
        b"\2" + cbor.encode({1: "gate.example", 2: DIGEST, 6: b"", 7: 2}),
        b"\1" + cbor.encode({**registration(), 8: b"", 9: 2}),
        b"\7",
    ],
    ids=["selection", "empty pinUvAuthParam, assertion", "the same, credential", "reset"],
)
def test_every_command_that_waits_for_a_touch_can_be_cancelled(asking, request_):
    asking.replug()
    wire = Wire(asking.address)
    wire.start(CBOR, request_)
    _, command, payload = wire.receive()
    assert command == 0x3B and payload in [b"\1", b"\2"]
    wire.start(CANCEL, b"")
    assert wire.finish() == (CBOR, b"\x2d")
    wire.close()


def test_other_channels_are_busy_while_the_key_waits_for_a_touch(asking, waiting):
    other = Wire(asking.address)
    waiting.start(CBOR, b"\x0b")
    waiting.receive()
    for command, payload in [(CBOR, GET_INFO), (PING, b"?"), (MSG, b"\0\3\0\0")]:
        assert other.call(command, payload) == (ERROR, BUSY)
    # Another channel can't cancel the request.
    other.start(CANCEL, b"")
    assert waiting.receive()[1] == 0x3B
    waiting.start(CANCEL, b"")
    assert waiting.finish() == (CBOR, b"\x2d")
    assert other.call(CBOR, GET_INFO)[1][0] == 0
    other.close()


def test_init_aborts_the_request_of_its_channel(waiting):
    waiting.start(CBOR, b"\x0b")
    waiting.receive()
    assert waiting.init() == waiting.channel
    assert waiting.silent()
    assert waiting.call(CBOR, GET_INFO)[1][0] == 0
