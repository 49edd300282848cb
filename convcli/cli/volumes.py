"""`convcli filter --axes zyx`: volumes, with a bar for their planes."""

from collections.abc import Sequence
from typing import Any

from convcli.cli import options
from convcli.cli.files import carry_out, plane_progress
from convcli.jobs.batch import find_inputs
from convcli.jobs.filter import FilterPlan
from convcli.jobs.volume import filter_volumes


def run_volumes(inputs: Sequence[str], plan: FilterPlan, settings: dict[str, Any], *, stack: bool) -> int:
    """Filter each input as one volume, or with ``stack`` all of them as the planes of one; returns the exit code."""
    planes: list[str] = options.usage(lambda: find_inputs(inputs)) if stack else []
    with plane_progress(hidden=settings["quiet"]) as progress:
        return carry_out(
            planes[:1] or inputs,
            plan.name,
            settings,
            lambda tasks, files, prepare: filter_volumes(
                tasks, plan, files, stack=planes, prepare=prepare, progress=progress
            ),
            shows_progress=False,
        )
