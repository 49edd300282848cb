"""Layers, losses and optimizers against PyTorch, where it is installed."""

import numpy as np
import pytest

from convcli.nn import Model, SoftmaxCrossEntropy, make_optimizer

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def to_torch(array):
    """Channels first, and remembering gradients."""
    return torch.tensor(np.moveaxis(array, -1, 1).copy(), requires_grad=True)


def weights_to_torch(kernel):
    """(KH, KW, C, O) -> (O, C, KH, KW)."""
    return torch.tensor(kernel.transpose(3, 2, 0, 1).copy(), requires_grad=True)


def test_a_network_gives_torchs_outputs_loss_and_gradients(rng):
    words = [
        "conv:6,kernel=3,padding=1,stride=2,relu", "batch_norm,epsilon=0.00001", "depthwise:3,padding=1,elu",
        "pool:3,stride=2,padding=1", "lrn:5,alpha=0.2,k=1", "average_pool:2,stride=1", "flatten", "dense:8,gelu",
        "dense:5,softmax",
    ]  # fmt: skip
    model = Model.from_layers(words, (13, 12, 4), dtype=np.float64, seed=3)
    x, labels = rng.standard_normal((6, 13, 12, 4)), rng.integers(0, 5, 6)
    step = model.loss_and_gradients(x, labels, SoftmaxCrossEntropy(0.1), input_gradient=True)

    value = {name: each.value for name, each in model.parameters.items()}
    learnt = {name: torch.tensor(each, requires_grad=True) for name, each in value.items()}
    first, depthwise = weights_to_torch(value["conv_1/kernel"]), weights_to_torch(value["depthwise_1/kernel"])
    image = to_torch(x)
    y = functional.relu(functional.conv2d(image, first, learnt["conv_1/bias"], stride=2, padding=1))
    y = functional.batch_norm(y, None, None, learnt["batch_norm_1/gamma"], learnt["batch_norm_1/beta"], True, eps=1e-5)
    y = functional.elu(functional.conv2d(y, depthwise, learnt["depthwise_1/bias"], padding=1, groups=6))
    y = functional.max_pool2d(y, 3, 2, 1)
    y = functional.local_response_norm(y, 5, 0.2 * 5, 0.75, 1)
    y = functional.avg_pool2d(y, 2, 1).permute(0, 2, 3, 1).flatten(1)
    y = functional.gelu(y @ learnt["dense_1/kernel"] + learnt["dense_1/bias"])
    y = y @ learnt["dense_2/kernel"] + learnt["dense_2/bias"]
    loss = functional.cross_entropy(y, torch.tensor(labels), label_smoothing=0.1)
    loss.backward()

    assert step.loss == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(step.outputs, y.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(step.input_gradient, np.moveaxis(image.grad.numpy(), 1, -1), rtol=1e-7, atol=1e-12)
    for name, kernel in (("conv_1", first), ("depthwise_1", depthwise)):
        ours = model.parameters[f"{name}/kernel"].gradient
        np.testing.assert_allclose(ours, kernel.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-7, atol=1e-12)
    for name in ("conv_1/bias", "batch_norm_1/gamma", "batch_norm_1/beta", "dense_1/kernel", "dense_2/bias"):
        np.testing.assert_allclose(model.parameters[name].gradient, learnt[name].grad.numpy(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_adaptive_pooling_and_its_gradient_are_torchs(mode, rng):
    model = Model.from_layers([f"adaptive_pool:3x4,{mode}", "flatten"], (7, 10, 2), dtype=np.float64)
    x, gradient = rng.standard_normal((2, 7, 10, 2)), rng.standard_normal((2, 3, 4, 2))
    image = to_torch(x)
    pool = functional.adaptive_max_pool2d if mode == "max" else functional.adaptive_avg_pool2d
    theirs = pool(image, (3, 4))
    theirs.backward(torch.tensor(np.moveaxis(gradient, -1, 1).copy()))
    layer = model.layers[0]
    np.testing.assert_allclose(layer.forward(x, training=True), np.moveaxis(theirs.detach().numpy(), 1, -1), rtol=1e-12)
    np.testing.assert_allclose(layer.backward(gradient), np.moveaxis(image.grad.numpy(), 1, -1), rtol=1e-12)


def of_kernel(kernel):
    """(*kernel, C, O) of a layer as (O, C, *kernel)."""
    return torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1)).copy())


