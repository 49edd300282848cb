"""The room of kernels: a picture through one kernel; pixels, responses before rounding, a window's numbers."""

import io
from dataclasses import replace
from math import prod
from pathlib import PurePath
from typing import Any

import numpy as np
from starlette.responses import Response

from convcli.errors import KernelError, ShapeError
from convcli.images import Image, holds, write
from convcli.jobs.explain import ACTIVATIONS, MOST_WEIGHTS, explain, plan_filters
from convcli.jobs.explain_region import MOST_CELLS, Region
from convcli.jobs.filter import NORMALIZE, FilterPlan, filter_image
from convcli.jobs.output_policy import CHANNELS, output_policy
from convcli.kernels import parse_kernel
from convcli.kernels.library import LIBRARY
from convcli.lab import asking, commands
from convcli.lab.asking import Words, WordsError
from convcli.lab.pictures import MOST_PIXELS, Picture, Pictures, safe_name, step_of, view

BORDERS = ("reflect", "symmetric", "edge", "wrap", "constant")
# Raw numbers are no picture to look at.
RANGES = ("auto", "clip", "abs", "offset", "minmax")
_USUAL = {
    "border": "reflect", "border_value": 0.0, "padding": "same", "stride": 1, "dilation": 1, "normalize": "none",
    "scale": 1.0, "bias": 0.0, "activation": "none", "channels": "each", "range": "auto",
}  # fmt: skip
_BINS = 96
_AROUND = 13  # pixels on each side of the one that is pointed at whose windows are sent along


def library() -> dict[str, Any]:
    """The kernels with weights of two axes, and the words there are."""
    entries = [
        {
            "name": entry.name,
            "group": entry.group,
            "summary": entry.summary,
            "source": entry.source,
            "parameters": [
                {"name": each.name, "low": each.minimum, "high": each.maximum, "whole": each.integer,
                 "default": each.default, "meaning": each.meaning}
                for each in entry.parameters
            ],
        }
        for entry in LIBRARY.values()
        if entry.dim == 2 and entry.combine in ("single", "magnitude", "angle", "maximum") and not entry.steps
    ]  # fmt: skip
    words = {"border": BORDERS, "range": RANGES, "channels": CHANNELS, "normalize": NORMALIZE}
    return {"kernels": entries, "words": {**words, "activation": ACTIVATIONS}, "usual": _USUAL}


class KernelRoom:
    """What the page asks of pictures and kernels."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def picture(self, key: str) -> Response:
        """A picture's pixels as they are shown."""
        found = self._pictures.find(key)
        return asking.framed(found.as_dict(), view(_opaque(found.image), found.image.white))

    def filter(self, words: Words) -> Response:
        """The result's pixels as they are shown, and what there is to say of them."""
        picture, plan = self._asked(words)
        filtered = filter_image(picture.image, plan)
        kernel, (down, across) = plan.kernels[0], plan.links(picture.image.pixels.shape[:2])[0].windows
        sizes = picture.image.pixels.shape[:2]
        told = {
            "size": filtered.image.pixels.shape,
            "range": filtered.range,
            "every": step_of(filtered.image.pixels),
            "clipped": filtered.clipped,
            "warnings": filtered.warnings,
            "kernel": _described(plan),
            "formula": [down.formula(sizes[0]), across.formula(sizes[1])],
            "anchors": [_anchors(down, sizes[0]), _anchors(across, sizes[1])],
            "command": self._command(picture, plan, words, kernel.name),
            "target": _target(picture, plan, kernel.name),
        }
        return asking.framed(told, view(filtered.image.pixels, filtered.image.white))

    def response(self, words: Words) -> Response:
        """How often which response occurs, before it is rounded and becomes a pixel."""
        picture, plan = self._asked(words)
        raw = filter_image(picture.image, replace(plan, range="raw", depth="float")).image.pixels
        scale = picture.image.white if picture.image.pixels.dtype.kind != "f" else 1.0
        low, high = min(float(raw.min()), 0.0), float(raw.max())
        if high > scale / 4 or high <= low:  # of small responses the white of pixels would be far away
            high = max(high, scale)
        if not np.isfinite((low, high)).all():
            raise ShapeError("histogram: some responses are infinite or no numbers, expected finite ones")
        step = step_of(raw)
        channels = (raw[::step, ::step, channel] for channel in range(raw.shape[-1]))
        counts = [np.histogram(each, _BINS, (low, high))[0] for each in channels]
        policy = output_policy(picture.image, None, plan.depth, plan.range, **plan.signs)
        told = {
            "low": low,
            "high": high,
            "white": scale,
            "range": policy.range,
            "mean": float(raw.mean()),
            "least": float(raw.min()),
            "most": float(raw.max()),
            "counts": [each.tolist() for each in counts],
        }
        return asking.document(told)

    def explain(self, words: Words) -> Response:
        """The numbers of the windows around one output pixel."""
        picture, plan = self._asked(words)
        sizes = picture.image.pixels.shape[:2]
        windows = plan.links(sizes)[0].windows
        place = [asking.whole(words, name, 0, 0, MOST_PIXELS) for name in ("row", "column")]
        parts = []
        for window, n, at in zip(windows, sizes, place, strict=True):
            if at >= window.output(n):
                raise ShapeError(f"pixel: got {at}, expected less than {window.output(n)}")
            room = (MOST_CELLS - window.effective - 1) // 2
            if room < 0:
                raise ShapeError(
                    f"pixel: its window spans {window.effective} cells, expected at most {MOST_CELLS} to see"
                )
            middle = min(max(at * window.stride + window.anchor - window.before, 0), n - 1)
            first = max(middle - min(_AROUND, room), 0)
            parts.append((first, min(middle + min(_AROUND, room) + 1, n) - first))
        (top, height), (left, width) = parts
        found = explain(picture.image, [plan], title=picture.name, region=Region(top, left, height, width))
        return asking.document(found.document)

    def save(self, words: Words) -> Response:
        """The very file that the command writes."""
        picture, plan = self._asked(words)
        target = _target(picture, plan, plan.kernels[0].name)
        format = _format(target)
        written = io.BytesIO()
        write(filter_image(picture.image, plan, format).image, written, format=format)
        return Response(written.getvalue(), media_type=f"image/{format.lower()}")

    def _asked(self, words: Words) -> tuple[Picture, FilterPlan]:
        """The picture and the plan of some words; refuses what would be too much work."""
        picture = self._pictures.find(asking.text(words, "picture", self._pictures.first))
        plan = _plan(words, has_alpha=picture.image.has_alpha)
        kernel = plan.kernels[0]
        if prod(kernel.planes[0].shape) * len(kernel.planes) > MOST_WEIGHTS:
            got = "x".join(map(str, kernel.planes[0].shape))
            raise KernelError(f"kernel: got {got} weights, expected at most {MOST_WEIGHTS:,} in the lab")
        if prod(plan.links(picture.image.pixels.shape[:2])[-1].out_sizes) > MOST_PIXELS:
            raise ShapeError(f"padding: the result would have more than {MOST_PIXELS:,} pixels; give less padding")
        return picture, plan

    def _command(self, picture: Picture, plan: FilterPlan, words: Words, name: str) -> str:
        options = {word: words.get(word, usual) for word, usual in _USUAL.items()}
        if options["border"] != "constant":
            del options["border_value"]
        options = {word: float(value) if isinstance(_USUAL[word], float) else value for word, value in options.items()}
        flags = {"convolve": words.get("convolve", False), "alpha": "drop" if plan.alpha == "drop" else None}
        spec = asking.text(words, "kernel", "sharpen")
        start = commands.line("filter", picture.path, "-k", spec, options=flags | options, usual=_USUAL)
        return f"{start} {commands.quoted('-o', _target(picture, plan, name))}"


