"""Scenes put together at random, for the judge of `convcli.datasets.judge` to learn from: see `digit_judge`.

They share nothing with the pages of `digit_pages` but the pen: those are what the finder is measured on.
"""

import io
import math
from pathlib import Path

import numpy as np
from drawn_digits import pen, to_bytes
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DARK_INKS = ((0.08, 0.08, 0.1), (0.1, 0.15, 0.5), (0.7, 0.1, 0.1), (0.1, 0.4, 0.2), (0.3, 0.15, 0.1), (0.4, 0.1, 0.5))


def drawn(shape, draw, *, fine=2, soft=0.0):
    """A mask (H, W) of 0..1 by a function that is given a brush and a scale."""
    canvas = Image.new("L", (shape[1] * fine, shape[0] * fine), 0)
    draw(ImageDraw.Draw(canvas), fine)
    canvas = canvas.reduce(fine) if fine > 1 else canvas
    if soft:
        canvas = canvas.filter(ImageFilter.GaussianBlur(float(soft)))
    return np.asarray(canvas, np.float64) / 255


def spots(shape, rng, cell):
    """Smooth random values of deviation 1."""
    small = rng.normal(0, 1, [max(2, math.ceil(side / cell) + 1) for side in shape[:2]]).astype(np.float32)
    large = np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float64)
    return large / max(large.std(), 1e-6)


def plane(shape, rng):
    """Distances from a random line, in shares of the shorter side, and those along it."""
    down, across = np.mgrid[0 : shape[0], 0 : shape[1]] / min(shape[:2])
    angle = rng.uniform(0, 2 * math.pi)
    y, x = rng.uniform(0.1, 0.9, 2) * shape[:2] / min(shape[:2])
    away = (down - y) * math.cos(angle) + (across - x) * math.sin(angle)
    return away, (across - x) * math.cos(angle) - (down - y) * math.sin(angle)


def smooth(values, softness):
    return 0.5 + 0.5 * np.tanh(values / softness)


# Light: what a scene (H, W) is multiplied with.


def slope(shape, rng):
    away, _ = plane(shape, rng)
    return 1 - rng.uniform(0.1, 0.6) * (away - away.min()) / np.ptp(away)


def corners(shape, rng):
    down, across = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    y, x = rng.uniform(-0.5, 0.5, 2)
    power = rng.uniform(1, 4)
    return 1 - rng.uniform(0.1, 0.8) * np.minimum(np.hypot(down - y, across - x) / 1.5, 1) ** power


def lamp(shape, rng):
    away, along = plane(shape, rng)
    return 1 - rng.uniform(0.2, 0.8) * smooth(np.hypot(away, along) - rng.uniform(0.2, 0.7), rng.uniform(0.03, 0.4))


def shadow(shape, rng):
    away, along = plane(shape, rng)
    dark = smooth(away + rng.uniform(0, 0.05) * np.sin(along * rng.uniform(1, 12)), rng.choice([0.005, 0.02, 0.08]))
    if rng.random() < 0.3:
        away, _ = plane(shape, rng)
        dark = dark * smooth(away, rng.choice([0.005, 0.02, 0.08]))
    return 1 - rng.uniform(0.1, 0.6) * dark


def band(shape, rng):
    away, _ = plane(shape, rng)
    reach = rng.uniform(0.02, 0.3)
    dark = smooth(reach - np.abs(away), rng.choice([0.005, 0.02, 0.06]))
    return 1 - rng.uniform(0.1, 0.5) * dark if rng.random() < 0.8 else 1 - rng.uniform(0.1, 0.5) * (1 - dark)


def blinds(shape, rng):
    away, _ = plane(shape, rng)
    return 1 - rng.uniform(0.1, 0.5) * smooth(np.sin(away * rng.uniform(6, 50)) - rng.uniform(-0.7, 0.7), 0.3)


