"""One bad message among good ones, and messages that matter in a flood of junk, on either database."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_caller import Caller, Person, Reply
from gateway_process import Gateway
from hall_place import free_port
from postgres_server import postgres
from soft_device import Device, Maker, now_ms, statement
from soft_webauthn import b64

# As many devices as the attack used. Ten for each owner, because an owner may try ten codes.
OWNERS, DEVICES_PER_OWNER = 18, 10
PAYLOAD = b"a thing that a camera saw"

LARGEST_SEQUENCE = 2**63 - 1
YEAR_9999_MS = 253_402_300_799_999


@dataclass
class Fleet:
    """A gateway with many devices."""

    owner: Person
    maker: Maker
    devices: list[Device]

    @property
    def stranger(self) -> Caller:
        return Caller(self.owner.origin)

    def refusals(self, code: str) -> list[dict]:
        return [row for row in self.owner.pages("/api/refusals") if row["code"] == code]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    place = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        yield from fleet_in(place)
    else:
        with postgres(place / "server", free_port()) as port:
            address = f"postgres://postgres@127.0.0.1:{port}/postgres"
            yield from fleet_in(place, "--database", address)


def fleet_in(place: Path, *options: str) -> Iterator[Fleet]:
    gateway = Gateway(place / "data", *options)
    owner = Person.owner(gateway)
    maker = Maker()
    owner.act("maker.add", name=maker.name, certificate=maker.pem)

    def devices(number: int) -> list[Device]:
        person = owner.invite(f"Person {number}")
        made = [Device(gateway.origin, maker, f"SN-{number}-{n}") for n in range(DEVICES_PER_OWNER)]
        for device in made:
            device.enrol(person)
        return made

    fleet = [device for number in range(OWNERS) for device in devices(number)]
    yield Fleet(owner, maker, fleet)
    assert gateway.stop() == 0, "\n".join(gateway.lines)


# Transactions with wrong terms.
WRONG_TERMS: dict[str, Callable[[], dict]] = {
    "sequence of 2^63": lambda: {"sequence": LARGEST_SEQUENCE + 1},
    "sequence of 2^64 - 1": lambda: {"sequence": 2**64 - 1},
    "length of 2^63": lambda: {"length": LARGEST_SEQUENCE + 1},
    "length of 2^64 - 1": lambda: {"length": 2**64 - 1},
    "taken after the year 9999": lambda: {"taken": YEAR_9999_MS + 1},
    "taken in 2^64 - 1 ms": lambda: {"taken": 2**64 - 1},
    "name with a NUL": lambda: {"file_name": "a\0b"},
    "type with a NUL": lambda: {"media_type": "text/\0plain"},
    "term with a NUL in its name": lambda: {"a\0b": 1},
}


@pytest.mark.parametrize("fault", WRONG_TERMS)
def test_one_bad_transaction_fails_alone(fault: str, fleet: Fleet):
    bad, *good = fleet.devices
    before = len(fleet.refusals("malformed"))
    sequence = bad.sequence
    wrong = bad.compose(PAYLOAD, **WRONG_TERMS[fault]())
    messages = [(device, device.compose(PAYLOAD)) for device in good]
    messages.insert(len(messages) // 2, (bad, wrong))

    def send(message: tuple[Device, bytes]) -> Reply:
        device, signed = message
        return device.send(signed, PAYLOAD)

    with ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(send, messages))
    refused = [reply for reply in replies if reply.status != 201]
    assert len(refused) == 1, [(reply.status, reply.body) for reply in refused[:3]]
    problem = refused[0].refused(400, "malformed")
    assert len(fleet.refusals("malformed")) == before + 1
    [newest] = [row for row in fleet.refusals("malformed") if row["detail"] == problem["detail"]][:1]
    assert newest["door"] == "device"
    # The device can send again.
    bad.sequence = sequence
    bad.send(bad.compose(PAYLOAD), PAYLOAD).expect_bytes(201)


def test_the_largest_sequence_number_is_stored(fleet: Fleet):
    device = fleet.devices[-1]
    device.send(device.compose(PAYLOAD, sequence=LARGEST_SEQUENCE), PAYLOAD).expect_bytes(201)
    assert device.status().expect()["last_sequence"] == LARGEST_SEQUENCE
    device.send(device.compose(PAYLOAD, sequence=LARGEST_SEQUENCE), PAYLOAD).refused(409, "out-of-order")
    del fleet.devices[-1]


def test_a_32_bit_signature_counter_is_stored(fleet: Fleet):
    device = fleet.devices[-1]
    device.credential.counter = 2**32 - 2
    device.send(device.compose(PAYLOAD), PAYLOAD).expect_bytes(201)
    device.credential.counter = 2**32 - 2
    device.send(device.compose(PAYLOAD), PAYLOAD).refused(403, "cloned-key")
    del fleet.devices[-1]


@pytest.mark.parametrize("number", [LARGEST_SEQUENCE + 1, 2**64 - 1, 2**64, 10**40])
def test_numbers_in_addresses_are_bounded(number: int, fleet: Fleet):
    for path in (
        f"/api/transactions?after={number}",
        f"/api/evidence?after={number}",
        f"/transactions?after={number}",
        f"/evidence?after={number}",
    ):
        assert fleet.owner.get(path).status == 400, path
    assert fleet.owner.get(f"/api/transactions?after={LARGEST_SEQUENCE}&limit=1").status == 200
    # The path of a tile has its index in groups of three digits.
    digits = str(number).rjust(3 * -(-len(str(number)) // 3), "0")
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    fleet.stranger.get(f"/log/tile/0/{path}").refused(404, "not-found")
    fleet.stranger.get(f"/log/tile/entries/{path}").refused(404, "not-found")


def test_a_refusal_with_a_nul_is_recorded(fleet: Fleet):
    device = fleet.devices[0]
    odd = "https://e\0vil.example"
    said = statement(device.realm, "device.status", {})
    body = {"signed_statement": b64(device.signed(said, origin=odd))}
    device.post("/api/device/status", body).refused(403, "bad-signature")
    [row] = fleet.refusals("bad-signature")
    assert "vil.example" in row["detail"] and "\0" not in row["detail"]
    for act in ("device.\0", "\0", "device.explode\0"):
        said = statement(device.realm, act, {})
        body = {"signed_statement": b64(device.signed(said))}
        device.post("/api/device/status", body).refused(400, "malformed")
    assert any("device." in row["detail"] for row in fleet.refusals("malformed"))


def told(rows: list[dict]) -> int:
    return sum(1 + row["more"] for row in rows)


def test_a_flood_of_junk_hides_no_refusal(fleet: Fleet):
    device, stranger, owner = fleet.devices[1], fleet.stranger, fleet.owner
    junk, before = 3_000, told(fleet.refusals("malformed"))
    records = len(fleet.refusals("malformed"))

    def throw(_: int) -> None:
        stranger.post("/api/device/status", {"signed_statement": "AA"}).refused(400, "malformed")

    with ThreadPoolExecutor(16) as pool:
        flood = [pool.submit(throw, number) for number in range(junk)]
        # During the flood: another kind of refusal for a stranger, one for a device, one for a person, and
        # one of the same kind as the flood for a known person.
        flood[junk // 3].result()
        foreign = device.signed(statement("evil.example", "device.status", {}))
        stranger.post("/api/device/status", {"signed_statement": b64(foreign)}).refused(
            403, "other-realm"
        )
        device.send(device.compose(PAYLOAD, sequence=0), PAYLOAD).refused(409, "out-of-order")
        person = owner.invite("Curious")
        act = {"act": "device.release", "device": device.id}
        person.post("/api/acts/statement", act).refused(404, "not-found")
        bad_name = {"act": "hall.create", "hall": "Not A Name", "title": "x"}
        assert owner.post("/api/acts/statement", bad_name).status in (400, 422)
        for done in flood:
            done.result()
    assert fleet.refusals("other-realm")
    [mine] = [row for row in fleet.refusals("out-of-order") if row["device"] == device.id]
    assert mine["door"] == "device"
    [theirs] = [row for row in fleet.refusals("not-found") if row["person"] == person.id]
    assert theirs["door"] == "device"
    # The records are few, and their counts add up to the whole flood.
    deadline = time.monotonic() + 20
    while told(fleet.refusals("malformed")) < before + junk and time.monotonic() < deadline:
        time.sleep(0.2)
    rows = fleet.refusals("malformed")
    assert told(rows) >= before + junk
    assert len(rows) < records + 100
    assert all(row["last_ms"] >= row["at_ms"] for row in rows)
    assert "more like it" in owner.get("/refusals").expect_text(200)


def test_the_refusals_name_a_person_who_guesses_codes(fleet: Fleet):
    guesser = fleet.owner.invite("Guesser")
    for _ in range(11):
        last = guesser.post("/api/devices/code", {"code": "BCDF-GHJK"})
    last.refused(429, "too-many-codes")
    [row] = fleet.refusals("too-many-codes")
    assert (row["person"], row["door"]) == (guesser.id, "device")
    assert row["at_ms"] <= now_ms()
