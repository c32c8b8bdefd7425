"""A realm with a hall, and people who use it by `hallway` commands with a software key."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue

from api_caller import Person
from gateway_process import LINK, Program, hallway

PASSPHRASE = "correct horse battery staple"
PIN = "27182818"
HALL = "lab"
SERVES = re.compile(r"Hallway serves")
HALLS = re.compile(r"Halls open at (\S+)")


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HallGateway:
    """A gateway with a hall listener. It keeps its addresses when it is started again.

    `through` makes a way to a port, and returns the address that guests and agents use.
    """

    def __init__(
        self,
        folder: Path,
        offers: str,
        certificate_seconds: int = 900,
        listen: str = "127.0.0.1",
        through: Callable[[int], str] | None = None,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port, self.hall_port = free_port(), free_port()
        address = f'address = "{through(self.hall_port)}"\n' if through else ""
        (folder / "hallway.toml").write_text(
            f'listen = "127.0.0.1:{self.port}"\n\n[hall]\nlisten = "{listen}:{self.hall_port}"\n'
            f"{address}certificate_seconds = {certificate_seconds}\n{offers}"
        )
        self.program = Program("serve", "--data", folder)
        self.program.wait_for(SERVES)
        found = self.program.wait_for(LINK)
        self.set_up_link, self.origin = found[0], found[1]
        self.program.wait_for(HALLS)

    def kill(self) -> None:
        self.program.process.kill()
        self.program.process.wait()

    def start_again(self) -> None:
        self.program = Program("serve", "--data", self.folder)
        self.program.wait_for(HALLS)

    def stop(self) -> None:
        assert self.program.stop() == 0, "\n".join(self.program.lines)


def store(name: str, folder: Path) -> str:
    """The configuration of a store of the hall: a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return f'[[hall.stores]]\nhall = "{HALL}"\nname = "{name}"\nfolder = "{folder}"\n'


def service(name: str, port: int) -> str:
    """The configuration of a service of the hall."""
    return f'[[hall.services]]\nhall = "{HALL}"\nname = "{name}"\naddress = "127.0.0.1:{port}"\n'


