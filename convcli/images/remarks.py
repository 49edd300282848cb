"""What tifffile and imagecodecs tell their loggers about a file, gathered so that it is told like any other warning.

A tag twice, a profile that libpng knows to be wrong: without a handler Python prints such remarks on standard error,
whatever the user asked for. They are gathered by thread, since several decode at once.
"""

import contextlib
import logging
import re
import threading
from collections.abc import Iterator

_LIBRARIES = ("tifffile", "imagecodecs")
_LONGEST = 200
# What `exif_tiff` tells with the name of the tag, or reads all the same; and of an interlaced PNG nothing that matters.
_TOLD = ("<TiffTag.fromfile> raised", "coercing invalid ASCII to bytes", "Interlace handling should be turned on")
_OBJECT = re.compile(r"<[^<>]*>\s*")  # as Python shows objects: addresses and file names, no news


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line of a record, if somebody in this thread listens."""
        said: list[str] | None = getattr(self.heard, "said", None)
        message = record.getMessage()
        if said is None or any(each in message for each in _TOLD):
            return
        text = " ".join(_OBJECT.sub("", message).split())[:_LONGEST]
        line = f"{record.name.partition('.')[0]}: {text}"
        if line not in said:
            said.append(line)


_listener = _Listener()
for _library in _LIBRARIES:
    logging.getLogger(_library).addHandler(_listener)


@contextlib.contextmanager
def remarks() -> Iterator[list[str]]:
    """Run a block and gather what the libraries remark in this thread meanwhile, each remark once."""
    before = getattr(_listener.heard, "said", None)
    said: list[str] = []
    _listener.heard.said = said
    try:
        yield said
    finally:
        _listener.heard.said = before
