"""The history of a training as a CSV or JSON file, written anew after each epoch."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from convcli.atomic import replacing
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
    text = _json(history) if path.suffix.lower() == ".json" else _csv(history)
    with replacing(path, overwrite=True) as stream:
        stream.write(text.encode())


def _json(history: Sequence[Epoch]) -> str:
    return json_text([each.as_dict() for each in history], indent=1) + "\n"


def _csv(history: Sequence[Epoch]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(each.as_dict() for each in history)
    return text.getvalue()
