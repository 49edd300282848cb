"""Pages with one digit, pages with none, and crops: drawn by seed, and how many of them are read or refused rightly.

``python tests/digit_pages.py --pages 1000`` prints the table. Strokes are MNIST's where CONVCLI_DATA_DIR leads to it
(``--split train`` for choosing anything, ``test`` for the last word), a pen's and a font's otherwise.
"""

import argparse
import io
import math
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

sys.path.insert(0, str(Path(__file__).parent))  # also when run as a program or collected by its path

from drawn_digits import file_of, pen, placed, to_bytes

WHITE = np.array([250.0, 249.0, 244.0])


# Grounds: what lies under a digit or is all there is. Each gives (H, W, 3) of 0..255 and the box one can write in.


def sheet(rng, low=180, high=640):
    """Plain paper of any size and shape."""
    height, width = rng.integers(low, high, 2)
    paper = np.broadcast_to(WHITE * rng.uniform(0.75, 1), (height, width, 3)).copy()
    return paper, (0, 0, height, width)


def axes(scene, rng):
    """Rows and columns of -1..1, turned by a random angle."""
    height, width = scene.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * math.pi)
    return down * math.cos(angle) + across * math.sin(angle), across * math.cos(angle) - down * math.sin(angle)


def step(distance, softness):
    return 1 / (1 + np.exp(np.clip(-distance / softness, -50, 50)))


def clouds(shape, rng, cell):
    """Smooth random values of deviation 1, of spots about ``cell`` pixels wide."""
    small = rng.normal(0, 1, [max(2, math.ceil(side / cell)) for side in shape[:2]]).astype(np.float32)
    large = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    values = np.asarray(large, np.float64)
    return values / max(values.std(), 1e-6)


def lines(scene, rng, angles, wander=0.0):
    """A mask of straight lines all across the page, one for each angle in degrees."""
    height, width = scene.shape[:2]
    canvas = Image.new("L", (width, height), 0)
    brush = ImageDraw.Draw(canvas)
    for angle in angles:
        x, y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
        turn = math.radians(angle + rng.uniform(-wander, wander))
        reach = 2 * max(height, width)
        ends = [(x + way * reach * math.cos(turn), y + way * reach * math.sin(turn)) for way in (-1, 1)]
        brush.line(ends, fill=255, width=int(rng.integers(1, 4)))
    return np.asarray(canvas, np.float64)[..., None] / 255


def plain(rng):
    return sheet(rng)


def gradient(rng):
    scene, box = sheet(rng)
    along, _ = axes(scene, rng)
    return scene * (1 + rng.uniform(0.05, 0.4) * (along[..., None] - 1) / 2), box


def vignette(rng):
    scene, box = sheet(rng)
    down, across = np.mgrid[-1 : 1 : scene.shape[0] * 1j, -1 : 1 : scene.shape[1] * 1j]
    far = (down - rng.uniform(-0.3, 0.3)) ** 2 + (across - rng.uniform(-0.3, 0.3)) ** 2
    return scene * (1 - rng.uniform(0.15, 0.45) * np.minimum(far / 2, 1.4)[..., None] ** rng.uniform(1, 2.5)), box


def soft_shadow(rng):
    scene, box = sheet(rng)
    along, _ = axes(scene, rng)
    dark = step(along - rng.uniform(-0.6, 0.6), rng.uniform(0.03, 0.15))
    return scene * (1 - rng.uniform(0.15, 0.5) * dark[..., None]), box


def hard_shadow(rng):
    scene, box = sheet(rng)
    along, beside = axes(scene, rng)
    dark = step(along - rng.uniform(-0.6, 0.6), 0.01)
    if rng.random() < 0.4:
        dark = dark * step(beside - rng.uniform(-0.6, 0.6), 0.01)
    return scene * (1 - rng.uniform(0.2, 0.5) * dark[..., None]), box


