"""A thief resets a device that somebody owns, while its maker's certificate changes."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest
from api_caller import Person
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.name import _ASN1Type
from gateway_process import Gateway
from soft_device import Device, Maker

PAYLOAD = b"a thing that a camera saw"

numbers = count(1)


def fresh(text: str) -> str:
    return f"{text} {next(numbers)}"


def install(owner: Person, maker: Maker) -> None:
    owner.act("maker.add", name=maker.name, certificate=maker.pem)


def remove(owner: Person, maker: Maker) -> None:
    fingerprint = maker.certificate.fingerprint(SHA256()).hex()
    [known] = [
        row["id"]
        for row in owner.get("/api/makers").expect()
        if row["sha256"] == fingerprint
    ]
    owner.act("maker.remove", maker=known)


@dataclass
class Scene:
    """A device, its maker, and its certificate after the maker's certificate has changed."""

    owner: Person
    maker: Maker
    device: Device

    def certified_by(self, maker: Maker, *between: Maker) -> None:
        """Replaces the device's certificate by one that `maker` signs, below `between`."""
        leaf = maker.certify(self.device.attestation_key, self.device.serial)
        self.device.chain = (leaf, *(link.der for link in between))


def the_same_certificate_again(scene: Scene) -> None:
    remove(scene.owner, scene.maker)
    install(scene.owner, scene.maker)


def renewed(scene: Scene) -> None:
    install(scene.owner, Maker(scene.maker.name, scene.maker.key))
    remove(scene.owner, scene.maker)


def renewed_after_removal(scene: Scene) -> None:
    remove(scene.owner, scene.maker)
    install(scene.owner, Maker(scene.maker.name, scene.maker.key))


def a_new_key_under_the_old_name(scene: Scene) -> None:
    moved = Maker(scene.maker.name)
    install(scene.owner, moved)
    scene.certified_by(moved)


def the_old_key_under_a_new_name(scene: Scene) -> None:
    renamed = Maker(fresh("Renamed"), scene.maker.key)
    install(scene.owner, renamed)
    remove(scene.owner, scene.maker)
    scene.certified_by(renamed)


def a_name_in_capitals_and_another_encoding(scene: Scene) -> None:
    moved = Maker(f" {scene.maker.name.upper()}", kind=_ASN1Type.BMPString)
    install(scene.owner, moved)
    scene.certified_by(moved)


def key_and_name_one_after_the_other(scene: Scene) -> None:
    between = Maker(fresh("Between"), scene.maker.key)
    install(scene.owner, between)
    remove(scene.owner, between)
    last = Maker(between.name)
    install(scene.owner, last)
    remove(scene.owner, scene.maker)
    scene.certified_by(last)


def a_root_above_it(scene: Scene) -> None:
    root = Maker(fresh("Root"))
    crossed = Maker(scene.maker.name, scene.maker.key, above=root)
    install(scene.owner, root)
    remove(scene.owner, scene.maker)
    scene.certified_by(scene.maker, crossed)


def an_intermediate_below_it(scene: Scene) -> None:
    """The device enrolled under the root, through an intermediate that is installed later itself."""
    below = Maker(fresh("Below"), above=scene.maker)
    scene.certified_by(below, below)
    scene.device.factory_reset()
    scene.device.enrol(owner_of_serial[scene.device.serial])
    install(scene.owner, below)
    remove(scene.owner, scene.maker)


def both_installed_at_once(scene: Scene) -> None:
    below = Maker(fresh("Below"), above=scene.maker)
    install(scene.owner, below)
    scene.certified_by(below, below, scene.maker)
    scene.device.factory_reset()
    scene.device.enrol(owner_of_serial[scene.device.serial])
    remove(scene.owner, below)


def a_serial_number_in_other_letters(scene: Scene) -> None:
    leaf = scene.maker.certify(scene.device.attestation_key, f" {scene.device.serial.lower()}  ")
    scene.device.chain = (leaf,)


def the_same_key_under_another_serial_number(scene: Scene) -> None:
    other = Maker(fresh("Refurbisher"))
    install(scene.owner, other)
    scene.device.chain = (other.certify(scene.device.attestation_key, fresh("NEW")),)


CHANGES: list[Callable[[Scene], None]] = [
    the_same_certificate_again,
    renewed,
    renewed_after_removal,
    a_new_key_under_the_old_name,
    the_old_key_under_a_new_name,
    a_name_in_capitals_and_another_encoding,
    key_and_name_one_after_the_other,
    a_root_above_it,
    an_intermediate_below_it,
    both_installed_at_once,
    a_serial_number_in_other_letters,
    the_same_key_under_another_serial_number,
]

