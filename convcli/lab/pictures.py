"""The pictures that pages have sent, or that the lab was started with: in memory, a few, the latest ones."""

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convcli.errors import ImageError, printable
from convcli.images import Image, read

MOST_BYTES = 64 * 10**6  # of one upload
MOST_DRAWN_BYTES = 8 * 10**6  # of one that is drawn, or shown to a network
MOST_PIXELS = 16 * 10**6  # of one picture, and of one result
_MOST_SHOWN = 3 * 10**6
_KEPT = 6
_KEPT_BYTES = 256 * 10**6
SAMPLE = Path(__file__).parent / "static" / "sample.jpg"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory; ``path`` is how a shell finds it."""

    key: str
    name: str
    path: str
    image: Image

    def as_dict(self) -> dict[str, object]:
        """Plain values for the page."""
        height, width, channels = self.image.pixels.shape
        return {
            "key": self.key,
            "name": self.name,
            "path": self.path,
            "size": [height, width, channels],
            "type": str(self.image.pixels.dtype),
            "alpha": self.image.has_alpha,
        }


class Pictures:
    """Pictures by their keys, which are digests of their files; the oldest ones are forgotten."""

    def __init__(self, own: str | None = None) -> None:
        self._held: OrderedDict[str, Picture] = OrderedDict()
        self._own = {"sample": str(SAMPLE)} | ({"own": own} if own else {})
        for key in self._own:
            self.find(key)

    @property
    def first(self) -> str:
        """The key of the picture that a page begins with."""
        return "own" if "own" in self._own else "sample"

    def add(self, data: bytes, name: str) -> Picture:
        """Decode an upload and keep its pixels, nothing else; raises `ImageError` for what is no picture."""
        key = hashlib.sha256(data).hexdigest()[:24]
        name = name_of(name)
        return self._held.get(key) or self._keep(key, name, name, _decoded(io.BytesIO(data), name))

    def find(self, key: str) -> Picture:
        """The picture of a key; raises `ImageError` for one that is not, or no longer, here."""
        if key in self._own and key not in self._held:
            path = self._own[key]
            self._keep(key, Path(path).name, path, _decoded(path, ""))
        if key not in self._held:
            raise ImageError("picture: is not here any more, expected one that was sent lately; choose it again")
        self._held.move_to_end(key)
        return self._held[key]

    def _keep(self, key: str, name: str, path: str, image: Image) -> Picture:
        picture = self._held[key] = Picture(key, name, path, image)
        while len(self._held) > _KEPT or sum(each.image.pixels.nbytes for each in self._held.values()) > _KEPT_BYTES:
            if len(self._held) == 1:
                break
            self._held.popitem(last=False)
        return picture


def name_of(text: str) -> str:
    """A name that a page gives its upload: without folders, for the command to copy and nothing else."""
    return safe_name(printable(text.replace("\\", "/").rpartition("/")[2].strip()[:100]) or "picture.png")


def safe_name(name: str) -> str:
    """A file's name that no command takes for an option."""
    return f"./{name}" if name.startswith("-") else name


def _decoded(source: str | io.BytesIO, name: str) -> Image:
    try:
        return read(source, max_pixels=MOST_PIXELS)
    except ImageError as error:
        # The flag that a message may name is a command's, not the lab's.
        raise ImageError(str(error).replace("<stream>", name).partition("; raise the limit")[0]) from None


def step_of(pixels: npt.NDArray[np.generic]) -> int:
    """How far apart the pixels of a picture are that are sent: no screen shows more than some millions."""
    return max(ceil(sqrt(pixels.shape[0] * pixels.shape[1] / _MOST_SHOWN)), 1)


def view(pixels: npt.NDArray[np.generic], white: float) -> npt.NDArray[np.uint8]:
    """Pixels (H, W, C) as a screen shows them: bytes, one channel or three; of a large picture every nth."""
    step = step_of(pixels)
    colour = pixels[::step, ::step, :3] if pixels.shape[-1] >= 3 else pixels[::step, ::step, :1]
    if colour.dtype == np.uint8:
        return np.ascontiguousarray(colour)
    scaled = np.nan_to_num(colour.astype(np.float64) * (255 / white), nan=0.0)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
