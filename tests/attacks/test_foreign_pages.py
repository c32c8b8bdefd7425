"""Bytes of others never run as a page of the gateway: a hostile agent, hostile files and a hostile device
against an owner who looks at them in a real browser, and against the local port of `hallway open`."""

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from api_caller import Caller, Person, Reply
from conftest import SCREENSHOTS
from console_visitor import Visitor
from gateway_process import Gateway
from hall_place import HALL, HallGateway, Realm, store
from hostile_agent import Asked, HostileAgent, answer, with_trailers
from object_store import ObjectStore
from playwright.sync_api import Browser, Error, expect
from soft_device import Device, Maker
from test_console import set_up

EVIL = "evil"
FILES = f"/api/halls/{HALL}/files"

# A script that runs as the owner would do this. It leaves traces that stay.
TAKES_OVER = """
localStorage.setItem("owned", location.href);
document.cookie = "owned=1; path=/";
document.title = "owned";
navigator.serviceWorker?.register(location.href.replace(/[^/]*$/, "sw.js"), { scope: "/" });
fetch("/api/acts/statement", { method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ act: "people.invite", name: "Mallory", role: "owner"  }) })
  .then((answer) => localStorage.setItem("prepared", answer.status));
"""
PAGE = f"<!doctype html><title>x</title><h1>Report</h1><script>{TAKES_OVER}</script>".encode()
DRAWING = f'<svg xmlns="http://www.w3.org/2000/svg"><script>{TAKES_OVER}</script></svg>'.encode()
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><script>//<![CDATA[{TAKES_OVER}//]]></script></html>'.encode()
STYLED = b'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="evil.xsl"?><a/>'
SHEET = f"""<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><html xmlns="http://www.w3.org/1999/xhtml"><script>{TAKES_OVER}</script></html>
</xsl:template></xsl:stylesheet>""".encode()
PDF = b"""%PDF-1.7
1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(this.submitForm("/api/sign-out"))>>>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
trailer<</Root 1 0 R>>
"""
PARTS = b"--a\r\ncontent-type: text/html\r\n\r\n" + PAGE + b"\r\n--a--\r\n"
UTF_7 = f"+ADw-script+AD4-{TAKES_OVER}+ADw-/script+AD4-".encode()
ISO_2022 = b"\x1b$B" + PAGE + b"\x1b(B" + PAGE

