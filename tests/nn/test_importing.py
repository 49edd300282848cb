"""Networks of other programs: what ONNX, Keras and PyTorch wrote gives the same outputs here; what lacks is named."""

import io
import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from convcli.errors import ModelError
from convcli.jobs.importing import import_model
from convcli.nn.model import Model
from convcli.nn.onnx_constants import FOLDED
from convcli.nn.tensors import write_tensors
from convcli.nn.weights import ModelCard, TrainedModel, load_model, save_model


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Words, and whether the network is read by its nodes too when its file does not say whose it is.
EXPORTED = [
    (["conv:4,kernel=3,stride=2,padding=1,relu", "batch_norm", "silu", "pool:2", "flatten", "dense:5"], True),
    (["depthwise:3,depth_multiplier=2", "gelu", "pad:1,mode=edge", "average_pool:3,stride=2,ceil"], False),
    (["conv_transpose:3,kernel=3,stride=2,output_padding=1", "prelu", "global_max_pool", "dense:2,softmax"], True),
    (["separable_conv:4,same,hard_sigmoid", "upsample:2,bilinear", "upsample:3", "selu", "elu:0.5", "relu6"], True),
    (["conv:4,hard_swish", "conv:3,softplus"], True),
    (["[ conv:3,same | pool:2 conv:2,same upsample:2 | ]", "[ conv:7,kernel=1 + conv:7,same leaky_relu:0.3 ]"], True),
    (["conv:4", "group_norm:2", "layer_norm", "lrn:3", "min_pool:2"], False),
]  # fmt: skip


@pytest.mark.parametrize(("words", "by_nodes"), EXPORTED)
def test_what_export_writes_comes_back(words, by_nodes):
    onnx = pytest.importorskip("onnx")
    from convcli.nn.onnx_model import onnx_model

    model = Model.from_layers(words, (8, 6, 2), seed=2)
    for place, parameter in enumerate(model.parameters.values()):
        parameter.value += 0.1 * (place + 1)
    x = np.random.default_rng(3).normal(size=(2, 8, 6, 2)).astype(np.float32)
    proto = onnx_model(TrainedModel(model, ModelCard("made", (), None, 0, {}, {}, ())), None)
    onnx.save(proto, "own.onnx")
    del proto.metadata_props[:]
    onnx.save(proto, "plain.onnx")
    for name in ("own", "plain") if by_nodes else ("own",):
        report = import_model(f"{name}.onnx")
        read = load_model(report.path).model
        assert report.input == (8, 6, 2) and np.abs(read.forward(x) - model.forward(x)).max() < 1e-5
    if not by_nodes:
        with pytest.raises(Exception, match=r"plain\.onnx: holds \w+ .*which convcli lacks"):
            import_model("plain.onnx", overwrite=True)


def torch_networks():
    torch = pytest.importorskip("torch")
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x):
            return functional.relu(self.bn1(self.conv1(x)) + self.downsample(x))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.layer1, self.layer2 = nn.Conv2d(3, 4, 3, 1, 1), Block(4, 4, 1), Block(4, 8, 2)
            self.fc = nn.Linear(8, 5)

        def forward(self, x):
            x = self.layer2(self.layer1(functional.silu(self.stem(x))))
            return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())
            self.mid = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.PReLU(8))
            self.up, self.skip = nn.ConvTranspose2d(8, 4, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear")
            self.dec, self.out = nn.Conv2d(16, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

        def forward(self, x):
            near = self.enc(x)
            far = self.mid(functional.max_pool2d(near, 2))
            joined = torch.cat([self.up(far), near, self.skip(far)], 1)
            return self.out(functional.gelu(self.dec(joined))).softmax(1)

    lenet = nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 7), nn.LayerNorm(7), nn.Sigmoid(),
    )  # fmt: skip
    torch.manual_seed(0)
    return torch, {"lenet": (lenet, (1, 16, 16)), "resnet": (ResNet(), (3, 8, 8)), "unet": (UNet(), (1, 8, 8))}


