"""The memory of a program."""

import re
from pathlib import Path

from gateway_process import Program

MIB = 1 << 20


def most_bytes(program: Program) -> int:
    """The most bytes that were resident at any time (VmHWM)."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
