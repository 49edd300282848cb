"""Layers and an input size to a plan: every shape, window, count and receptive field resolved, or one clear error.

`plan_network` makes the immutable `NetworkPlan` from which `shape` and `summary` print and the engine builds.
What one layer makes of its input is in `rules`; here are the chain, the branches and the names.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

from convcli.architectures.grammar import GrammarError, LayerSpec, NetworkSpec
from convcli.architectures.rules import RULES, Flow, Made, Shape, all_positions, shape_text
from convcli.architectures.vocabulary import LAYERS
from convcli.errors import ShapeError
from convcli.geometry import ReceptiveField, TransposedWindow, Window
from convcli.notebooks import table

_HEAD = ("layer", "output", "parameters", "multiply-adds", "field")
_MOST_DIGITS = 40  # four axes of the largest size that may be given, flattened, have 36


@dataclass(frozen=True)
class LayerPlan:
    """One layer with everything resolved. Shapes are spatial sizes, then channels; one number is a row of values.

    Attributes
    ----------
    name : str
        Unique in the network: ``conv_1``, or ``inception_3a/2/conv_1`` for a layer in a branch.
    settings : Mapping
        Every key of the layer's type, with its default where none was given (see `vocabulary.LAYERS`).
    windows : tuple of Window or TransposedWindow
        One per spatial axis, for layers that have windows; for ``pad``, what is padded.
    params, macs : int
        Of this layer alone, without its branches. ``untrained`` of the parameters are running averages.
    field : tuple of ReceptiveField
        Which input cells one value of the output depends on, per spatial axis of the network's input.
    branches : tuple of tuples of LayerPlan
        Of ``parallel``, ``add`` and ``head``. An empty branch passes its input on.
    """

    name: str
    type: str
    word: str
    input: Shape
    output: Shape
    settings: Mapping[str, Any]
    windows: tuple[Window | TransposedWindow, ...]
    groups: int
    params: int
    untrained: int
    macs: int
    field: tuple[ReceptiveField, ...]
    branches: tuple[tuple["LayerPlan", ...], ...] = ()

    def flat(self, *, heads: bool = False) -> Iterator["LayerPlan"]:
        """The layers of its branches, then the layer itself; a head's own layers only with ``heads``."""
        if self.type != "head" or heads:
            for branch in self.branches:
                for layer in branch:
                    yield from layer.flat(heads=heads)
        yield self

    @property
    def all_params(self) -> int:
        """Parameters with those of the branches; a head's are in its own count only."""
        return sum(layer.params for layer in self.flat(heads=self.type == "head"))

    @property
    def all_macs(self) -> int:
        """Multiply-adds with those of the branches; a head's are in its own count only."""
        return sum(layer.macs for layer in self.flat(heads=self.type == "head"))


@dataclass(frozen=True, repr=False)
class NetworkPlan:
    """A network with everything resolved. Its counts leave out heads: they are dropped after training."""

    spec: NetworkSpec
    input: Shape
    output: Shape
    layers: tuple[LayerPlan, ...]

    def flat(self, *, heads: bool = False) -> Iterator[LayerPlan]:
        """All layers in the order of computation, those of branches before the layer that joins them."""
        for layer in self.layers:
            yield from layer.flat(heads=heads)

    @property
    def heads(self) -> tuple[LayerPlan, ...]:
        """The heads, wherever they branch off."""
        return tuple(layer for layer in self.flat(heads=True) if layer.type == "head")

    @property
    def params(self) -> int:
        """Parameters, without heads."""
        return sum(layer.params for layer in self.flat())

    @property
    def untrained(self) -> int:
        """Of the parameters, those that training does not learn: batch normalisation's running averages."""
        return sum(layer.untrained for layer in self.flat())

    @property
    def macs(self) -> int:
        """Multiply-adds for one input, without heads."""
        return sum(layer.macs for layer in self.flat())

    @property
    def activations(self) -> int:
        """Values held for one input: the input and every layer's output, views (flatten) and heads left out."""
        return prod(self.input) + sum(prod(each.output) for each in self.flat() if each.type not in ("flatten", "head"))

    def as_html(self, notes: Sequence[str] = ()) -> str:
        """A table of the layers, those of branches in the layer that joins them, with notes beneath it."""
        return table(self._title, _HEAD, self._rows, [self._counts, *notes])

    def _repr_html_(self) -> str:
        return self.as_html()

    def __str__(self) -> str:
        rows = (_HEAD, *self._rows)
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ["  ".join([row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]).rstrip() for row in rows]
        return "\n".join([self._title or "network", *lines, self._counts])

    def __repr__(self) -> str:
        name = f"{self.spec.name}, " * bool(self.spec.name)
        return f"NetworkPlan({name}{shape_text(self.input)} to {shape_text(self.output)}, {self.params:,} parameters)"

    @property
    def _title(self) -> str:
        return ": ".join(each for each in (self.spec.name, self.spec.title) if each)

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        """The input, and each layer with those of its branches."""
        layers = [
            (layer.name, shape_text(layer.output), f"{layer.all_params:,}", f"{layer.all_macs:,}",
             shape_text([axis.size for axis in layer.field]))
            for layer in self.layers
        ]  # fmt: skip
        return [("input", shape_text(self.input), "", "", ""), *layers]

    @property
    def _counts(self) -> str:
        return f"{self.params:,} parameters, {self.macs:,} multiply-adds for one input"


