"""Naive references: nested loops over plain numbers that share no code with convcli. Slow, and easy to believe."""

import numpy as np


def source_position(position, n, border):
    """Where a position outside 0..n-1 takes its value from, found by walking; None for the constant."""
    if border == "constant":
        return position if 0 <= position < n else None
    if border == "edge":
        return min(max(position, 0), n - 1)
    if border == "wrap":
        while position < 0:
            position += n
        while position >= n:
            position -= n
        return position
    if n == 1:
        return 0
    # A mirror lies on the last pixel (reflect) or on the edge behind it (symmetric).
    step = 0 if border == "reflect" else 1
    while not 0 <= position < n:
        position = -position - step if position < 0 else 2 * (n - 1) - position + step
    return position


def correlate(image, kernel, *, stride=(1, 1), padding=((0, 0), (0, 0)), border="constant", value=0.0, dilation=(1, 1)):
    """Cross-correlation of one plane (H, W) with a kernel (KH, KW), in Python floats."""
    height, width = len(image), len(image[0])
    kernel_height, kernel_width = len(kernel), len(kernel[0])
    out_height = (height + sum(padding[0]) - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
    out_width = (width + sum(padding[1]) - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
    out = np.zeros((out_height, out_width))
    for y in range(out_height):
        for x in range(out_width):
            total = 0.0
            for i in range(kernel_height):
                for j in range(kernel_width):
                    row = source_position(y * stride[0] + i * dilation[0] - padding[0][0], height, border)
                    column = source_position(x * stride[1] + j * dilation[1] - padding[1][0], width, border)
                    pixel = value if row is None or column is None else float(image[row][column])
                    if kernel[i][j] != 0:
                        total += float(kernel[i][j]) * pixel
            out[y, x] = total
    return out


def same_padding(n, kernel_size, stride, dilation):
    """(before, after) so that ceil(n / stride) windows fit, the odd cell at the end."""
    windows = (n + stride - 1) // stride
    missing = (windows - 1) * stride + dilation * (kernel_size - 1) + 1 - n
    missing = max(missing, 0)
    return missing // 2, missing - missing // 2
