"""A witness watches another realm's log: it cosigns the log as it grows, and detects a rewrite."""

import gzip
import json
import shutil
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from api_caller import Person
from conftest import SCREENSHOTS
from console_visitor import PHONE, Visitor
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_process import LINK, SERVES, Gateway, GatewayAgain, Program
from playwright.sync_api import Browser
from test_operator import run, succeed
from waiting import eventually as eventually_within
from witnesses import Watched, add_to, cosigned_at

#: A gateway asks a witness that was away again only after a pause.
eventually = partial(eventually_within, seconds=60)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    pair = Watched(tmp_path)
    yield pair
    pair.stop()


def visit(browser: Browser, watched: Watched, side: str, name: str) -> str:
    """Saves screenshots of the page Witnesses as an owner sees it, and returns its text."""
    owner = watched.owners[side]
    for suffix, options in [("", {}), ("-phone", {"viewport": PHONE})]:
        visitor = Visitor(browser, owner.origin, SCREENSHOTS, **options)
        # A browser gets the owner's API session as a cookie.
        token = owner.headers["Authorization"].removeprefix("Bearer ")
        visitor.context.add_cookies([{"name": "hallway", "value": token, "url": owner.origin}])
        visitor.open("/witnesses")
        visitor.keep(name + suffix)
        words = visitor.page.locator("main").inner_text()
        assert visitor.faults == []
        visitor.context.close()
    return words


def test_a_log_is_cosigned_as_it_grows(tmp_path: Path, browser: Browser, watched: Watched):
    size = watched.grow(2)
    # The gateway asks its witness by itself, soon after the log has grown.
    note = eventually(
        lambda: cosigned_at(watched.log.get("/log/checkpoint").decode(), watched.witness_key)
        and watched.log.get("/log/checkpoint").decode()
    )
    assert note.split("\n")[1] == str(size)
    [told] = watched.owners["log"].get("/api/witness").expect()["witnesses"]
    assert told["cosigned_ms"] == cosigned_at(note, watched.witness_key) * 1000
    assert watched.log.get("/log/cosigned").decode() == note
    assert watched.seen()["size"] == size and watched.seen()["fork"] is None

    trust = tmp_path / "trust.json"
    succeed("trust", "export", "--url", watched.log.origin, trust)
    assert json.loads(trust.read_text())["witnesses"] == [watched.witness_key]
    said = succeed("log", "verify", watched.log.origin, "--trust", trust)
    assert f"Cosigned at {size} entries by localhost/witness on " in said
    found = json.loads(succeed("log", "verify", watched.log.origin, "--trust", trust, "--json"))
    assert found["cosigned"]["size"] == size and found["checkpoint"] == note
    copy = tmp_path / "copy"
    succeed("log", "export", watched.log.origin, copy, "--trust", trust)
    assert f"Cosigned at {size} entries" in succeed("log", "verify", copy, "--trust", trust)

    # Receipts use the cosigned checkpoint, and say so to everybody who trusts the witness.
    owner = watched.owners["log"]
    newest = owner.get("/api/evidence?limit=1").expect()["items"][0]["hash"]
    receipt = tmp_path / "invitation.evidence"
    receipt.write_bytes(owner.get(f"/api/receipts/{newest}").expect_bytes(200))
    said = succeed("verify", receipt, "--trust", trust)
    assert f"That log was cosigned at {size} entries by localhost/witness on " in said
    steps = succeed("verify", receipt, "--trust", trust, "--steps", "--parts")
    assert "✓ log.3" in steps and "Authenticator data (" in steps
    facts = owner.get(f"/api/evidence/{newest}/explanation").expect()
    assert facts["conclusion"]["cosigned"][0]["witness"] == "localhost/witness"

    # A receipt can also be made for an entry after the last cosigned checkpoint.
    watched.witness.process.kill()
    watched.witness.process.wait()
    watched.grow(1)
    problem = watched.asked()["problem"]
    assert problem.startswith("it does not answer"), problem
    assert watched.log.counted()["hallway_witnesses_failing"] == "1"
    newest = owner.get("/api/evidence?limit=1").expect()["items"][0]["hash"]
    receipt.write_bytes(owner.get(f"/api/receipts/{newest}").expect_bytes(200))
    assert "log was cosigned" not in succeed("verify", receipt, "--trust", trust)
    words = visit(browser, watched, "log", "witnesses-unanswered")
    assert "does not answer" in words
    # The witness comes back, and continues at its last checkpoint.
    watched.witness = GatewayAgain(watched.witness)
    asked = watched.asked()
    assert (asked["problem"], asked["size"]) == (None, watched.size())
    assert watched.log.counted()["hallway_witnesses_failing"] == "0"
    assert "cosigned" in visit(browser, watched, "log", "witnesses")


