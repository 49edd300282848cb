"""The work that most people do first: small pictures through the usual commands, and a digest of each result.

Digests of all of it, for this processor or for another, whose bits must be the same:

    python tests/common_work.py
    CONVCLI_PROCESSOR=x86-64-v3 python tests/common_work.py
"""

import hashlib
import json
import sys
from functools import partial

import numpy as np

from convcli.images import Image
from convcli.jobs.classifier import load_classifier
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.morph import morph_image, plan_morph
from convcli.jobs.pool import plan_pool, pool_image

KERNELS = ("sharpen", "sobel", "gaussian:sigma=2", "box:size=3", "box:size=5", "box:size=15", "emboss")
OPERATIONS = ("dilate", "erode", "open", "close", "gradient")
FEW = ("uint8 3 sharpen", "uint8 3 average", "uint8 3 dilate")  # with vector instructions of each kind


def pieces():
    """Name by name what makes pixels."""
    rng = np.random.default_rng(3)
    work = [(spec, filter_image, plan_filter([spec])) for spec in KERNELS]
    work += [(mode, pool_image, plan_pool(2, mode=mode)) for mode in ("max", "average")]
    work += [(operation, morph_image, plan_morph(operation, size=3)) for operation in OPERATIONS]
    for kind in ("uint8", "uint16"):
        for channels in (1, 3, 4):
            pixels = rng.integers(0, np.iinfo(kind).max, (67, 131, channels)).astype(kind)
            image = Image(pixels, has_alpha=channels == 4)
            for name, act, plan in work:
                yield f"{kind} {channels} {name}", partial(_pixels, act, image, plan)
    for images in (1, 2, 70):
        yield f"predict {images}", partial(_predicted, images)


def digests(names=()):
    """Digests of results by name; of all without names."""
    return {name: _digest(make()) for name, make in pieces() if name in names or not names}


def _pixels(act, image, plan):
    return act(image, plan).image.pixels


def _predicted(images):
    classifier = load_classifier()
    shape = images, *classifier.trained.model.plan.input
    return classifier.outputs(np.random.default_rng(images).random(shape, np.float32))


def _digest(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1:]), indent=1))
