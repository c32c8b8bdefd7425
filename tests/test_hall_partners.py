"""Two organisations become partners, follow changes of each other's authorities, and part."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_place import HALL, store
from two_realms import Organisation, TwoRealms
from waiting import eventually

RIGHTS = ["read:data"]

#: An attacker who holds a partner's name: it answers from files, and passes other connections on to the
#: partner's own hall listener.
IMPOSTOR = """
import http.server, socket, ssl, sys, threading
here, there, folder = sys.argv[1:]

class Web(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *more):
        super().__init__(*more, directory=folder)

web = http.server.ThreadingHTTPServer((here, 443), Web)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(f"{folder}/web.pem", f"{folder}/web.key")
web.socket = tls.wrap_socket(web.socket, server_side=True)
halls = socket.create_server((here, 8443))

def pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass

def serve():
    while True:
        near, far = halls.accept()[0], socket.create_connection((there, 8443))
        for ends in [(near, far), (far, near)]:
            threading.Thread(target=pump, args=ends, daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
print("answers", flush=True)
web.serve_forever()
"""


@pytest.fixture(scope="module")
def realms(tmp_path_factory) -> Iterator[TwoRealms]:
    folder = tmp_path_factory.mktemp("realms")
    made = TwoRealms(folder, store("data", folder / "files"))
    made.alpha.api.act("hall.create", hall=HALL, title="The laboratory")
    yield made
    made.close()


@pytest.fixture
def joined(realms: TwoRealms) -> Iterator[TwoRealms]:
    """Makes the realms partners for one test."""
    realms.join()
    yield realms
    if partner(realms.alpha, realms.beta)["state"] == "active":
        realms.alpha.owner.run("hall", "leave", realms.beta.site.realm)
    eventually(lambda: partner(realms.beta, realms.alpha)["state"] == "ended")


def partner(here: Organisation, there: Organisation) -> dict:
    """The row of `there` in the list of `here`'s partners."""
    rows = here.api.get("/api/partners").expect()
    return next(row for row in rows if row["realm"] == there.site.realm)


def look(here: Organisation, there: Organisation) -> dict:
    """The same row, after `here` has fetched it anew."""
    here.owner.run("hall", "partners", "--refresh", there.site.realm)
    return partner(here, there)


def invited(here: Organisation, there: Organisation) -> tuple[str, str]:
    """Invites `there`. Returns the link and its token."""
    link = here.owner.json("hall", "invite", there.site.origin)["link"]
    address, token = link.split("/partners#")
    assert address == here.site.origin
    return link, token


def test_a_realm_describes_itself(realms: TwoRealms):
    beta = realms.beta
    realm = beta.api.get("/api/realm").expect()
    assert (realm["realm"], realm["origin"]) == (beta.site.realm, beta.site.origin)
    assert realm["log"].startswith(f"{beta.site.realm}/log+")
    assert realm["hall"]["gateway"] == f"spiffe://{beta.site.realm}/gateway"
    bundle = beta.api.get(realm["bundle_endpoint"].removeprefix(beta.site.origin)).expect()
    assert bundle["spiffe_sequence"] > 0
    # The bundle has the authority that signs and the next one, so that others know it in advance.
    assert [key["use"] for key in bundle["keys"]] == ["x509-svid"] * 2


def test_two_owners_join_their_realms(joined: TwoRealms):
    alpha, beta = joined.alpha, joined.beta
    for here, there in [(alpha, beta), (beta, alpha)]:
        row = look(here, there)
        assert (row["state"], row["problem"]) == ("active", None)
        bundle = there.api.get("/api/hall/bundle").expect()
        assert row["bundle"]["sequence"] == bundle["spiffe_sequence"]
        evidence = here.api.get(f"/api/evidence/{row['evidence']}").expect()
        assert there.site.origin in evidence["sentence"], evidence["sentence"]
        assert row["log"] == there.api.get("/api/realm").expect()["log"]
    again = alpha.owner.refused("hall", "invite", beta.site.origin, words="is a partner already")
    assert "leave it first" in again


def test_a_partner_stays_when_a_gateway_is_killed(joined: TwoRealms):
    alpha, beta = joined.alpha, joined.beta
    alpha.restart()
    # Each gateway accepts the other again.
    eventually(lambda: look(beta, alpha)["problem"] is None)
    assert look(alpha, beta)["problem"] is None
    assert partner(alpha, beta)["state"] == "active"


def test_only_an_owner_joins_realms(realms: TwoRealms):
    operator = realms.beta.person("Opal", "operator")
    operator.refused("hall", "invite", realms.alpha.site.origin, words="needs the role owner")
    _, token = invited(realms.alpha, realms.beta)
    link = f"{realms.alpha.site.origin}/partners#{token}"
    operator.refused("hall", "accept", link, words="needs the role owner")
    realms.alpha.owner.run("hall", "leave", realms.beta.site.realm)


def test_a_token_works_for_the_invited_realm_only(realms: TwoRealms):
    alpha, beta = realms.alpha, realms.beta
    _, token = invited(alpha, beta)
    other = "A" * 42 + "E"
    for wrong in [
        {"token": token, "realm": "gamma.example"},
        {"token": token, "realm": alpha.site.realm},
        {"token": other, "realm": beta.site.realm},
        {"token": "short", "realm": beta.site.realm},
    ]:
        reply = alpha.api.post("/api/partners/join", wrong)
        assert (reply.status, reply.json["code"]) == (403, "partner-token"), wrong
    assert partner(alpha, beta)["state"] == "invited"
    right = {"token": token, "realm": beta.site.realm}
    for _ in range(2):
        # The answer may have been lost, so the same realm may send the token again.
        joined = alpha.api.post("/api/partners/join", right).expect()
        assert joined == {"realm": alpha.site.realm}
    alpha.owner.run("hall", "leave", beta.site.realm)
    assert alpha.api.post("/api/partners/join", right).status == 403


def test_a_withdrawn_or_replaced_invitation_is_refused(realms: TwoRealms):
    alpha, beta = realms.alpha, realms.beta
    first, _ = invited(alpha, beta)
    second, _ = invited(alpha, beta)
    beta.owner.refused("hall", "accept", first, words="is no partner")
    assert partner(beta, alpha)["state"] == "ended"
    assert partner(alpha, beta)["state"] == "invited"
    alpha.owner.run("hall", "leave", beta.site.realm)
    beta.owner.refused("hall", "accept", second, words="is no partner")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can cut the wire")
def test_two_crossing_invitations_make_one_partnership(realms: TwoRealms):
    """Each owner accepts the other's invitation while the gateways can't reach each other."""
    alpha, beta = realms.alpha, realms.beta
    links = {alpha: invited(beta, alpha)[0], beta: invited(alpha, beta)[0]}
    signing = {
        here: here.api.prepare("partner.accept", link=link) for here, link in links.items()
    }
    realms.networks.wire("down")
    for here, ceremony in signing.items():
        here.api.touch(ceremony).expect()
    assert partner(alpha, beta)["state"] == partner(beta, alpha)["state"] == "joining"
    realms.networks.wire("up")

    def joined() -> bool:
        return look(alpha, beta)["state"] == look(beta, alpha)["state"] == "active"

    eventually(joined)
    eventually(lambda: look(alpha, beta)["problem"] is None and look(beta, alpha)["problem"] is None)
    alpha.owner.run("hall", "leave", beta.site.realm)
    eventually(lambda: partner(beta, alpha)["state"] == "ended")


def test_addresses_and_realms_that_are_no_partner_are_refused(realms: TwoRealms):
    alpha, beta = realms.alpha, realms.beta
    alpha.owner.refused("hall", "invite", alpha.site.origin, words="this realm itself")
    nobody = f"https://{beta.site.host}:9"
    alpha.owner.refused("hall", "invite", nobody, words="cannot be reached")
    plain = alpha.owner.try_to("hall", "invite", f"http://{beta.site.host}")
    assert plain.returncode != 0
    beside = f"https://{beta.site.host}:{beta.site.hall_port}"
    alpha.owner.refused("hall", "invite", beside, words="cannot be reached")
    guest = {"visitor": {"realm": "gamma.example", "whom": {"role": "member"}}}
    act = {"act": "hall.admit", "hall": HALL, "guest": guest, "rights": RIGHTS}
    reply = alpha.api.post("/api/acts/statement", act)
    assert (reply.status, reply.json["code"]) == (403, "not-partner")


def test_a_replaced_bundle_is_not_accepted(joined: TwoRealms):
    alpha, beta = joined.alpha, joined.beta
    before = look(alpha, beta)
    beta.kill()
    # A new authority with the same name, address and log, as an attacker on the web server could make it.
    whole = beta.folder / "whole"
    shutil.copytree(beta.data, whole)
    with sqlite3.connect(beta.data / "hallway.db") as database:
        database.execute("DELETE FROM own_authority")
    database.close()
    beta.start(beta.data)
    after = look(alpha, beta)
    assert "no authority in common" in after["problem"]
    assert after["bundle"] == before["bundle"]
    assert after["state"] == "active"
    # Alpha does not accept certificates of the new authority either.
    assert look(beta, alpha)["problem"] is not None
    beta.kill()
    # A realm that was set up anew also has another log.
    beta.start(beta.folder / "anew")
    after = look(alpha, beta)
    assert "its log has another key" in after["problem"]
    assert after["bundle"] == before["bundle"]
    beta.kill()
    shutil.rmtree(beta.data)
    shutil.move(whole, beta.data)
    beta.start(beta.data)
    eventually(lambda: look(alpha, beta)["problem"] is None)
    assert look(beta, alpha)["problem"] is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a name over")
def test_an_attacker_with_a_partners_name_can_not_add_an_authority(joined: TwoRealms, tmp_path: Path):
    """The attacker answers at beta's address with a valid web certificate and beta's own description. Its
    bundle has beta's authority and one of the attacker's."""
    alpha, beta = joined.alpha, joined.beta
    before = look(alpha, beta)
    web = tmp_path / "web"
    (web / "api" / "hall").mkdir(parents=True)
    joined.authority.serve(beta.site.host, web)
    beta.api.save("/api/realm", web / "api" / "realm")
    bundle = beta.api.get("/api/hall/bundle").expect()
    other = tmp_path / "other"
    made = beta.site.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", f"{other}.key", "-out", f"{other}.pem", "-days", "2", "-subj", "/O=x",
        "-addext", f"subjectAltName=URI:spiffe://{beta.site.realm}",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    lines = Path(f"{other}.pem").read_text().splitlines()[1:-1]
    bundle["keys"].append({"kty": "EC", "use": "x509-svid", "x5c": ["".join(lines)]})
    bundle["spiffe_sequence"] += 1
    (web / "api" / "hall" / "bundle").write_text(json.dumps(bundle))
    elsewhere = "10.77.0.66"
    alpha.site.run("ip", "address", "add", f"{elsewhere}/32", "dev", "lo")
    impostor = subprocess.Popen(
        [*alpha.site.within, "python3", "-c", IMPOSTOR, elsewhere, beta.site.address, str(web)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert impostor.stdout.readline() == "answers\n"
        joined.networks.say(alpha.site, beta.site.host, elsewhere)
        after = look(alpha, beta)
        assert "does not confirm" in after["problem"], after["problem"]
        assert after["bundle"] == before["bundle"]
    finally:
        joined.networks.say(alpha.site, beta.site.host, beta.site.address)
        impostor.kill()
        impostor.wait()
    assert look(alpha, beta)["problem"] is None


def test_a_partner_that_is_away_keeps_its_bundle(joined: TwoRealms):
    alpha, beta = joined.alpha, joined.beta
    before = look(alpha, beta)
    assert before["problem"] is None
    beta.kill()
    away = look(alpha, beta)
    assert "cannot be reached" in away["problem"]
    assert (away["state"], away["bundle"]) == ("active", before["bundle"])
    beta.start(beta.data)
    eventually(lambda: look(alpha, beta)["problem"] is None)


def test_leaving_ends_the_shares_and_tells_the_partner(realms: TwoRealms):
    alpha, beta = realms.alpha, realms.beta
    realms.join()
    realms.share(RIGHTS)
    alpha.owner.run(
        "hall", "admit", HALL, "--partner", beta.site.realm, "--person", beta.owner.id,
        "--name", "Olga of beta", "--rights", "read:data",
    )  # fmt: skip
    shared = {row["guest"] for row in partner(alpha, beta)["shared"]}
    whom = f"partner/{beta.site.realm}"
    assert shared == {f"{whom}/role/member", f"{whom}/person/{beta.owner.id}"}
    beta.owner.run("hall", "leave", alpha.site.realm)
    left = partner(beta, alpha)
    assert (left["state"], left["ended_by"]) == ("ended", "us")
    eventually(lambda: partner(alpha, beta)["state"] == "ended")
    told = partner(alpha, beta)
    assert (told["ended_by"], told["shared"]) == ("them", [])
    # After they join again, nothing is shared.
    realms.join()
    assert partner(alpha, beta)["shared"] == []
    # Alpha leaves while beta is away, and tells beta later.
    beta.kill()
    alpha.owner.run("hall", "leave", beta.site.realm)
    beta.start(beta.data)
    assert partner(beta, alpha)["state"] == "active"
    look(alpha, beta)
    eventually(lambda: partner(beta, alpha)["state"] == "ended")
    assert partner(beta, alpha)["ended_by"] == "them"


def test_a_self_signed_gateway_certificate_is_refused_in_tls(
    joined: TwoRealms, tmp_path: Path
):
    """The certificate has the name of beta's gateway, but beta's authority did not sign it."""
    alpha, beta = joined.alpha, joined.beta
    own = tmp_path / "own"
    made = beta.site.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", f"{own}.key", "-out", f"{own}.pem", "-days", "2", "-subj", "/O=x",
        "-addext", f"subjectAltName=URI:spiffe://{beta.site.realm}/gateway",
        "-addext", "keyUsage=critical,digitalSignature",
        "-addext", "extendedKeyUsage=clientAuth",
        "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    address = f"https://{alpha.site.host}:{alpha.site.hall_port}/partner/realm"
    asked = beta.site.run(
        "curl", "-sS", "--insecure", "--cert", f"{own}.pem", "--key", f"{own}.key", address
    )
    # The connection ends without an HTTP answer.
    assert (asked.returncode != 0, asked.stdout) == (True, ""), asked


def test_the_evidence_of_a_partnership_holds_without_a_gateway(joined: TwoRealms, tmp_path: Path):
    alpha, beta = joined.alpha, joined.beta
    for here, there in [(alpha, beta), (beta, alpha)]:
        row = partner(here, there)
        evidence, trust = tmp_path / "joined.evidence", tmp_path / "trust.json"
        here.api.save(f"/api/receipts/{row['evidence']}", evidence)
        here.api.save("/api/trust", trust)
        report = json.loads(here.owner.run("verify", evidence, "--trust", trust, "--json").stdout)
        assert there.site.realm in json.dumps(report)
