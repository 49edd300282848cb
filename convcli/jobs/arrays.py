"""Pictures as plain arrays, for Python: read a file, filter and explain as the command line does, write a file.

What else a file holds travels in `convcli.images.Image`; here only its pixels do.
"""

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Unpack, get_type_hints

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from convcli import images
from convcli.addresses import is_address, local_name
from convcli.errors import ConvcliError, ImageError, KernelError, ShapeError, suggestion
from convcli.geometry import is_integer
from convcli.images import MAX_PIXELS, Image, Metadata, convert_depth, format_of, holds
from convcli.images.depth import in_numbers, own_numbers, supported
from convcli.images.formats import format_named
from convcli.images.volume_axes import MOST_CHANNELS
from convcli.jobs.background import parse_colour
from convcli.jobs.batch import produce, unkept
from convcli.jobs.explain import Explanation, plan_filters
from convcli.jobs.explain import explain as explain_image
from convcli.jobs.explain_region import Region, region_of
from convcli.jobs.filter import filter_image, plan_filter
from convcli.kernels import Kernel, parse_kernel
from convcli.kernels.matrices import format_matrix
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import as_array, as_flag, as_number, as_weights
from convcli.ops.signatures import ExplainWords, FilterWords

Source = str | os.PathLike[str]


def read(path: Source | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Read a picture file: whole and upright, or not at all.

    The format is found by content. What there is to say about it, such as further frames, goes to the logger
    ``convcli``. Metadata stay in the file: `write` takes them from there with ``like``.

    Parameters
    ----------
    path : str or path
        The file, an address such as ``s3://bucket/a.png``, or a binary stream.
    max_pixels : int
        A picture of more is refused by its header.

    Returns
    -------
    ndarray
        (H, W) for grey, else (H, W, C): 2 for grey with alpha, 3 for RGB, 4 for RGB with alpha. uint8 and uint16 are
        black at 0 and white at 255 or 65535; other integers, truth values and floats are as the file has them.

    Raises
    ------
    ImageError
        One line naming the file and what is wrong with it.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = mkdtemp() + "/tiny.png"
    >>> write(path, np.array([[0, 128], [255, 7]], np.uint8))
    >>> read(path)
    array([[  0, 128],
           [255,   7]], dtype=uint8)
    """
    if not is_integer(max_pixels) or max_pixels < 1:
        raise ImageError(f"max_pixels: got {shortened(repr(max_pixels))}, expected a whole number of at least 1")
    with _words_of_python():
        image = images.read(_named(path), max_pixels=max_pixels)
    _tell(image.warnings)
    pixels = image.pixels if image.numbers is None else in_numbers(image.pixels, image.numbers)
    return np.require(pixels[..., 0] if pixels.shape[2] == 1 else pixels, None, ["C", "W"])


def write(
    path: Source | BinaryIO,
    image: npt.ArrayLike,
    *,
    like: Source | None = None,
    format: str | None = None,
    overwrite: bool = False,
    quality: int | None = None,
) -> None:
    """Write a picture file; it appears complete or not at all.

    Parameters
    ----------
    path : str or path
        The file or address, whose suffix says the format; or a binary stream, with ``format``.
    image : array_like
        (H, W), (H, W, 1), (H, W, 2) of grey and alpha, (H, W, 3) of RGB or (H, W, 4) of RGB and alpha; .npy takes any
        channels. uint8, uint16, booleans (white and black), or floats: 0 to 1 becomes black to white in formats that
        hold none.
    like : str or path, optional
        A picture whose metadata go along: colour profile, EXIF, resolution, and how a JPEG was compressed.
    format : str, optional
        ``png``, ``jpeg`` ...: another one than the suffix says.
    overwrite : bool
        Whether the file may exist.
    quality : int, optional
        1 to 100 for JPEG, WebP, AVIF, HEIC, JPEG 2000 and JPEG XL.

    Raises
    ------
    ImageError
        One line naming the file, what the format does not hold, and the fix.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = mkdtemp() + "/ramp.png"
    >>> write(path, np.linspace(0, 1, 5)[None])
    >>> read(path)
    array([[  0,  64, 128, 191, 255]], dtype=uint8)
    """
    target = _named(path, "write")
    metadata = Metadata() if like is None else images.read(_named(like, of="like")).metadata
    if format is None and not isinstance(target, str | Path):
        raise ImageError("format: got none for a stream, expected one, such as format='png'")
    chosen = format_of(target) if format is None else format_named(format)  # type: ignore[arg-type]
    array = as_array("image", image, "a picture")
    picture = image_of(array)
    if picture.has_alpha and (reason := holds(chosen, np.uint8, picture.pixels.shape[2], True)):
        raise ImageError(f"image: {reason}; image[..., :{picture.pixels.shape[2] - 1}] leaves it out")
    picture = replace(picture, pixels=_in_depth(picture, chosen), numbers=None, metadata=metadata)
    with _words_of_python():
        allowed = as_flag("overwrite", overwrite)
        lost = images.write(picture, target, format=chosen, overwrite=allowed, quality=quality)
    _tell(unkept(lost))


def filter(image: npt.ArrayLike, *kernels: str | npt.ArrayLike, **words: Unpack[FilterWords]) -> NDArray[Any]:
    """Filter a picture as ``convcli filter`` does: pixels in, pixels of the same type out.

    Colour is weighted by alpha, signed results become pixels as ``range`` says, and what has to be clipped is told to
    the logger ``convcli``. `correlate2d` and `sobel` give the plain numbers instead.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, 1), (H, W, 2) of grey and alpha, (H, W, 3) of RGB or (H, W, 4) of RGB and alpha: integers,
        booleans (white and black) or floats.
    kernels : str or array_like
        One, or several for a chain: a SPEC as on the command line (``"gaussian:sigma=2"``, ``"canny"``), or weights.
    words
        The command's options with its defaults: ``border="reflect", border_value=0.0, padding="same", stride=1,
        dilation=1, convolve=False, normalize="none", scale=1.0, bias=0.0, activation="none", channels="each",
        range="auto", alpha="premultiply", depth="same", linear=False``; and ``background``, a colour: ``"white"``,
        ``"#fff"``.

    Returns
    -------
    ndarray
        (H, W), or (H, W, C) if the image has channels and more than one is left; in the image's type, unless ``depth``
        or ``range`` says otherwise. Integers with a sign hold both sides of an edge.

    Raises
    ------
    ConvcliError
        If an argument is not as above.

    Examples
    --------
    >>> filter(np.array([[0, 0, 250], [0, 0, 250]], np.uint8), "box:size=1x2")
    array([[  0, 125, 125],
           [  0, 125, 125]], dtype=uint8)
    """
    array = as_array("image", image, "a picture")
    picture = image_of(image)
    if picture.pixels.shape[2] > MOST_CHANNELS:
        raise ShapeError(
            f"image: got shape {array.shape}, which may be a volume, expected (H, W) or (H, W, C) of at most "
            f"{MOST_CHANNELS} channels; correlate3d filters volumes, correlate2d any channels"
        )
    _check_words("filter", words, FilterWords)
    chain, settings = [_kernel(each) for each in kernels], dict(words)
    if isinstance(background := settings.get("background"), str):
        settings["background"] = parse_colour(background)
    plan = plan_filter(chain, **settings)  # type: ignore[arg-type]
    result = produce(lambda part, format: filter_image(part, plan, format), picture, None)
    _tell(result.warnings)
    pixels = result.image.pixels
    made = np.require(pixels[..., 0] if pixels.shape[2] == 1 and array.shape[2:] != (1,) else pixels, None, ["C", "W"])
    return made.copy() if np.may_share_memory(made, array) else made


def explain(
    image: npt.ArrayLike,
    *kernels: str | npt.ArrayLike,
    region: tuple[slice, slice] | tuple[int, int, int, int] | None = None,
    title: str = "image",
    bias: float | Sequence[float] = 0.0,
    **words: Unpack[ExplainWords],
) -> Explanation:
    """Show how each output pixel is made: in a notebook, the page of ``convcli explain``.

    Parameters
    ----------
    image : array_like
        As `filter` takes it; alpha is left out. Lists of numbers are taken as they are, not as pixels.
    kernels : str or array_like
        A SPEC or weights, or one for each filter of a layer: all of one size, with a plane for each channel or one for
        all.
    region : (slice, slice), optional
        The rows and columns of a large picture that are shown, ``np.s_[80:110, 120:160]``; without it, its middle. The
        four numbers (x, y, width, height) of earlier versions are still taken, with a warning.
    title : str
        What the input is called.
    bias : float or sequence of float
        One for all filters, or one each.
    words
        As in `filter`, without ``alpha``, ``background`` and ``linear``; of the activations the page shows none, relu,
        leaky_relu, sigmoid and tanh.

    Returns
    -------
    Explanation
        Shown by a notebook as a page to play with. ``convcli.jobs.explain.write_page(explanation, "page.html")`` makes
        it a file.

    Raises
    ------
    ConvcliError
        If an argument is not as above, or more would be shown than a page holds.

    Examples
    --------
    >>> explain([[1, 2, 3], [4, 5, 6], [7, 8, 9]], "1 0; 0 -1", padding="valid")
    Explanation(image, 0:3,0:3 of the input, output 2x2x1)
    """
    picture = image_of(image)
    several = isinstance(bias, Sequence | np.ndarray) and not isinstance(bias, str | bytes)
    biases = [as_number("bias", each) for each in (bias if several else [bias])]  # type: ignore[union-attr]
    _check_words("explain", words, ExplainWords, ("title", "region", "bias"))
    plans = plan_filters([_kernel(each) for each in kernels], biases, **words)
    part = None if region is None else _region(region, picture.pixels.shape)
    explanation = explain_image(picture, plans, title=str(title), region=part)
    _tell(explanation.warnings)
    return explanation


def _region(region: Any, sizes: tuple[int, ...]) -> Region:
    """A region of rows and columns, each as Python counts them: from the end, and without an end."""
    if isinstance(region, slice):
        region = (region, slice(None))
    if isinstance(region, tuple) and len(region) == 2 and all(isinstance(each, slice) for each in region):
        region = tuple(_counted(each, n) for each, n in zip(region, sizes, strict=False))
    if not (isinstance(region, tuple | list) and [*map(is_integer, region)] == [True] * 4):
        return region_of(region)
    column, row, width, height = map(int, region)  # type: ignore[arg-type]
    found = Region(row, column, height, width)
    warnings.warn(
        f"region: the numbers (x, y, width, height) will be gone: rows come first everywhere; write np.s_[{found}]",
        FutureWarning,
        stacklevel=3,
    )
    return found


def _counted(run: slice, n: int) -> slice:
    start, stop = (each + n if is_integer(each) and each < 0 else each for each in (run.start, run.stop))
    return slice(start, n if stop is None else stop, run.step)


def _check_words(command: str, words: Any, typed: Any, others: Sequence[str] = ()) -> None:
    """Raise `ShapeError` for a word that is no option, with the one that may be meant."""
    known = [*get_type_hints(typed), *others]
    for word in words:
        if word not in known:
            near = suggestion(word, known) or f", expected one of {', '.join(known)}"
            raise ShapeError(f"{command}: got the word {word!r}{near}")


def _kernel(kernel: Any) -> Kernel:
    if isinstance(kernel, list | tuple) and kernel and all(isinstance(each, str) for each in kernel):
        raise KernelError("kernel: got a list of SPECs, expected one after the other: filter(image, *kernels)")
    if kernel is None:
        raise KernelError("kernel: got None, expected a SPEC such as 'gaussian:sigma=2', or weights")
    if isinstance(kernel, str | Kernel):
        return parse_kernel(kernel) if isinstance(kernel, str) else kernel
    weights = as_weights(kernel, 2)
    return Kernel("matrix", format_matrix(weights), (weights,))


def image_of(image: npt.ArrayLike) -> Image:
    """A picture (H, W) or (H, W, C) as jobs take it; of 2 and 4 channels the last is alpha. Raises `ConvcliError`."""
    array = as_array("image", image, "a picture")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ShapeError(f"image: got shape {array.shape}, expected (H, W) or (H, W, C), with at least one pixel")
    if array.dtype.kind not in "buif":
        raise ShapeError(f"image: got dtype {array.dtype}, expected integers, floats or booleans")
    try:
        pixels, _ = supported(array)
        pixels = np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])
    except ImageError as error:
        raise ImageError(f"image: {error}") from None
    except MemoryError:
        raise ShapeError(f"image: got shape {array.shape}, more numbers than fit into memory") from None
    numbers = own_numbers(array.dtype) if hasattr(image, "dtype") else None  # lists have no type to be kept
    return Image(pixels, has_alpha=pixels.shape[2] in (2, 4), numbers=numbers)


def _in_depth(picture: Image, format: str) -> NDArray[Any]:
    """Pixels as the format holds them, floats perhaps with 8 bits; raises `ImageError` for what would be clipped."""
    pixels, numbers = picture.pixels, picture.numbers
    if numbers is not None and holds(format, numbers, pixels.shape[2], False) is None:
        return in_numbers(pixels, numbers)
    if pixels.dtype.kind != "f" or holds(format, np.float32, 1, False) is None:
        return pixels
    if numbers is not None:
        raise ImageError(
            f"image: got {numbers} for {format}, whose white nobody knows, expected uint8 (0 to 255), uint16 or floats "
            "from 0 to 1; image.astype('uint8') makes it so"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 1:
        raise ImageError(
            f"image: got floats from {low:.4g} to {high:.4g} for {format}, expected 0 to 1, black to white; write "
            ".tiff or .npy, or let convcli.filter make pixels"
        )
    return convert_depth(pixels, np.uint8)


def _named(path: Any, does: str = "read", of: str = "path") -> Any:
    """A file's name as a path, an address as text; a stream, which ``does`` what is wanted of it, as it is."""
    if hasattr(path, does):
        return path
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str) or not name or "\0" in name:
        is_image = isinstance(path, np.ndarray | list | tuple) and does == "write"
        order = "; the order is write(path, image)" if is_image else ""
        raise ImageError(f"{of}: got {shortened(repr(path))}, expected a file's name{order}")
    return name if is_address(name := local_name(name)) else Path(name)


@contextlib.contextmanager
def _words_of_python() -> Iterator[None]:
    """Errors name arguments instead of the command line's options."""
    try:
        yield
    except ConvcliError as error:
        raise type(error)(_in_words_of_python(str(error))) from error.__cause__


def _in_words_of_python(text: str) -> str:
    """``--range minmax`` is ``range='minmax'`` here, and ``--overwrite`` is ``overwrite=True``."""
    text = re.sub(r"--region (\d+:\d+),(\d+:\d+)", r"region=np.s_[\1, \2]", text)
    text = re.sub(r"--([a-z]+(?:-[a-z]+)*) (\d+|minmax|raw|drop)\b", _option, text)
    return text.replace("--overwrite", "overwrite=True")


def _option(found: re.Match[str]) -> str:
    return f"{found[1].replace('-', '_')}={found[2] if found[2].isdecimal() else repr(found[2])}"


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        logging.getLogger("convcli").warning(_in_words_of_python(sentence))