def wrinkles(shape, rng):
    """Crumpled paper: lines that are darker and lines that are lighter, as each side of a crease turns to the light."""
    reach = rng.uniform(0.03, 0.15), rng.uniform(0.2, 0.9)
    dark, light = (straight_lines(shape, rng, int(rng.integers(2, 25)), (0.5, 3), reach) for _ in range(2))
    return 1 - rng.uniform(0.05, 0.45) * dark + rng.uniform(0.05, 0.3) * light


def unfolded(shape, rng):
    """Lines all across that are dark at one side and light at the other."""
    dark = straight_lines(shape, rng, int(rng.integers(1, 4)), (0.5, 4), (1.2, 2.5))
    light = np.roll(dark, rng.integers(-5, 6, 2), (0, 1))
    return 1 - rng.uniform(0.05, 0.4) * dark + rng.uniform(0, 0.25) * light


LIGHTS = (slope, corners, corners, lamp, shadow, shadow, band, band, blinds, wrinkles, wrinkles, unfolded)
SMOOTH = (slope, corners, lamp)


# Things: masks of what lies on paper or was printed on it, and how strongly.


def straight_lines(shape, rng, count, width, reach):
    def draw(brush, fine):
        for _ in range(count):
            y, x = rng.uniform(0, 1, 2) * shape * fine
            turn, long = rng.uniform(0, math.pi), rng.uniform(*reach) * max(shape) * fine
            thick = max(1, round(fine * rng.uniform(*width)))
            steps = np.linspace(-0.5, 0.5, 7)
            bend = rng.uniform(-0.04, 0.04) * long * (1 - 4 * steps**2)
            points = [
                (x + s * long * math.cos(turn) - b * math.sin(turn), y + s * long * math.sin(turn) + b * math.cos(turn))
                for s, b in zip(steps, bend, strict=True)
            ]
            brush.line(points, fill=int(rng.uniform(60, 256)), width=thick, joint="curve")

    return drawn(shape, draw, soft=rng.choice([0, 0.7, 1.5, 3]))


def creases(shape, rng):
    return straight_lines(shape, rng, int(rng.integers(1, 40)), (0.5, 3), (0.05, 0.8)), rng.uniform(0.1, 0.5)


def folds(shape, rng):
    return straight_lines(shape, rng, int(rng.integers(1, 4)), (0.5, 4), (1, 2.5)), rng.uniform(0.1, 0.6)


def rules(shape, rng):
    pitch, thick = rng.uniform(0.03, 0.3) * min(shape), rng.choice([0.6, 1, 1.5, 2, 3])
    pitch = max(pitch, 3 * thick, 8)
    down, across = (
        np.mgrid[0 : shape[0], 0 : shape[1]] if rng.random() < 0.5 else np.mgrid[0 : shape[0], 0 : shape[1]][::-1]
    )
    turn = math.radians(rng.uniform(-6, 6) if rng.random() < 0.4 else 0)
    places = [down * math.cos(turn) + across * math.sin(turn), across * math.cos(turn) - down * math.sin(turn)]
    kind = rng.random()
    found = [np.clip(thick / 2 + 0.5 - np.abs((each + rng.uniform(0, pitch)) % pitch - pitch / 2), 0, 1)
             for each in places]  # fmt: skip
    strength = rng.uniform(0.1, 0.75)
    if kind < 0.4:
        return found[0], strength
    if kind < 0.75:
        return np.maximum(*found), strength
    return np.minimum(*found) if thick > 1 else found[0], strength  # dots


def stain(shape, rng):
    away, along = plane(shape, rng)
    radius = rng.uniform(0.05, 0.4)
    far = np.hypot(away, along * rng.uniform(0.5, 1)) / radius + 0.08 * spots(shape, rng, 0.6 * radius * min(shape))
    spot = smooth(1 - far, rng.uniform(0.02, 0.3))
    ring = np.exp(-(((far - 1) / rng.uniform(0.03, 0.12)) ** 2)) * np.clip(1 + spots(shape, rng, 40), 0, 2)
    share = rng.uniform(0, 1)
    return np.clip(share * spot + (1 - share) * ring, 0, 1), rng.uniform(0.1, 0.7)


