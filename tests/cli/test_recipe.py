"""`--recipe`, `convcli recipe list` and `show`."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.images import Image, read, write
from convcli.jobs import recipes


@pytest.fixture
def kitchen(tmp_path, monkeypatch, rng):
    """A folder of recipes of the user's, empty, and a picture in the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = recipes.folder()
    folder.mkdir(parents=True)
    write(Image(rng.integers(0, 256, (12, 15, 3)).astype(np.uint8)), "photo.png")
    return folder


def put(folder, name, text):
    (folder / f"{name}.toml").write_text(text)


def test_a_recipe_is_its_words(convcli, kitchen):
    put(
        kitchen,
        "mine",
        'kernel = ["median:size=5", "sharpen"]\nborder = "edge"\nstride = 2\nscale = 0.5\nlinear = true\n',
    )
    result = convcli("filter", "photo.png", "--recipe", "mine")
    assert (result.code, result.out) == (0, "photo_mine.png\n")
    typed = ["-k", "median:size=5", "-k", "sharpen", "--border", "edge", "--stride", "2", "--scale", "0.5", "--linear"]
    typed += ["-o", "typed.png"]
    assert convcli("filter", "photo.png", *typed).code == 0
    assert np.array_equal(read("photo_mine.png").pixels, read("typed.png").pixels)


def test_what_is_typed_replaces_its_words(convcli, kitchen):
    put(kitchen, "mine", "kernel = 'box'\npadding = [1, 2]\nbackground = [255, 0, 0]\nchannels = 'gray'\n")
    convcli("filter", "photo.png", "--recipe", "mine", "-o", "a.png")
    assert read("a.png").pixels.shape == (12, 17, 1)
    assert (
        convcli("filter", "photo.png", "-k", "gaussian", "--recipe", "mine", "--padding", "same", "-o", "b.png").code
        == 0
    )
    convcli("filter", "photo.png", "-k", "gaussian", "--channels", "gray", "-o", "c.png")
    assert np.array_equal(read("b.png").pixels, read("c.png").pixels)


@pytest.mark.parametrize("name", ["soft-portrait", "clean-scan", "web-photo"])
def test_those_that_come_along_work(convcli, kitchen, name):
    result = convcli("filter", "photo.png", "--recipe", name, "--json")
    (document,) = json.loads(result.out)["files"]
    assert result.code == 0 and document["output"] == f"photo_{name}.png" and document["kernel"] == name
    if name == "web-photo":
        assert document["shape"] == list(read("photo.png").pixels.shape)  # nothing is enlarged


def test_ones_own_is_taken_before_one_that_came_along(convcli, kitchen):
    put(kitchen, "soft-portrait", "description = 'my  own'\nkernel = 'identity'\n")
    convcli("filter", "photo.png", "--recipe", "soft-portrait")
    assert np.array_equal(read("photo_soft-portrait.png").pixels, read("photo.png").pixels)
    assert "soft-portrait      my own (yours)\n" in convcli("recipe", "list").out


def test_a_file_is_a_recipe_too(convcli, kitchen):
    put(kitchen.parent, "there", "kernel = 'sharpen'\n")
    result = convcli("filter", "photo.png", "--recipe", str(kitchen.parent / "there.toml"))
    assert result.out == "photo_there.png\n"


