"""Networks from files: the shipped architectures, TOML and JSON files, and the header of a weights file.

A weights file is safetensors: 8 bytes with the header's length (little-endian), then the header as JSON, whose
``__metadata__`` holds the network's TOML or JSON text under ``architecture``. Only the header is read, nothing in it is
trusted. Source: the safetensors format, https://huggingface.co/docs/safetensors (section "Format").
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from convcli.architectures.grammar import GrammarError, NetworkSpec, document_of, read_network
from convcli.architectures.values import shortened, suggestion
from convcli.errors import ModelError

FOLDER = Path(__file__).parent
SUFFIXES = (".toml", ".json", ".safetensors")
LONGEST_TEXT = 4_000_000  # bytes; the largest shipped description is under 10,000
LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself


def shipped() -> tuple[str, ...]:
    """The names of the architectures that come with convcli."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find_shipped(name: str) -> str | None:
    """The shipped architecture a name means: ``LeNet-5`` is ``lenet5``."""
    plain = _plain(name)
    return next((each for each in shipped() if _plain(each) == plain), None)


def is_file_name(source: str) -> bool:
    """Whether a word means a file: it has a folder or one of the suffixes."""
    return source.lower().endswith(SUFFIXES) or "/" in source or "\\" in source


def unknown_name(name: str) -> str:
    """What to say about a name that is neither shipped nor a file."""
    near = suggestion(name, shipped())
    return f"got {shortened(name)}, expected one of {', '.join(shipped())}, or a {', '.join(SUFFIXES)} file{near}"


def load(source: str) -> NetworkSpec:
    """Read a network: a shipped architecture by name, else a ``.toml``, ``.json`` or ``.safetensors`` file.

    Raises
    ------
    ModelError
        One line: the file, and the layer, key or byte that is wrong.
    OSError
        If the file cannot be opened.
    """
    known = None if is_file_name(source) else find_shipped(source)
    path = FOLDER / f"{known}.toml" if known else Path(source)
    if not known and not is_file_name(source) and not path.is_file():
        raise ModelError(f"network: {unknown_name(source)}")
    origin = known or source
    if path.suffix.lower() == ".safetensors":
        return read_text(_architecture_of(path), f"{origin}: architecture")
    with path.open("rb") as stream:
        content = stream.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise ModelError(f"{origin}: is longer than {LONGEST_TEXT:,} bytes, expected a network description")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(f"{origin}: byte {error.start} is not UTF-8 text, expected a TOML or JSON file") from None
    return read_text(text, origin)


def read_text(text: str, origin: str) -> NetworkSpec:
    """Read a network from TOML or JSON text; ``origin`` names it in messages."""
    document = _parsed(text, origin, "JSON" if text.lstrip().startswith("{") else "TOML")
    try:
        return read_network(document, origin)
    except RecursionError:
        raise GrammarError(f"{origin}: branches are nested too deep") from None


def write_text(network: NetworkSpec) -> str:
    """The network as JSON text that `read_text` reads back: what a weights file stores."""
    return json.dumps(document_of(network))


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _architecture_of(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(size - 8, LONGEST_HEADER):
            raise ModelError(
                f"{path}: is not a safetensors file: its header would have {length:,} bytes, the file has {size:,}"
            )
        header = stream.read(length)
    document = _parsed(header.decode("utf-8", "replace"), str(path), "JSON")
    metadata = document.get("__metadata__")
    text = metadata.get("architecture") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ModelError(
            f"{path}: has no architecture in its metadata; expected a weights file written by convcli train"
        )
    return text


def _parsed(text: str, origin: str, language: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if language == "JSON" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        reason = "".join(each if each.isprintable() else " " for each in reason[:200])
        raise ModelError(f"{origin}: is not readable as {language}: {reason}") from None
    if not isinstance(document, dict):
        raise ModelError(f"{origin}: got a {language} {type(document).__name__}, expected a table of keys")
    return document
