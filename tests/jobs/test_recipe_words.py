"""A recipe in words: none that only files use, nothing that was not used, and no error for whatever a file says."""

import doctest
import re

import pytest

from convcli.jobs import recipe_words
from convcli.jobs.recipe_words import preparation_in_words, recipe_in_words
from convcli.nn.presets import PRESETS
from convcli.nn.recipe import Recipe

EVERYTHING = {
    "epochs": 3, "batch_size": 64, "optimizer": "sgd:momentum=0.9,nesterov", "learning_rate": 0.004,
    "schedule": "one_cycle", "warm_up": 0.5, "weight_decay": 0.02, "label_smoothing": 0.1, "clip_norm": 1.0,
    "average": 0.99, "augment": "shift=1,rotation=10,scale=0.1,shear=5,elastic=0.6,flip,stretch", "keep": "best",
    "patience": 2, "seed": 0, "preset": "default", "held_out": 0.05, "limit": 500, "digest": "533627f0",
    "command": "convcli train digits",
}  # fmt: skip


def test_every_word_of_a_recipe():
    told = dict(recipe_in_words(EVERYTHING))
    assert told == {
        "epochs": "3",
        "batch": "64 images",
        "optimizer": "SGD, momentum 0.9, with Nesterov's momentum",
        "learning rate": "0.004",
        "rate over time": "rises and falls once",
        "warm-up": "0.5 epochs",
        "weight decay": "0.02",
        "label smoothing": "10% of each target is spread over all classes",
        "gradients": "cut to a norm of at most 1",
        "average": "weights are averaged over steps, with a decay of 0.99",
        "images are": "shifted by up to 1 pixels; turned by up to 10°; made up to 10% larger or smaller, each axis by "
        "itself; slanted by up to 5°; bent by about 0.6 pixels; mirrored half of the time",
        "weights kept": "those of the epoch with the lowest held-out loss",
        "stops early": "after 2 epochs without a lower held-out loss",
        "seed": "0",
        "preset": "default",
        "held out": "5% of the training images",
        "limit": "at most 500 training images",
    }
    assert not any(re.search(r"_|=|\b(True|False|None)\b", each) for pair in told.items() for each in pair)


def test_what_was_not_used_is_left_out():
    told = dict(recipe_in_words(Recipe(optimizer="adam").told() | {"held_out": 0, "limit": 0}))
    assert not {"gradients", "average", "images are", "stops early", "limit", "label smoothing", "warm-up"} & set(told)
    assert told["held out"] == "no images"
    assert told["optimizer"] == "Adam"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_no_internal_words(name):
    recipe = PRESETS[name].recipe.told()
    for label, text in recipe_in_words(recipe):
        assert not re.search(r"_|=|\b(True|False|None)\b", label + text), (label, text)


def test_whatever_a_file_says_is_shown():
    odd = {"schedule": 7, "augment": "magic=3", "optimizer": None, "limit": "many", "keep": True, "held_out": "some",
           "of_its_own": 1.5, "average": [1], "batch_size": True}  # fmt: skip
    assert recipe_in_words(odd) == [
        ("rate over time", "7"), ("images are", "magic=3"), ("limit", "many"), ("weights kept", "True"),
        ("held out", "some"), ("of its own", "1.5"), ("average", "[1]"), ("batch", "True"),
    ]  # fmt: skip
    assert recipe_in_words({}) == []


def test_how_pictures_are_prepared():
    digit = {"kind": "digit", "height": 28, "width": 28, "channels": 1, "box": 20, "centre": "mass",
             "light_on_dark": False}  # fmt: skip
    assert preparation_in_words(digit) == (
        "the digit is cut out, scaled into 20x20 pixels and put by its centre of mass on 28x28, in grey"
    )
    assert "by its middle on" in preparation_in_words(digit | {"centre": "box"})
    picture = {"kind": "picture", "height": 24, "width": 32, "channels": 3, "light_on_dark": True}
    assert preparation_in_words(picture) == (
        "scaled and cropped to 24x32, in colour; inverted where the border is light"
    )
    assert preparation_in_words(picture | {"light_on_dark": False}) == "scaled and cropped to 24x32, in colour"


def test_examples():
    assert doctest.testmod(recipe_words) == (0, 1)
