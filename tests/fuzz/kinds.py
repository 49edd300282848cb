"""The kinds of cases. ``KINDS[kind](seed, number)`` makes one, always the same for the same numbers."""

import random
import zlib
from functools import partial

from . import arrays, seeds, words
from .case import Case
from .commands import command_line
from .mutations import damage

# Kernels whose loops most machines have, and that touch every pixel.
_FILTERS = (
    ("filter", "-k", "identity"),
    ("filter", "-k", "box:size=3"),
    ("pool", "--size", "2"),
    ("pad", "--amount", "1"),
)
_RESULTS = ("png", "png", "tif", "jpg", "webp", "gif", "bmp", "npy", "ppm", "npz", "tga", "qoi", "jp2", "jxl", "avif")


def _picture(rng, corpus, suffix, form):
    """A damaged picture goes through a command."""
    command = list(rng.choice(_FILTERS))
    options = ["--max-pixels", "1000000", "--threads", "1"]
    options += [word for word in ("--strip", "--json", "-q", "--alpha=drop", "--depth=16") if rng.random() < 0.08]
    if command[0] == "pad":
        options = [word for word in options if "=" not in word]
    return _through(
        rng, corpus, suffix, form, [command[0], f"in.{suffix}", *command[1:], *options], rng.choice(_RESULTS)
    )


def _through(rng, corpus, suffix, form, command, result):
    found = corpus()
    content = damage(rng, rng.choice(found), found, form)
    return Case((*command, "-o", f"out.{result}"), {f"in.{suffix}": content})


def _signal(rng, corpus, suffix, form):
    command = rng.choice(
        (
            ["filter", "-k", "box:size=3"],
            ["filter", "-k", "identity"],
            ["pool", "--size", "2"],
            ["pad", "--amount", "1"],
        )
    )
    return _through(rng, corpus, suffix, form, [command[0], f"in.{suffix}", *command[1:], "--threads", "1"], suffix)


def _volume(rng):
    command = rng.choice(
        (
            ["filter", "-k", "box3d:size=3"],
            ["filter", "-k", "identity"],
            ["pool", "--size", "2"],
            ["pad", "--amount", "1"],
        )
    )
    stacks = ("--axes zyx", "--axes tzcyx", "--axes zyx --channel 1", "--axes yx", "--each-plane")
    axes = rng.choice(stacks).split()
    if axes[-1] in ("yx", "--each-plane"):
        command = [word.replace("box3d", "box") for word in command]
    words = [command[0], "in.scan", *command[1:], *axes, "--max-pixels", "1000000", "--threads", "1"]
    return _through(
        rng, seeds.scans, "scan", rng.choice(("tiff", "gif", "riff", None)), words, rng.choice(("tif", "npy"))
    )


def _nifti(rng):
    command = rng.choice((["filter", "-k", "identity"], ["pool", "--size", "2"], ["pad", "--amount", "1"]))
    axes = rng.choice(("--axes zyx", "--axes zyx", "--axes yx", "--axes tzyx --time 1")).split()
    words = [command[0], "in.nii", *command[1:], *axes, "--max-pixels", "1000000", "--threads", "1"]
    return _through(rng, seeds.nifti, "nii", "nifti", words, rng.choice(("nii", "nii.gz", "tif", "npy", "npz")))


def _store(rng):
    """A Zarr store of which a file is damaged, or gone."""
    files = dict(rng.choice(seeds.stores()))
    about = [name for name in files if "/" not in name or name.endswith((".json", ".zarray"))]
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(about if rng.random() < 0.7 else list(files))
        if rng.random() < 0.1 and len(files) > 1:
            files.pop(name, None)
        elif name in files:
            files[name] = damage(rng, files[name], list(files.values()), "json")
    command = rng.choice((["filter", "-k", "identity"], ["pool", "--size", "2"], ["pad", "--amount", "1"]))
    options = rng.choice(([], [], ["--each-plane"], ["--axes", "tzyx"], ["--overwrite"]))
    words = [command[0], "in.zarr", *command[1:], *options, "--max-pixels", "1000000", "--threads", "1"]
    output = rng.choice(("out.zarr", "out.zarr", "out.npy", "out.tif"))
    return Case((*words, "-o", output), {f"in.zarr/{name}": content for name, content in files.items()})


