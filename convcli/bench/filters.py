"""Filtering 8-bit pictures: general kernels, Gaussians and boxes, beside OpenCV, SciPy and Pillow."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance, Work
from convcli.bench.pictures import noise
from convcli.images import Image
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.kernel import describe
from convcli.kernels import kernel
from convcli.ops.plan import plan_correlation

_GENERAL = (3, 5, 7, 11, 15, 31)
_GREY = (3, 5, 7)
_SIGMAS = (1, 2, 5, 10)
_BOXES = (3, 5, 9, 15, 31, 101)
_PILLOW_SIZES = (3, 5)  # of ImageFilter.Kernel; it has no others

# A sum rounds to the neighbouring value where another order of additions ends on the other side of a half.
_ONE_APART = Tolerance(1)
# OpenCV's Gaussian rounds its weights to fixed point, which moves a wide one by two.
_TWO_APART = Tolerance(2)

_RGB, _PLANE = "general, RGB", "general, grey"


def head(setting: Setting) -> str:
    """What is measured and how."""
    height, width = setting.picture_size
    return (
        f"{width}x{height} uint8, RGB unless a row says grey; border reflect (101), whole pixels out. "
        "convcli: jobs.filter.filter_image, the path of the command without its files; general kernels are random"
    )


def cases(setting: Setting) -> list[Case]:
    """The groups filter, gaussian and box."""
    general = [_general(setting, size, 3, ("opencv",)) for size in _GENERAL]
    sharpen = Case("filter", _RGB, "sharpen", ("opencv",), lambda: _library(setting, "sharpen", _with_filter2d))
    unsharp = Case("filter", "unsharp", "unsharp 5", ("opencv",), partial(_unsharp, setting, 5))
    grey = [_general(setting, size, 1, ("opencv", "scipy", "pillow")) for size in _GREY]
    gaussians = [_gaussian(setting, sigma) for sigma in _SIGMAS]
    boxes = [_box(setting, size) for size in _BOXES]
    return [*general, sharpen, unsharp, *grey, *gaussians, *boxes]


def _general(setting: Setting, size: int, channels: int, peers: tuple[str, ...]) -> Case:
    if size not in _PILLOW_SIZES:
        peers = tuple(each for each in peers if each != "pillow")
    column = _RGB if channels == 3 else _PLANE

    def build() -> Contest:
        weights = np.random.default_rng(size).random((size, size))
        weights /= weights.sum()
        pixels = noise(*setting.picture_size, channels)
        makers = {"opencv": _with_filter2d, "scipy": _with_scipy, "pillow": _with_pillow}
        sides = tuple(makers[each](pixels, weights) for each in peers if each in setting.peers)
        spec = "; ".join(" ".join(map(repr, row)) for row in weights.tolist())
        return Contest(_ours(pixels, spec), sides, _ONE_APART, _work(pixels, weights), plan=_plan(spec))

    return Case("filter", column, f"{size}x{size}", peers, build)


def _unsharp(setting: Setting, sigma: int) -> Contest:
    """One kernel of ours; OpenCV blurs, then takes the blurred picture from twice the picture."""

    def side(pixels: Array, weights: Array) -> Side:
        import cv2

        def run() -> Any:
            blurred = cv2.GaussianBlur(pixels, weights.shape, sigma, borderType=_reflect())
            return cv2.addWeighted(pixels, 2, blurred, -1, 0)

        return Side("OpenCV, two steps", run, "opencv")

    return replace(_library(setting, f"unsharp:sigma={sigma}", side), tolerance=_TWO_APART)


def _gaussian(setting: Setting, sigma: int) -> Case:
    def side(pixels: Array, weights: Array) -> Side:
        import cv2

        size = weights.shape[0]
        return Side("OpenCV", lambda: cv2.GaussianBlur(pixels, (size, size), sigma, borderType=_reflect()), "opencv")

    return Case(
        "gaussian", "RGB", f"sigma {sigma}", ("opencv",),
        lambda: replace(_library(setting, f"gaussian:sigma={sigma}", side), tolerance=_TWO_APART),
    )  # fmt: skip


def _box(setting: Setting, size: int) -> Case:
    def opencv(pixels: Array, weights: Array) -> Side:
        import cv2

        return Side("OpenCV", lambda: cv2.blur(pixels, (size, size), borderType=_reflect()), "opencv")

    def pillow(pixels: Array, weights: Array) -> Side:
        from PIL import ImageFilter

        return pillow_side(pixels, ImageFilter.BoxBlur(size // 2), margin=size // 2)

    return Case(
        "box", "RGB", f"{size}x{size}", ("opencv", "pillow"),
        lambda: _library(setting, f"box:size={size}", opencv, pillow=pillow),
    )  # fmt: skip


def _library(
    setting: Setting, spec: str, opencv: Callable[[Array, Array], Side], **others: Callable[[Array, Array], Side]
) -> Contest:
    """A kernel of the library on the RGB picture."""
    pixels, weights = noise(*setting.picture_size, 3), kernel(spec)
    makers = {"opencv": opencv, **others}
    sides = tuple(make(pixels, weights) for each, make in makers.items() if each in setting.peers)
    return Contest(_ours(pixels, spec), sides, _ONE_APART, _work(pixels, weights), plan=_plan(spec))


def _ours(pixels: Array, spec: str) -> Side:
    plan, image = plan_filter([spec], range="clip"), Image(pixels)
    return Side("convcli", lambda: filter_image(image, plan).image.pixels)


def _work(pixels: Array, weights: Array) -> Work:
    """The multiply-adds are those of our own plan: two passes of a Gaussian, running sums of a box."""
    return Work(2 * pixels.nbytes, plan_correlation(weights, pixels.dtype).multiply_adds * pixels.size)


def _plan(spec: str) -> Any:
    """The way that ours goes, and why, of pictures as large as those measured."""
    return vars(describe(spec).choices[0])


def _reflect() -> Any:
    import cv2

    return cv2.BORDER_REFLECT_101


def _with_filter2d(pixels: Array, weights: Array) -> Side:
    import cv2

    return Side("OpenCV", lambda: cv2.filter2D(pixels, -1, weights, borderType=_reflect()), "opencv")


def _with_scipy(pixels: Array, weights: Array) -> Side:
    from scipy import ndimage

    plane = pixels[..., 0]
    return Side("SciPy", lambda: ndimage.correlate(plane, weights, output=np.uint8, mode="mirror"), "scipy")


def _with_pillow(pixels: Array, weights: Array) -> Side:
    from PIL import ImageFilter

    # Its rows run from the bottom to the top, and border pixels are copied as they are.
    size = weights.shape[0]
    taps = ImageFilter.Kernel((size, size), weights[::-1].reshape(-1).tolist(), scale=1)
    return pillow_side(pixels[..., 0], taps, margin=size // 2)


def pillow_side(pixels: Array, how: Any, margin: int = 0) -> Side:
    """One of Pillow's filters; with a margin, since it leaves or treats the border in its own way."""
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray(pixels)

    def run() -> Any:
        return picture.filter(how)

    name = "Pillow (inside)" if margin else "Pillow"
    return Side(name, run, "pillow", lambda: np.asarray(run()), margin=margin)
