"""Canny's edge detector as an entry of the library: it filters like a kernel, but it has no matrix.

Its planes are Sobel's two kernels; what comes before and after them is `convcli.ops.canny`'s and, in a chain of
kernels, `convcli.jobs.canny`'s.
"""

from convcli.errors import KernelError
from convcli.kernels.edges import CENTRAL, slope_x, slope_y
from convcli.kernels.entry import Entry, Weights, matrix
from convcli.kernels.parameters import Parameter, Value, format_value

GROUP = "Outlines (no matrix: several steps)"

# No 8-bit picture has a slope beyond: 4 * 255 each way.
_STEEPEST = 1500


def _check(values: dict[str, Value]) -> dict[str, Value]:
    """Refuse thresholds in the wrong order."""
    low, high = values["low"], values["high"]
    assert isinstance(low, float) and isinstance(high, float)
    if low > high:
        raise KernelError(f"kernel canny: low={format_value(low)}, expected at most high, {format_value(high)}")
    return values


def _slopes(sigma: float, low: float, high: float) -> tuple[Weights, Weights]:
    smooth = matrix("1 2 1")[0]
    return slope_x(smooth, CENTRAL), slope_y(smooth, CENTRAL)


ENTRIES = (
    Entry(
        name="canny",
        group=GROUP,
        summary="Outlines one pixel wide, white on black: Canny's edge detector",
        formula="slope = sqrt(sobel-x^2 + sobel-y^2) of the smoothed picture; edges are its ridges",
        sign="an edge is white, all else black",
        scale="low and high are slopes as sobel gives them for pixels 0 to 255 (so are OpenCV's and scikit-image's); "
        "for 16-bit and float pixels (0 to 1) they are brought to that range",
        source="J. Canny, A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986, 679-698",
        build=_slopes,
        parameters=(
            Parameter("sigma", 1.4, 0, 1000, "standard deviation of the smoothing in pixels; 0 for none"),
            Parameter("low", 30, 0, _STEEPEST, "the slope down to which an edge is followed"),
            Parameter("high", 80, 0, _STEEPEST, "the slope from which an edge is certain"),
        ),
        complete=_check,
        combine="edges",
        parts=("sobel-x", "sobel-y"),
        steps=(
            "smooths with a Gaussian of sigma",
            "takes the slope with sobel-x and sobel-y; of several channels the steepest counts",
            "thins it: a pixel stays where the slope is largest across the edge",
            "keeps pixels from high on, and those from low on that touch them through others",
        ),
    ),
)
