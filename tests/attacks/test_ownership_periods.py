"""Every owner of a device sees its records from their own time only."""

import http.client
import json
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

import pytest
from api_caller import Person
from fido2 import cbor
from gateway_process import ROOT, SERVES, Gateway
from soft_device import Device, Maker
from test_operator import succeed

PICTURE = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()


@dataclass
class Sent:
    """A transaction of the device, and its owner at that time."""

    owner: str
    name: str
    evidence: str


@dataclass
class Life:
    """A device and its owners, one after another."""

    operator: Person
    people: dict[str, Person]
    device: Device
    sent: list[Sent]
    # The evidence of each act on the device, with the person who may see it.
    acts: list[tuple[str, str]]

    def of(self, name: str) -> list[Sent]:
        return [item for item in self.sent if item.owner == name]


def send(device: Device, owner: str, name: str) -> Sent:
    """Sends a picture with bytes of its own."""
    payload = PICTURE + name.encode()
    signed = device.compose(payload, media_type="image/jpeg", file_name=name)
    receipt = cbor.decode(device.send(signed, payload).expect_bytes(201))
    return Sent(owner, name, sha256(receipt["evidence"]).hexdigest())


@pytest.fixture(scope="module")
def life(house: Gateway, owner: Person, maker: Maker) -> Life:
    """Ada claims it, names it and hands it over to Bob; Bob releases it; Cleo claims it."""
    people = {name: owner.invite(name) for name in ("Ada", "Bob", "Cleo", "Dan")}
    ada, bob, cleo = people["Ada"], people["Bob"], people["Cleo"]
    device = Device(house.origin, maker, "SN-0001")
    acts, sent = [], []

    def done(name: str, act: str, **fields: object) -> None:
        acts.append((name, people[name].act(act, **fields)["evidence"]))

    device.enrol(ada)
    ada.post(f"/api/devices/{device.id}/name", {"name": "Ada’s bedroom"}).expect()
    sent += [send(device, "Ada", f"ada-{n}.jpg") for n in range(3)]
    done("Ada", "device.transfer", device=device.id, person=bob.id)
    sent += [send(device, "Bob", f"bob-{n}.jpg") for n in range(2)]
    bob.post(f"/api/devices/{device.id}/name", {"name": "Bob’s garage"}).expect()
    done("Bob", "device.suspend", device=device.id)
    done("Bob", "device.release", device=device.id)
    device.factory_reset()
    device.enrol(cleo)
    sent += [send(device, "Cleo", f"cleo-{n}.jpg") for n in range(2)]
    return Life(owner, people, device, sent, acts)


NAMES = ["Ada", "Bob", "Cleo", "Dan"]
FORMS = ["payload", "signed", "thumbnail"]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_owner_of_their_time_gets_pictures_and_evidence(name: str, life: Life):
    person = life.people[name]
    for item in life.sent:
        paths = [f"/api/transactions/{item.evidence}/{form}" for form in FORMS]
        paths += [
            f"/api/evidence/{item.evidence}",
            f"/api/receipts/{item.evidence}",
            f"/api/evidence/{item.evidence}/explanation",
            f"/evidence/{item.evidence}",
        ]
        for path in paths:
            reply = person.get(path)
            if item.owner == name:
                assert reply.status == 200, (path, reply.body[:200])
            else:
                assert reply.status == 404, (path, item.name)
                assert item.name.encode() not in reply.body
            assert life.operator.get(path).status == 200, path


@pytest.mark.parametrize("name", NAMES)
def test_lists_have_only_ones_own_time(name: str, life: Life):
    person, mine = life.people[name], [item.name for item in reversed(life.of(name))]
    assert [row["file_name"] for row in person.pages("/api/transactions")] == mine
    # The same, a page at a time.
    after, found = "", []
    while after is not None:
        page = person.get(f"/api/transactions?limit=1&after={after}").expect()
        found += [row["file_name"] for row in page["items"]]
        after = page["next"]
    assert found == mine
    one = person.get(f"/api/transactions?device={life.device.id}")
    if mine:
        assert [row["file_name"] for row in one.expect()["items"]] == mine
    else:
        one.refused(404, "not-found")
    listed = [row["file_name"] for row in life.operator.pages("/api/transactions")]
    assert listed == [item.name for item in reversed(life.sent)]


@pytest.mark.parametrize("name", NAMES)
def test_pages_show_only_ones_own_time(name: str, life: Life):
    person = life.people[name]
    pages = ["/", "/transactions", "/evidence"]
    if life.of(name):
        pages.append(f"/transactions?device={life.device.id}")
    if name == "Cleo":
        pages += ["/devices", f"/devices/{life.device.id}"]
    else:
        person.get(f"/devices/{life.device.id}", Accept="text/html").expect_bytes(404)
        assert life.device.serial not in person.get("/devices").expect_text(200)
    for path in pages:
        text = person.get(path).expect_text(200)
        for item in life.sent:
            if item.owner != name:
                assert item.name not in text and item.evidence not in text, (path, item.name)
        for other in ("Ada", "Bob", "Cleo"):
            if other != name:
                assert f"{other}’s" not in text, (path, other)
    if life.of(name):
        text = person.get("/transactions").expect_text(200)
        assert all(item.name in text for item in life.of(name))


