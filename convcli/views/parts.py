"""The parts of pages of HTML, which lie beside this module in ``pages``: read, and filled."""

import re
from collections.abc import Mapping
from importlib.resources import files


def part(name: str) -> str:
    """The text of a part."""
    return (files("convcli.views") / "pages" / name).read_text(encoding="utf-8")


def filled(name: str, marks: Mapping[str, str]) -> str:
    """A part with its marks replaced in one go: what has been filled in is never searched for further marks."""
    return re.sub("|".join(map(re.escape, marks)), lambda mark: marks[mark[0]], part(name))
