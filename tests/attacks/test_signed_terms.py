"""An attacker between a command and its gateway, or the gateway itself, gets no other signature than the
command asked for: no other act, no other term, no other realm, no other time."""

import copy
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from api_caller import Person
from camera import Camera
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hall_place import Guest
from lying_proxy import ProxiedGateway, Proxy, ceremony, statement_of, with_statement
from soft_webauthn import b64, unb64

TOUCH = "Signing with "
NOTHING = "othing was signed"
ACTS, DONE = "/api/acts/statement", "/api/acts"
SIGN_IN, KEYS = "/api/sign-in/statement", "/api/keys/statement"
PERSON = bytes.fromhex("0190a7c47d2e7b7a8f00000000000001")
OTHER_PERSON = bytes.fromhex("0190a7c47d2e7b7a8f00000000000002")
HASH, OTHER_HASH = b"\x01" * 32, b"\x02" * 32
TOKEN = b64(b"a token of thirty-two bytes, yes")


def written(identity: bytes) -> str:
    digits = identity.hex()
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


@dataclass
class House:
    """A realm behind the proxy, and its owner at a shell."""

    proxy: Proxy
    boss: Person
    owner: Guest

    def log_size(self) -> int:
        return int(self.boss.get("/log/checkpoint").body.split(b"\n")[1])

    def refused_before_the_touch(self, *command: str, handed_in: str = DONE) -> str:
        """Runs a command that must end before it asks the key for anything."""
        key, size = self.owner.key.read_bytes(), self.log_size()
        done = self.owner.try_to(*command)
        assert done.returncode == 1, done.stdout + done.stderr
        assert TOUCH not in done.stderr, done.stderr
        assert NOTHING in done.stderr, done.stderr
        # A signature would raise the counter in the key's file.
        assert self.owner.key.read_bytes() == key
        assert not self.proxy.went(handed_in)
        assert self.log_size() == size
        return done.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    proxy = Proxy()
    gateway = ProxiedGateway(folder / "gateway", proxy)
    boss = Person(gateway.origin, gateway.set_up_link, "Boss")
    boss.act("hall.create", hall="lab", title="The laboratory")
    boss.act("hall.admit", hall="lab", guest={"role": "member"}, rights=["read:data"])
    link = boss.act("people.invite", name="Olga", role="owner")["link"]
    owner = Guest(folder / "olga", gateway.origin, link)
    yield House(proxy, boss, owner)
    assert gateway.stop() == 0, "\n".join(gateway.lines)
    proxy.close()


@pytest.fixture(autouse=True)
def honest(house: House) -> Iterator[None]:
    house.proxy.honest()
    yield
    house.proxy.honest()


# For each command: its arguments, its act, and the terms that it asks for. A function makes the terms from
# the command's request, so that they have its key and its own id.
Terms = Callable[[dict, House], dict]


@dataclass
class Command:
    """A command that asks for a signature."""

    arguments: list[str]
    act: str
    terms: Terms
    # Terms that the command does not choose. It shows them in its sentence.
    said: tuple[str, ...] = ()
    attachment: bytes | None = None
    also: tuple[str, ...] = ()


def fixed(**terms: object) -> Terms:
    return lambda _asked, _house: dict(terms)


def opened(asked: dict, house: House) -> dict:
    return {
        "host": asked.get("host", "localhost"), "hall": asked["hall"], "name": "Olga",
        "person": bytes.fromhex(house.owner.id.replace("-", "")),
        "rights": asked.get("rights", ["read:data"]), "duration_ms": asked.get("duration_ms", 1000),
        "public_key": unb64(asked["public_key"]),
    }  # fmt: skip


def within(milliseconds: int) -> int:
    return int(time.time() * 1000) + milliseconds


PINS = {
    "realm": "beta.example", "origin": "https://gate.beta.example", "log": HASH, "authorities": [HASH],
}  # fmt: skip
SEEN = {"key": HASH, "size": 7, "root": HASH}

def own_link(_asked: dict, house: House) -> dict:
    return {"person": bytes.fromhex(house.owner.id.replace("-", "")), "name": "Olga", "link": HASH}


