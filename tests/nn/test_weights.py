"""Model files: a round trip to the bit, and one clear line for every file that is wrong."""

import json
import pickle
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import convcli
from convcli.architectures import document_of, load, plan_network, shipped
from convcli.errors import ConvcliError, ModelError, ShapeError
from convcli.nn.model import Model
from convcli.nn.tensors import read_tensors, write_tensors
from convcli.nn.weights import ModelCard, load_model, parameter_shapes, save_model

LAYERS = [
    "conv:4,kernel=3,same,relu",
    "batch_norm",
    "[ conv_transpose:4,kernel=3,same,groups=2 | depthwise:2,same,bias=no ]",
    "pool:2",
    "{ dense:3,softmax }",
    "dropout:0.5",
    "dense:5,relu,name=thought",
    "dense:3,softmax",
]
CARD = ModelCard(
    name="shapes",
    classes=("circle", "square", "star"),
    preprocessing={"kind": "picture", "height": 6, "width": 6, "channels": 2},
    seed=7,
    recipe={"preset": "default", "epochs": 2, "command": "convcli train shapes"},
    metrics={"test_accuracy": 0.75},
    history=({"epoch": 1, "loss": 1.5, "accuracy": 0.5}, {"epoch": 2, "loss": 0.5, "accuracy": 0.75}),
)


@pytest.fixture(scope="module")
def model():
    made = Model.from_layers(LAYERS, (7, 6, 2), seed=7)
    generator = np.random.default_rng(1)
    for parameter in made.parameters.values():
        parameter.assign(generator.uniform(0.1, 1, parameter.value.shape))
    return made


@pytest.fixture
def saved(tmp_path, model):
    save_model(tmp_path / "shapes.safetensors", model, CARD)
    return tmp_path / "shapes.safetensors"


def test_a_saved_model_predicts_the_same_bits(saved, model):
    x = np.random.default_rng(0).random((11, 7, 6, 2), dtype=np.float32)
    trained = convcli.load_model(str(saved))
    assert isinstance(trained, convcli.TrainedModel)
    assert trained.card == CARD and trained.classes == CARD.classes
    assert np.array_equal(trained.predict(x), model.predict(x))
    assert np.array_equal(trained.predict(x, batch_size=3), model.predict(x))
    assert document_of(trained.model.plan.spec) == document_of(model.plan.spec)
    assert repr(trained) == "TrainedModel(network on shapes, 3 classes)"


def test_heads_are_left_out_of_the_file_but_not_of_the_network(saved, model):
    arrays, _ = read_tensors(saved)
    assert not [name for name in arrays if name.startswith("head")] and any("head" in name for name in model.parameters)
    assert load_model(saved).model.plan.heads and not load_model(saved).model.heads


def test_the_same_model_and_card_give_the_same_bytes(saved, model, tmp_path):
    again = tmp_path / "again.safetensors"
    loaded = load_model(saved)
    save_model(again, loaded.model, loaded.card)
    assert again.read_bytes() == saved.read_bytes()
    with pytest.raises(ModelError, match="already exists"):
        save_model(again, model, CARD)
    save_model(again, model, replace(CARD, seed=8), overwrite=True)
    assert load_model(again).card.seed == 8


def test_bytes_are_scaled_and_floats_are_not(saved):
    trained = load_model(saved)
    x = np.random.default_rng(0).integers(0, 256, (9, 7, 6, 2), dtype=np.uint8)
    scaled = x.astype(np.float32) / np.float32(255)
    assert np.array_equal(trained.predict(x, batch_size=4), trained.predict(scaled))
    assert trained.predict(x[:0]).shape == (0, 3)
    with pytest.raises(ShapeError, match="got values up to 255, expected 0 to 1; divide by 255, or give uint8"):
        trained.predict(x.astype(np.float32))
    with pytest.raises(ShapeError, match="got int64, expected uint8 of 0 to 255, or floats of 0 to 1"):
        trained.predict(x.astype(np.int64))
    for kind in (np.uint8, np.float32):
        with pytest.raises(ModelError, match="batch_size: got 0"):
            trained.predict(np.zeros((1, 7, 6, 2), kind), batch_size=0)


