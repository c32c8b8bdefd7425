"""An operator writes rows into the database. The people whom such a row lets in can sign no evidence
that a verifier accepts.

The gateway accepts their signatures, because it believes its database. A verifier does not: it accepts
a key only if entitled people signed for it, back to the set-up of the realm.
"""

import json
import os
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from api_caller import Person
from fido2 import cbor
from gateway_process import ROOT, Gateway, hallway
from soft_device import Device, Maker
from soft_webauthn import b64, unb64

CAT = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()


@dataclass
class Operator:
    """An attacker who can write into the gateway's database, but holds no person's key."""

    folder: Path

    def write(self, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(self.folder / "hallway.db", timeout=30)) as database, database:
            changed = database.execute(sql, values).rowcount
        assert changed > 0, sql

    def read(self, sql: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self.folder / "hallway.db", timeout=30)) as database:
            return database.execute(sql, values).fetchall()

    def plant_link(self, gateway: Gateway, purpose: str, token: bytes | None = None, **cells: object) -> str:
        """Makes a one-time link that nobody signed for."""
        token = token or os.urandom(32)
        now = time.time_ns() // 1_000_000
        row = {
            "token_hash": sha256(token).digest(),
            "purpose": purpose,
            "name": "",
            "created_ms": now,
            "expires_ms": now + 3_600_000,
        }
        row |= cells
        names, marks = ", ".join(row), ", ".join("?" for _ in row)
        self.write(f"INSERT INTO link ({names}) VALUES ({marks})", *row.values())
        return f"{gateway.origin}/join#{b64(token)}"


@dataclass
class Checked:
    """The result of `hallway verify`."""

    code: int
    said: str
    report: dict

    @property
    def missing(self) -> str:
        return "\n".join(self.report.get("missing", []))

    def holds(self, *words: str) -> list[str]:
        assert self.code == 0 and self.report["holds"], self.said
        told = self.report["conclusion"]["sentences"]
        for word in words:
            assert any(word in sentence for sentence in told), (word, told)
        return told

    def lacks(self, *words: str) -> None:
        assert self.code == 1 and not self.report["holds"], self.said
        assert "does not hold" in self.said
        for word in words:
            assert word in self.missing, (word, self.report)
            assert word in self.said


@dataclass
class Verifier:
    """Somebody on another machine, who has the trust file and the evidence."""

    folder: Path
    gateway: Gateway

    @property
    def trust(self) -> Path:
        return self.folder / "trust.json"

    def export(self) -> None:
        done = self.run("trust", "export", "--url", self.gateway.origin, self.trust)
        assert done.returncode == 0, done.stderr

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([hallway(), *command], capture_output=True, text=True)

    def check(self, file: Path, *options: str) -> Checked:
        said = self.run("verify", file, "--trust", self.trust, *options)
        found = self.run("verify", file, "--trust", self.trust, "--json", *options)
        assert said.returncode == found.returncode, said.stderr + found.stderr
        return Checked(said.returncode, said.stdout, json.loads(found.stdout))

    def check_bytes(self, evidence: bytes, *options: str) -> Checked:
        file = self.folder / "handed.evidence"
        file.write_bytes(evidence)
        return self.check(file, *options)


@pytest.fixture(scope="module")
def operator(house: Gateway) -> Operator:
    return Operator(house.folder)