COMMANDS: dict[str, Command] = {
    "add a key": Command(["link", "add-key"], "web.add_key", own_link, said=("link",)),
    "sign in elsewhere": Command(["link", "sign-in"], "web.sign_in_link", own_link, said=("link",)),
    "create": Command(
        ["hall", "create", "kitchen", "--title", "The kitchen"],
        "hall.create", fixed(hall="kitchen", title="The kitchen"),
    ),
    "remove": Command(["hall", "remove", "lab"], "hall.remove", fixed(hall="lab")),
    "admit a person": Command(
        ["hall", "admit", "lab", "--person", written(PERSON), "--rights", "read:data"],
        "hall.admit", fixed(hall="lab", person=PERSON, name="Mia", rights=["read:data"]),
        said=("name",),
    ),
    "admit a role": Command(
        ["hall", "admit", "lab", "--role", "operator", "--rights", "read:data,write:data",
         "--needs-approval", "owner", "--hours", "mon 08:00-18:00 UTC"],
        "hall.admit",
        fixed(hall="lab", role="operator", rights=["read:data", "write:data"],
              needs={"approval": "owner", "hours": "mon 08:00-18:00 UTC"}),
    ),
    "admit a visitor": Command(
        ["hall", "admit", "lab", "--partner", "beta.example", "--person", written(PERSON),
         "--name", "Mia of beta", "--rights", "read:data"],
        "hall.admit",
        fixed(hall="lab", realm="beta.example", person=PERSON, name="Mia of beta",
              rights=["read:data"]),
    ),
    "dismiss": Command(
        ["hall", "dismiss", "lab", "--role", "member"],
        "hall.dismiss", fixed(hall="lab", role="member"),
    ),
    "invite an agent": Command(
        ["hall", "invite-agent", "lab", "shed", "--store", "scans", "--service", "db"], "hall.invite_agent",
        lambda _asked, _house: {
            "hall": "lab", "agent": "shed", "stores": ["scans"], "services": ["db"], "token": HASH, "expires": within(3_600_000),
        },
        said=("token",),
    ),
    "dismiss an agent": Command(
        ["hall", "dismiss-agent", "lab", "shed"],
        "hall.dismiss_agent", fixed(hall="lab", agent="shed"),
    ),
    "open": Command(
        ["open", "lab", "--rights", "read:data", "--for", "30m"], "hall.open", opened,
    ),
    "open at a partner": Command(
        ["open", "beta.example/lab", "--rights", "read:data", "--for", "30m"], "hall.open",
        lambda asked, house: opened(asked, house) | {"role": "owner"}, said=("role",),
    ),
    "ls": Command(["ls", "lab:data"], "hall.open", opened, said=("duration_ms",)),
    "connect": Command(
        ["connect", "lab:db"], "hall.open", opened, said=("duration_ms",),
    ),
    "approve": Command(
        ["hall", "approve", written(PERSON)], "hall.approve",
        fixed(grant=PERSON, opened=HASH, hall="lab", name="Mia", rights=["read:data"]),
        said=("opened", "hall", "name", "rights"),
    ),
    "end": Command(
        ["hall", "end", written(PERSON)], "hall.end",
        fixed(grant=PERSON, opened=HASH, hall="lab", name="Mia"),
        said=("opened", "hall", "name"),
    ),
    "invite a partner": Command(
        ["hall", "invite", "https://gate.beta.example"], "partner.invite",
        lambda _asked, _house: PINS | {"token": HASH, "expires": within(7 * 24 * 3_600_000)},
        said=("log", "authorities", "token"),
    ),
    "accept a partner": Command(
        ["hall", "accept", f"https://gate.beta.example/partners#{TOKEN}"], "partner.accept",
        lambda _asked, _house: PINS | {"token": sha256(unb64(TOKEN)).digest()},
        said=("log", "authorities"), attachment=unb64(TOKEN),
    ),
    "leave": Command(
        ["hall", "leave", "beta.example"], "partner.leave", fixed(realm="beta.example"),
    ),
    "rotate": Command(
        ["hall", "rotate"], "realm.replace_authority", {"from": HASH, "to": OTHER_HASH}.__or__,
        said=("from", "to"),
    ),
    "rotate now": Command(
        ["hall", "rotate", "--now"], "realm.withdraw_authority",
        {"from": HASH, "to": OTHER_HASH}.__or__, said=("from", "to"),
    ),
    "begin a log anew": Command(
        ["hall", "begin-log-anew", "beta.example/log"], "witness.begin_log_anew",
        fixed(origin="beta.example/log", seen=SEEN, key=HASH), said=("seen", "key"),
    ),
}  # fmt: skip
for name in ["rotate", "rotate now"]:
    COMMANDS[name].terms = fixed(**{"from": HASH, "to": OTHER_HASH})


