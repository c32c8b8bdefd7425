"""A Linux with a kernel of its own, for features that only a kernel has, such as /dev/uhid.

qemu emulates the computer, so the host needs no special device. The kernel is Debian's, which
`scripts/setup test` unpacks into target/virtual-machine. The programs are the host's, shared
read-only.
"""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KERNEL = Path(os.environ.get("HALLWAY_TEST_KERNEL", ROOT / "target/virtual-machine"))
BUSYBOX = Path("/bin/busybox")
# The time that the machine may take beyond a program's own limit, because it is slow.
GRACE_SECONDS = 30
# The modules that the kernel does not have built in. Debian's kernel has hidraw in `hid`.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "hid-generic", "uhid"]


def modules() -> list[Path]:
    """The files of all modules that are needed, each after its own dependencies."""
    found = {path.stem.replace("-", "_"): path for path in KERNEL.glob("lib/modules/**/*.ko")}
    order: list[Path] = []

    def need(name: str) -> None:
        path = found[name.replace("-", "_")]
        _, _, rest = path.read_bytes().partition(b"\0depends=")
        for other in filter(None, rest.partition(b"\0")[0].decode().split(",")):
            need(other)
        if path not in order:
            order.append(path)

    for name in MODULES:
        need(name)
    return order


def archive(files: dict[str, bytes]) -> bytes:
    """A cpio archive of executable files, in the kernel's format (newc)."""
    out = bytearray()

    def entry(name: str, mode: int, data: bytes) -> None:
        encoded = name.encode() + b"\0"
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        out.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
        out.extend(bytes(-len(out) % 4) + data)
        out.extend(bytes(-len(out) % 4))

    for folder in sorted({str(Path(name).parent) for name in files} - {"."}):
        entry(folder, 0o040755, b"")
    for name, data in files.items():
        entry(name, 0o100755, data)
    entry("TRAILER!!!", 0, b"")
    return bytes(out)


@dataclass
class Machine:
    """A running machine. Its programs see `folder`, read-only, as /mnt."""

    folder: Path
    process: subprocess.Popen
    line: socket.socket
    console: Path
    python: str = sys.executable
    rest: bytes = b""

    @classmethod
    def boot(cls, folder: Path, within: float) -> "Machine":
        """Boots the machine, and waits until it accepts commands."""
        [kernel] = KERNEL.glob("boot/vmlinuz-*")
        shutil.copy(HERE / "agent.py", folder)
        order = modules()
        files = {f"modules/{path.name}": path.read_bytes() for path in order}
        files["modules/order"] = " ".join(path.name for path in order).encode()
        files["bin/busybox"] = BUSYBOX.read_bytes()
        files["init"] = (HERE / "init").read_bytes()
        image, console, serial = folder / "initramfs", folder / "console", folder / "serial"
        image.write_bytes(gzip.compress(archive(files), 1))
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot"]
        command += ["-kernel", kernel, "-initrd", image, "-append"]
        # The arguments after the two dashes are those of init.
        command += [f"console=ttyS0 panic=-1 quiet -- {sys.executable} /mnt/agent.py"]
        command += ["-serial", f"file:{console}"]
        command += ["-serial", f"unix:{serial}"]
        for tag, path in [("host", "/"), ("test", folder)]:
            share = f"local,path={path},mount_tag={tag},security_model=none,readonly=on"
            command += ["-virtfs", f"{share},multidevs=remap"]
        deadline = time.monotonic() + within
        # qemu connects to us, so that we can wait for the connection.
        with socket.socket(socket.AF_UNIX) as ear:
            ear.bind(str(serial))
            ear.listen(1)
            ear.settimeout(within)
            process = subprocess.Popen(command)
            try:
                line, _ = ear.accept()
            except TimeoutError:
                code = process.poll()
                process.kill()
                process.wait()
                state = "still runs" if code is None else f"ended with {code}"
                raise AssertionError(f"qemu did not start within {within} s; it {state}") from None
        machine = cls(folder, process, line, console)
        try:
            assert machine._answer(deadline - time.monotonic(), "to boot")["output"] == "ready"
        except BaseException:
            machine.stop()
            raise
        return machine

    def _answer(self, within: float, what: str) -> dict:
        deadline = time.monotonic() + within
        while b"\n" not in self.rest:
            self.line.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                received = self.line.recv(65536)
            except TimeoutError:
                # A late answer would be taken for the answer to the next command.
                self.stop()
                raise AssertionError(
                    f"the machine was asked {what}, and gave no answer within {within:.0f} s; its "
                    f"console:\n{self.said()}"
                ) from None
            assert received, f"the machine was asked {what}, and stopped; its console:\n{self.said()}"
            self.rest += received
        answer, _, self.rest = self.rest.partition(b"\n")
        return json.loads(answer)

    def said(self) -> str:
        """The end of the output on the machine's console."""
        return self.console.read_text(errors="replace")[-4000:]

    def _command(self, arguments, typed: str, background: bool, within: float) -> CompletedProcess:
        words = [str(argument) for argument in arguments]
        request = {"arguments": words, "typed": typed, "background": background, "within": within}
        self.line.settimeout(GRACE_SECONDS)
        self.line.sendall(json.dumps(request).encode() + b"\n")
        answer = self._answer(within + GRACE_SECONDS, f"to run {' '.join(words)}")
        assert answer["code"] is not None, (
            f"{' '.join(words)} was not done within {within:g} s. It said:\n{answer['output']}"
            f"{answer['errors']}\nThe machine's console:\n{self.said()}"
        )
        return CompletedProcess(arguments, answer["code"], answer["output"], answer["errors"])

    def run(self, *arguments: str | Path, typed: str = "", within: float = 60) -> CompletedProcess:
        """Runs a program in the machine to its end, which must come within `within` seconds."""
        return self._command(arguments, typed, False, within)

    def start(self, *arguments: str | Path, within: float = 60) -> str:
        """Starts a program in the machine, and returns its first line."""
        return self._command(arguments, "", True, within).stdout

    def stop(self) -> None:
        """Ends the machine at once."""
        self.line.close()
        self.process.kill()
        self.process.wait()