@pytest.mark.parametrize(
    ("shape", "fix"), [((7, 6, 2), r"x\[None\]"), ((7, 6), r"\(N, 7, 6, 2\)"), ((3, 7, 6), "7, 6, 2"), ((), "N")]
)
def test_one_image_is_no_batch(saved, shape, fix):
    for kind in (np.uint8, np.float32):
        with pytest.raises(ShapeError, match=fix):
            load_model(saved).predict(np.zeros(shape, kind))


def test_channels_first_models_take_channels_first(tmp_path):
    made = Model.from_layers(["conv:3,kernel=3", "flatten", "dense:3,softmax"], (5, 4, 2), data_format="channels_first")
    save_model(tmp_path / "m", made, CARD)
    trained = load_model(tmp_path / "m")
    x = np.random.default_rng(0).random((2, 2, 5, 4), dtype=np.float32)
    assert trained.input_shape == (2, 5, 4)
    assert np.array_equal(trained.predict(x), made.predict(x))
    with pytest.raises(ShapeError, match=r"expected \(N, 2, 5, 4\)"):
        trained.predict(np.zeros((2, 5, 4, 2)))


@pytest.mark.parametrize("name", [name for name in shipped() if plan_network(load(name)).params < 2_000_000])
def test_shapes_are_known_without_building(name):
    plan = plan_network(load(name))
    built = Model(plan, heads=False).parameters
    assert [(name, each.value.shape) for name, each in built.items()] == list(parameter_shapes(plan).items())


def test_branches_transposes_and_groups_have_the_shapes_they_are_built_with(model):
    built = {name: each.value.shape for name, each in model.parameters.items() if not name.startswith("head")}
    assert built == parameter_shapes(model.plan)


def test_float64_stays_float64_and_halves_become_float32(saved, tmp_path):
    arrays, metadata = read_tensors(saved)
    for kind, expected in ((np.float64, np.float64), (np.float16, np.float32)):
        path = tmp_path / np.dtype(kind).name
        write_tensors(path, {name: array.astype(kind) for name, array in arrays.items()}, metadata)
        trained = load_model(path)
        assert trained.model.dtype == expected
        for name, parameter in trained.model.parameters.items():
            assert np.array_equal(parameter.value, arrays[name].astype(kind)), name


def test_a_model_that_went_wrong_is_neither_written_nor_read(saved, tmp_path):
    for value in (np.nan, np.inf):
        broken = load_model(saved).model
        broken.parameters["thought/bias"].value[2] = value
        with pytest.raises(ModelError, match="thought/bias: got 1 of 5 numbers that are NaN or infinite"):
            save_model(tmp_path / "broken", broken, CARD)
        arrays, metadata = read_tensors(saved)
        arrays["thought/bias"][2] = value
        write_tensors(tmp_path / f"{value}", arrays, metadata)
        with pytest.raises(ModelError, match=r"thought/bias: got 1 of 5 .*train again with a smaller --lr"):
            load_model(tmp_path / f"{value}")
    assert not (tmp_path / "broken").exists()