def shadow_band(rng):
    scene, box = sheet(rng)
    along, _ = axes(scene, rng)
    away = np.abs(along - rng.uniform(-0.5, 0.5))
    return scene * (1 - rng.uniform(0.15, 0.4) * step(rng.uniform(0.08, 0.3) - away, 0.03)[..., None]), box


def table(rng):
    scene, (top, left, bottom, right) = sheet(rng)
    wood = np.array([110.0, 70, 40]) if rng.random() < 0.5 else rng.uniform(20, 160, 3)
    grain = 1 + 0.06 * clouds(scene.shape, rng, 12)[..., None]
    for side in rng.permutation(4)[: rng.integers(1, 4)]:
        depth = int(rng.uniform(0.04, 0.2) * scene.shape[side % 2])
        if side == 0:
            top = depth
            scene[:depth] = (wood * grain)[:depth]
        elif side == 1:
            left = depth
            scene[:, :depth] = (wood * grain)[:, :depth]
        elif side == 2:
            bottom -= depth
            scene[-depth:] = (wood * grain)[-depth:]
        else:
            right -= depth
            scene[:, -depth:] = (wood * grain)[:, -depth:]
    return scene, (top, left, bottom, right)


def tilted_paper(rng):
    scene, _ = sheet(rng)
    height, width = scene.shape[:2]
    turned = Image.new("L", (width, height), 0)
    angle, half = math.radians(rng.uniform(-14, 14)), rng.uniform(0.38, 0.46)
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    across, down = math.cos(angle), math.sin(angle)
    points = [
        (width / 2 + (x * across - y * down) * width, height / 2 + (x * down + y * across) * height) for x, y in corners
    ]
    ImageDraw.Draw(turned).polygon(points, fill=255)
    on = np.asarray(turned, np.float64)[..., None] / 255
    inner = 0.26
    box = tuple(int(side) for side in ((0.5 - inner) * height, (0.5 - inner) * width, (0.5 + inner) * height,
                                       (0.5 + inner) * width))  # fmt: skip
    return scene * on + rng.uniform(20, 130, 3) * (1 - on), box


def ruled(rng, squared=False):
    scene, box = sheet(rng)
    pitch = int(rng.integers(14, 70))
    thick = int(rng.integers(1, 4)) if pitch > 24 else 1
    mask = np.zeros(scene.shape[:2])
    for row in range(int(rng.integers(pitch)), scene.shape[0], pitch):
        mask[row : row + thick] = 1
    if squared:
        for column in range(int(rng.integers(pitch)), scene.shape[1], pitch):
            mask[:, column : column + thick] = 1
    elif rng.random() < 0.4:
        mask[:, scene.shape[1] // 8 : scene.shape[1] // 8 + thick] = 1
    if rng.random() < 0.5:
        turned = Image.fromarray(to_bytes(255 * np.pad(mask, 100, mode="wrap")))
        turned = turned.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC)
        mask = np.asarray(turned, np.float64)[100:-100, 100:-100] / 255
    strength = rng.uniform(0.15, 0.75)
    return scene * (1 - strength * mask[..., None] * (1 - rng.uniform(0.1, 0.8, 3))), box


def squared(rng):
    return ruled(rng, squared=True)


def folded(rng):
    scene, box = sheet(rng)
    angles = [[0], [90], [0, 90], [rng.uniform(0, 180)]][rng.integers(4)]
    mask = np.asarray(Image.fromarray(to_bytes(255 * lines(scene, rng, angles, 3)[..., 0])).filter(
        ImageFilter.GaussianBlur(rng.uniform(0.5, 2))), np.float64)[..., None] / 255  # fmt: skip
    light = np.roll(mask, int(rng.integers(2, 5)), int(rng.integers(2)))
    return np.clip(scene * (1 - rng.uniform(0.1, 0.4) * mask + rng.uniform(0, 0.2) * light), 0, 255), box


