"""A realm replaces its own authority while a visitor is inside and an agent is connected; then it withdraws
an authority at once, because its key leaked."""

import hashlib
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Program
from hall_place import HALL, free_port, store
from test_hall_partners import look, partner
from test_hall_visit import ECHO
from two_realms import Organisation, TwoRealms
from waiting import eventually


def event(name: str) -> re.Pattern[str]:
    return re.compile(f'"event":"{name}"')


@pytest.fixture
def realms(tmp_path: Path) -> Iterator[TwoRealms]:
    # Home's certificates last seconds, so that they are renewed during the test.
    made = TwoRealms(tmp_path, store("data", tmp_path / "files"), "certificate_seconds = 30\n")
    made.alpha.api.act("hall.create", hall=HALL, title="The laboratory")
    made.join()
    made.share(["read:data"])
    yield made
    made.close()


@pytest.fixture
def agent(realms: TwoRealms, tmp_path: Path) -> Iterator[Program]:
    """An agent of alpha's hall, with an echo service."""
    alpha, port = realms.alpha, free_port()
    echo = subprocess.Popen([*alpha.site.within, "python3", "-c", ECHO, str(port)])
    config = tmp_path / "hall-agent.toml"
    config.write_text(f'[[services]]\nname = "echo"\naddress = "127.0.0.1:{port}"\n')
    link = alpha.api.act("hall.invite_agent", hall=HALL, agent="annex", services=["echo"])["link"]
    realms.share(["read:data", "connect:echo"])
    agent = Program("hall", "agent", "--config", config, "--join", link, "--json",
                    "--ca", alpha.roots, within=alpha.site.within)  # fmt: skip
    agent.wait_for(event("connected"))
    yield agent
    agent.process.kill()
    agent.process.wait()
    echo.kill()
    echo.wait()


def stages(organisation: Organisation) -> dict[str, str]:
    """The fingerprints of the realm's own authorities, by stage."""
    rows = organisation.owner.json("hall", "authorities")
    return {row["stage"]: row["sha256"] for row in rows}


def published(organisation: Organisation) -> tuple[int, set[str]]:
    """The sequence number of the realm's bundle, and the fingerprints of its authorities."""
    bundle = organisation.api.get("/api/hall/bundle").expect()
    ders = [b64decode(key["x5c"][0]) for key in bundle["keys"]]
    return bundle["spiffe_sequence"], {hashlib.sha256(der).hexdigest() for der in ders}


def test_visitors_and_agents_stay_while_an_authority_is_replaced(realms: TwoRealms, agent: Program):
    alpha, beta = realms.alpha, realms.beta
    ada = beta.person("Ada")
    opened = ada.open("--for", "10m", hall=f"{alpha.site.realm}/{HALL}")
    talk = subprocess.Popen(
        [*ada.within, "python3", "-c", TALK, *map(str, opened.address("echo"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert talk.stdout.readline() == "begun\n"
    before, (number, bundle) = stages(alpha), published(alpha)
    assert bundle == {before["signing"], before["next"]}
    assert look(beta, alpha)["bundle"]["sequence"] == number

    alpha.owner.run("hall", "rotate")
    after = stages(alpha)
    assert (after["signing"], after["retiring"]) == (before["next"], before["signing"])
    grown, bundle = published(alpha)
    assert grown > number and bundle == set(after.values())
    # Beta takes the new bundle. Its people stay inside and can open the hall anew.
    row = look(beta, alpha)
    assert (row["problem"], row["bundle"]["sequence"]) == (None, grown)
    assert look(alpha, beta)["problem"] is None
    opened.wait_for("renewed")
    ada.run("ls", f"{alpha.site.realm}/{HALL}:data")
    talk.stdin.write("on\n")
    talk.stdin.flush()
    assert talk.stdout.readline() == "on\n"
    assert ada.run("ls", f"{alpha.site.realm}/{HALL}:data", "--json").stdout
    # A second rotation within a day is refused, because partners may not know the next authority yet.
    alpha.owner.refused("hall", "rotate", words="not everybody knows the next authority before")
    # The agent connects again, to a listener whose certificate the new authority signed.
    alpha.restart()
    agent.wait_for(event("lost"))
    agent.wait_for(event("connected"))
    eventually(lambda: look(beta, alpha)["problem"] is None)
    talk.kill()
    talk.wait()
    opened.process.kill()
    opened.process.wait()
    ada.opened.remove(opened)
    withdrawn(realms, agent)


def withdrawn(realms: TwoRealms, agent: Program) -> None:
    """Alpha withdraws its authority at once, as if the authority's key had leaked."""
    alpha, beta = realms.alpha, realms.beta
    gus = alpha.person("Gus")
    alpha.api.act("hall.admit", hall=HALL, guest={"person": gus.id}, rights=["read:data"])
    inside = gus.open()
    before = stages(alpha)
    said = alpha.owner.run("hall", "rotate", "--now").stderr
    assert "Invite agents again" in said, said
    after = stages(alpha)
    assert set(after) == {"signing", "next"} and after["signing"] == before["next"]
    # Certificates of the old authority are refused, for guests and for agents.
    inside.wait_for("ended")
    assert inside.process.wait(30) == 1
    # The agent does not know the authority that signs now, so it refuses the gateway.
    agent.wait_for(re.compile("is not the hall's gateway"))
    assert agent.process.wait(30) == 1
    # Beta knew the next authority, so it follows. People can open the hall again.
    assert look(beta, alpha)["problem"] is None
    assert partner(beta, alpha)["bundle"]["sequence"] == published(alpha)[0]
    beta.people[-1].run("ls", f"{alpha.site.realm}/{HALL}:data")
    gus.run("ls", f"{HALL}:data")


#: Talks with the echo service: one word for each line of standard input.
TALK = """
import socket, sys
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def say(word):
    stream.sendall(word)
    assert stream.recv(len(word)) == word
say(b"x")
print("begun", flush=True)
for line in sys.stdin:
    say(line.strip().encode())
    print(line.strip(), flush=True)
"""
