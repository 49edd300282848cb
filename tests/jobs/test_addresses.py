"""Pictures, volumes and tables at addresses: the same bytes as in folders here, whole or not at all, or one line."""

import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_models import conv_model
from PIL import Image

import convcli as package
from convcli import addresses
from convcli.errors import FileError, ImageError
from convcli.jobs import stores
from convcli.jobs.inputs import search
from convcli.jobs.ledger import Bits
from convcli.jobs.tasks import plan_tasks
from convcli.stores import places

fsspec = pytest.importorskip("fsspec")
NAMES = ["a.png", "b.jpg", "x/c d.tiff", "x/y/e.webp"]
UNSHARP = ("-k", "unsharp", "--range", "clip")


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def raw(tmp_path, rng, memory):
    """Pictures and other things, in a folder, in memory and in an archive."""
    for name in NAMES:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(60, 190, (20, 30, 3), dtype=np.uint8)).save(path)
    (tmp_path / "raw" / "notes.txt").write_text("no picture")
    (tmp_path / "raw" / ".hidden.png").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for path in (tmp_path / "raw").rglob("*.*"):
            memory.pipe_file(f"/raw/{path.relative_to(tmp_path / 'raw').as_posix()}", path.read_bytes())
            archive.write(path, f"in/{path.relative_to(tmp_path / 'raw')}")
    return tmp_path / "raw"


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_memory(system, folder):
    return {name.removeprefix(f"/{folder}/"): system.cat_file(name) for name in system.find(f"/{folder}")}


def test_python_and_masks_go_there_too_and_what_does_not_says_so(raw, memory, convcli, monkeypatch):
    monkeypatch.chdir(raw.parent)
    pixels = package.read("memory://raw/a.png")
    np.testing.assert_array_equal(pixels, package.read(f"file://{raw}/a.png"))
    package.write("memory://out/b.png", pixels, like="memory://raw/a.png")
    np.testing.assert_array_equal(package.read("memory://out/b.png"), pixels)
    conv_model("net.safetensors", ["conv:2,same,softmax"], (8, 8, 1), ("0", "1"), recipe={"task": "segment"})
    told = ("predict", "memory://raw/a.png", "--model", "net.safetensors")
    assert convcli(*told).out.startswith("memory://raw/a.png: memory://raw/a_mask.png, ")
    assert convcli(*told, "-o", "memory://out/").code == convcli(*told, "-o", "memory://out/{stem}.npy").code == 0
    assert set(in_memory(memory, "out")) == {"b.png", "a_mask.png", "a.npy"}
    assert "Error: memory://out/a_mask.png: already exists" in convcli(*told, "-o", "memory://out/").err
    for words in (("predict", "raw/a.png", "--csv", "s3://b/x.csv"), ("train", "digits", "-o", "s3://b/x.safetensors"),
                  ("compare", "raw/a.png", "raw/a.png", "-o", "s3://b/x.png")):  # fmt: skip
        refused = convcli(*words)
        assert refused.code == 1 and f"Error: {words[-1]}: is an address, to which pictures and" in refused.err
    assert convcli("evaluate", "s3://b/x.safetensors").err.startswith("Error: s3://b/x.safetensors: is an address, of")
    assert not [each for each in Path().iterdir() if ":" in each.name]


def test_pictures_come_and_go_as_in_folders(raw, memory, convcli, cluster, monkeypatch):
    here = convcli("filter", raw, "-r", *UNSHARP, "-o", raw.with_name("out"))
    there = convcli("filter", "memory://raw", "-r", *UNSHARP, "-o", "memory://out")
    assert here.code == there.code == 0 and "left out: 1 hidden file, 1 .txt" in there.err
    assert there.out.splitlines() == [f"memory://out/{name.replace('.', '_unsharp.')}" for name in NAMES]
    expected = files_in(raw.with_name("out"))
    assert in_memory(memory, "out") == expected and len(expected) == 4
    assert "4 skipped" in convcli("filter", "memory://raw", "-r", *UNSHARP, "-o", "memory://out", "--skip-existing").err
    again = convcli("filter", "memory://raw/a.png", *UNSHARP, "-o", "memory://out/")
    assert (again.code, again.err.count("\n")) == (1, 1) and "already exists" in again.err
    # Beside them, one by one and by a pattern; hidden ones stay out, as in shells.
    assert convcli("filter", "memory://raw/*.png", *UNSHARP).out == "memory://raw/a_unsharp.png\n"
    assert convcli("pool", "memory://raw/x/", "--size", 2, "-o", "memory://p/{index}.png").out == "memory://p/1.png\n"
    # An archive here, in processes that run in other folders; and what is a file here by another name.
    monkeypatch.chdir(raw.parent)
    words = ("-r", *UNSHARP, "-o", f"file://{raw.with_name('two')}", "--cluster", cluster)
    assert convcli("filter", "zip://in::raw.zip", *words).code == 0
    assert files_in(raw.with_name("two")) == expected
    assert convcli("predict", "memory://raw/a.png", "--json").out == convcli("predict", raw / "a.png", "--json").out


