"""Previews read back as a terminal would read them: colours, sixels and kitty's chunks are the picture again."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.images import Image
from convcli.views import preview
from convcli.views.preview import HALF, as_blocks, as_kitty, as_sixel, nearest_of_256, side_by_side

LABELS = ("before: a.png", "after: box")


def screen(text):
    """What a terminal shows of half blocks: rows of characters, and rows of pixels (two for each line; None: empty)."""
    characters, pixels = [], []
    for line in text.split("\n"):
        front = back = None
        shown, upper, lower = "", [], []
        for code, character in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
            if character:
                shown += character
                upper.append(front if character == HALF else back)
                lower.append(back)
                continue
            words = code.split(";")
            if words[0] == "0":
                front = back = None
            elif words[0] == "38":
                front = tuple(int(each) for each in words[2:])
            elif words[0] == "48":
                back = tuple(int(each) for each in words[2:])
        characters.append(shown)
        pixels += [upper, lower]
    return characters, pixels


def sixel_picture(text):
    """Decode sixels into (H, W, 3) percent."""
    assert text.startswith("\x1bPq")
    assert text.endswith("\x1b\\")
    body = text[3:-2]
    width, height = (int(each) for each in re.match(r'"1;1;(\d+);(\d+)', body).groups())
    body = body[body.index("#") :]
    palette, picture = {}, np.full((height + 6, width, 3), -1)
    x = y = colour = 0
    for word in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", body):
        number, *levels, repeat, repeated, single, move = word.groups()
        if number is not None:
            colour = int(number)
            if levels[0] is not None:
                palette[colour] = [int(each) for each in levels]
        elif move is not None:
            x, y = 0, y + (6 if move == "-" else 0)
        else:
            bits = ord(repeated or single) - 63
            for _ in range(int(repeat or 1)):
                for row in range(6):
                    if bits >> row & 1:
                        picture[y + row, x] = palette[colour]
                x = x + 1
    return picture[:height]


@pytest.mark.parametrize("height", [4, 5])
def test_half_blocks_are_the_pixels(rng, height):
    pixels = rng.integers(0, 256, (height, 39, 3), np.uint8)
    characters, seen = screen(as_blocks(Image(pixels), Image(255 - pixels), LABELS))
    assert characters[0] == "before: a.png".ljust(41) + "after: box"
    assert characters[1] == f"39x{height}".ljust(41) + f"39x{height}"
    for y in range(height):
        assert seen[4 + y][:39] == [tuple(each) for each in pixels[y].tolist()]
        assert seen[4 + y][41:] == [tuple(each) for each in (255 - pixels[y]).tolist()]
    if height % 2:
        assert seen[-1] == [None] * 80


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (21, 3)])
@pytest.mark.parametrize(
    "shapes", [((300, 450), (150, 225)), ((1, 1), (5, 2)), ((3, 900), (900, 3)), ((40, 40), (1, 1))]
)
def test_everything_fits(columns, rows, shapes):
    before, after = (Image(np.zeros((*shape, 1), np.uint8)) for shape in shapes)
    lines = screen(as_blocks(before, after, ("a" * 99, "b" * 99), columns=columns, rows=rows, true_colour=False))[0]
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns


def test_every_line_of_blocks_ends_with_the_terminals_own_colours(rng):
    text = as_blocks(Image(rng.integers(0, 256, (9, 8, 3), np.uint8)), Image(np.zeros((2, 2, 1), np.uint8)), LABELS)
    assert all(line.endswith("\x1b[0m") for line in text.split("\n")[2:])


def test_the_nearest_of_256_colours(rng):
    levels = [0, 95, 135, 175, 215, 255]
    table = {16 + 36 * r + 6 * g + b: (levels[r], levels[g], levels[b]) for r in range(6) for g in range(6)
             for b in range(6)}  # fmt: skip
    table |= {232 + step: (8 + 10 * step,) * 3 for step in range(24)}
    for colour in rng.integers(0, 256, (200, 3)):
        distances = {number: sum((int(a) - b) ** 2 for a, b in zip(colour, each, strict=True))
                     for number, each in table.items()}  # fmt: skip
        found = int(nearest_of_256(colour))
        # Greys are chosen by their mean, which is at most a hair away from the best.
        assert distances[found] <= min(distances.values()) + 1e-9, (colour, found)


def test_sixels_are_the_picture(rng):
    pixels = np.zeros((13, 50, 3), np.uint8)
    pixels[2:9, 3:40] = (255, 0, 0)
    pixels[10:, 45:] = (0, 255, 0)
    assert np.array_equal(sixel_picture(as_sixel(pixels)), np.rint(pixels / 2.55))
    noisy = rng.integers(0, 256, (20, 30, 3), np.uint8)
    seen = sixel_picture(as_sixel(noisy))
    assert seen.min() >= 0
    assert np.abs(seen * 2.55 - noisy).mean() < 30


def test_kitty_gets_the_png_in_chunks(rng):
    pixels = rng.integers(0, 256, (60, 70, 3), np.uint8)
    text = as_kitty(pixels, 80)
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{control};{data}\x1b\\" for control, data in chunks) == text
    assert chunks[0][0] == "a=T,f=100,q=2,c=80,m=1"
    assert [control for control, _ in chunks[1:]] == ["m=1"] * (len(chunks) - 2) + ["m=0"]
    assert max(len(data) for _, data in chunks) <= 4096
    png = base64.b64decode("".join(data for _, data in chunks))
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(png))), pixels)


def test_any_picture_can_be_shown(rng):
    floats = Image(rng.normal(size=(8, 9, 1)).astype(np.float32))
    clear = Image(np.zeros((8, 9, 4), np.uint16), has_alpha=True)
    many = Image(np.zeros((8, 9, 7)))
    for before, after in ((floats, clear), (clear, many)):
        assert side_by_side(before, after, LABELS, side=64).shape[2] == 3
        assert HALF in as_blocks(before, after, LABELS)


def test_examples():
    import doctest

    assert doctest.testmod(preview) == (0, 1)