def plan_network(spec: NetworkSpec) -> NetworkPlan:
    """Resolve a network for its input.

    Raises
    ------
    ShapeError
        One line that names the layer by number and word, what was got and expected, and what would fit.
    """
    sizes = spec.input[:-1] or spec.input
    flow = Flow(spec.input, (ReceptiveField(),) * len(sizes), sizes)
    layers, flow = _chain(spec.layers, flow, "", "", spec.input)
    return NetworkPlan(spec, spec.input, flow.shape, layers)


def _chain(
    specs: Sequence[LayerSpec], flow: Flow, prefix: str, where: str, whole: Shape
) -> tuple[tuple[LayerPlan, ...], Flow]:
    layers: list[LayerPlan] = []
    counts: Counter[str] = Counter()
    taken: set[str] = {spec.name for spec in specs if spec.name}
    if len(taken) < sum(spec.name is not None for spec in specs):
        twice = next(name for name, times in Counter(spec.name for spec in specs).items() if name and times > 1)
        raise GrammarError(f"{where or 'layers'}: two layers are named '{twice}'; give one another name")

    def name_of(spec: LayerSpec, kind: str) -> str:
        if spec.name:
            return prefix + spec.name
        while True:
            counts[kind] += 1
            if f"{kind}_{counts[kind]}" not in taken:
                return f"{prefix}{kind}_{counts[kind]}"

    for place, spec in enumerate(specs, 1):
        if spec.type == "dense" and len(flow.shape) > 1:
            # Papers connect a fully connected layer to a volume; the engine is told to flatten it first.
            flat = LayerSpec("flatten", word="flatten")
            layer, flow = _layer(flat, flow, name_of(flat, "flatten"), where, whole)
            layers.append(layer)
        here = f"{where}, layer {place} ({_shown(spec)})" if where else f"layer {place} ({_shown(spec)})"
        kind = spec.settings["activation"].name if spec.type == "activation" else spec.type
        layer, flow = _layer(spec, flow, name_of(spec, kind), here, whole)
        layers.append(layer)
    return tuple(layers), flow


def _layer(spec: LayerSpec, flow: Flow, name: str, where: str, whole: Shape) -> tuple[LayerPlan, Flow]:
    settings = LAYERS[spec.type].defaults() | dict(spec.settings)
    _check_use(spec.type, settings, where)
    if spec.dimensions and spec.dimensions != len(flow.spatial):
        _fail(
            where,
            f"got {shape_text(flow.shape)} with {len(flow.spatial)} spatial axes, expected {spec.dimensions} for "
            f"{spec.type}{spec.dimensions}d; say {spec.type}{len(flow.spatial) or ''}{'d' if flow.spatial else ''}"
            " or give another --input",
        )
    branches: tuple[tuple[LayerPlan, ...], ...] = ()
    if spec.branches:
        made, branches = _branched(spec, flow, name, where, whole)
    else:
        try:
            made = RULES[spec.type](flow, settings, whole)
        except ShapeError as error:
            raise ShapeError(f"{where}: {error}") from None
    _check_extent(made.flow, where)
    layer = LayerPlan(
        name=name,
        type=spec.type,
        word=spec.word,
        input=flow.shape,
        output=made.flow.shape,
        settings=settings,
        windows=made.windows,
        groups=made.groups,
        params=made.params,
        untrained=made.untrained,
        macs=made.macs,
        field=made.flow.field,
        branches=branches,
    )
    return layer, made.flow


