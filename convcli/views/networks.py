"""A network plan as text and as plain data: the table of `convcli summary`, the lines of `convcli shape`, JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import prod
from textwrap import wrap
from typing import Any

from convcli.architectures import LayerPlan, NetworkPlan, axis_names, shape_text
from convcli.architectures.card import ModelCard
from convcli.architectures.vocabulary import LEARNING, WITH_KERNEL
from convcli.geometry import AdaptiveWindow, ReceptiveField, TransposedWindow, Window

WIDTH = 80
FLOAT32 = 4
_HEADER = ("layer", "output", "parameters", "multiply-adds", "memory", "field")
_WITHOUT_KERNEL = LEARNING - WITH_KERNEL  # what they learn is neither weights nor biases
_CELLS = {1: "samples", 2: "pixels", 3: "voxels"}


def report(plan: NetworkPlan) -> dict[str, Any]:
    """The plan as JSON knows it. ``layers`` is flat: those of branches stand before the layer that joins them."""
    document: dict[str, Any] = {
        "input": list(plan.input),
        "output": list(plan.output),
        "params": plan.params,
        "macs": plan.macs,
        "layers": [_entry(layer) for layer in plan.flat() if layer.type != "head"],
        "non_trainable_params": plan.untrained,
        "activation_bytes": plan.activations * FLOAT32,
        "weight_bytes": plan.params * FLOAT32,
        "receptive_field_note": field_bound(list(plan.flat())) or "what every unit sees",
    }
    if plan.heads:
        document["params_with_heads"] = plan.params + sum(head.all_params for head in plan.heads)
        document["heads"] = [
            {
                "name": head.name,
                "params": head.all_params,
                "macs": head.all_macs,
                "layers": [_entry(layer) for branch in head.branches for each in branch for layer in each.flat()],
            }
            for head in plan.heads
        ]
    return document


def table(plan: NetworkPlan, *, expand: bool = False) -> list[str]:
    """The Keras-style table, one line per layer (``expand``: the layers of branches too) and totals; 80 columns."""
    for typed in (True, False):
        lines = [_HEADER, *_named_rows(plan, expand, typed)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
        if sum(widths) + 2 * len(widths) - 2 <= WIDTH:
            break
    widths[0] = max(12, min(widths[0], WIDTH - sum(widths[1:]) - 2 * len(widths) + 2))
    text = [_line(line, widths) for line in lines]
    return [text[0], "-" * max(map(len, text)), *text[1:], "-" * max(map(len, text)), *totals(plan)]


def cells(plan: NetworkPlan) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The table's head, and its rows without the layers of branches."""
    return _HEADER, _named_rows(plan, False, True)


def _named_rows(plan: NetworkPlan, expand: bool, typed: bool) -> list[tuple[str, ...]]:
    rows = [(shape_text(plan.input), "", "", _bytes(prod(plan.input)), ""), *_rows(plan.layers, expand)]
    titles = zip(_titles(plan, expand), rows, strict=True)
    return [(name + kind if typed else name, *row) for (name, kind), row in titles]


def totals(plan: NetworkPlan) -> list[str]:
    """The last lines of a table: counts, memory, receptive field, leftovers, heads."""
    layers = list(plan.flat())
    biases = sum(layer.output[-1] for layer in layers if layer.settings.get("use_bias"))
    others: Counter[str] = Counter()
    for layer in layers:
        others[layer.type] += layer.params * (layer.type in _WITHOUT_KERNEL)
    parts = [f"{plan.params - biases - others.total():,} weights", f"{biases:,} biases"]
    fixed = {"batch_norm": f" ({plan.untrained:,} fixed)"}
    parts += [f"{count:,} of {kind}{fixed.get(kind, '')}" for kind, count in others.items() if count]
    lines = [
        f"parameters       {plan.params:,} ({_bytes(plan.params)} at float32)",
        *_wrapped(f"{'':<17}{', '.join(parts)}"),
        f"multiply-adds    {plan.macs:,} for one input",
        f"activations      {plan.activations:,} values ({_bytes(plan.activations)} at float32) for one input",
    ]
    if plan.layers:
        of = shape_text(plan.input[:-1] or plan.input)
        lines.append(f"receptive field  {_field(plan.layers[-1].field)} of {of}")
        lines += _wrapped(f"{'':<17}{text}") if (text := field_bound(layers)) else []
    if slopes := dict.fromkeys(text for layer in layers if (text := _slope(layer))):
        lines.append(f"leaky_relu       slope {', '.join(slopes)}")
    for layer in layers:
        if layer.type != "pad" and (text := leftover(layer)):
            lines += _wrapped(f"leftover         {layer.name}: {text}")
    for head in plan.heads:
        lines.append(f"in parentheses   {head.name}: {head.all_params:,} parameters, used in training only")
    if plan.heads:
        lines.append(f"with heads       {plan.params + sum(head.all_params for head in plan.heads):,} parameters")
    return lines


