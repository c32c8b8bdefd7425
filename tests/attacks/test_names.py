"""A name of a store or service belongs to the agent whose invitation has it. No other agent gets its
traffic."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Program
from hall_place import HALL, Guest, Realm, store
from hostile_agent import Asked, HostileAgent, answer

OWN = "data"


def event(name: str) -> re.Pattern[str]:
    return re.compile(f'"event":"{name}"')


def stolen(asked: Asked) -> bytes:
    return answer(200, [("content-type", "text/plain")], b"stolen")


@pytest.fixture(scope="module")
def realm(tmp_path_factory) -> Iterator[Realm]:
    """A realm whose gateway provides one store itself."""
    folder = tmp_path_factory.mktemp("realm")
    (folder / "own").mkdir()
    (folder / "own" / "a.txt").write_text("ours")
    made = Realm(folder, store(OWN, folder / "own"))
    rights = [f"read:{name}" for name in [OWN, "scans", "logs"]] + ["connect:db"]
    # People can be admitted to stores that exist or that an invitation names; an admission outlives both.
    wanted = {"act": "hall.admit", "hall": HALL, "guest": {"role": "member"}, "rights": rights}
    asked = made.owner.post("/api/acts/statement", wanted).refused(409, "no-provider")
    assert f"does not have the store “logs”; it has: {OWN}" in asked["detail"]
    assert asked["provided"] == [OWN]
    invited = {"hall": HALL, "agent": "first", "stores": ["scans", "logs"], "services": ["db"]}
    made.owner.act("hall.invite_agent", **invited)
    prepared = made.owner.prepare(**wanted)
    made.owner.act(**wanted)
    made.owner.act("hall.dismiss_agent", hall=HALL, agent="first")
    # The gateway refuses an act that was prepared while the agent was there and is signed after it left.
    made.owner.touch(prepared).refused(409, "no-provider")
    made.owner.act("hall.open", hall=HALL)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def dismiss_agents(realm: Realm) -> Iterator[None]:
    """Each test begins without agents."""
    yield
    for agent in realm.owner.get(f"/api/halls/{HALL}").expect()["agents"]:
        realm.owner.act("hall.dismiss_agent", hall=HALL, agent=agent["name"])


def invite(realm: Realm, agent: str, *, stores: list[str] = (), services: list[str] = ()) -> str:
    act = {"hall": HALL, "agent": agent, "stores": list(stores), "services": list(services)}
    return realm.owner.act("hall.invite_agent", **act)["link"]


def refused(realm: Realm, status: int, code: str, **act: object) -> str:
    wanted = {"act": "hall.invite_agent", "hall": HALL, **act}
    asked = realm.owner.post("/api/acts/statement", wanted)
    return asked.refused(status, code)["detail"]


def honest(realm: Realm, folder: Path, agent: str, link: str) -> Program:
    """Starts the real agent, which provides the store `scans`."""
    (folder / "scans").mkdir(exist_ok=True)
    (folder / "scans" / "a.txt").write_text(agent)
    config = folder / f"{agent}.toml"
    config.write_text('[[stores]]\nname = "scans"\nfolder = "scans"\n')
    return Program("hall", "agent", "--config", config, "--join", link, "--json")


def read(realm: Realm, name: str) -> str:
    got = realm.owner.get(f"/api/halls/{HALL}/files/{name}/a.txt")
    return got.expect_bytes(200).decode()


def refusals(realm: Realm, code: str) -> list[dict]:
    return [row for row in realm.owner.pages("/api/refusals") if row["code"] == code]


def test_the_signed_invitation_names_stores_and_services(realm: Realm):
    ceremony = realm.owner.prepare("hall.invite_agent", hall=HALL, agent="annex",
                                   stores=["scans", "logs", "scans"], services=["db"])  # fmt: skip
    sentence = ceremony["sentence"]
    assert "as the agent “annex” and provide the stores “logs” and “scans” and the service “db”" in sentence
    done = realm.owner.touch(ceremony).expect()
    kept = realm.owner.get(f"/api/evidence/{done['evidence']}").expect()["statement"]
    terms = kept["terms"]
    assert '"stores": ["logs", "scans"]' in str(terms).replace("'", '"')
    row = realm.owner.get(f"/api/halls/{HALL}").expect()["agents"][0]
    assert (row["stores"], row["services"]) == (["logs", "scans"], ["db"])


def test_an_invitation_has_valid_names_only(realm: Realm):
    assert "store or service" in refused(realm, 400, "malformed", agent="annex")
    for wrong in ["Scans", "scáns", "ſcans", "scans ", "../scans", "scans\u202e", "", "-scans", "s" * 64]:
        for kind in ["stores", "services"]:
            wanted = {"act": "hall.invite_agent", "hall": HALL, "agent": "annex", kind: [wrong]}
            asked = realm.owner.post("/api/acts/statement", wanted)
            assert asked.status in (400, 422), f"{wrong!r}: {asked.body!r}"
    many = [f"s{n}" for n in range(65)]
    asked = realm.owner.post("/api/acts/statement", {"act": "hall.invite_agent", "hall": HALL, "agent": "annex", "stores": many})  # fmt: skip
    assert asked.status in (400, 422)


def test_a_taken_name_is_refused(realm: Realm):
    said = refused(realm, 409, "name-taken", agent="annex", stores=["scans", OWN])
    assert f"the store “{OWN}”" in said and "the configuration of this gateway" in said
    invite(realm, "annex", stores=["scans"], services=["db"])
    said = refused(realm, 409, "name-taken", agent="other", stores=["scans"])
    assert "the store “scans”" in said and "the agent “annex”" in said
    said = refused(realm, 409, "name-taken", agent="other", stores=["logs"], services=["db"])
    assert "the service “db”" in said and "the agent “annex”" in said
    # A store and a service may have the same name.
    invite(realm, "other", stores=["db"])
    # With a new invitation an agent may keep its names. It loses the names that are not in it.
    invite(realm, "annex", stores=["logs"])
    invite(realm, "third", stores=["scans"])
    assert "“third”" in refused(realm, 409, "name-taken", agent="annex", stores=["scans"])
    realm.owner.act("hall.dismiss_agent", hall=HALL, agent="third")
    invite(realm, "annex", stores=["logs", "scans"])


def test_of_two_invitations_for_one_name_the_first_signed_counts(realm: Realm):
    """Both invitations were prepared while the name was free."""
    wanted = {"act": "hall.invite_agent", "hall": HALL, "stores": ["scans"]}
    first = realm.owner.prepare(**wanted, agent="first")
    second = realm.owner.prepare(**wanted, agent="second")
    realm.owner.touch(second).expect()
    size = realm.log_size()
    said = realm.owner.touch(first).refused(409, "name-taken")["detail"]
    assert "“second”" in said
    assert realm.log_size() == size
    agents = realm.owner.get(f"/api/halls/{HALL}").expect()["agents"]
    assert [agent["name"] for agent in agents] == ["second"]


def test_two_agents_share_a_name_only_if_an_owner_signs_for_it(realm: Realm, tmp_path: Path):
    refused(realm, 409, "not-beside", agent="other", stores=["scans"], beside="annex")
    invite(realm, "annex", stores=["scans"])
    refused(realm, 409, "not-beside", agent="annex", stores=["scans"], beside="annex")
    refused(realm, 409, "not-beside", agent="other", stores=["scans", "logs"], beside="annex")
    wanted = {"act": "hall.invite_agent", "hall": HALL, "agent": "other", "stores": ["scans"]}
    ceremony = realm.owner.prepare(**wanted, beside="annex")
    assert "as the agent “other” and provide the store “scans” beside the agent “annex”" in ceremony["sentence"]
    link = realm.owner.touch(ceremony).expect()["link"]
    refused(realm, 409, "name-taken", agent="third", stores=["scans"])
    refused(realm, 409, "name-taken", agent="third", stores=["scans"], beside="annex")
    other = honest(realm, tmp_path, "other", link)
    other.wait_for(event("connected"))
    assert read(realm, "scans") == "other"
    assert other.stop() == 0


@pytest.mark.parametrize("name", ["scans", OWN, "logs"])
def test_an_agent_that_takes_anothers_name_gets_no_traffic(realm: Realm, tmp_path: Path, name: str):
    """The name belongs to another agent, to the gateway's configuration, or to nobody."""
    right = honest(realm, tmp_path, "right", invite(realm, "right", stores=["scans"]))
    right.wait_for(event("connected"))
    before = len(refusals(realm, "not-invited-for"))
    # The thief is called `a`, so that it comes before `right` in any order.
    thief = HostileAgent(invite(realm, "a", stores=["other"]), stolen).announce(["other", name])
    kind, said = thief.heard()
    assert (kind, said["status"], said["code"]) == ("refused", 403, "not-invited-for")
    assert f"the store “{name}”" in said["detail"] and "“a”" in said["detail"]
    assert thief.heard()[0] == "ended"
    assert read(realm, "scans") == "right"
    assert read(realm, OWN) == "ours"
    if name == "logs":
        gone = realm.owner.get(f"/api/halls/{HALL}/files/logs/a.txt")
        gone.refused(503, "not-provided")
    assert thief.asked == []
    written = refusals(realm, "not-invited-for")
    assert len(written) == before + 1 and name in written[0]["detail"] and written[0]["door"] == "hall"
    assert any("an agent was refused" in line for line in realm.gateway.program.lines)
    # The thief may provide only the store in its invitation.
    thief.announce(["other"])
    assert thief.heard()[0] == "welcome"
    assert read(realm, "scans") == "right"
    thief.close()
    assert right.stop() == 0


