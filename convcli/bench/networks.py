"""Training and predicting with the MNIST network, beside the same network in torch, in both of its layouts."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance
from convcli.nn.losses import make_loss
from convcli.nn.model import Model
from convcli.nn.optimizers import make_optimizer

_BATCHES = (64, 256)
_TRAIN_IMAGES, _PREDICT_IMAGES, _SAMPLE = 60_000, 10_000, 6_400
_PREDICT_BATCH = 256
_TOLERANCE = Tolerance(1e-4, "relative")
_RATE = 1e-3


def head(setting: Setting) -> str:
    """What is measured and how."""
    return (
        "the MNIST network, float32, random pictures of MNIST's size in memory. train: softmax, cross-entropy, "
        "RMSprop; loss and gradients of a batch compared from the same weights; convcli: Model.loss_and_gradients and "
        f"optimizer.step. predict: batches of {_PREDICT_BATCH}; convcli: Model.predict. torch: eager, same batches"
    )


def cases(setting: Setting) -> list[Case]:
    """The groups train and predict."""
    sample = 256 if setting.quick else _SAMPLE
    predicted = 300 if setting.quick else _PREDICT_IMAGES
    return [
        *(
            Case(
                "train", "RMSprop", f"batch {n}", ("torch",), partial(_train, setting, n, sample),
                images=sample // n * n,
            )
            for n in _BATCHES
        ),
        Case(
            "predict", f"batch {_PREDICT_BATCH}", f"{predicted:,} images", ("torch",),
            partial(_predict, setting, predicted), images=predicted,
        ),
    ]  # fmt: skip


def _train(setting: Setting, batch: int, sample: int) -> Contest:
    generator = np.random.default_rng(5)
    count = 2 * sample if setting.quick else _TRAIN_IMAGES
    x, labels = generator.random((count, 28, 28, 1), dtype=np.float32), generator.integers(0, 10, count)
    model = Model.from_architecture("mnist", seed=1)
    loss, optimizer = make_loss("softmax_cross_entropy"), make_optimizer("rmsprop", learning_rate=_RATE)
    feed = _Feed(count, batch, sample)

    def run() -> None:
        for start in feed.starts():
            model.loss_and_gradients(x[start : start + batch], labels[start : start + batch], loss)
            optimizer.step(model.parameters)

    def check() -> tuple[Array, ...]:
        step = model.loss_and_gradients(x[:batch], labels[:batch], loss)
        return np.array(step.loss), *_to_torch([each.gradient for each in model.parameters.values()])

    sides = []
    if "torch" in setting.peers:
        state = model.state()
        sides = [_torch_training(state, x, labels, _Feed(count, batch, sample), last) for last in (False, True)]
    return Contest(Side("convcli", run, check=check), tuple(sides), _TOLERANCE)


def _predict(setting: Setting, count: int) -> Contest:
    x = np.random.default_rng(6).random((count, 28, 28, 1), dtype=np.float32)
    model = Model.from_architecture("mnist", seed=1)
    sides = []
    if "torch" in setting.peers:
        sides = [_torch_predicting(model.state(), x, last) for last in (False, True)]
    return Contest(Side("convcli", lambda: model.predict(x, _PREDICT_BATCH)), tuple(sides), _TOLERANCE)


@dataclass
class _Feed:
    """Where the batches of a run start; the next run goes on where the last one stopped."""

    count: int
    batch: int
    sample: int
    position: int = 0

    def starts(self) -> list[int]:
        """The starts of one run's batches."""
        found = []
        for _ in range(self.sample // self.batch):
            if self.position + self.batch > self.count:
                self.position = 0
            found.append(self.position)
            self.position += self.batch
        return found


def _torch_training(state: dict[str, Array], x: Array, labels: Array, feed: _Feed, channels_last: bool) -> Side:
    import torch

    network = _torch_network(state, channels_last)
    images, targets = _torch_images(x, channels_last), torch.from_numpy(labels)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=_RATE, alpha=0.9, eps=1e-7)
    loss = torch.nn.CrossEntropyLoss()
    batch = feed.batch

    def gradients(start: int) -> Any:
        optimizer.zero_grad()
        value = loss(network(images[start : start + batch]), targets[start : start + batch])
        value.backward()
        return value

    def run() -> None:
        for start in feed.starts():
            gradients(start)
            optimizer.step()

    def check() -> tuple[Array, ...]:
        value = gradients(0)
        return np.array(value.item()), *(each.grad.numpy().copy() for each in network.parameters())

    return Side(_layout_name(channels_last), run, "torch", check)


def _torch_predicting(state: dict[str, Array], x: Array, channels_last: bool) -> Side:
    import torch

    network = _torch_network(state, channels_last).eval()
    images = _torch_images(x, channels_last)

    def run() -> Any:
        with torch.inference_mode():
            parts = [torch.softmax(network(part), 1) for part in torch.split(images, _PREDICT_BATCH)]
            return torch.cat(parts).numpy()

    return Side(_layout_name(channels_last), run, "torch")


def _torch_network(state: dict[str, Array], channels_last: bool) -> Any:
    """The lecture's network with our weights."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, ours in zip(network.parameters(), _to_torch(list(state.values())), strict=True):
            parameter.copy_(torch.from_numpy(ours))
    return network.to(memory_format=torch.channels_last) if channels_last else network


def _torch_images(x: Array, channels_last: bool) -> Any:
    """The same memory for both: one channel lies the same way in either layout."""
    import torch

    images = torch.from_numpy(x).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last) if channels_last else images.contiguous()


def _to_torch(arrays: list[Array]) -> list[Array]:
    """Kernels (KH, KW, C, O) to (O, C, KH, KW), dense ones to (O, C), the first after its flattened 3x3x64 map."""
    found = []
    for array in arrays:
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 2 and array.shape[0] == 576:
            array = array.reshape(3, 3, 64, -1).transpose(3, 2, 0, 1).reshape(-1, 576)
        elif array.ndim == 2:
            array = array.T
        found.append(np.array(array, order="C"))
    return found


def _layout_name(channels_last: bool) -> str:
    return "torch channels-last" if channels_last else "torch contiguous"
