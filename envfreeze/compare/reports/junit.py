"""A verdict as JUnit XML, which CI systems show as tests: one case for each platform, layer and place.

The form is the one that Jenkins' xUnit plugin and GitLab read (`testsuites`, `testsuite`, `testcase`,
`failure`); tests/compare/reports/junit.xsd is its schema.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from envfreeze.compare.reports import by_place
from envfreeze.compare.reports.document import printable
from envfreeze.compare.reports.text import summary

if TYPE_CHECKING:
    from envfreeze.compare.model import Finding
    from envfreeze.compare.reports import Report

_MOST: Final = 1000
"""Findings in one case: CI systems refuse reports of many megabytes."""

# What XML 1.0 has no form for ("Characters").
_REFUSED: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report) -> str:
    """Write it."""
    verdict = report.verdict
    cases = _cases(report)
    failed = sum(case.find("failure") is not None for case in cases)
    numbers = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0"}
    time = f"{report.seconds:.3f}"
    root = ET.Element("testsuites", {"name": "envfreeze", **numbers, "time": time})
    suite = ET.SubElement(
        root, "testsuite", {"name": _text(f"{report.reference} -> {report.rebuilt}"), **numbers, "time": time}
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("verdict", verdict.level.value),
        ("wanted", report.wanted.value),
        ("reference", str(verdict.reference)),
        ("rebuilt", str(verdict.rebuilt)),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": value})
    suite.extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _cases(report: Report) -> list[ET.Element]:
    whole = ET.Element("testcase", {"classname": "envfreeze", "name": f"at least {report.wanted.value}"})
    if not report.reached:
        failure = ET.SubElement(
            whole, "failure", {"message": f"the images are {report.verdict.level.value}", "type": "level"}
        )
        failure.text = _text(summary(report))
    cases = [whole]
    places = by_place(report.verdict.findings)
    cases += [_case(report, place, ones) for place, ones in places.items()]
    return cases


def _case(report: Report, name: str, ones: list[Finding]) -> ET.Element:
    """A place; it fails where what differs there is more than is wanted."""
    case = ET.Element("testcase", {"classname": "envfreeze.layers", "name": _text(name)})
    failing = [one for one in ones if not one.level.reaches(report.wanted)]
    said = "\n".join(_line(one) for one in (failing or ones)[:_MOST])
    if failing:
        gravest = max(failing, key=lambda one: one.level.rank)
        attributes = {"message": _text(_line(gravest)), "type": gravest.kind.value}
        ET.SubElement(case, "failure", attributes).text = _text(said)
    else:
        ET.SubElement(case, "system-out").text = _text(said)
    return case


def _line(one: Finding) -> str:
    where = "" if one.path is None else f"{one.path}: "
    owner = "" if one.package is None else f"{one.package}: " if one.path is None else f"[{one.package}] "
    cause = f" ({one.cause.text}; {one.cause.remedy})" if one.cause.text else ""
    return printable(f"{owner}{where}{one.what}{cause}")


def _text(text: str) -> str:
    return _REFUSED.sub("\N{REPLACEMENT CHARACTER}", text)
