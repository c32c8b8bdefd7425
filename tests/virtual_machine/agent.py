"""Runs in the virtual machine: carries out the commands that come over the second serial line.

One JSON object a line. A request: {"arguments": [...], "typed": "...", "background": bool}. Its
answer: {"code": int, "output": "...", "errors": "..."}; a command in the background is answered at
its first line of output, and goes on.
"""

import json
import subprocess
import tty

with open("/dev/ttyS1", "r+b", buffering=0) as line:
    tty.setraw(line)

    def say(answer: dict) -> None:
        line.write(json.dumps(answer).encode() + b"\n")

    def read_request() -> dict:
        text = bytearray()
        while not text.endswith(b"\n"):
            text += line.read(4096)
        return json.loads(text)

    say({"code": 0, "output": "ready", "errors": ""})
    while True:
        request = read_request()
        try:
            process = subprocess.Popen(
                request["arguments"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if request["background"] else subprocess.PIPE,
                # Without a terminal of its own, a program reads PINs from standard input.
                start_new_session=True,
                text=True,
            )
            if request["background"]:
                say({"code": 0, "output": process.stdout.readline(), "errors": ""})
            else:
                output, errors = process.communicate(request["typed"])
                say({"code": process.returncode, "output": output, "errors": errors})
        except OSError as error:
            say({"code": 127, "output": "", "errors": str(error)})
