"""Networks of other programs on their way in: a graph of our layers' words with their numbers, made a model.

A graph has values known by names; each is made by a layer of one input, or by a join of several (added, or
concatenated along channels). Our networks are chains with branches: a join's branches begin at the last value that all
of its inputs depend on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import plan_network, read_network
from convcli.architectures.grammar import MOST_LAYERS
from convcli.errors import ModelError
from convcli.nn.model import Model

Array = NDArray[Any]
INPUT = "input"


@dataclass
class Made:
    """What makes a value: the table of a layer or a join (``type`` and keys), its inputs, its numbers by our names."""

    table: dict[str, Any]
    inputs: tuple[str, ...]
    numbers: dict[str, Array] = field(default_factory=dict)


@dataclass
class Graph:
    """Values by name, in the order of computation; `INPUT` is the network's input."""

    values: dict[str, Made] = field(default_factory=dict)
    _count: int = 0

    def layer(self, source: str, kind: str, numbers: Mapping[str, Array] | None = None, **keys: Any) -> str:
        """A layer of one input; gives the name of what it makes."""
        return self._add(Made({"type": kind, **keys}, (source,), dict(numbers or {})))

    def join(self, kind: str, sources: Sequence[str]) -> str:
        """``add`` or ``parallel``."""
        return self._add(Made({"type": kind}, tuple(sources)))

    def _add(self, made: Made) -> str:
        self._count += 1
        name = f"n{self._count}"
        self.values[name] = made
        return name


def build(graph: Graph, output: str, size: tuple[int, ...], name: str, origin: str) -> Model:
    """The model whose input has this size (*spatial, C); raises `ModelError` for what cannot be one chain."""
    tables = _Nesting(graph, origin).chain(INPUT, output)
    if not tables:
        raise ModelError(f"{origin}: holds no layer between its input and its output, expected a network")
    document = {"name": re.sub(r"[^\w .-]", "_", name)[:60] or "network", "input": list(size), "layers": tables}
    named = Model(plan_network(read_network(document, origin)))
    for layer in named.walk():
        made = graph.values.get(layer.name.rpartition("/")[2])
        for parameter in layer.parameters if made is not None else ():
            if made is not None and parameter.name in made.numbers:
                try:
                    parameter.assign(np.asarray(made.numbers[parameter.name]))
                except ModelError as error:
                    raise ModelError(f"{origin}: {layer.plan.type}: {error}") from None
    # The graph's names have done their work; layers are called as everywhere.
    model = Model(plan_network(read_network({**document, "layers": [_unnamed(each) for each in tables]}, origin)))
    for parameter, other in zip(model.parameters.values(), named.parameters.values(), strict=True):
        parameter.assign(other.value)
    return model


def _unnamed(table: dict[str, Any]) -> dict[str, Any]:
    branches = [[_unnamed(each) for each in branch] for branch in table.get("branches", ())]
    plain = {key: value for key, value in table.items() if key not in ("name", "branches")}
    return plain | ({"branches": branches} if branches else {})


class _Nesting:
    """Chains with branches from values and what they are made of."""

    def __init__(self, graph: Graph, origin: str) -> None:
        self._values = graph.values
        self._origin = origin
        self._above: dict[str, str] = {}
        self._depth = {INPUT: 0}
        self._left = MOST_LAYERS
        for name, made in graph.values.items():
            fork = made.inputs[0]
            for other in made.inputs[1:]:
                fork = self._common(fork, other)
            self._above[name] = fork
            self._depth[name] = self._depth[fork] + 1

    def _common(self, one: str, other: str) -> str:
        """The last value that both depend on."""
        while one != other:
            if self._depth[one] < self._depth[other]:
                one, other = other, one
            one = self._above[one]
        return one

    def chain(self, start: str, end: str) -> list[dict[str, Any]]:
        """The tables from one value to another that depends on it."""
        tables: list[dict[str, Any]] = []
        while end != start:
            self._left -= 1
            if self._left < 0:
                raise ModelError(f"{self._origin}: branches cross too often, expected at most {MOST_LAYERS:,} layers")
            made = self._values[end]
            if len(made.inputs) == 1:
                tables.append({**made.table, "name": end})
                end = made.inputs[0]
                continue
            fork = self._above[end]
            branches = [self.chain(fork, each) for each in made.inputs]
            tables.append({**made.table, "name": end, "branches": branches})
            end = fork
        return tables[::-1]
