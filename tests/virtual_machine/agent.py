"""Runs in the virtual machine: carries out the commands that come over the second serial line.

A message is one line with one JSON object. A request: {"arguments": [...], "typed": "...", "background":
bool, "within": seconds}. Its answer: {"code": int, "output": "...", "errors": "..."}. A command in the
background is answered at its first line of output, and goes on. A command that takes longer than
`within` is ended, and answered with the code null and its output so far.
"""

import json
import os
import selectors
import signal
import subprocess
import tty


def first_line(process: subprocess.Popen, within: float) -> str | None:
    """The first line of a program's output, or None if there is none in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        # A program writes its line in one piece, so the end of the line is there at once.
        return process.stdout.readline() if selector.select(within) else None


def end(process: subprocess.Popen) -> tuple[str, str]:
    """Ends a program and its child processes, and returns their output."""
    os.killpg(process.pid, signal.SIGKILL)
    output, errors = process.communicate()
    return output or "", errors or ""


def carry_out(request: dict) -> dict:
    process = subprocess.Popen(
        request["arguments"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if request["background"] else subprocess.PIPE,
        # Without a terminal, the program reads PINs from standard input.
        start_new_session=True,
        text=True,
    )
    within = request["within"]
    if request["background"]:
        line = first_line(process, within)
        if line is not None:
            return {"code": 0, "output": line, "errors": ""}
    else:
        try:
            output, errors = process.communicate(request["typed"], timeout=within)
            return {"code": process.returncode, "output": output, "errors": errors}
        except subprocess.TimeoutExpired:
            pass
    output, errors = end(process)
    return {"code": None, "output": output, "errors": errors}


def main() -> None:
    with open("/dev/ttyS1", "r+b", buffering=0) as line:
        tty.setraw(line)

        def say(answer: dict) -> None:
            line.write(json.dumps(answer).encode() + b"\n")

        say({"code": 0, "output": "ready", "errors": ""})
        while True:
            text = bytearray()
            while not text.endswith(b"\n"):
                text += line.read(4096)
            try:
                say(carry_out(json.loads(text)))
            except OSError as error:
                say({"code": 127, "output": "", "errors": str(error)})


if __name__ == "__main__":
    main()
