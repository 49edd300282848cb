"""Zarr in blocks: what was killed goes on, in any order and number of processes, and is right to the bit."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from convcli.errors import ConvcliError
from convcli.images.volume_model import Volume
from convcli.jobs import regions, stores
from convcli.stores import places
from convcli.stores.growing import alone, growing

zarr = pytest.importorskip("zarr")

SHAPE = (19, 23, 29)
FILTER = ("-k", "gaussian3d:sigma=1", "--block", "8")


@pytest.fixture
def source(tmp_path, rng):
    """A volume with an empty corner, as a store and as .npy."""
    voxels = rng.integers(0, 60_000, SHAPE, dtype=np.uint16)
    voxels[:12, :12, :12] = 0
    np.save(tmp_path / "a.npy", voxels)
    zarr.create_array(str(tmp_path / "a.zarr"), shape=SHAPE, chunks=(4, 8, 8), dtype="u2")[:] = voxels
    return tmp_path / "a.zarr"


@pytest.fixture
def expected(source, done):
    done("filter", source.with_suffix(".npy"), *FILTER[:2], "--axes", "zyx", "-o", source.with_name("whole.npy"))
    return np.load(source.with_name("whole.npy"))


def voxels_of(path):
    return zarr.open(str(path), mode="r")[:]


def test_in_other_processes(source, expected, convcli, cluster, monkeypatch):
    monkeypatch.chdir(source.parent)  # where the processes are not
    target = source.with_name("b.zarr")
    result = convcli("filter", source.name, *FILTER, "--block", "16", "-o", target, "--cluster", cluster, "--json")
    assert result.code == 0 and json.loads(result.out)["files"][0]["blocks"] == 2 * 2 * 2
    assert "workers; dashboard: http" in result.err
    np.testing.assert_array_equal(voxels_of(target), expected)
    # What is finished is known, and nothing is done again.
    again = ("filter", source.name, "-o", target, "--cluster", cluster, "--resume")
    assert convcli(*again, *FILTER).code == 0
    other = convcli(*again, "-k", "box3d")
    assert other.code == 1 and "already exists" in other.err


def test_processes_that_outlive_a_run_read_a_source_anew(source, done, monkeypatch):
    monkeypatch.setattr(stores, "forget", lambda plan: None)  # which other processes are not told
    for factor in (1, 2):
        zarr.open(str(source), mode="r+")[:] = np.load(source.with_suffix(".npy")) // factor
        done("filter", source, *FILTER[:2], "-o", source.with_name("b.zarr"), "--overwrite")
        found = voxels_of(source.with_name("b.zarr"))
    assert found.max() <= 30_000


def test_pictures_in_other_processes(tmp_path, rng, convcli, cluster):
    from PIL import Image

    (tmp_path / "raw").mkdir()
    for number in range(43):
        picture = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "raw" / f"{number:02}.png")
    (tmp_path / "raw" / "05.png").write_bytes(b"\x89PNG")
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "07_box.png").write_bytes(b"there")
    words = ("filter", tmp_path / "raw", "-k", "box", "--skip-existing")
    alone = convcli(*words, "-o", tmp_path / "one/")
    many = convcli(*words, "-o", tmp_path / "many/", "--cluster", cluster)
    assert alone.code == many.code == 1
    assert "43 pictures in 3 tasks of 20" in many.err and "41 written, 1 failed, 1 skipped" in many.err
    assert [line for line in many.err.splitlines() if "05.png" in line] == alone.err.splitlines()[:1]
    assert many.out.replace("many", "one").split() == [each for each in alone.out.split() if "07" not in each]
    for made in (tmp_path / "one").iterdir():
        other = tmp_path / "many" / made.name
        assert other.read_bytes() == (b"there" if "07" in made.name else made.read_bytes())


def test_a_driver_that_is_killed(source, expected, convcli):
    target = source.with_name("b.zarr")
    words = ["filter", str(source), *FILTER, "-o", str(target)]
    order = sorted(range(36), key=lambda block: (block % 12, block))  # those behind each other follow each other
    code = (
        "import os; from convcli.cli import run; from convcli.jobs import ledger\n"
        "add = ledger.Bits.add\n"
        f"ledger.Bits.add = lambda bits, block: os.kill(os.getpid(), 9) if block == {order[20]} else add(bits, block)\n"
        f"run({words!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -9
    assert not target.exists() and growing(target).is_dir()
    assert "is of a run that did not end; --resume goes on" in convcli(*words).err
    other = convcli("filter", source, "-k", "box3d", "-o", target, "--resume")
    assert other.code == 1 and "is of another operation" in other.err
    assert "is cut into blocks of 8x8x8" in convcli(*words[:-3], "16", *words[-2:], "--resume").err
    done = []
    run_block = stores.run_block

    def counted(plan, index, **words):
        done.append(index)
        return run_block(plan, index, **words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "run_block", counted)
        assert convcli(*words, "--resume").code == 0
    assert done == order[20:] and not growing(target).exists()
    np.testing.assert_array_equal(voxels_of(target), expected)


def test_a_disk_that_is_full_and_a_block_that_fails(source, expected, convcli, monkeypatch):
    target, write, left = source.with_name("b.zarr"), regions.write_region, [5]

    def full(array, ranges, voxels):
        left[0] -= 1
        if left[0] < 0:
            array[tuple(each.start for each in ranges)] = 1  # half of a block
            raise OSError(28, "No space left on device")
        write(array, ranges, voxels)

    words = ("filter", source, *FILTER, "-o", target)
    monkeypatch.setattr(regions, "write_region", full)
    result = convcli(*words)
    assert (result.code, result.err) == (1, f"Error: {target}: No space left on device\n")
    assert not target.exists() and not growing(target).exists()  # at once, or not at all
    left[0] = 5
    assert convcli(*words, "--resume").code == 1 and growing(target).exists()

    def damaged(array, ranges, voxels):
        if ranges[1].start == 8 and ranges[2].start == 8:
            raise ConvcliError("a chunk is damaged")
        write(array, ranges, voxels)

    monkeypatch.setattr(regions, "write_region", damaged)
    result = convcli(*words, "--resume")
    assert result.code == 1 and "3 of 36 blocks failed (block [0:8, 8:16, 8:16]: a chunk is damaged;" in result.err
    assert "--resume tries these again" in result.err and result.err.count("\n") == 1
    monkeypatch.setattr(regions, "write_region", write)
    assert convcli(*words, "--resume").code == 0
    np.testing.assert_array_equal(voxels_of(target), expected)


def test_a_store_that_refuses_is_named_and_what_is_tried_again_counts_once(source, convcli, monkeypatch):
    words, refusals = ("filter", source, "-k", "laplacian3d", "-o", source.with_name("b.zarr")), [1]
    clean = convcli(*words, "--json")

    def refused(array, ranges, voxels, write=regions.write_region):
        refusals[0] -= 1
        if refusals[0] >= 0:
            raise PermissionError(13, "Permission denied")
        write(array, ranges, voxels)

    monkeypatch.setattr(regions, "write_region", refused)
    again = convcli(*words, "--json", "--overwrite")
    clipped = [json.loads(each.out)["files"][0]["clipped"] for each in (clean, again)]
    assert clipped[0] == clipped[1] > 0 and refusals[0] < 0
    refusals[0] = 9
    result = convcli(*words, "--overwrite")
    assert (result.code, result.err) == (1, f"Error: {words[-1]}: cannot be written (permission denied)\n")
    monkeypatch.setattr(places._Here, "begin", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only")))
    assert convcli(*words, "--overwrite").err == f"Error: {words[-1]}: cannot be written (read-only)\n"


def test_parts_that_know_nothing_of_each_other(source, expected, convcli):
    target = source.with_name("b.zarr")
    words = ("filter", source, *FILTER, "-o", target, "--part")
    for part in ("3/3", "1/3"):
        result = convcli(*words, part)
        assert result.code == 0 and "blocks are other parts'" in result.err and not target.exists()
    chunk = max(each for each in source.rglob("*") if each.is_file() and each.suffix != ".json")
    before = chunk.stat().st_mtime_ns
    os.utime(chunk, ns=(before, before + 10**9))
    result = convcli(*words, "2/3")
    assert result.code == 1 and "of another source, or of one that has changed" in result.err
    os.utime(chunk, ns=(before, before))
    assert convcli(*words, "2/3").code == 0
    np.testing.assert_array_equal(voxels_of(target), expected)
    assert convcli(*words, "1/3").code == 0  # it has ended before
    assert "expected K/N such as 3/100" in convcli(*words, "4/3").err


def test_an_interrupt_says_how_to_go_on(source, expected, convcli, monkeypatch):
    target, add = source.with_name("b.zarr"), stores.Bits.add

    def stopped(bits, block):
        if block == 7:
            raise KeyboardInterrupt
        add(bits, block)

    words = ("filter", source, *FILTER, "-o", target)
    monkeypatch.setattr(stores.Bits, "add", stopped)
    result = convcli(*words)
    assert result.code == 130 and "interrupted; 21 of 36 blocks are written to" in result.err
    assert "the same command with --resume goes on" in result.err
    monkeypatch.setattr(stores.Bits, "add", add)
    with alone(growing(target) / ".convcli" / "level-0.1-of-1", "x"):
        for word in ("--resume", "--overwrite"):
            assert "another process writes it" in convcli(*words, word).err
    assert convcli(*words, "--resume").code == 0
    np.testing.assert_array_equal(voxels_of(target), expected)


def test_minmax_looks_at_all_blocks_before_it_makes_any(source, convcli, monkeypatch, rng):
    target, looked, left = source.with_name("b.zarr"), [], [4]
    words = ("filter", source, "-k", "sobel3d-z", "--range", "minmax", "--block", "8", "-o", target)
    find, add = stores.extremes_of, stores.Bits.add

    def found(plan, index):
        looked.append(index)
        return find(plan, index)

    def stopped(bits, block):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        add(bits, block)

    monkeypatch.setattr(stores, "extremes_of", found)
    monkeypatch.setattr(stores.Bits, "add", stopped)
    assert convcli(*words).code == 130 and len(looked) == 36
    monkeypatch.setattr(stores.Bits, "add", add)
    assert convcli(*words, "--resume").code == 0 and len(looked) == 36
    npy = source.with_suffix(".npy")
    convcli("filter", npy, *words[2:6], "--axes", "zyx", "-o", source.with_name("whole.npy"))
    whole = np.load(source.with_name("whole.npy"))
    np.testing.assert_array_equal(voxels_of(target), whole)
    assert (whole.min(), whole.max()) == (0, 65535)
    # Of several volumes each by itself.
    both = np.stack([np.load(npy), np.load(npy) // 3])
    np.save(source.with_name("two.npy"), both)
    zarr.create_array(str(source.with_name("two.zarr")), shape=both.shape, chunks=(1, 8, 8, 8), dtype="u2",
                      dimension_names=tuple("czyx"))[:] = both  # fmt: skip
    for name, more in (("two.zarr", ("--block", "8")), ("two.npy", ("--axes", "czyx"))):
        words = ("filter", source.with_name(name), "-k", "sobel3d-z", "--range", "minmax", *more, "-o")
        assert convcli(*words, source.with_name(f"made.{name[4:]}")).code == 0
    made = np.load(source.with_name("made.npy"))
    np.testing.assert_array_equal(voxels_of(source.with_name("made.zarr")), made)
    assert made[0].max() == made[1].max() == 65535


@pytest.mark.parametrize(("packed", "block"), [(None, [8, 16, 64]), ("auto", [32, 16, 16])])
def test_chunks_that_are_read_run_by_run_are_cut_into_whole_rows(tmp_path, convcli, packed, block):
    zarr.create_array(tmp_path / "a.zarr", shape=(64,) * 3, chunks=(8,) * 3, dtype="f4", compressors=packed)
    words = ("-k", "gaussian3d:sigma=1", "-o", tmp_path / "b.zarr", "--workers", "8", "--estimate", "--json")
    assert json.loads(convcli("filter", tmp_path / "a.zarr", *words).out)["estimates"][0]["block"] == block


def test_what_it_would_cost(source, convcli, monkeypatch):
    target, read = source.with_name("b.zarr"), []
    words = ("filter", source, *FILTER, "-o", target)
    known = json.loads(convcli(*words, "--estimate", "--json").out)["estimates"][0]
    assert not target.exists() and known["block"] == [8, 8, 8] and known["blocks"] == 36
    real = Volume.box

    def counted(volume, planes, rows, columns):
        part = real(volume, planes, rows, columns)
        runs = planes, np.concatenate(rows), np.concatenate(columns)
        chunks = [len({each // size for each in run}) for run, size in zip(runs, (4, 8, 8), strict=True)]
        read.append((part.nbytes, 2 * int(np.prod(chunks)) * 4 * 8 * 8))
        return part

    monkeypatch.setattr(Volume, "box", counted)
    assert convcli(*words).code == 0
    assert known["read"] == sum(each for each, _ in read) and known["decoded"] == sum(each for _, each in read)
    assert known["amplification"] == round(known["decoded"] / (2 * np.prod(SHAPE)), 3)
    planes = convcli("filter", source, "-k", "sobel", "--each-plane", "-o", target, "--estimate", "--json")
    assert json.loads(planes.out)["estimates"][0]["block"][1:] == list(SHAPE[1:])
    text = convcli(*words, "--estimate", "--overwrite", "--workers", "2").out
    assert "36 of 8x8x8" in text and "for each of 2" in text


@pytest.mark.parametrize(("words", "said"), [
    (("--range", "minmax", "--part", "1/2"), "minmax looks at all of a volume first"),
    (("--workers", "2", "--cluster", "tcp://a:1"), "got both --workers and --cluster"),
    (("-o", "b.npy"), "is one file, expected a .zarr"),
    (("--levels", "0"), "expected same, none, or how many"),
])  # fmt: skip
def test_what_cannot_be_shared_out_is_refused(source, convcli, words, said, monkeypatch):
    monkeypatch.chdir(source.parent)
    result = convcli("filter", "a.zarr", "-k", "box3d", "-o", "b.zarr", "--resume", *words)
    assert result.code in (1, 2) and said in result.err
    assert sorted(each.name for each in source.parent.iterdir()) == ["a.npy", "a.zarr"]
