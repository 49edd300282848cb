"""Recipes and presets: every number checked, plain values that read back, networks fitted to data."""

import pytest

from convcli.architectures import load
from convcli.architectures.fitting import fitted
from convcli.errors import ConvcliError, ModelError, ShapeError
from convcli.nn.optimizers import SGD, AdamW
from convcli.nn.presets import PRESETS, preset
from convcli.nn.recipe import Recipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"epochs": 1.5}, {"epochs": True}, {"batch_size": -1}, {"learning_rate": 0.0},
        {"learning_rate": "x"},
        {"learning_rate": float("nan")}, {"label_smoothing": 1.0}, {"average": 1}, {"clip_norm": -1.0}, {"seed": -1},
        {"optimizer": "adamant"}, {"optimizer": "sgd:momentum=x"}, {"optimizer": "sgd:learning_rate=1"},
        {"optimizer": "adam:momentum=0.9"}, {"schedule": "sine"}, {"augment": "shift=far"}, {"augment": "wobble=1"},
        {"keep": "first"}, {"keep": None}, {"patience": 2, "keep": "last"},
        {"patience": 1.0}, {"warm_up": -1.0}, {"weight_decay": -0.1}, {"warm_up": 5}, {"warm_up": 5.5},
        {"optimizer": "sgd:nesterov"}, {"optimizer": "sgd:momentum"}, {"optimizer": "sgd:momentum=0.9,nesterov=2"},
        {"optimizer": "adam:beta_1=0.8,beta_1=0.9"}, {"optimizer": "adam:clip_value=inf"}, {"augment": "stretch"},
        {"augment": "shift=1,elastic_sigma=2"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_numbers_are_named(wrong):
    name = next(iter(wrong))
    with pytest.raises(ConvcliError) as raised:
        Recipe(**wrong)
    assert str(raised.value).startswith((name, "augment", "optimizer"))
    assert "\n" not in str(raised.value)


def test_plain_values_read_back():
    recipe = Recipe(epochs=3, optimizer="sgd:momentum=0.9,nesterov", learning_rate=0.1, augment="shift=2")
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    with pytest.raises(ModelError, match="unknown 'colour'"):
        Recipe.from_dict({"colour": 1})


def test_the_optimizer_has_its_settings():
    optimizer = Recipe(optimizer="sgd:momentum=0.9,nesterov", learning_rate=0.1, clip_norm=2.0).make_optimizer()
    assert isinstance(optimizer, SGD) and optimizer.momentum == 0.9 and optimizer.nesterov
    assert optimizer.learning_rate == 0.1 and optimizer.clip_norm == 2.0
    assert Recipe(optimizer="adamw").make_optimizer().weight_decay == AdamW().weight_decay
    assert Recipe(optimizer="adamw", weight_decay=0.0).make_optimizer().weight_decay == 0
    assert Recipe(optimizer="adamw").told()["weight_decay"] == AdamW().weight_decay
    assert Recipe(optimizer="adam", weight_decay=0.1).make_optimizer().weight_decay == 0.1


def test_schedules_cover_all_steps():
    schedule = Recipe(epochs=2, schedule="cosine", learning_rate=1.0, warm_up=0.5).make_schedule(10)
    rates = [schedule(step) for step in range(20)]
    assert rates[0] < 0.2 and max(rates) == 1.0 == rates[5] and rates[-1] < 0.02


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_recipes_for_networks_that_exist(name):
    chosen = preset(name)
    assert chosen.recipe.make_optimizer()
    network = load(chosen.network or "mnist")
    assert fitted(network, (28, 28, 1), 10).output == (10,)
    assert chosen.recipe_for(60_000).epochs == chosen.recipe.epochs


def test_the_lecture_preset_is_the_lectures_recipe():
    chosen = preset("lecture")
    recipe = chosen.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.learning_rate) == (5, 64, "rmsprop", 1e-3)
    assert recipe.schedule == "constant"
    assert not (recipe.average or recipe.augment or recipe.label_smoothing or recipe.weight_decay or chosen.held_out)
    assert chosen.recipe_for(100) == recipe


def test_few_images_are_gone_through_more_often():
    chosen = preset("default")
    assert chosen.recipe_for(1437).epochs * -(-1437 // chosen.recipe.batch_size) >= 800
    assert chosen.recipe_for(10).epochs == 100 and chosen.recipe_for(10).batch_size == 8
    assert chosen.recipe_for(600).batch_size == 32
    assert chosen.held_out_of(1437) == 0.05 and chosen.held_out_of(999) == 0
    assert "shift=4" in chosen.recipe_for(10_000, 56).augment and "rotation=10" in chosen.recipe_for(10_000, 56).augment
    with pytest.raises(ModelError, match="preset: got 'quick'"):
        preset("quick")


def test_fitted_networks():
    lenet = fitted(load("lenet5"), (28, 28, 1), 10)
    assert lenet.layers[0].type == "pad" and lenet.layers[0].output == (32, 32, 1) and lenet.params == 61_706
    assert fitted(load("lenet5"), (32, 32, 1), 10).layers[0].type == "conv"
    assert fitted(load("mnist"), (32, 32, 3), 7).output == (7,)
    assert fitted(load("cats-dogs"), (150, 150, 3), 2).output == (1,)
    assert fitted(load("cats-dogs"), (150, 150, 3), 3).output == (3,)
    assert fitted(load("pictures"), (9, 17, 3), 2).output == (2,)
    with pytest.raises(ShapeError):
        fitted(load("mnist"), (6, 6, 1), 10)
    plain = load("mnist")
    assert fitted(plain, (28, 28, 1), 10).spec == plain