def creased(rng):
    scene, box = sheet(rng)
    height, width = scene.shape[:2]
    canvas = Image.new("L", (width, height), 128)
    brush = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(8, 40))):
        x, y, turn, long = (
            rng.uniform(0, width),
            rng.uniform(0, height),
            rng.uniform(0, 7),
            rng.uniform(0.1, 0.5) * width,
        )
        shade = int(128 + rng.choice([-1, 1]) * rng.uniform(20, 90))
        ends = (x, y, x + long * math.cos(turn), y + long * math.sin(turn))
        brush.line(ends, fill=shade, width=int(rng.integers(1, 4)))
    wrinkles = np.asarray(canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.7, 2.5))), np.float64)[..., None]
    return scene * (1 + rng.uniform(0.15, 0.5) * (wrinkles / 128 - 1)), box


def texture(rng):
    scene, box = sheet(rng)
    values = sum(share * clouds(scene.shape, rng, cell) for share, cell in ((0.5, 60), (0.3, 20), (0.3, 6), (0.2, 3)))
    return scene * (1 + rng.uniform(0.02, 0.1) * values[..., None]), box


def wood(rng):
    scene, box = sheet(rng)
    along, beside = axes(scene, rng)
    waves = np.sin(rng.uniform(20, 90) * (along + 0.05 * clouds(scene.shape, rng, 90)) + 2 * beside)
    return scene * rng.uniform(0.4, 0.9) * (1 + rng.uniform(0.03, 0.15) * waves[..., None]), box


def weave(rng):
    scene, box = sheet(rng)
    height, width = scene.shape[:2]
    down, across = np.mgrid[0:height, 0:width]
    pitch = rng.uniform(4, 16)
    cloth = np.sin(2 * math.pi * down / pitch) * np.sin(2 * math.pi * across / pitch)
    return scene * (1 + rng.uniform(0.03, 0.15) * cloth[..., None]), box


def stained(rng):
    """A coffee stain: a tinted spot, its rim a little darker, uneven all around."""
    scene, box = sheet(rng)
    height, width = scene.shape[:2]
    for _ in range(int(rng.integers(1, 3))):
        down, across = np.mgrid[0:height, 0:width]
        y, x = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
        radius = rng.uniform(0.08, 0.35) * min(height, width)
        far = np.hypot(down - y, across - x) / radius + 0.06 * clouds(scene.shape, rng, 0.8 * radius)
        spot = step(1 - far, 0.03) * rng.uniform(0.4, 1)
        rim = np.exp(-(((far - 1) / rng.uniform(0.03, 0.08)) ** 2)) * np.clip(
            1 + clouds(scene.shape, rng, radius), 0, 2
        )
        brown = np.array([0.25, 0.4, 0.6]) * rng.uniform(0.3, 1)
        scene = scene * (1 - brown * np.clip(0.5 * spot + 0.5 * rng.uniform(0, 1) * rim, 0, 1)[..., None])
    return scene, box


def scan_border(rng):
    scene, _ = sheet(rng)
    height, width = scene.shape[:2]
    inset, thick = int(rng.integers(0, 24)), int(rng.integers(2, 12))
    scene[inset : inset + thick] = scene[height - inset - thick : height - inset] = 30
    if rng.random() < 0.7:
        stop = slice(inset, height - inset)
        scene[stop, inset : inset + thick] = scene[stop, width - inset - thick : width - inset] = 30
    edge = inset + thick + 4
    return scene, (edge, edge, height - edge, width - edge)


def window(rng):
    scene, box = sheet(rng)
    height, width = scene.shape[:2]
    thick, inset = int(rng.integers(4, 20)), int(rng.integers(0, 50))
    dark = rng.uniform(20, 120)
    inside = (slice(inset, height - inset), slice(inset, width - inset))
    bars = np.zeros((height, width))
    bars[inside] = 1
    bars[inset + thick : height - inset - thick, inset + thick : width - inset - thick] = 0
    for part in range(1, int(rng.integers(1, 4))):
        column = inset + part * (width - 2 * inset) // 3
        bars[inside[0], column : column + thick] = 1
    row = height // 2
    bars[row : row + thick, inside[1]] = 1
    return scene * (1 - bars[..., None]) + dark * bars[..., None], box