LETS = [
    ("content-security-policy", "default-src * 'unsafe-inline' 'unsafe-eval'; script-src * 'unsafe-inline'"),
    ("service-worker-allowed", "/"),
    ("x-content-type-options", "sniff"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("content-disposition", "inline"),
]


def typed(media_type: str, body: bytes, *more: tuple[str, str], status: int = 200) -> bytes:
    return answer(status, [("content-type", media_type), *LETS, *more], body)


#: The answers of the hostile agent, by name.
PAGES: dict[str, bytes] = {
    "report.html": typed("text/html; charset=utf-8", PAGE),
    "no-type": answer(200, LETS, PAGE),
    "empty-type": typed("", PAGE),
    "two-types": typed("text/plain", PAGE, ("content-type", "text/html")),
    "picture.svg": typed("image/svg+xml", DRAWING),
    "page.xhtml": typed("application/xhtml+xml", XHTML),
    "styled.xml": typed("text/xml", STYLED),
    "evil.xsl": typed("text/xsl", SHEET),
    "paper.pdf": typed("application/pdf", PDF),
    "parts": typed("multipart/x-mixed-replace; boundary=a", PARTS),
    "mail.mht": typed("multipart/related; boundary=a", PARTS),
    "utf7.txt": typed("text/html; charset=utf-7", UTF_7),
    "iso.txt": typed("text/html; charset=iso-2022-jp", ISO_2022),
    "plain.txt": typed("text/plain; charset=utf-7", UTF_7),
    "red.png": typed("image/png", PAGE),
    "sw.js": typed("text/javascript", TAKES_OVER.encode()),
    "style.css": typed("text/css", b"body { display: none }"),
    "gone": typed("text/html", PAGE, ("location", "/api/sign-out"), status=302),
    "gone-on": typed("text/html", PAGE, ("location", "https://evil.example/"), status=308),
    "elsewhere": typed("text/html", PAGE, ("refresh", "0; url=/people")),
    "cleared": typed("text/plain", b"x", ("clear-site-data", '"*"')),
    "cookies": typed("text/plain", b"x", ("set-cookie", "owned=1; Path=/")),
    "linked": typed("text/plain", b"x", ("link", f'<{FILES}/{EVIL}/style.css>; rel="stylesheet"')),
    "log-in": typed("text/html", PAGE, ("www-authenticate", 'Basic realm="sign in"'), status=401),
    "proxy": typed("text/html", PAGE, ("proxy-authenticate", 'Basic realm="sign in"'), status=407),
    "refused.html": typed("text/html", PAGE, status=404),
    "failed.html": typed("application/xhtml+xml", XHTML, status=500),
    "early": answer(103, [("link", "</x>; rel=preload; as=script")], framed=False) + typed("text/html", PAGE),
    "switched": answer(101, [("connection", "upgrade"), ("upgrade", "h2c")], framed=False),
    "trailed": with_trailers(b"x", [("set-cookie", "owned=1; Path=/")]),
    "unframed": answer(200, [("content-type", "text/html"), ("connection", "close")], PAGE),
}  # fmt: skip


def by_name(asked: Asked) -> bytes:
    """Answers a list for a folder, properties with addresses elsewhere for PROPFIND, or a page."""
    if asked.method == "PROPFIND":
        return typed("text/xml", STYLED, status=207)
    if "entry" in asked.target.partition("?")[2].split("&"):
        folder = {"name": "", "kind": "folder", "bytes": 0, "modified_ms": 0}
        return typed("text/html", json.dumps(folder).encode())
    if asked.path == "":
        names = sorted(["..", ".", "a/b", "<b>.html", *PAGES])
        entries = [
            {"name": name, "kind": "file", "bytes": 1, "modified_ms": 0, "etag": '"><script>'}
            for name in names
        ]
        return typed("text/html", json.dumps({"entries": entries}).encode())
    return PAGES.get(asked.path, answer(404))


@dataclass
class Place:
    """A realm whose owner Emily has a browser, and whose other owner Olga uses the API."""

    gateway: HallGateway
    emily: Visitor
    olga: Person
    agent: HostileAgent
    files: Path


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Iterator[ObjectStore]:
    kept = ObjectStore(tmp_path_factory.mktemp("bucket") / "objects", "hostile")
    yield kept
    kept.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory, browser: Browser, bucket: ObjectStore) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    files = folder / "files"
    in_bucket = (
        f'[[hall.stores]]\nhall = "{HALL}"\nname = "bucket"\n'
        + bucket.settings("hall.stores.bucket", folder / "s3.secret")
    )
    gateway = HallGateway(folder / "gateway", store("folder", files) + in_bucket)
    emily = Visitor(browser, gateway.origin, SCREENSHOTS)
    set_up(gateway, emily)
    emily.open("/people")
    emily.page.get_by_label("Name").fill("Olga")
    emily.page.get_by_label("Role").select_option("owner")
    emily.press("Invite")
    emily.agree("Olga")
    olga = Person(gateway.origin, emily.handed_over())
    olga.act("hall.create", hall=HALL, title="The laboratory")
    rights = [f"{verb}:{name}" for name in (EVIL, "folder", "bucket") for verb in ("read", "write", "delete")]
    guest = {"role": "member"}
    invited = {"hall": HALL, "agent": EVIL, "stores": [EVIL], "services": [EVIL]}
    agent = HostileAgent(olga.act("hall.invite_agent", **invited)["link"], by_name)
    olga.act("hall.admit", hall=HALL, guest=guest, rights=[*rights, "connect:evil"])
    agent.announce([EVIL], [EVIL])
    assert agent.heard()[0] == "welcome"
    olga.act("hall.open", hall=HALL)
    emily.open(f"/halls/{HALL}/files/{EVIL}")
    emily.press("Open it with a touch")
    emily.agree("open the hall")
    expect(emily.page.get_by_role("button", name="report.html", exact=True)).to_be_visible()
    yield Place(gateway, emily, olga, agent, files)
    agent.close()
    emily.context.close()
    gateway.stop()