def specks(shape, rng):
    count = int(rng.choice([1, 2, 3, 5, 15, 40]))
    largest = rng.uniform(0.004, 0.05 if count > 3 else 0.08) * min(shape)

    def draw(brush, fine):
        y, x = rng.uniform(0, 1, 2) * shape * fine
        for _ in range(count):
            if rng.random() < 0.7:
                y, x = rng.uniform(0, 1, 2) * shape * fine
            else:
                y, x = y + rng.normal() * 2 * largest * fine, x + rng.normal() * 2 * largest * fine
            radius = fine * rng.uniform(0.3, 1) * largest
            brush.ellipse((x - radius, y - radius * rng.uniform(0.7, 1), x + radius, y + radius), fill=255)

    return drawn(shape, draw), rng.uniform(0.3, 1)


def bars(shape, rng):
    """Frames, window crosses, the black borders of scans."""
    thick, inset = (
        int(rng.uniform(0.008, 0.08) * min(shape)) + 1,
        int(rng.choice([0, 0, rng.uniform(0, 0.2)]) * min(shape)),
    )
    mask = np.zeros(shape)
    inside = (slice(inset, shape[0] - inset), slice(inset, shape[1] - inset))
    if rng.random() < 0.7:
        mask[inside] = 1
        mask[inset + thick : shape[0] - inset - thick, inset + thick : shape[1] - inset - thick] = 0
    for axis in (0, 1):
        for _ in range(int(rng.integers(0, 3))):
            at = int(rng.uniform(0.15, 0.85) * shape[axis])
            bar = [inside[0], inside[1]]
            bar[axis] = slice(at, at + thick)
            mask[tuple(bar)] = 1
    if rng.random() < 0.4:
        mask = turned(mask, rng.uniform(-10, 10))
    return mask, rng.uniform(0.3, 1)


def blob(shape, rng):
    away, along = plane(shape, rng)
    far = np.hypot(away * rng.uniform(0.4, 2.5), along) / rng.uniform(0.1, 0.5) + 0.1 * spots(shape, rng, 60)
    return smooth(1 - far, rng.uniform(0.01, 0.3)), rng.uniform(0.15, 0.9)


def beside_paper(shape, rng):
    """A table around a sheet whose corners lie anywhere, in or out of the picture, or all of them in it."""
    whole = rng.random() < 0.5
    middle = np.array(shape) / 2
    grow = rng.uniform(*((0.6, 0.95) if whole else (0.75, 1.5)), 2) * shape / 2
    bent = rng.choice([0, 0.02, 0.05]) if whole else 0.15
    points = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * grow * rng.uniform(1 - bent, 1 + bent, (4, 2))
    angle = math.radians(rng.uniform(-20, 20) if rng.random() < 0.7 else 0)
    points = points @ np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points += middle + rng.uniform(-1, 1, 2) * (0.05 if whole else 0.25) * shape

    def draw(brush, fine):
        brush.polygon([(x * fine, y * fine) for y, x in points], fill=255)

    return 1 - drawn(shape, draw), rng.uniform(0.3, 1)


def strips(shape, rng):
    """A table along one to three borders of the picture, with its grain."""
    mask = np.zeros(shape)
    for side in rng.permutation(4)[: rng.integers(1, 4)]:
        deep = int(rng.uniform(0.02, 0.3) * shape[side % 2])
        turned_to_top = np.rot90(mask, side)  # a view, which writes into the mask
        turned_to_top[:deep] = 1
    return mask * np.clip(1 - rng.uniform(0, 0.3) * np.abs(texture(shape, rng)), 0, 1), rng.uniform(0.3, 1)


