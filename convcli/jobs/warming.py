"""Which loops commands need: small pieces of work of each, to be listed or compiled before anyone waits for them.

Nothing here runs a loop: commands' own code is walked through with loops that only note how they are called
(`convcli.loops.compiling.wanted`), so what is found is what the commands will ask for.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ConvcliError
from convcli.images.model import COLOURS, KINDS, pictures_of

if TYPE_CHECKING:
    from convcli.architectures import NetworkPlan
    from convcli.jobs.morph import MorphPlan
    from convcli.loops.compiling.wanted import Wanted
    from convcli.nn.recipe import Recipe

_SIZE = 64  # pixels: the side of the pictures that commands are walked through with
_MODES = ("max", "min", "average", "weighted", "lp", "median", "stochastic")
_KERNELS = (
    "sharpen", "sobel", "gaussian:sigma=2", "box:size=3", "box:size=5", "box:size=15", "unsharp", "laplacian-8",
    "sobel-angle", "kirsch", "ridge", "canny", "gaussian:sigma=12", "box:size=51", "disk:radius=15",
    "dog:sigma=3,sigma2=5", "gabor:theta=30", "median", "median:size=15", "bilateral", "guided", "nlmeans",
    "resize:width=40", "frei-chen-x",
)  # fmt: skip


_FILTER_WORDS: tuple[dict[str, Any], ...] = (
    {"linear": True}, {"channels": "gray"}, {"channels": "sum"}, {"range": "minmax"}, {"depth": "float"},
    {"activation": "gelu"}, {"border": "constant", "border_value": 0.5}, {"stride": 2},
)  # fmt: skip
_KERNELS_3D = ("gaussian3d:sigma=1", "box3d:size=3", "laplacian3d", "sobel3d", "median3d", "bilateral3d:sigma=1")
_KERNELS_1D = ("gaussian:sigma=2", "box:size=5", "1 0 -1", "median", "bilateral")
_CLASSES = 10
_TRAININGS: tuple[tuple[str, tuple[int, ...], tuple[str, ...]], ...] = (
    ("digits", (8, 8, 1), ("default", "lecture")),
    ("mnist", (28, 28, 1), ("default", "lecture", "fast")),
    ("deep", (28, 28, 1), ("best",)),
    ("cifar10", (32, 32, 3), ("default",)),
    ("pictures", (64, 64, 3), ("default",)),
    ("lenet5", (28, 28, 1), ("default",)),
    ("features", (8,), ("default",)),
    ("series", (128, 3), ("default",)),
    ("volumes", (8, 16, 16, 1), ("default",)),
    ("resnet20", (32, 32, 3), ("default",)),
    ("mobilenet", (32, 32, 3), ("default",)),
)
# Networks that do not tell classes apart: their task, and the shapes of an input and of an output.
_TASKS: tuple[tuple[str, str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("unet-small", "segment", (32, 32, 1), (32, 32, 2)),
    ("denoiser", "denoise", (32, 32, 1), (32, 32, 1)),
    ("forecast", "regress", (4, 16, 16, 1), (4, 16, 16, 1)),
)


@dataclass(frozen=True)
class Piece:
    """A small piece of a command's work."""

    command: str  # one of `COMMANDS`
    kind: str  # of pixels, one of `KINDS`; empty where there are none
    what: str  # for people: ``16-bit RGB pictures``
    run: Callable[[], object]


def pieces(commands: Collection[str] = ()) -> list[Piece]:
    """The pieces of these commands' work; of all commands, without any.

    Raises `ConvcliError` for a name that is none of them.
    """
    for name in commands:
        if name not in COMMANDS:
            raise ConvcliError(f"got {name!r}, expected some of {', '.join(COMMANDS)}")
    chosen = [name for name in COMMANDS if name in (commands or COMMANDS)]
    return [piece for name in chosen for piece in COMMANDS[name](name)]


def wanted_by(work: Sequence[Piece]) -> "dict[Wanted, str]":
    """The loops that pieces of work need, none twice, and for whom: the first piece's words. Compiles nothing."""
    from convcli.loops.compiling.wanted import listing

    found: dict[Wanted, str] = {}
    for piece in work:
        with listing() as called, np.errstate(all="ignore"):
            piece.run()
        for each in called:
            found.setdefault(each, piece.what)
    return found


def _on_pictures(command: str, act: Callable[..., object], plans: Sequence[Any]) -> Iterator[Piece]:
    """An operation by each plan on small pictures of every kind; alpha varies."""
    from convcli.images import Image

    for kind in KINDS:
        for count in COLOURS:
            pixels = np.zeros((_SIZE, _SIZE, count), kind)
            pixels[::2] = 1
            image = Image(pixels, has_alpha=count in (2, 4))
            for plan in plans:
                yield Piece(command, kind, pictures_of(pixels), partial(act, image, plan))


def _filters(command: str) -> Iterator[Piece]:
    from convcli.jobs.filter import filter_image, plan_filter

    plans = [plan_filter([spec]) for spec in _KERNELS]
    plans += [plan_filter(["sharpen"], **words) for words in _FILTER_WORDS]
    plans.append(plan_filter(["gaussian", "sobel"]))
    return _on_pictures(command, filter_image, plans)


def _pools(command: str) -> Iterator[Piece]:
    from convcli.jobs.pool import plan_pool, pool_image

    plans = [plan_pool(2, mode=mode) for mode in _MODES]
    plans += [plan_pool("global", mode="average"), plan_pool(adaptive=3)]
    return _on_pictures(command, pool_image, plans)


def _pads(command: str) -> Iterator[Piece]:
    from convcli.jobs.pad import pad_image, plan_pad

    return _on_pictures(command, pad_image, [plan_pad(3, mode=mode) for mode in ("constant", "reflect")])


