"""Other people's suites against the software key, unchanged, over the real wire.

Each runs in a process of its own, as its authors run it. What fails has a line in `ledger.toml`.
What a suite itself leaves out, because the key does not claim it, is compared with a list, so that
nothing is left out unnoticed."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import ledger

HERE = Path(__file__).parent
FOREIGN = HERE / "foreign"


def run(suite: str, folder: Path, *arguments: str, **variables: str) -> tuple[dict, dict]:
    """Runs a suite: for each case whether it passed, and for each that left itself out why."""
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "on_software_key", "-p", "no:cacheprovider"]
        + [f"--junit-xml={report}", "--rootdir=.", *arguments],
        cwd=FOREIGN / suite,
        env={
            **os.environ,
            **variables,
            "HALLWAY_TEST_FOLDER": str(folder),
            "PYTHONPATH": os.pathsep.join(map(str, [HERE, FOREIGN, FOREIGN / suite])),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    # 0: all passed; 1: some failed. Anything else is no run.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    passed, left_out = {}, {}
    for case in xml.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            left_out[name] = skipped.get("message")
        else:
            passed[name] = case.find("failure") is None and case.find("error") is None
    return passed, left_out


def test_python_fido2(tmp_path):
    """Yubico's device tests, as python-fido2 2.2.1 brings them."""
    passed, left_out = run("python_fido2", tmp_path, "device")
    assert len(passed) >= 68
    # An algorithm that the key takes and does not advertise, fingers, enterprise attestation.
    unknown = {why for why in left_out.values() if "not supported" not in why}
    assert not unknown, "left out for a reason that nobody has looked at"
    ledger.judge("python-fido2 2.2.1, tests/device", passed)


def test_python_fido2_with_a_fingerprint_sensor(tmp_path):
    """The same, on a key that feels fingers."""
    passed, left_out = run("python_fido2", tmp_path, "device", HALLWAY_TEST_FINGERS="1")
    assert {case for case in passed if "test_bioenroll" in case}
    ledger.judge("python-fido2 2.2.1, tests/device, with fingerprints", passed)