@pytest.mark.parametrize(("words", "code", "said"), [
    (("memory://raw", "-o", "https://host/out/"), 2, "https://host/out/: addresses of https are read only"),
    (("zip://in::raw.zip",), 2, "zip://in::raw.zip: is a chain of addresses, which are read only"),
    (("memory://raw/", "-o", "zip://out::raw.zip"), 2, "is a chain of addresses"),
    (("memory://nothing/",), 1, "memory://nothing/: no such file or folder"),
    (("memory://nothing/a.png", "-o", "memory://out/"), 1, "memory://nothing/a.png: no such file or folder"),
    (("memory://raw/*.gif",), 2, "memory://raw/*.gif: the pattern matches no file"),
    (("nowhere://raw/a.png", "-o", "memory://out/"), 1, "cannot be read (Protocol not known: nowhere)"),
    (("memory://raw/a.png", "-o", "memory://out/a.xyz"), 2, "got the suffix '.xyz'"),
    (("memory://raw/a.png", "--watch"), 2, "--watch: got an address"),
    (("memory://raw/a.wav", "-o", "a.wav"), 1, "is an address, of which pictures and Zarr are read"),
    (("memory://raw/a.png", "--each-plane", "-o", "memory://out/a.tif", "--stack"), 1, "name a file here"),
])  # fmt: skip
def test_what_cannot_be_is_one_line(raw, memory, convcli, monkeypatch, words, code, said):
    monkeypatch.chdir(raw.parent)
    before = memory.find("/")
    result = convcli("filter", *words, "-k", "box")
    assert (result.code, said in result.err) == (code, True), result.err
    assert result.err.count("\n") == 1 and memory.find("/") == before


def test_a_source_in_other_words_is_no_target(raw, memory, convcli):
    before = in_memory(memory, "raw")
    result = convcli("filter", "memory://raw", *UNSHARP, "-o", "memory:///raw/{stem}{ext}", "--overwrite")
    assert result.code == 2 and "is also an input" in result.err and in_memory(memory, "raw") == before


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    """Where storing is no single request, by a hidden name: shown on files here, through fsspec."""
    from fsspec.implementations.local import LocalFileSystem

    target = tmp_path / "there" / "a.bin"
    addresses.write_whole(f"file://{target}", b"first", overwrite=False)
    with pytest.raises(FileError, match="already exists; choose another name or add --overwrite"):
        addresses.write_whole(f"file://{target}", b"second", overwrite=False)
    put = LocalFileSystem.pipe_file

    def broken(system, path, content, **words):
        put(system, path, content[:3])
        raise OSError("connection lost")

    monkeypatch.setattr(LocalFileSystem, "pipe_file", broken)
    with pytest.raises(FileError, match=r"cannot be written \(connection lost\)"):
        addresses.write_whole(f"file://{target}", b"second", overwrite=True)
    assert files_in(tmp_path) == {"there/a.bin": b"first"}


def test_a_read_that_fails_is_tried_again(memory, monkeypatch):
    memory.pipe_file("/a.bin", b"content")
    monkeypatch.setattr(addresses, "_WAIT", 0)
    cat, asked = type(memory).cat_file, []

    def flaky(system, path, *words, **named):
        asked.append(path)
        if len(asked) < 3:
            raise OSError("try again")
        return cat(system, path, *words, **named)

    monkeypatch.setattr(type(memory), "cat_file", flaky)
    assert addresses.read_bytes("memory://a.bin") == b"content" and len(asked) == 3
    with pytest.raises(ImageError, match=r"memory://b\.bin: no such file or folder"):
        addresses.read_bytes("memory://b.bin")