def look(visitor: Visitor, path: str) -> int | None:
    """Opens an address as a person does. Returns the status, or None if the browser saves a file."""
    answers = []
    page = visitor.context.new_page()
    page.on("response", lambda response: answers.append(response))
    try:
        page.goto(visitor.origin + path, wait_until="load")
        # When the browser is idle, a script of the page has started.
        page.wait_for_load_state("networkidle")
        assert page.url == visitor.origin + path, f"{path} led to {page.url}"
        assert page.title() != "owned", path
    except Error as error:
        kept = "Download is starting" in error.message or "ERR_ABORTED" in error.message
        assert kept, error
    finally:
        page.close()
    led = [answer.status for answer in answers if answer.request.redirected_from]
    assert not led, f"{path} was redirected"
    return answers[0].status if answers else None


def traces(visitor: Visitor) -> dict:
    """The traces that a page would have left if it had run as the owner."""
    page = visitor.context.new_page()
    page.goto(visitor.origin + "/halls")
    found = page.evaluate(
        """async () => ({
          stored: [localStorage.getItem("owned"), localStorage.getItem("prepared")],
          workers: (await navigator.serviceWorker.getRegistrations()).length,
          signedIn: (await fetch("/api/me")).status,
        })"""
    )
    page.close()
    cookies = {cookie["name"]: cookie["value"] for cookie in visitor.context.cookies()}
    return {**found, "cookies": cookies}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_page_of_an_agent_runs_as_the_owner(place: Place, name: str):
    before = traces(place.emily)
    log = place.gateway.program
    status = look(place.emily, f"{FILES}/{EVIL}/{quote(name)}")
    assert status in (None, 200, 404, 500, 502), f"{name} answered {status}"
    assert traces(place.emily) == before
    assert before["stored"] == [None, None] and before["workers"] == 0 and before["signedIn"] == 200
    assert log.process.poll() is None


INSIDE_A_PAGE = """async (base) => {
  const tried = {};
  const attempt = async (name, work) => {
    try { tried[name] = await work(); } catch (error) { tried[name] = "refused"; }
  };
  const loaded = (element, attribute, url) => new Promise((resolve) => {
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("refused");
    element[attribute] = url;
    document.head.append(element);
  });
  await attempt("service worker", async () =>
    (await navigator.serviceWorker.register(base + "sw.js", { scope: "/" })) && "registered");
  await attempt("narrow service worker", async () =>
    (await navigator.serviceWorker.register(base + "sw.js")) && "registered");
  await attempt("module", async () => (await import(base + "sw.js")) && "imported");
  await attempt("script", () => loaded(document.createElement("script"), "src", base + "sw.js"));
  await attempt("worker", () => new Promise((resolve) => {
    const worker = new Worker(base + "sw.js");
    worker.onerror = () => resolve("refused");
    worker.onmessage = () => resolve("ran");
  }));
  await attempt("style", () => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    return loaded(link, "href", base + "style.css");
  });
  await attempt("frame", () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => resolve(frame.contentDocument?.title === "x" ? "readable" : "refused");
    frame.src = base + "report.html";
    document.body.append(frame);
  }));
  return tried;
}"""


def test_no_file_of_an_agent_loads_into_a_page(place: Place):
    page = place.emily.context.new_page()
    page.goto(place.emily.origin + "/halls")
    tried = page.evaluate(INSIDE_A_PAGE, f"{FILES}/{EVIL}/")
    page.close()
    assert set(tried.values()) == {"refused"}, tried
    found = traces(place.emily)
    assert (found["stored"], found["workers"]) == ([None, None], 0)
    # The page's own policy is not the only bar: the gateway refuses, too.
    session = {"Authorization": place.olga.headers["Authorization"]}
    ask = Caller(place.gateway.origin, session)
    for dest in ["script", "serviceworker", "worker", "sharedworker", "style", "iframe", "object",
                 "embed", "xslt", "manifest", "font"]:  # fmt: skip
        refused = ask.get(f"{FILES}/{EVIL}/sw.js", Sec_Fetch_Dest=dest)
        assert refused.refused(403, "not-a-page"), dest
    ask.get(f"{FILES}/{EVIL}/sw.js", Service_Worker="script").refused(403, "not-a-page")
    for site in ["cross-site", "same-site"]:
        asked = {"Sec_Fetch_Site": site, "Sec_Fetch_Dest": "image"}
        ask.get(f"{FILES}/{EVIL}/red.png", **asked).refused(403, "cross-site")