def dots(rng):
    scene, box = sheet(rng)
    canvas = Image.fromarray(to_bytes(scene))
    brush = ImageDraw.Draw(canvas)
    for _ in range(int(rng.choice([1, 1, 2, 12]))):
        x, y = rng.uniform(0.1, 0.9, 2) * canvas.size
        radius = rng.uniform(0.5, 0.04 * min(canvas.size))
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(40, 40, 45))
    return np.asarray(canvas, np.float64), box


def thumb(rng):
    """Something large and smooth that comes in from a side: a finger, a lamp's glare."""
    scene, box = sheet(rng)
    height, width = scene.shape[:2]
    down, across = np.mgrid[0:height, 0:width]
    y, x = rng.uniform(0, height), rng.choice([0, width])
    far = np.hypot((down - y) / rng.uniform(0.5, 1.5), across - x) / (rng.uniform(0.15, 0.4) * min(height, width))
    spot = step(1 - far, rng.uniform(0.02, 0.2))[..., None]
    return scene * (1 - spot) + rng.uniform(60, 255, 3) * spot, box


def rules_and_shadow(rng):
    scene, box = ruled(rng, squared=bool(rng.integers(2)))
    along, _ = axes(scene, rng)
    return scene * (1 - rng.uniform(0.15, 0.5) * step(along - rng.uniform(-0.5, 0.5), 0.05)[..., None]), box


EMPTY = (plain, gradient, vignette, soft_shadow, hard_shadow, shadow_band, table, tilted_paper, ruled, squared, folded,
         creased, texture, wood, weave, stained, scan_border, window, dots, thumb, rules_and_shadow)  # fmt: skip
WRITTEN_ON = (plain, plain, plain, gradient, vignette, soft_shadow, hard_shadow, table, tilted_paper, ruled, squared,
              folded, scan_border, rules_and_shadow, texture)  # fmt: skip


def seen(scene, rng, noise=None):
    """A scene through a camera or a scanner: light, soft focus, noise."""
    blur = rng.uniform(0, 1.2)
    if blur > 0.4:
        scene = np.asarray(Image.fromarray(to_bytes(scene)).filter(ImageFilter.GaussianBlur(blur)), np.float64)
    scene = scene * (np.array([1, 0.97, 0.9]) if rng.random() < 0.5 else 1)
    return scene + rng.normal(0, rng.choice([0, 1, 3, 6]) if noise is None else noise, scene.shape)


def filed(scene, rng):
    """A scene as a file of one of many kinds."""
    pixels = to_bytes(scene)
    form = rng.choice(["jpeg", "jpeg", "poor jpeg", "png", "grey", "alpha"])
    if form == "png":
        return file_of(pixels)
    if form == "grey":
        return file_of(np.asarray(Image.fromarray(pixels).convert("L")))
    if form == "alpha":
        return file_of(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))
    return file_of(pixels, "JPEG", quality=int(rng.integers(8, 30) if form == "poor jpeg" else rng.integers(60, 96)))


def empty_page(number, seed):
    """A page without a digit: what it is, and the file."""
    rng = np.random.default_rng([seed, number, 1])
    ground = EMPTY[number % len(EMPTY)]
    scene, _ = ground(rng)
    scene = seen(scene, rng)
    return ground.__name__, filed(255 - scene if rng.random() < 0.25 else scene, rng)


# Hands: a digit as a mask of ink 0..1 of a height, without a margin.


def cut(mask, least=0.05):
    rows, columns = np.flatnonzero(mask.max(axis=1) > least), np.flatnonzero(mask.max(axis=0) > least)
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def with_a_pen(digit, height, rng):
    side = round(height / 0.62)
    return cut(pen(digit, side, max(1.5, height * rng.uniform(0.03, 0.16)), rng))


