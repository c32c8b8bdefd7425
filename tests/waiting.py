"""Waits for an effect that a program brings about by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 30) -> T:
    """Calls `look` until its result is true, and returns that result."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} had no result within {seconds} s"
        time.sleep(0.1)
    return found
