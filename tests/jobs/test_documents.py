"""Documents in JSON: what JSON does not know is null, in every command that has --json."""

import json
import math

import numpy as np
import pytest
from made_models import conv_model

from convcli.errors import ModelError
from convcli.jobs.classifier import load_classifier
from convcli.jobs.documents import json_text
from convcli.jobs.evaluate import evaluate, load_data
from convcli.jobs.predict import predict
from convcli.jobs.training_log import write_log
from convcli.nn.model import Model
from convcli.nn.training import Epoch


def refuse(word):
    raise AssertionError(f"JSON holds {word}")


def test_numbers_that_json_does_not_know_are_null():
    document = {"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf}, "d": np.float64("nan"), "e": "NaN", "f": True}
    told = json.loads(json_text(document), parse_constant=refuse)
    assert told == {"a": [None, [None, 1.5]], "b": {"c": None}, "d": None, "e": "NaN", "f": True}
    assert json_text({"a": 1}, indent=1) == '{\n "a": 1\n}'


def test_the_history_too(tmp_path):
    row = Epoch(1, math.nan, None, math.inf, None, 0.1, 1.0, 2.0)
    write_log(tmp_path / "log.json", [row])
    (told,) = json.loads((tmp_path / "log.json").read_text(), parse_constant=refuse)
    assert told["loss"] is told["accuracy"] is told["val_loss"] is None and told["epoch"] == 1


@pytest.fixture
def ruined(tmp_path):
    """A model of finite weights whose outputs are not, and a folder of pictures."""
    path = tmp_path / "m.safetensors"
    from convcli.datasets import Preprocessing
    from convcli.nn.weights import ModelCard, save_model

    conv_model(path, ["flatten", "dense:3", "dense:2,softmax"], (4, 4, 1), ("a", "b"))
    model = Model.from_layers(["flatten", "dense:3", "dense:2,softmax"], (4, 4, 1))
    model.load_state({name: np.full_like(value, 3e38) for name, value in model.state().items()})
    rule = Preprocessing("picture", 4, 4, 1).as_dict()
    save_model(path, model, ModelCard("made", ("a", "b"), rule, 0, {}, {}, ()), overwrite=True)
    for label in "ab":
        (tmp_path / "set" / label).mkdir(parents=True)
        np.save(tmp_path / "set" / label / "0.npy", np.full((4, 4), 200, np.uint8))
    return path


def test_outputs_that_are_no_numbers_are_no_answer(ruined):
    classifier = load_classifier(ruined)
    pictures = ruined.parent / "set"
    with pytest.raises(ModelError, match="outputs for 2 of 2 pictures are infinite or no numbers"):
        evaluate(classifier, load_data(classifier, str(pictures)))
    (told,) = predict(classifier, [str(pictures / "a" / "0.npy")])
    assert not told.top and "outputs for it are infinite or no numbers" in told.error


def test_commands_say_so(ruined, convcli):
    picture = ruined.parent / "set" / "a" / "0.npy"
    result = convcli("predict", picture, "--model", ruined, "--json")
    assert result.code == 1 and json.loads(result.out, parse_constant=refuse) == []
    result = convcli("evaluate", ruined, "--data", ruined.parent / "set", "--json")
    assert result.code == 1 and "infinite or no numbers" in json.loads(result.out)["error"]