def test_the_list_of_an_agent_leads_only_to_its_own_files(place: Place):
    page = place.emily.page
    place.emily.open(f"/halls/{HALL}/files/{EVIL}")
    expect(page.get_by_role("button", name="<b>.html", exact=True)).to_be_visible()
    names = page.locator("[data-part=table] tbody tr").evaluate_all("rows => rows.map(row => row.dataset.name)")
    assert set(names) == {"<b>.html", *PAGES}
    links = page.locator("[data-part=table] a").evaluate_all("links => links.map(link => link.pathname)")
    assert links and all(link.startswith(f"{FILES}/{EVIL}/") for link in links)
    place.emily.keep("46-hostile-agent-files")
    # The preview shows the HTML as text.
    page.get_by_role("button", name="report.html", exact=True).click()
    expect(page.get_by_role("dialog", name="report.html")).to_contain_text("<script>")
    place.emily.keep("46-hostile-agent-preview")
    page.keyboard.press("Escape")
    # The address of a folder can't name a path outside the store.
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    place.emily.open(f"/halls/{HALL}/files/{EVIL}?in=../../../../api/people")
    page.wait_for_load_state("networkidle")
    paths = [urlsplit(url).path for url in asked]
    listed = [path for path in paths if path.startswith("/api/")]
    assert listed and all(path.startswith(f"{FILES}/{EVIL}/") for path in listed), listed


HOSTILE_FILES = {
    "page.html": PAGE,
    "page.htm": PAGE,
    "page.xhtml": XHTML,
    "drawing.svg": DRAWING,
    "drawing.svgz": DRAWING,
    "styled.xml": STYLED,
    "evil.xsl": SHEET,
    "paper.pdf": PDF,
    "sw.js": TAKES_OVER.encode(),
    "module.mjs": TAKES_OVER.encode(),
    "program.wasm": b"\0asm\1\0\0\0",
    "page.mht": PARTS,
    "page.mhtml": PARTS,
    "picture.png": PAGE,
    "data.json": PAGE,
    "table.csv": PAGE,
    "none": PAGE,
    "page.html ": PAGE,
}


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_no_file_of_a_folder_or_bucket_runs_as_the_owner(place: Place, bucket: ObjectStore, kind: str):
    before = traces(place.emily)
    ask = Caller(place.gateway.origin, place.olga.headers)
    for name, content in HOSTILE_FILES.items():
        if kind == "folder":
            (place.files / name).write_bytes(content)
        else:
            # The uploader also chooses the metadata of an object.
            bucket.s3.put_object(Bucket=bucket.bucket, Key=name, Body=content, ContentType="text/html",
                                 CacheControl="public", ContentDisposition="inline",
                                 ContentEncoding="identity")  # fmt: skip
        path = f"{FILES}/{kind}/{quote(name)}"
        assert look(place.emily, path) in (None, 200), name
        got = ask.get(path)
        assert got.expect_bytes(200) == content
        is_inert(got)
    assert traces(place.emily) == before


INERT = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "application/pdf",
         "application/json", "application/cbor", "text/csv; charset=utf-8", "text/plain; charset=utf-8",
         "application/octet-stream", "application/problem+json"}  # fmt: skip
SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain; charset=utf-8"}
ALLOWED = {"accept-ranges", "cache-control", "connection", "content-disposition", "content-length",
           "content-range", "content-security-policy", "content-type", "cross-origin-opener-policy",
           "cross-origin-resource-policy", "date", "etag", "last-modified", "permissions-policy",
           "referrer-policy", "repr-digest", "transfer-encoding", "x-content-type-options",
           "x-request-id"}  # fmt: skip


def is_inert(got: Reply) -> None:
    """Checks the head of an answer that carries bytes of others."""
    names = [name.lower() for name in got.headers]
    assert set(names) <= ALLOWED, set(names) - ALLOWED
    assert len(names) == len(set(names)), names
    assert got.headers["Content-Type"] in INERT, got.headers["Content-Type"]
    policy = got.headers["Content-Security-Policy"]
    assert {"sandbox", "default-src 'none'"} <= {part.strip() for part in policy.split(";")}, policy
    assert "allow-" not in policy
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert got.headers["Referrer-Policy"] == "no-referrer"
    assert got.headers["Cache-Control"] in ("private, no-cache", "no-store", "private, max-age=3600",
                                            "private, max-age=31536000, immutable")  # fmt: skip
    if got.status == 200:
        kind = "inline" if got.headers["Content-Type"] in SHOWN else "attachment"
        assert got.headers["Content-Disposition"].split(";")[0] == kind