def in_print(digit, height, rng):
    font = ImageFont.load_default(size=100)
    canvas = Image.new("L", (160, 160), 0)
    ImageDraw.Draw(canvas).text((40, 10), str(digit), fill=255, font=font)
    glyph = cut(np.asarray(canvas, np.float64) / 255)
    return scaled(glyph, height)


def scaled(mask, height):
    size = (max(2, round(mask.shape[1] * height / mask.shape[0])), height)
    large = Image.fromarray(mask.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large, np.float64), 0, 1)


class Hands:
    """Digits by number: MNIST's, drawn ones and printed ones in turn."""

    def __init__(self, images=None, labels=None):
        self.images, self.labels = images, labels

    def write(self, number, height, rng):
        """A digit and its mask."""
        if self.images is not None and number % 4 < 2:
            chosen = int(rng.integers(len(self.images)))
            mask = scaled(cut(self.images[chosen] / 255), max(height, 14))
            # Enlarged strokes are blurred; a pen's are not.
            mask = np.clip((mask - 0.5) * min(height / 30, 4) + 0.5, 0, 1) if height > 30 else mask
            return int(self.labels[chosen]), mask
        digit = int(rng.integers(10))
        # A network of MNIST's handwriting takes the font's 1, a long flag and no foot, for a 7, wherever it stands.
        return digit, (in_print if number % 4 == 3 and digit != 1 else with_a_pen)(digit, height, rng)


def digit_page(number, seed, hands):
    """A page with one digit: the digit, what it is, and the file."""
    rng = np.random.default_rng([seed, number, 2])
    ground = WRITTEN_ON[number % len(WRITTEN_ON)]
    scene, (top, left, bottom, right) = ground(rng)
    top, left, bottom, right = top + 16, left + 16, bottom - 16, right - 16
    room = min(bottom - top, right - left)
    height = int(room * rng.uniform(0.25, 0.85))
    digit, mask = hands.write(number, height, rng)
    mask = mask[:, : right - left - 2]
    ink = placed(mask, *scene.shape[:2], int(rng.integers(top, bottom - mask.shape[0] + 1)),
                 int(rng.integers(left, right - mask.shape[1] + 1)))  # fmt: skip
    if ground is plain and rng.random() < 0.3:
        ink = framed(ink, rng)
    tool, strength, colour = TOOLS[rng.integers(len(TOOLS))]
    scene = scene * (1 - strength * ink[..., None] * (1 - np.array(colour)))
    scene = seen(scene, rng)
    return digit, f"{tool} on {ground.__name__}", filed(255 - scene if rng.random() < 0.25 else scene, rng)


TOOLS = [("pen", 0.95, (0.1, 0.1, 0.15)), ("ball pen", 0.85, (0.1, 0.15, 0.5)), ("pencil", 0.45, (0.1, 0.1, 0.1)),
         ("marker", 1.0, (0.7, 0.1, 0.1)), ("marker", 1.0, (0.1, 0.45, 0.2))]  # fmt: skip


def framed(ink, rng):
    """Ink with a frame drawn around the page."""
    inset, thick = int(rng.integers(2, 8)), int(rng.integers(2, 5))
    rim = np.zeros_like(ink)
    rim[inset:-inset, inset:-inset] = 1
    rim[inset + thick : -inset - thick, inset + thick : -inset - thick] = 0
    return np.maximum(ink, rim)


def cropped(number, seed, hands, margin):
    """A digit cut out with a margin of pixels: the digit, what it is, and the file."""
    rng = np.random.default_rng([seed, number, 3])
    height = int(rng.choice([20, 20, 28, 60, 200]))
    digit, mask = hands.write(number, height, rng)
    paper, colour = [(255, 0), (0, 255), (240, 50), (40, 210)][rng.integers(4)]
    values = paper + (colour - paper) * np.pad(mask, margin)
    return digit, f"{height} pixels, {colour} on {paper}", file_of(to_bytes(values))


