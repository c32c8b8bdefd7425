"""A separate network, joined to this one by a cable that a test can pull. Only root can make one."""

import os
import subprocess

import pytest

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")


class FarNetwork:
    """A network namespace, which exists as long as this object does."""

    def __init__(self, number: int = 77):
        self.here, self.there = f"10.199.{number}.1", f"10.199.{number}.2"
        self.cable = f"hallway{number}"
        self.holder = subprocess.Popen(["unshare", "--net", "--kill-child", "sleep", "infinity"])
        self.before = ("nsenter", f"--target={self.holder.pid}", "--net", "--")
        self._wait_until_apart()
        far = f"{self.cable}f"
        self._run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", far,
                  "netns", str(self.holder.pid))  # fmt: skip
        self._run("ip", "address", "add", f"{self.here}/24", "dev", self.cable)
        self.plug_in()
        self.run("ip", "address", "add", f"{self.there}/24", "dev", far)
        for device in [far, "lo"]:
            self.run("ip", "link", "set", device, "up")

    def _wait_until_apart(self) -> None:
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            assert self.holder.poll() is None

    def _run(self, *command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def run(self, *command: str) -> str:
        """Runs a command in the network."""
        return self._run(*self.before, *command)

    def unplug(self) -> None:
        """Stops all packets. Neither side is told."""
        self._run("ip", "link", "set", self.cable, "down")

    def plug_in(self) -> None:
        self._run("ip", "link", "set", self.cable, "up")

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()
