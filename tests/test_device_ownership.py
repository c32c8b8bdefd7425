"""How a device changes hands: codes, theft, release, retirement."""

from itertools import count

import pytest
from api_caller import Person, Reply
from gateway_process import Gateway
from soft_device import Device, Maker

PAYLOAD = b"a thing that a camera saw"

serials = (f"SN-{number:04}" for number in count(1))


@pytest.fixture
def newcomer(house: Gateway, maker: Maker) -> Device:
    """A device that the realm does not know yet."""
    return Device(house.origin, maker, next(serials))


@pytest.fixture(scope="module")
def camera(house: Gateway, owner: Person, maker: Maker) -> Device:
    """A registered device."""
    device = Device(house.origin, maker, next(serials))
    device.enrol(owner.invite("Camera owner"))
    return device


def test_codes_cannot_be_guessed(member: Person, newcomer: Device, unchanged: None):
    code = newcomer.code()
    for number in range(10):
        wrong = ["", "BCDF", "AAAA-AAAA", "BCDF-GHJK-", "BCDF-GHJK"][number % 5]
        member.post("/api/devices/code", {"code": wrong}).refused(404, "not-found")
    for path, body in [
        ("/api/devices/code", {"code": code}),
        ("/api/devices/code", {"code": "BCDF-GHJK"}),
        ("/api/acts/statement", {"act": "device.claim", "code": code}),
    ]:
        member.post(path, body).refused(429, "too-many-codes")


def test_attempts_are_counted_by_person(member: Person, owner: Person, newcomer: Device):
    code = newcomer.code()
    for _ in range(11):
        last = member.post("/api/devices/code", {"code": "BCDF-GHJK"})
    last.refused(429, "too-many-codes")
    # A new session gives no new attempts.
    member.sign_in()
    member.post("/api/devices/code", {"code": code}).refused(429, "too-many-codes")
    other = owner.invite("Other")
    assert other.post("/api/devices/code", {"code": code}).expect()["serial"] == newcomer.serial


def test_a_code_works_once(owner: Person, member: Person, newcomer: Device):
    code = newcomer.code()
    other = owner.invite("Other")
    theirs = other.prepare("device.claim", code=code)
    member.act("device.claim", code=code)
    before = owner.state_of_the_realm()
    other.touch(theirs).refused(409, "replayed")
    for person in (member, other):
        person.post("/api/devices/code", {"code": code}).refused(404, "not-found")
        wanted = {"act": "device.claim", "code": code}
        person.post("/api/acts/statement", wanted).refused(404, "not-found")
    assert owner.state_of_the_realm() == before


# Changing hands.


def change(person: Person, device: Device, to: str) -> Reply:
    return person.post(
        "/api/acts/statement",
        {"act": f"device.{to}", "device": device.id},
    )


def test_only_its_owner_changes_a_device(
    owner: Person, member: Person, camera: Device, unchanged: None
):
    for to in ("suspend", "reinstate", "report_stolen", "release", "retire"):
        # Other people do not learn that the device exists.
        change(member, camera, to).refused(404, "not-found")
    for to in ("report_stolen", "release", "retire"):
        change(owner, camera, to).refused(403, "not-owner")
    wanted = {"act": "device.transfer", "device": camera.id, "person": owner.id}
    owner.post("/api/acts/statement", wanted).refused(403, "not-owner")
    member.get(f"/api/devices/{camera.id}").refused(404, "not-found")


def test_nobody_can_claim_a_stolen_device(owner: Person, member: Person, newcomer: Device):
    newcomer.enrol(member)
    thief = owner.invite("Thief")
    waiting = newcomer
    device = Device(newcomer.origin, newcomer.maker, newcomer.serial)
    device.attestation_key, device.chain = waiting.attestation_key, waiting.chain
    # The thief resets the device and shows a code before the owner notices.
    code = device.code()
    member.act("device.report_stolen", device=waiting.id)
    before = owner.state_of_the_realm()
    wanted = {"act": "device.claim", "code": code}
    thief.post("/api/acts/statement", wanted).refused(403, "stolen")
    # The device can't be announced again, and its transactions are refused.
    device.factory_reset()
    device.announce().refused(403, "stolen")
    assert waiting.status().expect()["state"] == "stolen"
    waiting.send(waiting.compose(PAYLOAD), PAYLOAD).refused(403, "stolen")
    # Even an owner of the realm can't say that it was found.
    for to in ("suspend", "reinstate"):
        change(owner, waiting, to).refused(403, "not-owner")
    # A released device could be claimed, so a stolen device can't be released.
    ceremony = member.prepare("device.release", device=waiting.id)
    member.touch(ceremony).refused(409, "state")
    assert owner.state_of_the_realm() == before
    # When the owner has found it, it is suspended first. It sends again once the owner reinstates it.
    found = member.act("device.reinstate", device=waiting.id)
    assert found["device"]["state"] == "suspended"
    waiting.sequence = 0
    waiting.send(waiting.compose(PAYLOAD), PAYLOAD).refused(403, "suspended")
    member.act("device.reinstate", device=waiting.id)
    waiting.sequence = 0
    waiting.send(waiting.compose(PAYLOAD), PAYLOAD).expect_bytes(201)


def test_only_its_owner_enrols_an_owned_device_again(
    owner: Person, member: Person, newcomer: Device
):
    newcomer.enrol(member)
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    first, former = newcomer.id, newcomer.credential
    newcomer.factory_reset()
    code = newcomer.code()
    before = owner.state_of_the_realm()
    for other in (owner.invite("Finder"), owner):
        wanted = {"act": "device.claim", "code": code}
        other.post("/api/acts/statement", wanted).refused(409, "owned")
    after = owner.state_of_the_realm()
    assert after["devices"] == before["devices"]
    claimed = member.act("device.claim", code=code)
    assert claimed["device"]["id"] == first
    assert newcomer.status().expect()["state"] == "registered"
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    # The credential from before the reset is refused.
    newcomer.credential, newcomer.sequence = former, 5
    newcomer.status().refused(403, "unknown-credential")
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).refused(403, "unknown-credential")


def test_another_person_can_claim_a_released_device(
    owner: Person, member: Person, newcomer: Device
):
    newcomer.enrol(member)
    member.act("device.release", device=newcomer.id)
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).refused(403, "released")
    member.get(f"/api/devices/{newcomer.id}").refused(404, "not-found")
    first = newcomer.id
    newcomer.factory_reset()
    second = owner.invite("Second owner")
    newcomer.enrol(second)
    assert newcomer.id == first
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    assert second.get(f"/api/devices/{first}").expect()["owner"] == second.id
    member.get(f"/api/devices/{first}").refused(404, "not-found")


def test_a_retired_device_never_comes_back(member: Person, newcomer: Device):
    newcomer.enrol(member)
    member.act("device.retire", device=newcomer.id)
    newcomer.send(newcomer.compose(PAYLOAD), PAYLOAD).refused(403, "retired")
    newcomer.factory_reset()
    newcomer.announce().refused(403, "retired")
    for to in ("reinstate", "suspend", "release"):
        ceremony = member.prepare(f"device.{to}", device=newcomer.id)
        member.touch(ceremony).refused(409, "state")