def page_with_two(number, seed, hands):
    """A page with two digits beside or above each other: what it is, and the file."""
    rng = np.random.default_rng([seed, number, 4])
    height = int(rng.integers(50, 160))
    masks = [hands.write(int(rng.integers(4)), int(height * rng.uniform(0.8, 1)), rng)[1] for _ in range(2)]
    gap = int(height * rng.uniform(0.1, 1))
    beside = bool(number % 2)
    long, wide = masks[0].shape
    ink = np.zeros((long + masks[1].shape[0] + gap + 60, wide + masks[1].shape[1] + gap + 60))
    for mask, (row, column) in zip(masks, [(30, 30), (30, 30 + wide + gap) if beside else (30 + long + gap, 30)],
                                   strict=True):  # fmt: skip
        ink[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
    scene = seen(WHITE * (1 - 0.9 * ink[..., None]), rng)
    return "beside" if beside else "above", filed(scene, rng)


# Measuring.


def read_pages(files, classifier):
    """For each file the digit that is read, or the error in words."""
    from convcli.errors import DataError
    from convcli.images import read

    found, pictures = [], []
    for file in files:
        try:
            pictures.append(classifier.rule.apply(read(io.BytesIO(file))))
            found.append(None)
        except DataError as error:
            found.append(str(error))
    logits = classifier.logits(np.stack(pictures), 256) if pictures else ()
    digits = (int(row.argmax()) for rows in logits for row in rows)
    return [next(digits) if each is None else each for each in found]


class Tally:
    """How many were right, all in all and by kind, and the numbers of those that were not."""

    def __init__(self):
        self.right, self.all, self.wrong = defaultdict(int), defaultdict(int), []

    def add(self, number, kind, good, got):
        self.all[kind] += 1
        self.right[kind] += bool(good)
        if not good:
            self.wrong.append((number, kind, got))

    @property
    def share(self):
        return sum(self.right.values()) / max(sum(self.all.values()), 1)


def sheets(seed, hands):
    """The name of each sheet -> what makes a page of it from a number: what is right, what it shows, the file."""
    found = {
        "without a digit, refused": lambda number: ("no digit", *empty_page(number, seed)),
        "with a digit, read": lambda number: digit_page(number, seed, hands),
        "with two digits, named": lambda number: ("several digits", *page_with_two(number, seed, hands)),
    }
    for margin in (0, 1, 2):
        found[f"cropped with a margin of {margin}, read"] = partial(cropped, seed=seed, hands=hands, margin=margin)
    return found


def measure(pages, make, classifier):
    """The tally of one sheet."""
    made = [make(number) for number in range(pages)]
    tally = Tally()
    for number, ((right, kind, _), got) in enumerate(
        zip(made, read_pages([file for *_, file in made], classifier), strict=True)
    ):
        good = right in got if isinstance(right, str) and isinstance(got, str) else right == got
        tally.add(number, kind, good, (right, got))
    return tally


def real_hands(split):
    """MNIST's strokes if they are at hand."""
    from convcli.datasets import ENTRIES
    from convcli.datasets.places import read_set

    found = read_set(ENTRIES["mnist"])
    if found.folder is None:
        return Hands()
    chosen = found.value[1 if split == "test" else 0]
    return Hands(chosen.images[..., 0], chosen.labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--wrong", action="store_true", help="list what went wrong")
    options = parser.parse_args()
    from convcli.jobs.classifier import load_classifier

    classifier = load_classifier()
    for name, make in sheets(options.seed, real_hands(options.split)).items():
        tally = measure(options.pages, make, classifier)
        print(f"{name:35} {tally.share:7.1%}", flush=True)
        for number, kind, got in tally.wrong if options.wrong else []:
            print(f"    {number:5} {kind:30} {got}")


if __name__ == "__main__":
    main()
