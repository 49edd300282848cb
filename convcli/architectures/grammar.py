"""Text to layers: the words of the command line and the tables of TOML and JSON files are one grammar.

``conv:32,kernel=3,relu`` and ``{type = "conv", filters = 32, kernel_size = 3, activation = "relu"}`` become the same
`LayerSpec`. Nothing here knows an input's size; `plan` does. The whole grammar, for people, is
`vocabulary.grammar()`, which `convcli shape --help` prints.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from convcli.architectures.values import ACTIVATIONS, ALSO_CALLED, PADDINGS, Named, shape
from convcli.architectures.vocabulary import (
    KNOWN_WORDS,
    LAYERS,
    OTHER_KEYS,
    POOL_MODES,
    REQUIRED,
    UPSAMPLE_MODES,
    WITH_BRANCHES,
    find_layer,
)
from convcli.budget import check_count
from convcli.errors import ModelError, shortened, suggestion

DEEPEST = 8
MOST_LAYERS = 10_000
_TOKEN = re.compile(r"[\[\]{}|]|[^\s\[\]{}|]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_CLOSING = {"[": "]", "{": "}"}


class GrammarError(ModelError):
    """A layer, key or value that is not in the grammar: wrong usage on the command line, a wrong file otherwise."""


@dataclass(frozen=True)
class LayerSpec:
    """A layer as it was asked for: its type, the keys that were given, its branches.

    ``dimensions`` is the number of axes if the word said it (``conv2d``); ``word`` is the layer as written, for
    messages and drawings.
    """

    type: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    branches: tuple[tuple["LayerSpec", ...], ...] = ()
    name: str | None = None
    dimensions: int | None = None
    word: str = ""


@dataclass(frozen=True)
class NetworkSpec:
    """A network as a file describes it: its input (spatial sizes, then channels) and layers, and what else it says.

    ``extra`` holds ``classes``, ``data_format`` (how data comes; shapes here always end with the channels),
    ``preprocessing`` and ``training`` as they stand, for those who train it.
    """

    input: tuple[int, ...]
    layers: tuple[LayerSpec, ...]
    name: str = "network"
    title: str = ""
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def parse_words(words: str | Sequence[str]) -> tuple[LayerSpec, ...]:
    """Read the layers of a command line: ``conv:32,kernel=3,relu pool:2 [ conv:8 | conv:16 ] dense:10``.

    Words may come singly or several in one text; brackets may stand apart or not.

    Raises
    ------
    GrammarError
        One line that names the layer (its number and word), what was got and expected, and the nearest known word.
    """
    text = words if isinstance(words, str) else " ".join(words)
    tokens = deque(_TOKEN.findall(text))
    if len(tokens) > MOST_LAYERS:
        raise GrammarError(f"layers: got {len(tokens):,} words, expected at most {MOST_LAYERS:,}")
    layers, end = _sequence(tokens, "", 0)
    if end:
        raise GrammarError(f"layers: got '{end}' outside brackets, expected it between [ and ]")
    return layers


def read_layer(value: object, where: str = "layer", depth: int = 0) -> tuple[LayerSpec, ...]:
    """Read one entry of a file's list of layers: a table, or a text of one or more words."""
    if isinstance(value, str):
        layers, end = _sequence(deque(_TOKEN.findall(value)), where, depth)
        if end or not layers:
            _fail(where, f"got {shortened(value)}, expected a layer as in 'conv:32,kernel=3,relu'")
        return layers
    if not isinstance(value, Mapping):
        _fail(where, f"got {shortened(value)}, expected a table with a type, or a text as in 'conv:32,relu'")
    if "type" not in value:
        _fail(where, f"got a table without type, expected type = one of {', '.join(LAYERS)}")
    given = {str(key): each for key, each in value.items() if key not in ("type", "branches", "layers", "name")}
    typed, preset, dimensions = _typed(str(value["type"]), where)
    branches: tuple[tuple[LayerSpec, ...], ...] = ()
    listed = [value["layers"]] if typed == "head" and "layers" in value else value.get("branches")
    if typed in WITH_BRANCHES:
        if depth >= DEEPEST:
            _fail(where, f"branches are nested more than {DEEPEST} deep")
        branches = _branches_of(listed, typed, where, depth)
    elif listed is not None or "layers" in value:
        _fail(where, f"{typed} has no branches; expected type parallel, add or head")
    settings = {**{key: _read(typed, key, each, where) for key, each in preset.items()}, **_keys(typed, given, where)}
    word = _word_of(typed, settings)
    layer = LayerSpec(typed, settings, branches, _name(value.get("name"), where), dimensions, word)
    return (_checked(layer, where),)


