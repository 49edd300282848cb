"""Arrays by name, with texts beside them, in a safetensors file. What the arrays mean is not here.

The library reads: it is a well-tested guard against files that lie. Writing is done here, since the library orders the
texts at random, and the same model has to give the same bytes. Nothing is ever unpickled.

Source: the safetensors format, https://huggingface.co/docs/safetensors (section "Format").
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures.header import LONGEST_HEADER, read_header
from convcli.atomic import replacing
from convcli.budget import check_memory
from convcli.errors import ModelError, shortened
from convcli.nn.layer import Array

# numpy's kind and size -> safetensors' name. bfloat16, which numpy lacks, is read as the float32 with the same values.
_NAMES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
    "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL",
}  # fmt: skip
_TYPES = {name: np.dtype(f"<{word}") for word, name in _NAMES.items()}


def write_tensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str], *, overwrite: bool = False
) -> None:
    """Write a safetensors file; it appears complete or not at all. The same arguments give the same bytes.

    Parameters
    ----------
    path : Path
        The file.
    arrays : Mapping of str to ndarray
        Floats, integers or booleans of any shape.
    metadata : Mapping of str to str
        Texts beside them.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    ModelError
        If the file exists, cannot be written, or an array is of another type.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "numbers.safetensors"
    >>> write_tensors(path, {"numbers": np.arange(3)}, {"from": "here"})
    >>> read_tensors(path)
    ({'numbers': array([0, 1, 2])}, {'from': 'here'})
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    parts: list[Array] = []
    offset = 0
    # Wide types first, so that every array is aligned; then by name.
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        word = f"{array.dtype.kind}{array.dtype.itemsize}"
        if word not in _NAMES:
            raise ModelError(f"{name}: got {array.dtype}, expected floats, integers or booleans")
        part = np.ascontiguousarray(array, _TYPES[_NAMES[word]])
        span = [offset, offset + part.nbytes]
        header[name] = {"dtype": _NAMES[word], "shape": list(array.shape), "data_offsets": span}
        parts.append(part)
        offset += part.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ModelError(f"{path}: got {len(text):,} bytes of metadata, expected at most {LONGEST_HEADER:,}")
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for part in parts:
            stream.write(part.tobytes())


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a safetensors file: arrays by name, and the texts.

    Returns
    -------
    tuple of dict of str to ndarray, dict of str to str
        The arrays are the caller's own; float16 stays float16, bfloat16 becomes float32 of the same values.

    Raises
    ------
    ModelError
        One line, whatever the file holds.
    OSError
        If the file cannot be opened.
    """
    from safetensors import SafetensorError, deserialize

    header = read_header(path)
    size = path.stat().st_size
    check_memory(2 * size, f"{path}: got weights of {size:,} bytes", ModelError)
    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError, MemoryError) as error:
        reason = "it does not fit into memory" if isinstance(error, MemoryError) else _reason(error)
        raise ModelError(f"{path}: is not a complete safetensors file: {reason}") from None
    return {name: _array(entry, f"{path}: {shortened(name)}") for name, entry in entries}, dict(header.metadata)


def _array(entry: Mapping[str, Any], where: str) -> Array:
    name, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if name == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, "<u2").astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32).reshape(shape)
    if name not in _TYPES:
        raise ModelError(f"{where}: got numbers of type {name}, expected one of {', '.join(_TYPES)}, BF16")
    return np.frombuffer(data, _TYPES[name]).reshape(shape)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "".join(each for each in text if each.isprintable())[:200]