# The same networks in our words, for their weights.
OURS = {
    "lenet": ["conv:3,kernel=5,padding=2,relu", "pool:2", "conv:4,kernel=5,relu", "average_pool:2", "flatten",
              "batch_norm,eps=0.00001", "dense:7", "layer_norm,eps=0.00001", "sigmoid"],
    "resnet": ["conv:4,padding=1,silu", *(
        f"[ conv:{wide},padding=1,stride={step},bias=no batch_norm,eps=0.00001 + "
        f"conv:{wide},kernel=1,stride={step},bias=no batch_norm,eps=0.00001 ] relu"
        for wide, step in ((4, 1), (8, 2))), "global_pool", "dense:5"],
}  # fmt: skip


def test_torchs_networks_give_their_outputs():
    torch, networks = torch_networks()
    pytest.importorskip("onnx")
    for name, (network, size) in networks.items():
        with torch.no_grad():
            for key, value in network.named_buffers():
                value.copy_(torch.rand_like(value.float()) + 0.5) if "var" in key or "mean" in key else None
        network.eval()
        x = torch.randn(2, *size)
        theirs = network(x).detach().numpy()
        theirs = np.moveaxis(theirs, 1, -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, x, f"{name}.onnx", dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"])
        read = load_model(import_model(f"{name}.onnx").path)
        assert np.abs(read.predict(np.moveaxis(x.numpy(), 1, -1)) - theirs).max() < 1e-5, name
        if name == "unet":
            continue
        arrays = {key: value.numpy() for key, value in network.state_dict().items()}
        write_tensors(Path(f"{name}_weights.safetensors"), arrays, {}, overwrite=False)
        table = {"input": [*size[1:], size[0]], "layers": OURS[name]}
        Path(f"{name}.json").write_text(json.dumps(table))
        report = import_model(f"{name}_weights.safetensors", f"w_{name}.safetensors", network=f"{name}.json")
        assert ("dense_1", "8" if name == "lenet" else "fc") in report.matched
        read = load_model(report.path)
        assert np.abs(read.predict(np.moveaxis(x.numpy(), 1, -1)) - theirs).max() < 1e-5, name


def keras_file(path, layers, arrays, kind="Functional", **config):
    """What Keras saves: a zip of the configuration and an HDF5 file of each layer's arrays."""
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, numbers in arrays.items():
            for place, each in enumerate(numbers):
                file[f"layers/{name}/vars/{place}"] = each
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps({"class_name": kind, "config": {"layers": layers, **config}}))
        archive.writestr("model.weights.h5", stream.getvalue())


def keras_layer(kind, name, sources=(), **config):
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [each, 0, 0]}} for each in sources]
    nodes = [{"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}] if tensors else []
    return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}


WINDOW = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "use_bias": True,
          "data_format": "channels_last"}  # fmt: skip


