"""An operation whose result is Zarr: the planes as they come, then the coarser levels of an image."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convcli.errors import FileError
from convcli.geometry import Placement
from convcli.images.volume_model import Volume
from convcli.jobs.batch import Files, Outcome
from convcli.jobs.pool import VolumePool, plan_pool
from convcli.jobs.stacks import each_volume
from convcli.jobs.tasks import Task
from convcli.jobs.volumes import Progress, Reading, Work, check_files, open_task, work_on_volume
from convcli.stores import is_store
from convcli.stores.reading import Stored, open_stored, volume_of
from convcli.stores.writing import StoreWriter, factors_of, replacing_folder

_FORMAT = "NPY"  # what a chunk can hold, in the words of `output_policy`


def work_on_stack(
    task: Task,
    files: Files,
    begin: Callable[[Volume, str], Work],
    *,
    reading: Reading,
    stack: Sequence[str] = (),
    alpha_fix: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """As `convcli.jobs.volumes.work_on_volume`, where the target may be a Zarr store as well."""
    if not is_store(task.target):
        words: dict[str, Any] = {"reading": reading, "stack": stack, "alpha_fix": alpha_fix, "progress": progress}
        return work_on_volume(task, files, begin, **words)
    check_files(task)
    source, target = Path(task.source).resolve(), Path(task.target).resolve()
    if source in target.parents or target in source.parents:
        raise FileError(f"{task.target}: of this and {task.source} one lies in the other; choose another name")
    stored = open_stored(task.source) if is_store(task.source) and not stack else None
    with open_task(task, files, stack, reading, alpha_fix) as volume:
        work = begin(volume, _FORMAT)
        if work.shape[3] != 1:
            raise FileError(f"{task.target}: got {work.shape[3]} channels behind each voxel, expected one for Zarr")
        with replacing_folder(Path(task.target), overwrite=files.overwrite) as folder:
            writer = StoreWriter(folder, stored, work.leading, work.shape[1:3], work.dtype)
            writer.write(work.planes(progress))
            factors = _coarser(writer, writer.like) if writer.group is not None and writer.like else []
            lost = _labels(volume, work, Path(task.source), folder) if writer.group is not None else ()
            writer.describe(work.places, factors)
    warnings, details = work.report()
    shape = tuple(writer.array.shape)
    return Outcome(task, "done", "", (*volume.warnings, *lost, *warnings), shape, work.dtype.name, details)


def _coarser(writer: StoreWriter, stored: Stored) -> list[tuple[int, ...]]:
    """Make the coarser levels anew: each voxel the mean of those of the finer level that it covers."""
    finer, done = writer.array, []
    has_depth = "z" in writer.axes
    for level, steps in enumerate(factors_of(stored), 1):
        if any(n < step for n, step in zip(finer.shape[-len(steps) :], steps, strict=True)):
            break
        plan = plan_pool((1,) * (3 - len(steps)) + steps, mode="average", axes="zyx")
        volume = volume_of(replace(stored, array=finer, axes=writer.axes))
        if not has_depth:  # planes by themselves
            volume = replace(volume, axes=(("Z", volume.shape[0]),))
        work = each_volume(volume, lambda each, plan=plan: VolumePool(each, plan, _FORMAT))  # type: ignore[misc]
        leading = work.leading if has_depth else writer.leading
        finer = writer.add_level(level, (*(size for _, size in leading), *work.shape[1:3]))
        writer.write(work.planes(), finer)
        done.append(steps)
    return done


def _labels(volume: Volume, work: Work, source: Path, folder: Path) -> tuple[str, ...]:
    """Keep labels that still lie on the voxels; else say that they do not."""
    labels = source / "labels"
    if not labels.is_dir():
        return ()
    same = work.places == (Placement(),) * 3 and work.leading == volume.leading and work.shape[:3] == volume.shape[:3]
    if same:
        shutil.copytree(labels, folder / "labels")
        return ()
    return ("not kept: labels, which speak of other voxels",)
