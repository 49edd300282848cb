"""The history of a training as a CSV or JSON file, written anew after each epoch."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from convcli.atomic import write_whole
from convcli.errors import ModelError
from convcli.jobs.documents import json_text
from convcli.nn.training import Epoch

SUFFIXES = (".csv", ".json")


def check_log_name(path: Path) -> None:
    """Refuse a log's name before any work is done; raises `ModelError`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ModelError(
            f"{path}: got {path.suffix or 'no suffix'}, expected a name that ends in {' or '.join(SUFFIXES)}"
        )


def write_log(path: Path, history: Sequence[Epoch]) -> None:
    """Write the whole history; what stood there before is replaced."""
    rows = [each.as_dict() for each in history]
    text = json_text(rows, indent=1) + "\n" if path.suffix.lower() == ".json" else _csv(rows)
    write_whole(path, text, overwrite=True)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