def test_a_keras_network_with_branches_gives_its_outputs(rng):
    layers = [
        keras_layer("InputLayer", "in", batch_shape=[None, 6, 6, 2]),
        keras_layer("Conv2D", "a", ["in"], filters=3, activation="relu", groups=1, **WINDOW),
        keras_layer("MaxPooling2D", "p", ["a"], pool_size=[2, 2], strides=[2, 2], padding="valid"),
        keras_layer("DepthwiseConv2D", "d", ["p"], depth_multiplier=2, activation="linear", **WINDOW),
        keras_layer("UpSampling2D", "u", ["d"], size=[2, 2], interpolation="nearest"),
        keras_layer("Concatenate", "c", ["u", "a"], axis=-1),
        keras_layer("Conv2D", "b", ["c"], filters=4, activation="linear", groups=1, **WINDOW),
        keras_layer("BatchNormalization", "n", ["b"], axis=-1, epsilon=0.01, center=True, scale=True),
        keras_layer("LeakyReLU", "l", ["n"], negative_slope=0.1),
        keras_layer("SpatialDropout2D", "s", ["l"], rate=0.5),
        keras_layer("GlobalAveragePooling2D", "g", ["s"], keepdims=False),
        keras_layer("Dense", "o", ["g"], units=3, use_bias=True, activation="softmax"),
    ]
    shapes = {
        "conv2d": [(3, 3, 2, 3), (3,)], "depthwise_conv2d": [(3, 3, 3, 2), (6,)], "conv2d_1": [(3, 3, 9, 4), (4,)],
        "batch_normalization": [(4,)] * 4, "dense": [(4, 3), (3,)],
    }  # fmt: skip
    arrays = {name: [rng.random(each).astype(np.float32) for each in sizes] for name, sizes in shapes.items()}
    keras_file("net.keras", layers, arrays, output_layers=["o", 0, 0])
    report = import_model("net.keras", classes=["a", "b", "c"])
    ours = Model.from_layers(
        ["conv:3,same,relu", "[ pool:2 depthwise:3,depth_multiplier=2,same upsample:2 | ]", "conv:4,same",
         "batch_norm,epsilon=0.01", "leaky_relu:0.1", "global_pool", "dense:3,softmax"], (6, 6, 2),
    )  # fmt: skip
    numbers = [each for name in shapes for each in arrays[name]]
    numbers[2] = numbers[2].reshape(3, 3, 1, 6)
    for parameter, each in zip(ours.parameters.values(), numbers, strict=True):
        parameter.assign(each)
    x = rng.random((2, 6, 6, 2)).astype(np.float32)
    read = load_model(report.path)
    assert read.classes == ("a", "b", "c") and np.abs(read.predict(x) - ours.forward(x)).max() < 1e-6
    assert not any(name.startswith("n1") for name in read.model.parameters)
    for last in (
        keras_layer("BatchNormalization", "o", ["g"], axis=[1], epsilon=0.01, center=True, scale=True),
        keras_layer("Softmax", "o", ["g"], axis=1),
    ):  # of flat values axis 1 is the channels
        numbers = arrays | {"batch_normalization_1": [np.ones(4, np.float32)] * 4}
        keras_file("flat.keras", [*layers[:-1], last], numbers, output_layers=["o", 0, 0])
        import_model("flat.keras", overwrite=True)
    layers[8] = keras_layer("Softmax", "l", ["n"], axis=1)
    keras_file("axis.keras", layers, arrays, output_layers=["o", 0, 0])
    with pytest.raises(ModelError, match="holds Softmax \\('l'\\) with axis 1"):
        import_model("axis.keras")
    layers[8] = keras_layer("Lambda", "l", ["n"])
    keras_file("lambda.keras", layers, arrays, output_layers=["o", 0, 0])
    with pytest.raises(Exception, match=r"lambda\.keras: holds Lambda \('l'\), which convcli lacks"):
        import_model("lambda.keras")


def test_keras_networks_with_channels_first_and_inputs_of_another_scale(rng):
    """Channels first or last the kernels are the same; here channels are always last."""
    shapes = {"conv2d": [(3, 3, 2, 3), (3,)], "conv2d_transpose": [(3, 3, 4, 3), (4,)],
              "batch_normalization": [(4,)] * 4, "dense": [(4 * 11 * 9, 3), (3,)]}  # fmt: skip
    arrays = {name: [rng.random(each).astype(np.float32) for each in sizes] for name, sizes in shapes.items()}
    x, told = rng.random((2, 6, 5, 2)).astype(np.float32), []
    for form, axis, shape in (("last", -1, [None, 6, 5, 2]), ("first", 1, [None, 2, 6, 5])):
        form = {"data_format": f"channels_{form}"}
        window = WINDOW | form
        layers = [
            keras_layer("InputLayer", "in", batch_shape=shape),
            keras_layer("Rescaling", "r", ["in"], scale=2.0, offset=-1.0),
            keras_layer("Conv2D", "a", ["r"], filters=3, activation="relu", groups=1, **window),
            keras_layer("Conv2DTranspose", "t", ["a"], filters=4, activation="linear", output_padding=0,
                        **window | {"strides": [2, 2]}),
            keras_layer("BatchNormalization", "n", ["t"], axis=axis, epsilon=0.01, center=True, scale=True),
            keras_layer("Flatten", "f", ["n"], **form),
            keras_layer("Dense", "o", ["f"], units=3, use_bias=True, activation="linear"),
        ]  # fmt: skip
        keras_file("net.keras", layers, arrays, output_layers=["o", 0, 0])
        told.append(load_model(import_model("net.keras", overwrite=True).path).predict(x))
    assert np.array_equal(*told)
    layers[5]["config"]["data_format"] = "channels_last"
    keras_file("net.keras", layers, arrays, output_layers=["o", 0, 0])
    with pytest.raises(ModelError, match=r"holds Flatten .* with channels last among channels first"):
        import_model("net.keras", overwrite=True)
    mean, variance = [0.5, 0.25], [4.0, 0.25]
    layers = [
        keras_layer("InputLayer", "in", batch_shape=[None, 2]),
        keras_layer("Normalization", "m", ["in"], axis=[-1], mean=None, variance=None, invert=False),
        keras_layer("Dense", "o", ["m"], units=2, use_bias=False, activation="linear"),
    ]
    numbers = {"normalization": [np.array(mean), np.array(variance), np.array(7)], "dense": [np.eye(2)]}
    keras_file("net.keras", layers, numbers, output_layers=["o", 0, 0])
    read = load_model(import_model("net.keras", overwrite=True).path)
    assert np.allclose(read.predict(x[:, 0, 0]), (x[:, 0, 0] - mean) / np.sqrt(variance), atol=1e-6)


