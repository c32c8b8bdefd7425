"""Kill -9 of the gateway and of the device during their work, many times. The API shows the result.

Acknowledged data stays, a message sent twice counts once, and the log extends the one before the kill.
The moments of the kills are random, between two events of the victim; a failure prints the seed.
"""

import json
import random
import re
import subprocess
import threading
import time
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from queue import Queue

from api_caller import Person
from fido2 import cbor
from gateway_process import Gateway, Program, hallway
from soft_device import Device, Maker
from soft_webauthn import unb64

GATEWAY_KILLS, DEVICE_KILLS = 30, 15
SEED = random.SystemRandom().randrange(1 << 32)
SERVES = re.compile("Hallway serves")

# The gateway stores payloads up to this size in the database, and larger ones in the object store.
INLINE_BYTES = 4096


def run(*arguments: str | Path) -> str:
    """Runs a `hallway` command that must succeed."""
    done = subprocess.run(
        [hallway(), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


def kill(program: Program) -> None:
    """Ends the program at once, as a power cut does: it can neither flush data nor tell its peers."""
    program.process.kill()
    program.process.wait(timeout=30)


def check_list(rows: list[dict], payloads: list[bytes]) -> None:
    """Checks that every payload is there once, and that the numbers of each device rise with the log."""
    assert sorted(row["sha256"] for row in rows) == sorted(
        sha256(payload).hexdigest() for payload in payloads
    )
    assert len({row["log_index"] for row in rows}) == len(rows)
    for device in {row["device"] for row in rows}:
        own = sorted((row for row in rows if row["device"] == device), key=lambda r: r["log_index"])
        sequences = [row["sequence"] for row in own]
        assert sequences == sorted(set(sequences))


class MortalGateway:
    """A gateway that is killed and started again on the same folder and port."""

    def __init__(self, folder: Path):
        self.program: Program = Gateway(folder)
        self.folder, self.origin = folder, self.program.origin
        self.set_up_link = self.program.set_up_link
        self.up = threading.Event()
        self.up.set()

    def kill(self) -> None:
        self.up.clear()
        kill(self.program)

    def start(self) -> None:
        address = "127.0.0.1:" + self.origin.rsplit(":", 1)[1]
        self.program = Program("serve", "--data", self.folder, "--listen", address)
        self.program.wait_for(SERVES)
        self.up.set()


class Camera(threading.Thread):
    """Sends payloads one after the other. It repeats each until it has the receipt."""

    def __init__(self, device: Device, gateway: MortalGateway, told: Queue):
        super().__init__(daemon=True)
        self.device, self.gateway, self.told = device, gateway, told
        self.payloads: list[bytes] = []
        self.receipts: list[bytes] = []
        self.repeated = 0
        self.stopped = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                self.send(len(self.payloads))
        except BaseException as failure:
            self.failure = failure
        finally:
            self.told.put(None)

    def send(self, number: int) -> None:
        text = f"{self.device.serial} {number} "
        payload = text.encode() * (1 if number % 3 else INLINE_BYTES // len(text) + 1)
        self.payloads.append(payload)
        signed = self.device.compose(payload)
        while True:
            assert self.gateway.up.wait(60), "the gateway did not come back"
            try:
                reply = self.device.send(signed, payload)
            except (OSError, HTTPException):
                # The gateway was killed meanwhile. The camera has no answer, so it asks again.
                continue
            if reply.status == 409:
                receipt = unb64(reply.refused(409, "already-accepted")["receipt"])
                self.repeated += 1
            elif reply.status == 503:
                continue
            else:
                receipt = reply.expect_bytes(201)
            self.receipts.append(receipt)
            self.told.put(number)
            return


def test_a_killed_gateway_neither_loses_nor_repeats_a_payload(tmp_path: Path):
    chance = random.Random(SEED)
    gateway = MortalGateway(tmp_path / "data")
    cameras: list[Camera] = []
    checkpoints = []
    try:
        owner = Person.owner(gateway)
        maker = Maker()
        owner.act("maker.add", name=maker.name, certificate=maker.pem)
        told: Queue = Queue()
        for number in range(6):
            device = Device(gateway.origin, maker, f"KILL-{number}")
            device.enrol(owner)
            cameras.append(Camera(device, gateway, told))
        for camera in cameras:
            camera.start()
        for _ in range(GATEWAY_KILLS):
            for _ in range(chance.randint(1, 12)):
                assert told.get(timeout=60) is not None, [camera.failure for camera in cameras]
            time.sleep(chance.random() * 0.02)
            gateway.kill()
            gateway.start()
            checkpoints.append(owner.get("/log/checkpoint").body)
        for camera in cameras:
            camera.stopped.set()
        for camera in cameras:
            camera.join(60)
            assert not camera.is_alive() and camera.failure is None, (SEED, camera.failure)
        check_received(owner, cameras, checkpoints, tmp_path)
        # Sessions survive the kill, too.
        assert owner.get("/api/me").expect()["id"] == owner.id
        assert gateway.program.stop() == 0
    except AssertionError as failure:
        failure.add_note(f"seed {SEED}")
        raise
    finally:
        gateway.program.process.kill()


def check_received(
    owner: Person, cameras: list[Camera], checkpoints: list[bytes], folder: Path
) -> None:
    trust = folder / "trust.json"
    trust.write_bytes(owner.get("/api/trust").body)
    rows = owner.pages("/api/transactions")
    check_list(rows, [payload for camera in cameras for payload in camera.payloads])
    # The log extends every checkpoint that the gateway has shown.
    for number, checkpoint in enumerate(checkpoints):
        shown = folder / f"checkpoint-{number}"
        shown.write_bytes(checkpoint)
        run("log", "verify", owner.origin, "--trust", trust, "--since", shown)
    # Every receipt holds offline and agrees with the gateway's current answer.
    by_hash = {row["evidence"]: row for row in rows}
    for camera in cameras:
        grounds = cbor.decode(unb64(camera.device.status().expect()["receipts"]))["receipts"]
        assert len(camera.receipts) == len(camera.payloads)
        for number, receipt in enumerate(camera.receipts):
            evidence = cbor.decode(receipt)["evidence"]
            row = by_hash[sha256(evidence).hexdigest()]
            payload = camera.payloads[number]
            assert (row["sequence"], row["length"]) == (number + 1, len(payload))
            kept = owner.get(f"/api/transactions/{row['evidence']}/payload")
            assert kept.expect_bytes(200) == payload
            if number % 4 == 0:
                check_offline(folder / f"{camera.device.serial}-{number}", payload, trust, row,
                              cbor.encode({"receipts": [receipt, *grounds]}))  # fmt: skip


def check_offline(file: Path, payload: bytes, trust: Path, row: dict, bundle: bytes) -> None:
    """Checks that `hallway verify` accepts a payload with the receipt that its device got."""
    file.write_bytes(payload)
    file.with_name(file.name + ".evidence").write_bytes(bundle)
    report = json.loads(run("verify", file, "--trust", trust, "--json"))
    assert report["conclusion"]["log_index"] == row["log_index"]


EVENT = re.compile('"event"')


def event(name: str) -> re.Pattern[str]:
    return re.compile(f'.*"event":"{name}".*')


class MortalDevice:
    """`hallway device run`, killed and started again on the same folder and key file."""

    def __init__(self, folder: Path, origin: str):
        self.watched, self.kept = folder / "camera", folder / "kept"
        self.watched.mkdir()
        secret = folder / "secret"
        secret.write_bytes(random.SystemRandom().randbytes(32))
        run("device", "provision", folder / "camera.key", "--serial", "KILL-RUN",
            "--maker", folder / "maker", "--operator-key", secret)  # fmt: skip
        self.maker = (folder / "maker" / "maker.pem").read_text()
        self.arguments = [
            "device", "run", self.watched, "--key", folder / "camera.key",
            "--operator-key", secret, "--gateway", origin, "--keep", self.kept, "--json",
        ]  # fmt: skip
        self.lives: list[Program] = []

    @property
    def program(self) -> Program:
        return self.lives[-1]

    def start(self) -> None:
        self.lives.append(Program(*self.arguments))

    def events(self) -> list[dict]:
        """The events of all its runs, without lines that a kill has cut off."""
        lines = [line for life in self.lives for line in life.lines]
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def drop(self, number: int) -> bytes:
        """Puts a whole file into the folder in one step."""
        payload = f"file {number} ".encode() * (1 if number % 3 else 600)
        unfinished = self.watched / f"{number:03}.txt.part"
        unfinished.write_bytes(payload)
        unfinished.rename(self.watched / f"{number:03}.txt")
        return payload


def test_a_killed_device_neither_loses_nor_repeats_a_file(tmp_path: Path, gateway: Gateway):
    chance = random.Random(SEED)
    owner = Person.owner(gateway)
    device = MortalDevice(tmp_path, gateway.origin)
    owner.act("maker.add", name="Maker", certificate=device.maker)
    device.start()
    try:
        shown = json.loads(device.program.wait_for(event("code"))[0])
        owner.act("device.claim", code=shown["code"])
        device.program.wait_for(event("registered"))
        payloads: list[bytes] = []
        for _ in range(DEVICE_KILLS):
            payloads += [device.drop(len(payloads) + more) for more in range(3)]
            # Three files make at least six events, because each file is signed and then accepted.
            for _ in range(chance.randint(1, 6)):
                device.program.wait_for(EVENT)
            time.sleep(chance.random() * 0.03)
            kill(device.program)
            device.start()
        kill(device.program)
        last = Program(*device.arguments, "--once")
        device.lives.append(last)
        assert last.process.wait(timeout=120) == 0, "\n".join(last.lines)
        check_accepted(owner, device, payloads, tmp_path)
    except AssertionError as failure:
        failure.add_note(f"seed {SEED}")
        raise
    finally:
        device.program.process.kill()


def check_accepted(
    owner: Person, device: MortalDevice, payloads: list[bytes], folder: Path
) -> None:
    assert [path.name for path in device.watched.iterdir() if path.suffix == ".txt"] == []
    rows = owner.pages("/api/transactions")
    check_list(rows, payloads)
    told = [event for event in device.events() if event["event"] == "accepted"]
    known = {(row["file_name"], row["sequence"], row["log_index"]) for row in rows}
    assert {(event["file"], event["sequence"], event["log_index"]) for event in told} <= known
    assert not [event for event in device.events() if event["event"] == "refused"]
    trust = folder / "trust.json"
    trust.write_bytes(owner.get("/api/trust").body)
    run("log", "verify", owner.origin, "--trust", trust)
    index_of = {row["file_name"]: row["log_index"] for row in rows}
    for number, payload in enumerate(payloads):
        kept = device.kept / f"{number:03}.txt"
        assert kept.read_bytes() == payload
        report = json.loads(run("verify", kept, "--trust", trust, "--json"))
        assert report["conclusion"]["log_index"] == index_of[kept.name]
