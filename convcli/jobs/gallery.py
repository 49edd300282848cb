"""A gallery: pictures down, kernels across, so that one sees what kernels do to one's own pictures."""

from collections.abc import Sequence
from dataclasses import replace

from convcli.errors import ConvcliError
from convcli.images import MAX_PIXELS, Image, read
from convcli.jobs.filter import FilterPlan, filter_image, plan_filter
from convcli.jobs.tasks import about

# Few enough to be large, different enough to show what kernels are for.
USUAL = ("gaussian:sigma=3", "unsharp:sigma=2,amount=1.5", "emboss", "sobel", "laplacian-8", "canny")
_MOST_CELLS = 400


def plan_gallery(specs: Sequence[str]) -> tuple[FilterPlan, ...]:
    """One plan for each SPEC, or for the usual kernels when there are none; raises `ConvcliError` for a wrong SPEC."""
    return tuple(plan_filter([spec]) for spec in specs or USUAL)


def make_gallery(
    sources: Sequence[str], plans: Sequence[FilterPlan], *, cell: int = 200, max_pixels: int = MAX_PIXELS
) -> Image:
    """A contact sheet with one row for each picture file: the picture itself, then each kernel's result.

    Parameters
    ----------
    sources : sequence of str
        Picture files.
    plans : sequence of FilterPlan
        See `plan_gallery`.
    cell : int
        Width and height of a cell in pixels.

    Raises
    ------
    ConvcliError
        If a file cannot be read, or the sheet would have more than 400 cells.
    """
    from convcli.views.sheet import contact_sheet

    cells = len(sources) * (len(plans) + 1)
    if cells > _MOST_CELLS:
        raise ConvcliError(f"gallery: got {len(sources)} pictures x {len(plans)} kernels, expected {_MOST_CELLS} cells")
    rows = []
    for source in sources:
        picture = read(source, max_pixels=max_pixels)
        with about(source):
            rows.append(_row(picture, plans))
    labels = ["original", *(plan.name for plan in plans)]
    return Image(contact_sheet(rows, labels, (cell, cell)))


def _row(picture: Image, plans: Sequence[FilterPlan]) -> list[Image]:
    from convcli.loops.compiling.waiting import foreseen

    part = replace(picture, pixels=picture.pixels[:512, :512].copy())
    with foreseen("the gallery", lambda: [filter_image(part, plan, "PNG") for plan in plans]):
        return [picture, *(filter_image(picture, plan, "PNG").image for plan in plans)]
