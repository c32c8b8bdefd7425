"""Consent for the requests to a key: from a person at a terminal or a desktop, a policy, or a command. And
the answer that a client gets without consent."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import STATUS
from gateway_process import hallway
from notification_server import NotificationServer
from software_key import PASSPHRASE, SoftwareKey

CODE = CtapError.ERR


@pytest.fixture
def key(tmp_path) -> Iterator[SoftwareKey]:
    key = SoftwareKey(tmp_path)
    yield key
    key.unplug()


def plug_in(key: SoftwareKey, *consent: str | Path) -> Ctap2:
    key.consent = list(consent)
    return Ctap2(key.plug_in())


def register(ctap: Ctap2, rp_id: str = "gate.example", **more) -> None:
    ctap.make_credential(
        bytes(32),
        {"id": rp_id, "name": "Gate"},
        {"id": b"ada", "name": "ada"},
        [{"type": "public-key", "alg": -7}],
        **more,
    )


def refusal(ask, *arguments, **more) -> CtapError.ERR:
    with pytest.raises(CtapError) as refused:
        ask(*arguments, **more)
    return refused.value.code


class Terminal:
    """The key's terminal, and a person who answers at it."""

    def __init__(self, key: SoftwareKey):
        self.stream = key.process.stderr
        self.keyboard = key.process.stdin
        self.said = ""

    def answer(self, prompt: str, text: str) -> threading.Thread:
        """Waits for the next prompt in another thread, and then types."""
        self.said = ""

        def wait() -> None:
            while not self.said.endswith(prompt):
                self.said += self.stream.read(1)
            self.keyboard.write(text)
            self.keyboard.flush()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread


def test_the_owner_at_a_terminal(key):
    key.errors = subprocess.PIPE
    ctap = plug_in(key, "--consent", "ask")
    terminal = Terminal(key)
    yes = terminal.answer("[y/N] ", "y\n")
    register(ctap)
    yes.join(10)
    assert 'Register a new key at "gate.example" for "ada"?' in terminal.said
    terminal.answer("[y/N] ", "\n")
    assert refusal(register, ctap) == CODE.OPERATION_DENIED
    terminal.answer("[y/N] ", "n\n")
    assert refusal(ctap.reset) == CODE.OPERATION_DENIED
    assert "ERASE everything" in terminal.said
    key.process.stderr.close()


def test_a_request_without_an_answer_is_denied(key):
    key.errors = subprocess.DEVNULL
    ctap = plug_in(key, "--consent", "ask", "--answer-within", "1")
    heard = []
    assert refusal(register, ctap, on_keepalive=heard.append) == CODE.OPERATION_DENIED
    assert heard[-1] == STATUS.UPNEEDED
    assert refusal(ctap.selection) == CODE.USER_ACTION_TIMEOUT


def test_a_client_can_cancel_its_request(key):
    key.errors = subprocess.DEVNULL
    ctap = plug_in(key, "--consent", "ask")
    gives_up = threading.Event()
    code = refusal(register, ctap, event=gives_up, on_keepalive=lambda _: gives_up.set())
    assert code == CODE.KEEPALIVE_CANCEL
    # The key accepts the next command at once.
    assert "FIDO_2_3" in ctap.get_info().versions


POLICY = """
[[allow]]
relying_party = "gate.example"
operations = ["register"]
per_minute = 2
"""


def test_a_policy_allows_the_named_operations_at_its_rate(key, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    key.errors = subprocess.DEVNULL
    ctap = plug_in(key, "--policy", policy)
    register(ctap)
    assert refusal(register, ctap, "other.example") == CODE.OPERATION_DENIED
    assert refusal(ctap.selection) == CODE.OPERATION_DENIED
    assert refusal(ctap.reset) == CODE.OPERATION_DENIED
    register(ctap)
    assert refusal(register, ctap) == CODE.OPERATION_DENIED


def test_a_wrong_policy_is_refused_with_its_error(key, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.replace("register", "anything"))
    refused = subprocess.run(
        [hallway(), "key", "serve", key.file, "--udp", "127.0.0.1:0", "--policy", policy],
        env={**os.environ, **PASSPHRASE},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "policy.toml" in refused.stderr and "anything" in refused.stderr


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_a_command_decides_and_gets_the_request(key, tmp_path):
    told = tmp_path / "told"
    decide = script(
        tmp_path / "decide", f'env | grep ^HALLWAY_ > {told}\ntest "$HALLWAY_USER" = ada'
    )
    ctap = plug_in(key, "--consent-command", decide)
    register(ctap)
    variables = dict(line.split("=", 1) for line in told.read_text().splitlines())
    # The tests set this variable to choose the program; the key does not.
    variables.pop("HALLWAY_PROGRAM", None)
    # The command gets neither the passphrase nor the PIN.
    assert variables == {
        "HALLWAY_OPERATION": "register",
        "HALLWAY_RELYING_PARTY": "gate.example",
        "HALLWAY_USER": "ada",
    }
    assert refusal(ctap.selection) == CODE.OPERATION_DENIED
    assert "HALLWAY_OPERATION=select" in told.read_text()


def test_a_slow_command_is_ended_and_denies(key, tmp_path):
    ctap = plug_in(
        key, "--consent-command", script(tmp_path / "slow", "sleep 600"), "--answer-within", "1"
    )
    assert refusal(register, ctap) == CODE.OPERATION_DENIED
    assert refusal(ctap.selection) == CODE.USER_ACTION_TIMEOUT


def test_the_owner_at_a_desktop(key, tmp_path, monkeypatch):
    with NotificationServer() as desktop:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.address)
        ctap = plug_in(key, "--consent", "desktop")
        desktop.choose = "allow"
        register(ctap, "a<b>.example")
        [shown] = desktop.shown
        assert shown.summary == "Security key"
        # The name of a website is shown as text and not as markup.
        assert 'Register a new key at "a&lt;b&gt;.example" for "ada"?' == shown.body
        assert shown.actions == {"refuse": "Refuse", "allow": "Allow"}
        desktop.choose = "refuse"
        assert refusal(register, ctap) == CODE.OPERATION_DENIED
        # The notification is closed without an answer.
        desktop.choose = None
        assert refusal(register, ctap) == CODE.OPERATION_DENIED
        key.unplug()


def test_without_notify_send_requests_are_denied(key, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    key.errors = subprocess.DEVNULL
    ctap = plug_in(key, "--consent", "desktop")
    assert refusal(register, ctap) == CODE.OPERATION_DENIED
