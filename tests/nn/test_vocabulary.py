"""Every word does something: it changes the bits of the weights, or it is refused. New words cannot be forgotten."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from convcli.architectures.grammar import GrammarError
from convcli.architectures.values import ACTIVATIONS, CONSTRAINTS, INITIALIZERS, REGULARIZERS
from convcli.architectures.vocabulary import LAYERS
from convcli.cli.train import _RECIPE, _SCHEDULES, command
from convcli.errors import ConvcliError, ModelError
from convcli.nn.model import Model
from convcli.nn.optimizers import SETTINGS
from convcli.nn.recipe import Recipe
from convcli.nn.schedules import SCHEDULES
from convcli.nn.training import Examples, Training
from convcli.ops.augmentation import Augmentation

BASE = Recipe(epochs=4, batch_size=8, optimizer="sgd", learning_rate=0.1, seed=3)
NETWORK = ("conv:3,kernel=2,relu", "flatten", "dense:3,softmax")


@cache
def examples(size=(5, 5, 2)):
    generator = np.random.default_rng(7)
    x = generator.random((24, *size)).astype(np.float32)
    return Examples(x, np.arange(24) % 3), Examples(x[:6] * 2, np.arange(6) % 3)


@cache
def trained(recipe=BASE, network=NETWORK, size=(5, 5, 2)):
    """The bits of what a recipe makes of a network: its weights and outputs."""
    model = Model.from_layers(network, size, seed=recipe.seed)
    train, validation = examples(size)
    training = Training(model, recipe, train, validation)
    training.run()
    training.finish()
    weights = [each.value for each in model.parameters.values()]
    return b"".join(each.tobytes() for each in (*weights, model.forward(train.x)))


# A field of the recipe: what the recipe is otherwise, and another value.
FIELDS = {
    "epochs": ({"learning_rate": 0.01}, 5),
    "batch_size": ({}, 5),
    "optimizer": ({}, "adam"),
    "learning_rate": ({}, 0.05),
    "schedule": ({}, "cosine"),
    "warm_up": ({}, 1.0),
    "weight_decay": ({}, 0.1),
    "label_smoothing": ({}, 0.2),
    "clip_norm": ({}, 0.01),
    "average": ({}, 0.9),
    "augment": ({}, "shift=1"),
    "keep": ({"epochs": 12, "learning_rate": 0.3}, "last"),
    "patience": ({"epochs": 12, "learning_rate": 0.3}, 1),
    "select": ({"epochs": 12, "learning_rate": 0.3, "seed": 2}, "accuracy"),
    "freeze": ({}, "conv_1"),
    "class_weight": ({}, "1=3"),
    "seed": ({}, 4),
    "task": ({}, "regress"),
    "loss": ({}, "mse"),
}


def test_no_field_is_forgotten():
    assert set(FIELDS) == {each.name for each in fields(Recipe)} == set(_RECIPE)
    assert set(SCHEDULES) == set(_SCHEDULES)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_a_recipe_changes_the_weights(name):
    others, value = FIELDS[name]
    recipe = replace(BASE, **others)
    assert trained(replace(recipe, **{name: value})) != trained(recipe)


@pytest.mark.parametrize(
    "zero",
    [
        {"optimizer": "adamw", "weight_decay": 0.0},
        {"schedule": "one_cycle", "warm_up": 0.0},
        {"schedule": "one_cycle", "warm_up": 0},
    ],
    ids=str,
)
def test_an_explicit_zero_is_not_what_is_used_without_it(zero):
    (name, value), *_ = reversed(zero.items())
    recipe = replace(BASE, **zero)
    assert value == 0 and trained(recipe) != trained(replace(recipe, **{name: None}))
    assert recipe.told()[name] == 0 and Recipe.from_dict(recipe.as_dict()) == recipe


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_differs_and_knows_the_way_up(name):
    recipe = replace(BASE, schedule=name)
    assert len({trained(replace(BASE, schedule=each)) for each in SCHEDULES}) == len(SCHEDULES)
    ways = {trained(replace(recipe, warm_up=each)) for each in (None, 0.01, 1, 2, 3.9)}
    assert len(ways) == 5
    with pytest.raises(ModelError, match="warm_up: got 4 epochs of 4, expected fewer"):
        replace(recipe, warm_up=4)


VALUES = {"momentum": 0.5, "nesterov": 1, "rho": 0.5, "epsilon": 0.1, "beta_1": 0.5, "beta_2": 0.5}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in SETTINGS.items() for key in keys])
def test_every_setting_of_an_optimizer_changes_the_weights(name, key):
    plain = f"{name}:momentum=0.4" if key == "nesterov" else name
    word = f"{plain}{',' if ':' in plain else ':'}{key}={VALUES[key]}"
    assert trained(replace(BASE, optimizer=word)) != trained(replace(BASE, optimizer=plain))
    with pytest.raises(ModelError, match="twice"):
        replace(BASE, optimizer=f"{word},{key}={VALUES[key]}")


# The value of each word of augmentation, and what it needs beside it.
WORDS = {
    "shift": ("1", ""), "rotation": ("20", ""), "scale": ("0.3", ""), "shear": ("20", ""), "elastic": ("1", ""),
    "elastic_sigma": ("1", "elastic=1"), "flip": ("yes", ""), "stretch": ("yes", "scale=0.3"),
    "crop": ("0.5", ""), "brightness": ("0.3", ""), "contrast": ("0.5", ""), "erase": ("0.6", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", [each.name for each in fields(Augmentation)])
def test_every_word_of_augmentation_changes_the_weights(name):
    value, other = WORDS[name]
    words = f"{name}={value}"
    both = ",".join(filter(None, (other, words)))
    assert trained(replace(BASE, augment=both)) != trained(replace(BASE, augment=other))
    if other:
        with pytest.raises(ConvcliError, match=f"augment: got {name} without {other.partition('=')[0]}"):
            replace(BASE, augment=words)


@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
def test_label_smoothing_changes_the_weights_or_is_refused(ending):
    network = (*NETWORK[:-1], f"dense:3,{ending}")
    assert trained(replace(BASE, label_smoothing=0.3), network) != trained(BASE, network)
    squares = Model.from_layers(["flatten", "dense:3,tanh"], (5, 5, 2))
    with pytest.raises(ModelError, match=r"label_smoothing: got 0\.1 for a network that ends with tanh"):
        Training(squares, replace(BASE, label_smoothing=0.1), examples()[0])


NUMBERS = {"minval": -0.5, "maxval": 0.5, "mean": 0.3, "stddev": 0.2, "value": 0.4, "gain": 2}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in INITIALIZERS.items() for key in (*keys, None)])
def test_every_initializer_and_its_numbers_change_the_weights(name, key):
    plain = f"dense:3,kernel_initializer={name},softmax"
    other = "zeros" if name != "zeros" else "ones"
    word = plain.replace(name, f"{name}:{key}={NUMBERS[key]}") if key else plain.replace(name, other)
    if name == "constant" and not key:
        other = word = plain.replace(name, "ones")
    assert trained(network=("flatten", word)) != trained(network=("flatten", plain))


@pytest.mark.parametrize("slot", ["kernel", "bias", "activity"])
@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in REGULARIZERS.items() for key in keys])
def test_every_regularizer_changes_the_weights(slot, name, key):
    layer = f"dense:4,tanh,bias_initializer=ones,{slot}_regularizer={{}}"
    with_it, without = (
        trained(network=("flatten", layer.format(word), "dense:3,softmax")) for word in (f"{name}:{key}=0.3", "none")
    )
    assert with_it != without
    if name != "l1_l2":
        zero = trained(network=("flatten", layer.format(f"{name}:0"), "dense:3,softmax"))
        assert zero == without != trained(network=("flatten", layer.format(name), "dense:3,softmax"))
    with pytest.raises(GrammarError, match="expected l1_l2 with l1=NUMBER, l2=NUMBER"):
        trained(network=(layer.format("l1_l2"),))


@pytest.mark.parametrize("slot", ["kernel", "bias"])
@pytest.mark.parametrize(
    "word", [name + ("".join(f":{key}=0.01" for key in keys)) for name, keys in CONSTRAINTS.items()]
)
def test_every_constraint_changes_the_weights(slot, word):
    layer = f"dense:4,tanh,bias_initializer=random_normal,{slot}_constraint={{}}"
    with_it, without = (trained(network=("flatten", layer.format(each), "dense:3,softmax")) for each in (word, "none"))
    assert with_it != without


# Another value of a layer's key; of some kinds another than of the others.
OTHER = {
    "filters": 4, "units": 4, "kernel_size": 2, "stride": 2, "padding": "same", "dilation": 2, "activation": "relu",
    "use_bias": False, "kernel_initializer": "ones", "bias_initializer": "ones", "kernel_regularizer": "l2:0.3",
    "bias_regularizer": "l1:0.3", "activity_regularizer": "l2:0.3", "kernel_constraint": "unit_norm",
    "bias_constraint": "unit_norm", "mode": "min", "groups": 2, "output_size": 3, "depth_multiplier": 2,
    "ceil_mode": True, "count_include_pad": True, "rate": 0.3, "momentum": 0.5, "epsilon": 0.5, "center": False,
    "scale": False, "beta_initializer": "ones", "gamma_initializer": "zeros", "size": 1, "alpha": 0.5, "beta": 0.1,
    "k": 1.0, "amount": 2, "value": 1.0, "p": 3.0, "output_padding": 1, ("pad", "mode"): "edge",
    "share": "all", "alpha_initializer": "ones", ("upsample", "mode"): "bilinear", ("upsample", "size"): 3,
    ("group_norm", "groups"): 1, ("separable_conv", "kernel_initializer"): "he_normal",
    ("separable_conv", "activity_regularizer"): "l2:0.01",
}  # fmt: skip
GIVEN = {
    "conv": {"filters": 6}, "conv_transpose": {"filters": 6}, "depthwise": {}, "pool": {}, "global_pool": {},
    "adaptive_pool": {"output_size": 2}, "dense": {"units": 3}, "dropout": {}, "batch_norm": {},
    "lrn": {"size": 2, "alpha": 0.3}, "pad": {}, "activation": {"activation": "tanh"}, "separable_conv": {"filters": 6},
    "spatial_dropout": {}, "layer_norm": {}, "group_norm": {"groups": 2}, "upsample": {}, "prelu": {},
}  # fmt: skip
BESIDE = {
    ("pool", "kernel_size"): {"kernel_size": 3}, ("pool", "ceil_mode"): {"kernel_size": 3, "stride": 2},
    ("pool", "stride"): {"kernel_size": 3}, ("pool", "padding"): {"kernel_size": 3, "stride": 2},
    ("pool", "count_include_pad"): {"mode": "average", "padding": 1}, ("pool", "p"): {"mode": "lp"},
    ("adaptive_pool", "p"): {"mode": "lp"}, ("conv_transpose", "output_padding"): {"stride": 2},
}  # fmt: skip
# A table of connections and a head's weight need networks of their own; other tests have them.
KEYS = [(kind, key) for kind, each in LAYERS.items() for key in each.keys if key not in ("connections", "weight")]


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_every_key_of_a_layer_changes_the_weights(kind, key):
    plain = {"type": kind, **GIVEN[kind], **BESIDE.get((kind, key), {})}
    changed = plain | {key: OTHER.get((kind, key), OTHER[key])}
    before = ("flatten",) if kind == "dense" else ()
    behind = () if kind in ("dense", "global_pool") else ("flatten",)
    bits = []
    for table in (plain, changed):
        model = Model.from_layers([*before, table, *behind, "dense:3,softmax"], (6, 6, 2), seed=3)
        training = Training(model, BASE, examples((6, 6, 2))[0])
        training.run()
        bits.append(b"".join(each.value.tobytes() for each in model.parameters.values()))
        bits[-1] += model.forward(examples((6, 6, 2))[0].x).tobytes()
    assert bits[0] != bits[1]


@pytest.mark.parametrize(
    "word",
    [
        "pool:2,p=3", "adaptive_pool:2,p=3", "pool:2,count_include_pad", "pool:2,min,count_include_pad",
        "pad:1,mode=edge,value=2", "conv:3,bias=no,bias_initializer=ones", "dense:3,bias=no,bias_regularizer=l2",
        "depthwise:3,bias=no,bias_constraint=non_neg", "batch_norm,center=no,beta_initializer=ones",
        "batch_norm,scale=no,gamma_initializer=zeros", "conv:3,kernel_initializer=random_normal:0.1:mean=0.2",
    ],
)  # fmt: skip
def test_what_would_do_nothing_is_refused(word):
    with pytest.raises(GrammarError, match=r"does nothing with .*; leave|expected mean once"):
        Model.from_layers([word], (6, 6, 2))


def test_activations_know_zero_and_differ():
    wide = "kernel_initializer=random_normal:0:4"
    outputs = [trained(network=(f"conv:3,{name},{wide}", "flatten", "dense:3,softmax")) for name in ACTIVATIONS]
    assert len(set(outputs)) == len(ACTIVATIONS)
    for name, keys in ACTIVATIONS.items():
        for key in keys:
            words = (f"conv:3,{name}", f"conv:3,{name}:{key}=0", f"conv:3,{name}:{key}=0.7")
            assert len({trained(network=(word, "flatten", "dense:3,softmax")) for word in words}) == 3


def test_every_option_of_train_is_a_word_of_the_recipe_or_says_what_to_read_and_write():
    about = {
        "dataset", "model", "preset_name", "held_out", "output", "resume", "limit", "size", "log", "plot", "page",
        "data_dir", "offline", "start", "normalize", "labels", "input", "strict", "overwrite", "threads", "max_memory",
        "as_json", "quiet", "seeds", "settings", "workers", "cluster",
    }  # fmt: skip
    assert {each.name for each in command.params} == about | set(FIELDS)
