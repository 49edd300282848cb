import json
from pathlib import Path

import numpy as np
from PIL import Image

from convcli.images import Image as Picture
from convcli.views.sheet import contact_sheet

SAMPLES = Path(__file__).parent.parent.parent / "sample_images"


def test_a_sheet_of_two_pictures_and_two_kernels(convcli, tmp_path):
    out = tmp_path / "sheet.png"
    arguments = [
        "gallery",
        SAMPLES / "cat.jpg",
        SAMPLES / "cup.png",
        "-k",
        "sobel",
        "-k",
        "box",
        "-o",
        out,
        "--cell",
        64,
    ]
    result = convcli(*arguments, "--json")
    assert result.code == 0
    assert json.loads(result.out)["output"] == str(out)
    with Image.open(out) as sheet:
        assert sheet.width == 8 + 3 * (64 + 8)
    refused = convcli(*arguments)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "--overwrite" in refused.err
    assert convcli("gallery", SAMPLES / "cat.jpg", "-k", "nothing").code == 2


def test_cells_keep_proportions_and_small_pictures_their_size():
    wide = Picture(np.zeros((10, 40, 3), np.uint8))
    small = Picture(np.zeros((4, 4, 1), np.uint8))
    sheet = contact_sheet([[wide, small]], ["a", "b"], (20, 20))
    black = (sheet == 0).all(axis=2)
    first, second = black[30:, : 8 + 20 + 4], black[30:, 8 + 20 + 4 :]
    assert first.sum() == 20 * 5
    assert second.sum() == 4 * 4


def test_transparency_lies_on_a_checkerboard():
    clear = Picture(np.zeros((16, 16, 4), np.uint8), has_alpha=True)
    sheet = contact_sheet([[clear]], [""], (16, 16))
    assert set(np.unique(sheet[30:46, 8:24])) == {225, 255}


def test_a_picture_that_cannot_be_shown_is_named(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("seven.npy", np.zeros((9, 9, 7), np.uint8))
    result = convcli("gallery", "seven.npy", "-k", "box")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith("Error: seven.npy: got an array of shape (9, 9, 7), which may be a volume")
