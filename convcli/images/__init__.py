"""Files <-> arrays: codecs, alpha, orientation, bit depth, metadata, atomic writing.

Importing this loads numpy and nothing heavier; each codec imports its library when it first meets such a file.
"""

from convcli.atomic import check_target
from convcli.images.depth import convert_depth
from convcli.images.formats import READABLE_SUFFIXES, WRITABLE_SUFFIXES, format_of, holds
from convcli.images.keeping import strange_profile
from convcli.images.model import Image, JpegSettings, Metadata
from convcli.images.reading import MAX_PIXELS, read
from convcli.images.writing import write

__all__ = [
    "MAX_PIXELS",
    "READABLE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Image",
    "JpegSettings",
    "Metadata",
    "check_target",
    "convert_depth",
    "format_of",
    "holds",
    "read",
    "strange_profile",
    "write",
]