def stains(shape, rng):
    found, strength = stain(shape, rng)
    for _ in range(int(rng.integers(0, 3))):
        found = 1 - (1 - found) * (1 - rng.uniform(0.5, 1) * stain(shape, rng)[0])
    return found, strength


THINGS = (creases, folds, rules, rules, rules, rules, stains, stains, specks, specks, bars, blob, beside_paper,
          beside_paper, beside_paper, strips)  # fmt: skip


def texture(shape, rng):
    """Grain of paper, wood, cloth: values about 0."""
    kind = rng.integers(4)
    away, along = plane(shape, rng)
    if kind == 0:
        return sum(rng.uniform(0, 1) * spots(shape, rng, cell) for cell in (80, 25, 8, 3))
    if kind == 1:
        return np.sin(rng.uniform(10, 120) * (away + rng.uniform(0, 0.1) * spots(shape, rng, 90)))
    if kind == 2:
        return np.sin(away * rng.uniform(20, 200)) * np.sin(along * rng.uniform(20, 200))
    return np.sign(np.sin(away * rng.uniform(5, 60))) * np.sign(np.sin(along * rng.uniform(5, 60)))


def photograph(shape, rng):
    """What photographs consist of: things of all sizes that hide each other, each with its light and its grain."""
    scene = np.full((*shape, 3), rng.uniform(20, 235))
    for size in sorted(rng.uniform(0.05, 1, int(rng.integers(3, 40))) ** 2, reverse=True):
        y, x = rng.uniform(-0.1, 1.1, 2) * shape
        angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 9))))
        around = size * max(shape) * rng.uniform(0.4, 1, len(angles)) / 1.4
        corners_of = [
            (x + r * math.cos(a), y + rng.uniform(0.3, 1) * r * math.sin(a))
            for r, a in zip(around, angles, strict=True)
        ]

        radius = size * max(shape) / 2 if rng.random() < 0.3 else 0

        def draw(brush, fine, corners_of=corners_of, x=x, y=y, radius=radius):
            if radius:
                brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
            else:
                brush.polygon(corners_of, fill=255)

        on = drawn(shape, draw, fine=1, soft=rng.choice([0, 1, 4]))[..., None]
        colour = np.clip(rng.uniform(10, 245) + rng.normal(0, 25, 3), 0, 255)
        light = SMOOTH[rng.integers(len(SMOOTH))](shape, rng)
        grain = 1 + rng.uniform(0, 0.15) * texture(shape, rng)
        scene = scene * (1 - on) + colour * (light * grain)[..., None] * on
    return scene


# Hands.


def turned(mask, degrees):
    size = Image.fromarray(to_bytes(255 * mask))
    return np.asarray(size.rotate(degrees, Image.Resampling.BICUBIC), np.float64) / 255


def trimmed(mask, least=0.1):
    rows, columns = np.flatnonzero(mask.max(axis=1) > least), np.flatnonzero(mask.max(axis=0) > least)
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def of_height(mask, height, form):
    size = (max(2, round(mask.shape[1] * height / mask.shape[0])), height)
    return np.clip(np.asarray(Image.fromarray(mask.astype(np.float32)).resize(size, form), np.float64), 0, 1)


def fatter(mask, rng):
    """A mask with strokes broader by up to a seventh of its height."""
    steps = int(rng.uniform(0, 0.07) * max(mask.shape)) + 1
    brush = ImageFilter.MaxFilter(2 * steps + 1) if rng.random() < 0.5 else ImageFilter.BoxBlur(steps)
    wide = np.asarray(Image.fromarray(to_bytes(255 * np.pad(mask, steps))).filter(brush), np.float64) / 255
    return np.clip(wide * (1 if isinstance(brush, ImageFilter.MaxFilter) else 3), 0, 1)


