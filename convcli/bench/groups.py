"""The families of cases by name, without importing any: what `convcli bench --help` needs to know.

A group's module has ``head(setting)``, one sentence on what is measured and how, and ``cases(setting)``.
"""

from typing import NamedTuple


class Group(NamedTuple):
    """A family of cases: the module in convcli.bench, what it measures, and whether it runs without being named."""

    module: str
    line: str
    usual: bool = True


GROUPS = {
    "filter": Group("filters", "general kernels 3x3 to 31x31, sharpen, unsharp, on 8-bit pictures"),
    "gaussian": Group("filters", "Gaussians of sigma 1 to 10 on the same picture"),
    "box": Group("filters", "equal weights 3x3 to 101x101 on the same picture"),
    "nonlinear": Group("nonlinear", "medians, bilateral and non-local means of 8-bit pictures"),
    "volume": Group("volumes", "general and Gaussian kernels 3^3 to 7^3 on a float volume"),
    "pool": Group("windows", "largest and mean of 2x2 of a float plane, means of 8-bit pictures"),
    "morph": Group("windows", "dilation 3x3 and 15x15, and opening, of an 8-bit plane"),
    "conv": Group("layers", "convolution layers: forward, both gradients, in groups"),
    "train": Group("networks", "training steps of the MNIST network"),
    "predict": Group("networks", "predicting 10,000 images with it"),
    "start": Group("programs", "whole short commands, and what each import costs"),
    "files": Group("files", "pictures from file to file; minutes, so only if named", usual=False),
}
