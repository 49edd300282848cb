"""Command lines made from the commands' own options, with odd values."""

import functools

import click

from . import seeds, words
from .case import Case

# These measure, delete or download.
_LEFT_OUT = ("bench", "cache", "doctor")


def command_line(rng):
    """Any command, with some of its options and arguments."""
    path, command = rng.choice(_commands())
    positional, options = [], []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            count = 1 if parameter.nargs == 1 else rng.choice((1, 1, 2))
            positional += [_argument(rng, parameter.name) for _ in range(count)]
        elif parameter.required or rng.random() < 2.5 / len(command.params):
            name = rng.choice(parameter.opts)
            options += [name] if parameter.is_flag else [name, _value(rng, parameter)]
    options += ["--offline"] if any("--offline" in each.opts for each in command.params) else []
    # A training by nothing but defaults takes as long as trainings do.
    options += ["--limit", "20", "--epochs", "1"] if path == ("train",) else []
    options += ["-o", "out.png"] if path[0] in ("filter", "pool", "pad", "morph") and rng.random() < 0.5 else []
    return Case((*path, *options, *positional), _files())


@functools.cache
def _commands():
    from convcli.cli import COMMANDS, group

    found = []
    for name in COMMANDS:
        if name in _LEFT_OUT:
            continue
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            found += [((name, inner), each) for inner, each in command.commands.items()]
        else:
            found.append(((name,), command))
    return found


@functools.cache
def _files():
    return {
        "in.png": seeds.png()[4],
        "in.npy": seeds.npy()[1],
        "scan.npy": seeds.scans()[8],
        "in.wav": seeds.wav()[2],
        "made.safetensors": seeds.models()[2],
        "net.toml": seeds.TINY,
        **seeds.class_folder(),
    }


def _argument(rng, name):
    if rng.random() < 0.15:
        return rng.choice(words.ODD)
    known = {
        "model": ("made.safetensors",),
        "dataset": ("data", "digits"),
        "spec": ("box", "sobel", "gaussian:sigma=1"),
    }
    known |= {
        "network": ("net.toml", "made.safetensors", "lenet5"),
        "architecture": ("net.toml", "made.safetensors", "lenet5"),
    }
    known |= {"layers": ("conv:2", "pool:2", "dense:3"), "operation": ("dilate", "erode", "open", "gradient")}
    return rng.choice(
        known.get(name, ("in.png", "in.png", "in.npy", "scan.npy", "in.wav", "made.safetensors", "net.toml", "data"))
    )


def _value(rng, parameter):
    if rng.random() < 0.3:
        return rng.choice(words.ODD)
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return rng.choice(list(kind.choices))
    known = {
        "kernel": ("box", "identity", "sobel", "1 2 1", "sharpen"),
        "kernels": ("box", "identity", "sobel", "1 2 1", "gaussian:sigma=1"),
        "output": ("out.png", "out.html", "out.svg", "out.gif", "out.onnx", "out/", "{stem}_x{ext}", "out.npy"),
        "input": ("8x8x1", "5x5", "7", "28x28x3"),
        "model": ("made.safetensors", "net.toml", "lenet5"),
        "data": ("data", "digits"),
        "epochs": ("1",),
        "cell": ("20",),
        "limit": ("4", "20"),
        "element": ("disk:radius=2", "box:size=3", "cross", "0 1; 1 1"),
        "border": ("reflect", "edge", "wrap", "constant", "none"),
        "matrix": ("1 2; 3 4", "1 2 3"),
    }
    if parameter.name in known:
        return rng.choice(known[parameter.name])
    return rng.choice((words.number(rng), words.sizes(rng), "in.png", "out.png", "same", "valid"))
