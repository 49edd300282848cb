"""The one thing convcli does to an XMP packet: take the orientation out, which is then that of the pixels.

A packet is patched as text instead of being parsed and built anew: whatever else it holds stays as it was, to the byte.

Source: Adobe, "XMP Specification Part 1" (2012), section 7.3 (serialisation, encodings); part 2, section "TIFF schema".
"""

import re

_NAMESPACE = re.compile(r"xmlns:([\w.-]{1,64})\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']")
_MOST_PREFIXES = 8
LONGEST = 1 << 24  # bytes; the largest packets have some megabytes, and what is longer is not looked into
# How packets begin in encodings of more than one byte, whose marks stay when they are decoded so.
_ENCODINGS = (
    ("utf-32-le", (b"\xff\xfe\0\0", b"<\0\0\0")),
    ("utf-32-be", (b"\0\0\xfe\xff", b"\0\0\0<")),
    ("utf-16-le", (b"\xff\xfe", b"<\0")),
    ("utf-16-be", (b"\xfe\xff", b"\0<")),
)


def upright(packet: bytes) -> tuple[bytes, int | None]:
    """The packet, its ``tiff:Orientation`` saying 1, and what it said, 1 to 8; None where it said nothing that is read.

    The property stands as an attribute or as an element, under whatever prefix the packet declares for its namespace.
    What is read is what is reset, so that no picture is turned twice, or never while its tag says it was.

    >>> upright(b'<rdf:Description tiff:Orientation="6"/>')
    (b'<rdf:Description tiff:Orientation="1"/>', 6)
    """
    if len(packet) > LONGEST:
        return packet, None
    # UTF-8 is taken for Latin-1: names and digits are the same, and every byte comes back as it was.
    encoding = wide_encoding(packet) or "latin-1"
    try:
        text = packet.decode(encoding)
    except UnicodeDecodeError:
        return packet, None
    prefixes = ["tiff", *_NAMESPACE.findall(text)[:_MOST_PREFIXES]]
    names = "|".join(re.escape(each) for each in dict.fromkeys(prefixes))
    # Bounded: else each of many names would be looked behind for a mark that is not there, to the end.
    pattern = rf"(?<![\w/.-])((?:{names}):Orientation(?:\s*=\s*[\"']|(?:\s[^<>]{{0,256}})?>)\s*)([1-8])(?=\s*[\"'<])"
    said = re.search(pattern, text)
    if said is None:
        return packet, None
    return re.sub(pattern, r"\g<1>1", text).encode(encoding), int(said[2])


def wide_encoding(packet: bytes) -> str | None:
    """The encoding of a packet whose characters have more than one byte each."""
    return next((name for name, starts in _ENCODINGS if packet.startswith(starts)), None)
