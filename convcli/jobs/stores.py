"""An operation on Zarr: each volume of an array by itself, slab by slab, then the coarser levels of an image."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from convcli.errors import FileError
from convcli.geometry import Placement
from convcli.images.volume_model import Volume
from convcli.images.volumes import open_volume
from convcli.jobs.batch import Files, Outcome
from convcli.jobs.pool import VolumePool, plan_pool
from convcli.jobs.tasks import Task
from convcli.jobs.volumes import Progress, VolumeWork, work_on_volume, write_result
from convcli.stores import is_store
from convcli.stores.reading import Stored, open_stored
from convcli.stores.writing import StoreWriter, factors_of, leading_indices, replacing_folder

Begin = Callable[[Volume, str], VolumeWork]
_FORMAT = "NPY"  # what a chunk can hold, in the words of `output_policy`


def work_on_stored_volume(
    task: Task,
    files: Files,
    begin: Begin,
    *,
    stack: Sequence[str] = (),
    alpha_fix: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """As `convcli.jobs.volumes.work_on_volume`, where source or target may be a Zarr store as well."""
    if not is_store(task.target) and (stack or not is_store(task.source)):
        return work_on_volume(task, files, begin, stack=stack, alpha_fix=alpha_fix, progress=progress)
    if stack:
        raise FileError(f"{task.target}: got a stack of pictures for Zarr, expected .tiff or .npy")
    stored = open_stored(task.source) if is_store(task.source) else None
    if not is_store(task.target):
        assert stored is not None
        if prod(stored.leading) != 1:
            raise FileError(f"{task.target}: got {prod(stored.leading)} volumes for a file; write .zarr")
        with stored.volume((0,) * len(stored.leading), files.max_pixels) as volume:
            return write_result(task, files, volume, begin, progress)
    if stored is None:
        with open_volume(task.source, max_pixels=files.max_pixels, alpha_fix=alpha_fix) as volume:
            return _write(task, files, None, lambda index: volume, begin, progress)
    return _write(task, files, stored, lambda index: stored.volume(index, files.max_pixels), begin, progress)


def _write(
    task: Task,
    files: Files,
    stored: Stored | None,
    volume_at: Callable[[tuple[int, ...]], Volume],
    begin: Begin,
    progress: Progress,
) -> Outcome:
    leading = stored.leading if stored else ()
    indices = list(leading_indices(leading))
    works = [begin(volume_at(indices[0]), _FORMAT)]
    first = works[0]
    if first.shape[3] != 1:
        raise FileError(f"{task.target}: got {first.shape[3]} channels, expected a volume of one")
    depth_axes = stored.depth_axes if stored else 3
    shape = first.shape[3 - depth_axes : 3]
    with replacing_folder(Path(task.target), overwrite=files.overwrite) as folder:
        writer = StoreWriter(folder, stored, shape, first.dtype, leading)
        clipped = 0
        for number, index in enumerate(indices):
            work = first if number == 0 else begin(volume_at(index), _FORMAT)
            planes = work.planes(_part_of(progress, number, len(indices)))
            writer.write(index, planes)
            clipped += work.clipped
        factors = _coarser(writer, stored, folder) if stored and stored.levels else []
        notes = _labels(stored, first, Path(task.source), folder) if stored and stored.group is not None else ()
        writer.describe(first.places[3 - depth_axes :], factors)
    first.clipped = clipped // len(indices)
    warnings, details = first.report()
    return Outcome(task, "done", "", (*notes, *warnings), (*leading, *shape), first.dtype.name, details)


def _part_of(progress: Progress, number: int, count: int) -> Progress:
    return lambda done, total: progress(number * total + done, count * total)


def _coarser(writer: StoreWriter, stored: Stored, folder: Path) -> list[tuple[int, ...]]:
    """Make the coarser levels anew: each voxel the mean of those of the finer level that it covers."""
    factors = factors_of(stored)
    finer, done = writer.array, []
    for level, steps in enumerate(factors, 1):
        sizes = finer.shape[len(writer.leading) :]
        if any(n < step for n, step in zip(sizes, steps, strict=True)):
            break
        below = replace(stored, array=finer)
        plan = plan_pool((1,) * (3 - len(steps)) + steps, mode="average", axes="zyx")
        array = None
        for index in leading_indices(writer.leading):
            work = VolumePool(below.volume(index), plan, _FORMAT)
            array = array if array is not None else writer.add_level(level, work.shape[3 - len(steps) : 3])
            writer.write(index, work.planes(), array)
        finer = array
        done.append(steps)
    return done


def _labels(stored: Stored, work: VolumeWork, source: Path, folder: Path) -> Sequence[str]:
    """Keep labels that still lie on the voxels; else say that they do not."""
    labels = source / "labels"
    if not labels.is_dir():
        return ()
    if work.places == (Placement(),) * 3 and tuple(work.volume.shape[:3]) == tuple(work.shape[:3]):
        shutil.copytree(labels, folder / "labels")
        return ()
    return ("not kept: labels, which speak of other voxels",)
