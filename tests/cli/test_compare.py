"""`convcli compare` as scripts use it."""

import json

import numpy as np
import pytest
from PIL import Image, ImageCms

from convcli.jobs.compare import compare


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """a.png and b.png, of which one pixel differs by 10."""
    monkeypatch.chdir(tmp_path)
    pixels = np.full((12, 14, 3), 100, np.uint8)
    Image.fromarray(pixels).save("a.png")
    pixels[5, 6, 1] = 110
    Image.fromarray(pixels).save("b.png")


def test_report(convcli, pair):
    result = convcli("compare", "a.png", "b.png")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "largest difference  10 of 255 (3.9%) at row 5, column 6, channel 1"
    assert lines[2] == "pixels that differ  1 of 168 (0.60%)"
    assert lines[3].startswith("PSNR                55.16")


@pytest.mark.parametrize(("tolerance", "code"), [("10", 0), ("9.9", 1), ("0", 1), ("4%", 0), ("3%", 1)])
def test_tolerance_is_the_exit_code(convcli, pair, tolerance, code):
    result = convcli("compare", "a.png", "b.png", "--tolerance", tolerance)
    assert result.code == code
    assert result.err == ""
    assert ("yes" if code == 0 else "no: 1 pixels are further apart") in result.out.splitlines()[-1]
    document = json.loads(convcli("compare", "a.png", "b.png", "--tolerance", tolerance, "--json").out)
    assert (document["within"], document["largest"]) == (code == 0, 10)
    assert document["place"] == {"plane": None, "row": 5, "column": 6, "channel": 1}


def test_equal_files_in_json(convcli, pair):
    result = convcli("compare", "a.png", "a.png", "--json", "--tolerance", "0")
    document = json.loads(result.out)
    assert (result.code, document["psnr"], document["ssim"], document["place"]) == (0, None, 1, None)


def test_a_picture_of_where(convcli, pair):
    result = convcli("compare", "a.png", "b.png", "-o", "where.png")
    assert result.out.splitlines()[-1] == "where.png"
    with Image.open("where.png") as picture:
        assert picture.width > 3 * 400
    again = convcli("compare", "a.png", "b.png", "-o", "where.png")
    assert again.code == 1
    assert "--overwrite" in again.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.png", "small.png"], 1, "14x12 and 2x2"),
        (["a.png", "none.png"], 1, "no such file"),
        (["-", "-"], 2, "standard input"),
        (["a.png", "b.png", "--tolerance", "-1"], 2, "got '-1'"),
        (["a.png", "b.png", "--tolerance", "little"], 2, "got 'little'"),
        (["a.png", "b.png", "-o", "where.txt"], 2, "where.txt"),
        (["a.png", "b.png", "--white", "0"], 2, "white"),
    ],
)
def test_errors_are_one_line(convcli, pair, words, code, message):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save("small.png")
    result = convcli("compare", *words)
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_signals_and_stacks_whose_numbers_are_no_pixels(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    signal = np.arange(50.0)
    np.save("a.npy", signal)
    np.save("b.npy", signal + (np.arange(50) == 7) / 2)
    result = convcli("compare", "a.npy", "b.npy", "--tolerance", "0.1")
    assert result.code == 1 and "largest difference  0.5 of 1 (50.0%) at row 0, column 7\n" in result.out
    np.savetxt("a.csv", signal)
    assert convcli("compare", "a.csv", "a.npy", "--axes", "x", "--tolerance", "0").code == 0
    scan = np.random.default_rng(0).integers(-300, 700, (5, 20, 30)).astype(np.int16)
    np.save("scan.npy", scan)
    scan[1, 3] += 9
    np.save("other.npy", scan)
    assert convcli("compare", "scan.npy", "other.npy", "-o", "where.png").code == 0
    found = compare("scan.npy", "other.npy")
    assert found.plane == 1 and all(each.min() == 0 and each.max() >= 250 for each in found.previews)


def test_json_is_one_document_also_when_all_fails(convcli):
    commands = ((["compare", "a.png", "b.png"], 1), (["filter", "a.png", "-k", "bx"], 2), (["evaluate", "x.y"], 1))
    for words, code in commands:
        result = convcli(*words, "--json")
        document = json.loads(result.out)
        assert (result.code, document["exit_code"]) == (code, code) and result.err == f"Error: {document['error']}\n"


def test_profiles_that_differ_are_told(convcli, pair):
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = usual.replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")).replace(b"sRGB", b"wide")
    with Image.open("a.png") as picture:
        picture.save("c.png", icc_profile=usual)
        picture.save("d.png", icc_profile=other)
    assert convcli("compare", "a.png", "c.png").err == ""
    assert "different colour profiles" in convcli("compare", "a.png", "d.png").err
