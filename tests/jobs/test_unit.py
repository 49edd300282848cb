"""Any number of any layer, taken apart: what its cells and weights sum to is what the network gives."""

import numpy as np
import pytest

from convcli.datasets.preprocessing import Preprocessing
from convcli.errors import ConvcliError
from convcli.jobs.classifier import Classifier, classifier_of
from convcli.jobs.unit import unit_of
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, TrainedModel

LAYERS = (
    "conv:4,kernel=3,padding=same,stride=2,relu", "conv:6,kernel=3,dilation=2,groups=2", "batch_norm", "relu",
    "depthwise,kernel=3,padding=1", "conv_transpose:4,kernel=3,stride=2", "pool:3,stride=2,padding=1",
    "pool:2,mode=average", "flatten", "dense:5,tanh", "dense:3,softmax",
)  # fmt: skip


@pytest.fixture(scope="module")
def classifier():
    model = Model.from_layers(LAYERS, (20, 18, 3), seed=3)
    generator = np.random.default_rng(1)
    for name, each in model.parameters.items():
        if name.split("/")[1] in ("bias", "beta", "moving_mean"):
            each.assign(generator.normal(0, 0.2, each.value.shape).astype(np.float32))
    rule = Preprocessing("picture", 20, 18, 3).as_dict()
    return classifier_of(TrainedModel(model, ModelCard("things", ("a", "b", "c"), rule, 0, {}, {}, ())), None)


def test_every_layer_gives_what_its_cells_sum_to(classifier: Classifier, rng):
    pixels = rng.random((20, 18, 3), dtype=np.float32)
    model = classifier.trained.model
    outputs = {"input": pixels} | {name: output[0].copy() for name, output in model.trace(pixels[None])}
    for layer in model.plan.layers:
        for _ in range(4):
            *place, channel = (int(rng.integers(n)) for n in layer.output)
            unit = unit_of(classifier, pixels, layer.name, tuple(place), channel)
            assert unit.value == outputs[layer.name][(*place, channel)]
            steps = {step.name: step.value for step in unit.steps}
            if unit.weights is not None:
                summed = float((unit.inputs.astype(np.float64) * unit.weights).sum())
                assert steps["Sum"] == pytest.approx(summed)
                summed = steps.get("Bias", summed)
                after = {"relu": max(summed, 0), "tanh": np.tanh(summed)}.get(layer.settings["activation"].name, summed)
                assert after == pytest.approx(unit.value, abs=2e-5), layer.name
            elif layer.type == "pool":
                inside = [[n is not None and 0 <= n < size for n in places]
                          for places, size in zip((unit.rows, unit.columns), layer.input, strict=False)]  # fmt: skip
                cells = unit.inputs[np.ix_(*map(np.flatnonzero, inside))]
                chosen = cells.max() if layer.settings["mode"] == "max" else cells.mean()
                assert chosen == pytest.approx(unit.value, abs=1e-6)
            # Its cells are the earlier layer's.
            for i, row in enumerate(unit.rows):
                for j, column in enumerate(unit.columns):
                    source = outputs[unit.source]
                    if source.ndim == 3 and row is not None and column is not None:
                        if 0 <= row < source.shape[0] and 0 <= column < source.shape[1]:
                            np.testing.assert_array_equal(unit.inputs[i, j], source[row, column, unit.channels])
                        else:
                            assert not unit.inputs[i, j].any()
    assert unit.steps[-1].name == "Output"
    assert unit.steps[-1].value == pytest.approx(float(outputs["output"][channel]))


@pytest.mark.parametrize(("layer", "place", "channel", "message"), [
    ("nothing", (0, 0), 0, "layer: got 'nothing', expected one of conv_1"),
    ("conv_1", (0,), 0, "unit: got (0, 0), expected a place in (10, 9, 4), from 0"),
    ("conv_1", (10, 0), 0, "unit: got (10, 0, 0), expected a place in (10, 9, 4)"),
    ("dense_1", (), 5, "unit: got (5,), expected a place in (5,)"),
])  # fmt: skip
def test_numbers_that_are_not_there(classifier, layer, place, channel, message):
    with pytest.raises(ConvcliError) as error:
        unit_of(classifier, np.zeros((20, 18, 3), np.float32), layer, place, channel)
    assert message in str(error.value)
