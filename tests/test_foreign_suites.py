"""Test suites of other projects, unchanged, against the software key over real CTAPHID reports.

Each suite runs in a process of its own, as its authors run it. A case that fails has an entry in
`ledger.toml`. A suite skips cases for features that the key does not claim; the reasons are compared
with a list, so that no case is skipped unnoticed."""

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
    """Runs a suite. Returns whether each case passed, and the reason of each case that was skipped."""
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
    # 0: all cases passed; 1: some failed. With any other code the suite did not run.
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
    """A way to make and serve a key, and the expected results of a suite."""

    # The name of the results in the ledger.
    suite: str
    # The number of cases that pass or fail, without the skipped ones.
    cases: int
    # The reasons for skipped cases, each checked by a person.
    left_out: set[str]
    # Cases that run in this configuration only.
    own: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)


NO_FINGERS = "BioEnrollment not supported by authenticator"
NO_ENTERPRISE = "Enterprise Attestation not supported"
# A draft extension, which the key offers only on demand.
NO_SIGNING = "previewSign not supported by authenticator"
# RSA with PSS, which the key does not support.
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
    """The options of a key with an enterprise certificate beside the one of its batch."""
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
    """Yubico's device tests, from python-fido2 2.2.1."""
    configuration = CONFIGURATIONS[name]
    variables = dict(configuration.variables)
    if name == "enterprise":
        variables["HALLWAY_TEST_MADE_WITH"] = enterprise_key(tmp_path)
    passed, left_out = run(
        "python_fido2", tmp_path, "device", *configuration.arguments, **variables
    )
    assert len(passed) == configuration.cases
    assert set(left_out.values()) <= configuration.left_out, "cases were skipped for a new reason"
    for own in configuration.own:
        assert [case for case in passed if own in case], f"{own} did not run"
    ledger.judge(configuration.suite, passed)