def other(term: str, value: object) -> object:
    """Another value of the same type."""
    if term in {"public_key"}:
        return ANOTHER_KEY
    match value:
        case bytes() if value == PERSON or len(value) == 16:
            return OTHER_PERSON
        case bytes():
            return OTHER_HASH
        case int():
            return value * 2
        case [first, *_] if first == HASH:
            return [OTHER_HASH]
        case [first, *_] if ":" in first:
            return [*value, "connect:zz"]
        case list():
            return [*value, "zz"]
        case dict():
            return {"approval": "member"}
        case "member" | "operator":
            return "owner"
        case str() if value.startswith("https://"):
            return "https://gate.evil.example"
        case "beta.example/log":
            return "evil.example/log"
        case str() if value.endswith(".example"):
            return "evil.example"
        case str() if " " in value:
            return value + " two"
        case str():
            return "cellar"
    raise AssertionError(f"{term} = {value!r}")


# A P-256 key of another person.
ANOTHER_KEY = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
)


def in_cbor(act: str, terms: dict) -> dict:
    """The terms as a statement has them: rights by their verbs, guests and realms as maps."""
    terms = dict(terms)
    if "rights" in terms:
        rights: dict[str, list[str]] = {}
        for right in terms["rights"]:
            verb, name = right.split(":")
            rights.setdefault(verb, []).append(name)
        terms["rights"] = {verb: sorted(names) for verb, names in rights.items()}
    if act in ("hall.admit", "hall.dismiss"):
        if "role" in terms:
            whom = {"role": terms.pop("role")}
        else:
            whom = {"person": {"id": terms.pop("person"), "name": terms.pop("name")}}
        realm = terms.pop("realm", None)
        if realm:
            terms["guest"] = {"visitor": {"realm": realm, **whom.get("person", whom)}}
        else:
            terms["guest"] = whom
    if act == "hall.admit":
        terms.setdefault("needs", {})
    if act in ("partner.invite", "partner.accept"):
        terms["pins"] = {name: terms.pop(name) for name in PINS}
    return terms


def invented(house: House, command: Command, change: Callable[[dict], None] = lambda _: None):
    """Answers the command with a made-up ceremony for its own terms, after `change`."""

    def answer(asked: dict) -> tuple[int, dict]:
        terms = command.terms(asked, house)
        change(terms)
        made = ceremony(command.act, in_cbor(command.act, terms))
        if command.attachment:
            made["attachment"] = b64(command.attachment)
        return 200, made

    house.proxy.inventions[ACTS] = answer
    house.proxy.inventions[DONE] = lambda _: (409, {"code": "enough", "detail": "seen enough"})