def test_each_owner_sees_only_their_own_name_of_the_device(life: Life):
    serial = life.device.serial
    for name, called in [("Ada", "Ada’s bedroom"), ("Bob", "Bob’s garage"), ("Cleo", serial)]:
        rows = life.people[name].pages("/api/transactions")
        assert {row["device_name"] for row in rows} == {called}
    cleo = life.people["Cleo"].get(f"/api/devices/{life.device.id}").expect()
    assert cleo["name"] == serial


@pytest.mark.parametrize("name", NAMES)
def test_only_the_owner_of_their_time_sees_acts_on_a_device(name: str, life: Life):
    for whose, evidence in life.acts:
        status = life.people[name].get(f"/api/evidence/{evidence}").status
        # The heir sees the evidence of the transfer, which made the device theirs.
        heir = whose == "Ada" and name == "Bob"
        assert status == (200 if whose == name or heir else 404), (whose, name)


def test_a_bundle_has_no_receipts_of_earlier_owners(life: Life):
    """A bundle of Cleo tells nothing about Ada and Bob: neither their claims nor their keys."""
    strangers = [life.people[name].id for name in ("Ada", "Bob")]
    own = life.of("Cleo")[0].evidence
    cleo = life.people["Cleo"]
    mine = [row["hash"] for row in cleo.pages("/api/evidence") if row["act"].startswith("device.")]
    assert len(mine) == 2
    for evidence in [own, *mine]:
        bundle = cleo.get(f"/api/receipts/{evidence}").expect_bytes(200)
        for stranger in strangers:
            assert bytes.fromhex(stranger.replace("-", "")) not in bundle, evidence


class Stream:
    """Server-sent events, read in a thread of their own."""

    def __init__(self, person: Person, path: str):
        self.connection = http.client.HTTPConnection(urlsplit(person.origin).netloc, timeout=60)
        self.connection.request("GET", path, headers=person.headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.seen: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while line := self.answer.readline():
                if line.startswith(b"data:"):
                    self.seen.put(json.loads(line[5:])["file_name"])
        except (OSError, ValueError, AttributeError):
            pass

    def next(self) -> str:
        return self.seen.get(timeout=30)

    def is_silent(self) -> bool:
        try:
            self.seen.get_nowait()
        except Empty:
            return True
        return False


def test_an_open_stream_shows_only_ones_own_time(
    house: Gateway, owner: Person, maker: Maker, life: Life
):
    first, second = owner.invite("First"), owner.invite("Second")
    device = Device(house.origin, maker, "SN-0002")
    device.enrol(first)
    path = f"/api/events?device={device.id}"
    streams = {
        "first": [Stream(first, path), Stream(first, "/api/events")],
        "second": [Stream(second, "/api/events")],
        "all": [Stream(owner, path), Stream(owner, "/api/events")],
    }
    send(device, "First", "before.jpg")
    for stream in streams["first"] + streams["all"]:
        assert stream.next() == "before.jpg"
    first.act("device.transfer", device=device.id, person=second.id)
    send(device, "Second", "after.jpg")
    for stream in streams["second"] + streams["all"]:
        assert stream.next() == "after.jpg"
    # After the way back, the first owner's streams show the new picture and not the one in between.
    second.act("device.transfer", device=device.id, person=first.id)
    send(device, "First", "again.jpg")
    for stream in streams["first"]:
        assert stream.next() == "again.jpg"
    for stream in streams["second"]:
        assert stream.is_silent()


def test_an_open_stream_follows_the_role(house: Gateway, owner: Person, maker: Maker, life: Life):
    """A former operator's open stream shows only their own devices from the change of role on."""
    operator = owner.invite("Operator", role="operator")
    device = Device(house.origin, maker, "SN-0003")
    device.enrol(operator)
    stream = Stream(operator, "/api/events")
    send(life.device, "Cleo", "for-operators.jpg")
    assert stream.next() == "for-operators.jpg"
    owner.act("people.change_role", person=operator.id, role="member")
    send(life.device, "Cleo", "not-for-members.jpg")
    send(device, "Operator", "own.jpg")
    assert stream.next() == "own.jpg"


class Restored(Gateway):
    """A gateway on a restored folder."""

    def _meet(self) -> None:
        self.origin = self.wait_for(SERVES)[1]


def test_a_backup_restores_the_periods_of_ownership(house: Gateway, life: Life, tmp_path: Path):
    file = tmp_path / "realm.backup"
    succeed("backup", file, "--data", house.folder)
    place = tmp_path / "restored"
    place.mkdir()
    key = place / "operator.key"
    key.write_bytes((house.folder / "operator.key").read_bytes())
    key.chmod(0o600)
    succeed("restore", file, "--data", place)
    again = Restored(place)
    try:
        for name in NAMES:
            person = life.people[name]
            # A backup has no sessions, and the port is another one: a key signs in at the new origin.
            person.key.origin = again.origin
            there = Person.__new__(Person)
            there.origin, there.headers, there.key = again.origin, {}, person.key
            there.sign_in()
            mine = {item.name for item in life.of(name)}
            listed = {row["file_name"] for row in there.pages("/api/transactions")}
            assert mine <= listed
            assert not listed & {item.name for item in life.sent if item.owner != name}
            person.key.origin = person.origin
    finally:
        assert again.stop() == 0, "\n".join(again.lines)