def _film(rng):
    """Frames of video, as many bytes of them as there are, in words that may not be theirs."""
    command = rng.choice((["filter", "-k", "identity"], ["pool", "--size", "2"], ["pad", "--amount", "1"]))
    size = words.odd(rng, rng.choice(("6x4", "6x4", "3x4", "12x6", "6x4x3", "1000x900")), 0.15)
    kinds = ("rgb24", "gray", "rgba", "gray16le", "rgb48le", "bgr24", "yuv420p", "rgb")
    option = "--size" if command[0] == "filter" else "--frame-size"
    line = [command[0], "-", *command[1:], "--format", "rawvideo", option, size, "--threads", "1"]
    line += ["--pix-fmt", words.odd(rng, rng.choice(kinds), 0.1)] if rng.random() < 0.6 else []
    return Case(tuple(line), stdin=damage(rng, seeds.film(), [seeds.film()]))


def _seen(rng):
    """Damaged pictures where other commands look at them."""
    corpus, suffix, form = rng.choice(_PICTURES)
    found = corpus()
    content = damage(rng, rng.choice(found), found, form)
    name = f"in.{suffix}"
    command = rng.choice(
        (
            ["predict", name, "--show", "seen.png"],
            ["compare", name, name],
            ["compare", name, "right.png", "-o", "out.png"],
            ["explain", name, "-k", "box:size=3", "-o", "page.html"],
            ["gallery", name, "-k", "box:size=3", "-o", "sheet.png", "--cell", "40"],
            ["morph", "dilate", name, "--size", "3", "-o", "out.png"],
            ["saliency", "made.safetensors", name, "-o", "out.png"],
            ["features", "made.safetensors", name, "-o", "out.png"],
            ["equivariance", name, "-k", "box:size=3"],
            ["receptive", "lenet5", "--image", name, "-o", "out.png"],
        )
    )
    files = {name: content, "right.png": seeds.png()[4], "made.safetensors": seeds.models()[2]}
    return Case((*command, "--max-pixels", "1000000"), files)


def _kernel(rng):
    spec = words.kernel(rng)
    return Case(
        rng.choice(
            (("kernel", "show", spec), ("kernel", "show", spec), ("filter", "in.npy", "-k", spec, "-o", "out.png"))
        ),
        _PICTURE,
    )


def _kernel_file(rng):
    found = seeds.kernel_files()
    suffix, content = rng.choice(found)
    contents = [each for _, each in found]
    content = damage(rng, content, contents, "text" if suffix != "npy" else None)
    return Case(("kernel", "show", f"k.{suffix}"), {f"k.{suffix}": content})


def _layers(rng):
    size = words.odd(rng, rng.choice(("8x8x1", "28x28x3", "9x4", "100x2", "5x6x7x1", "64")), 0.1)
    layers = [words.layer(rng) for _ in range(rng.choice((1, 1, 2, 3, 5)))]
    options = [each for each in ("--json", "--expand", "--dimensions=1", "--plot=out.svg") if rng.random() < 0.1]
    return Case(("shape", *options, "--input", size, "--", *layers))


def _toml(rng):
    found = seeds.architectures()
    content = damage(rng, rng.choice(found), found, "text")
    command = rng.choice(
        (["summary"], ["summary"], ["summary", "--json"], ["receptive"], ["shape", "--input", "8x8x1"])
    )
    return Case((*command, "net.toml"), {"net.toml": content})


def _model(rng):
    found = seeds.models()
    files = {"made.safetensors": damage(rng, rng.choice(found), found, "safetensors"), "in.png": seeds.png()[1]}
    model = "made.safetensors"
    command = rng.choice(
        (
            ("summary", model),
            ("predict", "in.png", "--model", model),
            ("predict", "in.png", "--model", model, "--json"),
            ("evaluate", model, "--data", "data"),
            ("export", model, "-o", "out.onnx"),
            ("filters", model, "-o", "out.png"),
            ("receptive", model),
        )
    )
    return Case(command, files | (seeds.class_folder() if "data" in command else {}))


