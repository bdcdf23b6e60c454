"""A verdict as one HTML page that needs nothing else: style, script and data are in it.

A content security policy allows the page its own style and script, by their hashes, and no request at all.
What comes from images is data, which the script shows as text and never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from envfreeze.compare.reports import remedies
from envfreeze.compare.reports.document import document, printable

if TYPE_CHECKING:
    from envfreeze.compare.inventory import Inventory
    from envfreeze.compare.reports import Report


def write(report: Report) -> str:
    """Write it."""
    folder = files(f"{__package__}.page")
    page, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    parts = {
        "style-hash": _hash(style),
        "script-hash": _hash(script),
        "style": style,
        "script": script,
        "data": _data(report),
    }
    for name, text in parts.items():
        # Each name stands once, and what was put in for one holds no other.
        before, _, after = page.partition("{{" + name + "}}")
        page = before + text + after
    return page.rstrip("\n")


def _data(report: Report) -> str:
    data = document(report) | {
        "remedies": [
            {"name": cause.name, "text": cause.text, "remedy": cause.remedy}
            for cause in remedies(report.verdict.findings)
        ],
        "images": [
            {"platform": platform, "parts": _parts(inventory)} for platform, inventory in report.inventories
        ],
    }
    # So that nothing in it can end the element that it is in (HTML, "Restrictions for contents of script").
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _parts(inventory: Inventory) -> list[Any]:
    return [
        {
            "name": printable(part.name),
            "source": part.source,
            "size": part.size,
            "count": part.count,
            "files": [[printable(path), size] for path, size in part.files],
        }
        for part in inventory.parts
    ]


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
