"""Which files are meant by names, patterns and folders, where they lie, and what is left out."""

import os
from collections import Counter
from pathlib import Path

import pytest

from convcli.errors import ConvcliError, missing
from convcli.images.folders import left_out_text
from convcli.jobs.inputs import search
from convcli.jobs.tasks import plan_tasks


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Pictures two folders deep, beside other things."""
    monkeypatch.chdir(tmp_path)
    names = ["in/b.png", "in/a.JPG", "in/x/c.png", "in/x/y/d.tif", "in/notes.txt", "in/x/more.TXT", "in/README",
             "in/.hidden.png", "in/.git/e.png", "in/x/film.mp4"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "in" / "z").mkdir()
    (tmp_path / "in" / "z" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "z" / "gone.png").symlink_to(tmp_path / "nowhere")
    return tmp_path


def test_a_folder_gives_what_is_in_it_and_counts_the_rest(tree):
    found = search(["in"])
    assert found.files == ["in/a.JPG", "in/b.png"]
    assert found.below == {}
    assert found.left_out == {
        "folder": 2, "hidden folder": 1, "hidden file": 1, ".txt": 1, "file without a suffix": 1
    }  # fmt: skip


def test_recursive_goes_into_folders_and_knows_where_files_lie(tree):
    found = search(["in/"], recursive=True)
    assert found.files == ["in/a.JPG", "in/b.png", "in/x/c.png", "in/x/y/d.tif"]
    assert found.below == {"in/x/c.png": "x", "in/x/y/d.tif": str(Path("x/y"))}
    assert found.left_out == {
        "hidden folder": 1, "hidden file": 1, ".txt": 2, "file without a suffix": 1, ".mp4": 1, "link to a folder": 1,
        "broken link": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("out/", ["out/a_box.JPG", "out/b_box.png", "out/x/c_box.png", "out/x/y/d_box.tif"]),
        ("out/{stem}.png", ["out/a.png", "out/b.png", "out/x/c.png", "out/x/y/d.png"]),
        ("{index}.png", ["1.png", "2.png", "x/3.png", "x/y/4.png"]),
        (None, ["in/a_box.JPG", "in/b_box.png", "in/x/c_box.png", "in/x/y/d_box.tif"]),
    ],
)
def test_the_output_has_the_inputs_tree(tree, output, expected):
    found = search(["in"], recursive=True)
    tasks = plan_tasks(found.files, output, "box", explicit=["in"], below=found.below)
    assert [task.target for task in tasks] == [str(os.path.normpath(each)) for each in expected]
    assert all(task.makes_folder for task in tasks) == (output is not None)


def test_a_pattern_keeps_the_tree_below_its_first_star(tree):
    found = search(["in/**/*.png"], recursive=True)
    assert found.below == {"in/x/c.png": "x"}
    assert search(["in/*/*.png"], recursive=True).below == {"in/x/c.png": "x"}
    assert search(["**/*.tif"], recursive=True).below == {"in/x/y/d.tif": str(Path("in/x/y"))}
    assert search(["in/**/*.png"]).below == {}


def test_results_inside_the_folder_are_not_gone_through_again(tree):
    (tree / "in" / "res" / "x").mkdir(parents=True)
    (tree / "in" / "res" / "x" / "c_box.png").touch()
    found = search(["in"], recursive=True, output="in/res/")
    assert not [each for each in found.files if "res" in each]
    assert found.left_out["folder of results"] == 1


def test_a_folder_without_pictures_says_what_it_has(tree):
    with pytest.raises(ConvcliError, match=r"in/z: holds no picture, but 1 broken link, 1 folder \(--recursive looks"):
        search(["in/z"])
    with pytest.raises(ConvcliError, match="holds no picture in it or below, but 1 broken link, 1 link to a folder"):
        search(["in/z"], recursive=True)


def test_kinds_are_told_in_words(tree):
    told = left_out_text(search(["in"], recursive=True).left_out)
    assert told.startswith("2 .txt, 1 hidden file, ") and told.endswith(", 1 other")
    assert left_out_text(Counter({"folder": 2, "link to a folder": 3})) == (
        "3 links to folders, 2 folders (--recursive looks into folders)"
    )
    assert left_out_text(Counter()) == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gone/", "gone/: no such folder"),
        ("gone", "gone: no such file or folder"),
        ("gone.png", "gone.png: no such file"),
        ("in/gone.png", "in/gone.png: no such file"),
        ("gone/a.png", "gone/a.png: no such file: there is no folder gone"),
        ("gone/b/", "gone/b/: no such folder"),
    ],
)
def test_what_is_missing_is_a_file_or_a_folder(tree, name, expected):
    assert missing(name) == expected