def test_a_rewritten_log_is_refused_and_reported(
    tmp_path: Path, browser: Browser, watched: Watched
):
    watched.grow(2)
    assert watched.asked()["problem"] is None
    backup = tmp_path / "log.backup"
    succeed("backup", backup, "--data", watched.log.folder)
    # No proof contains the root of a complete tree, so a tree of another size tests more.
    size = watched.grow(4)
    while size & (size - 1) == 0:
        size = watched.grow(1)
    assert watched.asked()["size"] == size
    kept = tmp_path / "checkpoint"
    kept.write_bytes(watched.log.get("/log/cosigned"))

    # An older copy replaces the log, and the realm goes on.
    assert watched.log.stop() == 0
    older = tmp_path / "older"
    older.mkdir()
    for name in ("operator.key", "hallway.toml"):
        shutil.copy2(watched.log.folder / name, older)
    succeed("restore", backup, "--data", older)
    watched.log.folder = older
    watched.log = GatewayAgain(watched.log)
    owner = watched.owners["log"]
    owner.sign_in()
    assert watched.size() < size
    # The gateway asks its witness at the start, so its operator is told at once.
    problem = eventually(lambda: owner.get("/api/witness").expect()["witnesses"][0]["problem"])
    assert f"it saw this log with {size} entries" in problem and "older copy" in problem
    eventually(lambda: any("older copy" in line for line in watched.log.lines))
    visit(browser, watched, "log", "witnesses-older-copy")

    while watched.size() <= size:
        watched.grow(1)
    problem = watched.asked()["problem"]
    assert problem.startswith("it refuses (") and "rewritten" in problem, problem
    assert watched.asked()["size"] < size

    # The witness stores the proof, shows it, and cosigns the log no more.
    log = watched.seen()
    assert log["size"] == size and log["forked_ms"] and log["fork"]
    assert "rewritten" in watched.asked()["problem"]
    words = visit(browser, watched, "witness", "witnesses-fork")
    assert "This log was rewritten." in words
    proof = tmp_path / "fork.json"
    proof.write_text(json.dumps(log["fork"]))
    said = succeed("log", "fork", proof, "--key", watched.log_key)
    assert f"proved: localhost/log was rewritten. It signed two logs, one at {size} entries" in said
    # The proof is about this log only, and a changed proof proves nothing.
    proof.write_text(json.dumps({**log["fork"], "second": log["fork"]["first"]}))
    assert "not proved" in run("log", "fork", proof, "--key", watched.log_key).stdout

    # A person who saved a cosigned checkpoint detects the rewrite, too.
    done = run("log", "verify", watched.log.origin, "--key", watched.log_key, "--since", kept)
    assert done.returncode == 1 and "it was rewritten" in done.stdout, done.stdout + done.stderr


