"""What work would cost before any of it is done: tasks, bytes, how often they are read, memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.budget import shown_size
from convcli.jobs.batch import Files, Outcome
from convcli.jobs.cutting import block_of, grid_of, writer_for
from convcli.jobs.regions import FORMAT, Costs, costs_of
from convcli.jobs.scaling import Scaling
from convcli.jobs.spread import pictures_per_task
from convcli.jobs.stacks import Begin
from convcli.jobs.stores import in_order_of, like_of, stored_of
from convcli.jobs.tasks import STREAM, Task
from convcli.jobs.volumes import Input
from convcli.stores.writing import memory_store


def estimate_stack(task: Task, files: Files, begin: Begin, source: Input, *, scaling: Scaling) -> Outcome:
    """What the blocks of one volume cost; of what is not Zarr there are none, and one process reads it once."""
    stored = stored_of(task, source)
    with source.open(task, files.max_pixels) as volume:
        volume = in_order_of(stored, volume, task.target)
        work = begin(volume, FORMAT)
        writer = writer_for(memory_store(), like_of(stored, volume, work, task.target)[0], work)
        grid, piece = grid_of(writer.array, block_of(writer, volume, work, scaling, max(scaling.workers, 1)), work)
        chunks = stored.array.chunks if stored is not None else (1, *volume.shape[1:3])
        costs = costs_of(work, volume, grid, tuple(chunks), piece=piece)
    return Outcome(task, "estimated", details=vars(costs) | {"amplification": round(costs.amplification, 3)})


def estimate_pictures(tasks: Sequence[Task], scaling: Scaling) -> dict[str, Any]:
    """Of pictures: how many there are, of how many bytes, in how many tasks."""
    each = pictures_per_task(len(tasks), scaling.workers or 1)
    size = sum(
        Path(task.source).stat().st_size for task in tasks if task.source != STREAM and Path(task.source).is_file()
    )
    return {"pictures": len(tasks), "bytes": size, "pictures_per_task": each, "tasks": -(-len(tasks) // each)}


def in_words(outcome: Outcome, workers: int) -> list[str]:
    """An estimate of a volume for people."""
    known = {name: value for name, value in outcome.details.items() if name in Costs.__dataclass_fields__}
    costs = Costs(**known)
    return [
        outcome.task.target,
        f"  blocks      {costs.blocks:,} of {'x'.join(map(str, costs.block))}",
        f"  reads       {shown_size(costs.read)}, decodes {shown_size(costs.decoded)} "
        f"({costs.amplification:.2f} times the source's {shown_size(costs.source)})",
        f"  writes      {shown_size(costs.written)} before they are packed",
        f"  memory      about {shown_size(costs.memory)} for each of {max(workers, 1)}",
    ]