class Writers:
    """Digits of many hands: data sets', a pen's, fonts'."""

    def __init__(self, images, small):
        import matplotlib

        self.images, self.small = images, small
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        wanted = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf",
                  "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "STIXGeneral.ttf", "STIXGeneralItalic.ttf", "cmr10.ttf",
                  "cmtt10.ttf", "cmss10.ttf")  # fmt: skip
        self.fonts = [ImageFont.truetype(str(folder / name), 100) for name in wanted]
        self.fonts += 4 * [ImageFont.load_default(100)]

    def write(self, height, rng):
        """A mask of one digit of about that height."""
        kind = rng.random()
        if kind < 0.4:
            mask = self._enlarged(trimmed(self.images[rng.integers(len(self.images))] / 255), height, rng)
        elif kind < 0.5:
            mask = self._enlarged(trimmed(self.small[rng.integers(len(self.small))] / 255), height, rng)
        elif kind < 0.75:
            mask = trimmed(
                pen(int(rng.integers(10)), max(8, round(height / 0.62)), max(1, height * rng.uniform(0.02, 0.2)), rng)
            )
        else:
            mask = self._printed(height, rng)
        if rng.random() < 0.25:
            mask = fatter(mask, rng)
        if rng.random() < 0.3 and min(mask.shape) > 6:
            around = max(mask.shape) // 4
            mask = trimmed(turned(np.pad(mask, around), rng.uniform(-12, 12)))
        return mask

    def _printed(self, height, rng):
        canvas = Image.new("L", (200, 200), 0)
        font = self.fonts[rng.integers(len(self.fonts))]
        ImageDraw.Draw(canvas).text((60, 30), str(rng.integers(10)), fill=255, font=font)
        return of_height(trimmed(np.asarray(canvas, np.float64) / 255), height, Image.Resampling.BOX
                         if height < 60 else Image.Resampling.BICUBIC)  # fmt: skip

    def _enlarged(self, mask, height, rng):
        form = rng.choice([0, 1, 2, 2])
        if form == 0:
            return of_height(mask, height, Image.Resampling.NEAREST)
        mask = of_height(mask, height, Image.Resampling.BICUBIC)
        return np.clip((mask - 0.5) * min(height / 30, 4) + 0.5, 0, 1) if form == 2 and height > 30 else mask


# Scenes.


def ground(shape, rng):
    """(H, W, 3) of 0..255 without a digit, and whether it is light."""
    dark = rng.random() < 0.25
    base = rng.uniform(10, 90) if dark else rng.uniform(140, 255)
    scene = np.broadcast_to(np.clip(base + rng.normal(0, rng.choice([2, 25]), 3), 5, 255), (*shape, 3))
    for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
        thing, strength = THINGS[rng.integers(len(THINGS))](shape, rng)
        colour = rng.uniform(0, 90, 3) if not dark and rng.random() < 0.85 else rng.uniform(0, 255, 3)
        on = (strength * thing)[..., None]
        scene = scene * (1 - on) + colour * on
    if rng.random() < 0.25:
        scene = scene * (1 + rng.uniform(0.01, 0.12) * texture(shape, rng))[..., None]
    for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
        scene = scene * LIGHTS[rng.integers(len(LIGHTS))](shape, rng)[..., None]
    return scene, not dark


def inked(scene, mask, rng, light):
    """A scene with ink on it: a pen's, a pencil's with grain, chalk's."""
    strength = rng.choice([rng.uniform(0.25, 0.6), rng.uniform(0.6, 1)])
    on = strength * mask
    if strength < 0.6 and rng.random() < 0.5:
        on = on * np.clip(1 + 0.25 * rng.normal(size=mask.shape), 0, 1)
    if light:
        return scene * (1 - on[..., None] * (1 - np.array(DARK_INKS[rng.integers(len(DARK_INKS))])))
    return scene * (1 - on[..., None]) + rng.uniform(190, 255) * on[..., None]