def test_an_agent_can_not_take_a_service_of_another(realm: Realm):
    thief = HostileAgent(invite(realm, "a", stores=["scans"]), stolen)
    thief.announce(["scans"], ["db"])
    kind, said = thief.heard()
    assert (kind, said["code"]) == ("refused", "not-invited-for")
    assert "the service “db”" in said["detail"]


@pytest.mark.parametrize(
    "hello",
    [b'{"provides":{"stores":["Scans"]}}\n', b'{"provides":{"stores":["sc\xc3\xa1ns"]}}\n',
     b'{"provides":{"stores":["../own"]}}\n', b'{"ping":{}}\n', b"[]\n", b"x\n"],
)  # fmt: skip
def test_a_malformed_announcement_is_refused_and_recorded(realm: Realm, hello: bytes):
    before = len(refusals(realm, "malformed"))
    agent = HostileAgent(invite(realm, "a", stores=["scans"]), stolen).announce(raw=hello)
    kind, said = agent.heard()
    assert (kind, said["status"], said["code"]) == ("refused", 400, "malformed")
    assert agent.heard()[0] == "ended"
    assert len(refusals(realm, "malformed")) == before + 1


def test_a_real_agent_says_why_it_is_refused_and_ends(realm: Realm, tmp_path: Path):
    link = invite(realm, "annex", stores=["logs"])
    agent = honest(realm, tmp_path, "annex", link)
    assert agent.process.wait(60) == 1
    said = "\n".join(agent.lines)
    assert "the store “scans”" in said and "invite" in said, said
    assert "connected" not in said
    # With a new invitation for the store, the same machine is accepted.
    again = honest(realm, tmp_path, "annex", invite(realm, "annex", stores=["logs", "scans"]))
    again.wait_for(event("connected"))
    assert read(realm, "scans") == "annex"
    assert again.stop() == 0


