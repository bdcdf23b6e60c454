"""A verdict as text, JSON, Markdown and JUnit: what each says, and what none may let through."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.compare import causes
from envfreeze.compare.inventory import Inventory, Part
from envfreeze.compare.model import Finding, Kind, Level, Verdict, finding
from envfreeze.compare.reports import FORMATS, Report, write
from envfreeze.compare.reports.document import document
from envfreeze.compare.reports.markdown import escaped
from envfreeze.digest import Digest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


def report(*findings, level=Level.DIFFERENT, **changes):
    counts = {}
    for one in findings:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    return Report(Verdict(level, ONE, TWO, findings, counts, 4), "a.tar", "b.tar", **changes)


TAMPERED = Finding(
    Kind.CONTENT,
    Level.DIFFERENT,
    "wheel-torch",
    "torch",
    "site/torch/a.py",
    "1 -> 2",
    causes.TAMPERING,
    ("@@ -1 +1 @@", "-x = 1", "+x = 2"),
)
TIME = finding(Kind.TIME, "files", "time then -> now", causes.TIMESTAMPS, path="app/train.py")
MOVED = finding(Kind.PACKAGE_VERSION, "packages", "2.0 -> 2.1", causes.FLOATING_PACKAGE, package="numpy")
IDENTICAL = Report(Verdict(Level.IDENTICAL, ONE, ONE), "a.tar", "b.tar")


def test_text_begins_with_the_verdict_and_ends_with_what_to_do():
    lines = write(report(MOVED, TIME, TAMPERED), "text").splitlines()
    assert lines[:3] == ["different", "", "3 differences: 1 package-version, 1 content, 1 time"]
    assert "  [torch] site/torch/a.py: 1 -> 2 (a file is not what the list of its own package says)" in lines
    assert "      -x = 1" in lines
    assert "  numpy: 2.0 -> 2.1 (a package that nothing pins)" in lines
    # What is gravest comes first.
    assert lines[lines.index("what to do") + 1].startswith("  a file is not what the list")
    assert write(IDENTICAL, "text") == "identical"


def test_text_tells_the_gravest_where_there_are_too_many():
    many = [finding(Kind.TIME, "files", "t", path=f"p{number}") for number in range(200)]
    written = write(report(*many, TAMPERED), "text")
    assert "site/torch/a.py" in written
    assert "and 151 more, which --format json lists" in written


def test_the_document_has_all():
    found = json.loads(write(report(TAMPERED, TIME, wanted=Level.PACKAGES, seconds=1.23456), "json"))
    assert (found["verdict"], found["wanted"], found["reached"]) == ("different", "packages", False)
    assert found["counts"] == {"content": 1, "time": 1}
    assert found["names"] == {"reference": "a.tar", "rebuilt": "b.tar"}
    assert (found["seconds"], found["layers_read"], found["omitted"]) == (1.235, 4, 0)
    assert found["findings"][0] == {
        "kind": "content",
        "level": "different",
        "platform": None,
        "layer": "wheel-torch",
        "package": "torch",
        "path": "site/torch/a.py",
        "what": "1 -> 2",
        "cause": causes.TAMPERING.text,
        "cause_name": "tampering",
        "remedy": causes.TAMPERING.remedy,
        "details": ["@@ -1 +1 @@", "-x = 1", "+x = 2"],
    }


@pytest.mark.parametrize(
    ("level", "wanted", "reached"),
    [
        ("tree", "tree", True),
        ("layers", "tree", True),
        ("packages", "tree", False),
        ("identical", "identical", True),
    ],
)
def test_a_level_is_reached_by_those_above_it(level, wanted, reached):
    assert report(level=Level(level), wanted=Level(wanted)).reached is reached


class TestMarkdown:
    def test_packages_are_a_table_and_the_rest_is_folded(self):
        written = write(report(MOVED, TAMPERED), "markdown")
        assert written.startswith("### ❌ envfreeze: different\n")
        assert "| numpy | 2.0 \\-\\> 2.1 | a package that nothing pins |" in written
        assert "<details><summary>wheel-torch: 1</summary>" in written
        assert "  ```diff\n  @@ -1 +1 @@\n  -x = 1\n  +x = 2\n  ```" in written
        assert written.count("<details>") == written.count("</details>") == 1
        assert write(report(MOVED, wanted=Level.DIFFERENT), "markdown").startswith("### ✅")

    def test_it_fits_into_a_comment(self):
        many = [finding(Kind.CONTENT, f"layer {n % 7}", "x" * 90, path=f"p{n:05}") for n in range(3000)]
        written = write(report(*many), "markdown")
        assert len(written) < 65_536
        left = re.search(r"^(\d+) more differences are not listed here\.$", written, re.MULTILINE)
        assert int(left[1]) + written.count("\n- `p") == 3000

    def test_fences_are_longer_than_what_they_hold(self):
        evil = Finding(Kind.CONTENT, Level.PACKAGES, "f", None, "a``b", "w", details=("````", "x"))
        written = write(report(evil), "markdown")
        assert "  `````diff" in written
        assert "- ```a``b``` " in written

    @given(st.text())
    def test_no_text_is_markup(self, text):
        shown = escaped(text)
        assert "\n" not in shown
        bare = re.sub(r"\\.", "", shown)
        assert not set(bare) & set("`*_[]<>|#~&@")


SCHEMA = {
    # The JUnit schema that Jenkins' xUnit plugin and the Windy Road schema agree on: who may hold what.
    "testsuites": ({"testsuite"}, {"name", "tests", "failures", "errors", "skipped", "time"}, set()),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "skipped", "time"},
        {"name", "tests"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, {"name", "value"}),
    "testcase": (
        {"failure", "error", "skipped", "system-out", "system-err"},
        {"classname", "name", "time"},
        {"classname", "name"},
    ),
    "failure": (set(), {"message", "type"}, {"type"}),
    "system-out": (set(), set(), set()),
}


def xml_of(text):
    return ET.fromstring(text)  # noqa: S314 - it is our own


def check(element):
    children, may, must = SCHEMA[element.tag]
    assert {child.tag for child in element} <= children
    assert must <= element.attrib.keys() <= may
    assert element.tag in {"failure", "system-out"} or not (element.text or "").strip()
    for child in element:
        check(child)


class TestJunit:
    def test_it_has_the_shape_that_ci_reads(self):
        root = xml_of(write(report(MOVED, TIME, TAMPERED, wanted=Level.TREE, seconds=2), "junit"))
        check(root)
        (suite,) = root
        cases = {case.get("name"): case for case in suite.iter("testcase")}
        assert list(cases) == ["at least tree", "packages", "files", "wheel-torch"]
        failed = {name for name, case in cases.items() if case.find("failure") is not None}
        assert failed == {"at least tree", "packages", "wheel-torch"}
        assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
        assert "time then" in cases["files"].find("system-out").text
        assert cases["wheel-torch"].find("failure").get("type") == "content"

    def test_equal_images_pass(self):
        root = xml_of(write(IDENTICAL, "junit"))
        check(root)
        assert (root.get("tests"), root.get("failures")) == ("1", "0")

    def test_many_platforms_are_cases_of_their_own(self):
        ones = (Finding(Kind.TIME, Level.TREE, "files", None, "a", "w", platform=name) for name in ("x", "y"))
        root = xml_of(write(report(*ones), "junit"))
        names = [case.get("name") for case in root.iter("testcase")]
        assert names == ["at least identical", "files (x)", "files (y)"]


ANY = st.text(max_size=30)


@given(ANY, ANY, ANY, ANY, st.lists(ANY, max_size=3))
def test_no_form_breaks_on_any_name(layer, package, path, what, details):
    evil = Finding(
        Kind.CONTENT, Level.DIFFERENT, layer, package, path, what, causes.TAMPERING, tuple(details)
    )
    inventory = Inventory((Part(package, "pip", 1, 1, [(path, 1)]),))
    one = Report(
        Verdict(Level.DIFFERENT, ONE, TWO, (evil,), {Kind.CONTENT: 1}),
        path,
        what,
        inventories=(("p", inventory),),
    )
    for form in FORMATS:
        written = write(one, form)
        assert written.encode()
        if form == "json":
            assert json.loads(written)["findings"][0]["package"] == package
        elif form == "junit":
            check(xml_of(written))
        elif form == "html":
            data = re.search(r'<script type="application/json" id="data">(.*?)</script>', written, re.DOTALL)
            assert json.loads(data[1])["images"][0]["parts"][0]["size"] == 1
        elif form == "text":
            # Nothing that a terminal obeys.
            assert all(char.isprintable() or char == "\n" for char in written)


def test_bytes_that_are_no_text_are_shown_escaped():
    odd = finding(Kind.CONTENT, "files", "w", path="caf\udce9\x1b[31m")
    for form in FORMATS:
        assert write(report(odd), form).encode()
    assert document(report(odd))["findings"][0]["path"] == "caf\\udce9\\x1b[31m"