HEADERS = [
    ("Set-Cookie", "owned=1; Path=/"), ("Set-Cookie2", "a=b"), ("Clear-Site-Data", '"*"'),
    ("Location", "/evil"), ("Content-Location", "/evil"), ("Refresh", "0; url=/evil"),
    ("Link", "</evil>; rel=stylesheet"), ("WWW-Authenticate", "Basic"), ("Proxy-Authenticate", "Basic"),
    ("Authentication-Info", "x"), ("Service-Worker-Allowed", "/"),
    ("Content-Security-Policy", "default-src *"), ("Content-Security-Policy-Report-Only", "default-src *"),
    ("X-Content-Type-Options", "sniff"), ("X-Frame-Options", "ALLOWALL"), ("Referrer-Policy", "unsafe-url"),
    ("Permissions-Policy", "camera=*"), ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("Cross-Origin-Opener-Policy", "unsafe-none"), ("Cross-Origin-Embedder-Policy", "unsafe-none"),
    ("Origin-Agent-Cluster", "?0"), ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"), ("Timing-Allow-Origin", "*"), ("SourceMap", "/evil"),
    ("X-SourceMap", "/evil"), ("NEL", '{"report_to":"a"}'), ("Report-To", "{}"),
    ("Reporting-Endpoints", 'a="https://evil.example"'), ("Alt-Svc", 'h3="evil.example:443"'),
    ("Strict-Transport-Security", "max-age=0"), ("Accept-CH", "Sec-CH-UA-Model"), ("Vary", "*"),
    ("Speculation-Rules", '"/evil"'), ("Supports-Loading-Mode", "credentialed-prerender"),
    ("Use-As-Dictionary", 'match="/*"'), ("Content-Encoding", "gzip"), ("Content-Language", "x"),
    ("Content-Disposition", 'inline; filename="evil.html"'), ("Cache-Control", "public, max-age=31536000"),
    ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT"), ("Age", "1"), ("Pragma", "cache"),
    ("Content-Type", "text/html"), ("ETag", "not a tag"), ("Last-Modified", "now"),
    ("Content-Range", "bytes 0-0/1"), ("Repr-Digest", "sha-256=:AA==:"), ("Accept-Ranges", "evil"),
    ("Trailer", "Set-Cookie"), ("Upgrade", "h2c"), ("Server", "evil"), ("Via", "evil"),
    ("Retry-After", "1"), ("DAV", "2"), ("Allow", "EVIL"), ("X-Powered-By", "evil"),
]  # fmt: skip


@pytest.mark.parametrize("status", [200, 404, 503])
def test_only_safe_headers_of_an_agent_are_passed_on(place: Place, status: int):
    ask = Caller(place.gateway.origin, place.olga.headers)
    plain = ask.get(f"{FILES}/{EVIL}/nowhere.bin")
    is_inert(plain)
    for name, value in [*HEADERS, ("All", "of them")]:
        sent = HEADERS if name == "All" else [(name, value)]
        PAGES["table"] = answer(status, sent, b"x")
        got = ask.get(f"{FILES}/{EVIL}/table")
        assert got.status == status, name
        is_inert(got)
        assert "evil" not in str(got.headers).replace(EVIL + "/", ""), name
        head = ask.call("HEAD", f"{FILES}/{EVIL}/table")
        assert {text.lower() for text in head.headers} <= ALLOWED


@pytest.mark.parametrize(
    "status", [s for s in (*range(102, 104), *range(201, 209), 226, *range(300, 310), 401, 402, 407)]
)
def test_no_status_of_an_agent_redirects_or_asks_to_sign_in(place: Place, status: int):
    ask = Caller(place.gateway.origin, place.olga.headers)
    interim = status < 200
    more = typed("text/plain", b"x") if interim else b""
    body = b"" if interim or status in (204, 304) else b"x"
    PAGES["status"] = answer(status, HEADERS, body, framed=not interim) + more
    got = ask.get(f"{FILES}/{EVIL}/status")
    # The gateway drops an interim answer (RFC 9110, 15.2), and answers 502 for the other statuses.
    assert got.status == (200 if interim else 502)
    is_inert(got)


