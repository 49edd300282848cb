"""What large work would cost, on paper: volumes from 1 GB to 1 PB in blocks, 1,000 to 100 million pictures in tasks.

Tasks and bytes are counted as `--estimate` counts them. Seconds are those of one core, from what was measured with a
Gaussian of sigma 2 on uncompressed chunks; codecs, disks and networks come on top.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convcli.budget import shown_size
from convcli.geometry.blocks import Grid, amplification, choose_block, voxels_of_block
from convcli.jobs.spread import pictures_per_task

_HALO = 8  # of the Gaussian, at each side
_CHUNK, _ITEM = 128, 2  # voxels a side of a chunk, bytes of a voxel
# Seconds of a core: for each GB that is decoded, each GB of float32 that is computed, each GB that is written, each
# task of a worker, and each task of the scheduler.
_DECODE, _COMPUTE, _WRITE, _TASK, SCHEDULE = 2.0, 2.8, 2.5, 0.02, 0.0028
_PICTURE = 0.010  # a core's seconds for a JPEG of 500x375: decode, filter, encode
_MOST_TASKS = 1_000_000  # of one run: an hour of the scheduler
_SIZES = {"1 GB": 1e9, "100 GB": 1e11, "1 TB": 1e12, "10 TB": 1e13, "100 TB": 1e14, "1 PB": 1e15}
_PICTURES = (1e3, 1e5, 1e6, 1e7, 1e8)


@dataclass(frozen=True)
class VolumeCost:
    """What the blocks of a cube cost: sides, counts, bytes, and seconds of one core."""

    side: int
    block: int
    tasks: int
    source: int
    decoded: int
    memory: int
    seconds: float

    @property
    def scheduler(self) -> float:
        """Seconds of the scheduler."""
        return self.tasks * SCHEDULE


def volume_cost(side: int, *, chunk: int = _CHUNK, item: int = _ITEM, block: int = 0) -> VolumeCost:
    """The cost of a cube of voxels of ``item`` bytes in cubic chunks; a ``block`` of 0 is what keeps tasks few."""
    shape, wanted = (side,) * 3, (block,) * 3 if block else ()
    sides = choose_block(shape, (chunk,) * 3, voxels=voxels_of_block(shape, item), wanted=wanted)
    while not block and len(Grid(shape, sides)) > _MOST_TASKS:
        sides = (sides[0] + chunk,) * 3
    grid = Grid(shape, sides)
    needs = [[range(max(run.start - _HALO, 0), min(run.stop + _HALO, side)) for run in grid.along(0)]] * 3
    _, decoded = amplification(grid, needs, (chunk,) * 3)
    voxels = prod(shape)
    held = prod(min(size + 2 * _HALO, side) for size in sides)
    memory = held * item + prod(min(size, side) for size in sides) * item + min(4 * 4 * prod(sides), 128 << 20)
    gigabytes = (decoded * item, voxels * 4, voxels * item)
    seconds = sum(size / 1e9 * each for size, each in zip(gigabytes, (_DECODE, _COMPUTE, _WRITE), strict=True))
    return VolumeCost(side, sides[0], len(grid), voxels * item, decoded * item, memory, seconds + _TASK * len(grid))


def page() -> Iterator[str]:
    """The lines of a page, in markdown."""
    yield from _HEAD.splitlines()
    yield "| volume | voxels a side | `--block` | tasks | decoded | a worker's memory | core-hours | scheduler |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, size in _SIZES.items():
        cost = volume_cost(round((size / _ITEM) ** (1 / 3)))
        yield (
            f"| {name} | {cost.side:,} | {cost.block} | {cost.tasks:,} | "
            f"{cost.decoded / cost.source:.2f} x | {shown_size(cost.memory)} | {_hours(cost.seconds)} | "
            f"{_time(cost.scheduler)} |"
        )
    yield from _BETWEEN.splitlines()
    yield "| pictures | a task | tasks | core-hours | scheduler |"
    yield "|---|---|---|---|---|"
    for count in map(int, _PICTURES):
        each = pictures_per_task(count, 8)
        tasks = -(-count // each)
        yield f"| {count:,} | {each} | {tasks:,} | {_hours(count * _PICTURE)} | {_time(tasks * SCHEDULE)} |"
    yield from _TAIL.splitlines()
    yield "| volume | block | tasks | decoded | seconds of CPU, model | measured |"
    yield "|---|---|---|---|---|---|"
    for side, block, measured in ((256, 64, "4.8"), (256, 128, "2.4"), (256, 256, "1.4"), (512, 256, "4.8")):
        cost = volume_cost(side, chunk=64, item=4, block=block)
        times = f"{cost.decoded / cost.source:.2f} x"
        yield f"| {side}^3 | {cost.block}^3 | {cost.tasks} | {times} | {cost.seconds:.1f} | {measured} |"
    yield from _END.splitlines()


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.2g} s"


_HEAD = """# Beyond one machine

