"""One request, followed through the log and into a collector of OpenTelemetry."""

import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from api_caller import Caller, Person
from gateway_process import Gateway, hallway
from waiting import eventually

ID = re.compile(r"[0-9a-f]{32}")


def lines_of(gateway: Gateway, request: str) -> list[str]:
    """The lines of the log about one request."""
    return [line for line in gateway.lines if request in line]


def test_each_answer_has_an_id_of_its_own(house: Gateway, mia: Person):
    stranger = Caller(house.origin)
    replies = [
        stranger.get("/healthz"),
        stranger.get("/api/me"),
        stranger.get("/nowhere"),
        stranger.get("/people"),
        stranger.get("/healthz", X_Request_Id="a" * 32),
        mia.get("/api/me"),
        mia.get("/people"),
        mia.post("/api/acts/statement", {"act": "no.such_act"}),
    ]
    ids = [reply.headers.get_all("X-Request-Id") for reply in replies]
    assert all(len(each) == 1 and ID.fullmatch(each[0]) for each in ids), ids
    assert len({each[0] for each in ids}) == len(replies)
    assert ["a" * 32] not in ids, "a client's own id was believed"


def test_a_refused_act_is_found_by_its_id(house: Gateway, mia: Person):
    refused = mia.post("/api/acts/statement", {"act": "people.invite", "name": "Eve", "role": "owner"})
    refused.refused(403, "role")
    [line] = eventually(lambda: lines_of(house, refused.headers["X-Request-Id"]))
    assert 'route="/api/acts/statement"' in line and 'act="people.invite"' in line, line


def test_a_refused_signature_is_found_by_its_id(house: Gateway, mia: Person):
    refused = mia.try_to_sign_in(origin="https://evil.example")
    refused.refused(403, "refused")
    [line] = eventually(lambda: lines_of(house, refused.headers["X-Request-Id"]))
    assert 'route="/api/sign-in"' in line, line


def test_debug_tells_of_each_answer_and_unit(tmp_path: Path):
    gateway = Gateway(tmp_path / "data", HALLWAY_LOG="debug")
    owner = Person.owner(gateway)
    done = owner.touch(owner.prepare("people.invite", name="Mia", role="member"))
    done.expect()
    stranger = Caller(gateway.origin).get("/api/me")
    stranger.refused(401, "sign-in")
    assert gateway.stop() == 0
    lines = lines_of(gateway, done.headers["X-Request-Id"])
    assert [line for line in lines if 'act="people.invite"' in line and "committed" in line], lines
    assert [line for line in lines if "answered status=200" in line], lines
    lines = lines_of(gateway, stranger.headers["X-Request-Id"])
    assert [line for line in lines if "answered status=401" in line], lines


def test_no_secret_is_in_the_log(tmp_path: Path):
    gateway = Gateway(tmp_path / "data", HALLWAY_LOG="debug")
    owner = Person.owner(gateway)
    link = owner.act("people.invite", name="Mia", role="member")["link"]
    mia = Person(gateway.origin, link)
    mistaken = ["IN-THE-METHOD", "in-the-path", "in-the-query", "in-the-body"]
    mia.call(mistaken[0], "/api/me")
    mia.get("/" + mistaken[1])
    mia.get("/api/me?token=" + mistaken[2])
    mia.post("/api/acts/statement", {"act": mistaken[3]}).refused(400, "malformed")
    last = mia.get("/api/me").headers["X-Request-Id"]
    secrets = [*mistaken, link.split("#")[1], *(each.headers["Authorization"].split()[1] for each in (owner, mia))]
    assert gateway.stop() == 0
    assert lines_of(gateway, last), "the log has no line about the last request"
    # The link of the set-up is shown on purpose.
    log = [line for line in gateway.lines if gateway.set_up_link not in line]
    for secret in [gateway.set_up_link.split("#")[1], *secrets]:
        assert not [line for line in log if secret in line]


class Collector(HTTPServer):
    """Takes what is sent to it, as a collector of OpenTelemetry does."""

    def __init__(self):
        received: Queue[tuple[str, bytes]] = Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                received.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.received = received
        Thread(target=self.serve_forever, daemon=True).start()


def test_a_collector_gets_the_spans(tmp_path: Path):
    collector = Collector()
    where = f"http://127.0.0.1:{collector.server_port}"
    gateway = Gateway(tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=where)
    owner = Person.owner(gateway)
    prepared = owner.post("/api/acts/statement", {"act": "people.invite", "name": "Mia", "role": "member"})
    # Stopping, it sends the spans that it still has.
    assert gateway.stop() == 0
    sent = b""
    try:
        while True:
            path, body = collector.received.get(timeout=0 if sent else 30)
            assert path == "/v1/traces"
            sent += body
    except Empty:
        pass
    collector.shutdown()
    assert sent, f"{hallway()} sent nothing: it has to be built with --features otlp, as `make test` does"
    for part in (prepared.headers["X-Request-Id"], "/api/acts/statement", "people.invite", "hallway"):
        assert part.encode() in sent
