"""A camera: a device with a maker's certificate, and the `hallway device` program that sends its files."""

import os
import re
import subprocess
from pathlib import Path

from gateway_process import ROOT, Gateway, Program, hallway

CODE = re.compile(r"type (\S+) at")


class Camera:
    """A device with its own attestation certificate. Nobody has claimed it yet."""

    serial = "HC-2201-0007"

    def __init__(self, gateway: Gateway, folder: Path):
        self._gateway = gateway
        self._folder = folder
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True)
        self._operator_key = folder / "operator.key"
        self._operator_key.write_text("07" * 32)
        self._running: Program | None = None
        subprocess.run(
            [hallway(), "device", "provision", folder / "camera.key", "--serial", self.serial,
             "--maker", folder / "maker", "--organization", "Acme", "--model", "Camera",
             "--operator-key", self._operator_key],
            check=True, capture_output=True,
        )
        self.maker = (folder / "maker/maker.pem").read_text()

    def start(self, *options: str | Path) -> None:
        """Starts the device's program."""
        self._running = Program(
            "device", "run", self.pictures, "--key", self._folder / "camera.key",
            "--operator-key", self._operator_key, "--gateway", self._gateway.origin,
            *options,
        )

    def code(self) -> str:
        """The code that the camera shows while it waits for a claim."""
        return self._running.wait_for(CODE)[1]

    def says(self, words: re.Pattern[str], seconds: float = 30) -> re.Match[str]:
        """Waits for the next line with a match of these words."""
        return self._running.wait_for(words, seconds)

    @property
    def lines(self) -> list[str]:
        """All lines that the program has printed."""
        return self._running.lines

    def take_picture(self, name: str) -> bytes:
        """Puts a picture into the camera's folder, and returns its bytes."""
        picture = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()
        self.put(name, picture)
        return picture

    def put(self, name: str, file: bytes, taken: float | None = None) -> None:
        """Puts a whole file into the folder in one step, as a camera does. `taken` is its time (seconds)."""
        unfinished = self._folder / "unfinished"
        unfinished.write_bytes(file)
        if taken is not None:
            os.utime(unfinished, (taken, taken))
        unfinished.rename(self.pictures / name)

    def stop(self) -> None:
        """Stops the device's program."""
        if self._running:
            self._running.stop()
