"""A person's mistakes: a command reports each before the touch, and says how to correct it."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Program, hallway
from hall_place import PIN, Guest, Realm, store

TOUCH = "Signing with "


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    folder = tmp_path_factory.mktemp("realm")
    made = Realm(folder, store("data", folder / "files"))
    made.mia = made.guest("mia", ["read:data"])
    # An owner at a shell, with a session.
    link = made.owner.act("people.invite", name="Cleo", role="owner")["link"]
    made.cleo = Guest(folder / "cleo", made.gateway.origin, link)
    made.guests.append(made.cleo)
    yield made
    made.close()


def told(guest: Guest, *arguments: str | Path, words: str) -> str:
    """Runs a command that must fail with these words and without a touch. Returns its output."""
    said = guest.refused(*arguments, words=words)
    assert TOUCH not in said, said
    return said


def test_a_refusal_of_the_gateway_comes_before_the_touch(realm: Realm):
    size, nobody = realm.log_size(), str(uuid.uuid4())
    for arguments, words in [
        (["create", "lab"], "there already is a hall of this name"),
        (["dismiss", "lab", "--role", "owner"], "there is no such guest"),
        (["dismiss", "lab", "--person", nobody], "there is no such person"),
        (["dismiss", "nowhere", "--role", "member"], "there is no hall “nowhere”"),
        (["dismiss-agent", "lab", "far"], "there is no such agent"),
        (["end", nobody], "there is no such grant"),
        (["remove", "nowhere"], "there is no hall “nowhere”"),
        (["admit", "nowhere", "--role", "member", "--rights", "read:data"], "there is no hall “nowhere”"),
    ]:
        told(realm.cleo, "hall", *arguments, words=words)
    assert realm.log_size() == size


def test_an_admission_names_existing_stores_and_says_what_it_replaces(realm: Realm):
    said = told(
        realm.cleo, "hall", "admit", "lab", "--role", "owner", "--rights", "read:data,read:dat",
        words="does not have the store “dat”",
    )  # fmt: skip
    assert "it has: data" in said
    told(
        realm.cleo, "hall", "admit", "lab", "--role", "owner", "--rights", "connect:db",
        words="does not have the service “db”",
    )  # fmt: skip
    admit = ["hall", "admit", "lab", "--person", realm.mia.id, "--rights"]
    said = realm.cleo.run(*admit, "read:data,write:data").stderr
    assert f"This replaces what person/{realm.mia.id} may do in lab so far: read:data" in said
    assert said.index("This replaces") < said.index(TOUCH)
    # A service that an agent was invited to provide can be in an admission before the agent connects.
    invite = ["hall", "invite-agent", "lab", "far", "--service", "db"]
    assert "cuts it off" not in realm.cleo.run(*invite).stderr
    said = realm.cleo.run("hall", "admit", "lab", "--role", "owner", "--rights", "connect:db").stderr
    assert "This replaces" not in said and "let every owner of the realm enter" in said


def test_a_new_invitation_warns_that_it_disconnects_the_agent(realm: Realm, tmp_path: Path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "agent.toml").write_text('[[stores]]\nname = "scans"\nfolder = "scans"\n')
    invite = ["hall", "invite-agent", "lab", "near", "--store", "scans"]
    link = realm.cleo.run(*invite).stdout.strip()
    run = ["hall", "agent", "--config", tmp_path / "agent.toml", "--join", link]
    agent = realm.cleo.start(*run, "--identity", tmp_path / "near.agent")
    try:
        shown = {}
        while shown.get("presence") != "here":
            assert agent.poll() is None, agent.stderr.read()
            agents = realm.cleo.json("hall", "show", "lab")["agents"]
            shown = next(row for row in agents if row["name"] == "near")
        said = realm.cleo.run(*invite).stderr
        assert "cuts it off at once" in said and said.index("cuts it off") < said.index(TOUCH)
    finally:
        agent.kill()
        agent.wait()
    words = realm.cleo.run("hall", "show", "lab").stdout
    assert "near" in words and "absent" in words


def test_a_mistake_of_an_agents_host_uses_up_no_link(realm: Realm, tmp_path: Path):
    invite = ["hall", "invite-agent", "lab", "careless", "--service", "api"]
    link = realm.cleo.run(*invite).stdout.strip()
    config, right = tmp_path / "agent.toml", '[[services]]\nname = "api"\naddress = "127.0.0.1:9"\n'
    run = ["hall", "agent", "--config", config, "--join", link]
    for text, more, words in [
        ("", [], "it offers nothing"),
        ('[[stores]]\nname = "x"\nfolder = "nowhere"\n', [], "the store x"),
        (right, ["--identity", tmp_path / "nowhere" / "own.agent"], "own.agent"),
        (right, ["--identity", tmp_path], "directory"),
    ]:
        config.write_text(text)
        told(realm.cleo, *run, *more, words=words)
    agent = Program(*run, "--json")
    agent.wait_for(re.compile('"connected"'))
    agent.stop()


def test_grants_are_listed_by_name(realm: Realm):
    realm.mia.open().process.terminate()
    said = realm.cleo.run("hall", "grants").stdout
    assert "mia" in said and realm.mia.id not in said


def at_another_address(guest: Guest, *arguments: str, origin: str) -> str:
    done = subprocess.run(
        [hallway(), *arguments, "--gateway", origin],
        env={**guest.environment, "XDG_STATE_HOME": str(guest.home / "elsewhere")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr


def test_an_ip_address_is_not_reported_as_an_attack(realm: Realm):
    address = realm.gateway.origin.replace("localhost", "127.0.0.1")
    said = at_another_address(realm.mia, "sign-in", origin=address)
    assert f"by its name, {realm.gateway.origin}" in said and TOUCH not in said, said
    assert "network between" not in said


def test_join_says_what_a_link_is_for(realm: Realm):
    link = realm.cleo.json("link", "sign-in")["link"]
    said = told(realm.mia, "join", link, words="this is a sign-in link")
    assert "in a browser" in said and "hallway sign-in" in said
    link = realm.owner.act("people.invite", name="Noor", role="member")["link"]
    told(realm.mia, "join", link, "--name", "Nora", words="this link is for “Noor”: leave out --name")


def test_join_names_the_person_and_says_how_to_choose_the_account(realm: Realm):
    link = realm.owner.act("people.invite", name="Ines", role="member")["link"]
    home = realm.folder / "ines"
    ines = Guest(home, realm.gateway.origin, link)
    again = realm.owner.act("people.invite", name="Iris", role="member")["link"]
    key = home / "second.key"
    ines.run("key", "new", key)
    (home / "pin").write_text(PIN)
    ines.run("key", "pin", "set", key, "--new-pin-file", home / "pin")
    joined = ines.run("join", again, "--key", key)
    assert "as Iris (person " in joined.stdout
    lines = joined.stderr.splitlines()
    assert f'gateway = "{realm.gateway.origin}"' in lines and f'key = "{key}"' in lines
    signed_in = ines.run("sign-in").stdout
    assert f"as Ines (person {ines.id})" in signed_in
