"""Loops that only place values: padding, and zeros between elements. They see machine words, not numbers.

The caller views its array as unsigned integers of the same size, so that four compiled variants serve every dtype and
every bit pattern (NaN payloads too) survives.
"""

from convcli.loops.compiling.compiler import loop, prange


@loop(parallel=False)
def _fill(target, value):
    """Fill ``target`` (n * V) with the words of ``value`` (V) over and over; arguments are already checked."""
    words = value.shape[0]
    if words == 1:
        target[:] = value[0]
    else:
        for i in range(target.shape[0]):
            target[i] = value[i % words]


@loop(parallel=False)
def _copy_pixels(row, columns, first, end, pixel, value, target):
    """Padded columns ``first`` to ``end`` of a row (W * pixel words) through the column table; checked arguments."""
    for padded in range(first, end):
        column = columns[padded]
        place = target[padded * pixel : (padded + 1) * pixel]
        if column < 0:
            _fill(place, value)
        else:
            start = column * pixel
            for i in range(pixel):
                place[i] = row[start + i]


@loop
def pad_rows(source, tables, left, pixel, value, out):
    """Pad ``source`` (N, D, H, W * pixel) into ``out`` (N, OD, OH, OW * pixel) through tables of source positions.

    -1 in a table stands for ``value`` (V words); arguments are already checked. Each index of the parallel loop owns
    one row of ``out``.
    """
    planes, rows, columns = tables
    depth, height = planes.shape[0], rows.shape[0]
    width = source.shape[3] // pixel
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        target = out[image, z, y]
        if planes[z] < 0 or rows[y] < 0:
            _fill(target, value)
        else:
            row = source[image, planes[z], rows[y]]
            _copy_pixels(row, columns, 0, left, pixel, value, target)
            middle = target[left * pixel : (left + width) * pixel]
            for i in range(width * pixel):
                middle[i] = row[i]
            _copy_pixels(row, columns, left + width, columns.shape[0], pixel, value, target)


@loop
def spread_rows(source, rates, pixel, out):
    """Place pixel (z, y, x) of ``source`` (N, D, H, W * pixel) at ``rates`` times that in ``out``, which holds zeros.

    Arguments are already checked. Each index of the parallel loop owns one row of ``source`` and the row it lands in.
    """
    rate_z, rate_y, rate_x = rates
    depth, height = source.shape[1], source.shape[2]
    width = source.shape[3] // pixel
    for task in prange(source.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        row = source[image, z, y]
        target = out[image, z * rate_z, y * rate_y]
        for x in range(width):
            for i in range(pixel):
                target[x * rate_x * pixel + i] = row[x * pixel + i]