def test_a_new_invitation_ends_the_connection_of_the_old_machine(realm: Realm, tmp_path: Path):
    old = HostileAgent(invite(realm, "annex", stores=["scans"]), stolen).announce(["scans"])
    assert old.heard()[0] == "welcome"
    assert read(realm, "scans") == "stolen"
    link = invite(realm, "annex", stores=["scans"])
    new = honest(realm, tmp_path, "annex", link)
    new.wait_for(event("connected"))
    assert read(realm, "scans") == "annex"
    assert old.heard()[0] == "ended"
    assert new.stop() == 0


def test_the_next_agent_with_a_name_gets_its_traffic_at_once(realm: Realm, tmp_path: Path):
    old = HostileAgent(invite(realm, "a", stores=["scans"]), stolen).announce(["scans"])
    assert old.heard()[0] == "welcome"
    realm.owner.act("hall.dismiss_agent", hall=HALL, agent="a")
    new = honest(realm, tmp_path, "z", invite(realm, "z", stores=["scans"]))
    new.wait_for(event("connected"))
    assert read(realm, "scans") == "z"
    assert old.heard()[0] == "ended"
    assert new.stop() == 0


def test_the_command_requires_names(realm: Realm, tmp_path: Path):
    link = realm.owner.act("people.invite", name="Olaf", role="owner")["link"]
    olaf = Guest(tmp_path / "olaf", realm.gateway.origin, link)
    without = olaf.try_to("hall", "invite-agent", HALL, "annex")
    assert without.returncode == 2 and "--store" in without.stderr
    olaf.run("hall", "invite-agent", HALL, "annex", "--store", "scans", "--store", "logs", "--service", "db")
    shown = olaf.run("hall", "show", HALL).stdout
    assert "logs" in shown and "scans" in shown and "db" in shown
    olaf.refused("hall", "invite-agent", HALL, "other", "--store", "scans", words="the agent “annex”")


def test_a_gateway_whose_configuration_takes_an_agents_name_does_not_start(tmp_path: Path):
    realm = Realm(tmp_path, "")
    realm.owner.act("hall.invite_agent", hall=HALL, agent="annex", stores=["scans"])
    realm.close()
    config = tmp_path / "gateway" / "hallway.toml"
    before = config.read_text()
    config.write_text(before + store("scans", tmp_path / "own"))
    again = Program("serve", "--data", tmp_path / "gateway")
    assert again.process.wait(60) == 1
    said = "\n".join(again.lines)
    assert "the store “scans”" in said and "“annex”" in said and "hallway.toml" in said, said
    config.write_text(before)
    realm.gateway.start_again()
    realm.gateway.stop()