def test_a_log_that_begins_anew_is_watched_after_an_owners_act(
    tmp_path: Path, browser: Browser, watched: Watched
):
    """The log's operator lost everything, and set the realm up again under its old name."""
    watched.grow(2)
    assert watched.asked()["problem"] is None
    seen = watched.seen()
    assert watched.log.stop() == 0
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy2(watched.log.folder / "hallway.toml", fresh)
    watched.log.folder = fresh
    watched.log = GatewayAgain(watched.log)
    watched.log.set_up_link = watched.log.wait_for(LINK)[0]
    watched.owners["log"] = Person.owner(watched.log)
    new_key = json.loads(watched.log.get("/api/trust"))["log"]
    watched.grow(1)
    problem = watched.asked()["problem"]
    assert problem.startswith("it refuses (403)"), problem

    # The operators talk to each other, the witness gets the new key as a setting, and its owner signs an act.
    witness = watched.owners["witness"]
    wanted = {"act": "witness.begin_log_anew", "origin": seen["origin"]}
    witness.post("/api/acts/statement", wanted).refused(409, "same-log")
    assert watched.witness.stop() == 0
    config = watched.witness.folder / "hallway.toml"
    config.write_text(config.read_text().replace(watched.log_key, new_key))
    watched.witness = GatewayAgain(watched.witness)
    assert "under another key" in watched.asked()["problem"]
    assert watched.seen()["other_key"] == new_key and not watched.seen()["watched"]
    words = visit(browser, watched, "witness", "witnesses-another-key")
    assert "It has another key now." in words
    evidence = witness.act("witness.begin_log_anew", origin=seen["origin"])["evidence"]

    asked = watched.asked()
    assert (asked["problem"], asked["size"]) == (None, watched.size())
    state = witness.get("/api/witness").expect()
    [log], [former] = state["witnessed"], state["former"]
    assert (log["key"], log["watched"], log["size"]) == (new_key, True, watched.size())
    # The last size of the old log is stored, and stands in the evidence.
    kept = former["key"], former["size"], former["evidence"]
    assert kept == (watched.log_key, seen["size"], evidence)
    sentence = witness.get(f"/api/evidence/{evidence}").expect()["sentence"]
    assert f"{seen['size']} entries" in sentence, sentence
    assert "began anew" in visit(browser, watched, "witness", "witnesses-anew")


def sign_note(key: Ed25519PrivateKey, name: str, text: str) -> str:
    """A note that the test's own log signs (c2sp.org/signed-note)."""
    public = b"\x01" + key.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n" + public).digest()[:4]
    return f"{text}\n— {name} {b64encode(key_id + key.sign(text.encode())).decode()}\n"


@pytest.mark.parametrize("lines", ["", "one line\n", "— one\ntwo +\n three\n"])
def test_the_extension_lines_of_a_checkpoint_are_cosigned(tmp_path: Path, lines: str):
    """A log may add extension lines (c2sp.org/tlog-checkpoint). The witness cosigns the whole note."""
    first = Gateway(tmp_path / "witness")
    witness_key = first.get("/witness/key").decode().strip()
    assert first.stop() == 0
    key, name = Ed25519PrivateKey.generate(), "log.example/one"
    public = b"\x01" + key.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    add_to(tmp_path / "witness", "witnessed", key=f"{name}+{key_id}+{b64encode(public).decode()}")
    witness = Program("serve", "--data", tmp_path / "witness")
    origin = witness.wait_for(SERVES)[1]
    # A log of one entry: its root is the hash of the leaf (RFC 6962, 2.1).
    root = b64encode(sha256(b"\0an entry").digest()).decode()
    note = sign_note(key, name, f"{name}\n1\n{root}\n{lines}")
    request = urllib.request.Request(
        f"{origin}/witness/add-checkpoint", f"old 0\n\n{note}".encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
        line = answer.read().decode()
    assert cosigned_at(note + line, witness_key)
    if lines:
        bare = sign_note(key, name, f"{name}\n1\n{root}\n")
        with pytest.raises(InvalidSignature):
            cosigned_at(bare + line, witness_key)
    assert witness.stop() == 0


def test_a_log_is_read_from_a_server_that_compresses(tmp_path: Path):
    """A server may compress tiles even if the client does not ask for it (c2sp.org/tlog-tiles)."""
    gateway = Gateway(tmp_path / "data")
    Person.owner(gateway).act("people.invite", name="Guest", role="member")
    trust, copy = tmp_path / "trust.json", tmp_path / "copy"
    succeed("trust", "export", "--url", gateway.origin, trust)
    succeed("log", "export", gateway.origin, copy, "--trust", trust)
    assert gateway.stop() == 0

    class Compressing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = copy / self.path.removeprefix("/log/")
            self.send_response(200 if file.is_file() else 404)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if file.is_file():
                self.wfile.write(gzip.compress(file.read_bytes()))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Compressing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place = f"http://127.0.0.1:{server.server_port}"
        assert succeed("log", "verify", place, "--trust", trust) == succeed(
            "log", "verify", copy, "--trust", trust
        )
    finally:
        server.shutdown()
        server.server_close()