# The owner who claimed the device with this serial number.
owner_of_serial: dict[str, Person] = {}


@pytest.fixture
def scene(house: Gateway, owner: Person) -> Scene:
    """A device that somebody claimed, from a maker that no other test uses."""
    maker = Maker(fresh("Maker"))
    install(owner, maker)
    device = Device(house.origin, maker, fresh("SN"))
    owner_of_serial[device.serial] = owner.invite(fresh("Emily"))
    device.enrol(owner_of_serial[device.serial])
    return Scene(owner, maker, device)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_thief_can_not_claim_an_owned_device(change: Callable[[Scene], None], scene: Scene):
    device, emily = scene.device, owner_of_serial[scene.device.serial]
    change(scene)
    before = scene.owner.pages("/api/devices")
    device.factory_reset()
    thief = scene.owner.invite(fresh("Thief"))
    wanted = {"act": "device.claim", "code": device.code()}
    thief.post("/api/acts/statement", wanted).refused(409, "owned")
    assert scene.owner.pages("/api/devices") == before
    # Its owner enrols it again, and it is the same device.
    device.factory_reset()
    known = device.id
    device.enrol(emily)
    assert device.id == known
    device.send(device.compose(PAYLOAD), PAYLOAD).expect_bytes(201)


@pytest.mark.parametrize("state", ["report_stolen", "retire"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_stolen_or_retired_device_stays_so(
    change: Callable[[Scene], None], state: str, scene: Scene
):
    device, emily = scene.device, owner_of_serial[scene.device.serial]
    change(scene)
    emily.act(f"device.{state}", device=device.id)
    before = scene.owner.pages("/api/devices")
    device.factory_reset()
    device.announce().refused(403, "stolen" if state == "report_stolen" else "retired")
    assert scene.owner.pages("/api/devices") == before


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_released_device_keeps_its_id(change: Callable[[Scene], None], scene: Scene):
    device, emily = scene.device, owner_of_serial[scene.device.serial]
    change(scene)
    known = device.id
    emily.act("device.release", device=device.id)
    device.factory_reset()
    second = scene.owner.invite(fresh("Second"))
    device.enrol(second)
    assert device.id == known


def test_a_claim_prepared_before_the_renewal_is_judged_after_it(scene: Scene):
    """The thief's ceremony began while the device had no owner."""
    emily = owner_of_serial[scene.device.serial]
    emily.act("device.release", device=scene.device.id)
    scene.device.factory_reset()
    thief = scene.owner.invite(fresh("Thief"))
    theirs = thief.prepare("device.claim", code=scene.device.code())
    a_new_key_under_the_old_name(scene)
    scene.device.factory_reset()
    scene.device.enrol(emily)
    thief.touch(theirs).refused(409, "owned")
    assert emily.get(f"/api/devices/{scene.device.id}").expect()["owner"] == emily.id


def test_devices_of_two_makers_may_have_the_same_serial_number(house: Gateway, scene: Scene):
    other = Maker(fresh("Other"))
    install(scene.owner, other)
    namesake = Device(house.origin, other, scene.device.serial)
    gaston = scene.owner.invite(fresh("Gaston"))
    namesake.enrol(gaston)
    assert namesake.id != scene.device.id


def test_an_unverified_chain_reserves_no_serial_number(house: Gateway, scene: Scene):
    """The certificates behind the device's anchor were not verified, so they say nothing about it."""
    other = Maker(fresh("Other"))
    install(scene.owner, other)
    number = fresh("SN")
    blocker = Device(house.origin, scene.maker, number)
    blocker.chain = (*blocker.chain, scene.maker.der, other.der)
    blocker.enrol(scene.owner.invite(fresh("Mallory")))
    genuine = Device(house.origin, other, number)
    genuine.enrol(scene.owner.invite(fresh("Gaston")))
    assert genuine.id != blocker.id


def test_a_deceptive_serial_number_is_refused(house: Gateway, scene: Scene):
    for odd in ("\u202e1-NS", "SN\n1", "SN\x001"):
        device = Device(house.origin, scene.maker, odd)
        device.announce().refused(403, "bad-attestation")


def test_the_console_shows_the_current_maker(scene: Scene):
    emily = owner_of_serial[scene.device.serial]
    renewed(scene)
    page = emily.get(f"/devices/{scene.device.id}").expect_text(200)
    assert "no longer trusted" in page
    scene.device.factory_reset()
    scene.device.enrol(emily)
    page = emily.get(f"/devices/{scene.device.id}").expect_text(200)
    assert scene.maker.name in page and "no longer trusted" not in page
