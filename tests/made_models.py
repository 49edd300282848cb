"""Small models in files, made on the spot without training: they compare a picture with the mean of each class."""

import numpy as np

from convcli import datasets
from convcli.datasets import Preprocessing
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model


def nearest_mean_model(path, split, classes, rule, *, name="made", sharpness=1.0, **others):
    """Write a model whose classes' scores are minus the squared distance from the mean picture of the class.

    ``others`` are fields of the card, or ``data_format``.
    """
    images = split.images.reshape(len(split), -1) / 255
    means = np.stack([images[split.labels == place].mean(axis=0) for place in range(len(classes))])
    data_format = others.pop("data_format", "channels_last")
    model = Model.from_layers(
        ["flatten", f"dense:{len(classes)},softmax"], split.images.shape[1:], data_format=data_format
    )
    kernel = 2 * sharpness * means.T
    model.load_state({"dense_1/kernel": kernel, "dense_1/bias": -sharpness * (means**2).sum(axis=1)})
    preprocessing = None if rule is None else rule.as_dict()
    fields = {"seed": 0, "recipe": {}, "metrics": {}, "history": (), **others}
    save_model(path, model, ModelCard(name, tuple(classes), preprocessing, **fields), overwrite=True)
    return path


def digits_model(path):
    """A model for the 8x8 digits that ship: nine of ten are right."""
    found = datasets.load("digits")
    return nearest_mean_model(path, found.train, found.classes, found.preprocessing, name="digits")


def conv_model(path, layers, size, classes, *, seed=0, rule=None, recipe=None, **others):
    """Write an untrained network for pictures of a size (H, W, C), and return it."""
    model = Model.from_layers(layers, size, seed=seed, **others)
    height, width, channels = size
    rule = rule or Preprocessing("picture", height, width, channels)
    card = ModelCard("made", tuple(classes), rule.as_dict(), seed, recipe or {}, {}, ())
    save_model(path, model, card, overwrite=True)
    return model
