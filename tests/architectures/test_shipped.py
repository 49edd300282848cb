"""Every shipped architecture: its parameters, its shapes at the places papers name, and that it reads back."""

import pytest

from convcli.architectures import load, plan_network, read_text, shipped, write_text

PARAMETERS = {
    "alexnet": 60_965_224,
    "cats-dogs": 3_453_121,
    "cifar10": 703_594,
    "deep": 140_122,
    "denoiser": 16_081,
    "dense": 407_050,
    "digits": 38_282,
    "features": 5_898,
    "forecast": 17_081,
    "googlenet": 6_998_552,
    "lenet5": 61_706,
    "lenet5-1998": 60_850,
    "mnist": 93_322,
    "mobilenet": 4_253_864,
    "pictures": 98_810,
    "resnet18": 11_699_112,
    "resnet20": 274_042,
    "series": 44_842,
    "unet": 31_030_658,
    "unet-small": 116_770,
    "vgg16": 138_357_544,
    "volumes": 45_826,
}


def plan(name):
    return plan_network(load(name))


def layer(network, name):
    return next(each for each in network.flat(heads=True) if each.name == name)


def test_all_are_counted_here():
    assert set(shipped()) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    assert plan(name).params == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_says_its_source_and_title_and_reads_back(name):
    spec = load(name)
    assert spec.name == name and spec.source and len(spec.title) <= 42
    again = plan_network(read_text(write_text(spec), name))
    flat = list(plan_network(spec).flat(heads=True))
    assert [(each.name, each.type, each.output, each.windows, each.settings, each.field) for each in flat] == [
        (each.name, each.type, each.output, each.windows, each.settings, each.field) for each in again.flat(heads=True)
    ]
    assert len({each.name for each in flat}) == len(flat)


def test_mnist_layer_by_layer():
    counted = [(each.output, each.params) for each in plan("mnist").layers]
    assert counted == [
        ((26, 26, 32), 320),
        ((13, 13, 32), 0),
        ((11, 11, 64), 18_496),
        ((5, 5, 64), 0),
        ((3, 3, 64), 36_928),
        ((576,), 0),
        ((64,), 36_928),
        ((10,), 650),
    ]


def test_the_lectures_summary_table():
    counted = [each.params for each in plan("cats-dogs").layers if each.params]
    assert counted == [896, 18_496, 73_856, 147_584, 3_211_776, 513]
    assert (6272,) in [each.output for each in plan("cats-dogs").layers]


def test_lenet_of_1998():
    network = plan("lenet5-1998")
    counts = {name: layer(network, name).params for name in ("C1", "S2_weights", "C3", "S4_weights", "C5", "F6")}
    # LeCun et al. 1998, section II.B: 156, 12, 1,516, 32, 48,120 and 10,164; 60,000 trainable parameters in all.
    assert list(counts.values()) == [156, 12, 1516, 32, 48_120, 10_164]
    assert sum(counts.values()) == 60_000
    assert sum(len(row) for row in layer(network, "C3").settings["connections"]) == 60


def test_alexnet():
    network = plan("alexnet")
    assert [layer(network, f"conv{number}").output for number in range(1, 6)] == [
        (55, 55, 96),
        (27, 27, 256),
        (13, 13, 384),
        (13, 13, 384),
        (13, 13, 256),
    ]
    assert layer(network, "conv2").params == 307_456
    assert [layer(network, name).params for name in ("fc6", "fc7", "fc8")] == [37_752_832, 16_781_312, 4_097_000]


def test_googlenet():
    network = plan("googlenet")
    # Szegedy et al. 2015, Table 1, column "output size".
    sizes = {"3a": (28, 256), "3b": (28, 480), "4a": (14, 512), "4b": (14, 512), "4c": (14, 512)}
    sizes |= {"4d": (14, 528), "4e": (14, 832), "5a": (7, 832), "5b": (7, 1024)}
    for name, (side, channels) in sizes.items():
        assert layer(network, f"inception_{name}").output == (side, side, channels)
    assert [head.all_params for head in network.heads] == [3_188_840, 3_190_888]
    assert network.params + sum(head.all_params for head in network.heads) == 13_378_280
    assert layer(network, "head_1/pool_1").output == (4, 4, 512)
    assert layer(network, "head_2/pool_1").output == (4, 4, 528)


def test_vgg():
    network = plan("vgg16")
    assert layer(network, "fc6").params == 102_764_544
    assert layer(network, "conv5_3").field[0].size == 196


def test_residual_networks():
    # torchvision's resnet18, and He et al. 2016, Table 6: 0.27 million. They count what is learnt.
    network, small = plan("resnet18"), plan("resnet20")
    assert (network.params - network.untrained, small.params - small.untrained) == (11_689_512, 272_474)
    assert [layer(network, f"conv{number}_b").output for number in range(2, 6)] == [
        (56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512),
    ]  # fmt: skip
    assert round(network.macs / 1e9, 1) == 1.8 and layer(small, "conv4_c").output == (8, 8, 64)


def test_mobilenet():
    network = plan("mobilenet")
    # Howard et al. 2017, Table 4: 569 million multiply-adds, 4.2 million parameters; Keras counts 4,231,976 learnt.
    assert (round(network.macs / 1e6), network.params - network.untrained) == (569, 4_231_976)
    assert layer(network, "conv_pw_13").output == (7, 7, 1024)


def test_u_nets_answer_for_each_pixel():
    network = plan("unet")
    assert network.output == (512, 512, 2) and plan("unet-small").output == (64, 64, 2)
    bottom = next(each for each in network.flat() if each.output == (32, 32, 1024))
    assert bottom.params == 9 * 512 * 1024 + 1024
    assert plan("denoiser").output == (32, 32, 1) and plan("forecast").output == (4, 16, 16, 1)
