"""The room of arithmetic: windows that slide, their sizes and formulas, and chains of layers with what they see."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from convcli.architectures import LayerPlan, shape_text
from convcli.errors import ShapeError, shortened
from convcli.geometry import TransposedWindow, Window
from convcli.jobs.animate import POOLS, AnimationPlan, encoded, make_film, plan_animation, seeded_values, usual_delay
from convcli.jobs.receptive import answer, fields_of, growing
from convcli.jobs.shape import shape
from convcli.lab import asking, commands
from convcli.lab.asking import Words, WordsError
from convcli.views.animation import Film

KINDS = ("convolution", "transposed", *POOLS)
_MOST_LAYERS = 200
_LONGEST = 4000  # letters of a chain
_LARGEST = 64  # of what sliders set


class ArithmeticRoom:
    """What the page asks of sizes."""

    def slide(self, words: Words) -> Response:
        """Every position of a window: which cells it covers, what comes of them; sizes and formulas."""
        plan, film, options = _planned(words)
        told = {
            "kind": plan.kind,
            "labels": film.labels,
            "captions": film.captions,
            "formulas": plan.formulas,
            "kinds": film.kinds,
            "output": film.output,
            "kernel": [window.kernel_size for window in plan.windows],
            "frames": [
                {"at": each.position, "taps": each.taps, "value": each.value, "arithmetic": each.arithmetic}
                for each in film.frames
            ],
            "numbers": film.numbers,
            "weights": film.weights,
            "leftover": [
                window.leftover(n) if isinstance(window, Window) else 0
                for window, n in zip(plan.windows, plan.sizes, strict=True)
            ],
            "command": commands.line("animate", options=options),
        }
        return asking.document(told)

    def save(self, words: Words) -> Response:
        """The moving drawing that the command writes."""
        _, film, _ = _planned(words)
        return Response(encoded(film, ".svg", usual_delay(film)), media_type="image/svg+xml")

    def chain(self, words: Words) -> Response:
        """Layers one after the other, and what one unit of one of them sees."""
        text, size = asking.text(words, "layers"), asking.text(words, "input")
        if len(text) > _LONGEST or len(size) > 100:
            raise WordsError(f"layers: got {len(text):,} letters, expected at most {_LONGEST:,}")
        plan = shape(text, size).plan
        if len(plan.layers) > _MOST_LAYERS:
            raise ShapeError(f"layers: got {len(plan.layers)}, expected at most {_MOST_LAYERS} in the lab")
        told: dict[str, Any] = {
            "input": plan.input,
            "layers": [_told(each) for each in plan.layers],
            "params": plan.params,
            "macs": plan.macs,
            "command": commands.line("shape", "--input", size, *text.split()),
        }
        if any(len(each.output) == len(plan.input) for each in plan.layers) and len(plan.input) > 1:
            layer = asking.text(words, "layer") or None
            place = words.get("unit")
            if place is not None and not (
                isinstance(place, list) and len(place) < 4 and all(type(n) is int for n in place)
            ):
                raise WordsError(f"unit: got {shortened(place)}, expected a place")
            if layer not in [each.name for each in plan.layers]:
                layer = place = None  # of a chain that was another one before
            found = fields_of(plan, layer=layer, unit=place)
            told["fields"] = [
                {
                    "layer": each.layer.name,
                    "unit": each.unit,
                    "spans": each.spans,
                    "inside": each.inside,
                    "sizes": each.sizes,
                }
                for each in growing(found)
            ]
            told["chosen"] = {"layer": found.chosen.layer.name, "unit": found.chosen.unit, "says": answer(found)}
        return asking.document(told)


def _planned(words: Words) -> tuple[AnimationPlan, Film, Mapping[str, Any]]:
    """A plan, its film, and the options of the command that makes them."""
    kind = asking.text(words, "kind", "convolution")
    if kind not in KINDS:
        raise WordsError(f"kind: got {kind[:40]!r}, expected one of {', '.join(KINDS)}")
    pool = kind if kind in POOLS else None
    rows, columns = (asking.whole(words, name, 5, 1, _LARGEST) for name in ("rows", "columns"))
    size = asking.whole(words, "kernel", 2 if pool else 3, 1, _LARGEST)
    stride = asking.whole(words, "stride", size if pool else 1, 1, _LARGEST)
    dilation = asking.whole(words, "dilation", 1, 1, _LARGEST)
    extra = asking.whole(words, "output_padding", 0, 0, _LARGEST) if kind == "transposed" else None
    padding: str | int = words.get("padding", "valid")
    padding = padding if isinstance(padding, str) else asking.whole(words, "padding", 0, 0, _LARGEST)
    plan = plan_animation(
        (rows, columns), size, stride=stride, padding=padding, dilation=dilation, transposed=kind == "transposed",
        output_padding=extra, pool=pool,
    )  # fmt: skip
    has_values, seed = asking.flag(words, "values"), asking.whole(words, "seed", 0, 0, 10**6)
    film = make_film(plan, *seeded_values(plan, seed)) if has_values else make_film(plan)
    options = {
        "input": f"{rows}x{columns}",
        "kernel-size": size,
        "stride": None if stride == (size if pool else 1) else stride,
        "padding": None if padding in ("valid", 0) else padding,
        "dilation": None if dilation == 1 else dilation,
        "transposed": kind == "transposed",
        "output-padding": extra or None,
        "pool": pool,
        "values": has_values,
        "seed": seed if has_values and seed else None,
        "output": f"{kind}.svg",
    }
    return plan, film, options


def _told(layer: LayerPlan) -> dict[str, Any]:
    formulas = [
        window.formula(n)
        for window, n in zip(layer.windows, layer.input[:-1], strict=False)
        if isinstance(window, Window | TransposedWindow)
    ]
    return {
        "name": layer.name,
        "word": layer.word,
        "output": shape_text(layer.output),
        "sizes": layer.output,
        "params": layer.all_params,
        "macs": layer.all_macs,
        "field": shape_text([axis.size for axis in layer.field]),
        "formulas": list(dict.fromkeys(formulas)),
    }
