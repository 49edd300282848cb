"""Windows of longer series that overlap: what is held out shares no moment with what is learned."""

import numpy as np
import pytest

from convcli.datasets.model import Split, parted
from convcli.datasets.windows import find_windows, shared_with

GENERATOR = np.random.default_rng(3)


def cut(series, length, step):
    return np.stack([series[at : at + length] for at in range(0, len(series) - length + 1, step)])


SERIES = [GENERATOR.normal(size=(n, 3)).astype(np.float32) for n in (300, 410, 350, 480)]
MANY = np.concatenate([cut(each, 64, 16) for each in SERIES])
CLASSES = np.concatenate([np.full(len(cut(each, 64, 16)), place % 2) for place, each in enumerate(SERIES)])
FILM = GENERATOR.integers(0, 9, (40, 5, 5, 1)).astype(np.uint8)
CASES = {
    "several series": (MANY, CLASSES, 0),
    "one series": (cut(np.cumsum(GENERATOR.normal(size=(900, 1)), 0), 50, 5).astype(np.float32), None, 0),
    "levels": (cut(GENERATOR.integers(0, 4, (900, 1)).astype(np.uint8), 64, 16), None, 0),
    "frames and those that follow": (cut(FILM, 3, 1)[:-3], cut(FILM, 3, 1)[3:].astype(np.float32), 3),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mixed", [False, True])
def test_nothing_held_out_was_learned(case, mixed):
    samples, labels, ahead = CASES[case]
    labels = np.zeros((len(samples), 1), np.float32) if labels is None else labels
    order = GENERATOR.permutation(len(samples)) if mixed else np.arange(len(samples))
    learned, held = parted(Split(samples[order], labels[order]), 0.2)
    assert len(held) == round(0.2 * len(samples)) and len(learned) > len(samples) // 2
    assert shared_with(held.images, learned.images) == 0
    assert shared_with(held.images, samples) == len(held)
    if ahead:  # nor do the frames that one is to foretell stand among the others'
        frames = {each.tobytes() for window in learned.labels.astype(np.uint8) for each in window}
        assert not any(each.tobytes() in frames for window in held.labels.astype(np.uint8) for each in window)
    if labels.ndim == 1:
        assert set(held.labels) == set(learned.labels) == {0, 1}


def test_what_is_no_window_is_parted_as_ever():
    for samples in (
        GENERATOR.normal(size=(200, 64, 3)), GENERATOR.integers(0, 2, (300, 64, 1)), np.ones((90, 64, 1)),
        np.concatenate([cut(each, 64, 64) for each in SERIES]), GENERATOR.normal(size=(90, 8, 8, 1)),
    ):  # fmt: skip
        assert find_windows(samples.astype(np.float32)) is None
