"""How a sample from outside becomes what a network was trained on: stored with the model, applied by `predict`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from convcli.architectures import shape_text
from convcli.datasets.digit import prepare_digit
from convcli.datasets.pictures import Bytes, check_values, fill, on_white, to_channels
from convcli.errors import DataError, shortened
from convcli.images import Image

Floats = npt.NDArray[np.float32]

_HARDLY = 0.01  # of a picture: sizes are whole pixels
LARGEST_SIDE = 4096  # pixels of a picture that a network takes


class Prepared(NamedTuple):
    """A picture as (height, width, channels) bytes, and what there is to say about it."""

    pixels: Bytes
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Preprocessing:
    """A rule that turns any picture into one (height, width, channels) float32 image of 0..1; or says what arrays are.

    Parameters
    ----------
    kind:
        ``"digit"``: one glyph is found, cut out, scaled into a box and centred, as in MNIST. ``"picture"``: the whole
        picture is scaled until it fills the size, and what stands over is cut off at both sides. ``"array"``: series,
        volumes, features, or pictures of other numbers than pixels, which `convcli.datasets.samples` takes.
    height, width, channels:
        Of the result; 1 channel is grey, 3 are RGB. Of arrays height and width are 0.
    box:
        For digits: the side of the square that the glyph is scaled into.
    centre:
        For digits: what is put on the middle, the centre of ``"mass"`` or of the ``"box"``.
    light_on_dark:
        For pictures: whether one with a light border is inverted, since the network knows dark borders only.
    shape:
        For arrays: spatial sizes, then channels.
    values:
        ``"bytes"``: pixels, which the network sees as 0..1. ``"numbers"``: any, which it sees as they are.
    """

    kind: Literal["digit", "picture", "array"]
    height: int
    width: int
    channels: int
    box: int = 0
    centre: Literal["mass", "box"] = "mass"
    light_on_dark: bool = False
    shape: tuple[int, ...] = ()
    values: Literal["bytes", "numbers"] = "bytes"

    @classmethod
    def of_arrays(cls, shape: tuple[int, ...], values: Literal["bytes", "numbers"]) -> "Preprocessing":
        """The rule for arrays of this shape."""
        return cls("array", 0, 0, shape[-1], shape=shape, values=values)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of what the network takes: spatial sizes, then channels."""
        return self.shape or (self.height, self.width, self.channels)

    @property
    def takes_pictures(self) -> bool:
        """Whether `prepare` makes an input of a picture."""
        return self.kind != "array"

    def apply(self, image: Image) -> Floats:
        """Prepare one picture for the network: what `prepare` gives, as numbers of 0..1."""
        return self.scaled(self.prepare(image).pixels)

    def prepare(self, image: Image) -> Prepared:
        """The one way that pictures take, whether a network learns from them, is tried on them, or is asked about one.

        Raises `DataError` for a picture without a digit, where one is expected, or one whose numbers are no lightness.
        """
        if not self.takes_pictures:
            raise DataError(
                f"picture: got one for a network that takes arrays of {shape_text(self.shape)}; give it as .npy"
            )
        warnings = (*image.warnings, *check_values(image))
        if self.kind == "picture":
            return Prepared(self.shaped(on_white(image)), warnings)
        size = (self.height, self.width)
        found = prepare_digit(image.pixels, has_alpha=image.has_alpha, size=size, box=self.box, centre=self.centre)
        grey = np.rint(found * 255).astype(np.uint8)
        return Prepared(np.repeat(grey[:, :, np.newaxis], self.channels, axis=2), warnings)

    def shaped(self, pixels: Bytes) -> Bytes:
        """A picture on white paper brought to channels and size, dark at the border if the network wants that."""
        made = fill(to_channels(pixels, self.channels), self.height, self.width)
        return 255 - made if self.light_on_dark and _border_median(made) > 127 else made

    def cut_off(self, height: int, width: int) -> float:
        """The share of a picture of this size that stands over once it fills the network's; 0 if it is hardly any.

        >>> Preprocessing("picture", 16, 16, 3).cut_off(32, 24)
        0.25
        """
        scale = min(height / self.height, width / self.width)
        share = 1 - scale * self.height * scale * self.width / (height * width)
        return share if self.kind == "picture" and share > _HARDLY else 0.0

    def scaled(self, images: npt.NDArray[Any]) -> Floats:
        """Bytes of a data set as the float32 numbers of 0..1 that the network takes; other numbers as they are."""
        if images.dtype != np.uint8:
            return np.asarray(images, np.float32)
        shares: Floats = np.divide(images, np.float32(255), dtype=np.float32)
        return shares

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a model's metadata; `from_dict` reads them back."""
        values = asdict(self)
        if self.takes_pictures:
            del values["shape"], values["values"]
        return values | ({"shape": list(self.shape)} if self.shape else {})

    @classmethod
    def from_dict(cls, values: object) -> "Preprocessing":
        """Read what `as_dict` wrote.

        Raises `DataError` naming the first value that is wrong: a model file may hold anything.
        """
        if not isinstance(values, dict):
            raise DataError(f"preprocessing: got {type(values).__name__}, expected a table of keys")
        expected_ones = _OF_AN_ARRAY if values.get("kind") == "array" else _EXPECTED
        for key, expected in expected_ones.items():
            got = values.get(key, getattr(cls, key, None))
            if not expected(got):
                raise DataError(f"preprocessing: got {key}={shortened(got)}, expected {_MEANING[key]}")
        if values["kind"] == "array":
            return cls.of_arrays(tuple(values["shape"]), values["values"])
        rule = cls(**{key: values[key] for key in _EXPECTED if key in values})
        if rule.kind == "digit" and not 1 <= rule.box <= min(rule.height, rule.width):
            raise DataError(f"preprocessing: got box={rule.box}, expected 1 to {min(rule.height, rule.width)}")
        return rule


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_size(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_SIDE


_EXPECTED: dict[str, Callable[[Any], bool]] = {
    "kind": lambda value: value in ("digit", "picture"),
    "height": _is_size,
    "width": _is_size,
    "channels": lambda value: type(value) is int and value in (1, 3),
    "box": lambda value: type(value) is int and 0 <= value <= LARGEST_SIDE,
    "centre": lambda value: value in ("mass", "box"),
    "light_on_dark": lambda value: isinstance(value, bool),
}
_OF_AN_ARRAY: dict[str, Callable[[Any], bool]] = {
    "shape": lambda value: isinstance(value, list | tuple) and 1 <= len(value) <= 4 and all(map(_is_count, value)),
    "values": lambda value: value in ("bytes", "numbers"),
}
_MEANING = {
    "kind": "digit, picture or array",
    "shape": "1 to 4 sizes",
    "values": "bytes or numbers",
    "height": f"1 to {LARGEST_SIDE}",
    "width": f"1 to {LARGEST_SIDE}",
    "channels": "1 or 3",
    "box": f"0 to {LARGEST_SIDE}",
    "centre": "mass or box",
    "light_on_dark": "true or false",
}


def _border_median(image: Bytes) -> float:
    border = [image[0], image[-1], image[:, 0], image[:, -1]]
    return float(np.median(np.concatenate(border)))
