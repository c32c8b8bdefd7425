"""A person of one organisation enters a hall of another one, by one touch at home."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_place import HALL, Guest, Open, free_port, service, store
from two_realms import Organisation, TwoRealms

RIGHTS = ["read:data", "write:data", "connect:echo"]
# As root each organisation has a network with its own names.
REALM = "alpha.example" if os.geteuid() == 0 else "alpha.localhost"
HOME = REALM.replace("alpha", "beta")
THERE = f"{REALM}/{HALL}"

#: An echo service, run in an organisation's network.
ECHO = """
import socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def echo(stream):
    while data := stream.recv(65536):
        stream.sendall(data)
    stream.close()
while True:
    threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
"""

#: Sends a byte and reads it back, prints a line, then waits for the end of the stream.
TALK = """
import socket, sys
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.sendall(b"x")
assert stream.recv(1) == b"x"
print("talking", flush=True)
try:
    assert stream.recv(1) == b""
except ConnectionError:
    pass
print("cut", flush=True)
"""


@pytest.fixture(scope="module")
def realms(tmp_path_factory) -> Iterator[TwoRealms]:
    folder = tmp_path_factory.mktemp("realms")
    # The port is chosen before the network namespaces exist.
    port = free_port()
    made = TwoRealms(folder, store("data", folder / "files") + service("echo", port))
    echo = subprocess.Popen([*made.alpha.site.within, "python3", "-c", ECHO, str(port)])
    made.files = folder / "files"
    made.alpha.api.act("hall.create", hall=HALL, title="The laboratory")
    made.join()
    made.share(RIGHTS)
    yield made
    made.close()
    echo.kill()
    echo.wait()


@pytest.fixture(scope="module")
def ada(realms: TwoRealms) -> Guest:
    return realms.beta.person("Ada")


class Talk:
    """A stream over a local port of a `hallway open`."""

    def __init__(self, guest: Guest, opened: Open):
        host, port = opened.address("echo")
        self.process = subprocess.Popen(
            [*guest.within, "python3", "-c", TALK, host, str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "talking\n"

    def is_cut(self) -> bool:
        """Whether the other side ends the stream."""
        ended = self.process.stdout.readline() == "cut\n"
        assert self.process.wait(30) == 0
        return ended


def test_a_visitor_reads_and_writes_by_command(realms, ada: Guest, tmp_path: Path):
    (realms.files / "results.csv").write_text("1,2,3\n")
    [hall] = ada.json("hall", "list", "--at", REALM)
    assert (hall["name"], hall["title"]) == (HALL, "The laboratory")
    assert set(hall["rights"]) == set(RIGHTS)
    listed = json.loads(ada.run("ls", f"{THERE}:data", "--json").stdout)
    assert [row["name"] for row in listed] == ["results.csv"]
    ada.run("get", f"{THERE}:data/results.csv", tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text() == "1,2,3\n"
    (tmp_path / "more.csv").write_text("4,5,6\n")
    ada.run("put", tmp_path / "more.csv", f"{THERE}:data/")
    assert (realms.files / "more.csv").read_text() == "4,5,6\n"
    folder = tmp_path / "copy"
    ada.run("mirror", f"{THERE}:data", folder)
    assert {path.name for path in folder.iterdir()} == {"results.csv", "more.csv"}


def test_stock_tools_work_over_the_local_port(realms, ada: Guest, tmp_path: Path):
    alpha, beta = realms.alpha, realms.beta
    (realms.files / "for-tools.txt").write_text("tools")
    opened = ada.open(hall=THERE)
    assert opened.doors["hall"] == THERE
    assert set(opened.doors["rights"]) == set(RIGHTS)
    address, user = f"{opened.files}data/for-tools.txt", opened.doors["webdav"]["user"]
    got = beta.site.run("curl", "-sS", "--fail", "-u", f"{user}:{opened.password}", address)
    assert (got.stdout, got.returncode) == ("tools", 0), got.stderr
    hidden = beta.site.run("rclone", "obscure", opened.password).stdout.strip()
    remote = f":webdav,url='{opened.files}data/',user={user},pass={hidden}:"
    copied = beta.site.run("rclone", "copy", "--config", "/dev/null", remote, tmp_path / "got")
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "got" / "for-tools.txt").read_text() == "tools"
    # While the hall is open, a command needs no touch.
    before = beta.log_size()
    ada.run("ls", f"{THERE}:data")
    assert beta.log_size() == before
    talk = Talk(ada, opened)
    # Each gateway shows the grant: the host with the visitor's home, the home with the host.
    [grant] = [row for row in alpha.grants() if not row["ended_ms"]]
    assert (grant["home"], grant["name"]) == (HOME, "Ada")
    [grant] = [row for row in beta.grants() if not row["ended_ms"]]
    assert (grant["host"], grant["hall"]) == (REALM, HALL)
    opened.close()
    assert talk.is_cut()
    assert all(row["ended_ms"] for row in alpha.grants() + beta.grants())


def test_only_shared_rights_can_be_opened(realms, ada: Guest):
    words = f"ask an owner of {REALM}"
    ada.refused("open", THERE, "--rights", "delete:data", words=words)
    ada.refused("open", f"{REALM}/cellar", words="not admitted")
    ada.refused("open", "gamma.example/lab", words="gamma.example is no partner")


def by_host(alpha: Organisation, beta: Organisation, guest: Guest, opened: Open) -> None:
    [grant] = [row for row in alpha.grants() if not row["ended_ms"]]
    alpha.api.act("hall.end", grant=grant["id"])


def dismissed(alpha: Organisation, beta: Organisation, guest: Guest, opened: Open) -> None:
    whom = {"visitor": {"realm": HOME, "whom": {"role": "member"}}}
    alpha.api.act("hall.dismiss", hall=HALL, guest=whom)


def by_home(alpha: Organisation, beta: Organisation, guest: Guest, opened: Open) -> None:
    beta.api.act("hall.end", grant=opened.doors["grant"])


def suspended(alpha: Organisation, beta: Organisation, guest: Guest, opened: Open) -> None:
    beta.api.act("people.suspend", person=guest.id)


@pytest.mark.parametrize("end", [by_host, dismissed, by_home, suspended])
def test_each_side_can_end_a_visit_within_seconds(realms, end):
    alpha, beta = realms.alpha, realms.beta
    guest = beta.person(f"Bob-{end.__name__}")
    opened = guest.open(hall=THERE)
    talk = Talk(guest, opened)
    end(alpha, beta, guest, opened)
    assert talk.is_cut()
    reason = opened.wait_for("ended")["reason"]
    assert REALM in reason or "your own realm" in reason, reason
    assert opened.process.wait(30) == 1
    realms.share(RIGHTS)


def test_a_visit_survives_a_kill_of_either_gateway(realms, ada: Guest):
    alpha, beta = realms.alpha, realms.beta
    opened = ada.open(hall=THERE)
    # The host needs nothing from the home gateway for a while.
    beta.kill()
    talk = Talk(ada, opened)
    beta.start(beta.data)
    alpha.kill()
    assert talk.is_cut()
    alpha.start(alpha.data)
    # The host still has the grant.
    talk = Talk(ada, opened)
    opened.close()
    assert talk.is_cut()


def test_the_evidence_of_a_visit_holds_without_a_gateway(realms, ada: Guest, tmp_path: Path):
    """The host has the visitor's evidence, and anybody can check it."""
    alpha, beta = realms.alpha, realms.beta
    opened = ada.open(hall=THERE)
    evidence = opened.doors["evidence"]
    opened.close()
    for realm in [alpha, beta]:
        seen = realm.api.get(f"/api/evidence/{evidence}").expect()
        assert f"open the hall “lab” of {REALM} to Ada (member at home)" in seen["sentence"]
    # The host gives the evidence of the visit, and the trust file that it pinned when the realms joined. Only
    # the home realm can show who allowed Ada's key.
    home, host = (beta, "/api/trust"), (alpha, f"/api/partners/{HOME}/trust")
    for (realm, path), options in [(home, ()), (host, ("--without-chain",))]:
        trust, visit = tmp_path / "beta.json", tmp_path / "visit.evidence"
        realm.api.save(path, trust)
        realm.api.save(f"/api/receipts/{evidence}", visit)
        command = ("verify", visit, "--trust", trust, "--json")
        report = json.loads(ada.run(*command, *options).stdout)
        assert report["holds"]
        assert any(f"of {REALM}" in line for line in report["conclusion"]["sentences"])
        shown = [step["happened"] for step in report["conclusion"].get("chain", [])]
        if options:
            [missing] = report["missing"]
            assert "the invitation of Ada" in missing and shown == []
            assert ada.try_to(*command).returncode == 1
        else:
            assert shown == ["invited", "set_up"] and "missing" not in report
    # A changed byte is refused, and so is the trust file of another log.
    changed = bytearray(visit.read_bytes())
    changed[len(changed) // 3] ^= 1
    visit.write_bytes(changed)
    assert ada.try_to("verify", visit, "--trust", trust).returncode == 1
    alpha.api.save("/api/trust", trust)
    alpha.api.save(f"/api/receipts/{evidence}", visit)
    assert ada.try_to("verify", visit, "--trust", trust).returncode == 1
