"""A pytest plugin that runs a suite, written for a USB key and a person beside it, on a software key. It
is loaded before the suite (`-p on_software_key`). Environment variables set the folder of the key's file
(HALLWAY_TEST_FOLDER), the options with which the key is made (HALLWAY_TEST_MADE_WITH) and served
(HALLWAY_TEST_FEATURES), and the fingers that the simulated sensor feels (HALLWAY_TEST_FINGERS)."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import fido2.hid
import pytest
from fido2.hid.base import CtapHidConnection, HidDescriptor
from software_key import SoftwareKey, UdpConnection

key = SoftwareKey(
    Path(os.environ["HALLWAY_TEST_FOLDER"]),
    made_with=shlex.split(os.environ.get("HALLWAY_TEST_MADE_WITH", "")),
)
key.features = shlex.split(os.environ.get("HALLWAY_TEST_FEATURES", ""))
key.fingers = os.environ.get("HALLWAY_TEST_FINGERS")


def list_descriptors() -> Iterator[HidDescriptor]:
    if key.process:
        yield HidDescriptor(f"{key.address}", 0, 0, 64, 64, "Hallway", None)


def open_connection(_: HidDescriptor) -> CtapHidConnection:
    return UdpConnection(key.address)


def open_device(_: str) -> fido2.hid.CtapHidDevice:
    [descriptor] = list_descriptors()
    return fido2.hid.CtapHidDevice(descriptor, open_connection(descriptor))


fido2.hid.list_descriptors = list_descriptors
fido2.hid.open_connection = open_connection
fido2.hid.open_device = open_device


def pytest_configure(config: pytest.Config) -> None:
    """Lets the key consent by itself, in place of the person."""
    from device import Printer

    Printer.insert = lambda *_, **__: key.plug_in()
    Printer.remove = lambda *_, **__: key.unplug()
    key.plug_in()


def pytest_unconfigure() -> None:
    key.unplug()
