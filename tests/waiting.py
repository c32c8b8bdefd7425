"""Waiting for what a program does by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 30) -> T:
    """The first answer that is something, of a program that is about to get there by itself."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} found nothing within {seconds} s"
        time.sleep(0.1)
    return found
