"""The model that ships reads drawn digits."""

import numpy as np
import pytest
from drawn_digits import SCENES

from convcli.jobs.classifier import load_classifier
from convcli.jobs.predict import predict


@pytest.mark.parametrize("scene", SCENES)
def test_the_shipped_model_reads_every_digit(scene, tmp_path):
    digits = (2, 9) if scene == "huge" else range(list(SCENES).index(scene) % 2, 10, 2)  # the others in the next scene
    paths = []
    for digit in digits:
        path = tmp_path / f"{digit}.picture"
        path.write_bytes(SCENES[scene](digit, np.random.default_rng([digit, 0])))
        paths.append(str(path))
    labels = [each.top[0][0] if each.top else each.error for each in predict(load_classifier(), paths)]
    assert labels == [str(digit) for digit in digits]