def onnx_file(name, nodes, arrays, opset=13):
    """A small network of 1x4x4 numbers; what its output's shape is, says nobody."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(*each) for each in (("x", kind, [None, 1, 4, 4]), ("y", kind, None))]
    made = [helper.make_node(*each[:3], **(each[3] if len(each) > 3 else {})) for each in nodes]
    weights = [onnx.numpy_helper.from_array(np.asarray(each), key) for key, each in arrays.items()]
    graph = helper.make_graph(made, "g", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), name)


def test_what_onnx_means_otherwise_is_refused_or_right(rng):
    kernel, dense = rng.random((2, 1, 3, 3), np.float32), rng.random((16, 20), np.float32)
    conv = ("Conv", ["x", "k"], ["c"], {"pads": [1, 1, 1, 1]})
    row = [("Flatten", ["x"], ["f"]), ("MatMul", ["f", "w"], ["m"])]
    arrays = {"k": kernel, "w": dense, "s": np.array([1, 1, 3, 3], np.float32), "t": [-1, 2, 10], "r": [0, 2, -1]}
    turned = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    cases = [
        ([conv, ("Resize", ["c", "", "s"], ["y"], turned)], 13, "Resize with mode nearest, asymmetric, round_prefer"),
        ([conv, ("Resize", ["c", "", "s"], ["y"], {"nearest_mode": "ceil"})], 13, "Resize with mode nearest, half_pix"),
        ([conv, ("Upsample", ["c", "s"], ["y"], {"mode": "linear"})], 9, "Upsample with mode linear, asymmetric"),
        ([*row, ("Reshape", ["m", "t"], ["n"]), ("Softmax", ["n"], ["y"])], 13, "Reshape with a shape that is not fl"),
        ([*row, ("Cast", ["m"], ["i"], {"to": 6}), ("Cast", ["i"], ["y"], {"to": 1})], 13, "Cast with a type without"),
        ([conv, ("Reshape", ["c", "r"], ["n"]), ("Softmax", ["n"], ["y"])], 13, r"Softmax with axis -1"),
        ([conv, ("Softmax", ["c"], ["y"], {"axis": 1})], 11, "Softmax with maps in opset 11"),
        ([conv, ("HardSigmoid", ["c"], ["y"], {"alpha": 1 / 6, "beta": 0.4})], 13, "HardSigmoid with .* and beta 0.4"),
    ]
    for nodes, opset, message in cases:
        onnx_file("net.onnx", nodes, arrays, opset)
        with pytest.raises(ModelError, match=f"holds {message}"):
            import_model("net.onnx")
    # Amounts of padding that are computed from constants, as PyTorch writes them; gelu by its numbers, not its form.
    half, root = ("Constant", [], ["h"], {"value_float": 0.5}), ("Constant", [], ["q"], {"value_float": 2**0.5})
    pads = [("ConstantOfShape", ["n"], ["z"]), ("Concat", ["a", "z"], ["p"], {"axis": 0}),
            ("Reshape", ["p", "o"], ["l"]), ("Slice", ["l", "u", "e", "g", "u"], ["i"]),
            ("Transpose", ["i"], ["v"], {"perm": [1, 0]}), ("Reshape", ["v", "j"], ["b"]),
            ("Pad", ["c", "b"], ["d"])]  # fmt: skip
    gelu = [half, root, ("Div", ["d", "q"], ["r1"]), ("Erf", ["r1"], ["r2"]), ("Add", ["r2", "1"], ["r3"]),
            ("Mul", ["d", "r3"], ["r4"]), ("Mul", ["r4", "h"], ["y"])]  # fmt: skip
    given = {"k": kernel, "n": [4], "a": [1, 2, 0, 1], "o": [-1, 2], "g": [0], "e": [-999], "u": [-1], "j": [-1],
             "1": np.float32(1)}  # fmt: skip
    onnx_file("net.onnx", [conv, *pads, *gelu], given)
    read, x = load_model(import_model("net.onnx").path), rng.random((1, 4, 4, 1), np.float32)
    ours = Model.from_layers(["conv:2,padding=1,bias=no", "pad:1", "gelu"], (4, 4, 1))
    ours.parameters["conv_1/kernel"].assign(np.moveaxis(kernel, (0, 1), (-1, -2)))
    found = read.predict(x)
    assert found.shape == (1, 5, 7, 2) and np.abs(found[:, :4, 1:5] - ours.forward(x)[:, 1:5, 1:5]).max() < 1e-5
    onnx_file("net.onnx", [conv, *pads[:-1], ("Pad", ["c", "b"], ["y"])], given)
    maps = load_model(import_model("net.onnx", overwrite=True).path)
    means = [("GlobalAveragePool", ["d"], ["m"]), ("Flatten", ["m"], ["y"])]  # shapes that hang on those amounts
    cast = [("Reshape", ["v", "j"], ["whole"]), ("Cast", ["whole"], ["b"], {"to": 7}), pads[-1]]
    onnx_file("net.onnx", [conv, *pads[:-2], *cast, *means], given)
    read = load_model(import_model("net.onnx", overwrite=True).path)
    assert np.abs(read.predict(x) - maps.predict(x).mean((1, 2))).max() < 1e-6
    for name, value in (("h", 0.25), ("q", 2.0)):
        wrong = [(*each[:3], {"value_float": value}) if each[2] == [name] else each for each in gelu]
        onnx_file("net.onnx", [conv, *pads, *wrong], given)
        with pytest.raises(ModelError, match="holds Erf"):
            import_model("net.onnx", overwrite=True)
    onnx_file(
        "net.onnx", [("Transpose", ["x"], ["t"], {"perm": [2, 0, 1, 3]}), ("LSTM", ["t", "k", "k"], ["y"])], given
    )
    with pytest.raises(ModelError, match="holds LSTM, which convcli lacks"):
        import_model("net.onnx", overwrite=True)
    more = [("Identity", ["c"], ["d"]), ("Add", ["d", "b"], ["e"]), ("Add", ["e", "c"], ["y"])]
    onnx_file("net.onnx", [conv, *more], {"k": kernel, "b": np.full((1, 2, 1, 1), 5, np.float32)})
    read = load_model(import_model("net.onnx", overwrite=True).path)
    assert (read.predict(np.zeros((1, 4, 4, 1), np.float32)) == 5).all()  # the bias is one branch's alone


def test_constants_are_folded_as_onnx_has_it():
    numbers = np.arange(30).reshape(3, 10)
    back = [np.array([each]) for each in (9, -5, 1, -1)]  # from 9 down to before -5, along axis 1
    assert FOLDED["Slice"]({}, numbers, *back).tolist() == numbers[:, 9:5:-1].tolist()
    assert FOLDED["Div"]({}, np.array([-7, 7, -8]), np.array([2, -2, -2])).tolist() == [-3, -3, 4]
    wide = [("ConstantOfShape", [each], [f"z{each}"]) for each in "ab"]
    nodes = [("Conv", ["x", "k"], ["c"]), *wide, ("Add", ["za", "zb"], ["s"]), ("Add", ["c", "s"], ["y"])]
    onnx_file("net.onnx", nodes, {"k": np.ones((2, 1, 3, 3), np.float32), "a": [900_000, 1], "b": [1, 900_000]}, 13)
    with pytest.raises(ModelError, match="a constant of 810,000,000,000 numbers"):
        import_model("net.onnx")


def test_a_keras_file_brings_no_other_files_and_no_older_meaning_in():
    h5py = pytest.importorskip("h5py")
    Path("secret").write_bytes(bytes(range(128)))
    layers = [keras_layer("Dense", "o", units=4, use_bias=False, activation="linear")]
    secret = [(str(Path("secret").absolute()), 0, h5py.h5f.UNLIMITED)]
    virtual = h5py.VirtualLayout((8, 4), "f4")
    virtual[:] = h5py.VirtualSource("other.h5", "w", (8, 4))
    with h5py.File("other.h5", "w") as file:
        file["w"] = np.ones((8, 4), np.float32)
    steep = [{"class_name": "Activation", "config": {"name": "o", "activation": "hard_sigmoid"}}]
    with h5py.File("steep.h5", "w") as file:
        config = {"layers": steep, "build_input_shape": [None, 8]}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file.attrs["keras_version"] = "2.13.1"
        file.create_group("model_weights")
    with pytest.raises(ModelError, match=r"hard_sigmoid.* with the slope of Keras 2"):
        import_model("steep.h5")
    for name, words, message in (
        ("external", {"shape": (8, 4), "dtype": "f4", "external": secret}, "is a link, expected an array"),
        ("linked", None, "is a link, expected an array"),
        ("group", None, "'/' is a link, expected what the file itself holds"),
        ("virtual", virtual, "is a link, expected an array"),
        ("huge", {"shape": (10**7, 10**5), "dtype": "f4", "chunks": (10, 10)}, "--max-memory"),
    ):
        with h5py.File(f"{name}.h5", "w") as file:
            config = {"layers": layers, "build_input_shape": [None, 8]}
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
            if name == "group":
                file.create_group("model_weights")["o"] = h5py.ExternalLink(str(Path("other.h5").absolute()), "/")
            group = file.require_group("model_weights/o")
            group.attrs["weight_names"] = ["w"]
            if name == "group":
                pass
            elif words is None:
                group["w"] = h5py.ExternalLink(str(Path("other.h5").absolute()), "/w")
            elif words is virtual:
                group.create_virtual_dataset("w", virtual)
            else:
                group.create_dataset("w", **words)
        with pytest.raises(ModelError, match=message):
            import_model(f"{name}.h5")


def test_files_that_are_none(convcli, here):
    (here / "words.onnx").write_text("not a network")
    (here / "words.keras").write_text("not a zip")
    with zipfile.ZipFile("packed.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "model.weights.h5"):
            archive.writestr(name, "[0, 1]" * 99)
    packed = bytearray((here / "packed.keras").read_bytes())
    packed[41] = 0xFF  # of the first file's compressed bytes
    (here / "packed.keras").write_bytes(packed)
    (here / "words.h5").write_text("not HDF5")
    save_model("own.safetensors", Model.from_layers(["dense:2"], (3,)), ModelCard("own", (), None, 0, {}, {}, ()))
    write_tensors(here / "weights.safetensors", {"a.weight": np.zeros((2, 3), np.float32)}, {}, overwrite=False)
    cases = [
        (["words.onnx"], "words.onnx: is no ONNX network, expected one with nodes"),
        (["words.keras"], "words.keras: is no zip file, expected what Keras saves as .keras"),
        (["packed.keras"], "packed.keras: is not readable as a Keras model ('Error -3 while decompressing data"),
        (["words.h5"], "words.h5: is no HDF5 file, expected one that Keras saved"),
        (["model.pt"], "model.pt: is a pickle, and nothing is ever unpickled; save it there with safetensors.torch"),
        (["model.pb"], "model.pb: got the suffix '.pb', expected one of .onnx, .keras, .h5, .safetensors"),
        (["weights.safetensors"], "is a file of weights; say with -o where the model goes"),
        (["weights.safetensors", "-o", "m.safetensors"], "holds weights without a network, expected --model"),
        (["weights.safetensors", "-o", "m.safetensors", "--model", "digits"], "holds no weights for conv_1"),
        (["own.safetensors", "-o", "m.safetensors"], "own.safetensors: is convcli's own already"),
        (["missing.onnx"], "missing.onnx: no such file"),
    ]
    for words, message in cases:
        result = convcli("import", *words)
        assert result.code == 1 and message in result.err and result.err.count("\n") == 1, result.err
    assert not (here / "m.safetensors").exists()
