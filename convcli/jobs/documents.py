"""What goes out as JSON or CSV: one function for every document, so that none holds what JSON does not know."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any


def json_text(document: Any, *, indent: int | None = None) -> str:
    """The document as JSON; numbers that are NaN or infinite are ``null``: JSON has no words for them.

    >>> json_text({"loss": float("nan"), "rates": (0.1, float("inf"))})
    '{"loss": null, "rates": [0.1, null]}'
    """
    return json.dumps(_known(document), allow_nan=False, indent=indent)


def table_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV, in UTF-8; bytes of names that are none are written as ``\\udcff``."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue().encode("utf-8", "backslashreplace")


def named(thing: object, *names: str) -> dict[str, Any]:
    """The attributes of these names, for a document."""
    return {name: getattr(thing, name) for name in names}


def _known(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _known(each) for key, each in value.items()}
    return [_known(each) for each in value] if isinstance(value, list | tuple) else value
