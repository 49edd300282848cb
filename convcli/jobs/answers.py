"""What a network says that does not tell classes apart: numbers, marks, a mask or a better picture; and how good it is.

Pictures go through a network for masks or pictures in their own size, if it has no layer that is for one size only:
they get a frame of copied edges up to what its poolings need, which is cut off again.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli import addresses
from convcli.architectures import plan_network, shape_text
from convcli.atomic import check_target, make_folder, write_whole
from convcli.datasets.outside import holds_samples, read_samples
from convcli.datasets.pictures import on_white, to_channels
from convcli.errors import ConvcliError, DataError, FileError, ModelError, ShapeError
from convcli.images import MAX_PIXELS, Image, read, write
from convcli.jobs.classifier import NOT_FINITE, Classifier, percent
from convcli.jobs.outcome import places_of
from convcli.jobs.tasks import STREAM, Task, beside, plan_tasks
from convcli.nn.layer import as_input
from convcli.nn.model import Model
from convcli.nn.weights import parameter_shapes

Array = NDArray[Any]

# What a file with the answer is called: the word behind its source's stem.
WORDS = {"segment": "mask", "denoise": "clean", "regress": "answer"}
_STEPS = (1, 2, 4, 8, 16, 32)  # of which sides have to be multiples
_SURE = 0.5  # from which chance on a mark is said to hold


@dataclass(frozen=True)
class Answer:
    """What was said of one sample, or why nothing could be.

    ``numbers`` are those of regress; ``chances`` those of marks, or of a mask the share of each class; ``target`` is
    the file that a mask, a picture or an array was written to.
    """

    file: str
    numbers: tuple[float, ...] = ()
    chances: tuple[tuple[str, float], ...] = ()
    target: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        told: dict[str, Any] = {"file": self.file}
        if self.numbers:
            told["numbers"] = list(self.numbers)
        if self.chances:
            told["shares" if self.target else "marks"] = dict(self.chances)
        return told | ({"output": self.target} if self.target else {})

    def told(self) -> str:
        """One line for people."""
        words = [f"{each:.6g}" for each in self.numbers]
        if self.chances:
            shown = self.chances if self.target else [each for each in self.chances if each[1] > _SURE]
            words += [f"{name} {percent(chance)}" for name, chance in shown] or ["nothing"]
        return f"{self.file}: {', '.join(filter(None, (self.target, '  '.join(words))))}"


def is_written(classifier: Classifier) -> bool:
    """Whether what the network says goes into files."""
    return len(classifier.trained.model.plan.output) > 1


def plan_answers(
    classifier: Classifier, sources: Sequence[str], output: str | None, *, overwrite: bool = False,
    explicit: Sequence[str] | None = None,
) -> Sequence[Task]:  # fmt: skip
    """Which file each answer goes to, ``explicit`` as in `plan_tasks`; raises `ConvcliError` if two would be one."""
    if not is_written(classifier):
        if output is not None:
            raise ConvcliError(
                f"output: got {output}, but a model to {classifier.task} prints what it says; leave it out"
            )
        return [Task(source, "") for source in sources]
    kinds = {source: ".npy" if _holds_arrays(classifier, source) else ".png" for source in sources}
    suffixes = {Path(source).suffix.lower(): kind for source, kind in kinds.items()}
    word = WORDS[classifier.task]
    if output is None and list(sources) == [STREAM]:  # standard output is for what is said
        output = beside(STREAM, word)
    return plan_tasks(sources, output, word, overwrite=overwrite, suffixes=suffixes, explicit=explicit)


def check_task(task: Task, *, overwrite: bool) -> None:
    """Refuse, before any work is done, a target that cannot be written; raises `FileError`."""
    if addresses.is_address(task.target):
        addresses.check_target(task.target, overwrite=overwrite)
    elif task.target and not task.makes_folder:
        check_target(Path(task.target), overwrite=overwrite)


def answers(
    classifier: Classifier, tasks: Sequence[Task], *, batch_size: int = 64, max_pixels: int = MAX_PIXELS,
    overwrite: bool = False, stdin: BinaryIO | None = None,
) -> Iterator[Answer]:  # fmt: skip
    """Yield what the network says of each file, in order; what it makes is written as it is made."""
    classifier.trained.model.data_format = "channels_last"
    models: dict[tuple[int, ...], Model] = {}
    for task in tasks:
        try:
            if _holds_arrays(classifier, task.source):
                samples, many = read_samples(task.source, classifier.rule)
                made = np.concatenate(list(_outputs(classifier, classifier.trained.model, samples, batch_size)))
            else:
                made, many = _of_picture(classifier, _opened(task.source, stdin), max_pixels, models)[None], False
            yield from _told(classifier, task, made, many, overwrite)
        except (ConvcliError, OSError, MemoryError) as error:
            text = str(error)
            is_named = text.startswith(task.source) or isinstance(error, FileError)  # those name the output
            yield Answer(task.source, error=text if is_named else f"{task.source}: {text}")


def _opened(source: str, stdin: BinaryIO | None) -> str | BinaryIO:
    if source != STREAM:
        return source
    if stdin is None:
        raise DataError("standard input: is not open")
    return stdin


def _holds_arrays(classifier: Classifier, source: str) -> bool:
    rule = classifier.rule
    if source == STREAM:
        return False
    pictures = len(rule.input_shape) == 3 and rule.input_shape[-1] in (1, 3)
    if pictures and Path(source).suffix.lower() not in (".npy", ".npz", ".csv"):
        return False
    return holds_samples(source, rule)


def _outputs(classifier: Classifier, model: Model, samples: Array, batch_size: int) -> Iterator[Array]:
    """What the network gives, behind its activation; raises `ModelError` if that is not finite."""
    for start in range(0, len(samples), batch_size):
        with np.errstate(all="ignore"):
            made = model.forward(as_input(samples[start : start + batch_size]))
        if not np.isfinite(made).all():
            raise ModelError(f"{classifier.path}: {NOT_FINITE.format('it')}")
        yield made


def _of_picture(
    classifier: Classifier, source: str | BinaryIO, max_pixels: int, models: dict[tuple[int, ...], Model]
) -> Array:
    """The network's answer to a picture: in the picture's size if it gives maps and can, else in the network's."""
    image = read(source, max_pixels=max_pixels)
    own, rule = classifier.trained.model, classifier.rule
    height, width = image.pixels.shape[:2]
    if is_written(classifier):
        pixels = to_channels(on_white(image), own.plan.input[-1])
        if (height, width) not in models:
            models.clear()
            models[height, width] = _of_size(own, (height, width))
        model = models[height, width]
        if model is not own:
            above = model.plan.input[0] - height, model.plan.input[1] - width
            framed = np.pad(pixels, ((0, above[0]), (0, above[1]), (0, 0)), mode="edge")
            (made,) = _outputs(classifier, model, framed[None], 1)
            return np.asarray(made[0, :height, :width])
    if not rule.takes_pictures:
        raise DataError(f"is a picture of {shape_text((height, width))}, expected {shape_text(own.plan.input)}")
    (made,) = _outputs(classifier, own, classifier.prepare(image).pixels[None], 1)
    return np.asarray(made[0])


