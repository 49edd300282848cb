"""Networks from files: the shipped architectures, TOML and JSON files, and the header of a weights file.

Of a weights file only the header is read (see `convcli.architectures.header`).
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from convcli.architectures.grammar import GrammarError, NetworkSpec, document_of, read_network
from convcli.architectures.header import WRITTEN, parse_json, read_header, reason_of
from convcli.budget import check_count
from convcli.errors import ModelError, shortened, suggestion

FOLDER = Path(__file__).parent
SHIPPED_MODEL = FOLDER.parent / "models" / "mnist.safetensors"
SUFFIXES = (".toml", ".json", ".safetensors")
# Characters, and bytes of a file; the largest shipped description is under 10,000. Python reads JSON, as weights files
# hold it, many times as fast as TOML.
LONGEST_TEXT = 1_000_000
LONGEST_JSON = 4_000_000
# Of letters, digits and underscores: more digits take longer than their number, and no name is that long.
LONGEST_WORD = 1_000
MOST_DOTS = 200  # in a row of keys a.b.c


_WORD = re.compile(r"\w+")
_BETWEEN_DOTS = re.compile(r"[^.,=\[\]{}\n]+")


def shipped() -> tuple[str, ...]:
    """The names of the architectures that come with convcli."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find_shipped(name: str) -> str | None:
    """The shipped architecture a name means: ``LeNet-5`` is ``lenet5``."""
    plain = _plain(name)
    return next((each for each in shipped() if _plain(each) == plain), None)


def resolved(source: str) -> str:
    """``shipped`` is the file of the trained model that comes with convcli, unless a file here has that name."""
    return str(SHIPPED_MODEL) if source == "shipped" and not Path(source).exists() else source


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
        content = stream.read(LONGEST_JSON + 1)
    _check_length(len(content), LONGEST_JSON, origin)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(f"{origin}: byte {error.start} is not UTF-8 text, expected a TOML or JSON file") from None
    return read_text(text, origin)


def read_text(text: str, origin: str) -> NetworkSpec:
    """Read a network from TOML or JSON text; ``origin`` names it in messages."""
    language = "JSON" if text.startswith("{") or text[:1000].lstrip().startswith("{") else "TOML"
    _check_length(len(text), LONGEST_JSON if language == "JSON" else LONGEST_TEXT, origin)
    document = _parsed(text, origin, language)
    try:
        return read_network(document, origin)
    except RecursionError:
        raise GrammarError(f"{origin}: branches are nested too deep") from None


def _check_length(length: int, longest: int, origin: str) -> None:
    if length > longest:
        raise ModelError(f"{origin}: is longer than {longest:,} bytes, expected a network description")


def write_text(network: NetworkSpec) -> str:
    """The network as JSON text that `read_text` reads back: what a weights file stores."""
    return json.dumps(document_of(network))


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _architecture_of(path: Path) -> str:
    text = read_header(path).metadata.get("architecture")
    if text is None:
        raise ModelError(f"{path}: has no architecture in its metadata, expected {WRITTEN}")
    return text


def _parsed(text: str, origin: str, language: str) -> dict[str, Any]:
    if language == "TOML":
        return parse_toml(text, origin)
    _check_words(text, origin)
    return parse_json(text, origin)


def _check_words(text: str, origin: str) -> None:
    longest = max((found.end() - found.start() for found in _WORD.finditer(text)), default=0)
    check_count(longest, LONGEST_WORD, f"{origin}: got a word or number of {{}} characters", "shorten it", ModelError)


def parse_toml(text: str, origin: str, expected: str = "a network description") -> dict[str, Any]:
    """TOML of somebody's as a document, in time and memory that go with its length; raises `ModelError`."""
    _check_words(text, origin)
    if "x." * MOST_DOTS in _BETWEEN_DOTS.sub("x", text):
        raise ModelError(f"{origin}: got a key of more than {MOST_DOTS} dotted parts, expected {expected}")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{origin}: is not readable as TOML: {reason_of(error)}") from None
