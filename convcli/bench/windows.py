"""Windows without weights: pooling of a float plane, morphology of an 8-bit one."""

from functools import partial
from typing import Any, cast

import numpy as np

from convcli import morph2d, pool2d
from convcli.bench.filters import pillow_side
from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance, Work
from convcli.bench.pictures import float_plane, noise
from convcli.images import Image
from convcli.jobs.pool import plan_pool, pool_image
from convcli.ops.signatures import OperationWord, PoolMode

_EXACT = Tolerance(0)
_ROUNDED = Tolerance(1e-6, "relative")


def head(setting: Setting) -> str:
    """What is measured and how."""
    height, width = setting.picture_size
    return (
        f"one {width}x{height} plane: float32 for pooling, uint8 for morphology, where nothing beyond the border wins. "
        "convcli: pool2d, morph2d; averages of 8 bits: jobs.pool.pool_image, the path of the command without its files"
    )


def cases(setting: Setting) -> list[Case]:
    """The groups pool and morph."""
    every = ("opencv", "scipy", "skimage")
    return [
        Case("pool", "2x2", "max", ("torch", "skimage"), lambda: _pool(setting, "max")),
        Case("pool", "2x2", "average", ("torch", "opencv"), lambda: _pool(setting, "average")),
        *(
            Case(
                "pool",
                "8 bits",
                f"{size}x{size} {name}",
                ("opencv",),
                partial(_averages, setting, size, channels),
            )
            for size in (2, 3)
            for name, channels in (("grey", 1), ("RGB", 3))
        ),
        Case("morph", "grey", "dilate 3x3", (*every, "pillow"), lambda: _morph(setting, "dilate", 3)),
        Case("morph", "grey", "dilate 15x15", every, lambda: _morph(setting, "dilate", 15)),
        Case("morph", "grey", "open 3x3", ("opencv",), lambda: _morph(setting, "open", 3)),
        Case("morph", "grey", "open 15x15", ("opencv",), lambda: _morph(setting, "open", 15)),
    ]


def _pool(setting: Setting, mode: str) -> Contest:
    plane = float_plane(*(n - n % 2 for n in setting.picture_size))
    sides = []
    if "torch" in setting.peers:
        import torch

        source, function = torch.from_numpy(plane)[None, None], torch.nn.functional
        pool = function.max_pool2d if mode == "max" else function.avg_pool2d
        sides.append(Side("torch", lambda: pool(source, 2), "torch", lambda: pool(source, 2).numpy()))
    if mode == "max" and "skimage" in setting.peers:
        from skimage.measure import block_reduce

        sides.append(Side("skimage", lambda: block_reduce(plane, 2, np.max), "skimage"))
    if mode == "average" and "opencv" in setting.peers:
        import cv2

        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        sides.append(Side("OpenCV resize", lambda: cv2.resize(plane, half, interpolation=cv2.INTER_AREA), "opencv"))
    ours = Side("convcli", lambda: pool2d(plane, 2, mode=cast(PoolMode, mode)))
    return Contest(ours, tuple(sides), _EXACT if mode == "max" else _ROUNDED, Work(1.25 * plane.nbytes))


def _averages(setting: Setting, size: int, channels: int) -> Contest:
    height, width = (n - n % size for n in setting.picture_size)
    pixels = noise(height, width, channels)
    image, plan, small = Image(pixels), plan_pool(size, mode="average"), (width // size, height // size)
    sides = []
    if "opencv" in setting.peers:
        import cv2

        sides = [Side("OpenCV resize", lambda: cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), "opencv")]
    ours = Side("convcli", lambda: pool_image(image, plan).image.pixels)
    # Of two neighbours a half is as far from either: OpenCV takes the larger, we the even one.
    return Contest(ours, tuple(sides), Tolerance(1), Work(pixels.nbytes * (1 + 1 / size**2)))


def _morph(setting: Setting, operation: str, size: int) -> Contest:
    plane = noise(*setting.picture_size, 1)[..., 0]
    ours = Side("convcli", lambda: morph2d(plane, cast(OperationWord, operation), size=size))
    wanted = {
        "opencv": _opencv,
        **({"scipy": _scipy, "skimage": _skimage} if operation == "dilate" else {}),
        **({"pillow": _pillow} if operation == "dilate" and size == 3 else {}),
    }
    sides: list[Side] = [make(plane, operation, size) for each, make in wanted.items() if each in setting.peers]
    return Contest(ours, tuple(sides), _EXACT, Work((2 if operation == "dilate" else 4) * plane.nbytes))


def _opencv(plane: Array, operation: str, size: int) -> Side:
    import cv2

    element = np.ones((size, size), np.uint8)
    if operation == "dilate":
        return Side("OpenCV", lambda: cv2.dilate(plane, element), "opencv")
    return Side("OpenCV", lambda: cv2.morphologyEx(plane, cv2.MORPH_OPEN, element), "opencv")


def _scipy(plane: Array, operation: str, size: int) -> Side:
    from scipy import ndimage

    return Side("SciPy", lambda: ndimage.grey_dilation(plane, size=(size, size), mode="constant"), "scipy")


def _skimage(plane: Array, operation: str, size: int) -> Side:
    from skimage.morphology import dilation, footprint_rectangle

    element: Any = footprint_rectangle((size, size), decomposition="separable")
    return Side("skimage", lambda: dilation(plane, element), "skimage")


def _pillow(plane: Array, operation: str, size: int) -> Side:
    from PIL import ImageFilter

    return pillow_side(plane, ImageFilter.MaxFilter(size))
