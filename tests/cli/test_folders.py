"""Whole folders on the command line: trees, what was left out, one warning of clipping, and who is blamed."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageChops


@pytest.fixture
def shots(tmp_path, monkeypatch):
    """Three pictures in a tree, of which the deepest is clipped most when sharpened."""
    monkeypatch.chdir(tmp_path)
    flat = np.full((8, 8, 3), 128, np.uint8)
    for name, rows in (("shots/a.png", 1), ("shots/2024/b.png", 2), ("shots/2024/june/c.jpg", 4)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        picture = flat.copy()
        picture[: 2 * rows : 2] = 255
        Image.fromarray(picture).save(name)
    Path("shots/2024/list.txt").touch()
    return tmp_path


def tree(folder):
    return sorted(str(each.relative_to(folder)) for each in Path(folder).rglob("*") if each.is_file())


@pytest.mark.parametrize(
    ("words", "name"),
    [(["filter", "-k", "box"], "box"), (["pool", "--size", "2"], "max-pool"), (["pad", "--amount", "1"], "pad"),
     (["morph", "open", "--size", "3"], "open")],
)  # fmt: skip
def test_every_operation_keeps_the_tree(convcli, shots, words, name):
    command, *rest = words
    which, rest = ([rest[0]], rest[1:]) if command == "morph" else ([], rest)
    result = convcli(command, *which, "shots", "--recursive", *rest, "-o", "out")
    assert result.code == 0
    assert tree("out") == [f"2024/b_{name}.png", f"2024/june/c_{name}.jpg", f"a_{name}.png"]
    assert "left out: 1 .txt\n" in result.err


def test_what_was_left_out_and_skipped_is_counted(convcli, shots):
    words = ["filter", "shots", "-r", "-k", "box", "-o", "out/"]
    assert convcli(*words).code == 0
    again = convcli(*words, "--skip-existing")
    assert "0 written, 3 skipped (their output exists) in" in again.err
    report = json.loads(convcli(*words, "--skip-existing", "--json").out)
    assert report["left_out"] == {".txt": 1}
    assert len(report["skipped"]) == 3
    assert convcli(*words, "--skip-existing", "-q").err == ""
    flat = convcli("filter", "shots", "-k", "box", "-o", "flat")
    assert tree("flat") == ["a_box.png"]
    assert "left out: 1 folder (--recursive looks into folders)" in flat.err
    convcli("filter", "shots", "-k", "box")
    assert "1 result of an earlier run" in convcli("filter", "shots", "-k", "box", "--overwrite").err


def test_clipping_is_told_once_with_the_worst_picture(convcli, shots):
    result = convcli("filter", "shots", "-r", "-k", "sharpen", "-o", "out/")
    warnings = [line for line in result.err.splitlines() if "were clipped" in line]
    shares = [convcli("filter", each, "-k", "sharpen", "-o", "one.png", "--overwrite", "--json").out
              for each in ("shots/a.png", "shots/2024/b.png", "shots/2024/june/c.jpg")]  # fmt: skip
    worst = max(json.loads(each)["files"][0]["clipped"] for each in shares)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Warning: shots/2024/june/c.jpg: {worst:.1%} of the values lay outside 0..255")
    assert warnings[0].endswith("(the largest share; less in 2 more files)")


@pytest.mark.parametrize("axes", ["yx", "zyx", "x"])
@pytest.mark.parametrize(
    ("name", "says"),
    [("gone/", "gone/: no such folder"), ("gone/a.png", "gone/a.png: no such file: there is no folder gone")],
)
def test_a_missing_folder_is_no_such_folder(convcli, shots, axes, name, says):
    spec = "box3d" if axes == "zyx" else "box"
    for output in ([], ["-o", "out/"]):
        result = convcli("filter", name, "--axes", axes, "-k", spec, *output)
        assert (result.code, result.err) == (1, f"Error: {says}\n")


@pytest.mark.parametrize("command", [["gallery"], ["predict"], ["explain", "-k", "box"], ["train"]])
def test_other_commands_miss_the_folder_too(convcli, shots, command):
    result = convcli(command[0], "gone/", *command[1:])
    assert result.err.endswith("Error: gone/: no such folder\n")


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["-o", "a.jpg"], "a.jpg"),
        (["-o", "file/x/"], "file/x/in_sobel.png"),
        (["-o", "gone/a.png"], "gone/a.png"),
        (["--range", "raw", "-o", "a.png"], "a.png"),
        (["--depth", "16", "-o", "a.webp"], "a.webp"),
        (["-o", "in.png"], "output: in.png"),
    ],
)
def test_errors_of_an_output_name_the_output(convcli, tmp_path, monkeypatch, words, target):
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (6, 6), (1, 2, 3, 100)).save("in.png")
    Path("file").touch()
    result = convcli("filter", "in.png", "-k", "sobel", *words)
    assert result.code in (1, 2)
    assert result.err.startswith(f"Error: {target}"), result.err
    assert "in.png:" not in result.err


@pytest.mark.parametrize(("output", "says"), [("v.png", "got PNG for a volume"), ("gone/v.tif", "its folder gone")])
def test_a_volumes_output_is_to_blame_as_well(convcli, tmp_path, monkeypatch, output, says):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("scan.tif", np.zeros((3, 6, 6), np.uint8), photometric="minisblack")
    result = convcli("filter", "scan.tif", "--axes", "zyx", "-k", "box3d", "-o", output)
    assert says in result.err and "scan.tif" not in result.err


def test_predict_and_gallery_look_below_and_count_what_they_leave_out(convcli, shots):
    Path("shots/.hidden.png").touch()
    counts = "left out: 1 hidden file, 1 .txt\n"
    # What is drawn there is no digit: three errors, each about its picture.
    told = convcli("predict", "shots", "--recursive")
    for name in ("shots/a.png", "shots/2024/b.png", "shots/2024/june/c.jpg"):
        assert f"{name}:" in told.err + told.out
    assert told.err.endswith(counts)
    sheet = convcli("gallery", "shots", "-r", "-k", "box", "-o", "sheet.png", "--json")
    report = json.loads(sheet.out)
    names = ["shots/a.png", "shots/2024/b.png", "shots/2024/june/c.jpg"]
    assert report["files"] == [{"input": name, "warnings": []} for name in names]
    assert report["left_out"] == {".txt": 1, "hidden file": 1} and sheet.err.endswith(counts)
    flat = convcli("gallery", "shots", "-k", "box", "-o", "flat.png")
    assert "left out: 1 hidden file, 1 folder (--recursive looks into folders)\n" in flat.err
    assert convcli("gallery", "shots", "-k", "box", "-o", "q.png", "-q").err == ""
    flat = convcli("predict", "shots")
    assert "(--recursive looks into folders)" in flat.err


def test_a_sheet_is_made_of_the_pictures_that_can_be_used(convcli, shots):
    Path("shots/2024/bad.png").write_bytes(b"no picture")
    result = convcli("gallery", "shots", "gone.png", "-r", "-k", "box", "-o", "sheet.png")
    assert (result.code, result.out) == (1, "sheet.png\n")
    errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2 and "shots/2024/bad.png" in errors[0] and "gone.png: no such file" in errors[1]
    with Image.open("sheet.png") as sheet:
        three = sheet.height
    assert convcli("gallery", "shots/a.png", "-k", "box", "-o", "one.png").code == 0
    with Image.open("one.png") as sheet:
        assert three == sheet.height + 2 * 16
    nothing = convcli("gallery", "shots/2024/bad.png", "-k", "box", "-o", "none.png", "--json")
    assert nothing.code == 1 and json.loads(nothing.out)["output"] is None and not Path("none.png").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gallery", "shots/a.png", "-o", "gone/s.png"], "gone/s.png: its folder gone"),
        (["gallery", "shots", "-o", "shots/a.png", "--overwrite"], "shots/a.png: is one of the inputs itself"),
        (["compare", "shots/b.png", "shots/a.png", "-o", "shots/a.png", "--overwrite"], "shots/a.png: is one of the"),
        (["features", "shipped", "shots/a.png", "-o", "shots/a.png", "--overwrite"], "shots/a.png: is one of the inp"),
        (["equivariance", "shots/a.png", "-k", "box", "-o", "shots/a.png", "--overwrite"], "shots/a.png: is one of th"),
        (["gallery", "shots/a.png", "-o", "s.nope"], "s.nope"),
        (["gallery", "shots/a.png", "-o", "s.h5"], "s.h5: got the suffix '.h5', "),
        (["predict", "shots/a.png", "--show", "gone/s.png"], "gone/s.png: its folder gone"),
        (["predict", "shots", "--show", "shots/a.png", "--overwrite"], "shots/a.png: is one of the inputs itself"),
    ],
)
def test_a_sheet_that_cannot_be_written_is_to_blame(convcli, shots, words, says):
    before = Path("shots/a.png").read_bytes()
    result = convcli(*words)
    assert result.code in (1, 2) and result.err.startswith(f"Error: {says}"), result.err
    assert result.err.count("\n") == 1 and Path("shots/a.png").read_bytes() == before


def test_a_sheet_shows_numbers_that_are_no_bytes(convcli, shots):
    levels = np.linspace(0, 1, 9, dtype=np.float32)[None].repeat(9, 0)
    for name, values in (("f", levels), ("i", (levels * 200).astype(np.int16) - 100)):
        np.save(f"{name}.npy", values)
        result = convcli("gallery", f"{name}.npy", "-k", "identity", "-o", f"{name}.png")
        assert result.code == 0 and ("from -100 to 100 are drawn" in result.err) == (name == "i")
    with Image.open("f.png") as floats, Image.open("i.png") as integers:
        assert not ImageChops.difference(floats, integers).getbbox()
        assert {each[1][0] for each in floats.getcolors()} >= {0, 32, 64, 96, 128, 159, 191, 223, 255}


def test_results_beside_pictures_are_no_pictures_of_other_kernels(convcli, shots):
    for name in ("a.png", "b_box.png"):  # of which the second is nobody's result
        (shots / name).write_bytes((shots / "shots" / "a.png").read_bytes())
    for words in (["filter", "-k", "box"], ["filter", "-k", "box", "-k", "sobel"], ["pool", "--size", "2"]):
        assert convcli(words[0], ".", *words[1:], "-q").code == 0
    result = convcli("filter", ".", "-k", "median")
    assert result.out.splitlines() == ["a_median.png", "b_box_median.png"]
    assert "results of an earlier run" in result.err
    assert convcli("filter", "a_box.png", "-k", "median").out == "a_box_median.png\n"


def test_a_file_of_two_names_is_taken_by_its_own(convcli, tmp_path, monkeypatch, shots):
    folder = shots / "linked"
    folder.mkdir()
    (folder / "b.png").write_bytes((shots / "shots" / "a.png").read_bytes())
    (folder / "a.png").symlink_to("b.png")
    result = convcli("filter", "linked", "-k", "box", "-o", "out/")
    assert result.out == "out/b_box.png\n" and "left out: 1 second name of a file" in result.err


def test_a_point_before_the_suffixs_own(convcli, shots):
    result = convcli("filter", "shots/a.png", "-k", "box", "-o", "{stem}-x.{ext}")
    assert result.out == "a-x.png\n"


def test_a_file_without_a_suffix_gives_one_of_its_format(convcli, shots):
    (shots / "bare").write_bytes((shots / "shots" / "a.png").read_bytes())
    assert convcli("filter", "bare", "-k", "box").out == "bare_box.png\n"
    assert "as x/y/" in convcli("filter", "bare", "-k", "box", "-o", "x/y").err
