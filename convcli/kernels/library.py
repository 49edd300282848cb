"""The registry: every entry of the library by name, and the other names people know them by."""

from convcli.kernels import (
    canny,
    compass,
    edges,
    laplacians,
    lines,
    nonlinear,
    sharpening,
    smoothing,
    textures,
    volumes,
)
from convcli.kernels.entry import Entry

LIBRARY: dict[str, Entry] = {
    entry.name: entry
    for module in (smoothing, sharpening, edges, compass, canny, laplacians, lines, textures, volumes, nonlinear)
    for entry in module.ENTRIES
}

# Another name -> its entry. A kernel asked for by another name is named, and its file is named, after its entry.
ALIASES = {
    "average": "box",
    "mean": "box",
    "moving-average": "box",
    "blur": "gaussian",
    "gauss": "gaussian",
    "pascal": "binomial",
    "motion-blur": "motion",
    "pillbox": "disk",
    "delta": "identity",
    "sharpen-4": "sharpen",
    "unsharp-mask": "unsharp",
    "laplace": "laplacian",
    "laplacian-4": "laplacian",
    "laplacian-of-gaussian": "log",
    "difference-of-gaussians": "dog",
    "maximum": "max",
    "minimum": "min",
    "percentile": "rank",
    "nlm": "nlmeans",
    "non-local-means": "nlmeans",
    "denoise": "nlmeans",
    "scale": "resize",
    "lanczos": "resize",
}
