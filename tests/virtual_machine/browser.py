"""Runs in the virtual machine: a site with a relying party (python-fido2), and Chromium, which
registers and signs in there with the key that is plugged in. Prints what was found as JSON."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity, PublicKeyCredentialUserEntity

[chromium] = sys.argv[1:]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
QUIET += ["--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

PAGE = b"""<!doctype html><title>Gate</title><script type="module">
const post = async (path, body) => {
  const answer = await fetch(path, {method: "POST", body: JSON.stringify(body)});
  return answer.json();
};
try {
  const make = PublicKeyCredential.parseCreationOptionsFromJSON(await post("/register", null));
  const made = await navigator.credentials.create({publicKey: make});
  await post("/registered", made.toJSON());
  const ask = PublicKeyCredential.parseRequestOptionsFromJSON(await post("/sign-in", null));
  const signed = await navigator.credentials.get({publicKey: ask});
  await post("/signed-in", signed.toJSON());
} catch (error) {
  await post("/failed", String(error));
}
</script>"""

server = Fido2Server(PublicKeyCredentialRpEntity(name="Gate", id="localhost"), attestation="direct")
over = threading.Event()
found: dict = {}
state = None
credentials: list = []


def answer(path: str, body) -> dict:
    global state
    match path:
        case "/register":
            user = PublicKeyCredentialUserEntity(name="ada", id=b"ada", display_name="Ada")
            options, state = server.register_begin(user, user_verification="discouraged")
            return dict(options.public_key)
        case "/registered":
            credentials.append(server.register_complete(state, body).credential_data)
            found["transports"] = body["response"]["transports"]
        case "/sign-in":
            options, state = server.authenticate_begin(credentials, user_verification="discouraged")
            return dict(options.public_key)
        case "/signed-in":
            server.authenticate_complete(state, credentials, body)
            found["signed_in"] = True
            over.set()
        case "/failed":
            found["error"] = body
            over.set()
    return {}


class Site(BaseHTTPRequestHandler):
    """The page, and the relying party behind it."""

    def do_GET(self) -> None:
        self.reply(PAGE, "text/html")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.reply(json.dumps(answer(self.path, body)).encode(), "application/json")
        except Exception as error:
            found["error"] = f"{self.path}: {error!r}"
            over.set()
            raise

    def reply(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


site = HTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()
started = time.monotonic()
with open("/run/chromium.log", "w+") as log:
    browser = subprocess.Popen(
        [chromium, "--headless=new", *QUIET, "--user-data-dir=/run/chromium"]
        + [f"http://localhost:{site.server_port}/"],
        stdout=log,
        stderr=log,
    )
    while not over.wait(1):
        if browser.poll() is not None:
            found["error"] = f"Chromium ended with {browser.returncode}"
            break
    browser.kill()
    if "error" in found:
        log.seek(0)
        print(log.read()[-3000:], file=sys.stderr)
found["seconds"] = round(time.monotonic() - started)
print(json.dumps(found))
