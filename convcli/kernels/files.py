"""Kernel files: ``.txt``, ``.csv``, ``.json`` and ``.npy``. Anything without one of these endings is read as text."""

import re
from pathlib import Path

import numpy as np

from convcli.budget import check_count
from convcli.errors import KernelError
from convcli.kernels.entry import Weights
from convcli.kernels.matrices import MAX_ROWS, check_array, load_json, read_matrix, read_nested
from convcli.kernels.parameters import shortened

SUFFIXES = (".txt", ".csv", ".json", ".npy")
# Enough for the most weights a kernel may have, each written with all its digits.
_LONGEST_HEADER = 65_535  # bytes of an array's
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
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise KernelError(f"{subject} is not text; expected rows of numbers, or a .npy array")
    return text


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
        start = file.read(12)
    magic = start[:6]
    if magic[:4] == b"PK\3\4":
        raise KernelError(f"{subject} is an .npz archive, expected one array saved with numpy.save")
    if magic != b"\x93NUMPY":
        raise KernelError(f"{subject} is no .npy array; save it with numpy.save")
    length = int.from_bytes(start[8:12] if start[6:7] > b"\1" else start[8:10], "little")
    check_count(length, _LONGEST_HEADER, f"{subject} has a header of {{}} bytes", "save it again", KernelError)
    try:
        # Mapped, not read: a header that promises more numbers than the file holds allocates nothing.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        reason = "holds pickled Python objects" if "Python objects" in str(error) else "is damaged or cut short"
        raise KernelError(f"{subject} {reason}; expected an array of numbers saved with numpy.save") from None
    return check_array(array, subject)
