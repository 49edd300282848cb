"""The CNN engine: layers with proven gradients, losses, optimizers, schedules, and the model that joins them.

    model = Model.from_architecture("mnist", seed=0)
    optimizer = make_optimizer("rmsprop")
    step = model.loss_and_gradients(images, labels)
    optimizer.step(model.parameters)
    probabilities = model.predict(images)

Layers find their geometry in the plan (`convcli.architectures`) and their arithmetic in `convcli.ops`, the same
functions that filter images.
"""

from convcli.nn.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy, make_loss
from convcli.nn.model import Model, TrainingStep
from convcli.nn.optimizers import SGD, Adam, AdamW, RMSprop, WeightAverage, make_optimizer
from convcli.nn.schedules import Constant, Cosine, OneCycle, Step, WarmUp, make_schedule

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "BinaryCrossEntropy",
    "Constant",
    "Cosine",
    "MeanSquaredError",
    "Model",
    "OneCycle",
    "RMSprop",
    "SoftmaxCrossEntropy",
    "Step",
    "TrainingStep",
    "WarmUp",
    "WeightAverage",
    "make_loss",
    "make_optimizer",
    "make_schedule",
]
