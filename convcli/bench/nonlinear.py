"""Filters without a matrix on 8-bit pictures: medians, bilateral means, non-local means, beside OpenCV."""

from collections.abc import Callable
from typing import Any

from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance, Work
from convcli.bench.pictures import noise
from convcli.images import Image
from convcli.jobs.filter import filter_image, plan_filter

_MEDIANS = (3, 5, 7, 15, 31, 101)
_DIAMETERS = (5, 9, 15)
_SEARCHES = ((3, 11), (7, 21))  # patch and search; OpenCV's own are the latter
_SMALLER = 4  # sides of the picture for non-local means, which look at hundreds of neighbours

_EXACT = Tolerance(0)
# OpenCV takes weights from tables: of its means some round to the neighbouring value, of non-local ones to the next. Of
# grey, those of up to diameter 5 come from Intel's IPP, which drops fractions: half of them are one too low.
_ONE_APART, _TWO_APART = Tolerance(1), Tolerance(2)


def head(setting: Setting) -> str:
    """What is measured and how."""
    height, width = setting.picture_size
    return (
        f"{width}x{height} uint8, a quarter of its sides for nlmeans; border edge for medians, else reflect (101). "
        "convcli: jobs.filter.filter_image, the path of the command without its files"
    )


def cases(setting: Setting) -> list[Case]:
    """The group nonlinear."""
    medians = [
        _case(setting, "median, RGB", f"{size}x{size}", 3, f"median:size={size}", _median(size)) for size in _MEDIANS
    ]
    bilateral = [
        _case(
            setting, f"bilateral, {name}", f"diameter {size}", channels,
            f"bilateral:sigma={size / 4},sigma_color=30,size={size}", _bilateral(size),
        )
        for name, channels in (("RGB", 3), ("grey", 1))
        for size in _DIAMETERS
    ]  # fmt: skip
    means = [
        _case(
            setting, f"nlmeans, {name}", f"{patch} in {search}", channels,
            f"nlmeans:strength=20,patch={patch},search={search}", _nlmeans(patch, search),
        )
        for name, channels in (("RGB", 3), ("grey", 1))
        for patch, search in _SEARCHES
    ]  # fmt: skip
    return [*medians, *bilateral, *means]


# What OpenCV does with pixels, and how far from ours it may be.
_Peer = tuple[Callable[[Array], Any], Tolerance]


def _case(setting: Setting, column: str, name: str, channels: int, spec: str, peer: _Peer) -> Case:
    def build() -> Contest:
        run, tolerance = peer
        height, width = (max(n // (_SMALLER if spec.startswith("nlmeans") else 1), 32) for n in setting.picture_size)
        pixels = noise(height, width, channels)
        plan = plan_filter([spec], border="edge" if spec.startswith("median") else "reflect")
        image, given = Image(pixels), pixels if channels == 3 else pixels[..., 0]
        shape = pixels.shape
        sides = [Side("OpenCV", lambda: run(given).reshape(shape), "opencv")] if "opencv" in setting.peers else []
        ours = Side("convcli", lambda: filter_image(image, plan).image.pixels)
        return Contest(ours, tuple(sides), tolerance, Work(2 * pixels.nbytes))

    return Case("nonlinear", column, name, ("opencv",), build)


def _median(size: int) -> _Peer:
    def run(pixels: Array) -> Any:
        import cv2

        return cv2.medianBlur(pixels, size)

    return run, _EXACT


def _bilateral(size: int) -> _Peer:
    def run(pixels: Array) -> Any:
        import cv2

        return cv2.bilateralFilter(pixels, size, 30, size / 4)

    return run, _ONE_APART


def _nlmeans(patch: int, search: int) -> _Peer:
    def run(pixels: Array) -> Any:
        import cv2

        return cv2.fastNlMeansDenoising(pixels, None, 20, patch, search)

    return run, _TWO_APART