def test_an_archive_that_changes_is_read_anew(tmp_path):
    for content in (b"one", b"another one"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a.bin", content)
        assert addresses.read_bytes(f"zip://a.bin::{tmp_path}/a.zip") == content


def test_a_volume_at_an_address_is_a_store_at_the_very_end(tmp_path, rng, memory, convcli, monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 60_000, (9, 12, 13), dtype=np.uint16)
    group = zarr.open_group("a.zarr", mode="w", zarr_format=2)
    datasets = []
    for level, step in enumerate((1, 2)):
        part = voxels[::step, ::step, ::step]
        group.create_array(str(level), shape=part.shape, chunks=(4, 8, 8), dtype="u2")[:] = part
        said = [{"type": "scale", "scale": [2.0 * step, 0.5 * step, 0.5 * step]}]
        datasets.append({"path": str(level), "coordinateTransformations": said})
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    group.attrs.put({"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]})
    words = ("filter", "a.zarr", "-k", "gaussian3d:sigma=1", "--block", "8", "-o")
    assert convcli(*words, "b.zarr").code == convcli(*words, "memory://b.zarr").code == 0
    assert in_memory(memory, "b.zarr") == files_in(tmp_path / "b.zarr")
    assert memory.ls("/", detail=False) == ["/b.zarr"]
    assert "already exists" in convcli(*words, "memory://b.zarr").err
    # Killed, gone on with by nobody else, then to the end.
    add = stores.Bits.add

    def stopped(bits, block):
        if block == 5:
            raise KeyboardInterrupt
        add(bits, block)

    monkeypatch.setattr(stores.Bits, "add", stopped)
    result = convcli(*words, "memory://c.zarr", "--resume")
    assert result.code == 130 and "written to memory://c.zarr.unfinished: the same command with --resume" in result.err
    assert not any(name.rpartition("/")[2].startswith(".z") for name in memory.find("/c.zarr"))
    monkeypatch.setattr(stores.Bits, "add", add)
    assert "is of a run that did not end" in convcli(*words, "memory://c.zarr").err
    assert "of another operation" in convcli("filter", "a.zarr", "-k", "box3d", "-o", "memory://c.zarr", "--resume").err
    lease = "/c.zarr.unfinished/.convcli/level-0.1-of-1.held"
    memory.pipe_file(lease, b"somebody 99999999999")
    assert "another process writes it" in convcli(*words, "memory://c.zarr", "--resume").err
    memory.pipe_file(lease, b"somebody 1")  # who has not said for long that he still writes
    assert convcli(*words, "memory://c.zarr", "--resume").code == 0
    found = in_memory(memory, "c.zarr")
    assert json.loads(found.pop(".convcli/plan.json"))["plan"].keys() >= {"source", "operation"}
    assert found == files_in(tmp_path / "b.zarr")
    memory.pipe_file("/d.zarr/diary.txt", b"mine")
    for target, said in (("memory://d.zarr", "holds other things"), ("https://host/d.zarr", "https are read only")):
        result = convcli(*words, target, "--overwrite")
        assert result.code and result.err.count("\n") == 1 and said in result.err
    # The same place in other words is the source itself, which stays.
    again = convcli("filter", "memory://b.zarr", *words[2:], "memory:///b.zarr", "--overwrite")
    assert "one lies in the other" in again.err and in_memory(memory, "b.zarr") == files_in(tmp_path / "b.zarr")
    # A source that has changed is another one, also at an address.
    words = ("filter", "memory://b.zarr", *words[2:], "memory://e.zarr", "--resume")
    assert convcli(*words).code == convcli(*words).code == 0
    memory.pipe_file("/b.zarr/0/0.0.0", memory.cat_file("/b.zarr/0/0.0.0"))
    assert "already exists" in convcli(*words).err


def test_of_two_parts_that_end_together_one_sees_all_blocks(memory):
    parts = [Bits(places._Objects("memory://ledger"), "level-0", 4, f"{part}-of-2", "busy") for part in (1, 2)]
    with parts[0], parts[1]:
        for block in range(4):
            parts[block % 2].add(block)
        assert [int(each.done().sum()) for each in parts] == [3, 4]


def test_who_works_long_is_believed_all_the_time(memory, monkeypatch):
    monkeypatch.setattr(places, "_LEASE", 0.2)
    mine, others = (places._Objects("memory://ledger") for _ in range(2))
    with mine.hold("lock", "busy"):
        time.sleep(0.5)
        with pytest.raises(FileError, match="busy"), others.hold("lock", "busy"):
            pass
    with others.hold("lock", "busy"):
        pass
    assert not memory.find("/ledger")
    say = mine._say_held  # of two that begin at the same moment the later one is believed
    monkeypatch.setattr(mine, "_say_held", lambda name: (say(name), others._say_held(name)))
    with pytest.raises(FileError, match="busy"), mine.hold("lock", "busy"):
        pass


def test_tables_in_parts(tmp_path, rng, memory, convcli, cluster, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for number in range(66):
        picture = np.full((28, 28), 255, np.uint8)
        picture[4:24, 10 + number % 9 : 13 + number % 9] = 0
        Image.fromarray(picture).save(tmp_path / "raw" / f"{number:02}.png")
    (tmp_path / "raw" / "05.png").write_bytes(b"\x89PNG")
    alone = convcli("predict", "raw", "--csv", "one.csv")
    many = convcli("predict", "raw", "--csv", "many.csv", "--cluster", cluster)
    assert alone.code == many.code == 1 and many.out == alone.out and "05.png: is not a picture" in many.err
    whole = (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "many.csv").read_bytes() == whole
    parts = ("predict", "raw", "--parts")
    assert convcli(*parts, "memory://told").out == "memory://told/part-000000.csv\nmemory://told/part-000001.csv\n"

    def rows():
        found = in_memory(memory, "told")
        return found["part-000000.csv"] + found["part-000001.csv"].partition(b"\n")[2]

    assert rows() == whole and "part-000000.failed.csv" in in_memory(memory, "told")
    assert "holds parts; --resume goes on" in convcli(*parts, "memory://told").err
    assert "one.csv: is a file, expected a folder of parts" in convcli(*parts, "one.csv").err
    assert "holds parts of other inputs" in convcli("predict", "raw/06.png", "--parts", "memory://told", "--resume").err
    # The part with a failure is made again, the other one is not.
    (tmp_path / "raw" / "05.png").write_bytes((tmp_path / "raw" / "04.png").read_bytes())
    again = convcli(*parts, "memory://told", "--resume", "--json")
    assert again.code == 0 and json.loads(again.out)["told"] == 64
    assert rows().count(b"\n") == 67 and "part-000000.failed.csv" not in in_memory(memory, "told")
    memory.pipe_file("/told/part-of-my-thesis.txt", b"mine")
    assert convcli(*parts, "memory://told", "--overwrite").code == 0
    assert in_memory(memory, "told")["part-of-my-thesis.txt"] == b"mine"
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert "parquet: needs pyarrow; pip install pyarrow" in convcli(*parts, "told", "--parquet").err
    assert "expected --parts FOLDER with it" in convcli("predict", "raw", "--resume").err


def test_names_of_very_many_files_take_little(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.png", "in/x/a.png", "in/x/ä\udce9.png", "in/x/y/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = search(["in"], recursive=True)
    names = ["in/b.png", "in/x/a.png", "in/x/ä\udce9.png", "in/x/y/c.jpg"]
    assert found.files == names and [found.files[place] for place in (-1, 1)] == [names[3], names[1]]
    tasks = plan_tasks(found.files, "out/{index}-{stem}.png", "box", explicit=["in"], below=found.below)
    targets = ["out/1-b.png", "out/x/2-a.png", "out/x/3-ä\udce9.png", "out/x/y/4-c.png"]
    assert [task.target for task in tasks] == [tasks[place].target for place in range(4)] == targets
    with pytest.raises(ValueError, match="would both become"):
        plan_tasks(found.files, "out/{kernel}.png", "box", explicit=["in"], below={"in/x/y/c.jpg": ""})
    (tmp_path / "in" / "x" / "a.jpg").touch()
    found = search(["in"], recursive=True)
    with pytest.raises(ValueError, match=r"in/x/a.jpg and in/x/a.png would both become out/x/a_box.png"):
        plan_tasks(found.files, "out/", "box", format="png", explicit=["in"], below=found.below)
