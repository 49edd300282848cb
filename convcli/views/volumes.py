"""A network drawn as volumes, in SVG: one box per layer that changes the shape, branches above one another.

A box's face follows height and width, its length the channels, both on logarithmic scales, so that 224x224x3 and
1x1x1000 can stand side by side. Layers that keep the shape (activations, dropout, normalisation) are named under the
box before them. Every text gets the room it needs, from an estimate of its width; rows wrap like text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from math import log2

from convcli.architectures import LayerPlan, NetworkPlan, shape_text
from convcli.architectures.vocabulary import KEEP_SHAPE
from convcli.geometry import Window
from convcli.views.schemes import with_dark_scheme
from convcli.views.svg import FONT, INK, QUIET, broken, label, mix, path, polygon, text_width

# The palette of M. Okabe and K. Ito, "Color Universal Design", 2008: distinct for all common kinds of colour vision.
_KINDS = {
    "input": ("#999999", "input"),
    "conv": ("#0072B2", "convolution"),
    "conv_transpose": ("#CC79A7", "transposed convolution"),
    "pool": ("#D55E00", "pooling"),
    "flatten": ("#56B4E9", "flatten, pad"),
    "dense": ("#009E73", "dense"),
    "join": ("#E69F00", "branches joined"),
}
_KIND_OF = {
    "depthwise": "conv",
    "separable_conv": "conv",
    "global_pool": "pool",
    "adaptive_pool": "pool",
    "pad": "flatten",
    "parallel": "join",
    "add": "join",
}
_OTHER = "flatten"  # how a kind is drawn that has no colour of its own
_MARGIN, _GAP, _WIDEST = 28, 26, 1560


@dataclass(frozen=True)
class _Cell:
    """A part of the drawing with its own coordinates: x from 0 to ``width``, the line of the data at y = 0.

    ``enter`` and ``leave`` are where that line meets it; ``above`` and ``below`` how far it reaches.
    """

    width: float
    above: float
    below: float
    enter: float
    leave: float
    parts: tuple[str, ...]


@dataclass
class _Item:
    """A layer to be drawn, with the layers of equal shape that follow it."""

    layer: LayerPlan | None
    shape: tuple[int, ...]
    kind: str
    title: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Scale:
    """From sizes to pixels of the drawing."""

    largest: int
    most_channels: int
    tallest: float = 150.0

    def side(self, n: int) -> float:
        """A spatial size."""
        return float(8 + (self.tallest - 8) * (log2(1 + n) / log2(1 + self.largest)) ** 1.7)

    def length(self, channels: int) -> float:
        """Channels, along the line of the data."""
        return 4 + 0.34 * self.tallest * (log2(1 + channels) / log2(1 + self.most_channels)) ** 2

    def row(self, values: int) -> float:
        """A row of values, upright."""
        return 16 + 0.72 * self.tallest * min(log2(1 + values) / 13, 1.2)


def draw(plan: NetworkPlan) -> str:
    """The network as the text of an SVG file."""
    volumes = [plan.input, *(layer.output for layer in plan.flat(heads=True))]
    spatial = [n for shape in volumes for n in shape[:-1]]
    scale = _Scale(max(spatial, default=1), max((shape[-1] for shape in volumes if len(shape) > 1), default=1))
    items = list(_items(plan.layers, _Item(None, plan.input, "input", "input")))
    rows = _wrapped([_cell(item, scale) for item in items])
    title = plan.spec.title or plan.spec.name
    subtitle = f"{plan.params:,} parameters, {plan.macs:,} multiply-adds for one {shape_text(plan.input)} input"
    width = max(*(_row_width(row) for row in rows), text_width(title, 20, True), text_width(subtitle, 13)) + 2 * _MARGIN
    body: list[str] = []
    y = _MARGIN + 62.0
    for number, row in enumerate(rows):
        above, below = max(cell.above for cell in row), max(cell.below for cell in row)
        body += _row(row, y + above, number > 0, number < len(rows) - 1)
        y += above + below + 34
    legend, legend_height = _legend(items, width, y)
    height = y + legend_height + _MARGIN - 10
    heading = [
        label(_MARGIN, _MARGIN + 18, title, 20, bold=True, anchor="start"),
        label(_MARGIN, _MARGIN + 40, subtitle, 13, colour=QUIET, anchor="start"),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" role="img">'
    )
    paper = f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#ffffff"/>'
    return with_dark_scheme("\n".join([head, paper, *heading, *body, *legend, "</svg>", ""]))


def _items(layers: Sequence[LayerPlan], first: _Item | None = None) -> Iterator[_Item]:
    """The layers that get a box; those that keep the shape become notes of the box before them."""
    last = first
    for layer in layers:
        if layer.type in KEEP_SHAPE and last is not None:
            last.notes.append(_operation(layer))
            continue
        if last is not None:
            yield last
        kind = "head" if layer.type == "head" else _kind(layer)
        last = _Item(layer, layer.output, kind, layer.name.rsplit("/", 1)[-1], [_operation(layer)])
    if last is not None:
        yield last


def _kind(layer: LayerPlan) -> str:
    return layer.type if layer.type in _KINDS else _KIND_OF.get(layer.type, _OTHER)


def _operation(layer: LayerPlan) -> str:
    """What a layer does, in words: ``conv 11x11, stride 4, relu``."""
    settings = layer.settings
    words = {
        "pool": f"{settings.get('mode')} pool",
        "global_pool": f"global {settings.get('mode')} pool",
        "adaptive_pool": f"{settings.get('mode')} pool to {shape_text(layer.output[:-1])}",
        "dropout": f"dropout {settings.get('rate')}",
        "spatial_dropout": f"spatial dropout {settings.get('rate')}",
        "batch_norm": "batch norm",
        "layer_norm": "layer norm",
        "group_norm": f"norm of {settings.get('groups')} groups",
        "separable_conv": "separable conv",
        "conv_transpose": "transposed conv",
        "parallel": "concatenated",
        "add": "added",
        "lrn": "local norm",
        "activation": "",
    }.get(layer.type, layer.type)
    if layer.type == "pad":
        return "pad " + _per_axis([f"{each.before}:{each.after}" for each in layer.windows])
    if layer.type == "upsample":
        sizes = [made // n for made, n in zip(layer.output[:-1], layer.input[:-1], strict=True)]
        return f"{settings['mode']} upsampling {_per_axis(sizes)}"
    parts = [words] if words else []
    if layer.windows:
        parts = parts or [layer.type]
        parts[0] += " " + _per_axis([each.kernel_size for each in layer.windows], whole=True)
        strides = [each.stride for each in layer.windows]
        if strides != [1] * len(strides) and not (
            isinstance(layer.windows[0], Window)
            and layer.type == "pool"
            and strides == [each.kernel_size for each in layer.windows]
        ):
            parts.append(f"stride {_per_axis(strides)}")
        if any(each.dilation > 1 for each in layer.windows):
            parts.append(f"dilation {_per_axis([each.dilation for each in layer.windows])}")
    if layer.type == "conv" and layer.groups > 1:
        parts.append(f"{layer.groups} groups")
    activation = settings.get("activation")
    if activation and (activation.name != "linear" or layer.type == "activation"):
        parts.append(activation.name)
    return ", ".join(parts)


def _per_axis(values: Sequence[object], *, whole: bool = False) -> str:
    return str(values[0]) if len(set(values)) == 1 and not whole else "x".join(map(str, values))


def _cell(item: _Item, scale: _Scale) -> _Cell:
    if item.layer is not None and item.kind == "head":
        return _head(item.layer, scale)
    if item.layer is not None and item.layer.branches:
        return _branches(item, scale)
    return _volume(item, scale)


def _volume(item: _Item, scale: _Scale, small: bool = False) -> _Cell:
    """One box with its texts below it."""
    box, box_width, box_height = _box(item.shape, item.kind, scale)
    title, size = (9.5, 9.0) if small else (12.5, 11.0)
    lines = [(item.title, title, True, INK)] if not small else []
    lines.append((shape_text(item.shape), size, small, INK))
    for note in item.notes if not small else item.notes[:1]:
        lines += [(line, size, False, QUIET) for line in broken(note, size, max(box_width, 54 if small else 92))]
    width = max(box_width, *(text_width(text, points, bold) for text, points, bold, _ in lines))
    left = (width - box_width) / 2
    y = box_height / 2 + (4 if small else 8)
    parts = [f'<g transform="translate({left:.1f},0)">{box}</g>']
    for text, points, bold, colour in lines:
        y += points * 1.25
        parts.append(label(width / 2, y, text, points, bold=bold, colour=colour))
    return _Cell(width, box_height / 2, y + 4, left, left + box_width, tuple(parts))


def _box(shape: tuple[int, ...], kind: str, scale: _Scale) -> tuple[str, float, float]:
    """A box in oblique projection around the line of the data; with its width and height."""
    colour = _KINDS[kind][0]
    if len(shape) == 1:
        face, length = scale.row(shape[0]), 0.075 * scale.tallest
        slant_x, slant_y = 0.03 * scale.tallest, 0.02 * scale.tallest
    else:
        height, breadth = (shape[0], 1) if len(shape) == 2 else shape[-3:-1]
        face, length = scale.side(height), scale.length(shape[-1])
        slant_x, slant_y = 0.3 * scale.side(breadth), 0.24 * scale.side(breadth)
    slices = min(3, shape[0]) if len(shape) == 4 else 1
    step = 5.0
    top = -(face + slant_y) / 2 + slant_y
    pieces = []
    for number in range(slices):
        x = number * (length + step)
        right, bottom = x + length, top + face
        pieces += [
            polygon(
                [(x, top), (x + slant_x, top - slant_y), (right + slant_x, top - slant_y), (right, top)],
                mix(colour, 0.55),
            ),
            polygon(
                [(right, top), (right + slant_x, top - slant_y), (right + slant_x, bottom - slant_y), (right, bottom)],
                mix(colour, -0.22),
            ),
            polygon([(x, top), (right, top), (right, bottom), (x, bottom)], mix(colour, 0.18)),
        ]
    return "".join(pieces), slices * length + (slices - 1) * step + slant_x, face + slant_y


def _branches(item: _Item, scale: _Scale) -> _Cell:
    """Branches above one another, and the box where they meet."""
    assert item.layer is not None
    small = replace(scale, tallest=scale.tallest * 0.42)
    lanes = [_lane(branch, small) for branch in item.layer.branches]
    end = _volume(item, scale)
    lane_width = max(lane.width for lane in lanes)
    height = sum(lane.above + lane.below for lane in lanes) + 8 * (len(lanes) - 1)
    fan, parts, y = 22.0, [], -height / 2
    join = fan + lane_width + fan
    for lane in lanes:
        y += lane.above
        x = fan + (lane_width - lane.width) / 2
        parts.append(path([(0, 0), (fan * 0.5, y), (x + lane.enter, y)]))
        parts.append(path([(x + lane.leave, y), (join - fan * 0.6, y), (join, 0), (join + end.enter, 0)]))
        parts.append(f'<g transform="translate({x:.1f},{y:.1f})">{"".join(lane.parts)}</g>')
        y += lane.below + 8
    parts.append(f'<g transform="translate({join:.1f},0)">{"".join(end.parts)}</g>')
    half = height / 2
    return _Cell(join + end.width, max(half, end.above), max(half, end.below), 0, join + end.leave, tuple(parts))


def _lane(layers: Sequence[LayerPlan], scale: _Scale) -> _Cell:
    """The layers of one branch in a row of small boxes; an empty branch is a line."""
    items = list(_items(layers))
    for item in items:
        if item.layer is not None and item.layer.branches:
            item.notes = [f"{len(item.layer.branches)} branches" if item.kind != "head" else "head"]
            item.kind = "join"
    if not items:
        text = "unchanged"
        width = text_width(text, 9.0)
        return _Cell(
            width, 8, 16, 0, width, (path([(0, 0), (width, 0)]), label(width / 2, 12, text, 9.0, colour=QUIET))
        )
    cells = [_volume(item, scale, small=True) for item in items]
    parts, x, enter, leave = [], 0.0, 0.0, 0.0
    for number, cell in enumerate(cells):
        if number:
            parts.append(path([(leave, 0), (x + cell.enter, 0)]))
        else:
            enter = cell.enter
        parts.append(f'<g transform="translate({x:.1f},0)">{"".join(cell.parts)}</g>')
        leave = x + cell.leave
        x += cell.width + 10
    return _Cell(
        x - 10, max(cell.above for cell in cells), max(cell.below for cell in cells), enter, leave, tuple(parts)
    )


def _head(layer: LayerPlan, scale: _Scale) -> _Cell:
    """A head hangs below the line of the data, which passes over it."""
    lane = _lane(layer.branches[0], replace(scale, tallest=scale.tallest * 0.42))
    drop = lane.above + 26
    caption = f"{layer.name.rsplit('/', 1)[-1]}: used in training only"
    width = max(lane.width + 20, text_width(caption, 11, True) + 20)
    parts = (
        path([(0, 0), (width, 0)]),
        path([(4, 0), (10, drop), (20 + lane.enter, drop)], dashed=True),
        f'<g transform="translate(20,{drop:.1f})">{"".join(lane.parts)}</g>',
        label(20, drop + lane.below + 14, caption, 11, bold=True, anchor="start"),
    )
    return _Cell(width, 10, drop + lane.below + 20, 0, width, parts)


def _wrapped(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    """Rows of about equal width, none wider than the paper."""
    whole = sum(cell.width + _GAP for cell in cells)
    goal = whole / -(-whole // _WIDEST) * 1.04
    rows: list[list[_Cell]] = [[]]
    used = 0.0
    for cell in cells:
        if rows[-1] and used + cell.width > goal:
            rows.append([])
            used = 0.0
        rows[-1].append(cell)
        used += cell.width + _GAP
    return rows


def _row_width(row: Sequence[_Cell]) -> float:
    return sum(cell.width + _GAP for cell in row) + _GAP


def _row(row: Sequence[_Cell], y: float, continued: bool, continues: bool) -> list[str]:
    x = _MARGIN + (_GAP if continued else 0.0)
    parts: list[str] = []
    leave = float(_MARGIN) if continued else None
    for cell in row:
        if leave is not None:
            parts.append(path([(leave, y), (x + cell.enter, y)], arrow=True))
        parts.append(f'<g transform="translate({x:.1f},{y:.1f})">{"".join(cell.parts)}</g>')
        leave = x + cell.leave
        x += cell.width + _GAP
    if continues and leave is not None:
        parts.append(path([(leave, y), (x, y)], arrow=True))
    return parts


def _legend(items: Sequence[_Item], width: float, y: float) -> tuple[list[str], float]:
    def kinds(layers: Sequence[LayerPlan]) -> Iterator[str]:
        for layer in layers:
            yield _kind(layer)
            for branch in layer.branches:
                yield from kinds(branch)

    used = {item.kind for item in items} | set(kinds([item.layer for item in items if item.layer is not None]))
    parts, x, line = [], float(_MARGIN), y + 8
    for kind, (colour, text) in _KINDS.items():
        if kind in used:
            room = 18 + text_width(text, 12) + 20
            if x + room > width - _MARGIN and x > _MARGIN:
                x, line = float(_MARGIN), line + 20
            parts.append(f'<rect x="{x:.1f}" y="{line - 10:.1f}" width="12" height="12" fill="{mix(colour, 0.18)}"/>')
            parts.append(label(x + 18, line, text, 12, anchor="start"))
            x += room
    return parts, line - y + 4
