"""The gateway checks the time at which a device signed, and the time at which the bytes were taken."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from api_caller import Person, Reply
from fido2 import cbor
from gateway_process import Gateway
from soft_device import Device, Maker, now_ms, statement, transaction
from soft_webauthn import b64, unb64

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
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
    """Sends a transaction that says that it was signed at `issued`."""
    said = statement(
        camera.realm,
        "device.transaction",
        transaction(PAYLOAD, camera.sequence + 1, **terms),
        issued=issued,
    )
    return camera.send(camera.signed(said), PAYLOAD)


TOO_EARLY_MS = {"a day ago": -DAY_MS, "ten minutes ago": -10 * MINUTE_MS, "in 1970": None}
TOO_LATE_MS = {"in ten minutes": 10 * MINUTE_MS, "in a year": 365 * DAY_MS, "in 9999": 253_402_300_799_999}


@pytest.mark.parametrize("when", TOO_EARLY_MS)
def test_a_live_transaction_signed_long_ago_is_refused(when: str, camera: Device, unchanged: None):
    issued = 0 if TOO_EARLY_MS[when] is None else now_ms() + TOO_EARLY_MS[when]
    problem = send(camera, issued).refused(403, "stale")
    assert abs(problem["now_ms"] - now_ms()) < MINUTE_MS
    assert "signed" in problem["detail"]


@pytest.mark.parametrize("delivery", ["live", "queued"])
@pytest.mark.parametrize("when", TOO_LATE_MS)
def test_a_transaction_signed_in_the_future_is_refused(
    when: str, delivery: str, camera: Device, unchanged: None
):
    issued = min(now_ms() + TOO_LATE_MS[when], 253_402_300_799_999)
    problem = send(camera, issued, delivery=delivery).refused(403, "clock-skew")
    assert abs(problem["now_ms"] - now_ms()) < MINUTE_MS


def test_a_queued_transaction_signed_before_the_enrolment_is_refused(camera: Device, unchanged: None):
    """The device was enrolled just now, so an hour ago it had no such credential."""
    long_ago = now_ms() - 60 * MINUTE_MS
    for issued, taken in [
        (long_ago, long_ago),
        (long_ago, now_ms()),
        (now_ms() - 31 * DAY_MS, now_ms() - MINUTE_MS),
        (0, now_ms() - MINUTE_MS),
    ]:
        send(camera, issued, taken=taken, delivery="queued").refused(403, "stale")


def test_a_time_after_the_year_9999_is_malformed(camera: Device, unchanged: None):
    for issued in (253_402_300_800_000, 2**63, 2**64 - 1):
        send(camera, issued).refused(400, "malformed")
        camera.status(issued=issued).refused(400, "malformed")


def test_a_challenge_excuses_no_wrong_time(camera: Device, unchanged: None):
    given = camera.post("/api/device/challenge").expect()
    terms = transaction(PAYLOAD, camera.sequence + 1, challenge=unb64(given["challenge"]))
    said = statement(camera.realm, "device.transaction", terms, issued=now_ms() - 10 * MINUTE_MS)
    signed = camera.signed(said)
    camera.send(signed, PAYLOAD, Hallway_Seal=given["seal"]).refused(403, "stale")


def test_a_status_request_signed_at_another_time_is_refused(camera: Device, unchanged: None):
    for issued in (now_ms() - 10 * MINUTE_MS, now_ms() + 10 * MINUTE_MS, 0):
        camera.status(issued=issued).refused(403, "clock-skew")


def test_an_enrolment_has_the_gateways_time(house: Gateway, maker: Maker, unchanged: None):
    """When a device enrols it states no time: the gateway makes and seals the statement."""
    device = Device(house.origin, maker, next(serials))
    given = device.post("/api/device/enrolments/statement").expect()
    stated = cbor.decode(unb64(given["statement"]))
    assert abs(stated["issued"] - now_ms()) < MINUTE_MS
    for issued in (stated["issued"] + 1, 0, stated["issued"] - DAY_MS):
        other = given | {"statement": b64(cbor.encode(stated | {"issued": issued}))}
        device.announce(other).refused(403, "foreign-challenge")


def test_transactions_within_the_bounds_are_accepted(owner: Person, camera: Device):
    """A clock may be off by five minutes, and bytes taken before the enrolment may be sent."""
    for issued, taken, delivery in [
        (now_ms() - 4 * MINUTE_MS, now_ms() - 4 * MINUTE_MS, "live"),
        (now_ms() - 4 * MINUTE_MS, now_ms() - 3 * MINUTE_MS, "queued"),
        (now_ms() + 4 * MINUTE_MS, now_ms(), "queued"),
        (now_ms(), now_ms() + 4 * MINUTE_MS, "live"),
    ]:
        send(camera, issued, taken=taken, delivery=delivery).expect_bytes(201)
        camera.sequence += 1
    # A device that was enrolled after it took the bytes may send them, too.
    late = Device(camera.origin, camera.maker, next(serials))
    late.enrol(owner.invite("Late"))
    payload = os.urandom(20)
    said = statement(
        late.realm,
        "device.transaction",
        transaction(payload, 1, taken=now_ms() - 20 * DAY_MS, delivery="queued"),
    )
    late.send(late.signed(said), payload).expect_bytes(201)


def test_each_transaction_keeps_its_own_time(owner: Person, camera: Device):
    """The sequence numbers give the order. Bytes taken earlier may be sent later, with their own time."""
    stated = {}
    for days in (0, 20, 1, 29, 0):
        stated[camera.sequence + 1] = taken = now_ms() - days * DAY_MS
        send(camera, now_ms(), taken=taken, delivery="queued").expect_bytes(201)
        camera.sequence += 1
    rows = [row for row in owner.pages("/api/transactions") if row["device"] == camera.id]
    assert stated.items() <= {row["sequence"]: row["taken_ms"] for row in rows}.items()
