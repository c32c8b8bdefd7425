"""Two gateways of which one watches the other's log, and what a cosignature is, by its words alone."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from api_caller import Person
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from gateway_process import Gateway, GatewayAgain


def add_to(folder: Path, table: str, **settings: str) -> None:
    """One more `[[table]]` in a gateway's configuration."""
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    with (folder / "hallway.toml").open("a") as file:
        file.write("\n".join(["", f"[[{table}]]", *lines, ""]))


class Watched:
    """A log and its witness: two realms, each with an owner who is signed in."""

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
        """Lets the log's owner do something; gives the log's size."""
        for number in range(entries):
            self.owners["log"].act("people.invite", name=f"Guest {number}", role="member")
        return self.size()

    def size(self) -> int:
        return int(self.log.get("/log/checkpoint").split(b"\n")[1])

    def asked(self) -> dict:
        """How the log's gateway stands with its witness, after it asked it."""
        return self.owners["log"].post("/api/witness/ask").expect()["witnesses"][0]

    def seen(self) -> dict:
        """What the witness knows of the log."""
        [log] = self.owners["witness"].get("/api/witness").expect()["witnessed"]
        return log


def cosigned_at(note: str, vkey: str) -> int | None:
    """When the witness of this key cosigned a checkpoint (c2sp.org/tlog-cosignature), seconds since
    1970; nothing when it did not."""
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