def card_lines(card: ModelCard) -> list[str]:
    """What a model file tells: what it was trained on, how, and how good it is."""
    several = "1 class" if len(card.classes) == 1 else f"{len(card.classes):,} classes"
    names = ", ".join(card.classes[:10]) + (", ..." if len(card.classes) > 10 else "")
    lines = _wrapped(f"trained on       {card.name}: {several} ({names})" if names else f"trained on       {card.name}")
    scores = ", ".join(map(" ".join, card.scores))
    lines += _wrapped(f"measured         {scores}") if scores else []
    epochs = f"{len(card.history)} epochs, " if len(card.history) > 1 else ""
    lines.append(f"how              {epochs}seed {card.seed}, convcli {card.version}")
    command = card.recipe.get("command")
    return lines + (_wrapped(f"command          {command}") if isinstance(command, str) and command else [])


def details(layer: LayerPlan) -> list[str]:
    """One layer worked through with its numbers: output sizes, parameters, multiply-adds, field, leftover."""
    lines = []
    names = axis_names(len(layer.windows))
    formulas: dict[str, list[str]] = {}
    for name, window, n in zip(names, layer.windows, layer.input, strict=False):
        padded = isinstance(window, Window) and layer.type == "pad"
        formula = f"{n} + {window.before} + {window.after} = {window.output(n)}" if padded else window.formula(n)
        formulas.setdefault(formula, []).append(name)
    if layer.type == "adaptive_pool":
        for name, n, count in zip(axis_names(len(layer.input) - 1), layer.input, layer.output[:-1], strict=False):
            formulas.setdefault(AdaptiveWindow(count).formula(n), []).append(name)
    for formula, axes in formulas.items():
        lines.append(f"{', '.join(axes):<17}{formula}")
    parameters, multiplications = _count_formulas(layer)
    lines.append(f"parameters       {parameters}{layer.params:,}")
    lines.append(f"multiply-adds    {multiplications}{layer.macs:,}")
    lines.append(f"receptive field  {_field(layer.field)}")
    lines += _wrapped(f"{'':<17}{text}") if (text := field_bound([layer])) else []
    if any(isinstance(window, Window) for window in layer.windows) and layer.type != "pad":
        lines += _wrapped(f"leftover         {leftover(layer) or 'none'}")
    return lines


def field_bound(layers: Sequence[LayerPlan]) -> str:
    """Where units see less than the fields of these layers say; nothing if none does."""
    where = []
    if any(max(each.before, each.after) > 0 for layer in layers for each in layer.windows):
        where.append("at borders, where some of it is padding")
    if any(least < most for layer in layers for least, most in _adaptive(layer)):
        where.append("under adaptive windows, which are not of one size")
    return f"an upper bound: less {'; '.join(where)}" if where else ""


def _adaptive(layer: LayerPlan) -> Iterator[tuple[int, int]]:
    """The fewest and the most cells of an adaptive layer's windows along each axis."""
    if layer.type == "adaptive_pool":
        for n, count in zip(layer.input[:-1], layer.output[:-1], strict=True):
            yield AdaptiveWindow(count).sizes(n)


def _slope(layer: LayerPlan) -> str:
    """The slope of a leaky ReLU below zero, and whether it was given."""
    named = layer.settings.get("activation")
    if named is None or named.name != "leaky_relu":
        return ""
    return f"{named.arguments[0][1]:g}" if named.arguments else "0.2 (Keras's layer LeakyReLU has 0.3)"


