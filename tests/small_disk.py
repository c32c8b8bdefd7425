"""Full disks: for root a small file system, for others a limit on the length of a file."""

import os
import resource
import subprocess
from pathlib import Path

import pytest

MEGABYTE = 1 << 20


class SmallFileSystem:
    """A file system of `megabytes` in memory, mounted at `folder`. Only root can make one."""

    name = "file system"

    def __init__(self, folder: Path, megabytes: int):
        folder.mkdir(parents=True)
        self.folder, self.size = folder, megabytes * MEGABYTE
        options = f"size={self.size},mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)

    def applies_to(self, process: subprocess.Popen) -> None:
        """Does nothing: every process that writes below the folder is limited already."""

    def around(self) -> dict:
        """No options of `subprocess` are needed to limit a process that writes below the folder."""
        return {}

    def fill(self, leaving: int = 0) -> None:
        """Fills the file system but for `leaving` bytes."""
        filler = os.open(self.folder / "filler", os.O_WRONLY | os.O_CREAT)
        size = 0
        try:
            while True:
                size += os.write(filler, bytes(4096))
        except OSError:
            os.truncate(filler, max(0, size - leaving))
        finally:
            os.close(filler)

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


class LimitedFiles:
    """Lets programs write no file longer than `megabytes`. It works for every user."""

    name = "limit"

    def __init__(self, folder: Path, megabytes: int):
        folder.mkdir(parents=True)
        self.folder, self.size = folder, resource.RLIM_INFINITY
        self.processes: list[int] = []

    def applies_to(self, process: subprocess.Popen) -> None:
        self.processes.append(process.pid)

    def around(self) -> dict:
        limits = (self.size, resource.RLIM_INFINITY)
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)}

    def _limit(self, size: int) -> None:
        self.size = size
        for pid in self.processes:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def fill(self, leaving: int = 0) -> None:
        self._limit(leaving)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def close(self) -> None:
        pass


KINDS = [SmallFileSystem, LimitedFiles] if os.geteuid() == 0 else [LimitedFiles]
ON_EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
