"""A gateway for one test, in a new folder and on a port that the system chooses."""

import os
import re
import subprocess
import threading
import urllib.request
from pathlib import Path
from queue import Empty, Queue

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(http\S+)/join#[\w-]+")
SERVES = re.compile(r"Hallway serves \S+ at (http\S+)")
METRICS = re.compile(r"metrics at (http\S+)")


def hallway() -> Path:
    """The program under test: HALLWAY_PROGRAM, or what `cargo build` made."""
    program = Path(os.environ.get("HALLWAY_PROGRAM", ROOT / "target/debug/hallway"))
    assert program.is_file(), f"{program} is missing; build it with: cargo build --package hallway-cli"
    return program


class Program:
    """A running `hallway`. A test can wait for its lines."""

    def __init__(self, *arguments: str | Path, within: tuple[str, ...] = (), **variables: str):
        """`within` is the command that runs it elsewhere, such as in another network namespace."""
        self.arguments = [str(argument) for argument in arguments]
        self.process = subprocess.Popen(
            [*within, hallway(), *self.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **variables},
        )
        self.lines: list[str] = []
        self._waiting: Queue[str | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._waiting.put(line)
        self._waiting.put(None)

    def wait_for(self, pattern: re.Pattern[str], seconds: float = 30) -> re.Match[str]:
        """Waits for the first match in the lines that the program prints from now on."""
        while True:
            try:
                line = self._waiting.get(timeout=seconds)
            except Empty:
                line = None
            if line is None:
                said = "\n".join(self.lines)
                raise AssertionError(f"{self.arguments} never said {pattern.pattern}; it said:\n{said}")
            if found := pattern.search(line):
                return found

    def stop(self) -> int:
        """Asks the program to stop, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


class Gateway(Program):
    """`hallway serve` on a fresh folder, with further options and variables of the test."""

    def __init__(self, folder: Path, *options: str | Path, **variables: str):
        listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        super().__init__("serve", "--data", folder, *listen, *options, **variables)
        self.folder = folder
        self._meet()

    def _meet(self) -> None:
        found = self.wait_for(LINK)
        self.set_up_link = found[0]
        self.origin = found[1]

    def get(self, path: str) -> bytes:
        """The body that the gateway answers to a request without a session."""
        with urllib.request.urlopen(self.origin + path, timeout=10) as answer:
            return answer.read()

    def counted(self) -> dict[str, str]:
        """The gateway's metrics, by name and labels. It must have been started with --metrics-listen."""
        where = METRICS.search("\n".join(self.lines)) or self.wait_for(METRICS)
        with urllib.request.urlopen(where[1], timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


class GatewayAgain(Gateway):
    """A gateway that is set up already, started again at the same address."""

    def __init__(self, before: Gateway, *options: str | Path, **variables: str):
        port = before.origin.rsplit(":", 1)[1]
        super().__init__(before.folder, "--listen", f"127.0.0.1:{port}", *options, **variables)

    def _meet(self) -> None:
        self.origin = self.wait_for(SERVES)[1]
