"""Checkpoints: a training's whole state in one safetensors file, written atomically, read with suspicion.

The metadata says what is trained, on which data and how; the arrays are those of `Training.state`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from convcli.architectures import write_text
from convcli.architectures.files import read_text
from convcli.architectures.grammar import NetworkSpec
from convcli.architectures.header import CHECKPOINT_FORMAT, EARLIER_CHECKPOINTS
from convcli.errors import ModelError
from convcli.nn.layer import Array
from convcli.nn.recipe import Recipe
from convcli.nn.tensors import read_tensors, write_tensors
from convcli.nn.training import Training


@dataclass(frozen=True)
class Source:
    """Where the images of a training come from, so that a resumed one finds the very same.

    Parameters
    ----------
    data : str
        A data set's name, or a folder as it was typed.
    preset : str
        The preset that the recipe began with.
    held_out : float or int
        Share or number of images held out for validation.
    limit : int
        The number of training images, or 0 for all.
    size : (int, int), optional
        Height and width that a folder's pictures are brought to; None for their own.
    digest : str
        Of images and labels, to notice other data.
    command : str
        What was typed.
    said : Mapping
        What else was said about the data: words of `convcli.datasets.reading.Reading`.
    """

    data: str
    preset: str = ""
    held_out: float | int = 0
    limit: int = 0
    size: tuple[int, int] | None = None
    digest: str = ""
    command: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Source":
        """Read plain values; raises `ModelError` for one of another kind."""
        kinds: dict[str, tuple[type, ...]] = {
            "held_out": (int, float),
            "limit": (int,),
            "size": (list, tuple, type(None)),
            "said": (dict,),
        }
        values = {"said": {}} | dict(values)
        for name in (each.name for each in fields(cls)):
            value = values.get(name)
            if not isinstance(value, kinds.get(name, (str,))) or isinstance(value, bool):
                raise ModelError(f"checkpoint: got {name}={value!s:.60}, expected what convcli train wrote")
        size = values["size"] and tuple(values["size"])
        if size is not None and (len(size) != 2 or any(type(each) is not int for each in size)):
            raise ModelError(f"checkpoint: got size={size!s:.60}, expected height and width")
        said = values["said"]
        texts = all(isinstance(said.get(name, ""), str) for name in ("labels", "validation"))
        sizes = said.get("input")
        if not (
            texts
            and set(said) <= _SAID
            and (sizes is None or _are_sizes(sizes))
            and said.get("strict", False) in (0, 1)
        ):
            raise ModelError(f"checkpoint: got said={said!s:.60}, expected what convcli train wrote")
        return cls(**{each.name: values[each.name] for each in fields(cls)} | {"size": size})


_SAID = {"labels", "validation", "input", "strict"}


def _are_sizes(value: object) -> bool:
    return isinstance(value, list | tuple) and all(type(each) is int and 0 < each < 2**31 for each in value)


@dataclass(frozen=True)
class Checkpoint:
    """A training at rest."""

    network: NetworkSpec
    recipe: Recipe
    source: Source
    arrays: Mapping[str, Array]
    numbers: Mapping[str, Any]
    epoch: int  # the last one that is complete


def write_checkpoint(path: Path, training: Training, source: Source) -> None:
    """Write the state of a training; the file before it stays whole until the new one is."""
    arrays, numbers = training.state()
    about = {"recipe": training.recipe.as_dict(), "source": asdict(source), "numbers": numbers}
    metadata = {
        "format": CHECKPOINT_FORMAT,
        "architecture": write_text(training.model.plan.spec),
        "convcli": json.dumps(about, allow_nan=False),
    }
    write_tensors(path, arrays, metadata, overwrite=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises
    ------
    ModelError
        One line that names the file, for anything that is not a whole checkpoint.
    OSError
        If it cannot be opened.
    """
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != CHECKPOINT_FORMAT:
        known = "another program's"
        if metadata.get("format") in EARLIER_CHECKPOINTS:
            known = "one of an earlier; train from the start"
        elif "architecture" in metadata:
            known = "a finished model; train DATASET --from it goes on"
        raise ModelError(f"{path}: is no checkpoint of this version, but {known}")
    try:
        about = json.loads(metadata["convcli"])
        recipe = Recipe.from_dict(about["recipe"])
        source = Source.from_dict(about["source"])
        numbers = dict(about["numbers"])
        epoch = int(numbers["progress"]["epoch"])
        network = read_text(metadata["architecture"], f"{path}: architecture")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        raise ModelError(f"{path}: its metadata is not that of a checkpoint; train from the start") from None
    return Checkpoint(network, recipe, source, arrays, numbers, epoch)