What does not fit one process is cut into tasks that know nothing of each other: blocks of a volume in Zarr, runs of
pictures of a folder, trainings. `--workers N` works on them in N processes of this machine, `--cluster tcp://host:8786`
on a Dask cluster that is there; `--part 3/100` does a share of the blocks and needs no cluster at all (Slurm arrays,
indexed jobs). `--estimate` says what a command would cost, and does nothing. This page is made by
`python -m convcli.cli.reference` from `convcli/jobs/paper_plan.py`: change that, not this.

## Volumes

A block reads its part of the input with the halo of the kernel around it straight from the store, runs the loops and
writes whole chunks (or shards). No block waits for another, so there is no graph: `dask.array.map_overlap` made 5,113
tasks of 256^3 voxels in chunks of 64^3 and took 18.7 s of CPU, blocks of 128 a side are 8 tasks and took 3.4 s. The
price is that halos, and all of the chunks that hold them, are read again by each neighbour; the larger the block the
less. Within a block no chunk is decoded twice: it is made in pieces, a layer of chunks or 32 MB at a time, and what the
next needs again is held, so that blocks may reach far along depth. While a piece is made the next is read and the one
before is written; in one process this goes on from block to block. If `--block` does not say otherwise, blocks have at
least two chunks a side and are about 128 MB of the result; in one process they are whole planes, one behind the other.
`--max-memory` makes them smaller.

Where runs of voxels are read by themselves, of chunks that are not packed, blocks have whole rows, and with workers at
first one chunk along depth: rows of a halo of 8 voxels at either side were 876,000 reads of 32 bytes where 1,000 chunks
are read.

Chunks of a folder are moved by zarrs, which copies less than zarr does itself. Numbers in the other order of bytes or
axes, codecs that zarrs lacks, and stores at addresses are left to zarr. Float32 in chunks that are not packed, a
Gaussian of sigma 2, two cores, medians in turns (from and to .npy; Zarr in one process; two workers of a cluster that
was there; how fast gigabytes of files could be written changed by half from turn to turn): 640^3 in chunks of 64^3 2.2,
3.0 and 2.5 s; 1280^3 (8 GB) 11.5, 16 and 17 s, in chunks of 128^3 16, 16 and 20 s. A worker had 398 MB at its most.

The bits are those of the whole volume in one process, however it is cut: how a kernel is computed is decided from the
whole. What is decided from a whole plane (Fourier transforms, bilateral filters, random pooling, `--each-plane`) goes
by blocks of whole planes; `--range minmax`, which has to see all numbers first, goes through all blocks twice.

On paper, for 16-bit voxels in chunks of 128^3 and a Gaussian of sigma 2:
"""
_BETWEEN = f"""
Decoded is how often the input's bytes are read and unpacked, core-hours are without codecs and networks. A run of 1,000
cores has to get what it decodes from its store: at 1 PB in 24 hours that is more than 20 GB/s, which is what to look at
first. More than {_MOST_TASKS:,} tasks are an hour of the scheduler's: larger blocks (of more memory), or `--part`.

What is done stands in a ledger beside the result (`out.zarr.unfinished/.convcli`, one bit for each block, written by
the driver alone). Whatever was killed (a worker, the driver, the scheduler), a full disk, Ctrl-C: the same command with
`--resume` goes on. Another command is refused there, and so are workers with other versions or processors of other
instructions, whose last bits would differ. A block that kills its processes again and again, or whose chunk is damaged,
is named, the others are done, and the exit code is 1.

At an address (`s3://bucket/out.zarr`) nothing can be renamed or locked. Chunks are written where they will stay; what
makes them a store (`zarr.json`, `.zarray`, attributes) lies with the ledger in `out.zarr.unfinished` and is copied
last, the root's last of all: that is the commit. `--overwrite` removes the old store when work begins. Bits are put
down every two seconds, so after a kill the blocks of that time are made again. Who writes says so in the ledger, and is
believed for two minutes after his last word, or until his process is seen to be gone; of two that begin at the same
moment the later one is.

## Pictures

A task is 20 to 200 files: of 2,000 JPEGs, one file a task cost 44 s of CPU, 20 to 200 a task 20 s, no cluster 17 to 18.
"""
_TAIL = """
`--skip-existing` goes on with what was interrupted. Names are listed before work begins: of a million
in a folder that took 12 s of CPU and 40 bytes each. `predict --parts` writes a table for each task, which `--resume`
goes on with.

## Trainings

`convcli train --seeds 0..4 --sweep lr=1e-3,3e-3 --workers 2` trains side by side; each training ends as it does alone,
to the bit, and the same command goes on where it was interrupted. One training is not shared out among processes. That
was measured: two processes that summed their gradients in the order of their shares gave the same bits as one process
that did the shares in turn, at 1,770 images/s against the 3,450 of two threads with batches of 64, and 3,600 against
4,350 with batches of 512.

## The model beside what was measured

Seconds of CPU in the workers (two of one thread each; of the last row in one process), float32 in uncompressed chunks
of 64^3, on a machine that was busy with other things:
"""
_END = """
Each run takes about a second more, before its first block: imports, and loops that are loaded. An empty task costs the
scheduler 2.8 ms.
"""
