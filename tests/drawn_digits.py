"""The ten digits as pen strokes, and the scenes people photograph, scan or paint them in. No fonts, no files."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def arc(x, y, across, down, start, end, steps=24):
    """Points of an ellipse's arc; angles in degrees, 0 is right, 90 is down."""
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


# Lines of points on a square of 100, as a hand draws them.
STROKES = {
    0: [arc(50, 50, 31, 45, -100, 265)],
    1: [[(36, 24), (54, 5), (54, 95)]],
    2: [[*arc(48, 32, 28, 27, 195, 380), (66, 55), (20, 93), (82, 93)]],
    3: [arc(45, 28, 27, 23, 205, 440) + arc(44, 72, 32, 23, -85, 155)],
    4: [[(40, 5), (17, 60), (84, 60)], [(64, 32), (64, 95)]],
    5: [[(76, 7), (31, 7), (27, 44), *arc(46, 67, 31, 28, -130, 140)]],
    6: [[(68, 6), *arc(75, 62, 52, 55, 250, 180), *arc(50, 70, 27, 25, 180, -180)]],
    7: [[(16, 9), (82, 9), (44, 95)]],
    8: [arc(50, 28, 24, 22, 90, -270) + arc(50, 73, 30, 23, -90, 270)],
    9: [[*arc(48, 30, 26, 24, 0, 360), (73, 34), (66, 95)]],
}


