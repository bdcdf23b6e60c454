"""The HTML page, in a real browser."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path

import pytest

from envfreeze.compare.inventory import MOST_FILES, Inventory, Part
from envfreeze.compare.model import Finding, Kind, Level, Verdict, finding
from envfreeze.compare.reports import Report, write
from envfreeze.digest import Digest

pytestmark = pytest.mark.integration

EVIL = "</script><img src=x onerror=\"document.title='owned'\"><b>&amp;"


def load():
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["browser"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(need, tmp_path_factory):
    module = load()
    need("chromium", module.PROGRAM is not None, "no Chromium on this machine")
    with module.Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


def a_finding(path, kind=Kind.CONTENT, package="torch", **changes):
    level = changes.pop("level", Level.DIFFERENT)
    return Finding(kind, level, changes.pop("layer", "wheel-torch"), package, path, "1 -> 2", **changes)


def report(findings=(), parts=None, **changes):
    findings = tuple(findings)
    counts = {}
    for one in findings:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    verdict = Verdict(Level.DIFFERENT, Digest.of(b"1"), Digest.of(b"2"), findings, counts)
    parts = parts or (
        Part("torch", "pip", 900, 3, [("torch/a.py", 500), ("torch/b.py", 300), ("torch/c.py", 100)]),
        Part("libc6", "dpkg", 400, 2, [("lib/libc.so", 350)]),
        Part("other files", "", 100, 1, [("app/train.py", 100)]),
    )
    named = {"reference": "a.tar", "rebuilt": "b.tar"} | changes
    return Report(verdict, inventories=(("linux/amd64", Inventory(tuple(parts))),), **named)


@pytest.fixture
def shown(browser, tmp_path):
    """Show a report, and give the browser."""

    def show(one):
        path = tmp_path / "page.html"
        path.write_text(write(one, "html"))
        browser.open(path.as_uri())
        return browser

    return show


def test_the_page_says_what_differs_and_asks_nobody_for_anything(shown):
    page = shown(
        report(
            [a_finding("torch/a.py", details=("-x = 1", "+x = 2")), a_finding("app/train.py", package=None)]
        )
    )
    assert page.run("document.title") == "different: a.tar → b.tar"
    assert page.run("document.getElementById('summary').textContent") == "2 differences: 2 content"
    assert page.run("[...document.querySelectorAll('td.path')].map(one => one.textContent)") == [
        "torch/a.py",
        "app/train.py",
    ]
    assert page.run("[...document.querySelectorAll('pre span')].map(one => one.className)") == [
        "gone",
        "come",
    ]
    assert page.said == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1


def test_nothing_of_an_image_becomes_part_of_the_page(shown):
    evil = a_finding(EVIL, package=EVIL, layer=EVIL, details=(EVIL,))
    page = shown(report([evil], (Part(EVIL, "pip", 10, 1, [(EVIL, 10)]),), reference=EVIL))
    assert page.run("document.querySelectorAll('img, b').length") == 0
    assert EVIL in page.run("document.title")
    assert page.run("document.querySelector('td.path').textContent") == EVIL
    page.run("document.getElementById('map').focus()")
    page.press("ArrowRight")
    assert page.run("document.getElementById('told').textContent").startswith(EVIL)
    assert page.said == []


def test_a_script_that_is_not_the_page_s_own_does_not_run(shown, tmp_path):
    path = tmp_path / "changed.html"
    path.write_text(
        write(report(), "html").replace("</body>", "<script>document.title = 'owned'</script></body>")
    )
    page = shown(report())
    page.open(path.as_uri())
    assert page.run("document.title") != "owned"
    assert any("Content Security Policy" in one for one in page.said)


def lit(page):
    """How many points of the picture are in the colour of what differs."""
    return page.run(
        """(() => {
          const map = document.getElementById('map');
          const shade = document.createElement('canvas').getContext('2d');
          const rgb = (name) => {
            shade.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
            shade.fillRect(0, 0, 1, 1);
            return shade.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
          };
          const wanted = rgb('--lit');
          const points = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
          let found = 0;
          for (let at = 0; at < points.length; at += 4) {
            if (points.slice(at, at + 3).join() === wanted) found += 1;
          }
          return found / (points.length / 4);
        })()"""
    )


def test_what_differs_is_lit_by_its_size(shown):
    assert lit(shown(report())) == 0
    small = lit(shown(report([a_finding("torch/c.py")])))
    large = lit(shown(report([a_finding("torch/a.py")])))
    assert 0 < small < large


def test_the_keyboard_leads_through_packages_and_back(shown):
    page = shown(report([a_finding("torch/b.py")]))
    told = "document.getElementById('told').textContent"
    page.run("document.getElementById('map').focus()")
    page.press("ArrowRight")
    assert page.run(told) == "torch (pip), 900 B, 1 differ"
    seen = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "End", "Home"):
        page.press(key)
        seen.add(page.run(told).partition(" ")[0])
    assert {"torch", "libc6"} <= seen
    page.press("Home", "Enter")
    assert "torch, 900 B" in page.run("document.getElementById('crumbs').textContent")
    assert page.run(told).startswith("torch/a.py")
    page.press("End", "Home", "Escape")
    assert page.run("document.getElementById('crumbs').textContent") == "image"
    assert page.run(told).startswith("torch (pip)")


def test_enter_on_a_file_leads_to_what_differs_in_it(shown):
    page = shown(report([a_finding("torch/a.py")]))
    page.run("document.getElementById('map').focus()")
    page.press("Home", "Enter", "Home", "Enter")
    assert page.run("document.querySelector('tr.at').dataset.path") == "torch/a.py"
    assert page.run("document.activeElement.dataset.path") == "torch/a.py"


def test_searching_narrows_the_list(shown):
    ones = [a_finding("torch/a.py"), a_finding("lib/libc.so", Kind.MODE, "libc6", layer="debs-00")]
    page = shown(report(ones))
    paths = "[...document.querySelectorAll('td.path')].map(one => one.textContent)"
    page.press("/")
    assert page.run("document.activeElement.id") == "search"
    page.press(*"MODE")
    assert page.run(paths) == ["lib/libc.so"]
    assert page.run("document.getElementById('count').textContent") == "(1 of 2)"
    page.press(*" torch")
    assert page.run(paths) == []
    page.press("Escape")
    assert page.run(paths) == ["torch/a.py", "lib/libc.so"]


def test_only_what_changed_can_be_shown(shown):
    page = shown(report([a_finding("lib/libc.so", package="libc6")]))
    page.run("document.getElementById('changed-only').click()")
    page.run("document.getElementById('map').focus()")
    page.press("End")
    assert page.run("document.getElementById('told').textContent").startswith("libc6")


def test_what_is_gone_and_has_no_size_is_shown(shown):
    page = shown(report([a_finding("torch/old.py", Kind.REMOVED)]))
    page.run("document.getElementById('map').focus()")
    page.press("End")
    assert "only in the reference" in page.run("document.getElementById('told').textContent")
    assert lit(page) < 0.05
    page.press("Enter")
    assert lit(page) > 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_by_night(shown, scheme):
    page = shown(report([a_finding("torch/a.py")]))
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    luminance = """((colour) => {
      const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((one) => {
        const part = one / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    })"""
    style = "getComputedStyle(document.body)"
    ground, text = (page.run(f"{luminance}({style}.{name})") for name in ("backgroundColor", "color"))
    assert (ground > text) == (scheme == "light")
    lighter, darker = max(ground, text), min(ground, text)
    assert (lighter + 0.05) / (darker + 0.05) > 7
    page.call("Emulation.setEmulatedMedia", features=[])


def test_the_verdict_is_green_where_it_is_enough(shown):
    assert (
        shown(report(wanted=Level.DIFFERENT)).run("document.getElementById('verdict').className") == "reached"
    )
    assert shown(report(wanted=Level.TREE)).run("document.getElementById('verdict').className") == ""


def test_twenty_thousand_files_are_shown_and_searched_at_once(shown, browser):
    parts = tuple(
        Part(
            f"package-{number:03}",
            "pip",
            10_000,
            200,
            [(f"p{number:03}/f{file:03}.py", 50) for file in range(200)],
        )
        for number in range(MOST_FILES // 200)
    )
    ones = [
        a_finding(f"p{number:03}/f{file:03}.py", package=f"package-{number:03}")
        for number in range(100)
        for file in range(50)
    ]
    page = shown(report(ones, parts))
    assert page.run("document.querySelectorAll('td.path').length") == 500
    seconds = page.run(
        """(() => {
          const begin = performance.now();
          document.getElementById('search').value = 'p042/f007';
          document.getElementById('search').dispatchEvent(new Event('input'));
          return (performance.now() - begin) / 1000;
        })()"""
    )
    assert seconds < 1
    assert page.run("[...document.querySelectorAll('td.path')].map(one => one.textContent)") == [
        "p042/f007.py"
    ]
    page.press("Escape")
    picture = browser.call("Page.captureScreenshot", format="png")["data"]
    assert len(base64.b64decode(picture)) > 10_000


def test_several_platforms_can_be_chosen_from(shown):
    both = report([finding(Kind.PLATFORM_ADDED, "index", "linux/riscv64")])
    further = Inventory((Part("numpy", "pip", 10, 1, [("numpy/a.py", 10)]),))
    both = Report(both.verdict, "a", "b", inventories=(*both.inventories, ("linux/arm64", further)))
    page = shown(both)
    choose = "one => { one.value = '1'; one.dispatchEvent(new Event('change')) }"
    page.run(f"({choose})(document.getElementById('platform'))")
    page.run("document.getElementById('map').focus()")
    page.press("Home")
    assert page.run("document.getElementById('told').textContent").startswith("numpy")
