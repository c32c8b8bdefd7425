"""Two gateways, one of which watches the other's log; and a check of cosignatures from their bytes alone."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from api_caller import Person
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from gateway_process import Gateway, GatewayAgain


def add_to(folder: Path, table: str, **settings: str) -> None:
    """Adds a `[[table]]` to a gateway's configuration."""
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    with (folder / "hallway.toml").open("a") as file:
        file.write("\n".join(["", f"[[{table}]]", *lines, ""]))


class Watched:
    """A log and its witness: two realms, each with a signed-in owner."""

    def __init__(self, folder: Path):
        first = {name: Gateway(folder / name) for name in ("witness", "log")}
        self.owners = {name: Person.owner(gateway) for name, gateway in first.items()}
        self.witness_key = first["witness"].get("/witness/key").decode().strip()
        self.log_key = json.loads(first["log"].get("/api/trust"))["log"]
        for gateway in first.values():
            assert gateway.stop() == 0, "\n".join(gateway.lines)
        address = first["witness"].origin.replace("localhost", "127.0.0.1") + "/witness"
        add_to(folder / "log", "witnesses", key=self.witness_key, url=address)
        add_to(folder / "witness", "witnessed", key=self.log_key)
        self.witness = GatewayAgain(first["witness"])
        self.log = GatewayAgain(first["log"], "--metrics-listen", "127.0.0.1:0")

    def stop(self) -> None:
        for gateway in (self.log, self.witness):
            assert gateway.stop() == 0, "\n".join(gateway.lines)

    def grow(self, entries: int) -> int:
        """Adds entries to the log by acts of its owner. Returns the log's size."""
        for number in range(entries):
            self.owners["log"].act("people.invite", name=f"Guest {number}", role="member")
        return self.size()

    def size(self) -> int:
        return int(self.log.get("/log/checkpoint").split(b"\n")[1])

    def asked(self) -> dict:
        """The state of the log's gateway with its witness, after it has asked the witness."""
        return self.owners["log"].post("/api/witness/ask").expect()["witnesses"][0]

    def seen(self) -> dict:
        """The state of the log, as the witness knows it."""
        [log] = self.owners["witness"].get("/api/witness").expect()["witnessed"]
        return log


def cosigned_at(note: str, vkey: str) -> int | None:
    """The time (seconds since 1970) at which the witness with this key cosigned a checkpoint
    (c2sp.org/tlog-cosignature), or None if it did not."""
    name, key_id, key = vkey.split("+", 2)
    public = b64decode(key)
    assert public[0] == 4
    assert sha256(name.encode() + b"\n" + public).digest()[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        signature = b64decode(encoded)
        if (dash, signer, signature[:4].hex()) == ("—", name, key_id):
            at = int.from_bytes(signature[4:12], "big")
            message = f"cosignature/v1\ntime {at}\n{text}\n".encode()
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[12:], message)
            return at
    return None
