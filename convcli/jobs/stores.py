"""An operation whose result is Zarr: block by block, then the coarser levels of an image, then its name.

Blocks are made here or by many processes (`convcli.engines`); which of them are done stands in a ledger, so that what
was killed goes on where it was.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Any

from convcli.addresses import is_address, lies_at
from convcli.budget import check_memory
from convcli.engines import Done, Engine, is_final
from convcli.engines.here import Here
from convcli.errors import FileError
from convcli.geometry import Placement
from convcli.geometry.blocks import Grid, share_of
from convcli.images.model import shown
from convcli.images.volume_model import Volume, VolumeMetadata
from convcli.images.volume_writing import outgoing_of
from convcli.jobs.batch import Files, Outcome, unkept
from convcli.jobs.cutting import block_of, grid_of, writer_for
from convcli.jobs.ledger import PLAN, Bits, Ledger, digest, is_of
from convcli.jobs.pool import VolumePool, plan_pool, pool_image
from convcli.jobs.regions import (
    FORMAT,
    FinerLevel,
    Opens,
    RefusedError,
    RegionPlan,
    costs_of,
    extremes_of,
    forget,
    run_block,
)
from convcli.jobs.scaling import Scaling, versions
from convcli.jobs.stacks import Begin
from convcli.jobs.tasks import Task, absolute
from convcli.jobs.volumes import Between, Input, Progress, Work, check_files, work_on_volume
from convcli.stores import file_of, is_store
from convcli.stores.growing import of_target
from convcli.stores.layered import opened
from convcli.stores.ngff import ORDER, image_of, is_image, one_channel
from convcli.stores.places import Place, check_store, has_labels, place_of
from convcli.stores.reading import Level, Stored, newest_of, open_stored
from convcli.stores.writing import StoreWriter, factors_of, rounds_up_at

_TOLD = 3  # failures that are named


class Stopped(KeyboardInterrupt):
    """Ctrl-C, with what is to be said of it."""


def work_on_stack(
    task: Task,
    files: Files,
    begin: Begin,
    source: Input,
    progress: Progress = lambda done, total: None,
    *,
    scaling: Scaling = Scaling(),  # noqa: B008 (frozen)
    engine: Engine | None = None,
) -> Outcome:
    """As `convcli.jobs.volumes.work_on_volume`, where the target may be a Zarr store as well."""
    if not is_store(task.target):
        if scaling != Scaling():
            raise FileError(f"{task.target}: is one file, expected a .zarr to be written by many or in parts")
        return work_on_volume(task, files, begin, source, progress)
    check_files(task)
    if _is_inside(task.source, task.target) or _is_inside(task.target, task.source):
        raise FileError(f"{task.target}: of this and {task.source} one lies in the other; choose another name")
    if not scaling.goes_on:
        check_store(task.target, overwrite=files.overwrite)
    stored = stored_of(task, source)
    with source.open(task, files.max_pixels) as volume:
        volume = replace(volume, metadata=VolumeMetadata(volume.metadata.format)) if files.strip else volume
        ordered = in_order_of(stored, volume, task.target)
        source, volume = (source, volume) if ordered is volume else (replace(source, order=ORDER), ordered)
        work = begin(volume, FORMAT)
        like, lost = like_of(stored, volume, work, task.target)
        warnings = unkept(lost)
        if work.shape[3] != 1:
            raise FileError(f"{task.target}: got {work.shape[3]} channels behind each voxel, expected one for Zarr")
        if work.wants_extremes and scaling.part:
            raise FileError(f"{task.target}: minmax looks at all of a volume first; choose another --range")
        run = _Run(task, files, begin, source, scaling, engine or Here(), progress)
        outcome = run.carry_out(volume, work, stored, like)
        return replace(outcome, warnings=(*outcome.warnings, *warnings)) if outcome.status == "done" else outcome


def stored_of(task: Task, source: Input) -> Stored | None:
    """The store that a task reads, as those see it who have chosen one of its channels; None for files."""
    if source.stack or not is_store(task.source):
        return None
    stored, channel = open_stored(task.source), source.reading.channel
    return stored if channel is None else replace(stored, attributes=one_channel(stored.attributes, channel))


def in_order_of(stored: Stored | None, volume: Volume, target: str) -> Volume:
    """The volume along axes in the order that a new image has them, if that is what it becomes."""
    becomes_image = (stored is None or stored.image is None) and is_image(volume.metadata, target)
    return volume.in_order(ORDER) if becomes_image else volume


def like_of(stored: Stored | None, volume: Volume, work: Work, target: str) -> tuple[Stored | None, tuple[str, ...]]:
    """What a new store is to be like: the one that is read, or a new image of what other files say of their voxels.

    None for an array of its own. Also returns names of what is not kept.
    """
    if stored is not None and stored.image is not None:
        return stored, ()
    metadata, lost = volume.metadata, tuple[str, ...]()
    if stored is None:
        metadata, lost = outgoing_of(metadata, work.shape, work.dtype, "ZARR", work.has_alpha)
    if not is_image(metadata, target):
        return stored, lost
    axes, scale, image, attributes = image_of(metadata, work.leading, shown(target))
    array = stored.array if stored is not None and stored.axes == axes else None
    return Stored(shown(target), array, axes, attributes, image, (Level("0", scale, (0.0,) * len(scale)),)), lost


@dataclass
class _Run:
    """One store that is written: what is asked for, and how far it is."""

    task: Task
    files: Files
    begin: Begin
    source: Input
    scaling: Scaling
    engine: Engine
    progress: Progress
    done: int = 0  # blocks, by this process
    total: int = 0
    blocks: int = 0  # of level 0, all processes'
    looked_at: int = 0  # before they are made, if that is wanted

    def carry_out(self, volume: Volume, work: Work, stored: Stored | None, like: Stored | None) -> Outcome:
        """Write all of it, or the share that was asked for."""
        place, scaling = place_of(self.task.target), self.scaling
        plan = {
            "operation": (self.begin.plan, self.source.reading),
            "source": _identity(self.task, self.source, volume, stored),
            "versions": versions(),
            "target": (work.shape, work.leading, work.dtype.name, scaling.levels),
        }
        if scaling.goes_on and not self.files.overwrite and is_of(place.known(PLAN), plan):
            return Outcome(self.task, "skipped")
        with of_target(self.task.target):
            place.begin(overwrite=self.files.overwrite, goes_on=scaling.goes_on)
        try:
            with of_target(self.task.target), place.shelf.hold("lock"):
                ledger, writer = self._set_out(place, plan, volume, work, like)
            pending = self._blocks(place, ledger, writer, volume, work)
            lost: tuple[str, ...] = ()
            if pending:
                lost = (
                    f"{pending} of {self.blocks} blocks are other parts'; the last to end gives the store its name",
                )
            elif place.is_there():  # else another part was the last
                with of_target(self.task.target), place.shelf.hold("lock"):
                    lost = self._finish(place, ledger, writer, volume, work)
        except KeyboardInterrupt:
            if not self.done:
                self._drop(place)
                raise
            raise Stopped(
                f"interrupted; {self.done} of {self.total} blocks are written to {shown(place.name)}: the same command "
                "with --resume goes on"
            ) from None
        except BaseException:
            self._drop(place)
            raise
        warnings, details = work.report()
        shape = tuple(writer.array.shape)
        details |= {"blocks": self.blocks} if self.blocks else {}
        return Outcome(self.task, "done", "", (*volume.warnings, *lost, *warnings), shape, work.dtype.name, details)

    def _drop(self, place: Place) -> None:
        """Leave nothing of what was to be done at once, or of what has not begun."""
        if self.scaling.is_plain:
            place.drop()

    def _set_out(
        self, place: Place, plan: dict[str, Any], volume: Volume, work: Work, like: Stored | None
    ) -> tuple[Ledger, StoreWriter]:
        """The ledger and the array to be written, made or found."""
        ledger = Ledger(place.shelf, plan, place.name)
        if ledger.is_new:
            place.clear()  # what was killed before it had a plan
        writer = writer_for(opened(place.name), like, work, exists=not ledger.is_new)
        if ledger.is_new:
            ledger.notes["block"] = block_of(writer, volume, work, self.scaling, self.engine.workers)
            ledger.begin()
        elif self.scaling.block and block_of(writer, volume, work, self.scaling, self.engine.workers) != tuple(
            ledger.notes["block"]
        ):
            sides = "x".join(map(str, ledger.notes["block"]))
            raise FileError(f"{shown(place.name)}: is cut into blocks of {sides}; leave --block out")
        return ledger, writer

    def _blocks(self, place: Place, ledger: Ledger, writer: StoreWriter, volume: Volume, work: Work) -> int:
        """Write level 0, or a share of it; returns how many blocks are not done, which are others'."""
        grid, piece = grid_of(writer.array, ledger.notes["block"], work)
        self.blocks = len(grid)
        needed = costs_of(work, volume, grid, volume.chunk, piece=piece).memory
        check_memory(needed, f"block: got {'x'.join(map(str, grid.block))} voxels", FileError)
        part, parts = self.scaling.part or (1, 1)
        plan = self._plan(place, writer.path(0), self.source, self.begin, grid, piece)
        with ledger.bits("level-0", len(grid), f"{part}-of-{parts}") as bits:
            if work.wants_extremes:
                between = self._between(plan, ledger)
                plan = replace(plan, name=digest((plan.name, between)), between=between)
            self._run(plan, bits, share_of(len(grid), part, parts), work)
            return int((~bits.done()).sum())

    def _plan(self, place: Place, path: str, source: Opens, begin: Begin, grid: Grid, piece: int) -> RegionPlan:
        task = self.task
        if self.scaling.cluster:  # whose processes may run in other folders
            task = absolute(task)
            if isinstance(source, Input):
                source = replace(source, stack=tuple(str(Path(each).absolute()) for each in source.stack))
        words = (task, source, begin, self.files.max_pixels, place.name, path, grid, piece)
        # Processes of a cluster outlive a run: the next one must not find open what this one has read.
        return RegionPlan(token_hex(8), *words)

    def _between(self, plan: RegionPlan, ledger: Ledger) -> tuple[tuple[int, tuple[float, float]], ...]:
        """The least and the largest number of each volume, found once for all that is asked for later."""
        self.looked_at, found = len(plan.grid), ledger.notes.get("between")
        if found is None:
            known: Between = {}
            blocks = plan.grid.by_columns(range(len(plan.grid)))
            try:
                for count, each in enumerate(self.engine.run(partial(extremes_of, plan), blocks), 1):
                    if each.error is not None or each.killed:
                        self._stop_at(each.error)
                        raise FileError(self._told(plan, [each]))
                    for number, (low, high) in each.value.items():
                        least, largest = known.get(number, (low, high))
                        known[number] = min(low, least), max(high, largest)
                    self.progress(count, 2 * len(blocks))
            finally:
                forget(plan)
            found = ledger.notes["between"] = sorted(known.items())
            ledger.begin()
        return tuple((number, (low, high)) for number, (low, high) in found)

    def _run(self, plan: RegionPlan, bits: Bits, share: range, work: Work | None = None) -> None:
        """Make the blocks of a share that are not done; raises `FileError` that names those that failed."""
        is_done = bits.done()
        todo = plan.grid.by_columns(index for index in share if not is_done[index])
        self.total, self.done = len(share), len(share) - len(todo)
        self.progress(self.looked_at + self.done, self.looked_at + self.total)
        failures: list[Done] = []
        after = dict(pairwise(todo)) if isinstance(self.engine, Here) else None  # it works on one behind the other
        try:
            for each in self.engine.run(partial(run_block, plan, after=after), todo):
                if each.error is not None or each.killed:
                    failures.append(each)
                    self._stop_at(each.error)
                    continue
                bits.add(each.item)
                if work is not None:
                    work.hear(each.value)
                self.done += 1
                self.progress(self.looked_at + self.done, self.looked_at + self.total)
        finally:
            forget(plan)
            self.looked_at = 0
        if failures:
            raise FileError(self._told(plan, failures))

    def _stop_at(self, error: Exception | None) -> None:
        """Raise an error that others would share, or that ends what is to be done at once or not at all."""
        if isinstance(error, OSError) and is_final(error):
            fix = "" if self.scaling.is_plain else "; --resume goes on when that is mended"
            raise FileError(f"{self.task.target}: {error.strerror}{fix}")
        if error is not None and self.scaling.is_plain:
            with of_target(self.task.target) if isinstance(error, RefusedError) else nullcontext():
                raise error

    def _told(self, plan: RegionPlan, failures: list[Done]) -> str:
        reasons = [
            f"{_box(plan.grid.ranges(each.item))}: {'its workers die' if each.killed else each.error}"
            for each in failures[:_TOLD]
        ]
        more = f"; and {len(failures) - _TOLD} more" if len(failures) > _TOLD else ""
        return (
            f"{self.task.target}: {len(failures)} of {len(plan.grid)} blocks failed ({'; '.join(reasons)}{more}); the "
            f"others are in {shown(plan.folder)}, and --resume tries these again"
        )

    def _finish(self, place: Place, ledger: Ledger, writer: StoreWriter, volume: Volume, work: Work) -> tuple[str, ...]:
        """The coarser levels, the labels, what is said of the image; then the store gets its name."""
        if not place.is_there():  # another part was the last
            return ()
        factors = self._coarser(place, ledger, writer)
        lost = _labels(volume, work, self.task, place) if writer.group is not None else ()
        writer.describe(work.places, factors)
        place.end(keeps="" if self.scaling.is_plain else PLAN)
        return lost

    def _coarser(self, place: Place, ledger: Ledger, writer: StoreWriter) -> list[tuple[int, ...]]:
        """Make the coarser levels anew: each voxel the mean of those of the finer level that it covers."""
        done: list[tuple[int, ...]] = []
        shape = tuple(writer.array.shape)
        for level, steps in enumerate(_factors(writer, self.scaling.levels), 1):
            if any(n < step for n, step in zip(shape[-len(steps) :], steps, strict=True)):
                break
            rounds_up = writer.like is not None and rounds_up_at(writer.like, level, steps)
            plan = plan_pool((1,) * (3 - len(steps)) + steps, mode="average", axes="zyx", ceil_mode=rounds_up)
            begin, source = (
                Begin(plan, pool_image, VolumePool),
                FinerLevel(place.name, writer.path(level - 1), writer.axes),
            )
            with source.open(self.task, self.files.max_pixels) as finer:
                work = begin(finer, FORMAT)
            ends = (
                -(-n // step) if rounds_up else n // step for n, step in zip(shape[-len(steps) :], steps, strict=True)
            )
            shape = (*shape[: -len(steps)], *ends)
            array = writer.add_level(level, shape)
            grid, piece = grid_of(array, block_of(writer, finer, work, Scaling(), self.engine.workers, array), work)
            with ledger.bits(f"level-{level}", len(grid)) as bits:
                self._run(self._plan(place, writer.path(level), source, begin, grid, piece), bits, range(len(grid)))
            done.append(steps)
        return done


def _factors(writer: StoreWriter, levels: str | int) -> list[tuple[int, ...]]:
    """How many voxels of each level, along the axes in space, make one of the next."""
    if writer.group is None or writer.like is None or levels == "none":
        return []
    if levels == "same":
        return factors_of(writer.like)
    return [(2,) * (3 if "z" in writer.axes else 2)] * (int(levels) - 1)


def _identity(task: Task, source: Input, volume: Volume, stored: Stored | None) -> Any:
    """What is known of a source without reading it."""
    given = source.stack or (task.source,)
    names = [each if is_address(each) else str(Path(each).resolve()) for each in given]
    if stored is not None:
        return names, stored.array.metadata.to_dict(), stored.axes, newest_of(names[0])
    return names, volume.shape, volume.dtype.name, [Path(file_of(each)).stat().st_mtime_ns for each in names]


def _is_inside(name: str, other: str) -> bool:
    """Whether of two stores the first lies in the second."""
    if is_address(name) and is_address(other):
        return f"{lies_at(name)}/".startswith(f"{lies_at(other)}/")
    if is_address(name) or is_address(other):
        return False
    return Path(other).resolve() in Path(name).resolve().parents


def _labels(volume: Volume, work: Work, task: Task, place: Place) -> tuple[str, ...]:
    """Keep labels that still lie on the voxels; else say that they do not."""
    if not has_labels(task.source):
        return ()
    same = work.places == (Placement(),) * 3 and work.leading == volume.leading and work.shape[:3] == volume.shape[:3]
    if same:
        place.take_labels(task.source)
        return ()
    return ("not kept: labels, which speak of other voxels",)


def _box(ranges: tuple[range, ...]) -> str:
    return f"block [{', '.join(f'{each.start}:{each.stop}' for each in ranges)}]"