def _check_use(typed: str, settings: Mapping[str, Any], where: str) -> None:
    """Refuse a value that would change nothing, because another key says that it is of no use here."""
    for name, key in LAYERS[typed].keys.items():
        other, useful = key.used_if or (name, ())
        if key.used_if and settings[name] != key.default and settings[other] not in useful:
            got, decided, *meant = (f"{each:g}" if type(each) is float else str(each)
                                    for each in (settings[name], settings[other], *useful))  # fmt: skip
            raise GrammarError(
                f"{where}: {name}: got {got}, which does nothing with {other}={decided}, expected {other}="
                f"{' or '.join(meant)}; leave {name} out"
            )


def _check_extent(flow: Flow, where: str) -> None:
    """Refuse sizes and fields beyond any use: layers that multiply would make numbers of thousands of digits."""
    jumps = (each for field in flow.field for each in (field.size, *field.jump.as_integer_ratio(), abs(field.start)))
    if max(*flow.shape, *jumps) > 10**_MOST_DIGITS:
        _fail(where, f"gives sizes or a receptive field beyond 10^{_MOST_DIGITS} cells; use smaller sizes and strides")


def _branched(
    spec: LayerSpec, flow: Flow, name: str, where: str, whole: Shape
) -> tuple[Made, tuple[tuple[LayerPlan, ...], ...]]:
    plans, flows = [], []
    for number, branch in enumerate(spec.branches, 1):
        prefix = f"{name}/" if spec.type == "head" else f"{name}/{number}/"
        here = where if spec.type == "head" else f"{where}, branch {number}"
        layers, end = _chain(branch, flow, prefix, here, whole)
        plans.append(layers)
        flows.append(end)
    if spec.type == "head":
        return Made(flow), tuple(plans)
    first = flows[0]
    for number, each in enumerate(flows[1:], 2):
        adds = spec.type == "add"
        if each.shape != first.shape if adds else each.spatial != first.spatial or len(each.shape) != len(first.shape):
            _ragged(where, number, each.shape, first.shape, adds)
    channels = first.channels if spec.type == "add" else sum(each.channels for each in flows)
    if any(each.positions != first.positions for each in flows):
        flows = [all_positions(each, whole) for each in flows]
    fields = tuple(ReceptiveField.joined(axis) for axis in zip(*(each.field for each in flows), strict=True))
    return Made(Flow((*first.spatial, channels), fields, flows[0].positions)), tuple(plans)


def _ragged(where: str, number: int, got: Shape, first: Shape, adds: bool) -> NoReturn:
    expected = f"{shape_text(first)} as branch 1 gives" if adds else f"{shape_text(first[:-1])} as in branch 1"
    purpose = "added" if adds else "concatenated"
    if len(got) != len(first):
        fix = "flatten all branches or none"
    elif got[:-1] != first[:-1]:
        fix = "padding=same and equal strides keep branches equal"
    else:
        fix = f"end both with as many filters, {first[-1]} or {got[-1]}"  # one of them may be the input itself
    _fail(
        where,
        f"branch {number} gives {shape_text(got)}, expected {expected}: only equal "
        f"{'shapes' if adds else 'spatial sizes'} can be {purpose}; {fix}",
    )


def _shown(spec: LayerSpec) -> str:
    text = spec.name if spec.name and spec.branches else spec.word
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fail(where: str, message: str) -> NoReturn:
    raise ShapeError(f"{where}: {message}")
