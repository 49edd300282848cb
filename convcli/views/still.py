"""A drawing of boxes and texts, perhaps over pictures, as SVG or PNG: what `animation` has in every frame, in one."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from convcli.views.animation import PAPER, Item
from convcli.views.animation_raster import draw_items
from convcli.views.animation_svg import drawn_items, opening
from convcli.views.schemes import darkened, with_dark_scheme

SUFFIXES = (".png", ".svg")


@dataclass(frozen=True, eq=False)
class Drawing:
    """Boxes and texts in pixels; ``pictures`` are (left, top, (H, W, 3) uint8) and lie below them.

    ``drawn`` says that they have few colours, the drawing's own, which a dark scheme changes too; photographs stay.
    """

    width: int
    height: int
    items: Sequence[Item]
    title: str
    description: str
    pictures: Sequence[tuple[int, int, NDArray[Any]]] = ()
    drawn: bool = False


def as_still(drawing: Drawing, suffix: str) -> bytes:
    """The bytes of a .svg or .png file."""
    return _svg(drawing).encode() if suffix == ".svg" else _png(drawing)


def _png(drawing: Drawing) -> bytes:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (drawing.width, drawing.height), PAPER)
    for left, top, pixels in drawing.pictures:
        sheet.paste(Image.fromarray(pixels), (left, top))
    draw_items(ImageDraw.Draw(sheet), drawing.items)
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def _svg(drawing: Drawing) -> str:
    lines = [
        *opening(drawing.width, drawing.height, drawing.title, drawing.description),
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *(_embedded(*picture, follows=drawing.drawn) for picture in drawing.pictures),
        drawn_items(drawing.items),
    ]
    return with_dark_scheme("\n".join([*lines, "</svg>\n"]))


def _embedded(left: int, top: int, pixels: NDArray[Any], *, follows: bool) -> str:
    """A picture of each scheme, the other one hidden; or one for both."""
    light = _image(left, top, pixels, ' class="light"' if follows else "")
    if not follows:
        return light
    style = "<style>@media (prefers-color-scheme: dark) { .light { display: none } .dark { display: inline } }</style>"
    return f"{style}\n{light}\n" + _image(left, top, _darkened(pixels), ' class="dark" display="none"')


def _darkened(pixels: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, places = np.unique(codes, return_inverse=True)
    dark = [bytes.fromhex(darkened(f"#{each:06x}")[1:]) for each in colours.tolist()]
    return np.frombuffer(b"".join(dark), np.uint8).reshape(-1, 3)[places].reshape(pixels.shape)


def _image(left: int, top: int, pixels: NDArray[Any], attributes: str) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    data = base64.standard_b64encode(out.getvalue()).decode()
    height, width = pixels.shape[:2]
    return (
        f'<image x="{left}" y="{top}" width="{width}" height="{height}" style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{data}"{attributes}/>'
    )