def test_list_and_show(convcli, kitchen):
    put(
        kitchen,
        "mine",
        'description = "What I do"\nkernel = "0 -1 0; -1 5 -1; 0 -1 0"\nborder-value = 3\nlinear = true\n',
    )
    listed = convcli("recipe", "list").out.splitlines()
    assert listed[1] == "mine               What I do (yours)" and listed[-1] == f"Yours lie in {kitchen}"
    shown = convcli("recipe", "show", "mine").out.splitlines()
    assert shown[:2] == ["mine", "What I do"]
    assert "kernel      0 -1 0; -1 5 -1; 0 -1 0" in shown and "linear      true" in shown
    assert shown[-1] == "convcli filter PHOTO -k '0 -1 0; -1 5 -1; 0 -1 0' --border-value 3 --linear"
    document = json.loads(convcli("recipe", "show", "mine", "--json").out)
    assert document["command"] == shown[-1] and document["words"]["border-value"] == "3" and not document["shipped"]
    everything = json.loads(convcli("recipe", "list", "--json").out)
    assert [each["name"] for each in everything["recipes"]] == ["clean-scan", "mine", "soft-portrait", "web-photo"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kernl = 'box'", "recipe bad: got the word 'kernl'; did you mean 'kernel'?"),
        ("kernel = 'box'\noutput = 'a.png'", "recipe bad: got the word 'output', expected some of activation, alpha"),
        ("kernel = 'box'\nborder = 'nowhere'", "recipe bad: border: got 'nowhere', expected reflect"),
        ("kernel = 'box'\nstride = 0", "recipe bad: stride: got '0', expected numbers of at least 1"),
        ("kernel = 'box'\nrange = 'clp'", "recipe bad: range: 'clp' is not one of"),
        ("kernel = 'box'\nlinear = 'yes'", "recipe bad: linear: got 'yes', expected true or false"),
        ("kernel = 'box'\nborder = true", "recipe bad: border: got true, expected a text or a number"),
        ("kernel = 'boks'", "recipe bad: kernel: no kernel or file is named 'boks'; did you mean"),
        ("border = 'edge'", "Missing option '-k' / '--kernel'."),
        ("", "bad.toml: has no words, expected some as kernel = 'sharpen'"),
        ("description = 3\nkernel = 'box'", "bad.toml: description: got 3, expected a text"),
        ("kernel = {a = 1}", "bad.toml: kernel: got {'a': 1}, expected a text, a number"),
        ("kernel = 'box", "bad.toml: is not readable as TOML"),
        ("kernel = " + "[" * 2000, "bad.toml: is not readable as TOML"),
    ],
)
def test_what_is_wrong_is_one_line(convcli, kitchen, text, message):
    put(kitchen, "bad", text)
    result = convcli("filter", "photo.png", "--recipe", "bad")
    assert (result.code, result.out) == (2, "") and result.err.count("\n") == 1
    assert message in result.err


def test_bytes_that_are_no_text_and_files_that_are_not_there(convcli, kitchen):
    (kitchen / "odd.toml").write_bytes(b"kernel = '\xff'")
    assert "odd.toml: byte 10 is not UTF-8 text" in convcli("recipe", "show", "odd").err
    assert "Warning: recipe " in convcli("recipe", "list").err and convcli("recipe", "list").code == 0
    assert "nowhere.toml: no such file" in convcli("recipe", "show", "nowhere.toml").err
    unknown = convcli("filter", "photo.png", "--recipe", "soft-portrat")
    assert unknown.code == 2 and "recipe: got 'soft-portrat'; did you mean 'soft-portrait'?" in unknown.err


def test_a_page_keeps_the_meaning_of_colours_and_enlarges_nothing(convcli, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Pillow.Exif()
    exif[271] = "maker"
    for name, size in (("small", (30, 20)), ("large", (1700, 850))):
        Pillow.new("RGB", size, (9, 99, 199)).save(tmp_path / f"{name}.jpg", icc_profile=profile, exif=exif)
        words = ("--recipe", "web-photo", "-o", tmp_path / "o.jpg", "--overwrite")
        assert convcli("filter", tmp_path / f"{name}.jpg", *words).code == 0
        with Pillow.open(tmp_path / "o.jpg") as got:
            assert got.info["icc_profile"] == profile and "exif" not in got.info
            assert got.size == (size if name == "small" else (1600, 800))
    assert convcli("pad", tmp_path / "small.jpg", "--amount", "1", "--strip", "-o", tmp_path / "bare.jpg").code == 0
    with Pillow.open(tmp_path / "bare.jpg") as got:
        assert "icc_profile" not in got.info