class Guest:
    """A person at a shell: a home folder, a key file, and `hallway`."""

    def __init__(
        self,
        home: Path,
        origin: str,
        link: str,
        key: Path | None = None,
        within: tuple[str, ...] = (),
        **variables: str,
    ):
        """`within` is the command that runs others elsewhere, such as in another network namespace."""
        home.mkdir(parents=True)
        self.home, self.key, self.within = home, key or home / "my.key", within
        self.opened: list[Open] = []
        # The path of a socket has at most 107 bytes, and `home` may be too long.
        self._runtime = tempfile.TemporaryDirectory(prefix="hallway-")
        self.runtime = Path(self._runtime.name)
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "HALLWAY_GATEWAY": origin,
            "HALLWAY_SECURITY_KEY": str(self.key),
            "HALLWAY_PASSPHRASE": PASSPHRASE,
            "HALLWAY_PIN": PIN,
            **variables,
        }
        (home / "pin").write_text(PIN)
        if key is None:
            self.run("key", "new", self.key)
        self.run("key", "pin", "set", self.key, "--new-pin-file", home / "pin")
        joined = self.run("join", link, "--label", "software key", "--json")
        self.id = json.loads(joined.stdout)["person"]["id"]

    def try_to(self, *arguments: str | Path, **how) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, with any exit code."""
        return subprocess.run(
            [*self.within, hallway(), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            **{"env": self.environment, **how},
        )

    def run(self, *arguments: str | Path, **how) -> subprocess.CompletedProcess[str]:
        """Runs a command that must succeed."""
        done = self.try_to(*arguments, **how)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Starts a command and does not wait for its end."""
        return subprocess.Popen(
            [*self.within, hallway(), *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *arguments: str | Path) -> dict | list:
        """Runs a command that must succeed, and returns the JSON that it prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def refused(self, *arguments: str | Path, words: str) -> str:
        """Runs a command that must fail with these words."""
        done = self.try_to(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert words in done.stderr, done.stderr
        return done.stderr

    def open(self, *arguments: str | Path, hall: str = HALL, until: str = "open") -> "Open":
        """Opens a hall, and waits for the event `until`."""
        opened = Open(self, hall, arguments, until)
        self.opened.append(opened)
        return opened


class Open:
    """A running `hallway open`."""

    def __init__(self, guest: Guest, hall: str, arguments: tuple[str | Path, ...], until: str):
        self.process = subprocess.Popen(
            [*guest.within, hallway(), "open", hall, *map(str, arguments), "--json"],
            env=guest.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: Queue[dict | None] = Queue()
        self.said: list[str] = []
        for pipe, take in [(self.process.stdout, self._event), (self.process.stderr, self._line)]:
            threading.Thread(target=self._read, args=(pipe, take), daemon=True).start()
        self.first = self.wait_for(until)
        if until == "open":
            self.enter(self.first)

    def enter(self, doors: dict | None = None) -> None:
        """Reads the local doors, once the command has opened them."""
        self.doors = doors or self.wait_for("open")
        self.files: str = self.doors["webdav"]["url"]
        self.password: str = self.doors["webdav"]["password"]

    def _read(self, pipe, take) -> None:
        for line in pipe:
            take(line)
        take(None)

    def _event(self, line: str | None) -> None:
        self.events.put(line and json.loads(line))

    def _line(self, line: str | None) -> None:
        self.said.append(line or "")

    def wait_for(self, name: str, seconds: float = 60) -> dict:
        """Waits for the next event of this name."""
        while True:
            try:
                event = self.events.get(timeout=seconds)
            except Empty:
                event = None
            assert event, f"no event {name}: {''.join(self.said)}"
            if event["event"] == name:
                return event

    def address(self, service_name: str) -> tuple[str, int]:
        host, port = self.doors["services"][service_name].rsplit(":", 1)
        return host, int(port)

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0, "".join(self.said)


class Echo:
    """A TCP service that sends everything back, and ends when its peer does."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ended: Queue[int] = Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(stream,), daemon=True).start()

    def _echo(self, stream: socket.socket) -> None:
        total = 0
        with stream:
            try:
                while data := stream.recv(65536):
                    total += len(data)
                    stream.sendall(data)
            except OSError:
                pass
        self.ended.put(total)

    def close(self) -> None:
        self.listener.close()


class Realm:
    """A realm with an owner, a hall, and the guests who are admitted."""

    def __init__(self, folder: Path, offers: str, **settings):
        self.folder = folder
        self.gateway = HallGateway(folder / "gateway", offers, **settings)
        self.guests: list[Guest] = []
        self.owner = Person(self.gateway.origin, self.gateway.set_up_link, "Olga")
        self.owner.act("hall.create", hall=HALL, title="The laboratory")

    def guest(self, name: str, rights: list[str]) -> Guest:
        """A new person who is admitted with these rights."""
        link = self.owner.act("people.invite", name=name, role="member")["link"]
        guest = Guest(self.folder / name, self.gateway.origin, link)
        self.guests.append(guest)
        self.admit(guest, rights)
        return guest

    def close(self) -> None:
        """Ends commands that a failed test left running, and the gateway."""
        for guest in self.guests:
            for opened in guest.opened:
                opened.process.kill()
                opened.process.wait()
        self.gateway.stop()

    def admit(self, guest: Guest, rights: list[str]) -> None:
        if rights:
            self.owner.act(
                "hall.admit", hall=HALL, guest={"person": guest.id}, rights=rights
            )

    def log_size(self) -> int:
        """The number of entries of the log. Every touch adds one."""
        return int(self.owner.get("/log/checkpoint").body.split(b"\n")[1])
