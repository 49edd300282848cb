"""A film as pixels: an animated GIF or WebP, or a PNG sheet of its frames."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from convcli.views.animation import PAPER, Box, Film, Item, Scene, Text, lay_out
from convcli.views.lettering import draw_text
from convcli.views.thinning import spread

MOST_ON_SHEET = 49
_LONGEST_ROW = 8
_STEP = 10
_GAP = 16


def as_picture(film: Film, suffix: str, delay: float) -> bytes:
    """The bytes of a .gif or .webp whose frames last ``delay`` seconds, or of a .png sheet."""
    scene = lay_out(film)
    out = io.BytesIO()
    milliseconds = max(round(delay * 1000), 20)
    if suffix == ".png":
        _sheet(scene, film.output[1]).save(out, "PNG", optimize=True)
    elif suffix == ".webp":
        first, *others = _frames(scene)
        first.save(out, "WEBP", save_all=True, append_images=others, duration=milliseconds, loop=0, lossless=True)
    else:
        pictures = list(_frames(scene))
        palette = _palette([pictures[0], pictures[len(pictures) // 2], pictures[-1]])
        first, *others = (picture.quantize(palette=palette, dither=0) for picture in pictures)
        first.save(
            out, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0, disposal=1, optimize=False
        )
    return out.getvalue()


def _frames(scene: Scene) -> Iterator[Any]:
    """Every frame as an RGB picture."""
    from PIL import Image, ImageDraw

    base = Image.new("RGB", (scene.width, scene.height), PAPER)
    draw_items(ImageDraw.Draw(base), scene.still)
    for lasting, moving in zip(scene.lasting, scene.moving, strict=True):
        draw_items(ImageDraw.Draw(base), lasting)
        frame = base.copy()
        draw_items(ImageDraw.Draw(frame), moving)
        yield frame


def _palette(pictures: Sequence[Any]) -> Any:
    """The most frequent colours of some frames, the flat ones as they are.

    Colours closer than `_STEP` are one: Pillow looks colours up in steps of 4, and would take a white that is nearly
    white for white itself.
    """
    from PIL import Image

    counts: Counter[tuple[int, int, int]] = Counter()
    for picture in pictures:
        for count, colour in picture.getcolors(picture.width * picture.height):
            counts[colour] += count
    chosen: list[tuple[int, int, int]] = []
    for colour, _ in counts.most_common():
        if all(max(abs(a - b) for a, b in zip(colour, each, strict=True)) >= _STEP for each in chosen):
            chosen.append(colour)
    chosen = chosen[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([level for colour in chosen + chosen[:1] * (256 - len(chosen)) for level in colour])
    return palette


def _sheet(scene: Scene, columns: int) -> Any:
    """The frames in rows under one head: all of them, or `MOST_ON_SHEET` evenly spread from first to last.

    A row of frames is a row of the output, ``columns`` long, where all are shown, there are several and none is too
    long.
    """
    from PIL import Image, ImageDraw

    count = len(scene.moving)
    chosen = set(spread(count, MOST_ON_SHEET))
    pictures = [picture for index, picture in enumerate(_frames(scene)) if index in chosen]
    body = scene.height - scene.head
    if len(pictures) < count or columns > _LONGEST_ROW or columns in (1, count):
        columns = _columns(len(pictures), scene.body_width + _GAP, body + _GAP)
    rows = -(-len(pictures) // columns)
    width = max(columns * scene.body_width + (columns - 1) * _GAP, scene.width)
    # The whole is looked at from further away than a frame: so are its title and labels.
    scale = min(max(width / 1600, 1.0), 3.0)
    head = round(scene.head * scale)
    sheet = Image.new("RGB", (width, head + rows * body + (rows - 1) * _GAP), PAPER)
    texts = [item for item in scene.still if isinstance(item, Text) and item.y < scene.head]
    draw_items(
        ImageDraw.Draw(sheet),
        [replace(each, y=each.y * scale, points=round(each.points * scale)) for each in texts],
    )
    for index, picture in enumerate(pictures):
        left, top = index % columns * (scene.body_width + _GAP), head + index // columns * (body + _GAP)
        sheet.paste(picture.crop((0, scene.head, scene.body_width, scene.height)), (left, top))
    return sheet


def _columns(count: int, width: int, height: int) -> int:
    """The fewest columns of ``count`` pictures that make a sheet at most half as high again as it is wide."""
    fitting = (each for each in range(1, count + 1) if each * width * 1.5 >= -(-count // each) * height)
    return next(fitting, count)


def draw_items(draw: Any, items: Sequence[Item]) -> None:
    """Draw boxes and texts with a Pillow drawer."""
    for item in items:
        if isinstance(item, Box):
            _draw_box(draw, item)
        else:
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[item.anchor]
            draw_text(draw, (item.x, item.y), item.text, item.points, fill=item.colour, anchor=anchor, bold=item.bold)


def _draw_box(draw: Any, box: Box) -> None:
    x, y, right, bottom = (round(each) for each in (box.x, box.y, box.x + box.width, box.y + box.height))
    if box.fill:
        draw.rectangle((x, y, right, bottom), fill=box.fill)
    if box.dashed:
        for place in range(x, right, 6):
            draw.line((place, y, min(place + 3, right), y), fill=box.edge)
            draw.line((place, bottom, min(place + 3, right), bottom), fill=box.edge)
        for place in range(y, bottom, 6):
            draw.line((x, place, x, min(place + 3, bottom)), fill=box.edge)
            draw.line((right, place, right, min(place + 3, bottom)), fill=box.edge)
    else:
        grow = int(box.thickness) // 2
        draw.rectangle((x - grow, y - grow, right + grow, bottom + grow), outline=box.edge, width=int(box.thickness))