def leftover(layer: LayerPlan) -> str:
    """``15 of 64 pixels (height 1 of 8, width 1 of 8)``, or nothing if windows reach every cell."""
    spatial = layer.input[:-1]
    unread = [
        window.leftover(n) if isinstance(window, Window) else 0
        for window, n in zip(layer.windows, spatial, strict=False)
    ]
    if not any(unread):
        return ""
    whole = prod(spatial)
    count = whole - prod(n - each for n, each in zip(spatial, unread, strict=True))
    along = [
        f"{name} {each:,} of {n:,}"
        for each, n, name in zip(unread, spatial, axis_names(len(spatial)), strict=True)
        if each
    ]
    return f"{count:,} of {whole:,} {_CELLS[len(spatial)]} ({', '.join(along)})"


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent=" " * 17, break_long_words=False)


def _entry(layer: LayerPlan) -> dict[str, Any]:
    return {
        "name": layer.name,
        "type": layer.type,
        "output": list(layer.output),
        "params": layer.params,
        "macs": layer.macs,
        "receptive_field": [axis.size for axis in layer.field],
    }


def _rows(layers: tuple[LayerPlan, ...], expand: bool) -> Iterator[tuple[str, ...]]:
    for layer in layers:
        params, macs = f"{layer.all_params:,}", f"{layer.all_macs:,}"
        if layer.type == "head":
            params, macs = f"({params})", f"({macs})"
        held = _bytes(prod(layer.output)) if layer.type not in ("flatten", "head") else "-"
        output = f"({shape_text(layer.branches[0][-1].output)})" if layer.type == "head" else shape_text(layer.output)
        yield output, params, macs, held, _field(layer.field)
        if expand:
            for branch in layer.branches:
                yield from _rows(branch, expand)


def _titles(plan: NetworkPlan, expand: bool) -> Iterator[tuple[str, str]]:
    yield "input", ""

    def titles(layers: tuple[LayerPlan, ...], indent: str) -> Iterator[tuple[str, str]]:
        for layer in layers:
            name = layer.name.rsplit("/", 1)[-1]
            typed = layer.settings["activation"].name if layer.type == "activation" else layer.type
            yield indent + name, "" if name.startswith(typed) else f" ({typed})"
            if expand:
                for number, branch in enumerate(layer.branches, 1):
                    yield from titles(branch, f"{indent}  {number}: " if layer.type != "head" else f"{indent}  ")

    yield from titles(plan.layers, "")


def _line(values: tuple[str, ...], widths: list[int]) -> str:
    name = values[0] if len(values[0]) <= widths[0] else f"{values[0][: widths[0] - 1]}~"
    rest = [
        value.ljust(width) if column in (1, 5) else value.rjust(width)
        for column, (value, width) in enumerate(zip(values, widths, strict=True))
    ]
    return "  ".join([name.ljust(widths[0]), *rest[1:]]).rstrip()


def _count_formulas(layer: LayerPlan) -> tuple[str, str]:
    """``(3*3*3 + 1)*4 = `` and ``5*5*4 * 3*3*3 = ``; empty for layers that count nothing."""
    bias = " + 1" if layer.settings.get("use_bias") else ""
    if layer.type == "dense":
        return f"({layer.input[-1]}{bias})*{layer.output[-1]} = ", f"{layer.input[-1]}*{layer.output[-1]} = "
    if layer.type not in ("conv", "conv_transpose", "depthwise") or layer.settings.get("connections"):
        return "", ""
    kernel = [window.kernel_size for window in layer.windows]
    filters = layer.output[-1]
    weights = "*".join(map(str, [*kernel, layer.input[-1] // layer.groups]))
    if isinstance(layer.windows[0], TransposedWindow):
        taps = "*".join(map(str, [*kernel, filters // layer.groups]))
        return f"({weights}{bias})*{filters} = ", f"{'*'.join(map(str, layer.input))} * {taps} = "
    return f"({weights}{bias})*{filters} = ", f"{'*'.join(map(str, layer.output))} * {weights} = "


def _field(field: tuple[ReceptiveField, ...]) -> str:
    return shape_text([axis.size for axis in field])


def _bytes(values: int) -> str:
    size = float(values * FLOAT32)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} EiB"
