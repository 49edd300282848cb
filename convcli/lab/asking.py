"""What comes in and goes out: bodies of limited size, words that are checked, documents with arrays behind them."""

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from convcli.errors import ConvcliError, shortened
from convcli.jobs.documents import json_text

MOST_WORDS = 1 << 18  # bytes of a request's words
_LONGEST, _PATIENCE = 2 * 10**9, 20.0  # bytes, and seconds, for which what is too long is listened to
Words = Mapping[str, Any]


class TooLargeError(ConvcliError):
    """A body beyond its limit."""


class WordsError(ConvcliError):
    """Words that no page of the lab sends."""


async def body_of(request: Request, most: int) -> bytes:
    """A request's body; raises `TooLargeError` for one that is longer, of which no more than ``most`` is ever held."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
    if length > most and "expect" in request.headers:
        raise _too_large(length, most)  # whoever asks before sending need not send
    pieces: list[bytes] = []
    size, end = 0, time.monotonic() + _PATIENCE
    async for piece in request.stream():
        size += len(piece)
        if max(size, length) <= most:
            pieces.append(piece)
        elif size > _LONGEST or time.monotonic() > end:
            break
    # What is too long is read to its end all the same, and dropped: who is still sending does not hear an answer.
    if max(size, length) > most:
        raise _too_large(max(size, length), most)
    return b"".join(pieces)


def _too_large(got: int, most: int) -> TooLargeError:
    return TooLargeError(f"upload: got {got:,} bytes, expected at most {most:,}")


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
