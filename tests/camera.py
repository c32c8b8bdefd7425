"""A camera: a device that a maker provisioned, and the program that sends what it takes."""

import os
import re
import subprocess
from pathlib import Path

from gateway_process import ROOT, Gateway, Program, hallway

CODE = re.compile(r"type (\S+) at")


class Camera:
    """A device with an attestation certificate of its own, which nobody has claimed yet."""

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
        """Switches it on."""
        self._running = Program(
            "device", "run", self.pictures, "--key", self._folder / "camera.key",
            "--operator-key", self._operator_key, "--gateway", self._gateway.origin,
            *options,
        )

    def code(self) -> str:
        """The code that it shows while it waits to be claimed."""
        return self._running.wait_for(CODE)[1]

    def says(self, words: re.Pattern[str], seconds: float = 30) -> re.Match[str]:
        """The next line that has these words."""
        return self._running.wait_for(words, seconds)

    @property
    def lines(self) -> list[str]:
        """What it said until now."""
        return self._running.lines

    def take_picture(self, name: str) -> bytes:
        """Puts a picture into its folder; gives the bytes."""
        picture = (ROOT / "crates/cli/photographs/cat.jpg").read_bytes()
        self.put(name, picture)
        return picture

    def put(self, name: str, file: bytes, taken: float | None = None) -> None:
        """Puts a file into its folder, at once and whole, as a camera does; `taken` is its time."""
        unfinished = self._folder / "unfinished"
        unfinished.write_bytes(file)
        if taken is not None:
            os.utime(unfinished, (taken, taken))
        unfinished.rename(self.pictures / name)

    def stop(self) -> None:
        """Switches it off."""
        if self._running:
            self._running.stop()