def pen(digit, side, width, hand=None):
    """A mask of ink (side, side), 0..1: the digit in the middle with a margin, strokes ``width`` pixels thick.

    ``hand`` is a random generator that slants, turns and stretches the strokes a little.
    """
    turn = slant = 0.0
    stretch = 1.0
    if hand is not None:
        turn, slant, stretch = math.radians(hand.uniform(-7, 7)), hand.uniform(-0.1, 0.25), hand.uniform(0.8, 1.1)
    fine = max(1, min(4, 800 // side))
    canvas = Image.new("L", (side * fine, side * fine), 0)
    brush = ImageDraw.Draw(canvas)
    size = 0.62 * side * fine / 100
    radius = width * fine / 2
    for line in STROKES[digit]:
        points = []
        for x, y in line:
            x, y = stretch * (x - 50) - slant * (y - 50), y - 50
            x, y = x * math.cos(turn) + y * math.sin(turn), -x * math.sin(turn) + y * math.cos(turn)
            points.append((side * fine / 2 + x * size, side * fine / 2 + y * size))
        brush.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(canvas.reduce(fine), np.float64) / 255


def placed(mask, height, width, top, left):
    """A mask somewhere on a larger empty one."""
    ink = np.zeros((height, width))
    ink[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return ink


def painted(ink, paper=(255, 255, 255), colour=(0, 0, 0)):
    """Ink of one colour on paper of another: (H, W, 3) floats of 0..255."""
    return np.asarray(paper) * (1 - ink[..., None]) + np.asarray(colour) * ink[..., None]


def lit(scene, rng, *, shadow=False, noise=4.0, blur=0.8):
    """A scene as a camera sees it: light from one side, perhaps a shadow across it, soft focus, noise."""
    height, width = scene.shape[:2]
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    direction = rng.uniform(0, 2 * math.pi)
    light = 0.82 + 0.18 * ((across - 0.5) * math.cos(direction) + (down - 0.5) * math.sin(direction)) * 2
    if shadow:
        edge = (across - 0.5) * math.cos(direction + 1) + (down - 0.5) * math.sin(direction + 1) - 0.08
        light *= 1 - 0.3 / (1 + np.exp(-edge * 40))
    seen = scene * light[..., None] * np.array([1.0, 0.97, 0.88])
    seen = np.asarray(Image.fromarray(to_bytes(seen)).filter(ImageFilter.GaussianBlur(blur)), np.float64)
    return seen + rng.normal(0, noise, seen.shape)


def to_bytes(values):
    """Floats of 0..255 as bytes."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def file_of(pixels, format="PNG", *, orientation=1, **settings):
    """A picture file's bytes; ``orientation`` is EXIF's: pixels are stored turned so that it stands upright."""
    picture = Image.fromarray(pixels)
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    if orientation in turns:
        picture = picture.transpose(turns[orientation])
        exif = Image.Exif()
        exif[0x0112] = orientation
        settings["exif"] = exif
    stream = io.BytesIO()
    picture.save(stream, format, **settings)
    return stream.getvalue()


def _paint(digit, rng):
    mask = pen(digit, 280, 16, rng) > 0.5
    return file_of(to_bytes(painted(placed(mask, 300, 400, 10, 60))))


def _inverted(digit, rng):
    return file_of(255 - to_bytes(painted(placed(pen(digit, 280, 18, rng), 300, 300, 10, 10))), "BMP")


def _grey_chalk(digit, rng):
    scene = painted(placed(pen(digit, 300, 20, rng), 320, 420, 10, 50), (30, 60, 45), (215, 220, 210))
    return file_of(to_bytes(lit(scene, rng)), "JPEG", quality=80)


def _off_centre(digit, rng):
    return file_of(to_bytes(painted(placed(pen(digit, 90, 6, rng), 480, 640, 380, 12))))


def _huge(digit, rng):
    scene = np.full((3000, 4000, 3), (250, 250, 245), np.uint8)
    scene[300:2100, 1900:3700] = to_bytes(painted(pen(digit, 1800, 110, rng), (250, 250, 245), (20, 20, 30)))
    return file_of(scene, "JPEG", quality=85)


def _tiny(digit, rng):
    large = Image.fromarray(to_bytes(painted(pen(digit, 240, 26, rng)[30:-30, 30:-30])))
    return file_of(np.asarray(large.resize((12, 12), Image.Resampling.BOX)))


def _transparent(colour):
    def scene(digit, rng):
        ink = placed(pen(digit, 260, 16, rng), 280, 300, 10, 20)
        pixels = np.concatenate([np.broadcast_to(colour, (*ink.shape, 3)), 255 * ink[..., None]], axis=2)
        return file_of(to_bytes(pixels))

    return scene


def _coloured(paper, colour):
    def scene(digit, rng):
        return file_of(to_bytes(painted(placed(pen(digit, 260, 16, rng), 280, 360, 10, 50), paper, colour)))

    return scene


def _photograph(orientation, shadow):
    def scene(digit, rng):
        ink = placed(pen(digit, 420, 22, rng), 600, 800, 90, 190)
        seen = lit(painted(ink, (245, 245, 240), (40, 40, 60)), rng, shadow=shadow)
        return file_of(to_bytes(seen), "JPEG", quality=85, orientation=orientation)

    return scene


def _artefacts(digit, rng):
    return file_of(to_bytes(painted(placed(pen(digit, 120, 8, rng), 140, 160, 10, 20))), "JPEG", quality=8)


def _ball_pen(digit, rng):
    ink = 0.85 * placed(pen(digit, 420, 7, rng), 600, 800, 90, 190)
    return file_of(to_bytes(lit(painted(ink, (240, 240, 235), (30, 40, 120)), rng)), "JPEG", quality=90)


def _pencil(digit, rng):
    ink = 0.35 * placed(pen(digit, 420, 12, rng), 600, 800, 90, 190)
    return file_of(to_bytes(lit(painted(ink, (240, 240, 235), (40, 40, 40)), rng, noise=3)), "JPEG", quality=90)


def _ruled(digit, rng, *, squared=False):
    height, width, step = 600, 800, 48
    lines = np.zeros((height, width))
    for row in range(step // 2, height, step):
        lines[row : row + 2] = 0.55
    if squared:
        for column in range(step // 2, width, step):
            lines[:, column : column + 2] = 0.55
    scene = painted(lines, (245, 245, 245), (120, 150, 220))
    ink = placed(pen(digit, 420, 20, rng), height, width, 90, 190)[..., None]
    return file_of(to_bytes(lit(scene * (1 - ink) + np.array([25, 25, 60]) * ink, rng)), "JPEG", quality=88)


def _squared(digit, rng):
    return _ruled(digit, rng, squared=True)


def _on_a_table(digit, rng):
    ink = placed(pen(digit, 400, 20, rng), 600, 800, 100, 200)
    scene = painted(ink, (245, 245, 240), (40, 40, 60))
    scene[:, :70] = scene[560:] = (110, 70, 40)
    return file_of(to_bytes(lit(scene, rng)), "JPEG", quality=88)


def _hard_shadow(digit, rng):
    scene = painted(placed(pen(digit, 420, 22, rng), 600, 800, 90, 190), (245, 245, 240), (40, 40, 60))
    down, across = np.mgrid[0:600, 0:800]
    edge = (across - 400) + rng.uniform(-0.6, 0.6) * (down - 300)
    half = 1 - 0.5 / (1 + np.exp(np.clip(-edge / 6, -50, 50)))
    return file_of(to_bytes(lit(scene * half[..., None], rng)), "JPEG", quality=85)


def _tilted(digit, rng):
    ink = placed(pen(digit, 400, 24, rng), 600, 800, 100, 200)
    paper = Image.fromarray(to_bytes(painted(ink, (245, 245, 240), (40, 40, 60))))
    turned = paper.rotate(rng.uniform(-12, 12), expand=True, fillcolor=(110, 70, 40))
    return file_of(to_bytes(lit(np.asarray(turned, np.float64), rng)), "JPEG", quality=88)


def _framed(digit, rng):
    ink = placed(pen(digit, 260, 14, rng), 300, 300, 20, 20)
    ink[6:9, 6:-6] = ink[-9:-6, 6:-6] = ink[6:-6, 6:9] = ink[6:-6, -9:-6] = 1
    return file_of(to_bytes(painted(ink)))


def _cut_tight(digit, rng):
    mask = pen(digit, 280, 18, rng)
    rows, columns = np.flatnonzero(mask.max(axis=1)), np.flatnonzero(mask.max(axis=0))
    return file_of(to_bytes(painted(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])))


# What the picture is -> a function that makes its file from a digit and a random generator.
SCENES = {
    "paint program": _paint,
    "inverted": _inverted,
    "chalk on a board": _grey_chalk,
    "off-centre and small": _off_centre,
    "huge": _huge,
    "tiny": _tiny,
    "black ink, transparent ground": _transparent((0, 0, 0)),
    "white ink, transparent ground": _transparent((255, 255, 255)),
    "blue on yellow": _coloured((250, 220, 60), (20, 40, 160)),
    "red on light green": _coloured((190, 235, 190), (200, 30, 30)),
    "yellow on purple": _coloured((90, 30, 120), (250, 230, 80)),
    "red on a green as dark": _coloured((40, 120, 70), (230, 40, 40)),
    "photograph": _photograph(1, False),
    "photograph with a shadow": _photograph(1, True),
    "photograph on its side": _photograph(6, False),
    "photograph upside down": _photograph(3, True),
    "JPEG artefacts": _artefacts,
    "ball pen": _ball_pen,
    "pencil": _pencil,
    "ruled paper": _ruled,
    "squared paper": _squared,
    "paper on a table": _on_a_table,
    "tilted paper on a table": _tilted,
    "half in the shadow": _hard_shadow,
    "in a frame": _framed,
    "cut tight": _cut_tight,
}
