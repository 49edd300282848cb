"""The work that most people do first: small pictures through the usual commands, and a digest of each result."""

import hashlib

import numpy as np

from convcli.images import Image
from convcli.jobs.classifier import load_classifier
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.morph import morph_image, plan_morph
from convcli.jobs.pool import plan_pool, pool_image

KERNELS = ("sharpen", "sobel", "gaussian:sigma=2", "box:size=3", "box:size=5", "box:size=15", "emboss")


def common_work(kinds=("uint8", "uint16")):
    """Digests of the results, by name, for these kinds of pixels."""
    rng, found = np.random.default_rng(3), {}
    for kind in kinds:
        for channels in (1, 3, 4):
            pixels = rng.integers(0, np.iinfo(kind).max, (67, 131, channels)).astype(kind)
            image = Image(pixels, has_alpha=channels == 4)
            for spec in KERNELS:
                found[f"{kind} {channels} {spec}"] = filter_image(image, plan_filter([spec])).image
            for mode in ("max", "average"):
                found[f"{kind} {channels} {mode}"] = pool_image(image, plan_pool(2, mode=mode)).image
            for operation in ("dilate", "erode", "open", "close", "gradient"):
                found[f"{kind} {channels} {operation}"] = morph_image(image, plan_morph(operation, size=3)).image
    classifier = load_classifier()
    shape = classifier.trained.model.plan.input
    digests = {name: hashlib.sha256(np.ascontiguousarray(image.pixels)).hexdigest() for name, image in found.items()}
    for images in (1, 2, 70):
        outputs = classifier.outputs(rng.random((images, *shape), np.float32))
        digests[f"predict {images}"] = "listed" if outputs is None else hashlib.sha256(outputs).hexdigest()
    return digests
