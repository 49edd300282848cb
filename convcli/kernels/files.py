"""Kernel files: ``.txt``, ``.csv``, ``.json`` and ``.npy``. Anything without one of these endings is read as text."""

import re
from pathlib import Path

from convcli.budget import check_count
from convcli.errors import KernelError
from convcli.kernels.entry import Weights
from convcli.kernels.matrices import MAX_ROWS, check_array, check_shape, load_json, read_matrix, read_nested
from convcli.kernels.npy import MAGIC, read_header
from convcli.kernels.parameters import shortened
from convcli.kernels.text import decoded

SUFFIXES = (".txt", ".csv", ".json", ".npy")
_QUOTED = re.compile(r"(?<![^\s,;])\"([^\"\n]*)\"(?![^\s,;])")
_NAMED_DELIMITER = re.compile(r"\A\"?(?i:sep)=[;,\t]\"?\n")
# Enough for the most weights a kernel may have, each written with all its digits.
MAX_BYTES = 120_000_000


def read_kernel_file(path: str) -> Weights:
    """Read the weights in a file; float64, (KH, KW) or (KD, KH, KW).

    A text file holds a matrix as on the command line, one row per line, with ``#`` comments. JSON holds nested lists,
    or what ``convcli kernel show --json`` printed. A ``.npy`` array is never unpickled. Raises `KernelError`.
    """
    subject = f"kernel file {shortened(path, 200)}"
    if "\0" in path:
        raise KernelError(f"{subject}: no file name contains a NUL")
    place = Path(path)
    if place.is_dir():
        raise KernelError(f"{subject} is a folder, expected a file with numbers")
    suffix = place.suffix.lower()
    if suffix == ".toml":
        raise KernelError(f"{subject} is TOML, expected .csv, .json, .npy or text; recipes are given as --recipe")
    try:
        if suffix == ".npy":
            return _read_npy(place, subject)
        text = _read_text(place, subject)
    except FileNotFoundError:
        raise KernelError(f"{subject}: no such file") from None
    except OSError as error:
        raise KernelError(f"{subject}: {error.strerror or error}") from None
    if suffix == ".json":
        return _read_json(text, subject)
    check_count(text.count("\n"), 10 * MAX_ROWS, f"{subject} has {{}} lines", "give fewer", KernelError)
    text = "\n".join(line.partition("#")[0] for line in text.splitlines())
    if suffix == ".csv":
        text = _QUOTED.sub(r"\1", _NAMED_DELIMITER.sub("", text))
    if suffix == ".csv" and ";" in text:
        text = _semicolons_to_columns(text, subject)
    return read_matrix(text, subject)


def file_stem(path: str) -> str:
    """A kernel file's name without folder and ending, safe in a file name."""
    return re.sub(r"[^\w.-]+", "-", Path(path).stem).strip("-.") or "matrix"


def _read_text(path: Path, subject: str) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise KernelError(f"{subject} is larger than {MAX_BYTES:,} bytes, the limit for a kernel as text")
    if not data.strip():
        raise KernelError(f"{subject} is empty")
    try:
        return decoded(data)[0]
    except ValueError:
        raise KernelError(f"{subject} is not text; expected rows of numbers, or a .npy array") from None


def _read_json(text: str, subject: str) -> Weights:
    data = load_json(text, subject)
    if isinstance(data, dict):
        if "weights" not in data:
            raise KernelError(f"{subject} holds an object without 'weights'; expected [[1, 2], [3, 4]]")
        if data.get("combine", "single") != "single":
            raise KernelError(f"{subject} holds several kernels ({data['combine']}), expected one")
        data = data["weights"]
    return read_nested(data, subject)


def _semicolons_to_columns(text: str, subject: str) -> str:
    # Spreadsheets whose decimal sign is the comma separate columns by semicolons.
    if "," in text:
        raise KernelError(f"{subject} has both ';' and ','; write decimals with a point and columns with ','")
    return "\n".join(line.strip().removesuffix(";").replace(";", ",") for line in text.splitlines())


def _read_npy(path: Path, subject: str) -> Weights:
    with path.open("rb") as file:
        magic = file.read(6)
    if magic[:4] == b"PK\3\4":
        raise KernelError(f"{subject} is an .npz archive, expected one array saved with numpy.save")
    if magic != MAGIC:
        raise KernelError(f"{subject} is no .npy array; save it with numpy.save")
    with path.open("rb") as file:
        try:
            header = read_header(file)
        except ValueError as error:
            raise KernelError(f"{subject}: {error}") from None
        check_shape(header.shape, subject)
        file.seek(0)
        data = file.read(header.end)
    if len(data) < header.end:
        raise KernelError(f"{subject} is cut short: {header.end - len(data)} bytes are missing; get a fresh copy")
    return check_array(header.array(data), subject)