def _checkpoint(rng):
    found = seeds.checkpoints()
    files = {"m.checkpoint.safetensors": damage(rng, rng.choice(found), found, "safetensors"), **seeds.class_folder()}
    return Case(("train", "--resume", "m.checkpoint.safetensors"), files)


def _template(rng):
    options = rng.choice((["--overwrite"], ["--skip-existing"], [], [], ["--format", words.odd(rng, "png", 0.3)]))
    names = rng.choice((["in.npy"], ["in.npy", "other.npy"], ["*.npy"], ["."]))
    files = {**_PICTURE, "other.npy": seeds.npy()[1]}
    return Case(("filter", *names, "-k", "identity", "-o", words.template(rng), *options), files)


def _name(rng):
    """Files with odd names, as commands that print names see them."""
    name = rng.choice(
        [each for each in words.ODD if 0 < len(each) < 99 and not set(each) & set("/\0\ud800") and each not in "..."]
    )
    name += rng.choice((".npy", ".npy", "", ".txt", ".csv", ".toml", ".safetensors"))
    content = {"toml": seeds.TINY, "txt": b"1 2\n3 x\n", "csv": b"a\x1b,b\n1,2\n3,4\n"}.get(
        name.rpartition(".")[2], seeds.npy()[1]
    )
    content = damage(rng, content, [content]) if rng.random() < 0.3 else content
    command = rng.choice(
        (
            ["filter", "--", name],
            ["filter", name, "-k", "identity"],
            ["filter", ".", "-k", "identity", "-o", "out/"],
            ["kernel", "show", name],
            ["summary", name],
            ["predict", name],
            ["compare", name, name],
            ["evaluate", name],
            ["train", name],
            ["shape", "--input", "8x8x1", name],
            ["explain", name, "-k", "box:size=3"],
            ["morph", "dilate", name, "--size", "3"],
            [name],
            ["filter", f"--{name}"],
            ["kernel", "list", name],
            ["data", "path", name],
        )
    )
    return Case(tuple(command), {name: content})


def _recipe(rng):
    values = {
        "--optimizer": (
            "sgd",
            "adam",
            "adamw",
            "rmsprop",
            "sgd:momentum=0.9",
            "sgd:momentum=0.9,nesterov=1",
            "adam:beta_1=0.5",
        ),
        "--lr": ("0.1", "1", "1e-3", "1e30", "0"),
        "--schedule": ("constant", "step", "cosine", "one_cycle"),
        "--warm-up": ("0", "1", "0.5", "9"),
        "--weight-decay": ("0", "0.1", "2"),
        "--label-smoothing": ("0", "0.1", "1"),
        "--clip-norm": ("0", "1", "1e-9"),
        "--average": ("0", "0.9", "1"),
        "--augment": ("none", "shift=2", "rotation=10,scale=0.1", "elastic=1", "flip=1", "shear=0.1"),
        "--validation": ("0", "0.5", "1", "2", "0.01"),
        "--patience": ("0", "1"),
        "--batch-size": ("1", "2", "64"),
        "--epochs": ("1", "1", "2"),
        "--seed": ("0", "7"),
        "--limit": ("2", "3", "1"),
        "--size": ("8x8", "4x4", "1x1", "9"),
        "--preset": ("default", "lecture", "fast", "best"),
        "--log": ("out.csv", "out.json", "out.txt"),
    }
    options = []
    for name in rng.sample(list(values), rng.choice((1, 1, 2, 3))):
        word = rng.choice(values[name])
        options += [name, words.bent(rng, word) if rng.random() < 0.5 else word]
    return Case(("train", "data", "--model", "tiny.toml", "-o", "m.safetensors", "--epochs", "1", *options), _CLASSES)


def _idx(rng):
    found = seeds.idx()
    content = damage(rng, rng.choice(found), found)
    if rng.random() < 0.2:
        return Case(
            ("train", "mnist", "--offline", "--data-dir", "."),
            {"train-images-idx3-ubyte": content, "t10k-labels-idx1-ubyte.gz": content},
        )
    shape = rng.choice(("None", "(2, 3, 4)", "(5,)"))
    reading = "__import__('convcli.datasets.idx').datasets.idx"
    path = "__import__('pathlib').Path('f')"
    return Case((), {"f": content}, f"{reading}.parse_idx({reading}.read_bytes({path}, 1000), 'f', {shape})")