def _plan(words: Words, *, has_alpha: bool) -> FilterPlan:
    kernel = parse_kernel(asking.text(words, "kernel", "sharpen"), files=False)
    padding: str | int = words.get("padding", "same")
    if not isinstance(padding, str):
        padding = asking.whole(words, "padding", 0, 0, 4096)
    (plan,) = plan_filters(
        [kernel],
        [asking.number(words, "bias", 0.0)],
        padding=padding,
        stride=asking.whole(words, "stride", 1, 1, 4096),
        dilation=asking.whole(words, "dilation", 1, 1, 4096),
        scale=asking.number(words, "scale", 1.0),
        border_value=asking.number(words, "border_value", 0.0),
        convolve=asking.flag(words, "convolve"),
        **{
            word: asking.text(words, word, str(_USUAL[word]))
            for word in ("border", "normalize", "activation", "channels")
        },
        range=_range(words),
        alpha="drop" if has_alpha else "premultiply",
    )
    return plan


def _range(words: Words) -> str:
    word = asking.text(words, "range", "auto")
    if word not in RANGES:
        raise WordsError(f"range: got {word[:40]!r}, expected one of {', '.join(RANGES)}")
    return word


def _described(plan: FilterPlan) -> dict[str, Any]:
    kernel = plan.kernels[0]
    parts = kernel.entry.parts if kernel.entry and len(kernel.entry.parts) == len(kernel.planes) else ()
    return {
        "name": kernel.name,
        "spec": kernel.spec,
        "combine": kernel.combine,
        "parts": list(parts),
        "parameters": dict(kernel.parameters),
        "planes": [plane.tolist() for plane in kernel.planes],
        "sum": [float(plane.sum()) for plane in kernel.planes],
    }


def _anchors(window: Any, n: int) -> list[int]:
    anchors = window.anchors(n)
    return [anchors.start, anchors.step]


def _opaque(image: Image) -> "np.ndarray[Any, Any]":
    return image.pixels[..., :-1] if image.has_alpha else image.pixels


def _format(target: str) -> str:
    return "PNG" if target.endswith(".png") else "TIFF"


def _target(picture: Picture, plan: FilterPlan, name: str) -> str:
    """A name for the result, of a format that loses nothing."""
    policy = output_policy(picture.image, None, plan.depth, plan.range, **plan.signs)
    suffix = ".tiff" if holds("PNG", policy.dtype, 3, False) else ".png"
    return safe_name(f"{PurePath(picture.name).stem}_{name}{suffix}")
