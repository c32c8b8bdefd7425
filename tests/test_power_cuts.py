"""Kill -9 of the device's agent or of the gateway, at any moment, under load.

Every photograph must be accepted exactly once, keep a signed copy that holds, and the log must be
sound; nothing may stay behind.
"""

import json
import os
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_process import ROOT, hallway

PHOTOGRAPH = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()
ROUNDS = 30


class Victim:
    """A program that is killed and started again."""

    def __init__(self, output: Path, *arguments: str | Path):
        self._output = output.open("ab")
        self._arguments = [str(argument) for argument in arguments]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [hallway(), *self._arguments], stdout=self._output, stderr=subprocess.STDOUT
        )

    def kill(self) -> None:
        """As a power cut does: nothing is flushed, nobody is told."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def toured(tmp_path: Path) -> Path:
    """A folder with a set-up gateway, and a camera that its owner has claimed."""
    folder = tmp_path / "tour"
    subprocess.run(
        [hallway(), "tour", "--once", "--data", folder], check=True, capture_output=True, timeout=120
    )
    return folder


def photograph(number: int) -> bytes:
    """A photograph like no other: its number stands in a comment segment behind its start."""
    comment = f"photograph {number}".encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return PHOTOGRAPH[:2] + segment + PHOTOGRAPH[2:]


def take(folder: Path, number: int) -> None:
    """Puts a photograph into the folder, whole and at once."""
    unfinished = folder / f".{number}.part"
    unfinished.write_bytes(photograph(number))
    unfinished.rename(folder / f"{number:04}.jpg")


def check(*arguments: str | Path) -> dict:
    """What a `hallway` command that must hold says, as JSON."""
    done = subprocess.run([hallway(), *arguments, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def origin_of(toured: Path) -> str:
    listen = next(
        line for line in (toured / "gateway/hallway.toml").read_text().splitlines() if line.startswith("listen")
    )
    return "http://localhost:" + listen.rsplit(":", 1)[1].strip('"')


def cut_power(agent: Victim, gateway: Victim, taken: Callable[[], None], seed: int) -> None:
    """Kills one or the other, wherever it is, while photographs are taken."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        for _ in range(chance.randint(1, 4)):
            taken()
        time.sleep(chance.random() * 0.8)
        victim = agent if chance.random() < 0.6 else gateway
        victim.kill()
        time.sleep(chance.random() * 0.4)
        victim.start()


def wait_for(origin: str) -> None:
    """Returns when the gateway answers."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(origin + "/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(f"{origin} does not get ready")


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_nothing_is_doubled(toured: Path, tmp_path: Path, seed: int) -> None:
    camera, kept, trust = toured / "camera", tmp_path / "kept", toured / "trust.json"
    origin = origin_of(toured)
    told = tmp_path / "agent.log"
    gateway = Victim(tmp_path / "gateway.log", "serve", "--data", toured / "gateway")
    running = [
        "device", "run", camera, "--key", toured / "camera.key", "--operator-key", toured / "tour.secret",
        "--gateway", origin, "--trust", trust, "--keep", kept, "--json",
    ]  # fmt: skip
    agent = Victim(told, *running)
    count = 0

    def taken() -> None:
        nonlocal count
        take(camera, count)
        count += 1

    try:
        wait_for(origin)
        size_before = check("log", "verify", origin, "--trust", trust)["size"]
        cut_power(agent, gateway, taken, seed)
        agent.kill()
        with told.open("ab") as output:
            drained = subprocess.run([hallway(), *running, "--once"], stdout=output, stderr=output, timeout=120)
        assert drained.returncode == 0, told.read_text()[-3000:]

        assert os.listdir(camera) == [".hallway"]
        assert not list((camera / ".hallway").glob("*.signed")) + list((camera / ".hallway").glob("*.done"))
        log = check("log", "verify", origin, "--trust", trust)
        assert log["size"] == size_before + count, "every photograph is in the log, and once"
        indexes, names = set(), sorted(path.name for path in kept.iterdir())
        assert names == [f"{number:04}.jpg" for number in range(count)]
        for path in kept.iterdir():
            indexes.add(check("verify", path, "--trust", trust)["conclusion"]["log_index"])
        assert len(indexes) == count
    finally:
        agent.kill()
        gateway.kill()
