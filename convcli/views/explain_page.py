"""The page of `convcli explain`: one file of HTML that holds its style, its script and its numbers.

The page's parts lie beside this module in ``pages``; what they show is a document of plain values. The page loads
nothing: its content policy forbids it.
"""

import json
from html import escape
from typing import Any

from convcli.views.parts import filled, part


def page(document: dict[str, Any]) -> str:
    """Fill the page with a document (see `convcli.jobs.explain`); returns the text of a self-contained HTML file."""
    marks = {
        "{{title}}": escape(str(document["title"])),
        "/*style*/": part("explain.css"),
        "/*script*/": arithmetic() + part("explain.js"),
        "{{document}}": _as_json(document),
    }
    return filled("explain.html", marks)


def arithmetic() -> str:
    """The script that repeats a filter's arithmetic, writes numbers and colours them; the lab's page has it too."""
    return part("arithmetic.js")


def _as_json(document: dict[str, Any]) -> str:
    """JSON that no text in it can end the script element early, or open a comment."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