def test_a_refusal_of_an_agent_becomes_a_plain_problem(place: Place):
    ask = Caller(place.gateway.origin, place.olga.headers)
    said = {"type": "https://evil.example", "title": "<script>", "status": 401, "code": "Sign In",
            "detail": "sign in\u001b[2J at\n https://evil.example \u202e" + "x" * 9000, "more": 1}  # fmt: skip
    PAGES["refusal"] = typed("application/problem+json", json.dumps(said).encode(), status=403)
    got = ask.get(f"{FILES}/{EVIL}/refusal")
    problem = got.refused(403, None)
    assert set(problem) == {"type", "title", "status", "detail"}
    assert (problem["type"], problem["title"]) == ("about:blank", "Forbidden")
    assert problem["detail"].startswith("sign in\ufffd[2J at\ufffd https")
    assert len(problem["detail"].encode()) <= 255
    PAGES["refusal"] = typed("application/problem+json", b"[" * 100_000, status=403)
    assert ask.get(f"{FILES}/{EVIL}/refusal").refused(403, None)["detail"]


def raw(port: int, method: str, path: str, headers: dict[str, str]) -> Reply:
    """Sends one request to a local port, with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answered = connection.getresponse()
    return Reply(answered.status, answered.headers, answered.read())


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[tuple[Realm, HostileAgent, int, str]]:
    """A hall with a hostile agent, open at a shell: the realm, the agent, the local port, its password."""
    realm = Realm(tmp_path_factory.mktemp("realm"), "")
    invited = {"hall": HALL, "agent": EVIL, "stores": [EVIL], "services": [EVIL]}
    agent = HostileAgent(realm.owner.act("hall.invite_agent", **invited)["link"], by_name)
    agent.announce([EVIL], [EVIL])
    assert agent.heard()[0] == "welcome"
    ada = realm.guest("Ada", [f"read:{EVIL}", f"write:{EVIL}", "connect:evil"])
    doors = ada.open()
    yield realm, agent, urlsplit(doors.files).port, doors.password
    doors.close()
    agent.close()
    realm.close()


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"hall:{password}".encode()).decode()


def test_no_file_of_a_local_port_runs_as_a_page(opened, browser: Browser):
    _, _, port, password = opened
    origin = f"http://127.0.0.1:{port}"
    host = {"Host": f"127.0.0.1:{port}", "Authorization": basic(password)}
    for name in sorted(PAGES):
        got = raw(port, "GET", f"/files/{EVIL}/{quote(name)}", host)
        assert got.status in (200, 403, 404, 500, 502, 503), f"{name}: {got.status}"
        assert {header.lower() for header in got.headers} <= ALLOWED, name
        assert got.headers["Content-Type"] in INERT, name
        assert "sandbox" in got.headers["Content-Security-Policy"]
    credentials = {"username": "hall", "password": password}
    context = browser.new_context(http_credentials=credentials)
    page = context.new_page()
    for name in ["report.html", "picture.svg", "page.xhtml", "styled.xml", "gone", "log-in", "refused.html"]:
        try:
            page.goto(f"{origin}/files/{EVIL}/{name}")
            assert page.title() != "owned" and page.url == f"{origin}/files/{EVIL}/{name}"
        except Error as error:
            assert "Download is starting" in error.message or "ERR_ABORTED" in error.message, error
    page.goto(f"{origin}/files/{EVIL}/plain.txt")
    assert page.evaluate("origin") == "null", "a file must have an opaque origin"
    assert context.cookies() == []
    context.close()


def test_a_local_port_refuses_requests_of_web_pages(opened):
    _, _, port, password = opened
    path = f"/files/{EVIL}/report.html"
    good = {"Host": f"127.0.0.1:{port}", "Authorization": basic(password)}
    assert raw(port, "GET", path, good).status == 200
    assert raw(port, "GET", path, good | {"Host": f"localhost:{port}"}).status == 200
    for host in [f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", ""]:
        raw(port, "GET", path, good | {"Host": host}).refused(421, "other-host")
    for origin in ["null", "https://evil.example", f"http://127.0.0.1:{port}"]:
        for method in ["GET", "PUT", "DELETE", "OPTIONS"]:
            got = raw(port, method, path, good | {"Origin": origin})
            got.refused(403, "cross-origin")
            assert "Access-Control-Allow-Origin" not in got.headers
    for site in ["cross-site", "same-site"]:
        asked = good | {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
        raw(port, "GET", path, asked).refused(403, "cross-origin")
    raw(port, "GET", path, good | {"Sec-Fetch-Dest": "script"}).refused(403, "not-a-page")
    without = {"Host": f"127.0.0.1:{port}"}
    assert raw(port, "GET", path, without).headers["WWW-Authenticate"] == 'Basic realm="hallway open"'


def test_the_local_port_writes_the_properties_itself(opened):
    _, agent, port, password = opened
    before = len(agent.asked)
    host = {"Host": f"127.0.0.1:{port}", "Authorization": basic(password), "Depth": "1"}
    got = raw(port, "PROPFIND", f"/files/{EVIL}/", host)
    text = got.expect_bytes(207).decode()
    assert got.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    assert "<?xml-stylesheet" not in text and "<script>" not in text
    hrefs = [part.split("</D:href>")[0] for part in text.split("<D:href>")[1:]]
    assert len(hrefs) == 2 + len(PAGES), "expected the folder, one odd name, and all pages"
    assert all(href.startswith(f"/files/{EVIL}/") and ".." not in href for href in hrefs)
    # The local port makes the answer from the list, and passes no PROPFIND on to the agent.
    assert not any(asked.method == "PROPFIND" for asked in agent.asked[before:])


def test_a_service_refusal_of_an_agent_is_reworded(opened):
    _, _, port, password = opened
    asked = {"Host": f"127.0.0.1:{port}", "Authorization": basic(password), "Connection": "upgrade",
             "Upgrade": "hallway-stream"}  # fmt: skip
    got = raw(port, "GET", f"/connect/{EVIL}", asked)
    problem = got.refused(502, "unusable")
    assert "sign in" not in problem["detail"]
    assert "WWW-Authenticate" not in got.headers


def test_no_file_of_a_device_runs_as_a_page(tmp_path: Path, browser: Browser):
    """Neither the media type nor the file name in a device's signed statement makes it a page."""
    gateway = Gateway(tmp_path / "data")
    emily = Visitor(browser, gateway.origin, SCREENSHOTS)
    set_up(gateway, emily)
    emily.open("/people")
    emily.page.get_by_label("Name").fill("Olga")
    emily.page.get_by_label("Role").select_option("owner")
    emily.press("Invite")
    emily.agree("Olga")
    olga = Person(gateway.origin, emily.handed_over())
    maker = Maker()
    olga.act("maker.add", name=maker.name, certificate=maker.pem)
    device = Device(gateway.origin, maker, "C-1")
    device.enrol(olga)
    before = traces(emily)
    for media_type, name, content in [
        ("text/html", "page.html", PAGE),
        ("image/svg+xml", "drawing.svg", DRAWING),
        ("application/xhtml+xml", "page.xhtml", XHTML),
        ("text/javascript", "sw.js", TAKES_OVER.encode()),
        ("multipart/x-mixed-replace;boundary=a", 'a"; filename="x.html', PARTS),
        ("image/jpeg", "a.html", b"\xff\xd8\xff" + PAGE),
    ]:
        signed = device.compose(content, media_type=media_type, file_name=name)
        device.send(signed, content).expect_bytes(201)
        newest = olga.get("/api/transactions?limit=1").expect()["items"][0]
        for part in ["payload", "thumbnail"]:
            path = f"/api/transactions/{newest['evidence']}/{part}"
            got = olga.get(path)
            if part == "payload":
                assert got.expect_bytes(200) == content
                is_inert(got)
                expected = "image/jpeg" if media_type == "image/jpeg" else "application/octet-stream"
                assert got.headers["Content-Type"] == expected
            else:
                assert got.status == 404, "a file that is no picture has no thumbnail"
            assert look(emily, path) in (None, 200, 404)
            olga.get(path, Sec_Fetch_Dest="script").refused(403, "not-a-page")
            olga.get(path, Service_Worker="script").refused(403, "not-a-page")
    assert traces(emily) == before
    emily.context.close()
    assert gateway.stop() == 0