# Words, and what torch has for them: a function of the input and of the layer's numbers by name.
OTHERS = [
    ("separable_conv:6,kernel=3x2,stride=2,padding=1,depth_multiplier=2", lambda x, p: functional.conv2d(
        functional.conv2d(x, of_kernel(p["depthwise_kernel"]), stride=2, padding=1, groups=4),
        of_kernel(p["kernel"]), torch.tensor(p["bias"]))),
    ("layer_norm,eps=0.01,gamma_initializer=random_normal:1", lambda x, p: functional.layer_norm(
        x.movedim(1, -1), (4,), torch.tensor(p["gamma"]), torch.tensor(p["beta"]), 0.01).movedim(-1, 1)),
    ("group_norm:2,beta_initializer=random_normal:1", lambda x, p: functional.group_norm(
        x, 2, torch.tensor(p["gamma"]), torch.tensor(p["beta"]), 1e-3)),
    ("upsample:3", lambda x, p: functional.interpolate(x, scale_factor=3, mode="nearest")),
    ("upsample:2x3,bilinear", lambda x, p: functional.interpolate(x, scale_factor=(2, 3), mode="bilinear")),
    ("prelu,alpha_initializer=random_normal:1", lambda x, p: functional.prelu(x, torch.tensor(p["alpha"]))),
    ("silu", lambda x, p: functional.silu(x)),
    ("selu", lambda x, p: functional.selu(x)),
    ("hard_sigmoid", lambda x, p: functional.hardsigmoid(x)),
    ("relu6", lambda x, p: functional.relu6(x)),
    ("hard_silu", lambda x, p: functional.hardswish(x)),
    ("softplus", lambda x, p: functional.softplus(x)),
    ("GlobalMaxPooling2D", lambda x, p: functional.adaptive_max_pool2d(x, 1).flatten(1)),
]  # fmt: skip


@pytest.mark.parametrize(("words", "theirs"), OTHERS)
def test_other_layers_and_their_gradients_are_torchs(words, theirs, rng):
    (layer,) = Model.from_layers([words], (7, 6, 4), dtype=np.float64, seed=4).layers
    x = rng.standard_normal((3, 7, 6, 4)) * 4
    image = to_torch(x)
    output = theirs(image, {each.name: each.value for each in layer.parameters})
    ours = layer.forward(x, training=True)
    gradient = rng.standard_normal(ours.shape)
    output.backward(torch.tensor(np.moveaxis(gradient, -1, 1).copy()))
    np.testing.assert_allclose(ours, np.moveaxis(output.detach().numpy(), 1, -1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.backward(gradient), np.moveaxis(image.grad.numpy(), 1, -1), rtol=1e-7, atol=1e-11)


OPTIMIZERS = [
    ("sgd", {"learning_rate": 0.1}, lambda p: torch.optim.SGD(p, 0.1)),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    ),
    ("adam", {"epsilon": 1e-12}, lambda p: torch.optim.Adam(p, 1e-3, eps=1e-12)),
    ("adamw", {"epsilon": 1e-12}, lambda p: torch.optim.AdamW(p, 1e-3, eps=1e-12, weight_decay=0.004)),
    ("rmsprop", {"epsilon": 1e-16}, lambda p: torch.optim.RMSprop(p, 1e-3, alpha=0.9, eps=1e-12)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "theirs"), OPTIMIZERS)
def test_optimizers_take_torchs_steps(name, settings, theirs, rng):
    from convcli.nn.layer import Parameter

    start = rng.standard_normal((4, 3))
    ours = Parameter("kernel", start.copy(), decays=True)
    other = torch.tensor(start.copy(), requires_grad=True)
    optimizer, reference = make_optimizer(name, **settings), theirs([other])
    for _ in range(5):
        gradient = rng.standard_normal((4, 3))
        ours.gradient[...] = gradient
        other.grad = torch.tensor(gradient)
        optimizer.step({"kernel": ours})
        reference.step()
    np.testing.assert_allclose(ours.value, other.detach().numpy(), rtol=1e-7)


def test_one_cycle_is_torchs():
    from convcli.nn import OneCycle

    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], 0.1)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)
    schedule = OneCycle(0.1, 20)
    for step in range(20):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if step < 19:
            reference.step()
