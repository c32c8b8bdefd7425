"""The ledger: the cases in which the key deliberately differs from a foreign suite (`ledger.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

FILE = Path(__file__).with_name("ledger.toml")


@dataclass(frozen=True)
class Disagreement:
    """One case of the ledger; `ledger.toml` describes its fields."""

    suite: str
    case: str
    expects: str
    answers: str
    section: str
    why: str


def read(text: str | None = None) -> list[Disagreement]:
    """All cases, in order. Fails on a missing, empty or unknown field."""
    document = tomllib.loads(FILE.read_text() if text is None else text)
    assert set(document) <= {"case"}, "the ledger holds [[case]] tables only"
    lines = [Disagreement(**line) for line in document.get("case", [])]
    for line in lines:
        for field in fields(line):
            value = getattr(line, field.name)
            assert isinstance(value, str) and value.strip(), f"{line.case}: {field.name} is empty"
    names = [(line.suite, line.case) for line in lines]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"these cases stand twice in the ledger: {sorted(twice)}"
    return lines


def judge(suite: str, passed: Mapping[str, bool], lines: list[Disagreement] | None = None) -> None:
    """Compares a suite's results with the ledger.

    `passed` says for every case that ran whether it passed. Fails if a failed case is not in the
    ledger, and if a case in the ledger passed or did not run.
    """
    assert passed, f"{suite}: no case ran"
    known = {line.case for line in (read() if lines is None else lines) if line.suite == suite}
    failed = {case for case, well in passed.items() if not well}
    complaints = [f"fails, and the ledger does not say why: {case}" for case in failed - known]
    complaints += [
        f"passes: its line in the ledger is no longer needed: {case}"
        for case in known & (set(passed) - failed)
    ]
    complaints += [
        f"is in the ledger but not among the suite's cases: {case}" for case in known - set(passed)
    ]
    assert not complaints, "\n".join([suite, *sorted(complaints)])