def _folder(rng):
    """Class folders with damaged pictures, odd class names, odd sizes."""
    files = dict(seeds.class_folder())
    corpus, suffix, form = rng.choice(_PICTURES)
    found = corpus()
    content = damage(rng, rng.choice(found), found, form)
    fine = [
        each
        for each in words.ODD
        if 0 < len(each) < 99 and not set(each) & set("/\0\ud800") and each not in ("..", ".")
    ]
    label = rng.choice(fine) if rng.random() < 0.4 else "a"
    files[f"data/{label}/x.{suffix}"] = content
    if rng.random() < 0.3:
        files |= {f"data/{part}/{name}/p.npy": seeds.npy()[0] for part in ("train", "test") for name in ("u", label)}
    files |= {"tiny.toml": seeds.TINY, "made.safetensors": seeds.models()[0]}
    command = rng.choice(
        (
            ("train", "data", "--model", "tiny.toml", "--epochs", "1", "-o", "m.safetensors"),
            ("evaluate", "made.safetensors", "--data", "data"),
            ("evaluate", "made.safetensors", "--data", "data", "--gallery", "out.png", "--json"),
            ("report", "made.safetensors", "--data", "data", "-o", "out.html"),
        )
    )
    return Case(command, files)


def _call(rng):
    what = rng.random()
    if what < 0.85:
        return Case((), {}, arrays.call(rng))
    make = arrays.prediction if what < 0.97 else arrays.loading
    return Case((), {"made.safetensors": seeds.models()[0]}, make(rng))


def _damaged(kind):
    corpus, suffix, form = kind
    return lambda rng: _picture(rng, corpus, suffix, form)


_PICTURE = {"in.npy": seeds.npy()[0]}
_CLASSES = {**seeds.class_folder(), "tiny.toml": seeds.TINY}
_FORMATS = {
    "png": (seeds.png, "png", "png"),
    "apng": (seeds.apng, "png", "png"),
    "jpeg": (seeds.jpeg, "jpg", "jpeg"),
    "tiff": (seeds.tiff, "tif", "tiff"),
    "gif": (seeds.gif, "gif", "gif"),
    "webp": (seeds.webp, "webp", "riff"),
    "bmp": (seeds.bmp, "bmp", None),
    "netpbm": (seeds.netpbm, "ppm", "text"),
    "npy": (seeds.npy, "npy", None),
    "avif": (seeds.avif, "avif", "boxes"),
    "heic": (seeds.heic, "heic", "boxes"),
    "raw": (seeds.raw, "dng", "tiff"),
    "jp2": (seeds.jp2, "jp2", "boxes"),
    "jxl": (seeds.jxl, "jxl", "boxes"),
    "tga": (seeds.tga, "tga", None),
    "qoi": (seeds.qoi, "qoi", None),
    "npz": (seeds.npz, "npz", "zip"),
    "others": (seeds.others, "ico", None),
}
_PICTURES = tuple(_FORMATS.values())
_MAKERS = {
    **{name: _damaged(kind) for name, kind in _FORMATS.items()},
    "volume": _volume,
    "nifti": _nifti,
    "zarr": _store,
    "rawvideo": _film,
    "wav": lambda rng: _signal(rng, seeds.wav, "wav", "riff"),
    "csv": lambda rng: _signal(rng, seeds.csv, "csv", "text"),
    "seen": _seen,
    "kernel": _kernel,
    "kernel-file": _kernel_file,
    "layers": _layers,
    "toml": _toml,
    "model": _model,
    "checkpoint": _checkpoint,
    "template": _template,
    "name": _name,
    "recipe": _recipe,
    "idx": _idx,
    "folder": _folder,
    "options": lambda rng: command_line(rng),
    "arrays": _call,
}


def _made(name, seed, number):
    return _MAKERS[name](random.Random(zlib.crc32(f"{name} {seed} {number}".encode())))


KINDS = {name: partial(_made, name) for name in _MAKERS}
