"""Runs in the virtual machine: Chromium, which registers and signs in at a website with the key that is
plugged in. Arguments: the browser, and the seconds that both may take. Prints the result as JSON, always
and in time."""

import json
import subprocess
import sys
import threading
import time

from website import Website

chromium, within = sys.argv[1], float(sys.argv[2])
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
QUIET += ["--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
# A process of Chromium ends itself if the first process does not greet it within 15 seconds, which happens
# on an emulated machine on a busy host. If the network process ends so, the page's requests are never
# answered, and the page is not told.
QUIET += [f"--ipc-connection-timeout={int(within)}"]
QUIET += ["--enable-features=NetworkServiceInProcess2", "--disable-hang-monitor"]

site = Website(ceremony_within=within / 8)
started = time.monotonic()
with open("/run/chromium.log", "w+") as log:
    browser = subprocess.Popen(
        [chromium, "--headless=new", *QUIET, "--user-data-dir=/run/chromium"]
        + [f"http://localhost:{site.server_port}/"],
        stdout=log,
        stderr=log,
    )

    def tell_its_end() -> None:
        code = browser.wait()
        site.failed(f"Chromium ended with {code}")

    threading.Thread(target=tell_its_end, daemon=True).start()
    if not site.over.wait(within):
        site.failed(f"Chromium did not sign in within {within:g} s; it came to {site.found['visited']}")
    found = dict(site.found)
    browser.kill()
    if "error" in found:
        log.seek(0)
        print(log.read()[-3000:], file=sys.stderr)
found["seconds"] = round(time.monotonic() - started)
print(json.dumps(found))