def read_network(document: Mapping[str, Any], origin: str) -> NetworkSpec:
    """Read a whole file, parsed from TOML or JSON; ``origin`` names it in messages. Raises `GrammarError`."""
    known = ("name", "title", "source", "input", "layers", *_EXTRA)
    for key in document:
        if key not in known:
            raise GrammarError(
                f"{origin}: unknown key {shortened(key)}{suggestion(key, known)}; known: {', '.join(known)}"
            )
    for key in ("input", "layers"):
        if key not in document:
            raise GrammarError(f"{origin}: {key} is missing, expected {_MISSING[key]}")
    try:
        size = shape(document["input"])
    except ValueError as error:
        raise GrammarError(f"{origin}: input: got {shortened(document['input'])}, expected {error}") from None
    listed = document["layers"]
    if not isinstance(listed, list) or not listed:
        raise GrammarError(f"{origin}: layers: got {shortened(listed)}, expected {_MISSING['layers']}")
    check_count(len(listed), MOST_LAYERS, f"{origin}: layers: got {{}}", "use fewer", GrammarError)
    layers: list[LayerSpec] = []
    for each in listed:
        layers += read_layer(each, f"{origin}: layer {len(layers) + 1}")
        check_count(len(layers), MOST_LAYERS, f"{origin}: layers: got {{}} and more", "use fewer", GrammarError)
    texts = {key: _readable(document.get(key, "")) for key in ("title", "source")}
    extra = {key: document[key] for key in _EXTRA if key in document}
    return NetworkSpec(size, tuple(layers), _readable(document.get("name") or origin), **texts, extra=extra)


def _readable(value: object) -> str:
    """A text of a file that is safe to print and to draw: one line, no control characters, of bearable length."""
    return " ".join("".join(each if each.isprintable() else " " for each in str(value)[:400]).split())


_EXTRA = ("classes", "data_format", "preprocessing", "training")
_MISSING = {
    "input": "spatial sizes and channels, as in input = [28, 28, 1]",
    "layers": 'a list as in layers = ["conv:32,kernel=3,relu", "pool:2", "dense:10"]',
}


def document_of(network: NetworkSpec) -> dict[str, Any]:
    """The network as plain lists, tables, texts and numbers: what JSON can hold and `read_network` reads back."""
    texts = {key: getattr(network, key) for key in ("name", "title", "source") if getattr(network, key)}
    layers = [_table_of(layer) for layer in network.layers]
    return {**texts, "input": list(network.input), "layers": layers, **network.extra}


def setting(layer: str, key: str, value: object, where: str) -> Any:
    """Read one value of a key by itself, as the options of `convcli shape` do. Raises `GrammarError`."""
    return _read(layer, key, value, where)


def _sequence(tokens: deque[str], where: str, depth: int) -> tuple[tuple[LayerSpec, ...], str]:
    """Take layers off the tokens up to a separator or a closing bracket, and that token; ``""`` at the end."""
    layers: list[LayerSpec] = []
    while tokens:
        token = tokens.popleft()
        place = f"{where}, layer {len(layers) + 1}" if depth and where else where or f"layer {len(layers) + 1}"
        if token in ("|", "+", "]", "}"):
            return tuple(layers), token
        if token in _CLOSING:
            layers.append(_bracketed(token, tokens, place, depth + 1))
        else:
            layers.append(_word(token, f"{place} ({shortened(token)[1:-1]})"))
    return tuple(layers), ""