def _morphs(command: str) -> Iterator[Piece]:
    from convcli.jobs.morph import morph_image

    return _on_pictures(command, morph_image, list(_morph_plans("yx", "disk:radius=3")))


def _morph_plans(axes: str, element: str) -> "Iterator[MorphPlan]":
    from convcli.jobs.morph import plan_morph

    for operation in ("open", "gradient"):
        for border in ("none", "constant"):
            yield plan_morph(operation, size=3, border=border, axes=axes)
            if element:
                yield plan_morph(operation, element=element, border=border, axes=axes)


def _predictions(command: str) -> Iterator[Piece]:
    yield Piece(command, "", "the shipped model", _predict)


def _predict() -> None:
    from convcli.datasets.judge import SIDE, judge
    from convcli.jobs.classifier import load_classifier

    classifier = load_classifier()
    for images in (1, 2):
        judge([np.zeros((SIDE, SIDE, 4), np.uint8)] * images)
        classifier.outputs(np.zeros((images, *classifier.trained.model.plan.input), np.float32))


def _trainings(command: str) -> Iterator[Piece]:
    for name, shape, presets in _TRAININGS:
        for preset in presets:
            yield Piece(command, "", f"the network {name}", partial(_train, name, shape, preset))
    for name, task, shape, output in _TASKS:
        yield Piece(command, "", f"the network {name}", partial(_train_for, name, task, shape, output))


def _train(name: str, shape: tuple[int, ...], preset_name: str) -> None:
    from convcli.architectures import load
    from convcli.architectures.fitting import fitted
    from convcli.nn.presets import preset

    recipe = preset(preset_name).recipe
    if len(shape) != 3:
        recipe = replace(recipe, augment="")
    labels = np.arange(recipe.batch_size + 1) % _CLASSES
    _walk(fitted(load(name), shape, _CLASSES), recipe, labels)


def _train_for(name: str, task: str, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    from convcli.architectures import load
    from convcli.architectures.fitting import fitted_to
    from convcli.jobs.task import preset_for
    from convcli.nn.presets import preset

    recipe = replace(preset_for(preset("default"), task).recipe, batch_size=4, task=task)
    masks = task == "segment"
    labels = np.zeros((5, *(output[:-1] if masks else output)), np.uint8 if masks else np.float32)
    _walk(fitted_to(load(name), shape, output, "softmax" if masks else "linear"), recipe, labels)


def _walk(plan: "NetworkPlan", recipe: "Recipe", labels: "np.ndarray[Any, Any]") -> None:
    """A measure, and an epoch of two steps with another measure at its end."""
    from convcli.nn.model import Model
    from convcli.nn.scoring import Examples, score_of
    from convcli.nn.training import DivergedError, Training

    model, recipe = Model(plan), replace(recipe, epochs=1)
    examples = Examples(np.zeros((len(labels), *plan.input), np.float32), labels)
    score_of(model, examples, task=recipe.task)
    training = Training(model, recipe, examples, examples)
    with suppress(DivergedError):  # what loops leave undone is no number; by then all have been called
        training.run()


def _volumes(command: str) -> Iterator[Piece]:
    from convcli.jobs.filter import plan_filter
    from convcli.jobs.filter_volume import VolumeFilter
    from convcli.jobs.morph import VolumeMorph
    from convcli.jobs.pad import VolumePad, plan_pad
    from convcli.jobs.pool import VolumePool, plan_pool

    work: list[tuple[Any, Any]] = [(VolumeFilter, plan_filter([spec], axes="zyx")) for spec in _KERNELS_3D]
    work += [(VolumePool, plan_pool(2, mode=mode, axes="zyx")) for mode in _MODES]
    work.append((VolumePad, plan_pad(2, axes="zyx")))
    work += [(VolumeMorph, plan) for plan in _morph_plans("zyx", "ball:radius=2")]
    for kind, depth in KINDS.items():
        for make, plan in work:
            yield Piece(command, kind, f"{depth} volumes", partial(_take_planes, make, kind, plan))


def _take_planes(make: Any, kind: str, plan: Any) -> None:
    from convcli.images.volume_model import Volume, VolumeMetadata

    voxels = np.zeros((12, 16, 16, 1), kind)
    volume = Volume("small", (12, 16, 16, 1), voxels.dtype, VolumeMetadata("NPY"), lambda a, b: voxels[a:b])
    list(make(volume, plan).planes())


def _signals(command: str) -> Iterator[Piece]:
    from convcli.images.signal_model import Signal
    from convcli.jobs.filter import plan_filter
    from convcli.jobs.filter_signal import filter_signal
    from convcli.jobs.morph import morph_signal
    from convcli.jobs.pad import pad_signal, plan_pad
    from convcli.jobs.pool import plan_pool, pool_signal

    work: list[tuple[Any, Any]] = [(filter_signal, plan_filter([spec], axes="x")) for spec in _KERNELS_1D]
    work += [(pool_signal, plan_pool(2, mode=mode, axes="x")) for mode in _MODES]
    work.append((pad_signal, plan_pad(2, axes="x")))
    work += [(morph_signal, plan) for plan in _morph_plans("x", "")]
    for dtype in ("float64", "float32"):
        signal = Signal(np.zeros((400, 1), dtype), "NPY", lambda *_: b"")
        for act, plan in work:
            yield Piece(command, "", "signals", partial(act, signal, plan))


COMMANDS: dict[str, Callable[[str], Iterator[Piece]]] = {
    "filter": _filters,
    "pool": _pools,
    "pad": _pads,
    "morph": _morphs,
    "predict": _predictions,
    "train": _trainings,
    "volume": _volumes,
    "signal": _signals,
}