def test_a_card_that_does_not_fit_is_not_written(model, tmp_path):
    with pytest.raises(ModelError, match="classes: got 2 names, expected 3, one for each output"):
        save_model(tmp_path / "m", model, replace(CARD, classes=("a", "b")))
    with pytest.raises(ModelError, match="model card: got object"):
        save_model(tmp_path / "m", model, replace(CARD, recipe={"epochs": object()}))
    assert not (tmp_path / "m").exists()


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def zip_with(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, pickle.dumps(Evil()))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "but empty"),
        (b"a few words", "but text"),
        (b'name = "mnist"\ninput = [28, 28, 1]\n' * 20, "but text"),
        (b"<!DOCTYPE html><html>", "but a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50), "but a PNG picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(50), "but a JPEG picture"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "but an HDF5 file"),
        (pickle.dumps(Evil(), 4), "but a pickle; nothing is ever unpickled"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(50), "but a PyTorch pickle; nothing is ever unpickled"),
        ("archive/data.pkl", "but a PyTorch archive with pickles; nothing is ever unpickled"),
        ("config.json", "but a zip"),
        (b"\x08\x0a\x12\x07pytorch\x1a\x052.1.0:" + bytes(50), "but an ONNX network, which convcli import reads,"),
        (b"\x08\x08:\x85\x06" + bytes(50), "but an ONNX network, "),
        (b"\x93NUMPY\x01\0v\0", "but a numpy array"),
        (bytes(7), "its header would have 0 bytes, the file has 7"),
        (struct.pack("<Q", 2**62) + b"{}", "its header would have 4,611,686,018,427,387,904 bytes, the file has 10"),
        (struct.pack("<Q", 30) + b'{"a":', "its header would have 30 bytes, the file has 13"),
        (struct.pack("<Q", 400_000) + b'{"a":[' + b"[" * 399_994, "nested too deep"),
        (struct.pack("<Q", 2) + b"{}", "a safetensors file of another program"),
    ],
)
def test_foreign_files_are_called_by_their_name(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    if isinstance(content, str):
        zip_with(path, content)
    else:
        path.write_bytes(content)
    assert_refused(path, message)


def assert_refused(path, message):
    """Loading fails with one printable line that names the file and says this."""
    with pytest.raises(ModelError) as caught:
        load_model(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and message in text, text
    assert text.isprintable() and len(text) < 600, text


def card(**changes):
    """A change of the card's JSON; None takes a field out."""

    def change(metadata, arrays):
        document = json.loads(metadata["convcli"]) | changes
        metadata["convcli"] = json.dumps({key: value for key, value in document.items() if value is not None})

    return change


def text(key, value):
    def change(metadata, arrays):
        metadata[key] = value

    return change


def network(**changes):
    def change(metadata, arrays):
        metadata["architecture"] = json.dumps(json.loads(metadata["architecture"]) | changes)

    return change


def array(name, value):
    """Another array under a name, or with None none."""

    def change(metadata, arrays):
        arrays.pop(name, None)
        if value is not None:
            arrays[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            text("format", "convcli-2"),
            "got format 'convcli-2', expected 'convcli-1': it was written by a newer convcli",
        ),
        (text("format", "convcli-checkpoint-1"), "got a checkpoint, expected a model; go on training from it with"),
        (text("format", ""), "a safetensors file of another program"),
        (text("convcli", "{"), "card: is not readable as JSON"),
        (text("convcli", "[]"), "card: got a JSON list"),
        (text("convcli", "[" * 100_000), "card: is not readable as JSON: nested too deep"),
        (text("convcli", '{"seed": ' + "9" * 5000), "card: is not readable as JSON"),
        (card(name=None), "card: name is missing"),
        (card(name=3), "card: name: got 3, expected a text"),
        (card(name="x" * 500), "card: name: got 'xxx"),
        (card(classes="abc"), "card: classes: got 'abc', expected a list"),
        (card(classes=["a", 3, "b"]), "card: classes: got 3, expected a text"),
        (card(classes=["a", "b"]), "card: classes: got 2 names, expected 3"),
        (card(preprocessing=[1]), "card: preprocessing: got [1], expected a table"),
        (card(seed=-1), "card: seed: got -1, expected a whole number"),
        (card(seed=True), "card: seed: got True"),
        (card(seed=1.5), "card: seed: got 1.5"),
        (card(recipe=[]), "card: recipe: got [], expected a table"),
        (card(recipe={"lr": float("nan")}), "card: recipe: got nan, expected finite numbers"),
        (card(recipe={"a": json.loads("[" * 30 + "]" * 30)}), "card: recipe: is nested more than 20 deep"),
        (card(metrics={"test_accuracy": "high"}), "card: metrics: 'test_accuracy': got 'high'"),
        (card(metrics={"test_accuracy": float("inf")}), "card: metrics: 'test_accuracy': got inf"),
        (card(metrics={"test_accuracy": 10**400}), "card: metrics: 'test_accuracy': got 1000"),
        (card(history={}), "card: history: got {}, expected a list"),
        (card(history=[{"loss": 1}, 5]), "card: history, row 1: got 5, expected a table of numbers"),
        (card(version=1), "card: version: got 1"),
        (text("architecture", ""), "architecture: input is missing"),
        (text("architecture", "{"), "architecture: is not readable as JSON"),
        (text("architecture", "\0\x1b[31m"), "architecture: is not readable as TOML"),
        (network(input=[]), "architecture: input: got []"),
        (network(input=[1, 1, 2]), "architecture: layer 4"),
        (network(data_format="last"), "architecture: data_format: got 'last'"),
        (network(layers=[]), "architecture: layers: got []"),
        (network(layers=["convolve:3"]), "architecture: layer 1 (convolve:3): unknown layer"),
        (
            network(input=[1_000_000_000, 1_000_000_000, 2], layers=["conv:3", "global_pool"]),
            "weights: conv_1/kernel",
        ),
        (network(layers=["dense:1000000000", "dense:9"]), "got shape (5, 3), expected (84, 1000000000)"),
        (network(layers=["conv:4,kernel=9999,padding=full"]), "weights: conv_1/kernel: got shape (3, 3, 2, 4)"),
        (network(layers=["dense:3,name=thought"]), "weights: thought/kernel: got shape (72, 5), expected (84, 3)"),
        (array("thought/bias", None), "weights: got no thought/bias, expected the 13 arrays of its architecture"),
        (array("thought/bias", np.zeros(4, np.float32)), "weights: thought/bias: got shape (4,), expected (5,)"),
        (array("thought/bias", np.zeros((5, 1), np.float32)), "weights: thought/bias: got shape (5, 1), expected (5,)"),
        (array("thought/bias", np.zeros(5, np.int32)), "thought/bias: got int32, expected floats"),
        (array("thought/bias", np.zeros(5, bool)), "thought/bias: got bool, expected floats"),
        (array("thought/bias\x1b[2J", np.zeros(5)), r"weights: got an unknown 'thought/bias\x1b[2J'"),
        (array("head_1/dense_1/bias", np.zeros(3)), "weights: got an unknown 'head_1/dense_1/bias'"),
    ],
)
def test_files_that_were_tampered_with_are_refused(saved, tmp_path, change, message):
    arrays, metadata = read_tensors(saved)
    change(metadata, arrays)
    write_tensors(tmp_path / "changed.safetensors", arrays, metadata)
    assert_refused(tmp_path / "changed.safetensors", message)


