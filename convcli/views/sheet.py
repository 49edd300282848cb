"""A contact sheet: pictures in rows and columns, each fitted into a cell, transparency on a checkerboard."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.images import Image, convert_depth
from convcli.views.lettering import draw_text, shortened

Pixels = NDArray[np.uint8]

_MARGIN = 8
_LABEL, _LETTERS = 22, 14  # height of a line of labels, and the size of letters
_INK, _PAPER = (40, 40, 40), (255, 255, 255)
_CHECKER = (255, 225), 8  # two greys, and the side of a square


def contact_sheet(rows: Sequence[Sequence[Image]], labels: Sequence[str], cell: tuple[int, int]) -> Pixels:
    """Draw rows of pictures under one line of column labels.

    Parameters
    ----------
    rows : sequence of sequences of Image
        As many pictures in each row as there are labels.
    labels : sequence of str
        One for each column, shortened to the cell's width.
    cell : (int, int)
        Width and height of a cell in pixels; pictures are scaled down to fit, never up.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width = cell[0]
    fitted = [[_fit(Pillow.fromarray(opaque(picture)), cell) for picture in row] for row in rows]
    heights = [max(picture.height for picture in row) for row in fitted]
    sheet_height = _MARGIN + _LABEL + sum(height + _MARGIN for height in heights)
    sheet = Pillow.new("RGB", (_MARGIN + len(labels) * (width + _MARGIN), sheet_height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(labels):
        left = _MARGIN + column * (width + _MARGIN)
        draw_text(draw, (left, _MARGIN), shortened(label, width, _LETTERS), _LETTERS, fill=_INK)
    top = _MARGIN + _LABEL
    for row, row_height in zip(fitted, heights, strict=True):
        for column, picture in enumerate(row):
            left = _MARGIN + column * (width + _MARGIN) + (width - picture.width) // 2
            sheet.paste(picture, (left, top + (row_height - picture.height) // 2))
        top += row_height + _MARGIN
    return np.asarray(sheet)


def opaque(picture: Image) -> Pixels:
    """A picture as (H, W, 3) uint8, its transparent parts over a checkerboard."""
    pixels = convert_depth(picture.pixels, np.uint8)
    colour = pixels[..., :-1] if picture.has_alpha else pixels
    colour = np.repeat(colour[..., :1], 3, axis=2) if colour.shape[2] < 3 else colour[..., :3]
    if not picture.has_alpha:
        return np.ascontiguousarray(colour)
    (light, dark), side = _CHECKER
    down, across = np.indices(colour.shape[:2]) // side
    board = np.where((down + across) % 2, dark, light)[..., None]
    alpha = pixels[..., -1:].astype(np.float32) / 255
    return np.rint(colour * alpha + board * (1 - alpha)).astype(np.uint8)


def _fit(picture: Any, cell: tuple[int, int]) -> Any:
    scale = min(cell[0] / picture.width, cell[1] / picture.height, 1.0)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture if size == picture.size else picture.resize(size, resample=1)  # 1: Lanczos
