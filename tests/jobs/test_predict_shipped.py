"""Ten digits drawn, photographed, inverted, off-centre, huge, tiny, coloured: the shipped model sees and reads them."""

import functools

import numpy as np
import pytest
from drawn_digits import SCENES, pen

from convcli.datasets import prepare_digit
from convcli.jobs.classifier import load_classifier
from convcli.jobs.predict import predict


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """The predictions of a scene's digits, made once: digit -> prediction."""
    folder, classifier = tmp_path_factory.mktemp("scenes"), load_classifier()

    @functools.cache
    def predictions(scene):
        digits = (2, 4, 9) if scene == "huge" else range(10)
        paths = {digit: folder / f"{digit}.picture" for digit in digits}
        for digit, path in paths.items():
            path.write_bytes(SCENES[scene](digit, np.random.default_rng([digit, 0])))
        return dict(zip(digits, predict(classifier, [str(path) for path in paths.values()]), strict=True))

    return predictions


@pytest.fixture(scope="module")
def plain_digits():
    """The same hand's digits, black on white, large."""
    return [prepare_digit(1 - pen(digit, 420, 24, np.random.default_rng([digit, 0]))) for digit in range(10)]


def likeness(first, second):
    """The correlation of two pictures, the best of nine places: 1 is the same."""
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(np.corrcoef(np.roll(first, shift, (0, 1)).ravel(), second.ravel())[0, 1] for shift in shifts)


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_becomes_the_same_digit_in_mnists_form(scene, predicted, plain_digits):
    for digit, prediction in predicted(scene).items():
        assert prediction.seen.shape == (28, 28, 1)
        found = prediction.seen[..., 0]
        rows, columns = np.flatnonzero(found.max(axis=1) > 0.1), np.flatnonzero(found.max(axis=0) > 0.1)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21, (scene, digit)
        assert found.max() > 0.6, (scene, digit)
        middle = [(found.sum(axis=1 - axis) @ np.arange(28)) / found.sum() for axis in (0, 1)]
        assert abs(middle[1] - 14) < 1, (scene, digit)
        least = 0.5 if scene.startswith(("tiny", "tilted")) else 0.8  # blurred, or turned
        assert likeness(found, plain_digits[digit]) > least, (scene, digit)


@pytest.mark.parametrize("scene", SCENES)
def test_the_shipped_model_reads_every_digit(scene, predicted):
    labels = {digit: each.top[0][0] if each.top else each.error for digit, each in predicted(scene).items()}
    assert labels == {digit: str(digit) for digit in labels}
