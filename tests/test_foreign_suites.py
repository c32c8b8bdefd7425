"""Other people's suites against the software key, unchanged, over the real wire.

Each runs in a process of its own, as its authors run it. What fails has a line in `ledger.toml`.
What a suite itself leaves out, because the key does not claim it, is compared with a list, so that
nothing is left out unnoticed."""

import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

import ledger
import pytest
from attestation_maker import AttestationMaker

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


@dataclass(frozen=True)
class Configuration:
    """A way to make and serve a key."""

    # The name of its results in the ledger.
    suite: str
    # How many cases pass or fail, and do not leave themselves out.
    cases: int
    # Reasons for which cases leave themselves out, once each has been looked at.
    left_out: set[str]
    # Cases that only this configuration runs.
    own: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)


NO_FINGERS = "BioEnrollment not supported by authenticator"
NO_ENTERPRISE = "Enterprise Attestation not supported"
# A draft, which is offered on demand only.
NO_SIGNING = "previewSign not supported by authenticator"
# RSA with PSS, which the key does not have.
UNLISTED = {"Algorithm PS256 not supported"}
NO_POST_QUANTUM = {f"Algorithm MLDSA{size} not supported" for size in (44, 65, 87)}
CONFIGURATIONS = {
    "plain": Configuration(
        "python-fido2 2.2.1, tests/device",
        72,
        {NO_FINGERS, NO_ENTERPRISE, NO_SIGNING} | UNLISTED | NO_POST_QUANTUM,
    ),
    "fingers": Configuration(
        "python-fido2 2.2.1, tests/device, with fingerprints",
        75,
        {NO_ENTERPRISE, NO_SIGNING} | UNLISTED | NO_POST_QUANTUM,
        {"test_bioenroll"},
        {"HALLWAY_TEST_FINGERS": "1"},
    ),
    "enterprise": Configuration(
        "python-fido2 2.2.1, tests/device, with enterprise attestation",
        74,
        {NO_FINGERS, NO_SIGNING} | UNLISTED | NO_POST_QUANTUM,
        {"test_ep_platform", "test_ep_vendor"},
        arguments=["--ep-rp-id", "work.example"],
    ),
    "new": Configuration(
        "python-fido2 2.2.1, tests/device, with post-quantum signatures, largeBlob and previewSign",
        347,
        {NO_FINGERS, NO_ENTERPRISE, "LargeBlobs not supported by authenticator"} | UNLISTED,
        {"test_preview_sign", "test_sign_extension_v4"},
        {"HALLWAY_TEST_FEATURES": "--post-quantum --large-blobs credentials --preview-sign"},
    ),
}


def enterprise_key(folder: Path) -> str:
    """Options of a key that has an enterprise certificate beside that of its batch."""
    maker = AttestationMaker(folder)
    unit, batch = maker.certify("unit", serial=b"0001"), maker.certify("batch")
    return shlex.join(
        ["--enterprise-certificate", str(unit.certificate_file)]
        + ["--enterprise-key", str(unit.key_file), "--enterprise-for", "work.example"]
        + ["--batch-certificate", str(batch.certificate_file)]
        + ["--batch-key", str(batch.key_file)]
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_python_fido2(tmp_path, name):
    """Yubico's device tests, as python-fido2 2.2.1 brings them."""
    configuration = CONFIGURATIONS[name]
    variables = dict(configuration.variables)
    if name == "enterprise":
        variables["HALLWAY_TEST_MADE_WITH"] = enterprise_key(tmp_path)
    passed, left_out = run(
        "python_fido2", tmp_path, "device", *configuration.arguments, **variables
    )
    assert len(passed) == configuration.cases
    assert set(left_out.values()) <= configuration.left_out, "left out for a new reason"
    for own in configuration.own:
        assert [case for case in passed if own in case], f"{own} was not run"
    ledger.judge(configuration.suite, passed)
