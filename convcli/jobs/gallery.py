"""A gallery: pictures down, kernels across, so that one sees what kernels do to one's own pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convcli.errors import ConvcliError
from convcli.images import MAX_PIXELS, Image, convert_depth, read
from convcli.jobs.batch import failed
from convcli.jobs.filter import FilterPlan, filter_image, plan_filter
from convcli.jobs.output_policy import extremes, stretched
from convcli.jobs.tasks import Task, about

# Few enough to be large, different enough to show what kernels are for.
USUAL = ("gaussian:sigma=3", "unsharp:sigma=2,amount=1.5", "emboss", "sobel", "laplacian-8", "canny")
_MOST_CELLS = 400


@dataclass(frozen=True, eq=False)
class Row:
    """A picture file's row: the picture itself, then each kernel's result; or an error of one line about the file."""

    file: str
    pictures: tuple[Image, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""


def plan_gallery(specs: Sequence[str]) -> tuple[FilterPlan, ...]:
    """One plan for each SPEC, or for the usual kernels when there are none; raises `ConvcliError` for a wrong SPEC."""
    return tuple(plan_filter([spec]) for spec in specs or USUAL)


def check_cells(pictures: int, kernels: int) -> None:
    """Refuse a sheet of more than 400 cells; raises `ConvcliError`."""
    if pictures * (kernels + 1) > _MOST_CELLS:
        raise ConvcliError(
            f"gallery: got {pictures} pictures and {kernels} kernels, {pictures * (kernels + 1)} cells with the "
            f"originals, expected at most {_MOST_CELLS}"
        )


def make_rows(sources: Sequence[str], plans: Sequence[FilterPlan], *, max_pixels: int = MAX_PIXELS) -> Iterator[Row]:
    """A row for each picture file, in order; one bad file does not stop the rest."""
    for source in sources:
        try:
            picture = _visible(read(source, max_pixels=max_pixels))
            with about(source):
                yield Row(source, tuple(_row(picture, plans)), picture.warnings)
        except (ConvcliError, OSError, MemoryError) as error:
            yield Row(source, error=failed(Task(source, source), error).error)


def sheet_of(rows: Sequence[Row], plans: Sequence[FilterPlan], *, cell: int = 200) -> Image:
    """The contact sheet of rows that have pictures."""
    from convcli.views.sheet import contact_sheet

    labels = ["original", *(plan.name for plan in plans)]
    return Image(contact_sheet([row.pictures for row in rows if row.pictures], labels, (cell, cell)))


def _visible(picture: Image) -> Image:
    """What a sheet cannot hold, floats and other integers, as bytes: 0 to 1, else from the least to the largest."""
    pixels, warnings = picture.pixels, picture.warnings
    if pixels.dtype.kind == "u":
        return replace(picture, numbers=None)
    low, high = extremes(pixels)
    if picture.numbers is not None or (not picture.has_alpha and not 0 <= low <= high <= 1):
        pixels = stretched(pixels, (low, high), 1.0)
        warnings += (f"its numbers from {low:g} to {high:g} are drawn from black to white",)
    return replace(picture, pixels=convert_depth(pixels, np.uint8), numbers=None, warnings=warnings)


def _row(picture: Image, plans: Sequence[FilterPlan]) -> list[Image]:
    from convcli.loops.compiling.waiting import foreseen

    part = replace(picture, pixels=picture.pixels[:512, :512].copy())
    with foreseen("the gallery", lambda: [filter_image(part, plan, "PNG") for plan in plans]):
        return [picture, *(filter_image(picture, plan, "PNG").image for plan in plans)]