def terms_of(command: Command) -> list[str]:
    asked = {"hall": "lab", "public_key": b64(ANOTHER_KEY)}
    house = type("House", (), {"owner": type("Guest", (), {"id": written(OTHER_PERSON)})})
    return [term for term in command.terms(asked, house) if term not in command.said]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_signs_its_own_terms_and_says_them_itself(house: House, name: str):
    command = COMMANDS[name]
    invented(house, command)
    done = house.owner.try_to(*command.arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    # The command does not show the gateway's own sentence.
    assert TOUCH in done.stderr and ": At localhost, on " in done.stderr, done.stderr
    assert "nothing that matters" not in done.stderr
    assert len(house.proxy.went(DONE)) == 1
    assert "seen enough" in done.stderr


@pytest.mark.parametrize(
    "name, term", [(name, term) for name, command in COMMANDS.items() for term in terms_of(command)]
)
def test_no_other_term_is_signed(house: House, name: str, term: str):
    command = COMMANDS[name]

    def change(terms: dict) -> None:
        terms[term] = other(term, terms[term])

    invented(house, command, change)
    house.refused_before_the_touch(*command.arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_other_act_is_signed(house: House, name: str):
    strangers = {
        "people.invite": {"name": "Stranger", "role": "owner", "link": HASH},
        "hall.remove": {"hall": "lab"},
        "web.sign_in": {},
        "device.status": {},
    }
    for act, terms in strangers.items():
        if act == COMMANDS[name].act:
            continue
        house.proxy.honest()
        house.proxy.inventions[ACTS] = lambda _, act=act, terms=terms: (200, ceremony(act, terms))
        said = house.refused_before_the_touch(*COMMANDS[name].arguments)
        assert act in said and COMMANDS[name].act in said, said


def test_an_invitation_can_not_replace_a_new_hall(house: House):
    """The gateway itself makes both statements. A security review found this attack."""
    stolen = house.boss.prepare("people.invite", name="Stranger", role="owner")
    house.proxy.lies[ACTS] = lambda _asked, came: {
        **{name: stolen[name] for name in ("statement", "seal", "public_key")},
        "sentence": came["sentence"],
        "expires_ms": came["expires_ms"],
    }
    said = house.refused_before_the_touch("hall", "create", "kitchen")
    assert "people.invite" in said


def set_option(name: str, value: object) -> Callable[[dict], dict]:
    return lambda made: {**made, "public_key": {**made["public_key"], name: value}}


def set_member(name: str, value: object) -> Callable[[dict], dict]:
    return lambda made: with_statement(made, {**statement_of(made), name: value})


CEREMONIES: dict[str, Callable[[dict], dict]] = {
    "another challenge": set_option("challenge", b64(HASH)),
    "a longer challenge": set_option("challenge", b64(HASH + b"\x00")),
    "another relying party": set_option("rpId", "evil.example"),
    "no relying party": set_option("rpId", None),
    "no check who holds the key": set_option("userVerification", "discouraged"),
    "another realm": set_member("realm", "evil.example"),
    "another realm and relying party": lambda made: set_option("rpId", "evil.example")(
        set_member("realm", "evil.example")(made)
    ),
    "an hour ago": set_member("issued", within(-3_600_000)),
    "in an hour": set_member("issued", within(3_600_000)),
    "another version": set_member("hallway", 2),
    "one member more": set_member("more", 1),
    "no statement": lambda made: {**made, "statement": ""},
    "bytes behind the statement": lambda made: {
        **made, "statement": b64(unb64(made["statement"]) + b"\x00"),
    },
    "something attached": lambda made: {**made, "attachment": b64(b"more")},
}  # fmt: skip


@pytest.mark.parametrize("what", CEREMONIES)
def test_a_changed_ceremony_is_not_signed(house: House, what: str):
    change = CEREMONIES[what]
    house.proxy.lies[ACTS] = lambda _asked, came: change(came)
    house.refused_before_the_touch("hall", "create", "kitchen")
    house.proxy.honest()
    house.proxy.lies[SIGN_IN] = lambda _asked, came: change(came)
    house.refused_before_the_touch("sign-in", handed_in="/api/sign-in")


def test_sign_in_signs_nothing_but_a_sign_in(house: House):
    stolen = house.boss.prepare("people.invite", name="Stranger", role="owner")
    house.proxy.lies[SIGN_IN] = lambda _asked, came: {**stolen, "sentence": came["sentence"]}
    said = house.refused_before_the_touch("sign-in", handed_in="/api/sign-in")
    assert "people.invite" in said
    house.proxy.honest()
    keys = [{"type": "public-key", "id": b64(b"somebody's")}]
    house.proxy.lies[SIGN_IN] = lambda _asked, came: set_option("allowCredentials", keys)(came)
    done = house.owner.try_to("sign-in")
    assert done.returncode == 1 and TOUCH not in done.stderr, done.stderr
    house.proxy.honest()
    # The command does not believe a gateway that says that it signed in another person.
    house.proxy.lies["/api/sign-in"] = lambda _asked, came: {
        **came, "person": {**came["person"], "id": house.boss.id},
    }  # fmt: skip
    done = house.owner.try_to("sign-in")
    assert done.returncode == 1 and "contradicts" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "what", ["label", "name", "act", "the key's account", "the key's name", *CEREMONIES]
)
def test_a_changed_registration_is_not_signed(house: House, tmp_path: Path, what: str):
    link = house.boss.act("people.invite", name="Mia", role="member")["link"]
    key = tmp_path / "mia.key"
    house.owner.run("key", "new", key)
    house.owner.run("key", "pin", "set", key, "--new-pin-file", house.owner.home / "pin")

    def lie(_asked: dict, came: dict) -> dict:
        statement, user = statement_of(came), came["public_key"]["user"]
        match what:
            case "label":
                statement["terms"]["label"] = "another"
            case "name":
                statement["terms"]["name"] = "Mallory"
                came = set_option("user", {**user, "name": "Mallory", "displayName": "Mallory"})(came)
            case "act":
                statement |= {"act": "web.sign_in", "terms": {}}
            case "the key's account":
                return set_option("user", {**user, "id": b64(OTHER_PERSON)})(came)
            case "the key's name":
                return set_option("user", {**user, "displayName": "Boss"})(came)
            case "another relying party" | "no relying party":
                named = {"name": "x"} | ({"id": "evil.example"} if what.startswith("an") else {})
                return set_option("rp", named)(came)
            case "no check who holds the key":
                return set_option("authenticatorSelection", {"userVerification": "preferred"})(came)
            case "another realm and relying party":
                named = {"name": "x", "id": "evil.example"}
                return set_option("rp", named)(set_member("realm", "evil.example")(came))
            case _:
                return CEREMONIES[what](came)
        return with_statement(came, statement)

    house.proxy.seen.clear()
    house.proxy.lies[KEYS] = lie
    before = key.read_bytes()
    done = house.owner.try_to("join", link, "--name", "Mia", "--label", "mine", "--key", key)
    assert done.returncode == 1, done.stdout + done.stderr
    assert TOUCH not in done.stderr and key.read_bytes() == before, done.stderr
    assert not house.proxy.went("/api/keys")


def test_a_person_can_not_register_the_same_key_twice(house: House, tmp_path: Path):
    """A person with two keys has two things that can get lost, and not one key with two names."""
    link = house.boss.act("people.invite", name="Mona", role="member")["link"]
    mona = Guest(tmp_path / "mona", house.proxy.origin, link)
    further = json.loads(mona.run("link", "add-key", "--json").stdout)["link"]
    house.proxy.seen.clear()
    done = mona.try_to("join", further, "--label", "the same key")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "this key is registered already; use another one" in done.stderr, done.stderr
    assert not house.proxy.went("/api/keys")
    # The link still works, and another person can register the key.
    mona.run("key", "new", tmp_path / "second.key")
    mona.run("key", "pin", "set", tmp_path / "second.key", "--new-pin-file", mona.home / "pin")
    mona.run("join", further, "--label", "another key", "--key", tmp_path / "second.key")
    link = house.boss.act("people.invite", name="Nils", role="member")["link"]
    joined = mona.run("join", link, "--label", "the same key", "--json")
    assert json.loads(joined.stdout)["person"]["name"] == "Nils", joined.stdout


def test_an_answer_that_contradicts_the_signed_statement_is_refused(house: House):
    def changed(**fields: object):
        return lambda _asked, came: {**came, **fields}

    for lie in [changed(evidence="0" * 64), changed(accepted_ms=1)]:
        house.proxy.lies[DONE] = lie
        done = house.owner.try_to("hall", "create", f"hall-{len(house.proxy.seen)}")
        assert done.returncode == 1 and "contradicts" in done.stderr, done.stderr
    # A link is accepted only if its hash was signed and its address is this gateway.
    for link in [
        f"{house.proxy.origin}/halls#{TOKEN}",
        f"https://evil.example/halls#{TOKEN}",
        "not a link",
    ]:
        house.proxy.lies[DONE] = changed(link=link)
        done = house.owner.try_to("hall", "invite-agent", "lab", "shed", "--store", "scans")
        assert done.returncode == 1 and link not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("what", ["rights", "end", "certificate", "gateway"])
def test_a_grant_beyond_the_signed_statement_is_refused(house: House, what: str):
    def lie(_asked: dict, came: dict) -> dict:
        grant = copy.deepcopy(came["grant"])
        match what:
            case "rights":
                grant["rights"].append("write:data")
            case "end":
                grant["ends_ms"] += 1
            case "certificate":
                own = grant["certificates"]
                grant["certificates"] = KEPT[:] or own
                KEPT[:] = own
            case "gateway":
                grant["gateway"] = "spiffe://evil.example/gateway"
        return {**came, "grant": grant}

    house.proxy.lies[DONE] = lie
    if what == "certificate":
        # A certificate of an earlier opening: of the right person, for another key and other evidence.
        house.owner.try_to("ls", "lab:data")
    done = house.owner.try_to("ls", "lab:data")
    assert done.returncode == 1 and "It was not used" in done.stderr, done.stderr


KEPT: list[str] = []


@pytest.mark.parametrize("what", ["gateway", "hall", "agent", "certificates", "key"])
def test_an_agent_refuses_a_certificate_that_is_not_its_own(house: House, tmp_path: Path, what: str):
    (tmp_path / "scans").mkdir()
    (tmp_path / "agent.toml").write_text('[[stores]]\nname = "scans"\nfolder = "scans"\n')
    earlier: list[str] = []
    answers: list[dict] = []

    def lie(_asked: dict, came: dict) -> dict:
        answers.append(came)
        match what:
            case "gateway":
                return {**came, "gateway": "spiffe://evil.example/gateway"}
            case "hall" | "agent":
                return {**came, what: "other"}
            case "certificates":
                return {**came, "certificates": []}
        # A certificate of an earlier agent of the same name, whose key another person has.
        own = came["certificates"]
        kept, earlier[:] = earlier[:] or own, own
        return {**came, "certificates": kept}

    identity = tmp_path / "agent.identity"

    def join() -> int | None:
        """The exit code, or None once the agent has joined."""
        link = house.owner.json("hall", "invite-agent", "lab", "shed", "--store", "scans")["link"]
        arguments = ["hall", "agent", "--config", tmp_path / "agent.toml", "--join", link]
        agent = house.owner.start(*arguments)
        while agent.poll() is None and not identity.exists():
            time.sleep(0.02)
        if identity.exists():
            agent.kill()
            agent.communicate()
            return None
        agent.communicate()
        return agent.returncode

    house.proxy.lies["/api/hall-agents/join"] = lie
    if what == "key":
        assert join() is None
        identity.unlink()
    answers.clear()
    assert join() == 1
    assert len(answers) == 1, "the agent did not get as far as the answer"
    assert not identity.exists()


def test_a_gateway_can_not_change_its_realm(house: House, tmp_path: Path):
    """The record of the first touch counts, even for a realm whose name fits the address."""
    [record] = (Path(house.owner.environment["XDG_STATE_HOME"]) / "hallway").glob("realm-*.json")
    kept = record.read_text()
    assert json.loads(kept) == {"gateway": house.proxy.origin, "realm": "localhost"}
    record.write_text(kept.replace('"localhost"', '"elsewhere.example"'))
    try:
        said = house.refused_before_the_touch("sign-in", handed_in="/api/sign-in")
        assert "elsewhere.example" in said
        record.write_text("{")
        done = house.owner.try_to("sign-in")
        assert done.returncode == 1 and record.name in done.stderr, done.stderr
    finally:
        record.write_text(kept)
    # The realm that the person names counts as well, from the first touch on.
    settings = tmp_path / "hallway"
    settings.mkdir()
    (settings / "hallway.toml").write_text(f'gateway = "{house.proxy.origin}"\nrealm = "other.example"\n')
    environment = {
        **house.owner.environment, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path),
    }  # fmt: skip
    done = house.owner.try_to("sign-in", env=environment)
    assert done.returncode == 1 and TOUCH not in done.stderr, done.stderr
    assert "other.example" in done.stderr


