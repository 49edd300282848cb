"""Bytes as text: UTF-8, with or without a mark, and the UTF-16 that spreadsheets call Unicode, which has one."""

import codecs

# Longer marks first: one of UTF-32 begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes) -> tuple[str, str, bytes]:
    """The text without its mark, the encoding's name, and the mark or nothing.

    Raises `ValueError`, with the place, for bytes that are no text.

    >>> decoded(codecs.BOM_UTF16_LE + "1;2".encode("utf-16-le"))[:2]
    ('1;2', 'utf-16-le')
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"got bytes that are no text at position {len(mark) + error.start}") from None
    if "\0" in text:
        raise ValueError(f"got a NUL at character {text.index(chr(0)) + 1}, which no text has")
    return text, encoding, mark
