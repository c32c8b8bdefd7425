"""What a device says of when it signed is judged as what it says of when the bytes were taken."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from api_caller import Person, Reply
from fido2 import cbor
from gateway_process import Gateway
from soft_device import Device, Maker, now_ms, statement, transaction
from soft_webauthn import b64, unb64

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
PAYLOAD = b"a thing that a camera saw"

serials = (f"SN-{number:04}" for number in count(1))


@pytest.fixture(scope="module")
def camera(house: Gateway, owner: Person, maker: Maker) -> Device:
    """A registered device."""
    device = Device(house.origin, maker, next(serials))
    device.enrol(owner.invite("Camera owner"))
    return device


@pytest.fixture
def unchanged(owner: Person, maker: Maker, camera: Device) -> Iterator[None]:
    before = owner.state_of_the_realm()
    yield
    assert owner.state_of_the_realm() == before


def send(camera: Device, issued: int, **terms: object) -> Reply:
    """A transaction that says that it was signed at `issued`."""
    said = statement(
        camera.realm,
        "device.transaction",
        transaction(PAYLOAD, camera.sequence + 1, **terms),
        issued=issued,
    )
    return camera.send(camera.signed(said), PAYLOAD)


LIVE = {"a day ago": -DAY, "ten minutes ago": -10 * MINUTE, "in 1970": None}
FUTURE = {"in ten minutes": 10 * MINUTE, "in a year": 365 * DAY, "in 9999": 253_402_300_799_999}


@pytest.mark.parametrize("when", LIVE)
def test_a_live_transaction_was_signed_now(when: str, camera: Device, unchanged: None):
    issued = 0 if LIVE[when] is None else now_ms() + LIVE[when]
    problem = send(camera, issued).refused(403, "stale")
    assert abs(problem["now_ms"] - now_ms()) < MINUTE
    assert "signed" in problem["detail"]


@pytest.mark.parametrize("delivery", ["live", "queued"])
@pytest.mark.parametrize("when", FUTURE)
def test_nothing_was_signed_in_the_future(
    when: str, delivery: str, camera: Device, unchanged: None
):
    issued = min(now_ms() + FUTURE[when], 253_402_300_799_999)
    problem = send(camera, issued, delivery=delivery).refused(403, "clock-skew")
    assert abs(problem["now_ms"] - now_ms()) < MINUTE


def test_a_queued_transaction_was_signed_in_this_era(camera: Device, unchanged: None):
    """The device was enrolled just now: an hour ago it had no such credential."""
    long_ago = now_ms() - 60 * MINUTE
    for issued, taken in [
        (long_ago, long_ago),
        (long_ago, now_ms()),
        (now_ms() - 31 * DAY, now_ms() - MINUTE),
        (0, now_ms() - MINUTE),
    ]:
        send(camera, issued, taken=taken, delivery="queued").refused(403, "stale")


def test_a_time_after_the_year_9999_is_malformed(camera: Device, unchanged: None):
    for issued in (253_402_300_800_000, 2**63, 2**64 - 1):
        send(camera, issued).refused(400, "malformed")
        camera.status(issued=issued).refused(400, "malformed")


def test_a_challenge_excuses_no_other_time(camera: Device, unchanged: None):
    given = camera.post("/api/device/challenge").expect()
    terms = transaction(PAYLOAD, camera.sequence + 1, challenge=unb64(given["challenge"]))
    said = statement(camera.realm, "device.transaction", terms, issued=now_ms() - 10 * MINUTE)
    signed = camera.signed(said)
    camera.send(signed, PAYLOAD, Hallway_Seal=given["seal"]).refused(403, "stale")


def test_a_question_was_signed_now(camera: Device, unchanged: None):
    for issued in (now_ms() - 10 * MINUTE, now_ms() + 10 * MINUTE, 0):
        camera.status(issued=issued).refused(403, "clock-skew")


def test_an_enrolment_says_the_gateways_time(house: Gateway, maker: Maker, unchanged: None):
    """A device states no time of its own when it enrols: the statement is the gateway's, sealed."""
    device = Device(house.origin, maker, next(serials))
    given = device.post("/api/device/enrolments/statement").expect()
    stated = cbor.decode(unb64(given["statement"]))
    assert abs(stated["issued"] - now_ms()) < MINUTE
    for issued in (stated["issued"] + 1, 0, stated["issued"] - DAY):
        other = given | {"statement": b64(cbor.encode(stated | {"issued": issued}))}
        device.announce(other).refused(403, "foreign-challenge")


def test_what_is_on_time_is_taken(owner: Person, camera: Device):
    """To a clock that may be off by five minutes; what was taken before the enrolment may be sent."""
    for issued, taken, delivery in [
        (now_ms() - 4 * MINUTE, now_ms() - 4 * MINUTE, "live"),
        (now_ms() - 4 * MINUTE, now_ms() - 3 * MINUTE, "queued"),
        (now_ms() + 4 * MINUTE, now_ms(), "queued"),
        (now_ms(), now_ms() + 4 * MINUTE, "live"),
    ]:
        send(camera, issued, taken=taken, delivery=delivery).expect_bytes(201)
        camera.sequence += 1
    # And by a device that was enrolled after the fact.
    late = Device(camera.origin, camera.maker, next(serials))
    late.enrol(owner.invite("Late"))
    payload = os.urandom(20)
    said = statement(
        late.realm,
        "device.transaction",
        transaction(payload, 1, taken=now_ms() - 20 * DAY, delivery="queued"),
    )
    late.send(late.signed(said), payload).expect_bytes(201)


def test_each_file_has_its_own_time(owner: Person, camera: Device):
    """The order is that of the numbers: what was taken earlier may be sent later, and says so."""
    stated = {}
    for days in (0, 20, 1, 29, 0):
        stated[camera.sequence + 1] = taken = now_ms() - days * DAY
        send(camera, now_ms(), taken=taken, delivery="queued").expect_bytes(201)
        camera.sequence += 1
    rows = [row for row in owner.pages("/api/transactions") if row["device"] == camera.id]
    assert stated.items() <= {row["sequence"]: row["taken_ms"] for row in rows}.items()