DEVICE = "/api/device/enrolments/statement"


@pytest.mark.parametrize("what", ["act", "realm", "bytes", "version"])
def test_an_enrolling_device_signs_nothing_else(house: House, tmp_path: Path, what: str):
    def lie(_asked: dict, came: dict) -> dict:
        statement = statement_of({**came, "public_key": {}})
        match what:
            case "act":
                statement |= {"act": "people.invite",
                              "terms": {"name": "Stranger", "role": "owner", "link": HASH}}  # fmt: skip
            case "realm":
                statement["realm"] = "evil.example"
            case "bytes":
                return {**came, "statement": b64(unb64(came["statement"]) + b"\x00")}
            case "version":
                statement["hallway"] = 2
        made = with_statement({**came, "public_key": {}}, statement)
        return {name: made[name] for name in ("statement", "seal", "expires_ms")}

    camera = Camera(house.proxy, tmp_path)
    # By then the key has written what it writes at its first use.
    house.proxy.inventions[DEVICE] = lambda _: (403, {"code": "later", "detail": "later"})
    camera.start()
    camera.says(re.compile("trouble: .*later"))
    camera.stop()
    key = (tmp_path / "camera.key").read_bytes()
    house.proxy.honest()
    house.proxy.lies[DEVICE] = lie
    camera.start()
    camera.says(re.compile("trouble: .*"))
    assert (tmp_path / "camera.key").read_bytes() == key
    camera.stop()
    assert not house.proxy.went("/api/device/enrolments")
    assert len(house.proxy.went(DEVICE)) >= 1


def test_a_device_signs_for_no_other_realm(house: House, tmp_path: Path):
    trust = tmp_path / "trust.json"
    house.owner.run("trust", "export", "--url", house.proxy.origin, trust)
    told = json.loads(trust.read_text())
    trust.write_text(json.dumps({**told, "realm": "other.example"}))
    camera = Camera(house.proxy, tmp_path / "camera")
    camera.start("--trust", trust)
    camera.says(re.compile("realm was other.example, and is localhost now; nothing was signed"))
    camera.stop()
    assert not house.proxy.went("/api/device/enrolments")
