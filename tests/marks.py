"""A made task for which it is known where a network has to look: which of two marks lies somewhere in the noise."""

import numpy as np

from convcli.nn import Model
from convcli.nn.recipe import Recipe
from convcli.nn.training import Examples, Training

SIZE, MARK = 20, 5
CLASSES = ("cross", "ring")


def marks(count, seed=0):
    """Bytes (N, 20, 20, 1) of noise with one mark each, their classes, and rows and columns of the marks' corners."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 90, (count, SIZE, SIZE, 1), dtype=np.uint8)
    labels = rng.integers(0, 2, count)
    corners = rng.integers(0, SIZE - MARK + 1, (count, 2))
    cross = np.zeros((MARK, MARK), bool)
    cross[MARK // 2], cross[:, MARK // 2] = True, True
    ring = np.ones((MARK, MARK), bool)
    ring[1:-1, 1:-1] = False
    for image, label, (row, column) in zip(images, labels, corners, strict=True):
        under = image[row : row + MARK, column : column + MARK, 0]
        under[ring if label else cross] = 250
    return images, labels, corners


def trained_on_marks():
    """A network that tells crosses from rings; a second to train."""
    images, labels, _ = marks(600)
    layers = ["conv:8,kernel=3,padding=same", "batch_norm", "relu", "pool:2", "dropout:0.1",
              "conv:16,kernel=3,padding=same,relu", "global_max_pool", "dense:2,softmax"]  # fmt: skip
    model = Model.from_layers(layers, (SIZE, SIZE, 1), seed=1)
    recipe = Recipe(epochs=8, batch_size=32, optimizer="adam", learning_rate=0.01, schedule="one_cycle", seed=1)
    training = Training(model, recipe, Examples(images, labels))
    training.run()
    training.finish()
    return training.model
