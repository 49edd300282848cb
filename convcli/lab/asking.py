"""What comes in and goes out: bodies of limited size, words that are checked, documents with arrays behind them."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from convcli.errors import ConvcliError, shortened
from convcli.jobs.documents import json_text

MOST_WORDS = 1 << 18  # bytes of a request's words
Words = Mapping[str, Any]


class TooLargeError(ConvcliError):
    """A body beyond its limit."""


class WordsError(ConvcliError):
    """Words that no page of the lab sends."""


async def body_of(request: Request, most: int) -> bytes:
    """A request's body; raises `TooLargeError` by its announced length, or as soon as more has come than may."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > most:
        raise TooLargeError(f"upload: got {int(announced):,} bytes, expected at most {most:,}")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise TooLargeError(f"upload: got more than {most:,} bytes, expected at most that")
        pieces.append(piece)
    return b"".join(pieces)


async def words_of(request: Request) -> Words:
    """The words of a request: a JSON object."""
    body = await body_of(request, MOST_WORDS)
    try:
        words = json.loads(body)
    except (ValueError, RecursionError):
        raise WordsError("request: is no JSON, expected an object of words") from None
    if not isinstance(words, dict):
        raise WordsError("request: got no object, expected one of words")
    return words


def text(words: Words, name: str, default: str = "") -> str:
    """A word that is a text."""
    value = words.get(name, default)
    if not isinstance(value, str):
        raise WordsError(f"{name}: got {shortened(value)}, expected a text")
    return value


def whole(words: Words, name: str, default: int, low: int, high: int) -> int:
    """A word that is a whole number between two others."""
    value = words.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WordsError(f"{name}: got {shortened(value)}, expected a whole number from {low} to {high}")
    return value


def number(words: Words, name: str, default: float) -> float:
    """A word that is a number."""
    value = words.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        raise WordsError(f"{name}: got {shortened(value)}, expected a number")
    return float(value)


def flag(words: Words, name: str) -> bool:
    """A word that is true or false."""
    value = words.get(name, False)
    if not isinstance(value, bool):
        raise WordsError(f"{name}: got {shortened(value)}, expected true or false")
    return value


def framed(document: Mapping[str, Any], *arrays: "np.ndarray[Any, Any]") -> Response:
    """A document with arrays: the length of the JSON in 4 bytes, little-endian, the JSON, then the arrays.

    Each begins at a multiple of 8. The document's ``arrays`` say of each its type, its shape and where it begins behind
    the JSON.
    """
    places, pieces, end = [], [], 0
    for array in arrays:
        data = np.ascontiguousarray(array)
        places.append({"type": str(data.dtype), "shape": list(data.shape), "start": end})
        pieces += [data.tobytes(), bytes(-data.nbytes % 8)]
        end += data.nbytes + -data.nbytes % 8
    words = json_text({**document, "arrays": places}).encode()
    words += b" " * (-(4 + len(words)) % 8)
    content = b"".join([len(words).to_bytes(4, "little"), words, *pieces])
    return Response(content, media_type="application/octet-stream")


def document(content: Any) -> Response:
    """A document alone."""
    return Response(json_text(content), media_type="application/json")
