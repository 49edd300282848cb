"""The header of a weights file: what it says about itself, read without numpy and without the weights.

A weights file is safetensors: 8 bytes with the header's length (little-endian), then the header as JSON, then the
numbers. The header's ``__metadata__`` holds texts: ``format``, ``architecture`` (the network's TOML or JSON) and
``convcli`` (see `convcli.architectures.card`). Nothing in it is trusted, and nothing is ever unpickled. The numbers
themselves are read in `convcli.nn.tensors`.

Source: the safetensors format, https://huggingface.co/docs/safetensors (section "Format").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convcli.budget import check_count
from convcli.errors import ModelError, shortened

MODEL_FORMAT = "convcli-1"
CHECKPOINT_FORMAT = "convcli-checkpoint-2"
EARLIER_CHECKPOINTS = ("convcli-checkpoint-1",)  # whose recipes say 0 for what was not given
LONGEST_HEADER = 25_000_000  # bytes; that of a model with a hundred thousand epochs of history fits
MOST_KEYS = 200_000  # of the header itself, four for each tensor; the largest networks have some thousand tensors
MOST_TEXTS = 1_000  # of metadata; a model has three
WRITTEN = "a .safetensors file written by convcli train"

# First bytes -> what such a file is. Looked at only once a file is known not to be safetensors.
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x28\x32:B]")  # its version, and the field behind it
_FOREIGN = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras's .h5), which convcli import reads"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j", "a PyTorch pickle; nothing is ever unpickled"),
    *((bytes((0x80, protocol)), "a pickle; nothing is ever unpickled") for protocol in range(2, 6)),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GGUF", "a GGUF file"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with git lfs pull"),
    (b"<", "a web page or XML; was it a download that failed?"),
)


@dataclass(frozen=True)
class Header:
    """What a weights file says about itself.

    Attributes
    ----------
    metadata : Mapping of str to str
        Its texts.
    shapes : Mapping of str to tuple of int
        The shape of each tensor.
    """

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def kind(self) -> str:
        """The file's ``format``, or nothing."""
        return self.metadata.get("format", "")


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file.

    Raises
    ------
    ModelError
        One line: the file, and what it is instead.
    OSError
        If the file cannot be opened.
    """
    with path.open("rb") as stream:
        size = path.stat().st_size
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(size - 8, LONGEST_HEADER):
            raise ModelError(f"{path}: {_not_safetensors(start + stream.read(4096), length, size)}")
        content = stream.read(length)
    if not content.startswith(b"{"):
        raise ModelError(f"{path}: {_not_safetensors(start + content[:4096], length, size)}")
    keys = content.count(b'":') - content.count(b'\\":')  # those within a text are escaped
    check_count(keys, MOST_KEYS, f"{path}: got {{}} keys in its header", "split it", ModelError)
    document = parse_json(content.decode("utf-8", "replace"), str(path))
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ModelError(f"{path}: __metadata__: got {shortened(metadata)}, expected a table of texts")
    check_count(len(metadata), MOST_TEXTS, f"{path}: __metadata__: got {{}} texts", "leave some out", ModelError)
    return Header(metadata, {name: _shape_of(entry, name, path) for name, entry in document.items()})


def require_model(header: Header, path: Path) -> None:
    """Refuse a safetensors file that is not a model of this version: foreign, a checkpoint, or too new."""
    if header.kind == MODEL_FORMAT:
        return
    if header.kind in (CHECKPOINT_FORMAT, *EARLIER_CHECKPOINTS):
        raise ModelError(f"{path}: got a checkpoint, expected a model; go on training from it with --resume {path}")
    if header.kind.startswith("convcli-"):
        raise ModelError(
            f"{path}: got format {shortened(header.kind)}, expected '{MODEL_FORMAT}': it was written by a newer "
            "convcli; update this one"
        )
    raise ModelError(f"{path}: got a safetensors file of another program, expected {WRITTEN}")


def parse_json(text: str, origin: str) -> dict[str, Any]:
    """Read a JSON table; raises `ModelError` in one line that names the origin."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{origin}: is not readable as JSON: {reason_of(error)}") from None
    if not isinstance(document, dict):
        raise ModelError(f"{origin}: got a JSON {type(document).__name__}, expected a table of keys")
    return document


def reason_of(error: Exception) -> str:
    """Why a text could not be read, on one line that is safe to print."""
    reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return "".join(each if each.isprintable() else " " for each in reason[:200])


def _shape_of(entry: object, name: str, path: Path) -> tuple[int, ...]:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ModelError(f"{path}: tensor {shortened(name)}: got {shortened(entry)}, expected a shape")
    return tuple(shape)


def _not_safetensors(start: bytes, length: int, size: int) -> str:
    """What a file is that is not safetensors, as far as its first bytes tell."""
    expected = f", expected {WRITTEN}"
    if start[8:9] == b"{" and LONGEST_HEADER < length <= size - 8:
        return f"got {length:,} bytes of metadata, expected at most {LONGEST_HEADER:,}"
    if not size:
        return f"is not a safetensors file but empty{expected}"
    if start.startswith(b"PK\x03\x04"):
        pickled = b".pkl" in start[:200]
        what = (
            "a PyTorch archive with pickles; nothing is ever unpickled"
            if pickled
            else "a zip (.keras, which convcli import reads, .npz, .pt)"
        )
        return f"is not a safetensors file but {what}{expected}"
    for prefix, what in _FOREIGN:
        if start.startswith(prefix):
            return f"is not a safetensors file but {what}{expected}"
    if _ONNX.match(start):
        return f"is not a safetensors file but an ONNX network, which convcli import reads{expected}"
    if start and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start[:256]):
        return f"is not a safetensors file but text{expected}"
    return f"is not a safetensors file: its header would have {length:,} bytes, the file has {size:,}{expected}"
