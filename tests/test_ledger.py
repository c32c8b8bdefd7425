"""The ledger of disagreements is complete, and has no case that is no longer needed."""

import re
from pathlib import Path

import ledger
import pytest

# The calls in which a journey names its suite.
JUDGED = r"(?:ledger\.judge|Configuration)\(\s*\"([^\"]+)\""
LINE = """
[[case]]
suite = "theirs"
case = "a"
expects = "yes"
answers = "no"
section = "CTAP 2.3, section 1"
why = "It says no."
"""


def test_every_line_is_complete_and_judged_by_a_journey():
    suites = {line.suite for line in ledger.read()}
    calls = [
        call
        for journey in Path(__file__).parent.glob("test_*.py")
        if journey != Path(__file__)
        for call in re.findall(JUDGED, journey.read_text())
    ]
    assert suites <= set(calls), f"no journey judges {suites - set(calls)}"


def test_results_that_agree_with_the_ledger_pass():
    ledger.judge("theirs", {"a": False, "b": True}, ledger.read(LINE))


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ({"a": True}, "no longer needed"),
        ({"b": True}, "not among"),
        ({"a": False, "b": False}, "does not say why"),
        ({}, "no case ran"),
    ],
)
def test_results_that_disagree_fail(results, complaint):
    with pytest.raises(AssertionError, match=complaint):
        ledger.judge("theirs", results, ledger.read(LINE))


@pytest.mark.parametrize("change", [("why = ", "because = "), ('"no"', '" "'), ("case]]", "line]]")])
def test_incomplete_lines_are_refused(change):
    with pytest.raises((AssertionError, TypeError)):
        ledger.read(LINE.replace(*change))


def test_a_case_stands_in_the_ledger_once():
    with pytest.raises(AssertionError, match="twice"):
        ledger.read(LINE + LINE)
