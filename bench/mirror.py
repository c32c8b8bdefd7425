"""Copies files into a hall and beside it: `hallway mirror`, rclone, rsync. See scripts/bench-mirror."""

import argparse
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from gateway_process import hallway
from hall_place import HALL, Realm, free_port, service, store

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SMALL_FILE_BYTES = 4096


class Sshd:
    """An sshd that accepts only its own user key."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        options = {
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "PidFile": "none",
            "AuthorizedKeysFile": folder / "user.pub",
            "StrictModes": "no",
            "UsePAM": "no",
        }
        settings = [f"-o{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-p", str(self.port), "-f", "/dev/null", *settings],
            stderr=subprocess.DEVNULL,
        )

    def client(self, through: str | None = None) -> str:
        """The ssh command that connects to this sshd."""
        options = [
            "-F", "none", "-i", self.folder / "user", "-p", self.port,
            "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR",
        ]  # fmt: skip
        if through:
            options.append(f"-oProxyCommand={through}")
        return shlex.join(["ssh", *map(str, options)])


@dataclass
class Contestant:
    """A program that copies a folder to a new folder of this name."""

    name: str
    command: Callable[[Path, str], list[str | Path]]
    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)


def of_process(pid: int) -> float:
    """Processor time of a process and of its children that have ended, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def of_children() -> float:
    """Processor time of all commands that this program has run to their end, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plant(root: Path, files: int) -> None:
    for number in range(files):
        folder = root / str(number % 50)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(os.urandom(SMALL_FILE_BYTES))


def grow(file: Path, size: int) -> None:
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        while size > 0:
            size -= out.write(os.urandom(min(size, 1 << 20)))


def check(source: Path, target: Path) -> None:
    """Fails if the copy differs from the source."""
    subprocess.run(["diff", "--recursive", "--brief", source, target], check=True)


def compete(contestants: list[Contestant], source: Path, data: Path, turns: int, servers: list[int], **how):
    # On a virtual machine, the first use of a part of memory is slow. So memory is used once before the
    # measurement, and each program goes first in one of the turns.
    shutil.rmtree(shutil.copytree(source, data / "warm"))
    for turn in range(turns):
        first = turn % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            name = f"copy-{turn}"
            before = of_children() + sum(map(of_process, servers))
            began = time.monotonic()
            subprocess.run(contestant.command(source, name), check=True, stdout=subprocess.DEVNULL, **how)
            contestant.walls.append(time.monotonic() - began)
            contestant.processors.append(of_children() + sum(map(of_process, servers)) - before)
            if turn == 0:
                check(source, data / name)
            shutil.rmtree(data / name)


def table(title: str, contestants: list[Contestant]) -> None:
    print(f"\n{title}\n{'':28} {'seconds':>8} {'of ours':>8} {'CPU-s':>8} {'of ours':>8}")
    ours = contestants[0]
    for one in contestants:
        wall, processor = statistics.median(one.walls), statistics.median(one.processors)
        beside = wall / statistics.median(ours.walls), processor / statistics.median(ours.processors)
        print(f"{one.name:28} {wall:8.2f} {beside[0]:8.2f} {processor:8.2f} {beside[1]:8.2f}", flush=True)


def run(root: Path, arguments: argparse.Namespace) -> None:
    data = root / "data"
    sshd = Sshd(root / "sshd")
    realm = None
    try:
        realm = Realm(root / "realm", store("data", data) + service("ssh", sshd.port))
        guest = realm.guest("Ada", ["read:data", "write:data", "connect:ssh"])
        opened = guest.open()
        user = os.environ.get("USER", "root") if os.geteuid() else "root"
        connect = shlex.join([str(hallway()), "connect", f"{HALL}:ssh"])

        def mirror(source: Path, name: str) -> list[str | Path]:
            return [hallway(), "mirror", source, f"{HALL}:data/{name}"]

        def rclone(source: Path, name: str) -> list[str | Path]:
            remote = f":webdav,url='{opened.files}data/',bearer_token='{opened.password}',vendor=other:{name}"
            return ["rclone", "--config", "/dev/null", "copy", "--transfers", "8", source, remote]

        def rsync(through: str | None) -> Callable[[Path, str], list[str | Path]]:
            shell = sshd.client(through)
            return lambda source, name: [
                "rsync", "--archive", "--fsync", "--rsh", shell, f"{source}/", f"{user}@127.0.0.1:{data / name}/",
            ]  # fmt: skip

        servers = [realm.gateway.program.process.pid, opened.process.pid, sshd.process.pid]
        small, large = root / "small", root / "large"
        plant(small, arguments.files)
        sets = [(f"{arguments.files} files of {SMALL_FILE_BYTES} bytes", small)]
        if arguments.bytes:
            sets.append((f"one file of {arguments.bytes} bytes", large))
        for title, source in sets:
            if source == large:
                grow(large / "file", arguments.bytes)
            contestants = [
                Contestant("hallway mirror", mirror),
                Contestant("rclone, WebDAV of the hall", rclone),
                Contestant("rsync, ssh", rsync(None)),
                Contestant("rsync, ssh through the hall", rsync(connect)),
            ]
            compete(contestants, source, data, arguments.turns, servers, env=guest.environment)
            table(title, contestants)
        opened.close()
    finally:
        sshd.process.terminate()
        if realm:
            realm.close()


def main() -> None:
    memory = Path("/dev/shm")
    parser = argparse.ArgumentParser(prog="scripts/bench-mirror", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="how many small files")
    parser.add_argument("--bytes", type=int, default=4_000_000_000, help="of the large file; 0 for none")
    parser.add_argument("--turns", type=int, default=3, help="of each program; the median counts")
    parser.add_argument("--in", dest="folder", type=Path, default=memory if memory.is_dir() else None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hallway-bench-", dir=arguments.folder) as folder:
        print(f"in {folder}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        run(Path(folder), arguments)


if __name__ == "__main__":
    main()
