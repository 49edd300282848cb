"""Blocks of an output and the padded pixels under their windows: what loops share that look at pixels as they are.

A thread owns a block and brings what it needs into rows of its own, so that borders are nobody else's matter.
"""

from typing import Any, NamedTuple

from convcli.loops.compiling.compiler import loop
from convcli.loops.filtering.likeness import LANES, deal_three


class Frame(NamedTuple):
    """What lies under the windows, and how the work is cut; all integers."""

    channels: int
    stride_z: int  # padded planes from one output plane's first to the next one's
    planes: int  # under a window, all steps of a filter together
    rows: int
    columns: int
    left: int  # columns padded before the first
    tile: int  # output columns in a block
    band: int  # output rows in a block

    def blocks(self, shape: tuple[int, ...]) -> int:
        """How many blocks an output (N, OD, OH, OW*C) has."""
        return shape[0] * shape[1] * -(-shape[2] // self.band) * -(-(shape[3] // self.channels) // self.tile)


class Block(NamedTuple):
    """What one index of a parallel loop owns: rows ``y`` to ``y_end``, columns ``x`` to ``x_end`` of a plane."""

    image: int
    z: int
    y: int
    y_end: int
    x: int
    x_end: int


class Decay(NamedTuple):
    """The numbers of `decayed`, in the type that is reckoned in."""

    slope: Any  # what a distance is multiplied by
    farthest: Any
    terms: tuple[Any, ...]


@loop(parallel=False)
def blocks_of(shape, frame):
    """How many blocks an output (N, OD, OH, OW*C) has; arguments are already checked."""
    bands = (shape[2] + frame.band - 1) // frame.band
    return shape[0] * shape[1] * bands * ((shape[3] // frame.channels + frame.tile - 1) // frame.tile)


@loop(parallel=False)
def block_of(task, shape, frame):
    """The block with this number; arguments are already checked."""
    width = shape[3] // frame.channels
    bands = (shape[2] + frame.band - 1) // frame.band
    tiles = (width + frame.tile - 1) // frame.tile
    x, y = task % tiles * frame.tile, task // tiles % bands * frame.band
    z, image = task // (tiles * bands) % shape[1], task // (tiles * bands * shape[1])
    return Block(image, z, y, min(y + frame.band, shape[2]), x, min(x + frame.tile, width))


@loop(parallel=False)
def decayed(distance, decay):
    """``exp(-SHARE * slope * distance)`` by multiplications alone, as `TERMS` says; arguments are already checked."""
    a, b, c, d, e = decay.terms
    x = min(decay.farthest, distance * decay.slope)
    power = a + x * (b + x * (c + x * (d + x * e)))
    power *= power
    power *= power
    power *= power
    return power * power


@loop(parallel=False)
def load_line(source, row, columns, left, x, channels, fill, target):
    """Padded columns ``x`` on of a row of a plane (H, W*C) into ``target`` (n); arguments are already checked.

    ``columns`` maps a padded column, of which ``left`` lie before the first, to its source column, -1 to ``fill``; so
    does a ``row`` of -1.
    """
    if row < 0:
        for i in range(target.shape[0]):
            target[i] = fill
        return
    numbers = source[row]
    count, width = target.shape[0] // channels, numbers.shape[0] // channels
    body = min(max(left - x, 0), count)
    body_end = max(min(left + width - x, count), body)
    pixels = numbers[(x + body - left) * channels : (x + body_end - left) * channels]
    inside = target[body * channels : body_end * channels]
    for i in range(inside.shape[0]):
        inside[i] = pixels[i]
    for beyond in range(count - (body_end - body)):
        padded = beyond if beyond < body else beyond - body + body_end
        column = columns[x + padded]
        for channel in range(channels):
            target[padded * channels + channel] = fill if column < 0 else numbers[column * channels + channel]


@loop(parallel=False)
def load_planar(source, row, columns, left, x, channels, fill, line, target):
    """`load_line` into (C, >= n), through ``line`` (n * C); arguments are already checked."""
    if channels == 1:
        load_line(source, row, columns, left, x, channels, fill, target[0, : line.shape[0]])
        return
    load_line(source, row, columns, left, x, channels, fill, line)
    if channels == 3:
        red, green, blue = target[0], target[1], target[2]
        whole = line.shape[0] // 3 // LANES * LANES
        deal_three(line, whole, target)
        for i in range(whole, line.shape[0] // 3):
            red[i] = line[3 * i]
            green[i] = line[3 * i + 1]
            blue[i] = line[3 * i + 2]
        return
    for channel in range(channels):
        numbers = target[channel]
        for i in range(line.shape[0] // channels):
            numbers[i] = line[i * channels + channel]


@loop(parallel=False)
def divide(sums, total, at, out):
    """Sums (C, >= at + n) over their weights as pixels (n*C), 0 without weight; arguments are already checked.

    Of several channels the quotients stand in ``sums`` then: vectors are divided first and put apart later.
    """
    channels, weights = sums.shape[0], total[at:]
    count, nothing = out.shape[0] // channels, sums.dtype.type(0)
    for channel in range(channels):
        numbers = sums[channel, at:]
        target = out if channels == 1 else numbers
        for i in range(count):
            target[i] = numbers[i] / weights[i] if weights[i] != 0 else nothing
    if channels == 3:
        red, green, blue = sums[0, at:], sums[1, at:], sums[2, at:]
        for i in range(count):
            out[3 * i] = red[i]
            out[3 * i + 1] = green[i]
            out[3 * i + 2] = blue[i]
    elif channels > 1:
        for channel in range(channels):
            numbers = sums[channel, at:]
            for i in range(count):
                out[i * channels + channel] = numbers[i]