def _bracketed(opening: str, tokens: deque[str], where: str, depth: int) -> LayerSpec:
    if depth > DEEPEST:
        _fail(where, f"brackets are nested more than {DEEPEST} deep")
    branches: list[tuple[LayerSpec, ...]] = []
    separators = set()
    while True:
        branch, end = _sequence(tokens, f"{where}, branch {len(branches) + 1}", depth)
        branches.append(branch)
        if end == _CLOSING[opening]:
            break
        if end not in ("|", "+"):
            _fail(where, f"'{opening}' has no matching '{_CLOSING[opening]}'" + (f" (got '{end}')" if end else ""))
        separators.add(end)
    if len(separators) > 1:
        _fail(where, "got both | (concatenate) and + (add) in one bracket; expected one of them, or nested brackets")
    if opening == "{" and separators:
        _fail(where, "got branches in a head { ... }, expected one row of layers")
    typed = "head" if opening == "{" else "add" if separators == {"+"} else "parallel"
    options = tokens.popleft()[1:].split(",") if tokens and tokens[0].startswith(",") else ()
    given, name = _options(typed, options, where)
    settings = _keys(typed, given, where)
    return _checked(LayerSpec(typed, settings, tuple(branches), _name(name, where), None, typed), where)


def _word(token: str, where: str) -> LayerSpec:
    head, *options = token.split(",")
    word, colon, first = head.partition(":")
    typed, preset, dimensions = _typed(word, where)
    if colon and _is_option(typed, first):
        colon, options = "", [first, *options]
    if typed in WITH_BRANCHES:
        _fail(where, f"{typed} is written with brackets: [ A | B ] concatenates, [ A + B ] adds, {{ A }} is a head")
    settings = {key: _read(typed, key, each, where) for key, each in preset.items()}
    if colon:
        key = LAYERS[typed].first
        if key is None or (key in preset and typed != "activation"):
            _fail(where, f"got {shortened(first)} behind the colon, but {word} takes no value there")
        settings[key] = _read(typed, key, f"{preset['activation']}:{first}" if key in preset else first, where)
    given, name = _options(typed, options, where)
    settings |= _keys(typed, given, where)
    return _checked(LayerSpec(typed, settings, (), _name(name, where), dimensions, token), where)


def _is_option(typed: str, first: str) -> bool:
    """Whether ``key=value`` stands behind the colon; ``leaky_relu:negative_slope=0.3`` is a value with its own name."""
    key, equals, _ = first.partition("=")
    return bool(equals) and ":" not in key and (typed != "activation" or key in ("name", "activation"))


def _options(typed: str, options: Sequence[str], where: str) -> tuple[dict[str, str], str | None]:
    given: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or ":" in key:
            key, value = _bare(typed, option, where)
        if key in given:
            _fail(where, f"got {shortened(key)} twice")
        given[key] = value
    return given, given.pop("name", None)


def _bare(typed: str, option: str, where: str) -> tuple[str, str]:
    """The key that a word without ``=`` is meant for."""
    keys, word = LAYERS[typed].keys, option.lower()
    if "activation" in keys and word.split(":")[0] in (*ACTIVATIONS, *ALSO_CALLED):
        return "activation", option
    if "padding" in keys and word in PADDINGS:
        return "padding", option
    if "mode" in keys and word in (*POOL_MODES, *UPSAMPLE_MODES):
        return "mode", option
    key = OTHER_KEYS.get(word, word)
    if key in keys and isinstance(keys[key].default, bool):
        return key, "yes"
    if re.fullmatch(r"[0-9x:]+", word) and "kernel_size" in keys:
        raise GrammarError(f"{where}: got {shortened(option)} without a key; did you mean kernel_size={option}?")
    words = [*(ACTIVATIONS if "activation" in keys else ()), *(PADDINGS if "padding" in keys else ()), *keys]
    near = suggestion(word, words) or f"; expected key=value, or one of {', '.join(words)}"
    raise GrammarError(f"{where}: got {shortened(option)}{near}")


