"""The page of `convcli explain`: one file of HTML that holds its style, its script and its numbers.

The page's parts lie beside this module in ``pages``; what they show is a document of plain values. The page loads
nothing: its content policy forbids it.
"""

import json
import re
from html import escape
from importlib.resources import files
from typing import Any


def page(document: dict[str, Any]) -> str:
    """Fill the page with a document (see `convcli.jobs.explain`); returns the text of a self-contained HTML file."""
    parts = files("convcli.views") / "pages"
    text = (parts / "explain.html").read_text(encoding="utf-8")
    filled = {
        "{{title}}": escape(str(document["title"])),
        "/*style*/": (parts / "explain.css").read_text(encoding="utf-8"),
        "/*script*/": arithmetic() + (parts / "explain.js").read_text(encoding="utf-8"),
        "{{document}}": _as_json(document),
    }
    # In one go: what has been filled in is never searched for further marks.
    return re.sub("|".join(map(re.escape, filled)), lambda mark: filled[mark[0]], text)


def arithmetic() -> str:
    """The script that repeats a filter's arithmetic, writes numbers and colours them; the lab's page has it too."""
    return (files("convcli.views") / "pages" / "arithmetic.js").read_text(encoding="utf-8")


def _as_json(document: dict[str, Any]) -> str:
    """JSON that no text in it can end the script element early, or open a comment."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