@pytest.fixture(scope="module")
def verifier(house: Gateway, owner: Person, tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    made = Verifier(tmp_path_factory.mktemp("verifier"), house)
    made.export()
    return made


def newest(person: Person, act: str | None = None) -> bytes:
    """The bundle of the newest evidence that this person sees; of that act, if `act` names one."""
    rows = person.get("/api/evidence?limit=10").expect()["items"]
    row = next(row for row in rows if act in (None, row["act"]))
    return person.get(f"/api/receipts/{row['hash']}").expect_bytes(200)


def receipts_of(bundle: bytes) -> list[bytes]:
    return cbor.decode(bundle)["receipts"]


def link_of(link: str) -> str:
    """The hash of a link, as a statement names it."""
    return sha256(unb64(link.split("#")[1])).hexdigest()


# Lawful chains hold. The verifier tells each step, back to the set-up.


def test_a_lawful_chain_holds_and_the_verifier_tells_its_steps(owner: Person, verifier: Verifier):
    trust = json.loads(verifier.trust.read_text())
    first = [row for row in owner.pages("/api/evidence") if row["log_index"] == 0]
    assert trust["set_up"] == first[0]["hash"]
    rita = owner.invite("Rita", "owner")
    nina = rita.invite("Nina")
    nina.act("web.add_key")
    told = verifier.check_bytes(newest(nina)).holds(
        "Signed by Nina (member): ",
        "Rita invited Nina as member on ",
        "Olga invited Rita as owner on ",
        "Olga set up the realm, as its owner, on ",
        "(entry 0).",
    )
    assert "It does not show whether somebody named here was suspended" in told[-1]
    # A further key, a recovered key, and a role that was given later.
    nina.key = nina.add_key()
    nina.sign_in()
    nina.act("web.add_key")
    verifier.check_bytes(newest(nina)).holds(
        "Nina (member) allowed a further key with an earlier one on ", "Rita invited Nina"
    )
    link = owner.act("people.recover", person=nina.id)["link"]
    nina = Person(nina.origin, link)
    owner.act("people.change_role", person=nina.id, role="owner")
    nina.invite("Nils")
    found = verifier.check_bytes(newest(nina, "people.invite"))
    found.holds(
        "Signed by Nina (owner): ",
        "Olga let Nina (member) register a new key on ",
        "Olga made Nina owner on ",
    )
    chain = [step["happened"] for step in found.report["conclusion"]["chain"]]
    assert chain == ["recovered", "set_up", "promoted"]


def test_a_key_from_a_former_owner_stays_valid(owner: Person, verifier: Verifier):
    """The verifier does not claim that nobody has lost a role since."""
    wim = owner.invite("Wim", "owner")
    ulla = wim.invite("Ulla")
    owner.act("people.change_role", person=wim.id, role="member")
    ulla.act("web.add_key")
    verifier.check_bytes(newest(ulla)).holds("Wim invited Ulla as member on ")
    # A further key for a person who has a lesser role now.
    wim.key = wim.add_key()
    wim.sign_in()
    wim.act("web.add_key")
    verifier.check_bytes(newest(wim)).holds("Signed by Wim (member): ")


# A row in the database entitles nobody.


def test_an_invitation_written_into_the_database_entitles_nobody(
    house: Gateway, operator: Operator, owner: Person, verifier: Verifier
):
    link = operator.plant_link(house, "invitation", name="Mallory", role="owner")
    mallory = Person(house.origin, link)
    assert mallory.get("/api/me").expect()["role"] == "owner"
    mallory.act("web.add_key")
    evidence = newest(mallory)
    found = verifier.check_bytes(evidence)
    found.lacks("the invitation of Mallory", "the act people.invite", link_of(link))
    # With --without-chain the evidence holds, and the report says which part was not shown.
    told = verifier.check_bytes(evidence, "--without-chain").holds(
        "a key registered as Mallory’s (owner) that nobody is shown to have allowed",
        "Not shown: nothing here shows that the invitation of Mallory happened",
    )
    assert not any("Signed by Mallory" in sentence for sentence in told)
    # Marc's key depends on Mallory's invitation, which nobody signed.
    marc = mallory.invite("Marc")
    marc.act("web.add_key")
    verifier.check_bytes(newest(marc)).lacks("the invitation of Mallory")
    # The gateway's own page says the same.
    row = mallory.get("/api/evidence?limit=1").expect()["items"][0]
    shown = mallory.get(f"/api/evidence/{row['hash']}/explanation").expect()
    assert shown["holds"] is False and shown["failure"]["step"] == "people.1"


def test_a_lawful_act_allows_only_its_own_link(
    house: Gateway, operator: Operator, owner: Person, verifier: Verifier
):
    owner.invite("Piet", "owner")
    lawful = next(row for row in owner.pages("/api/evidence") if row["act"] == "people.invite")
    link = operator.plant_link(
        house, "invitation", name="Piet", role="owner", evidence=bytes.fromhex(lawful["hash"])
    )
    mallory = Person(house.origin, link)
    mallory.act("web.add_key")
    verifier.check_bytes(newest(mallory)).lacks("the invitation of Piet", link_of(link))


def test_a_role_changed_in_an_invitation_row_is_refused(
    house: Gateway, operator: Operator, owner: Person, verifier: Verifier
):
    link = owner.act("people.invite", name="Greta", role="member")["link"]
    operator.write("UPDATE link SET role = 'owner' WHERE name = 'Greta'")
    greta = Person(house.origin, link)
    assert greta.get("/api/me").expect()["role"] == "owner"
    greta.act("web.add_key")
    verifier.check_bytes(newest(greta)).lacks("names the role member")


def test_a_name_changed_in_an_invitation_row_is_refused(
    house: Gateway, operator: Operator, owner: Person, verifier: Verifier
):
    link = owner.act("people.invite", name="Henk", role="member")["link"]
    operator.write("UPDATE link SET name = 'Olga' WHERE name = 'Henk'")
    henk = Person(house.origin, link)
    henk.act("web.add_key")
    verifier.check_bytes(newest(henk)).lacks("names the name Henk")


def test_a_role_changed_in_a_person_row_allows_nothing(
    house: Gateway, operator: Operator, owner: Person, verifier: Verifier
):
    lena = owner.invite("Lena")
    operator.write("UPDATE person SET role = 'owner' WHERE name = 'Lena'")
    nick = lena.invite("Nick", "owner")
    verifier.check_bytes(newest(lena)).lacks("Lena needed the role owner")
    nick.act("web.add_key")
    verifier.check_bytes(newest(nick)).lacks("Lena needed the role owner for the invitation of Nick")
    # A further key does not give her the role.
    lena.key = lena.add_key()
    lena.sign_in()
    lena.act("web.add_key")
    verifier.check_bytes(newest(lena)).lacks("Lena needed the role owner for their further key")
    # Neither does an act of a person whom she let in. She can't do the act herself: her row has the role.
    herself = {"act": "people.change_role", "person": lena.id, "role": "owner"}
    lena.post("/api/acts/statement", herself).refused(409, "same-role")
    for role in ("member", "owner"):
        nick.act("people.change_role", person=lena.id, role=role)
    lena.invite("Noor")
    verifier.check_bytes(newest(lena)).lacks("Lena needed the role owner")


@pytest.mark.parametrize(
    ("purpose", "words"),
    [
        ("recovery", "the recovery of Olga"),
        ("additional", "Olga’s permission for a further key"),
    ],
)
def test_a_link_written_into_the_database_gives_no_key_of_the_owner(
    purpose: str,
    words: str,
    tmp_path: Path,
    gateway: Gateway,
):
    olga = Person.owner(gateway)
    operator, verifier = Operator(gateway.folder), Verifier(tmp_path, gateway)
    verifier.export()
    [[id]] = operator.read("SELECT id FROM person WHERE name = 'Olga'")
    link = operator.plant_link(gateway, purpose, name="Olga", person_id=id)
    posing = Person(gateway.origin, link)
    assert posing.id == olga.id
    posing.act("web.add_key")
    verifier.check_bytes(newest(posing)).lacks(words, link_of(link))


def set_up_again(gateway: Gateway, operator: Operator) -> Person:
    """Makes another owner, after every owner was made a member in the database."""
    operator.write("UPDATE person SET role = 'member' WHERE role = 'owner'")
    return Person(gateway.origin, operator.plant_link(gateway, "setup"), "Mallory")


def test_only_the_first_entry_of_the_log_is_the_set_up(tmp_path: Path, gateway: Gateway):
    Person.owner(gateway)
    operator, verifier = Operator(gateway.folder), Verifier(tmp_path, gateway)
    verifier.export()
    mallory = set_up_again(gateway, operator)
    mallory.act("web.add_key")
    evidence = newest(mallory)
    verifier.check_bytes(evidence).lacks("Mallory’s key claims to be that of the set-up")
    # A trust file exported now is the same; one that names no set-up demands the first entry.
    trust = json.loads(verifier.trust.read_text())
    verifier.export()
    assert json.loads(verifier.trust.read_text()) == trust
    verifier.trust.write_text(json.dumps(without_set_up(trust)))
    verifier.check_bytes(evidence).lacks("of the log, and the set-up is its first")
    # If a realm was lawfully set up anew, its trust file names the new set-up.
    row = next(row for row in mallory.pages("/api/evidence") if row["act"] == "web.register_key")
    verifier.trust.write_text(json.dumps(trust | {"set_up": row["hash"]}))
    verifier.check_bytes(evidence).holds("Mallory set up the realm")


def without_set_up(trust: dict) -> dict:
    return {name: value for name, value in trust.items() if name != "set_up"}


def test_the_trust_file_takes_the_set_up_from_the_log(gateway: Gateway):
    Person.owner(gateway)
    operator = Operator(gateway.folder)
    mallory = set_up_again(gateway, operator)
    row = next(row for row in mallory.pages("/api/evidence") if row["act"] == "web.register_key")
    operator.write("UPDATE evidence SET log_index = 99 WHERE log_index = 0")
    operator.write("UPDATE evidence SET log_index = 0 WHERE hash = ?", bytes.fromhex(row["hash"]))
    mallory.get("/api/trust").refused(500, "internal")


def test_receipts_of_another_realms_log_are_refused(tmp_path: Path, gateway: Gateway):
    """The operator runs another realm of the same name and invites there, lawfully, by the same link."""
    owner = Person.owner(gateway)
    for number in range(3):
        owner.act("people.invite", name=f"Guest {number}", role="member")
    operator, verifier = Operator(gateway.folder), Verifier(tmp_path, gateway)
    verifier.export()
    other = Gateway(tmp_path / "other")
    try:
        elsewhere = Person.owner(other)
        link = elsewhere.act("people.invite", name="Mallory", role="owner")["link"]
        lent = receipts_of(newest(elsewhere))
    finally:
        assert other.stop() == 0
    token = link.split("#")[1]
    now = time.time_ns() // 1_000_000
    operator.write(
        "INSERT INTO link (token_hash, purpose, name, role, created_ms, expires_ms)"
        " VALUES (?, 'invitation', 'Mallory', 'owner', ?, ?)",
        sha256(unb64(token)).digest(), now, now + 3_600_000,
    )
    mallory = Person(gateway.origin, f"{gateway.origin}/join#{token}")
    mallory.act("web.add_key")
    own = receipts_of(newest(mallory))
    verifier.check_bytes(cbor.encode({"receipts": own})).lacks("the invitation of Mallory")
    spliced = verifier.check_bytes(cbor.encode({"receipts": [*own, *lent]}))
    assert spliced.code == 1 and spliced.report["failure"]["step"] == "log.1", spliced.said


def test_a_device_of_a_planted_owner_proves_no_owner(
    house: Gateway,
    operator: Operator,
    owner: Person,
    maker: Maker,
    verifier: Verifier,
    tmp_path: Path,
):
    verifier.export()
    mia = owner.invite("Mia")
    camera = Device(house.origin, maker, "SN-CHAIN-1")
    camera.enrol(mia)
    good = signed_picture(camera, mia, tmp_path / "good.jpg")
    verifier.check(good).holds("Mia (member) enrolled the device on ", "Olga invited Mia as member")

    link = operator.plant_link(house, "invitation", name="Mallory", role="owner")
    mallory = Person(house.origin, link)
    stolen = Device(house.origin, maker, "SN-CHAIN-2")
    stolen.enrol(mallory)
    bad = signed_picture(stolen, mallory, tmp_path / "bad.jpg")
    verifier.check(bad).lacks("the invitation of Mallory")
    verifier.check(bad, "--without-chain").holds("A key registered as Mallory’s (owner) that nobody")


def signed_picture(camera: Device, owner: Person, file: Path) -> Path:
    """Takes a picture with the camera and saves it, with its evidence, to `file`."""
    signed = camera.compose(CAT, media_type="image/jpeg", file_name=file.name)
    camera.send(signed, CAT, Content_Type="image/jpeg").expect_bytes(201)
    row = owner.get("/api/transactions?limit=1").expect()["items"][0]
    file.write_bytes(owner.get(f"/api/transactions/{row['evidence']}/signed").expect_bytes(200))
    return file


def test_a_chain_without_one_of_its_receipts_is_refused(owner: Person, verifier: Verifier):
    mara = owner.invite("Mara")
    mara.act("web.add_key")
    receipts = receipts_of(newest(mara))
    verifier.check_bytes(cbor.encode({"receipts": receipts})).holds("Olga invited Mara")
    # The receipts are the act, Mara's registration, the invitation, the set-up.
    assert len(receipts) == 4
    for left_out, step in [(1, "chain.2"), (2, "people.1"), (3, "people.4")]:
        fewer = [receipt for at, receipt in enumerate(receipts) if at != left_out]
        found = verifier.check_bytes(cbor.encode({"receipts": fewer}))
        assert found.code == 1 and not found.report["holds"], (left_out, step, found.said)
    # A receipt that the act does not rest on is refused: here Mara's earlier act.
    mara.act("web.add_key")
    later = receipts_of(newest(mara))
    found = verifier.check_bytes(cbor.encode({"receipts": [later[0], receipts[0], *later[1:]]}))
    assert found.code == 1 and found.report["failure"]["step"] == "bundle.1", found.said