def _of_size(own: Model, size: tuple[int, int]) -> Model:
    """The same network for pictures of this size or a little more; itself if it is for one size only."""
    sizes = [tuple(-(-n // step) * step for n in size) for step in _STEPS]
    # A network that was given a frame for its own size fits sizes that are as odd.
    sizes.append(tuple(n + (own_n - n) % _STEPS[-1] for n, own_n in zip(size, own.plan.input, strict=False)))
    for framed in sizes:
        try:
            plan = plan_network(replace(own.plan.spec, input=(*framed, own.plan.input[-1])))
        except ShapeError:
            continue
        if plan.output[:-1] == framed and parameter_shapes(plan) == parameter_shapes(own.plan):
            model = Model(plan, dtype=own.dtype, heads=False, data_format="channels_last")
            model.load_state(own.state())
            return model
    return own


def _told(classifier: Classifier, task: Task, made: Array, many: bool, overwrite: bool) -> Iterator[Answer]:
    """Answers of the samples of one file (N, *output)."""
    names = [f"{task.source}[{place}]" if many else task.source for place in range(len(made))]
    classes = classifier.classes
    if classifier.task == "multi-label":
        for name, row in zip(names, made, strict=True):
            yield Answer(name, chances=tuple(zip(classes, map(float, row), strict=True)))
        return
    if not task.target:
        for name, row in zip(names, made, strict=True):
            yield Answer(name, numbers=tuple(map(float, row)))
        return
    if classifier.task == "segment":
        made = places_of(made).astype(np.uint8)
    shares: tuple[tuple[str, float], ...] = ()
    if classifier.task == "segment":
        counts = np.bincount(made.reshape(-1), minlength=len(classes)) / made.size
        shares = tuple(zip(classes, counts.tolist(), strict=False))
    if task.makes_folder and not addresses.is_address(task.target):
        make_folder(Path(task.target))
    _write(task.target, made if many else made[0], classifier, overwrite)
    yield Answer(task.source, chances=shares, target=task.target)


def _write(target: str, made: Array, classifier: Classifier, overwrite: bool) -> None:
    """A mask as the lightness of its classes, a picture of 0..1 in bytes; as .npy places of classes, or the numbers."""
    if Path(target).suffix.lower() == ".npy":
        stream = io.BytesIO()
        np.save(stream, made)
        if addresses.is_address(target):
            addresses.write_whole(target, stream.getvalue(), overwrite=overwrite)
        else:
            write_whole(Path(target), stream.getvalue(), overwrite=overwrite)
        return
    if classifier.task == "segment":
        lightest = max(len(classifier.classes) - 1, 1)
        made = np.rint(made[..., None].astype(np.float64) * 255 / lightest)
    else:
        made = np.rint(np.clip(made, 0, 1) * 255)
    if made.ndim != 3 or made.shape[-1] not in (1, 3):
        raise ConvcliError(f"output: got an answer of {shape_text(made.shape)}, expected a name in .npy for it")
    write(Image(made.astype(np.uint8)), target, overwrite=overwrite)