def through_a_camera(scene, rng):
    if rng.random() < 0.5:
        scene = np.asarray(
            Image.fromarray(to_bytes(scene)).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5))), np.float64
        )
    scene = scene + rng.normal(0, rng.choice([0, 0, 1, 3, 6]), scene.shape)
    pixels = to_bytes(255 - scene if rng.random() < 0.15 else scene)
    if rng.random() < 0.4:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=int(rng.integers(10, 95)))
        pixels = np.asarray(Image.open(stream))
    return pixels


def scene_of(number, seed, writers):
    """Pixels (H, W, 3), and the masks (H, W) of the digits on them: none, one or two."""
    rng = np.random.default_rng([seed, number, 5])
    kind = number % 10
    if kind < 4:
        shape = tuple(int(side) for side in rng.integers(100, 560, 2))
        scene = photograph(shape, rng) if rng.random() < 0.15 else ground(shape, rng)[0]
        return through_a_camera(scene, rng), []
    if kind < 9:
        shape = tuple(int(side) for side in rng.integers(100, 560, 2))
        scene, light = ground(shape, rng)
        mask = writers.write(max(14, int(min(shape) * rng.uniform(0.12, 0.9))), rng)
        mask = mask[: shape[0] - 4, : shape[1] - 4]
        top, left = (int(rng.integers(2, shape[axis] - mask.shape[axis] - 1)) for axis in (0, 1))
        ink = np.pad(mask, ((top, shape[0] - top - mask.shape[0]), (left, shape[1] - left - mask.shape[1])))
        return through_a_camera(inked(scene, ink, rng, light), rng), [ink]
    height = int(rng.integers(40, 200))
    first, second = (writers.write(int(height * rng.uniform(0.7, 1)), rng) for _ in range(2))
    gap, margin = int(height * rng.uniform(0.06, 1)), int(height * rng.uniform(0.05, 1))
    across = bool(rng.integers(2))
    sides = [max(first.shape[axis], second.shape[axis]) for axis in (0, 1)]
    sides[across] = first.shape[across] + gap + second.shape[across]
    masks = []
    for mask, start in ((first, 0), (second, first.shape[across] + gap)):
        ink = np.zeros(sides)
        corner = [0, 0]
        corner[across] = start
        ink[corner[0] : corner[0] + mask.shape[0], corner[1] : corner[1] + mask.shape[1]] = mask
        masks.append(np.pad(ink, margin))
    scene, light = ground(masks[0].shape, rng) if rng.random() < 0.4 else (np.full((*masks[0].shape, 3), 240.0), True)
    return through_a_camera(inked(scene, np.maximum(*masks), rng, light), rng), masks


def crop_of(number, seed, writers):
    """Pixels (H, W, 3) and masks (H, W) of one digit cut out with little or no margin."""
    rng = np.random.default_rng([seed, number, 7])
    height = int(rng.choice([8, 16, 20, 20, 28, 28, 36, 45, 60, 72, 90, 120, 250]))
    mask = writers.write(height, rng)
    if rng.random() < 0.15 and min(mask.shape) > 12:
        mask = trimmed(mask, 0.6)  # a little of the soft edge is gone
    mask = np.pad(mask, [tuple(side) for side in rng.integers(0, rng.choice([1, 1, 2, 4, 2 + height // 8]), (2, 2))])
    if rng.random() < 0.3 and height > 40:
        scene, light = ground(mask.shape, rng)
        return through_a_camera(inked(scene, mask, rng, light), rng), [mask]
    paper, colour = rng.choice([(255, 0), (0, 255), (rng.uniform(120, 255), rng.uniform(0, 80)),
                                (rng.uniform(0, 80), rng.uniform(150, 255))])  # fmt: skip
    pixels = paper + (colour - paper) * mask[..., None] + rng.normal(0, rng.choice([0, 0, 3]), (*mask.shape, 1))
    return to_bytes(np.repeat(pixels, 3, axis=2)), [mask]