@pytest.mark.parametrize("missing", ["format", "architecture", "convcli"])
def test_every_text_is_needed(saved, tmp_path, missing):
    arrays, metadata = read_tensors(saved)
    del metadata[missing]
    write_tensors(tmp_path / "changed", arrays, metadata)
    assert_refused(
        tmp_path / "changed", "another program" if missing == "format" else f"has no {missing} in its metadata"
    )


@pytest.mark.parametrize(
    "layers",
    [
        ["pool:1000000000", "global_pool"],
        ["pool:30000,stride=1,padding=29999", "global_pool"],
        ["pad:1000000000,mode=edge", "global_pool"],
        ["adaptive_pool:100000000", "global_pool"],
        ["lrn:1000000000", "global_pool"],
        ["conv_transpose:1,kernel=1,stride=100000,bias=no", "global_pool"],
    ],
)
def test_absurd_extents_without_weights_are_refused(saved, tmp_path, layers):
    _, metadata = read_tensors(saved)
    kernel = {"conv_transpose_1/kernel": np.ones((1, 1, 1, 2), np.float32)} if "transpose" in layers[0] else {}
    network(input=[30_000, 30_000, 2], layers=layers)(metadata, {})
    card(classes=[])(metadata, {})
    write_tensors(tmp_path / "changed", kernel, metadata)
    with pytest.raises(ModelError, match="architecture: "):
        load_model(tmp_path / "changed")


def test_texts_of_a_file_cannot_command_the_terminal(saved, tmp_path):
    arrays, metadata = read_tensors(saved)
    card(classes=["a\x1b[2J", "b\nc", "d"], recipe={"command": "\x07convcli", "list": [["\r"]]})(metadata, arrays)
    write_tensors(tmp_path / "changed", arrays, metadata)
    found = load_model(tmp_path / "changed").card
    assert found.classes == ("a\ufffd[2J", "b\ufffdc", "d")
    assert found.recipe == {"command": "\ufffdconvcli", "list": [["\ufffd"]]}


def test_cut_and_flipped_files_are_models_or_one_line(saved, tmp_path):
    content, generator = saved.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "mutated"
    for length in [*range(0, 64, 8), *generator.integers(64, len(content), 10)]:
        path.write_bytes(content[:length])
        with pytest.raises(ModelError):
            load_model(path)
    for _ in range(60):
        mutated = bytearray(content)
        for place in generator.integers(0, len(content), generator.integers(1, 4)):
            mutated[place] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(mutated)
        try:
            load_model(path)
        except ConvcliError as error:
            assert str(error).isprintable(), str(error)


def test_what_cannot_be_opened_is_an_ordinary_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing.safetensors")
    with pytest.raises(OSError, match="directory"):
        load_model(tmp_path)
