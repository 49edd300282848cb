"""Blocks of a result, wherever they are cut, are those of the whole to the bit."""

import pickle

import numpy as np
import pytest

from convcli.geometry.blocks import Grid
from convcli.images.volume_model import Volume, VolumeMetadata
from convcli.jobs import filter_volume, volumes
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.filter_volume import VolumeFilter
from convcli.jobs.morph import VolumeMorph, morph_image, plan_morph
from convcli.jobs.pad import VolumePad, pad_image, plan_pad
from convcli.jobs.pool import VolumePool, plan_pool, pool_image
from convcli.jobs.stacks import Begin

SHAPE = (13, 17, 19)


def filtered(*specs, **words):
    return Begin(plan_filter(list(specs), axes="zyx", **words), filter_image, VolumeFilter)


def pooled(*size, **words):
    return Begin(plan_pool(*size, axes="zyx", **words), pool_image, VolumePool)


def padded(amount, **words):
    return Begin(plan_pad(amount, axes="zyx", **words), pad_image, VolumePad)


def morphed(operation, **words):
    return Begin(plan_morph(operation, axes="zyx", **words), morph_image, VolumeMorph)


def opened(voxels):
    """A volume that holds only what is asked for."""

    def read_box(indices, rows, columns):
        down, across = (np.concatenate(runs) for runs in (rows, columns))
        return voxels[np.ix_(indices, down, across)][..., None]

    return Volume(
        "a.zarr", (*voxels.shape, 1), voxels.dtype, VolumeMetadata("ZARR"),
        lambda first, end: voxels[first:end, ..., None], read_box=read_box,
    )  # fmt: skip


BORDERS = ("reflect", "symmetric", "edge", "wrap", "constant")
# Kinds of numbers that loops are compiled for in other tests too.
CASES = [
    *((filtered("gaussian3d:sigma=1x2x3", border=border, border_value=7), "u2") for border in BORDERS),
    *((filtered("gaussian3d:sigma=2", border=border, border_value=7.3), "f8") for border in ("wrap", "constant")),
    (filtered("laplacian3d", border="constant", border_value=7.3, dilation=(2, 3, 1)), "u2"),
    *((filtered("box3d:size=5", "sobel3d", border=border, stride=(2, 1, 3)), "u2") for border in BORDERS),
    (filtered("gaussian3d:sigma=9", border="symmetric"), "u2"),
    (filtered("gaussian3d:sigma=1", padding="full", border="constant", border_value=9), "u2"),
    (filtered("gaussian3d:sigma=1", padding="valid", stride=3), "u2"),
    *((pooled(3, mode=mode, stride=2, padding="same"), "u2") for mode in ("max", "average")),
    (pooled(None, adaptive=(3, 5, 7), mode="average"), "u2"),
    *((padded((4, 20, 3), mode=border, value=7), "u2") for border in BORDERS),
    *((morphed("open", size=(3, 4, 5), border=border, value=7), "u2") for border in ("none", *BORDERS)),
    (morphed("blackhat", size=2, border="wrap"), "u2"),
    (morphed("gradient", size=(1, 3, 5)), "u2"),
]


@pytest.mark.parametrize(("begin", "dtype"), CASES)
def test_blocks_are_those_of_the_whole(rng, begin, dtype):
    voxels = (rng.random(SHAPE) * 60_000).astype(dtype)
    begin = pickle.loads(pickle.dumps(begin))
    whole = np.stack(list(begin(opened(voxels), "NPY").planes()))[..., 0]
    work = begin(opened(voxels), "NPY")
    assert work.cuttable is None and work.shape == (*whole.shape, 1)
    for block in ((5, 6, 8), (16, 7, 40), (1, 40, 9)):
        grid, got = Grid(whole.shape, block), np.zeros_like(whole)
        for index in reversed(range(len(grid))):
            ranges = grid.ranges(index)
            got[tuple(slice(each.start, each.stop) for each in ranges)] = work.region(ranges)
        np.testing.assert_array_equal(got, whole)


@pytest.mark.parametrize(("begin", "dtype"), CASES[::4])
def test_a_block_that_is_made_a_few_planes_at_a_time(rng, begin, dtype, monkeypatch):
    monkeypatch.setattr(filter_volume, "_REGION_BYTES", 12_000)
    monkeypatch.setattr(volumes, "STEP_BYTES", 300)
    voxels = (rng.random(SHAPE) * 60_000).astype(dtype)
    whole = np.stack(list(begin(opened(voxels), "NPY").planes()))[..., 0]
    work = begin(opened(voxels), "NPY")
    ranges = tuple(range(n // 5, n) for n in whole.shape)
    assert work.planes_at_once(*ranges[1:]) < len(ranges[0])
    np.testing.assert_array_equal(work.region(ranges), whole[np.ix_(*ranges)])
