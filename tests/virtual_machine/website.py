"""A website with a relying party (python-fido2): registers the key that is plugged in, and signs in with
it. The page reports how far the ceremonies came."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity, PublicKeyCredentialUserEntity

# If a browser hears nothing from a key for three seconds, it gives the key up, but not the ceremony, and no
# timeout of the browser ends the ceremony then. An emulated computer may be silent for three seconds. So the
# page ends the ceremony and begins it again, as a person would.
PAGE = """<!doctype html><title>Gate</title><script type="module">
const post = async (path, body) => {
  const answer = await fetch(path, {method: "POST", body: JSON.stringify(body)});
  return answer.json();
};
const repeated = async (ceremony) => {
  for (;;) {
    const within = AbortSignal.timeout(CEREMONY_MILLISECONDS);
    try {
      return await ceremony(within);
    } catch (error) {
      if (!within.aborted) throw error;
      await post("/again", String(error));
    }
  }
};
try {
  const make = PublicKeyCredential.parseCreationOptionsFromJSON(await post("/register", null));
  const made = await repeated((signal) => navigator.credentials.create({publicKey: make, signal}));
  await post("/registered", made.toJSON());
  const ask = PublicKeyCredential.parseRequestOptionsFromJSON(await post("/sign-in", null));
  const signed = await repeated((signal) => navigator.credentials.get({publicKey: ask, signal}));
  await post("/signed-in", signed.toJSON());
} catch (error) {
  await post("/failed", String(error));
}
</script>"""


class Website(ThreadingHTTPServer):
    """Listens on a port of its own until it is closed.

    Each connection has a thread: a browser opens some connections that it may never use, and a server
    that waited for a request on one of them would answer no other.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, ceremony_within: float):
        super().__init__(("127.0.0.1", 0), Visit)
        party = PublicKeyCredentialRpEntity(name="Gate", id="localhost")
        self.relying_party = Fido2Server(party, attestation="direct")
        self.page = PAGE.replace("CEREMONY_MILLISECONDS", str(int(ceremony_within * 1000))).encode()
        self.state = None
        self.credentials: list = []
        # Set when the visit has succeeded or failed.
        self.over = threading.Event()
        self.found: dict = {"visited": []}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def failed(self, why: str) -> None:
        self.found.setdefault("error", why)
        self.over.set()

    def answer(self, path: str, body) -> dict:
        self.found["visited"].append(path)
        match path:
            case "/register":
                user = PublicKeyCredentialUserEntity(name="ada", id=b"ada", display_name="Ada")
                options, self.state = self.relying_party.register_begin(
                    user, user_verification="discouraged"
                )
                return dict(options.public_key)
            case "/registered":
                made = self.relying_party.register_complete(self.state, body)
                self.credentials.append(made.credential_data)
                self.found["transports"] = body["response"]["transports"]
            case "/sign-in":
                options, self.state = self.relying_party.authenticate_begin(
                    self.credentials, user_verification="discouraged"
                )
                return dict(options.public_key)
            case "/signed-in":
                self.relying_party.authenticate_complete(self.state, self.credentials, body)
                self.found["signed_in"] = True
                self.over.set()
            case "/failed":
                self.failed(body)
        return {}


class Visit(BaseHTTPRequestHandler):
    """One connection of the browser."""

    server: Website
    # The seconds for which a connection may be silent.
    timeout = 120

    def do_GET(self) -> None:
        if self.path == "/":
            self.server.found["visited"].append("/")
        self.reply(self.server.page, "text/html")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = self.server.answer(self.path, body)
            self.reply(json.dumps(answer).encode(), "application/json")
        except Exception as error:
            self.server.failed(f"{self.path}: {error!r}")
            raise

    def reply(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
