"""A whole network, read from a name or a file: its plan, and its drawing in a file."""

import os
from collections.abc import Sequence
from pathlib import Path

from convcli import atomic
from convcli.architectures import NetworkPlan, load, plan_network, shape_text, shipped
from convcli.architectures.card import ModelCard, card_of
from convcli.architectures.grammar import NetworkSpec
from convcli.architectures.header import MODEL_FORMAT, read_header
from convcli.errors import ModelError, ShapeError, shortened
from convcli.jobs.shape import numbers_of
from convcli.views.volumes import draw


def summary(source: str | os.PathLike[str], input: str | int | Sequence[int] | None = None) -> NetworkPlan:
    """Resolve a shipped architecture, a ``.toml`` or ``.json`` file, or the network of a ``.safetensors`` file.

    Parameters
    ----------
    source : str or path
        A name (``lenet5``) or a file.
    input : str, int or sequence of int, optional
        Another input than the network's own; without the channels, those of the network.

    Raises
    ------
    ModelError
        If there is no such network, or its description is wrong.
    ShapeError
        If a layer does not fit what flows into it.

    Examples
    --------
    >>> summary("mnist").params
    93322
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    if not isinstance(name, str):
        raise ModelError(f"network: got {shortened(source)}, expected a name such as 'lenet5', or a file")
    spec = load(name)
    if input is None:
        return plan_network(spec)
    numbers = numbers_of(input)
    if len(numbers) == len(spec.input) - 1:
        numbers = (*numbers, spec.input[-1])
    if len(numbers) != len(spec.input):
        raise ShapeError(f"input: got {shape_text(numbers)}, expected as many numbers as in {shape_text(spec.input)}")
    return plan_network(NetworkSpec(numbers, spec.layers, spec.name, spec.title, spec.source, spec.extra))


def card_in(source: str) -> ModelCard | None:
    """What a model file tells beside its network, if it is one.

    Raises
    ------
    ModelError
        If the card is damaged.
    """
    if Path(source).suffix.lower() != ".safetensors":
        return None
    header = read_header(Path(source))
    if header.kind != MODEL_FORMAT or "convcli" not in header.metadata:
        return None
    return card_of(header.metadata["convcli"], f"{source}: card")


def shipped_networks() -> list[NetworkPlan]:
    """The plans of all architectures that come with convcli."""
    return [plan_network(load(name)) for name in shipped()]


def plot(plan: NetworkPlan, target: str, *, overwrite: bool = False) -> Path:
    """Draw a network as volumes into an SVG file; it appears complete or not at all.

    Raises
    ------
    ModelError
        If the target is not an ``.svg`` name, exists and may not be overwritten, or cannot be written.
    """
    path = check_target(target, overwrite=overwrite)
    atomic.write_whole(path, draw(plan), overwrite=overwrite)
    return path


def check_target(target: str, *, overwrite: bool = False) -> Path:
    """Refuse a drawing's name before any work is done for it."""
    path = Path(target)
    if path.suffix.lower() != ".svg":
        raise ModelError(f"{target}: got {shortened(path.suffix)}, expected a name that ends in .svg")
    atomic.check_target(path, overwrite=overwrite)
    return path