def _typed(word: str, where: str) -> tuple[str, Mapping[str, str], int | None]:
    found = find_layer(word)
    if found is None:
        near = suggestion(word, KNOWN_WORDS)
        _fail(where, f"unknown layer {shortened(word)}{near or '; known: ' + ', '.join(LAYERS)}")
    return found


def _keys(typed: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    keys = LAYERS[typed].keys
    settings: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in keys else OTHER_KEYS.get(key, key)
        if name not in keys:
            if name == "data_format":
                _fail(
                    where, 'data_format is the whole network\'s: write data_format = "channels_first" above its layers'
                )
            known = ", ".join([*keys, "name"])
            near = suggestion(key, [*keys, *(each for each, key in OTHER_KEYS.items() if key in keys)])
            _fail(where, f"{typed} has no key {shortened(key)}{near or f'; expected {known}'}")
        if name in settings:
            _fail(where, f"got {name} twice")
        settings[name] = _read(typed, name, value, where)
    return settings


def _read(typed: str, key: str, value: object, where: str) -> Any:
    try:
        return LAYERS[typed].keys[key].read(value)
    except ValueError as error:
        _fail(where, f"{key}: got {shortened(value)}, expected {error}")


def _checked(layer: LayerSpec, where: str) -> LayerSpec:
    """The layer, if it has what its type needs."""
    typed = layer.type
    for key, rule in LAYERS[typed].keys.items():
        if rule.default is REQUIRED and key not in layer.settings:
            _fail(where, f"{typed} needs {key}, as in {typed}:{'relu' if key == 'activation' else 32}")
    if typed in ("parallel", "add") and len(layer.branches) < 2:
        _fail(where, f"{typed} needs two branches or more, got {len(layer.branches)}; expected [ A | B ] or [ A + B ]")
    if typed == "head" and not any(layer.branches):
        _fail(where, "a head needs a layer")
    return layer


def _branches_of(listed: object, typed: str, where: str, depth: int) -> tuple[tuple[LayerSpec, ...], ...]:
    if not isinstance(listed, list) or not all(isinstance(branch, list) for branch in listed):
        expected = 'layers = ["conv:64"]' if typed == "head" else 'branches = [["conv:64"], ["conv:96", "conv:128"]]'
        _fail(where, f"got {shortened(listed)}, expected {expected}")
    branches = []
    for place, branch in enumerate(listed, 1):
        layers: list[LayerSpec] = []
        for each in branch:
            layers += read_layer(each, f"{where}, branch {place}, layer {len(layers) + 1}", depth + 1)
        branches.append(tuple(layers))
    return tuple(branches)


def _name(name: object, where: str) -> str | None:
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        _fail(where, f"name: got {shortened(name)}, expected letters, digits, _ . and -, 60 at most")
    return name


def _word_of(typed: str, settings: Mapping[str, Any]) -> str:
    """A table as a word, for messages."""
    first = LAYERS[typed].first
    head = f"{typed}:{_text(settings[first])}" if first is not None and first in settings else typed
    return ",".join([head, *(f"{key}={_text(value)}" for key, value in settings.items() if key != first)])


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(":".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in value)
    return str(value)


def _table_of(layer: LayerSpec) -> dict[str, Any]:
    typed = f"{layer.type}{layer.dimensions}d" if layer.dimensions else layer.type
    table: dict[str, Any] = {"type": typed} | ({"name": layer.name} if layer.name else {})
    table |= {key: _plain(value) for key, value in layer.settings.items() if value is not None}
    branches = [[_table_of(each) for each in branch] for branch in layer.branches]
    if layer.type == "head":
        return table | {"layers": branches[0]}
    return table | ({"branches": branches} if branches else {})


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return str(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _fail(where: str, message: str) -> NoReturn:
    raise GrammarError(f"{where}: {message}")
