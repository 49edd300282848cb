"""`convcli bench scaling`: what it prints, a line for each size of an operation, then its slopes; and the drawing."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from convcli.atomic import check_target
from convcli.bench.model import Setting
from convcli.bench.scaling import Growth, Point, growths, measure_growth, slope, steepest
from convcli.cli.bench_table import wrapped
from convcli.cli.printing import show, show_live, show_result
from convcli.jobs.documents import json_text
from convcli.views.curves import check_plot, new_figure
from convcli.views.growth import draw_growth

_HEAD = (
    "scaling: the shortest of several times, in ms; memory at the peak of a call beyond what was there before, its "
    "result among it, in MB; the slope on logarithmic axes from the size before: 1 is in proportion to the work"
)


def run_scaling(
    setting: Setting, only: Sequence[str], plot: Path | None, *, overwrite: bool, as_json: bool, quiet: bool
) -> int:
    """Measure, print and draw; the exit code. Raises `click.UsageError` where no operation has a word of ``only``."""
    every = growths(setting)
    chosen = [each for each in every if not only or any(word in f"{each.name} {each.unit}" for word in only)]
    if not chosen:
        names = "; ".join(f"{each.name} ({each.unit})" for each in every)
        raise click.UsageError(f"--only: got {', '.join(only)}, expected words of {names}")
    if plot is not None:
        check_plot(plot)
        check_target(plot, overwrite=overwrite)
        new_figure(1, 1)  # or what it needs is missing: said now, not after minutes
    if not as_json:
        show(*wrapped(_HEAD))
    found = [(growth, _measure(growth, as_json=as_json, live=not quiet and sys.stderr.isatty())) for growth in chosen]
    if plot is not None:
        lines = [(growth.name, growth.unit, growth.slope, points) for growth, points in found]
        draw_growth(lines, plot, overwrite=overwrite)
    if as_json:
        told = [_document(*each) for each in found]
        drawn = {} if plot is None else {"plot": str(plot)}
        show_result(json_text({"threads": setting.threads, "isa": setting.isa, "scaling": told} | drawn))
    elif plot is not None:
        show_result(str(plot))
    return 0


def _measure(growth: Growth, *, as_json: bool, live: bool) -> list[Point]:
    if not as_json:
        show("", f"{growth.name}, by {growth.unit}:")
    points: list[Point] = []
    for point in measure_growth(growth):
        if live:
            show_live("")
        if not as_json:
            show(_row(point, points))
        points.append(point)
        if live and len(points) < len(growth.amounts):
            show_live(f"{growth.name}, {growth.amounts[len(points)]:g} {growth.unit}")
    if not as_json:
        show(*wrapped(_verdict(growth, points)))
    return points


def _row(point: Point, before: Sequence[Point]) -> str:
    step = slope([before[-1], point]) if before else None
    memory = "" if point.bytes is None else f"{point.bytes / 1e6:.1f} MB"
    rise = "" if step is None else f"{step:.2f}"
    return f"{point.amount:>12.4g} {point.seconds * 1e3:>10.4g} ms {memory:>12} {rise:>8}".rstrip()


def _verdict(growth: Growth, points: Sequence[Point]) -> str:
    """The slope of the whole, and the steepest part of it."""
    whole, step = slope(points), steepest(points)
    if whole is None or step is None:
        return "one size: no slope"
    return f"slope {whole:.2f}, at most {step.slope:.2f} ({step.start:.4g} to {step.end:.4g} {growth.unit})"


def _document(growth: Growth, points: Sequence[Point]) -> dict[str, object]:
    step = steepest(points)
    return {
        "name": growth.name,
        "unit": growth.unit,
        "in_proportion": growth.slope,
        "points": [dataclasses.asdict(point) for point in points],
        "slope": slope(points),
        "steepest": None if step is None else dataclasses.asdict(step),
    }
